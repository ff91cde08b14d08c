// POSTs that cost: without a right (W1 of threats.md), with a right and no media (W2), downgrades (W7),
// and offers that name a victim (W8). BAD_POSTS (default 1000), HALF_OPEN_POSTS (400) and CANDIDATES
// (200) scale it; the pass marks are for 10,000, 3,000 and 1,000.

import assert from 'node:assert/strict';
import dgram from 'node:dgram';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';

import { until } from './gateway.mjs';
import { besiege, census, childrenUs, cpuUs, inParallel, recovers, rss, standing, troubles } from './posts.mjs';

const BAD_POSTS = Number(process.env.BAD_POSTS ?? 1000);
const HALF_OPEN_POSTS = Number(process.env.HALF_OPEN_POSTS ?? 400);
const CANDIDATES = Number(process.env.CANDIDATES ?? 200);
const BAD_POST_US = 100; // of each process
const HALF_OPEN_BYTES = 40 << 20;
const HALF_OPEN_MS = 12000;
const PER_ADDRESS = 8; // INTAKE_PER_ADDRESS
const PENDING = 64; // max_pending
const VICTIM = '127.0.0.9';

let siege;
let gateway;
let posts;
let offer;
before(async () => {
    siege = await besiege('obs.sdp');
    ({ gateway, posts, offer } = siege);
});
after(() => siege?.stop());

const sourceOf = (i) => `127.0.${1 + Math.floor(i / 250)}.${2 + (i % 250)}`;

test(`W1 WHIP-21 ${BAD_POSTS} POSTs without a right`, { timeout: 120000 }, async (t) => {
    const before = await census(gateway);
    const roles = await standing(gateway);
    // a good token first: all that is made once is there
    const { token } = await gateway.token('*');
    assert.equal((await posts.post('warm', { token: 'x'.repeat(43), body: offer })).status, 401);
    const cpu = {};
    for (const [role, pid] of Object.entries(roles)) {
        cpu[role] = await cpuUs(pid);
    }
    const children = await childrenUs(gateway.process.pid);
    const marker = 's=never read by anybody\r\n';
    const statuses = new Map();
    await inParallel(BAD_POSTS, 8, async (i) => {
        const wrong = i % 4 === 0 ? undefined : `${i}`.padStart(43, 'w');
        const body = i % 2 === 0 ? offer.replace(/s=.*\r\n/, marker) : 'not SDP at all';
        const answer = await posts.post(`bad-${i}`, { token: wrong, body, from: sourceOf(i % 200) });
        statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
        assert.ok(answer.status === 401 || answer.status === 429, `${i}: ${answer.status} ${answer.text}`);
        if (answer.status === 401) {
            assert.match(answer.headers['www-authenticate'], /^Bearer/);
        }
    });
    const each = {};
    for (const [role, pid] of Object.entries(roles)) {
        each[role] = ((await cpuUs(pid)) - cpu[role]) / BAD_POSTS;
    }
    t.diagnostic(
        `${[...statuses].map(([s, n]) => `${s}: ${n}`).join(', ')}; us of CPU each: ` +
            Object.entries(each).map(([role, us]) => `${role} ${us.toFixed(1)}`).join(', '),
    );
    assert.equal(await census(gateway), before);
    assert.equal(await childrenUs(gateway.process.pid), children, 'a process was started and ended');
    assert.deepEqual(gateway.lines.filter((l) => /ingest (refused|bound)|never read/.test(l)), []);
    for (const [role, us] of Object.entries(each)) {
        assert.ok(us <= BAD_POST_US, `${role}: ${us} us`);
    }
    // and who has a right comes in, from one of the same addresses
    const good = await posts.post('good', { token, body: offer, from: sourceOf(7) });
    assert.equal(good.status, 201, good.text);
    assert.equal((await posts.send('DELETE', good.headers.location, { token })).status, 200);
    await recovers(gateway, before);
});

/** Proportional bytes of all workers for publishers; 0 where the kernel does not let us look. */
async function workersBytes() {
    const { processes } = await gateway.ctl('status').catch(() => ({ processes: [] }));
    let sum = 0;
    for (const { name, role, pid } of processes) {
        if ((name ?? role) === 'ingest') {
            const text = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8').catch(() => '');
            sum += Number(/^Pss:\s+(\d+)/m.exec(text)?.[1] ?? 0) * 1024;
        }
    }
    return sum;
}

/** Streams that have no keys yet, as the gateway counts them. */
async function halfOpen() {
    const { streams } = await gateway.ctl('stream', 'list');
    return streams.length;
}

