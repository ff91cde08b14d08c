// The pages' modules that need no browser: pace, playlists, words, answers.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Pace } from '../../web/ui/pace.js';
import { bitrate, clock, streamName } from '../../web/ui/page.js';
import { firstVariant, readMedia } from '../../web/ui/playlist.js';
import { deviceTrouble, ended, noPath, refusal } from '../../web/ui/reasons.js';
import { Sender } from '../../web/ui/sender.js';
import { candidatesOf, fragmentOf, iceServersOf, restartedAnswer } from '../../web/ui/whip.js';

/** A player in numbers: parts of 200 ms arrive, late by jitter(n); gives what the viewer had. */
function play(pace, seconds, jitter, lead) {
    const tick = 0.1;
    let position = 0;
    let stalls = 0;
    let dry = false;
    const latencies = [];
    for (let now = 1; now < seconds; now += tick) {
        let loaded = 0;
        while (loaded * 0.2 + 0.2 + jitter(loaded) <= now) {
            loaded++;
        }
        const end = loaded * 0.2;
        position ||= now - lead;
        const latency = now - position;
        const { rate, jump } = pace.step(latency, Math.max(0, end - position), now * 1000);
        if (jump && position + (latency - pace.target) < end - 0.15) {
            position += latency - pace.target;
        }
        const wanted = position + tick * rate;
        if (wanted > end) {
            stalls += dry ? 0 : 1;
            if (!dry) {
                pace.stalled(now * 1000);
            }
        }
        dry = wanted > end;
        position = Math.min(wanted, end);
        latencies.push(now - position);
    }
    return { stalls, last: latencies.at(-1), rate: pace.rate };
}

test('pace: comes near on a calm network, without a stall', () => {
    const { stalls, last } = play(new Pace(0.4), 60, () => 0.03, 0.9);
    assert.equal(stalls, 0);
    assert.ok(last > 0.3 && last < 0.55, `${last}`);
});

test('pace: stays further back where parts come late', () => {
    const pace = new Pace(0.4);
    const { stalls, last } = play(pace, 120, (n) => 0.05 + ((n * 7) % 11) * 0.04, 1.2);
    assert.ok(stalls <= 2, `${stalls}`);
    assert.ok(pace.target > 0.45 && last > 0.45, `${pace.target} ${last}`);
    assert.ok(last < 1.5, `${last}`);
});

test('pace: a chosen distance is kept exactly', () => {
    const pace = new Pace(1.5, true);
    const { last, stalls } = play(pace, 60, () => 0.05, 0.9);
    assert.equal(pace.target, 1.5);
    assert.equal(stalls, 0);
    assert.ok(Math.abs(last - 1.5) < 0.1, `${last}`);
});

test('pace: far behind it asks for a jump, never for more than 1.15', () => {
    const pace = new Pace(0.4);
    assert.deepEqual(pace.step(5, 4, 10000), { rate: 1.15, jump: true });
    assert.equal(pace.step(5, 0.02, 10100).rate, 0.94);
    assert.equal(pace.step(NaN, 1, 10200).jump, false);
});

test('playlist: parts, whole segments and the end are told apart', () => {
    const text =
        '#EXTM3U\n#EXT-X-PART:DURATION=0.2,URI="a.0.m4s",INDEPENDENT=YES\n' +
        '#EXT-X-PART:DURATION=0.2,URI="a.1.m4s"\n#EXTINF:0.4,\na.m4s\n' +
        '#EXT-X-PRELOAD-HINT:TYPE=PART,URI="b.0.m4s"\n';
    const { uris, segments, ended: over } = readMedia(text);
    assert.deepEqual(uris, ['a.0.m4s', 'a.1.m4s', 'a.m4s']);
    assert.deepEqual([segments, over], [1, false]);
    assert.equal(readMedia(`${text}#EXT-X-ENDLIST\n`).ended, true);
    assert.deepEqual(readMedia(''), { uris: [], segments: 0, ended: false });
});

test('playlist: the first variant', () => {
    assert.equal(firstVariant('#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n0/m.m3u8\n'), '0/m.m3u8');
    assert.equal(firstVariant('#EXTM3U\n#EXTINF:2,\na.m4s\n'), null);
});

