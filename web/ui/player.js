// Plays one stream from its first sign of life to its end, and again when it comes back.
// Says what is going on as a state; the page turns states into words.

import { playlistPath, sleep } from './page.js';
import { Pace } from './pace.js';
import { look } from './playlist.js';

const TARGET_S = 0.4; // with parts of 200 ms; never less than two parts
const TICK_MS = 100;
const FIRST_SEGMENT_MS = 200;
const SILENT_MS = 1500; // no news from the playlist for so long, and nothing left to play
const STUCK_MS = 15000;
const ROUNDING_S = 0.00005;
const FRESH_MS = 1500; // so soon after the first picture
const FRESH_JUMP_S = 0.1; // what loading took is made up for by a jump, before anybody looks
const JUMP_PAUSE_MS = 1000; // between two jumps
const LAG_S = 2; // so far above the target, and no jump possible,
const LAG_MS = 4000; // for so long: loading itself has fallen behind
const IDLE_MS = 350; // a loader that rests for so long
const IDLE_BUFFER_S = 0.25; // while so little is left to play
const IDLE_AHEAD_S = 0.45; // and the playlist has so much more

/** hls.js, when it was built in; null on a gateway without it. */
async function loadHls() {
    try {
        return (await import('/assets/hls.min.mjs')).default;
    } catch {
        return null;
    }
}

/**
 * hls.js compares the end of the buffer, exact to 1 us, with sums of durations that playlists round.
 * Where the buffer ends a hair before a segment, it finds the segment before, sees that it has it,
 * and loads nothing more until it falls out of the window. So it is asked a hair further on.
 */
function patient(Controller) {
    return class extends Controller {
        getNextFragment(position, details) {
            return super.getNextFragment(position + ROUNDING_S, details);
        }
    };
}

const PLAYS_NATIVELY = (video) => Boolean(video.canPlayType('application/vnd.apple.mpegurl'));

export class Player {
    /**
     * target: seconds behind live, 0 = chosen by the player; stock: hls.js as it comes, for
     * measuring. onState(state): looking, soon, loading, live, waiting, ended, unreachable,
     * blocked (the browser wants a press of Play) or unsupported.
     */
    constructor(video, stream, { target = 0, stock = false, onState }) {
        Object.assign(this, { video, stream, stock, onState });
        this.target = target;
        this.pace = this.#newPace();
        this.state = '';
        this.hls = null;
        this.played = false; // a picture of this stream has been seen
        this.counts = { stalls: 0, jumps: 0, kicks: 0, starts: 0, discontinuities: 0 };
        this.errors = [];
        video.addEventListener('waiting', () => this.#ranDry());
        video.addEventListener('playing', () => this.#plays());
        video.addEventListener('play', () => this.toLive());
    }

    /** Follows the stream for ever. */
    async run() {
        this.#set('looking');
        const Hls = await loadHls();
        const engine = Hls?.isSupported() ? Hls : null;
        if (!engine && !PLAYS_NATIVELY(this.video)) {
            this.#set('unsupported');
            return;
        }
        for (let tries = 0; ; tries++) {
            const { state, segments } = await look(this.stream);
            if (state === 'live') {
                tries = 0;
                if (segments > 0) {
                    await (engine ? this.#playWith(engine) : this.#playNatively());
                } else {
                    this.#set('loading'); // hls.js refuses a playlist that has parts only
                    await sleep(FIRST_SEGMENT_MS);
                }
                continue;
            }
            const quiet = this.played ? 'ended' : 'soon';
            this.#set({ absent: quiet, empty: 'soon', ended: 'ended' }[state] ?? 'unreachable');
            await sleep(tries < 60 ? 1000 : 3000);
        }
    }

    /** Seconds between the newest media known and the picture; NaN when unknown. */
    get edgeLatency() {
        const details = this.hls?.latestLevelDetails;
        return details?.live ? details.edge + details.age - this.video.currentTime : NaN;
    }

    /** Seconds between the making of this picture and now, by the clocks of gateway and viewer;
     * by the playlist alone when the clocks disagree. */
    get latency() {
        const date = this.hls ? this.hls.playingDate : this.#nativeDate();
        const seconds = date ? (Date.now() - date.getTime()) / 1000 : NaN;
        return seconds > -0.05 && seconds < 60 ? Math.max(0, seconds) : this.edgeLatency;
    }

    /** Seconds that are ready to play. */
    get buffer() {
        const { buffered, currentTime } = this.video;
        for (let n = 0; n < buffered.length; n++) {
            if (buffered.start(n) <= currentTime + 0.05 && buffered.end(n) > currentTime) {
                return buffered.end(n) - currentTime;
            }
        }
        return 0;
    }

    /** "H.264 + AAC", or '' while unknown. */
    get codecs() {
        const level = this.hls?.levels?.[Math.max(0, this.hls.currentLevel)];
        const names = { avc1: 'H.264', avc3: 'H.264', mp4a: 'AAC', opus: 'Opus', vp09: 'VP9', av01: 'AV1' };
        const list = [level?.videoCodec, level?.audioCodec].filter(Boolean);
        return list.map((codec) => names[codec.slice(0, 4).toLowerCase()] ?? codec).join(' + ');
    }

    /** Goes to the newest picture, as after a pause. */
    toLive() {
        const over = this.edgeLatency - this.pace.target;
        if (over > 1 && this.hls && !this.stock) {
            this.#jump(over);
        }
    }

    #newPace() {
        return new Pace(this.target || TARGET_S, this.target > 0);
    }

    #set(state) {
        if (state !== this.state) {
            this.state = state;
            this.onState(state);
        }
    }

    #plays() {
        if (!this.running) {
            this.freshUntil = performance.now() + FRESH_MS;
        }
        this.played = this.running = true;
        this.#set('live');
    }

