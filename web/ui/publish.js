// The publish page: one button from a token in the fragment to viewers who can watch.

import { alreadyAllowed } from './devices.js';
import { bitrate, clock, copyFrom, el, milliseconds, say, sleep, streamName, watchPath } from './page.js';
import { Readings } from './readings.js';
import { Sender, STEPS, Trouble } from './sender.js';
import { Sources } from './sources.js';
import { Spark } from './spark.js';

const RETRY_MS = [200, 700, 1500, 3000, 5000, 8000, 8000, 8000, 8000, 8000];
const SLOW_PLAYABLE_MS = 10000;
const PILL = {
    idle: ['Off air', 'quiet'],
    starting: ['Connecting …', 'busy'],
    live: ['Live', 'live'],
    retrying: ['Reconnecting …', 'busy'],
    stopping: ['Stopping …', 'busy'],
};

const stream = streamName();
const query = new URLSearchParams(location.search);
const CODECS = ['h264', 'h265', 'vp9', 'av1', 'vp8'];
const codec = CODECS.includes(query.get('codec')) ? query.get('codec') : '';
let token = '';
let sender = null;
let run = 0; // each press of Go live and each stop makes older work void
let startedAt = 0;

/** What tests and the curious may read; never the token. */
const seen = {
    page: 'publish',
    stream,
    state: 'idle',
    steps: {},
    trouble: null,
    readings: null,
    retries: 0, // new sessions
    restarts: 0, // of ICE, in this session
};
window.sluice = seen;

const sparks = {
    bps: new Spark(el('s-bps'), 1e6),
    fps: new Spark(el('s-fps'), 30),
    rtt: new Spark(el('s-rtt'), 50),
    loss: new Spark(el('s-loss'), 5),
};

// ---- what the page shows ----

function setState(state, words = PILL[state][0]) {
    seen.state = state;
    document.body.dataset.state = state;
    say(el('state'), words);
    el('state').dataset.tone = PILL[state][1];
    say(el('go-text'), { idle: 'Go live', live: 'Stop' }[state] ?? 'Cancel');
    el('go').disabled = state === 'stopping' || !stream || !token;
    el('on-air').hidden = state !== 'live';
    if (state === 'idle') {
        el('numbers').hidden = true;
    }
    el('mute').hidden = state === 'idle';
    for (const id of ['height', 'rate']) {
        el(id).disabled = state !== 'idle';
    }
    document.title = `${state === 'live' ? '● ' : ''}${stream || 'Publish'} · Sluice`;
}

function showTrouble(trouble, tone = 'bad') {
    seen.trouble = trouble;
    el('trouble').hidden = !trouble;
    if (trouble) {
        el('trouble').dataset.tone = tone;
        say(el('trouble-title'), trouble.title);
        say(el('trouble-text'), trouble.text);
    }
    el('use-test').hidden = trouble?.step !== 'devices' || sources.kind === 'test';
}

function mark(step, how, time = '') {
    const row = el('steps').querySelector(`[data-step="${step}"]`);
    if (how) {
        row.dataset.mark = how;
    } else {
        delete row.dataset.mark;
    }
    say(row.querySelector('.time'), time);
}

function clearMarks() {
    ['devices', ...STEPS].forEach((step) => mark(step, ''));
}

function clearSteps() {
    seen.steps = {};
    clearMarks();
    say(el('steps').querySelector('[data-step="devices"] .what'), sources.words);
}

/** A step is reached: its time since Go live; the next one is being worked on. */
function reach(step) {
    const order = ['devices', ...STEPS];
    const ms = performance.now() - startedAt;
    seen.steps[step] = Math.round(ms);
    mark(step, 'done', milliseconds(ms));
    const next = order[order.indexOf(step) + 1];
    if (next) {
        mark(next, 'busy');
    } else {
        setState('live');
        seen.liveSince = performance.now();
    }
}

function failStep(step) {
    for (const row of el('steps').querySelectorAll('[data-mark="busy"]')) {
        mark(row.dataset.step, '');
    }
    if (step) {
        mark(step, 'failed');
    }
}