test('page: names, bit rates and clocks', () => {
    assert.equal(streamName('/watch/demo'), 'demo');
    assert.equal(streamName('/watch/a%20b'), '');
    assert.equal(streamName(`/watch/${'a'.repeat(65)}`), '');
    assert.equal(streamName('/'), '');
    assert.equal(bitrate(2409600), '2.41 Mbit/s');
    assert.equal(bitrate(640400), '640 kbit/s');
    assert.equal(clock(3723.9), '1:02:03');
    assert.equal(clock(-1), '0:00');
});

test('words: every status and end has some, and no token is repeated', () => {
    for (const status of [400, 401, 403, 404, 409, 413, 415, 422, 429, 503, 500]) {
        const { title, text } = refusal(status, 'demo', { detail: 'Said so' }, 5);
        assert.ok(title.length > 10 && text.length > 10, `${status}`);
    }
    assert.match(refusal(429, 'demo', null, 5).text, /5 s/);
    assert.match(refusal(401, 'demo', null, 0).title, /token/);
    assert.equal(ended({ end: 'crashed', detail: 'x' }).retry, true);
    assert.equal(ended({ end: 'not-started' }).retry, true);
    assert.equal(ended({ end: 'revoked' }).retry, false);
    assert.equal(ended(null).end, 'unknown');
    assert.match(deviceTrouble({ name: 'NotAllowedError' }, 'camera').title, /not allowed/);
    assert.match(deviceTrouble({ name: 'Odd', message: 'why' }, 'camera').text, /why/);
});

test('words: a path that did not form names addresses and ports', () => {
    const sdp =
        'v=0\r\na=candidate:1 1 UDP 2130706431 192.0.2.7 8443 typ host\r\n' +
        'a=candidate:2 1 udp 2130706175 2001:db8::7 8443 typ host\r\na=end-of-candidates\r\n';
    const { text } = noPath(candidatesOf(sdp));
    assert.match(text, /192\.0\.2\.7 UDP port 8443, \[2001:db8::7\] UDP port 8443/);
    assert.match(noPath([]).text, /named none/);
});

test('WHIP-49 links: one server each, whatever stands in the quotes', () => {
    const credential = 'username="17:a, <b>; c"; credential="x\\"y=="; credential-type="password"';
    const link =
        '<stun:stun.example:3478>; rel="ice-server", ' +
        `<turn:turn.example?transport=udp>; rel="ice-server"; ${credential}, ` +
        '<turns:no-credential.example>; rel="ice-server", ' +
        '<https://elsewhere.example/>; rel="ice-server", ' +
        '<urn:x>; rel="urn:ietf:params:whip:ext:example"';
    assert.deepEqual(iceServersOf(link), [
        { urls: 'stun:stun.example:3478' },
        {
            urls: 'turn:turn.example?transport=udp',
            username: '17:a, <b>; c',
            credential: 'x"y==',
        },
    ]);
    assert.deepEqual(iceServersOf(''), []);
    assert.deepEqual(iceServersOf('<<<";rel="ice-server'), []);
});

const lines = (...all) => all.map((line) => `${line}\r\n`).join('');

const OFFER = lines(
    'v=0', 'o=- 1 2 IN IP4 127.0.0.1', 's=-', 't=0 0', 'a=group:BUNDLE 0 1', 'a=ice-options:trickle',
    'm=video 9 UDP/TLS/RTP/SAVPF 96', 'a=ice-ufrag:new1', 'a=ice-pwd:newnewnewnewnewnewnewn', 'a=mid:0',
    'a=fingerprint:sha-256 AA', 'a=candidate:1 1 udp 1 192.0.2.1 9 typ host',
    'm=audio 9 UDP/TLS/RTP/SAVPF 111', 'a=ice-ufrag:new1', 'a=ice-pwd:newnewnewnewnewnewnewn', 'a=mid:1',
);
const ANSWER = lines(
    'v=0', 'o=- 3 4 IN IP4 127.0.0.1', 's=-', 't=0 0', 'a=group:BUNDLE 0 1', 'a=ice-lite',
    'm=video 9 UDP/TLS/RTP/SAVPF 96', 'a=ice-ufrag:old1', 'a=ice-pwd:oldoldoldoldoldoldoldo', 'a=mid:0',
    'a=candidate:1 1 udp 1 192.0.2.7 8443 typ host', 'a=end-of-candidates', 'a=setup:passive',
    'm=audio 9 UDP/TLS/RTP/SAVPF 111', 'a=mid:1', 'a=recvonly',
);
const REPLY = lines(
    'a=ice-lite', 'm=video 9 UDP/TLS/RTP/SAVPF 96', 'a=mid:0', 'a=ice-ufrag:next', 'a=ice-pwd:nextnextnextnextnextne',
    'a=candidate:9 1 udp 1 192.0.2.8 8443 typ host', 'a=end-of-candidates',
);

