// Strangers at the media port while publishers come and go: U1, U2, U3, U4, U13, U18 of threats.md.
// STORM_SECONDS (default 3), STORM_SETUPS (40) and STORM_PPS (20000, U13: five times as many) scale
// it; the pass marks are for STORM_SECONDS=10 STORM_SETUPS=1000.

import assert from 'node:assert/strict';
import dgram from 'node:dgram';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';

import { Gateway, until } from './gateway.mjs';
import { Publisher } from './publisher.mjs';
import { EVERYTHING, storm as strangers } from './storms.mjs';

const SECONDS = Number(process.env.STORM_SECONDS ?? 3);
const SETUPS = Number(process.env.STORM_SETUPS ?? 40);
const PPS = Number(process.env.STORM_PPS ?? 20000);
const BATCH = 8; // set-ups at once

let gateway;
before(async () => {
    gateway = await Gateway.start({ limits: { rejoin_window_s: 0, ended_linger_s: 1 } });
});
after(async () => {
    await gateway?.stop();
});

const storm = (...words) => strangers(gateway, ...words);

/** CPU microseconds that a process has used. */
async function cpuUs(pid) {
    const [ns] = (await readFile(`/proc/${pid}/schedstat`, 'utf8')).split(' ');
    return Number(ns) / 1000;
}

/** Sums of edge's counter lines since a time. */
function counters(at) {
    const sums = {};
    for (const line of gateway.linesSince(at)) {
        if (/ edge datagrams /.test(line)) {
            for (const [, name, value] of line.matchAll(/(\w+)=(\d+)/g)) {
                sums[name] = (sums[name] ?? 0) + Number(value);
            }
        }
    }
    return sums;
}

/** Waits until edge has counted all that came: until a line tells of nothing but a poke. */
async function settle() {
    const socket = dgram.createSocket('udp4');
    try {
        let line = '';
        for (let pokes = 0; !/ received=1 /.test(line); pokes++) {
            assert.ok(pokes < 10, line);
            const at = Date.now();
            socket.send('poke', gateway.media, '127.0.0.1');
            const counted = () => gateway.linesSince(at).find((l) => / edge datagrams /.test(l));
            line = await until('edge counts', counted);
        }
    } finally {
        socket.close();
    }
}

async function livePublisher(stream, options = []) {
    const { token } = await gateway.token(stream);
    const publisher = new Publisher(gateway, stream, token, options);
    await publisher.sending();
    await settle(); // its own path is counted by then
    return publisher;
}

/**
 * Set-ups in batches: how many of them got their media through, and the rest. A gateway that is too
 * busy for another worker says 503 before anything begins; such a publisher comes again.
 */
async function setUps(name, count, options = []) {
    const { token } = await gateway.token('*');
    const begun = [];
    let busy = 0;
    for (let batch = 0; begun.length < count && busy < count; batch++) {
        const streams = Math.min(BATCH, count - begun.length);
        const words = ['--streams', String(streams), '--seconds', '1', ...options];
        const publisher = new Publisher(gateway, `${name}-${batch}`, token, words);
        await publisher.exited;
        const done = publisher.events.filter((event) => event.event === 'done');
        begun.push(...done.filter((event) => event.post_status !== 503));
        busy += done.filter((event) => event.post_status === 503).length;
    }
    const failed = begun.filter((event) => !event.ok);
    const times = begun.map((event) => event.dtls_ms).sort((a, b) => a - b);
    return { complete: begun.length - failed.length, failed, times, busy };
}

const timesOf = ({ times, busy }) =>
    `handshake ms median ${times[times.length >> 1].toFixed(1)} max ${times.at(-1).toFixed(1)}, ` +
    `${busy} came again after 503`;

test('U1 no byte goes back to anybody who has not the right', async (t) => {
    const publisher = await livePublisher('amplify');
    try {
        const { ufrag } = publisher.event('sending');
        const { sent, replies, reply_bytes: bytes } = await storm(
            EVERYTHING, 2000, SECONDS, ['--ufrag', ufrag],
        ).done;
        t.diagnostic(`${sent} datagrams of ${EVERYTHING.split(',').length} kinds: ${bytes} bytes back`);
        assert.ok(sent > 1000);
        assert.equal(replies, 0);
    } finally {
        await publisher.stop();
    }
});