    #ranDry() {
        if (this.running && !this.video.seeking && !this.video.paused && !this.finished) {
            this.counts.stalls++;
            const now = performance.now();
            if (now - this.newsAt < SILENT_MS) {
                this.pace.stalled(now); // media was there, but too late for us: aim further back
            }
        }
    }

    async #start() {
        this.#set('loading');
        try {
            await this.video.play();
        } catch (error) {
            if (error.name === 'NotAllowedError') {
                this.#set('blocked');
            }
        }
    }

    #settings({ DefaultConfig }) {
        const ours = {
            streamController: patient(DefaultConfig.streamController),
            audioStreamController: patient(DefaultConfig.audioStreamController),
            liveSyncDuration: this.pace.target,
            liveMaxLatencyDuration: this.pace.target + 6,
            liveSyncOnStallIncrease: 0,
            maxLiveSyncPlaybackRate: 1, // the pace is kept here
            backBufferLength: 4, // an old hole in it would make hls.js nudge at each stall
        };
        return { lowLatencyMode: true, ...(this.stock ? {} : ours) };
    }

    /** One attachment of hls.js: resolves when the stream has ended or playing it has failed. */
    #playWith(Hls) {
        const { video } = this;
        this.pace = this.#newPace();
        const hls = new Hls(this.#settings(Hls));
        this.hls = hls;
        this.running = this.finished = false;
        this.idleSince = {};
        this.counts.starts++;
        return new Promise((resolve) => {
            let ticking = 0;
            const done = () => {
                clearInterval(ticking);
                video.removeEventListener('ended', done);
                this.hls = null;
                this.running = false;
                hls.destroy();
                resolve();
            };
            hls.on(Hls.Events.MANIFEST_PARSED, () => this.#start());
            hls.on(Hls.Events.LEVEL_UPDATED, (_, { details }) => this.#updated(details));
            hls.on(Hls.Events.ERROR, (_, data) => this.#failed(Hls, data, done));
            video.addEventListener('ended', done);
            ticking = setInterval(() => this.#tick(done), TICK_MS);
            hls.loadSource(playlistPath(this.stream));
            hls.attachMedia(video);
        });
    }

    #updated(details) {
        if (details.edge !== this.edge) {
            this.edge = details.edge;
            this.newsAt = performance.now();
        }
        if (!details.live) {
            this.finished = true;
        } else if (!this.pace.fixed && details.partTarget) {
            const base = Math.max(TARGET_S, 2 * details.partTarget);
            if (base !== this.pace.base) {
                this.pace.aim(base);
            }
        }
        this.lowLatency = Boolean(details.partTarget);
        this.counts.discontinuities = details.endCC;
    }

    #failed(Hls, data, done) {
        this.errors.push(`${data.fatal ? 'fatal ' : ''}${data.details}`);
        this.errors.splice(0, this.errors.length - 50);
        if (!data.fatal) {
            return;
        }
        if (data.type === Hls.ErrorTypes.MEDIA_ERROR && !this.recovered) {
            this.recovered = true;
            this.hls.recoverMediaError();
            return;
        }
        this.recovered = false;
        done();
    }

    /** Ten times a second: pace, and what to say when nothing moves. */
    #tick(done) {
        const { video, pace } = this;
        const now = performance.now();
        const { buffer } = this;
        const moving = video.currentTime !== this.lastTime;
        this.lastTime = video.currentTime;
        if (moving || video.paused) {
            this.movedAt = now;
        }
        const still = now - (this.movedAt ?? now);
        if (this.running && still > 500 && now - this.newsAt > SILENT_MS && !this.finished) {
            this.#set('waiting');
        } else if (this.state === 'waiting' && moving) {
            this.#set('live');
        }
        if (still > (this.finished ? 1500 : STUCK_MS)) {
            this.movedAt = now;
            done();
            return;
        }
        if (this.stock || !this.running || this.finished || video.paused || !this.lowLatency) {
            return;
        }
        const { rate, jump } = pace.step(this.edgeLatency, buffer, now);
        const over = this.edgeLatency - pace.target;
        if (!(over > LAG_S)) {
            this.lagSince = now;
        }
        const fresh = now < this.freshUntil && over > FRESH_JUMP_S;
        const rested = now - (this.jumpedAt ?? 0) > JUMP_PAUSE_MS;
        if ((jump || fresh) && rested && this.#jump(over)) {
            this.freshUntil = 0;
            return;
        }
        if (now - this.lagSince > LAG_MS || (rested && this.#rests(buffer, now))) {
            this.#restartAtEdge(now);
        } else if (video.playbackRate !== rate) {
            video.playbackRate = rate;
        }
    }

    /** Skips forward to what is there already; false when it is not. */
    #jump(seconds) {
        const { video } = this;
        const ranges = video.buffered;
        const end = ranges.length ? ranges.end(ranges.length - 1) : 0;
        const to = video.currentTime + seconds;
        if (to > end - 0.15) {
            return false;
        }
        this.jumpedAt = performance.now();
        this.counts.jumps++;
        video.currentTime = to;
        return true;
    }

    /** At a segment's edge hls.js sometimes finds nothing to load though there is: true after a
     * moment of that, before the viewer waits for long. */
    #rests(buffer, now) {
        const { hls, video } = this;
        const ahead = hls.latestLevelDetails.edge - video.currentTime - buffer > IDLE_AHEAD_S;
        let rests = false;
        for (const [kind, { state }] of Object.entries(hls.inFlightFragments)) {
            const idle = state === 'IDLE' && ahead && buffer < IDLE_BUFFER_S;
            this.idleSince[kind] = idle ? (this.idleSince[kind] ?? now) : undefined;
            rests ||= kind !== 'subtitle' && now - this.idleSince[kind] > IDLE_MS;
        }
        return rests;
    }

    /** hls.js loads whole segments once it has missed a part: begin anew with parts. */
    #restartAtEdge(now) {
        const to = this.hls.liveSyncPosition;
        this.lagSince = this.jumpedAt = now;
        this.idleSince = {};
        this.counts.kicks++;
        if (to > this.video.currentTime) {
            this.video.currentTime = to;
        }
    }

    #nativeDate() {
        const start = this.video.getStartDate?.();
        const zero = start?.getTime();
        return Number.isFinite(zero) ? new Date(zero + this.video.currentTime * 1000) : null;
    }

    /** Only where the browser has no Media Source Extensions: it plays HLS itself. */
    async #playNatively() {
        const { video } = this;
        this.counts.starts++;
        this.finished = false;
        video.src = playlistPath(this.stream);
        this.#start();
        await new Promise((resolve) => {
            video.addEventListener('ended', resolve, { once: true });
            video.addEventListener('error', resolve, { once: true });
        });
        this.running = false;
        video.removeAttribute('src');
        video.load();
        await sleep(1000);
    }
}
