// One WHIP session from Go live to its end: peer connection, steps with times, end with a reason.

import { look } from './playlist.js';
import { ended, lost, noAnswer, noKeys, noPath, refusal } from './reasons.js';
import { sleep } from './page.js';
import {
    askSession,
    candidatesOf,
    deleteSession,
    fragmentOf,
    postOffer,
    restartedAnswer,
    restartIce,
} from './whip.js';

/** The steps after the devices, in order; ids are those of the list in the page. */
export const STEPS = ['answer', 'path', 'keys', 'frame', 'playable'];

const CONNECT_MS = 12000; // the gateway frees a session without keys after 10 s (WHIP-70)
const ASK_EVERY_MS = 2000;
const DELETE_MS = 1500;
const OWN_TRIES = 2; // more than one: the gateway may count from a later packet
const PATIENCE_MS = 2000; // an interrupted path may come back by itself so long
const REPAIR_MS = 8000; // a restarted one must be up by then
const DIRECT_MS = 3000; // a first path gets so long before relays are tried
const BUNDLE = { bundlePolicy: 'max-bundle' };

/** A refusal or failure that the page shows: title, text; retry says whether trying again helps. */
export class Trouble extends Error {
    constructor({ title, text, retry = false, end = '' }, step) {
        super(text);
        Object.assign(this, { title, text, retry, end, step });
    }
}

/** Puts one codec's payloads first and leaves out other video codecs; keeps RTX and friends. */
function preferCodec(transceiver, codec) {
    const all = RTCRtpSender.getCapabilities('video')?.codecs ?? [];
    const wanted = all.filter((c) => c.mimeType.toLowerCase() === `video/${codec}`);
    const helpers = all.filter((c) => /\/(rtx|red|ulpfec|flexfec-03)$/i.test(c.mimeType));
    if (wanted.length && transceiver.setCodecPreferences) {
        transceiver.setCodecPreferences([...wanted, ...helpers]);
    }
}

export class Sender {
    /**
     * stream, token: whom and by which right. codec: the one to send, as 'h264', or '' for the
     * browser's own list. maxBitrate in bit/s.
     * onStep(id) is called as each step is reached, onEnd(reason) once when a started session ends
     * without stop(), onNotice(text) when the path is shaky ('' when it is well again).
     */
    constructor({ stream, token, codec, maxBitrate, onStep, onEnd, onNotice }) {
        Object.assign(this, { stream, token, codec, maxBitrate, onStep, onEnd, onNotice });
        this.pc = new RTCPeerConnection(BUNDLE);
        this.session = '';
        this.over = false;
        this.restarts = 0; // of ICE, that the gateway has taken
        this.reached = new Set();
    }

    /** Publishes the tracks of a MediaStream; resolves when viewers can play it, throws Trouble. */
    async start(media) {
        this.#addTracks(media);
        await this.#keepResolution(); // before the encoder starts, and again when it is negotiated
        const before = look(this.stream);
        await this.pc.setLocalDescription();
        const { sdp, session, servers } = await this.#post(this.pc.localDescription.sdp);
        Object.assign(this, { session, servers, answer: sdp, candidates: candidatesOf(sdp) });
        if (this.over) {
            await this.stop(); // stopped while the request was under way
            return;
        }
        this.#step('answer');
        this.#useServers();
        this.#listen();
        await this.pc.setRemoteDescription({ type: 'answer', sdp });
        await this.#keepResolution();
        await this.#connected();
        this.#watchSession();
        await this.#firstFrame();
        await this.#playable(new Set((await before).uris));
    }

    /** Ends the session from this side; keepalive lets the request outlive the page. The connection
     * is closed after the answer: its close_notify alone would leave the playlist open for a
     * publisher who comes back. */
    async stop() {
        this.over = true;
        clearInterval(this.asking);
        clearTimeout(this.patience);
        const { session } = this;
        this.session = '';
        if (session) {
            const done = deleteSession(session, this.token);
            await Promise.race([done, sleep(DELETE_MS)]);
        }
        this.pc.close();
    }

    /** Sends another track of the same kind from now on. */
    async replace(track) {
        const kinds = this.pc.getTransceivers();
        const found = kinds.find((t) => t.receiver.track.kind === track.kind);
        await found?.sender.replaceTrack(track);
        return Boolean(found);
    }

    get videoSender() {
        const found = this.pc.getTransceivers().find((t) => t.receiver.track.kind === 'video');
        return found?.sender ?? null;
    }