function showNumbers(now) {
    seen.readings = now;
    say(el('n-bps'), bitrate(now.bps));
    say(el('n-fps'), String(Math.round(now.fps)));
    say(el('n-rtt'), Number.isFinite(now.rttMs) ? `${now.rttMs.toFixed(now.rttMs < 10 ? 1 : 0)} ms` : '–');
    say(el('n-loss'), Number.isFinite(now.loss) ? `${(now.loss * 100).toFixed(1)} %` : '–');
    const size = now.width ? `${now.width} × ${now.height} · ${now.codec}` : 'Sound only';
    say(el('n-size'), now.limit ? `${size} · ${now.limit}` : size);
    sparks.bps.push(now.bps);
    sparks.fps.push(now.fps);
    sparks.rtt.push(now.rttMs);
    sparks.loss.push(now.loss * 100);
}

function showInterruption(text) {
    const end = 'interrupted';
    if (text) {
        showTrouble({ title: 'The connection is interrupted', text, end }, 'warn');
    } else if (seen.trouble?.end === end) {
        showTrouble(null);
    }
}

// ---- going live ----

const sources = new Sources({
    stream,
    onTrack: (track) => sender?.replace(track),
    onTrouble: (trouble) => showTrouble(trouble && { ...trouble, step: 'devices' }),
});

async function measure(current, mine) {
    const readings = new Readings(current.pc);
    el('numbers').hidden = false;
    while (mine === run && sender === current && !current.over) {
        const now = await readings.take().catch(() => null);
        if (now && sender === current) {
            showNumbers(now);
        }
        if (seen.state === 'live') {
            say(el('age'), clock((performance.now() - seen.liveSince) / 1000));
        }
        await sleep(1000);
    }
}

/** Tells when the gateway takes the stream but nothing can be played for a long time. */
async function watchSlowness(mine) {
    await sleep(SLOW_PLAYABLE_MS);
    if (mine === run && seen.state === 'starting' && 'frame' in seen.steps) {
        const text = 'The gateway receives your stream, but viewers cannot watch it yet.';
        showTrouble({ title: 'This takes longer than it should', text }, 'warn');
    }
}

/** One session: resolves when viewers can watch, throws Trouble. */
async function connect(mine) {
    const { video, audio } = await sources.open();
    if (mine !== run) {
        return;
    }
    reach('devices');
    const media = new MediaStream([video, audio].filter(Boolean));
    const current = new Sender({
        stream,
        token,
        codec,
        maxBitrate: Number(el('rate').value),
        onStep: (step) => {
            if (mine === run) {
                reach(step);
                if (step === 'keys') {
                    measure(current, mine);
                }
            }
        },
        onEnd: (reason) => mine === run && sender === current && ended(reason, mine),
        onNotice: (text) => {
            if (mine === run && seen.state === 'live') {
                seen.restarts = current.restarts;
                say(el('state'), text ? 'Interrupted' : 'Live');
                showInterruption(text);
            }
        },
    });
    sender = current;
    await current.start(media);
    if (mine === run && !current.over) {
        showTrouble(null);
    }
}

async function goLive() {
    const mine = ++run;
    startedAt = performance.now();
    showTrouble(null);
    clearSteps();
    el('token-form').hidden = true;
    setState('starting');
    mark('devices', 'busy');
    Object.values(sparks).forEach((spark) => spark.clear());
    watchSlowness(mine);
    try {
        await connect(mine);
    } catch (error) {
        if (mine === run) {
            failed(error, error.step ?? 'devices');
        }
    }
    holdScreen();
}

function offAir(trouble) {
    run++;
    sender?.stop();
    sender = null;
    sources.close();
    setState('idle');
    showTrouble(trouble);
    releaseScreen();
}

function failed(error, step) {
    failStep(step);
    const { title = 'Something unexpected failed', text = String(error.message ?? error) } = error;
    offAir({ title, text, end: error.end ?? '', step });
    el('token-form').hidden = error.end !== 'status-401';
}

