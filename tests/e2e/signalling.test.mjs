// What a publisher's software sees of a real gateway over HTTP: rules of protocols.md 1 and mistakes of
// other servers (5) that need the whole way from web to ingest and back.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';

import { Gateway, until } from './gateway.mjs';
import { mediaUris, mediaPlaylists } from './hls.mjs';
import { Posts } from './posts.mjs';
import { Publisher } from './publisher.mjs';

const FRAGMENT_TYPE = 'application/trickle-ice-sdpfrag';
const ANSWER_MS = 2000;
const ON_AIR_MS = 4000 + 3000; // M4, and the pause of its successor's first part on a busy machine

let gateway;
let posts;
let offer;
let token;
before(async () => {
    gateway = await Gateway.start({ limits: { rejoin_window_s: 0, ended_linger_s: 1 } });
    posts = new Posts(gateway);
    offer = await readFile('tests/fixtures/offers/obs.sdp', 'latin1');
    ({ token } = await gateway.token('*'));
});
after(async () => {
    posts?.close();
    await gateway?.stop();
});

const line = (name) => offer.match(new RegExp(`a=${name}:.*\\r\\n`))[0];
const fragment = () =>
    `${line('ice-ufrag')}${line('ice-pwd')}m=audio 9 UDP/TLS/RTP/SAVPF 0\r\n${line('mid')}` +
    'a=candidate:1 1 udp 2113937151 127.0.0.1 9 typ host\r\na=end-of-candidates\r\n';

/** Publishes without media, lets work() do what it wants, and deletes. */
async function published(stream, work) {
    const answer = await posts.post(stream, { token, body: offer });
    assert.equal(answer.status, 201, answer.text);
    try {
        await work(answer, (method, options) =>
            posts.send(method, answer.headers.location, { token, type: FRAGMENT_TYPE, ...options }));
    } finally {
        assert.equal((await posts.send('DELETE', answer.headers.location, { token })).status, 200);
    }
}

test('WHIP-13 more publishers than warm workers are all answered within 2 s', async (t) => {
    const began = performance.now();
    const times = await Promise.all(Array.from({ length: 6 }, async (_, i) => {
        const answer = await posts.post(`many-${i}`, { token, body: offer });
        const ms = performance.now() - began;
        assert.equal(answer.status, 201, answer.text);
        await posts.send('DELETE', answer.headers.location, { token });
        return ms;
    }));
    t.diagnostic(`201 after ${times.map((ms) => ms.toFixed(0)).join(' ')} ms`);
    assert.ok(Math.max(...times) <= ANSWER_MS);
});

test('WHIP-27 BUG-34 no common codec is 422, never 406', async () => {
    const body = offer.replaceAll(/a=rtpmap:(\d+) H264/g, 'a=rtpmap:$1 none');
    assert.notEqual(body, offer);
    const answer = await posts.post('codecless', { token, body, headers: { Accept: 'text/html' } });
    assert.equal(answer.status, 422, answer.text);
});

test('WHIP-37 a token in the query is none, and no log line has a token or a password', () =>
    published('quiet', async (answer) => {
        const query = await posts.send('POST', `/whip/query?token=${token}&access_token=${token}`, { body: offer });
        assert.equal(query.status, 401);
        const wrong = 'w'.repeat(43);
        assert.equal((await posts.post('query', { token: wrong, body: offer })).status, 401);
        const pwd = /a=ice-pwd:(\S+)/.exec(answer.text)[1];
        for (const secret of [token, wrong, pwd, line('ice-pwd').slice(10).trim()]) {
            assert.equal(gateway.lines.filter((l) => l.includes(secret)).length, 0);
        }
    }));

test('WHIP-45 WHIP-46 BUG-01 each session has an unguessable URL without query', async () => {
    const seen = new Set();
    for (let i = 0; i < 8; i++) {
        await published('guess', async ({ headers }) => {
            const [, id] = /^\/whip\/session\/([A-Za-z0-9_-]{22,})$/.exec(headers.location) ?? [];
            assert.ok(id, headers.location);
            assert.doesNotMatch(id, /guess/);
            seen.add(id);
        });
    }
    assert.equal(seen.size, 8);
    for (let at = 0; at < 20; at++) { // no counter, no fixed character
        assert.ok(new Set([...seen].map((id) => id[at])).size > 2, [...seen].join(' '));
    }
});

test('BUG-02 WHIP-08 scripts may read what they need to stop a session', () =>
    published('exposed', async ({ headers }) => {
        const exposed = headers['access-control-expose-headers'].toLowerCase().split(/,\s*/);
        for (const name of ['location', 'etag', 'link', 'retry-after', 'www-authenticate']) {
            assert.ok(exposed.includes(name), name);
        }
    }));

