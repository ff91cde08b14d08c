// Publishers whose port changes in mid-stream, and strangers who would like to be taken for them (U17).

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import dgram from 'node:dgram';
import { test } from 'node:test';

import { until, withGateway } from './gateway.mjs';
import { Publisher } from './publisher.mjs';
import { CHROMIUM_CHECK_MS, GAP_MS, opened, rebind, REBINDS } from './rebind.mjs';
import { Relay } from './relay.mjs';

const FRAMES_PER_S = 30; // of rawpub's media
const STRANGERS = 8;
const JUNK = 4000;
const CROWD = 12; // publishers behind one NAT
const UNCHECKED = 2; // paths without a check that a session may have (TUPLES_UNCHECKED_MAX)

/** How many of the pictures that were sent never came out of ingest. */
async function missing(gateway, done) {
    const pattern = /ingest media .*video_frames=(\d+)/;
    const line = await until('the worker tells', () =>
        gateway.lines.map((l) => pattern.exec(l)).find(Boolean),
    );
    return done.video_frames - Number(line[1]);
}

function live(gateway) {
    return gateway.lines.filter((line) => /ingest live /.test(line)).length;
}

function wanted(gateway) {
    return gateway.lines.filter((line) => /ingest path_wanted /.test(line)).length;
}

for (const consentMs of [500, CHROMIUM_CHECK_MS]) {
    test(`U17 ICE-07 a rebound port, checks every ${consentMs} ms`, { timeout: 120000 }, (t) =>
        withGateway({}, async (gateway) => {
            const relay = await Relay.start(gateway);
            const { token } = await gateway.token('*');
            const publisher = new Publisher(gateway, 'moved', token, [
                '--candidate', `127.0.0.1:${relay.port}`, '--consent', String(consentMs),
            ]);
            let gaps, done;
            try {
                await publisher.sending();
                gaps = await rebind(gateway, relay, consentMs);
                const text = await (await fetch(`${gateway.base}/live/moved/0/media.m3u8`)).text();
                assert.doesNotMatch(text, /#EXT-X-ENDLIST/);
                assert.ok(!gateway.lines.some((l) => /ingest ended/.test(l)));
            } finally {
                done = await publisher.stop();
                await relay.stop();
            }
            const lost = await missing(gateway, done);
            t.diagnostic(
                `${REBINDS} rebinds: gaps in ms ${gaps.join(' ')}; ` +
                    `${lost} of ${done.video_frames} pictures missing, ${wanted(gateway)} paths wanted`,
            );
            assert.ok(Math.max(...gaps) <= GAP_MS);
            assert.ok(lost <= (REBINDS * FRAMES_PER_S * GAP_MS) / 1000);
        }));
}

test('U17 all publishers behind one NAT move at once', { timeout: 120000 }, (t) =>
    withGateway({}, async (gateway) => {
        const relay = await Relay.start(gateway);
        const { token } = await gateway.token('*');
        const publisher = new Publisher(gateway, 'all', token, [
            '--candidate', `127.0.0.1:${relay.port}`, '--streams', String(CROWD),
            '--consent', '30000', // none of them comes during the test
        ]);
        try {
            const sending = () => publisher.events.filter((e) => e.event === 'sending').length;
            await until('all send', () => sending() === CROWD, 60000);
            await until('all are live', () => live(gateway) === CROWD, 20000);
            for (let i = 1; i <= UNCHECKED; i++) {
                const at = Date.now();
                relay.say('rebind');
                await until('all are found', () => opened(gateway).length >= CROWD * (i + 1), 20000, 10);
                const lines = opened(gateway).slice(CROWD * i);
                const gaps = lines.map((line) => Date.parse(line.split(' ')[0]) - at);
                t.diagnostic(`gaps in ms: ${gaps.join(' ')}`);
                assert.ok(Math.max(...gaps) <= GAP_MS);
            }
        } finally {
            await publisher.stop();
            await relay.stop();
        }
    }));

/** Sockets on the publisher's host; bytes counts what came back to any of them. */
async function strangers(count) {
    const sockets = [];
    const crowd = { sockets, bytes: 0, close: () => sockets.forEach((socket) => socket.close()) };
    for (let i = 0; i < count; i++) {
        const socket = dgram.createSocket('udp4');
        socket.on('message', (data) => {
            crowd.bytes += data.length;
        });
        await new Promise((resolve) => socket.bind(0, '127.0.0.1', resolve));
        sockets.push(socket);
    }
    return crowd;
}

function send(socket, data, port) {
    return new Promise((resolve) => socket.send(data, port, '127.0.0.1', resolve));
}

test('U17 U10 strangers on the same host have no effect', { timeout: 120000 }, (t) =>
    withGateway({}, async (gateway) => {
        const { token } = await gateway.token('*');
        const publisher = new Publisher(gateway, 'crowd', token, ['--seconds', '8']);
        const crowd = await strangers(STRANGERS);
        try {
            await publisher.sending();
            for (let i = 0; i < JUNK; i++) {
                const data = randomBytes(12 + (i % 1200));
                data[0] = 0x80 | (data[0] & 0x3f);
                await send(crowd.sockets[i % STRANGERS], data, gateway.media);
            }
            assert.equal(await publisher.exited, 0, JSON.stringify(publisher.events));
        } finally {
            await publisher.stop();
            crowd.close();
        }
        const lost = await missing(gateway, publisher.event('done'));
        t.diagnostic(`${JUNK} datagrams: ${crowd.bytes} bytes back, ${lost} pictures missing`);
        assert.equal(crowd.bytes, 0);
        assert.equal(wanted(gateway), 0);
        assert.equal(opened(gateway).length, 1);
        assert.ok(lost <= 1); // the last one is cut by the end
    }));

test('U17 U10 packets sent again from another port open nothing', { timeout: 120000 }, (t) =>
    withGateway({}, async (gateway) => {
        const { token } = await gateway.token('*');
        const crowd = await strangers(STRANGERS);
        const outside = dgram.createSocket('udp4');
        const inside = dgram.createSocket('udp4');
        await new Promise((resolve) => inside.bind(0, '127.0.0.1', resolve));
        await new Promise((resolve) => outside.bind(0, '127.0.0.1', resolve));
        let peer = 0;
        let again = 0;
        outside.on('message', (data, from) => {
            peer = from.port;
            inside.send(data, gateway.media, '127.0.0.1', () => {
                if (data[0] >= 128 && data[1] < 192 && again < JUNK) {
                    crowd.sockets[again++ % STRANGERS].send(data, gateway.media, '127.0.0.1');
                }
            });
        });
        inside.on('message', (data) => outside.send(data, peer, '127.0.0.1'));
        const publisher = new Publisher(gateway, 'again', token, [
            '--candidate', `127.0.0.1:${outside.address().port}`, '--seconds', '8',
        ]);
        try {
            assert.equal(await publisher.exited, 0, JSON.stringify(publisher.events));
        } finally {
            await publisher.stop();
            crowd.close();
            outside.close();
            inside.close();
        }
        t.diagnostic(`${again} packets sent again: ${crowd.bytes} bytes back`);
        assert.ok(again > 100);
        assert.equal(crowd.bytes, 0);
        assert.equal(wanted(gateway), 0);
        assert.equal(opened(gateway).length, 1);
        const replayed = /ingest ended .* replayed=(\d+)/;
        const [, count] = gateway.lines.map((l) => replayed.exec(l)).find(Boolean);
        assert.ok(Number(count) > 0); // they did come to the worker
    }));