test('WHIP-58 WHIP-65 a restart says the new name and password, of the first section', () => {
    assert.equal(
        fragmentOf(OFFER),
        lines(
            'a=group:BUNDLE 0 1', 'a=ice-options:trickle', 'm=video 9 UDP/TLS/RTP/SAVPF 96',
            'a=ice-ufrag:new1', 'a=ice-pwd:newnewnewnewnewnewnewn', 'a=mid:0',
            'a=candidate:1 1 udp 1 192.0.2.1 9 typ host',
        ),
    );
});

test('WHIP-63 a restarted answer has the new candidates only, all else as before', () => {
    const expected = ANSWER.replace('old1', 'next')
        .replace('oldoldoldoldoldoldoldo', 'nextnextnextnextnextne')
        .replace('a=candidate:1 1 udp 1 192.0.2.7 8443 typ host\r\na=end-of-candidates\r\n', '')
        .replace(
            'a=setup:passive\r\n',
            'a=setup:passive\r\na=candidate:9 1 udp 1 192.0.2.8 8443 typ host\r\na=end-of-candidates\r\n',
        );
    assert.equal(restartedAnswer(ANSWER, REPLY), expected);
    const sound = ANSWER.split('m=audio')[0]; // one section only
    assert.equal(restartedAnswer(sound, REPLY), expected.split('m=audio')[0]);
    assert.equal(restartedAnswer(ANSWER, 'a=ice-ufrag:next\r\n'), null);
});

/** A browser's connection as far as Sender sees it, and a gateway that answers by script. */
class Connection {
    constructor(configuration) {
        Object.assign(this, { configuration, iceConnectionState: 'new', done: [] });
        this.transport = { state: 'new' };
    }
    getSenders = () => [{ transport: this.transport }];
    getTransceivers = () => [];
    getStats = async () => new Map();
    addTransceiver = () => ({});
    setConfiguration = (configuration) => (this.configuration = configuration);
    createOffer = async ({ iceRestart }) => ({ type: 'offer', sdp: OFFER, iceRestart });
    close = () => this.done.push('close');
    async setLocalDescription(description) {
        this.done.push(description?.type === 'rollback' ? 'rollback' : 'offer');
        this.localDescription = { sdp: OFFER };
    }
    async setRemoteDescription({ sdp }) {
        this.done.push('answer');
        this.remote = sdp;
    }
    enter(state) {
        this.iceConnectionState = state;
        this.oniceconnectionstatechange();
    }
}

/** A Sender whose offer was answered; patch(request) is the gateway's answer to PATCH. */
async function answered(t, patch) {
    const asked = [];
    const clock = { ms: 0 };
    t.mock.timers.enable({ apis: ['setTimeout', 'setInterval'] });
    t.mock.method(performance, 'now', () => clock.ms);
    const pass = (ms) => {
        clock.ms += ms;
        t.mock.timers.tick(ms);
    };
    const globals = { RTCPeerConnection: Connection, fetch: undefined };
    globals.fetch = async (url, options = {}) => {
        const method = options.method ?? 'GET';
        asked.push({ method, url: String(url), ...options });
        if (method === 'POST') {
            const headers = {
                Location: '/whip/session/1',
                Link: '<turn:t.example>; rel="ice-server"; username="u"; credential="c"',
            };
            return Object.defineProperty(new Response(ANSWER, { status: 201, headers }), 'url', {
                value: 'http://gateway.example/whip/demo',
            });
        }
        if (method === 'PATCH') {
            return patch(options);
        }
        const of = String(url).includes('/whip/') ? 200 : 404;
        return new Response(method === 'GET' && of === 404 ? 'nothing' : null, { status: of });
    };
    const before = Object.fromEntries(Object.keys(globals).map((name) => [name, globalThis[name]]));
    Object.assign(globalThis, globals);
    t.after(() => Object.assign(globalThis, before));
    const ends = [];
    const notices = [];
    const sender = new Sender({
        stream: 'demo',
        token: 'secret',
        codec: '',
        maxBitrate: 1,
        onStep() {},
        onEnd: (reason) => ends.push(reason),
        onNotice: (text) => notices.push(text),
    });
    sender.start({ getTracks: () => [] }).catch((error) => ends.push(error));
    await turns(() => sender.pc.remote);
    t.after(() => sender.stop());
    return { sender, pc: sender.pc, asked, ends, notices, pass };
}

