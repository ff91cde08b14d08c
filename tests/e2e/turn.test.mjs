// STUN and TURN servers for publishers: the credentials that come with a 201 open a real coturn, and
// a browser that may use nothing but the relay publishes through it.

import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';

import { iceServersOf } from '../../web/ui/whip.js';
import { launch, reaches } from './browser.mjs';
import { allocate, Coturn } from './coturn.mjs';
import { Gateway, until } from './gateway.mjs';
import { mediaPlaylist } from './stage.mjs';

const SECRET = 'north-of-the-river';
const STUN = 'stun:stun.example.org:3478';
const TTL_S = 600;
const TEST_MS = 60000;

const on = {};

before(async () => {
    on.turn = await Coturn.start(SECRET);
    on.gateway = await Gateway.start({
        sections: {
            ice: { servers: `{"${STUN}", "${on.turn.uri}"}`, turn_secret: `"${SECRET}"`, turn_ttl_s: TTL_S },
        },
    });
    on.offer = await readFile('tests/fixtures/offers/chromium_av.sdp', 'utf8');
});
after(async () => {
    await on.gateway?.stop();
    await on.turn?.stop();
});

/** The ICE servers that a 201 names; the session is deleted again. */
async function servers(stream, { token, id }) {
    const headers = { Authorization: `Bearer ${token}`, 'Content-Type': 'application/sdp' };
    const url = `${on.gateway.base}/whip/${stream}`;
    const answer = await fetch(url, { method: 'POST', headers, body: on.offer });
    assert.equal(answer.status, 201, await answer.text());
    await fetch(new URL(answer.headers.get('location'), url), { method: 'DELETE', headers });
    return { list: iceServersOf(answer.headers.get('link')), id };
}

test('WHIP-49 WHIP-50 the credentials of a 201 open the TURN server', { timeout: TEST_MS }, async (t) => {
    const { list, id } = await servers('plain', await on.gateway.token('plain'));
    assert.deepEqual(list[0], { urls: STUN });
    const { urls, username, credential } = list[1];
    assert.equal(urls, on.turn.uri);
    const [expiry, who] = username.split(':');
    assert.equal(who, id);
    const life = Number(expiry) - Date.now() / 1000;
    assert.ok(life > 0 && life <= TTL_S, `life ${life} s`);
    const answer = await allocate(on.turn.port, username, credential);
    t.diagnostic(`coturn: code ${answer.code}, relayed ${answer.relayed}`);
    assert.deepEqual(answer, { code: 0, relayed: true });
});

test('WHIP-50 nothing else opens the TURN server', { timeout: TEST_MS }, async () => {
    const { list } = await servers('locked', await on.gateway.token('locked'));
    const { username, credential } = list[1];
    const wrong = `${credential[0] === 'A' ? 'B' : 'A'}${credential.slice(1)}`;
    const later = username.replace(/^\d+/, (expiry) => Number(expiry) + 3600);
    const past = `${Math.floor(Date.now() / 1000) - 1}:t_0123456789`;
    const sign = (name, secret) => createHmac('sha1', secret).update(name).digest('base64');
    for (const [name, password] of [
        [username, wrong],
        [later, credential],
        [past, sign(past, SECRET)],
        [username, sign(username, 'another secret')],
    ]) {
        assert.deepEqual(await allocate(on.turn.port, name, password), { code: 401, relayed: false });
    }
});

test('WHIP-50 credentials come after authentication only', { timeout: TEST_MS }, async () => {
    const url = `${on.gateway.base}/whip/closed`;
    const { token } = await on.gateway.token('other');
    for (const [method, headers, status] of [
        ['POST', { 'Content-Type': 'application/sdp' }, 401],
        ['POST', { 'Content-Type': 'application/sdp', Authorization: 'Bearer wrong' }, 401],
        ['POST', { 'Content-Type': 'application/sdp', Authorization: `Bearer ${token}` }, 403],
    ]) {
        const answer = await fetch(url, { method, headers, body: on.offer });
        assert.equal(answer.status, status);
        assert.doesNotMatch(answer.headers.get('link') ?? '', /turn|credential/);
    }
    const preflight = await fetch(url, { method: 'OPTIONS' });
    assert.doesNotMatch(preflight.headers.get('link') ?? '', /credential/);
});

test('a browser that may use nothing but the relay publishes through it', { timeout: TEST_MS }, async (t) => {
    const made = await on.gateway.token('relayed');
    const { list } = await servers('relayed', made);
    const browser = await launch();
    try {
        const page = await browser.newPage();
        await page.addInitScript((relay) => {
            const only = (config) => ({ ...config, iceServers: [relay], iceTransportPolicy: 'relay' });
            const Plain = window.RTCPeerConnection;
            window.RTCPeerConnection = class extends Plain {
                constructor(config) {
                    super(only(config));
                    window.connection = this;
                }

                setConfiguration(config) {
                    super.setConfiguration(only(config));
                }
            };
        }, list[1]);
        await page.goto(on.gateway.publishUrl('relayed', made.token, '?source=test'));
        await page.getByRole('button', { name: 'Go live' }).click();
        await reaches(page, 'live', 20000);
        const kinds = await page.evaluate(async () => {
            const stats = [...(await window.connection.getStats()).values()];
            const pair = stats.find((s) => s.type === 'candidate-pair' && s.nominated);
            return stats.find((s) => s.id === pair.localCandidateId).candidateType;
        });
        assert.equal(kinds, 'relay');
        await until('it plays', async () =>
            (await mediaPlaylist(on.gateway, 'relayed')).text.includes('#EXTINF:'), 20000);
        t.diagnostic(`playlist: ${(await mediaPlaylist(on.gateway, 'relayed')).last}`);
    } finally {
        await browser.close();
    }
});
