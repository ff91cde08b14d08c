// The watch page: plays the stream of its path and says in words what is going on.

import { el, say, streamName } from './page.js';
import { Player } from './player.js';
import { Spark } from './spark.js';

const WORDS = {
    looking: ['Looking …', 'quiet', 'Looking for the stream …', ''],
    soon: ['Starts soon', 'quiet', 'This stream starts soon', 'Nobody is live yet. The picture comes by itself.'],
    loading: ['Starting …', 'busy', 'Starting …', ''],
    live: ['Live', 'live', '', ''],
    paused: ['Paused', 'quiet', '', ''],
    waiting: [
        'Interrupted',
        'busy',
        'The publisher’s connection is interrupted',
        'Waiting for it to come back …',
    ],
    ended: ['Ended', 'quiet', 'The stream has ended', 'If it starts again, it plays here by itself.'],
    unreachable: [
        'Reconnecting …',
        'busy',
        'The gateway cannot be reached',
        'Trying again. Check that this device is online.',
    ],
    blocked: ['Ready', 'quiet', 'Ready to play', 'This browser waits for your press.'],
    unsupported: [
        'Not playable',
        'bad',
        'This browser cannot play the stream',
        'It has no Media Source Extensions and does not play HLS itself. A current browser does both.',
    ],
    nameless: ['No stream', 'bad', 'This address names no stream', 'A watch link ends in a name, as in /watch/demo.'],
};
const TURNING = new Set(['looking', 'soon', 'loading', 'waiting', 'unreachable']);
const STILL_MS = 3000;

const stream = streamName();
const query = new URLSearchParams(location.search);
const video = el('video');
const stage = el('stage');
const sparks = { latency: new Spark(el('s-latency'), 1), buffer: new Spark(el('s-buffer'), 1) };

/** What tests and the curious may read. */
const seen = { page: 'watch', stream, state: '', states: [], firstFrameMs: 0 };
window.sluice = seen;

function show(state) {
    seen.state = state;
    seen.states.push({ state, ms: Math.round(performance.now()) });
    seen.states.splice(0, seen.states.length - 100);
    const [pill, tone, title, text] = WORDS[state];
    document.body.dataset.state = state;
    say(el('state'), pill);
    el('state').dataset.tone = tone;
    say(el('cover-title'), title);
    say(el('cover-text'), text);
    el('cover').hidden = title === '';
    el('spinner').hidden = !TURNING.has(state);
    el('press-play').hidden = state !== 'blocked';
    document.title = `${state === 'live' ? '● ' : ''}${stream || 'Watch'} · Sluice`;
    controls();
}

/** Buttons say what they do next. */
function controls() {
    const playing = seen.state === 'live' || seen.state === 'paused';
    stage.classList.toggle('paused', video.paused);
    stage.classList.toggle('muted', video.muted || video.volume === 0);
    el('play').setAttribute('aria-label', video.paused ? 'Play' : 'Pause');
    el('mute').setAttribute('aria-label', video.muted ? 'Turn the sound on' : 'Mute');
    el('sound').hidden = !(playing && video.muted && !video.paused);
    el('volume').value = video.muted ? 0 : video.volume;
    el('bar').hidden = !playing;
}

function toggleSound() {
    video.muted = !video.muted;
    if (!video.muted && video.volume === 0) {
        video.volume = 1;
    }
}

function togglePlay() {
    return video.paused ? video.play() : video.pause();
}

function toggleFull() {
    if (document.fullscreenElement) {
        return document.exitFullscreen();
    }
    // phones of one maker let only the video itself fill the screen
    return stage.requestFullscreen ? stage.requestFullscreen() : video.webkitEnterFullscreen?.();
}

function setVolume(value) {
    video.volume = Math.min(1, Math.max(0, value));
    video.muted = video.volume === 0;
}

const KEYS = {
    ' ': togglePlay,
    k: togglePlay,
    m: toggleSound,
    f: toggleFull,
    ArrowUp: () => setVolume(video.volume + 0.1),
    ArrowDown: () => setVolume(video.volume - 0.1),
};

function onKey(event) {
    const pressing = /^(BUTTON|INPUT|A)$/.test(event.target.tagName);
    const work = KEYS[event.key];
    if (!work || event.ctrlKey || event.metaKey || event.altKey || (pressing && event.key !== 'm')) {
        return;
    }
    event.preventDefault();
    Promise.resolve(work()).catch(() => {});
}

let still = 0;
function stir() {
    stage.classList.remove('still');
    clearTimeout(still);
    still = setTimeout(() => stage.classList.toggle('still', seen.state === 'live'), STILL_MS);
}

function wire() {
    el('play').addEventListener('click', togglePlay);
    el('press-play').addEventListener('click', togglePlay);
    el('mute').addEventListener('click', toggleSound);
    el('sound').addEventListener('click', () => {
        toggleSound();
        el('mute').focus({ preventScroll: true });
    });
    el('volume').addEventListener('input', () => setVolume(Number(el('volume').value)));
    el('full').addEventListener('click', toggleFull);
    el('pip').hidden = !document.pictureInPictureEnabled;
    el('pip').addEventListener('click', () => video.requestPictureInPicture().catch(() => {}));
    video.addEventListener('dblclick', toggleFull);
    for (const name of ['play', 'pause', 'volumechange']) {
        video.addEventListener(name, controls);
    }
    video.addEventListener('pause', () => seen.state === 'live' && !video.ended && show('paused'));
    video.addEventListener('playing', () => seen.state === 'paused' && show('live'));
    document.addEventListener('keydown', onKey);
    for (const name of ['pointermove', 'pointerdown', 'keydown']) {
        stage.addEventListener(name, stir);
    }
    stir();
}

function seconds(value) {
    return Number.isFinite(value) ? `${value.toFixed(2)} s` : '–';
}

function showNumbers(player) {
    const quality = video.getVideoPlaybackQuality?.();
    const { latency, buffer } = player;
    const behind = seen.state === 'live' ? latency : NaN;
    say(el('n-latency'), seconds(behind));
    say(el('behind'), Number.isFinite(behind) ? `${behind.toFixed(1)} s behind live` : '');
    say(el('n-buffer'), seconds(buffer));
    say(el('n-size'), video.videoWidth ? `${video.videoWidth} × ${video.videoHeight}` : '–');
    say(el('n-codecs'), player.codecs);
    say(el('n-dropped'), String(quality?.droppedVideoFrames ?? '–'));
    say(el('n-total'), quality ? `of ${quality.totalVideoFrames.toLocaleString()}` : '');
    el('facts').hidden = !['live', 'paused', 'waiting'].includes(seen.state);
    if (Number.isFinite(behind)) {
        sparks.latency.push(behind);
        sparks.buffer.push(buffer);
    }
    const { rate, target } = player.pace;
    Object.assign(seen, { latency, buffer, rate, target, dropped: quality?.droppedVideoFrames ?? 0 });
    Object.assign(seen, player.counts, { errors: player.errors, edgeLatency: player.edgeLatency });
}

function start() {
    say(el('name'), stream || '?');
    wire();
    if (!stream) {
        show('nameless');
        return;
    }
    const target = Math.min(10, Math.max(0, Number(query.get('target')) || 0));
    const player = new Player(video, stream, { target, stock: query.get('stock') === '1', onState: show });
    seen.player = player;
    video.addEventListener('playing', () => (seen.firstFrameMs ||= Math.round(performance.now())));
    setInterval(() => showNumbers(player), 500);
    player.run();
}

start();