/** The gateway ended a running session, or it is lost: say why; try again where that helps. */
async function ended(reason, mine) {
    seen.endedAfterMs = Math.round(performance.now() - startedAt);
    if (!reason.retry) {
        clearMarks();
        offAir(reason);
        el('token-form').hidden = reason.end !== 'revoked';
        return;
    }
    setState('retrying');
    showTrouble({ ...reason, text: `${reason.text} Reconnecting …` }, 'warn');
    for (const wait of RETRY_MS) {
        await sleep(wait);
        if (mine !== run) {
            return;
        }
        seen.retries++;
        startedAt = performance.now();
        clearSteps();
        mark('devices', 'busy');
        try {
            await connect(mine);
            return;
        } catch (error) {
            sender?.stop();
            if (mine !== run) {
                return;
            }
            if (!(error instanceof Trouble) || !error.retry) {
                failed(error, error.step ?? 'devices');
                return;
            }
            failStep(error.step);
        }
    }
    clearMarks();
    offAir(reason);
}

async function stop() {
    run++;
    const current = sender;
    sender = null;
    setState('stopping');
    await current?.stop();
    await sources.close();
    clearMarks();
    showTrouble(null);
    setState('idle');
    releaseScreen();
}

// ---- the screen stays on while live ----

let lock = null;

async function holdScreen() {
    if (seen.state === 'live' && document.visibilityState === 'visible') {
        lock = await navigator.wakeLock?.request('screen').catch(() => null);
    }
}

function releaseScreen() {
    lock?.release().catch(() => {});
    lock = null;
}

// ---- token and start ----

/** The token comes in the fragment, which no server sees, and leaves the address bar at once. */
function takeToken() {
    const found = new URLSearchParams(location.hash.slice(1)).get('t');
    if (found) {
        token = found;
        history.replaceState(null, '', location.pathname + location.search);
    }
    el('token-form').hidden = Boolean(token) || !stream;
    setState(seen.state);
}

async function preview() {
    try {
        await sources.open();
        showTrouble(null);
    } catch (trouble) {
        showTrouble({ ...trouble, step: 'devices' });
    }
}

function wire() {
    el('go').addEventListener('click', () => (seen.state === 'idle' ? goLive() : stop()));
    el('show').addEventListener('click', preview);
    el('copy').addEventListener('click', () => copyFrom(el('link'), el('copy')));
    el('link').addEventListener('focus', () => el('link').select());
    el('sources').addEventListener('submit', (event) => event.preventDefault());
    el('use-test').addEventListener('click', () => {
        sources.kind = 'test';
        goLive();
    });
    el('mute').addEventListener('click', () => {
        const on = el('mute').getAttribute('aria-pressed') !== 'true';
        el('mute').setAttribute('aria-pressed', String(on));
        say(el('mute'), on ? 'Unmute' : 'Mute');
        sources.mute(on);
    });
    el('token-form').addEventListener('submit', (event) => {
        event.preventDefault();
        token = el('token').value.trim();
        el('token').value = '';
        el('token-form').hidden = Boolean(token);
        showTrouble(null);
        setState(seen.state);
        el('go').focus();
    });
    window.addEventListener('hashchange', takeToken);
    window.addEventListener('pagehide', () => seen.state !== 'idle' && offAir(null));
    document.addEventListener('visibilitychange', holdScreen);
}

async function start() {
    say(el('name'), stream || '?');
    el('link').value = stream ? new URL(watchPath(stream), location.href).href : '';
    el('open').href = stream ? watchPath(stream) : '#';
    wire();
    if (query.get('source') === 'test') {
        sources.kind = 'test';
    }
    takeToken();
    clearSteps();
    if (!stream) {
        const text = 'Names have 1 to 64 letters, digits, - and _, as in /publish/demo.';
        showTrouble({ title: 'This address names no stream', text });
        return;
    }
    await sources.refresh();
    if (sources.kind === 'camera' && (await alreadyAllowed())) {
        preview();
    }
}

start();