for (const [kinds, what] of [
    ['bare,user,unknown', 'without a password'],
    ['wrong', 'with a wrong password'],
]) {
    test(`U2 ${PPS} checks a second ${what}`, { timeout: 120000 }, async (t) => {
        const publisher = await livePublisher('hijack');
        const { ufrag } = publisher.event('sending');
        const began = Date.now();
        const [pid] = await gateway.pids('edge');
        const before = await cpuUs(pid);
        const { sent, pps, replies } = await storm(kinds, PPS, SECONDS, ['--ufrag', ufrag]).done;
        await settle();
        const used = (await cpuUs(pid)) - before;
        const { received, opened, malformed, forged, unknown } = counters(began);
        const last = await publisher.stop();
        t.diagnostic(
            `sent ${sent} at ${Math.round(pps)}/s, edge read ${received} ` +
                `(malformed ${malformed} forged ${forged} unknown ${unknown}), ` +
                `${(used / received).toFixed(2)} us each; publisher lost ${last.lost} of ${last.packets}`,
        );
        assert.equal(replies, 0);
        assert.equal(opened, 0);
        assert.ok(last.ok);
        assert.equal(last.lost, 0);
        const states = gateway.linesSince(began).filter((l) => / ingest (keyed|path_|ended)/.test(l));
        assert.deepEqual(states.filter((l) => !/reason=deleted/.test(l)), []);
    });
}

test(`U3 ${SETUPS} set-ups while strangers send hellos and alerts`, { timeout: 1200000 }, async (t) => {
    const noise = storm('hello,null,alert,close,finished', 1000, 0, ['--sources', '16']);
    const result = await setUps('race', SETUPS);
    const { sent, replies } = await noise.stop();
    t.diagnostic(`${result.complete} of ${SETUPS} complete, ${timesOf(result)}, ${sent} spoofs`);
    assert.equal(replies, 0);
    assert.equal(result.complete, SETUPS, JSON.stringify(result.failed.slice(0, 3)));
});

test(`U4 ${SETUPS} set-ups with 10 spoofed records each`, { timeout: 1200000 }, async (t) => {
    const result = await setUps('spoof', SETUPS, ['--spoof', '10']);
    t.diagnostic(`${result.complete} of ${SETUPS} complete, ${timesOf(result)}`);
    assert.ok(result.complete >= SETUPS * 0.99, JSON.stringify(result.failed.slice(0, 3)));
});

test(`U13 ${PPS * 5} datagrams a second from others`, { timeout: 120000 }, async (t) => {
    const publisher = await livePublisher('flood');
    const began = Date.now();
    const [pid] = await gateway.pids('edge');
    const before = await cpuUs(pid);
    const flood = storm('rtp,hello,bare,rtcp', PPS * 5, SECONDS, ['--sources', '32']);
    const { sent, pps, replies } = await flood.done;
    await settle();
    const used = (await cpuUs(pid)) - before;
    const { received } = counters(began);
    const last = await publisher.stop();
    t.diagnostic(
        `sent ${sent} at ${Math.round(pps)}/s, edge read ${received}, ` +
            `${(used / received).toFixed(2)} us each; publisher lost ${last.lost} of ${last.packets}`,
    );
    assert.equal(replies, 0);
    assert.ok(last.ok);
    assert.equal(last.lost, 0);
    assert.ok(used / received <= 3 || process.env.STORM_SECONDS === undefined, 'us per datagram');
});

test('U18 every length from 0 to 2,000 bytes', async (t) => {
    const publisher = await livePublisher('lengths');
    const began = Date.now();
    const { sent, replies } = await storm('lengths', 2000, SECONDS).done;
    await settle();
    const { received, odd, strange, malformed, opened } = counters(began);
    const last = await publisher.stop();
    t.diagnostic(`sent ${sent}, read ${received}: odd ${odd} strange ${strange} malformed ${malformed}`);
    assert.equal(replies, 0);
    assert.equal(opened, 0);
    assert.ok(odd > 100 && strange > 100 && malformed > 100);
    assert.ok(last.ok && last.lost === 0);
    await until('edge is still the same', async () => (await gateway.pids('edge')).length === 1);
});