    #addTracks(media) {
        for (const track of media.getTracks()) {
            const video = track.kind === 'video';
            const transceiver = this.pc.addTransceiver(track, {
                direction: 'sendonly',
                streams: [media],
                sendEncodings: video ? [{ maxBitrate: this.maxBitrate }] : undefined,
            });
            if (video && this.codec) {
                preferCodec(transceiver, this.codec);
            }
        }
    }

    async #post(offer) {
        let reply;
        for (let tries = 0; ; tries++) {
            try {
                reply = await postOffer(this.stream, this.token, offer);
            } catch (error) {
                throw new Trouble({ ...noAnswer(error), retry: true, end: 'unreachable' }, 'answer');
            }
            if (reply.status !== 409 || !reply.retryAfter || tries === OWN_TRIES || this.over) {
                break;
            }
            // this token's own session: if it is of a page that crashed, its silence gives it away soon
            await sleep(reply.retryAfter * 1000);
        }
        if (reply.status !== 201) {
            const words = refusal(reply.status, this.stream, reply.problem, reply.retryAfter);
            const retry = [409, 429, 502, 503, 504].includes(reply.status);
            throw new Trouble({ ...words, retry, end: `status-${reply.status}` }, 'answer');
        }
        return reply;
    }

    /** Pictures keep their size and lose frames instead: no change of size in the middle. */
    async #keepResolution() {
        const sender = this.videoSender;
        const parameters = sender?.getParameters();
        if (parameters) {
            parameters.degradationPreference = 'maintain-resolution';
            await sender.setParameters(parameters).catch(() => {});
        }
    }

    #step(id) {
        if (!this.over && !this.reached.has(id)) {
            this.reached.add(id);
            this.onStep(id);
        }
    }

    #listen() {
        const { pc } = this;
        const dtls = pc.getSenders()[0].transport;
        const pathState = () => {
            const state = pc.iceConnectionState;
            clearTimeout(this.patience);
            if (this.#isUp()) {
                this.#step('path');
                this.onNotice('');
            } else if (state === 'disconnected') {
                this.onNotice('Waiting for the network to come back …');
                this.patience = setTimeout(() => this.#repair(), PATIENCE_MS);
                this.#ask();
            } else if (state === 'failed') {
                this.#repair();
            }
            this.changed?.();
        };
        const keyState = () => {
            if (dtls.state === 'connected') {
                this.#step('path');
                this.#step('keys');
            } else if (dtls.state === 'closed' || dtls.state === 'failed') {
                // close_notify: the gateway ended it, and knows why from then on
                this.failed = true;
                this.#ask();
            }
            this.changed?.();
        };
        pc.oniceconnectionstatechange = pathState;
        dtls.onstatechange = keyState;
    }

    /** STUN and TURN servers that came with the answer: this generation of ICE has gathered without
     * them, a restarted one will use them. */
    #useServers() {
        if (this.servers.length) {
            try {
                this.pc.setConfiguration({ ...BUNDLE, iceServers: this.servers });
            } catch {
                this.servers = []; // an address that this browser does not take
            }
        }
    }

    #isUp() {
        return ['connected', 'completed'].includes(this.pc.iceConnectionState);
    }

    /** Asks the gateway for another generation of ICE within the session: true when it has agreed.
     * When it has not, the old one goes on. */
    async #restart() {
        const { pc } = this;
        await pc.setLocalDescription(await pc.createOffer({ iceRestart: true }));
        const sdp = await restartIce(this.session, this.token, fragmentOf(pc.localDescription.sdp))
            .then(({ fragment }) => restartedAnswer(this.answer, fragment))
            .catch(() => null);
        if (this.over || !sdp) {
            await pc.setLocalDescription({ type: 'rollback' });
            return false;
        }
        await pc.setRemoteDescription({ type: 'answer', sdp });
        this.answer = sdp;
        this.restarts++;
        return true;
    }

    /** Gets the path back without a new session; only when that fails the session is lost. */
    async #repair() {
        if (this.over || this.repairing) {
            return;
        }
        this.repairing = true;
        this.onNotice('Looking for another way to the gateway …');
        const deadline = performance.now() + REPAIR_MS;
        let hope = await this.#restart().catch(() => false);
        while (hope && !this.over && !this.#isUp()) {
            await sleep(100);
            hope = performance.now() < deadline && this.pc.iceConnectionState !== 'failed';
        }
        this.repairing = false;
        if (!this.over && !this.#isUp()) {
            this.failed = true;
            this.changed?.();
            this.#ask();
        }
    }

    /** Resolves when keys are there; throws when path or keys fail or take too long. */
    async #connected() {
        const deadline = performance.now() + CONNECT_MS;
        let relays = this.servers.length > 0;
        while (!this.over && !this.reached.has('keys')) {
            const left = deadline - performance.now();
            if (relays && left <= CONNECT_MS - DIRECT_MS && !this.reached.has('path')) {
                relays = false;
                this.#repair();
            }
            if (this.failed || left <= 0) {
                const path = this.reached.has('path');
                throw new Trouble(path ? noKeys() : noPath(this.candidates), path ? 'keys' : 'path');
            }
            const change = new Promise((resolve) => (this.changed = resolve));
            await Promise.race([change, sleep(Math.min(left, 1000))]);
        }
    }

    async #firstFrame() {
        while (!this.over) {
            for (const s of (await this.pc.getStats()).values()) {
                if (s.type === 'outbound-rtp' && s.packetsSent > 0 && s.kind === 'video') {
                    this.#step('frame');
                    return;
                }
            }
            if (!this.videoSender) {
                this.#step('frame'); // sound only
                return;
            }
            await sleep(30);
        }
    }

    /** Waits for a part that was not listed before this session. */
    async #playable(before) {
        while (!this.over) {
            const now = await look(this.stream);
            if (now.state === 'live' && now.uris.some((uri) => !before.has(uri))) {
                this.#step('playable');
                return;
            }
            await sleep(100);
        }
    }

    /** A crashed worker sends nothing at all: ask now and then whether the session still lives. */
    #watchSession() {
        this.asking = setInterval(() => this.#ask(), ASK_EVERY_MS);
    }

    async #ask() {
        if (this.over || this.busy || !this.reached.has('keys')) {
            return;
        }
        this.busy = true;
        const { alive, problem } = await askSession(this.session, this.token);
        this.busy = false;
        if (this.over) {
            return;
        }
        if (alive === false) {
            this.#end(ended(problem));
        } else if (this.failed) {
            this.#end(lost());
        }
    }

    #end(reason) {
        if (reason.end !== 'path') {
            this.session = ''; // the gateway has ended it already
        }
        this.stop();
        this.onEnd(reason);
    }
}