/** The same on the air. */
async function onAir(t, patch) {
    const all = await answered(t, patch);
    all.pc.transport.state = 'connected';
    all.pc.enter('connected');
    all.pc.transport.onstatechange();
    return all;
}

/** Lets promises run until it is so; timers stand still. */
async function turns(isSo) {
    for (let i = 0; i < 10000; i++) {
        await new Promise((resolve) => setImmediate(resolve));
        if (isSo()) {
            return;
        }
    }
    assert.fail(`never: ${isSo}`);
}

test('WHIP-49 the servers of a 201 go into the connection', async (t) => {
    const { pc } = await onAir(t, () => new Response(null, { status: 500 }));
    assert.deepEqual(pc.configuration, {
        bundlePolicy: 'max-bundle',
        iceServers: [{ urls: 'turn:t.example', username: 'u', credential: 'c' }],
    });
});

test('WHIP-59 a path that stays away is restarted by PATCH within its session', async (t) => {
    const taken = () => new Response(REPLY, { status: 200, headers: { ETag: '"2"' } });
    const { sender, pc, asked, ends, notices, pass } = await onAir(t, taken);
    const patches = () => asked.filter(({ method }) => method === 'PATCH');
    pc.enter('disconnected');
    pass(1999);
    pc.enter('connected'); // it came back by itself
    pass(5000);
    assert.equal(patches().length, 0);
    pc.enter('disconnected');
    pass(2000);
    await turns(() => sender.restarts === 1);
    const [{ url, headers, body }] = patches();
    assert.equal(url, 'http://gateway.example/whip/session/1');
    assert.equal(headers['If-Match'], '*');
    assert.equal(headers['Content-Type'], 'application/trickle-ice-sdpfrag');
    assert.equal(headers.Authorization, 'Bearer secret');
    assert.equal(body, fragmentOf(OFFER));
    assert.equal(pc.remote, restartedAnswer(ANSWER, REPLY));
    pc.enter('connected');
    assert.equal(notices.at(-1), '');
    assert.match(notices.at(-2), /another way/);
    assert.deepEqual(ends, []);
    assert.equal(asked.filter(({ method }) => method === 'POST').length, 1);
});

test('WHIP-62 a refused restart is rolled back, and then the session is given up', async (t) => {
    const { pc, ends } = await onAir(t, () => new Response(null, { status: 422 }));
    pc.enter('failed');
    await turns(() => ends.length > 0);
    assert.ok(pc.done.includes('rollback'));
    assert.equal(ends[0].end, 'path');
    assert.equal(ends[0].retry, true); // the page posts anew
});

test('a restarted path that does not come up is given up', async (t) => {
    for (const state of ['failed', 'checking']) {
        await t.test(state, async (tt) => {
            const taken = () => new Response(REPLY, { status: 200 });
            const { sender, pc, ends, pass } = await onAir(tt, taken);
            pc.enter('failed');
            await turns(() => sender.restarts === 1);
            pc.iceConnectionState = 'checking';
            for (let i = 0; i < 5; i++) {
                await turns(() => true);
                pass(100);
            }
            assert.deepEqual(ends, []);
            pc.iceConnectionState = state; // 'checking': until the time is over
            await turns(() => (pass(100), ends.length > 0));
            assert.equal(ends[0].end, 'path');
        });
    }
});

test('WHIP-49 a first path that does not form is tried again with the relays', async (t) => {
    const taken = () => new Response(REPLY, { status: 200 });
    const { sender, pc, asked, ends, pass } = await answered(t, taken);
    const patches = () => asked.filter(({ method }) => method === 'PATCH').length;
    pc.enter('checking');
    for (let i = 0; i < 28; i++) {
        await turns(() => true);
        pass(100);
    }
    assert.equal(patches(), 0);
    await turns(() => (pass(100), sender.restarts === 1));
    assert.equal(patches(), 1);
    await turns(() => (pass(100), ends.length > 0)); // nor does that one: once is enough
    assert.equal(patches(), 1);
    assert.equal(ends[0].step, 'path');
    assert.match(ends[0].text, /192\.0\.2\.7 UDP port 8443/);
});