test('BUG-03 WHIP-04 GET is answered on both kinds of URL', () =>
    published('got', async (_, send) => {
        const { status, text } = await posts.send('GET', '/whip/got');
        assert.ok(status >= 200 && status < 300);
        assert.equal(text, '');
        const session = await send('GET');
        assert.ok(session.status >= 200 && session.status < 300);
        assert.equal(session.text, '');
    }));

test('WHIP-51 no extension is announced that we do not have', () =>
    published('plain', async ({ headers }) => {
        assert.doesNotMatch(headers.link ?? '', /urn:ietf:params:whip:ext/);
    }));

test('WHIP-55 WHIP-57 WHIP-60 WHIP-66 trickle by tag and by asterisk: 204 without body', () =>
    published('trickle', async ({ headers, text }, send) => {
        assert.match(text, /a=candidate:/);
        assert.match(text, /a=end-of-candidates/);
        for (const tag of [headers.etag, '*']) {
            const answer = await send('PATCH', { body: fragment(), headers: { 'If-Match': tag } });
            assert.equal(answer.status, 204, answer.text);
            assert.equal(answer.text, '');
            assert.equal(answer.headers.etag, undefined);
        }
    }));

test('BUG-23 WHIP-25 the type of a fragment is known in any case, with parameters; others are 415', () =>
    published('typed', async ({ headers }, send) => {
        const how = { body: fragment(), headers: { 'If-Match': headers.etag } };
        const type = 'Application/Trickle-ICE-SDPfrag; charset=utf-8';
        assert.equal((await send('PATCH', { ...how, type })).status, 204);
        const other = await send('PATCH', { ...how, type: 'application/json' });
        assert.equal(other.status, 415);
        assert.match(other.headers['accept-patch'], new RegExp(FRAGMENT_TYPE));
    }));

test('BUG-24 WHIP-24 without If-Match 428, with another tag 412', () =>
    published('tagged', async (_, send) => {
        assert.equal((await send('PATCH', { body: fragment() })).status, 428);
        const other = await send('PATCH', { body: fragment(), headers: { 'If-Match': '"other"' } });
        assert.equal(other.status, 412);
    }));

test('WHIP-68 a session takes no second offer', () =>
    published('again', async ({ headers, text }, send) => {
        const post = await send('POST', { body: offer, type: 'application/sdp' });
        assert.equal(post.status, 405);
        const how = { type: 'application/sdp', headers: { 'If-Match': headers.etag } };
        assert.equal((await send('PATCH', { ...how, body: offer })).status, 415);
        assert.equal((await send('PATCH', { ...how, body: text })).status, 415);
    }));

test('COD-10 sound comes out as AAC whatever came in', { timeout: 60000 }, async () => {
    const publisher = new Publisher(gateway, 'aac', token, []);
    try {
        await publisher.sending();
        const text = await until('a multivariant playlist', async () => {
            const answer = await fetch(gateway.hlsUrl('aac'));
            const body = await answer.text();
            return answer.ok && /CODECS=/.test(body) && body;
        }, 20000);
        assert.match(text, /CODECS="[^"]*mp4a\.40\.2/);
        assert.doesNotMatch(text, /opus/i);
    } finally {
        await publisher.stop();
    }
});

test('M4 a transcode that hangs is replaced, and the stream is on air again', { timeout: 60000 }, async (t) => {
    const publisher = new Publisher(gateway, 'hang', token, []);
    try {
        await publisher.sending();
        const [url] = await until('playlists', async () => {
            const urls = await mediaPlaylists(gateway.hlsUrl('hang'));
            return urls.length > 0 && urls;
        }, 20000);
        await until('parts', async () => (await mediaUris(url)).length > 3, 20000);
        const [pid] = await gateway.pids('transcode', 'hang');
        process.kill(pid, 'SIGSTOP');
        const began = Date.now();
        const parts = new Set(await mediaUris(url)); // what was on its way
        await until('another transcode', async () => {
            const [now] = await gateway.pids('transcode', 'hang').catch(() => []);
            return now && now !== pid;
        }, 15000);
        for (const part of await mediaUris(url)) {
            parts.add(part);
        }
        await until('a new part', async () => (await mediaUris(url)).some((part) => !parts.has(part)), 15000);
        const ms = Date.now() - began;
        t.diagnostic(`on air again after ${ms} ms`);
        assert.ok(ms <= ON_AIR_MS);
        assert.ok(gateway.lines.some((l) => /error supervisor hung role=transcode/.test(l)));
        assert.equal(publisher.event('done'), undefined);
    } finally {
        await publisher.stop();
    }
});