test(`W2 WHIP-28 WHIP-29 WHIP-70 ${HALF_OPEN_POSTS} POSTs with a right and no media`, { timeout: 180000 },
    async (t) => {
        const before = await census(gateway);
        const roles = await standing(gateway);
        const memory = {};
        for (const [role, pid] of Object.entries(roles)) {
            memory[role] = await rss(pid);
        }
        const { token } = await gateway.token('*');
        const statuses = new Map();
        const taken = new Map(); // by address
        let most = 0;
        await inParallel(HALF_OPEN_POSTS, 12, async (i) => {
            // one greedy address, then many
            const from = i < HALF_OPEN_POSTS / 4 ? sourceOf(0) : sourceOf(1 + (i % 40));
            const answer = await posts.post(`half-${i}`, { token, body: offer, from });
            statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
            if (answer.status === 201) {
                taken.set(from, (taken.get(from) ?? 0) + 1);
                most = Math.max(most, await halfOpen());
            } else {
                assert.ok([429, 503].includes(answer.status), `${i}: ${answer.status} ${answer.text}`);
                assert.ok(Number(answer.headers['retry-after']) >= 1);
            }
        });
        const flooded = Date.now();
        const workers = await workersBytes();
        const grown = {};
        for (const [role, pid] of Object.entries(roles)) {
            grown[role] = (await rss(pid)) - memory[role];
        }
        await until('no half-open stream', async () => (await halfOpen()) === 0, HALF_OPEN_MS);
        const gone = Date.now() - flooded;
        await recovers(gateway, before);
        t.diagnostic(
            `${[...statuses].map(([s, n]) => `${s}: ${n}`).join(', ')}; at most ${most} at once, ` +
                `${Math.max(...taken.values())} of one address; gone ${gone} ms after the last POST; workers ` +
                `${workers >> 20} MiB; KiB grown: ` +
                Object.entries(grown).map(([role, n]) => `${role} ${n >> 10}`).join(', '),
        );
        assert.ok(taken.get(sourceOf(0)) <= PER_ADDRESS, `${taken.get(sourceOf(0))} of one address`);
        assert.ok(statuses.get(429) > 0 && statuses.get(201) >= PER_ADDRESS);
        assert.ok(most <= PENDING);
        const sum = Object.values(grown).reduce((a, b) => a + b, 0);
        assert.ok(sum <= HALF_OPEN_BYTES, `${sum >> 20} MiB`);
        assert.deepEqual(troubles(gateway), []);
    });

const fingerprint = /a=fingerprint:.*\r\n/g;
const crypto = 'a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz\r\n';
const DOWNGRADES = [
    ['RTP/AVP', 422, (o) => o.replaceAll('UDP/TLS/RTP/SAVPF', 'RTP/AVP')],
    ['RTP/AVPF', 422, (o) => o.replaceAll('UDP/TLS/RTP/SAVPF', 'RTP/AVPF')],
    ['RTP/SAVPF', 422, (o) => o.replaceAll('UDP/TLS/RTP/SAVPF', 'RTP/SAVPF')],
    ['a=crypto', 422, (o) => o.replace(/a=mid:.*\r\n/, (mid) => mid + crypto)],
    ['a=crypto instead of a fingerprint', 400, (o) => o.replaceAll(fingerprint, crypto)],
    ['only SHA-1', 422, (o) => o.replaceAll(fingerprint, `a=fingerprint:sha-1 ${'AB:'.repeat(19)}AB\r\n`)],
    ['only MD5', 422, (o) => o.replaceAll(fingerprint, `a=fingerprint:md5 ${'AB:'.repeat(15)}AB\r\n`)],
    ['no fingerprint', 400, (o) => o.replaceAll(fingerprint, '')],
    ['no ICE password', 400, (o) => o.replaceAll(/a=ice-pwd:.*\r\n/g, '')],
    ['no ICE name', 400, (o) => o.replaceAll(/a=ice-ufrag:.*\r\n/g, '')],
];

for (const [what, status, change] of DOWNGRADES) {
    test(`W7 WHIP-20 WHIP-26 SEC-02 SEC-09 ${what} is ${status}`, { timeout: 30000 }, async () => {
        const { token } = await gateway.token('*');
        const body = change(offer);
        assert.notEqual(body, offer);
        const answer = await posts.post('weak', { token, body });
        assert.equal(answer.status, status, answer.text);
    });
}

/** A socket on the victim's address: how many datagrams came. */
async function victim() {
    const socket = dgram.createSocket('udp4');
    let count = 0;
    socket.on('message', () => {
        count++;
    });
    await new Promise((resolve) => socket.bind(0, VICTIM, resolve));
    return { port: socket.address().port, count: () => count, close: () => socket.close(), socket };
}

const candidatesFor = (port, first, count) =>
    Array.from({ length: count }, (_, i) =>
        `a=candidate:${first + i} 1 udp ${2130706431 - first - i} ${VICTIM} ${port} typ host\r\n`).join('');

test(`W8 ICE-12 ${CANDIDATES} candidates that name another address`, { timeout: 60000 }, async (t) => {
    const { token } = await gateway.token('*');
    const target = await victim();
    try {
        // as many as an offer may have, in as many offers and fragments as it takes
        const each = 100;
        let patched = 0;
        for (let first = 1; first <= CANDIDATES; first += each) {
            const lines = candidatesFor(target.port, first, each);
            const body = offer.replace(/a=mid:.*\r\n/, (mid) => mid + lines);
            const from = sourceOf(Math.floor(first / each));
            const answer = await posts.post(`weapon-${first}`, { token, body, from });
            assert.equal(answer.status, 201, answer.text);
            const { location, etag } = answer.headers;
            const fragment =
                offer.match(/a=ice-ufrag:.*\r\n/)[0] + offer.match(/a=ice-pwd:.*\r\n/)[0] +
                `m=audio 9 UDP/TLS/RTP/SAVPF 0\r\n${offer.match(/a=mid:.*\r\n/)[0]}${lines}a=end-of-candidates\r\n`;
            const patch = await posts.send('PATCH', location, {
                token, body: fragment, type: 'application/trickle-ice-sdpfrag', headers: { 'If-Match': etag },
            });
            patched += patch.status === 204 ? 1 : 0;
            assert.equal(patch.status, 204, patch.text);
        }
        const streams = async () => (await gateway.ctl('stream', 'list')).streams.length;
        await until('the end of every session', async () => (await streams()) === 0, 30000);
        assert.equal(target.count(), 0);
        // the counter counts
        const probe = dgram.createSocket('udp4');
        probe.send('x', target.port, VICTIM);
        await until('the probe', () => target.count() === 1);
        probe.close();
        t.diagnostic(`${CANDIDATES} candidates in offers, as many in ${patched} fragments: 0 packets`);
    } finally {
        target.close();
    }
});
