// Publishers who send far too much, and forgers on their path: U10, U11, U12, U14, U15 of
// threats.md, and what a datagram to us can make us send (U1). STORM_SECONDS (default 3) scales it;
// the pass marks are for STORM_SECONDS=12.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { anonKib, cpuSeconds } from '../bench/measure.mjs';
import { Gateway, until } from './gateway.mjs';
import { Publisher } from './publisher.mjs';
import { EVERYTHING, storm } from './storms.mjs';

const SECONDS = Number(process.env.STORM_SECONDS ?? 3);
const LONG = process.env.STORM_SECONDS !== undefined;
const AT = 2; // when rawpub becomes hostile
const IN_FLIGHT = 15; // frames that may be on the way when a publisher is stopped
const GROWTH_KIB = 1024;
const OVER_S = 10; // CEILING_OVER_S
const CEILING_PPS = 11250; // of the default bitrate (ceiling.h)

let gateway;
before(async () => {
    gateway = await Gateway.start({ limits: { rejoin_window_s: 0, ended_linger_s: 1 } });
});
after(async () => {
    await gateway?.stop();
});

/** What ingest says at the end of a session: { video_frames, video_lost, ..., bad_srtp, ... }. */
async function lastWords(pid) {
    const find = (event) =>
        gateway.lines.find((l) => l.includes(` ingest ${event} `) && l.endsWith(` pid=${pid}`));
    await until(`ingest ${pid} ends`, () => find('ended'));
    const words = `${find('media')} ${find('ended')}`.matchAll(/(\w+)=(\S+)/g);
    return Object.fromEntries([...words].map(([, name, value]) => [name, value]));
}

/** A live publisher that can tell at its end what both sides counted. */
async function publish(stream, words = []) {
    const { token } = await gateway.token(stream);
    const publisher = new Publisher(gateway, stream, token, ['--at', String(AT), ...words]);
    await publisher.sending();
    const state = async () => (await gateway.ctl('stream', 'show', stream).catch(() => ({}))).state;
    await until(`${stream} is live`, async () => (await state()) === 'live');
    const [pid] = await gateway.pids('ingest', stream);
    return {
        pid,
        publisher,
        ended: async () => {
            await publisher.exited;
            return { sent: publisher.event('done'), got: await lastWords(pid) };
        },
        stop: async () => ({ sent: await publisher.stop(), got: await lastWords(pid) }),
    };
}

/** Every frame arrived, once. */
function whole({ sent, got }, what, inFlight = 0) {
    assert.ok(sent.ok, `${what}: ${sent.status} ${sent.reason}`);
    assert.equal(Number(got.video_lost), 0, `${what}: video lost`);
    assert.equal(Number(got.audio_lost), 0, `${what}: audio lost`);
    for (const kind of ['video', 'audio']) {
        const frames = Number(got[`${kind}_frames`]);
        const made = sent[`${kind}_frames`];
        assert.ok(frames <= made, `${what}: ${frames} ${kind} frames of ${made}`);
        assert.ok(frames >= made - inFlight, `${what}: ${frames} ${kind} frames of ${made}`);
    }
}

/** The hostile publisher's end, and its worker's CPU and memory in the two halves of the storm. */
async function watchStorm(hostile, began, seconds = SECONDS) {
    const halves = [];
    let last = null;
    for (let i = 0; i <= 2; i++) {
        const at = began + (AT + (seconds * i) / 2) * 1000;
        await until('that half is over', () => Date.now() >= at, 2000 * (AT + SECONDS), 20);
        const now = { cpu: await cpuSeconds(hostile.pid), own: await anonKib(hostile.pid) };
        if (last) {
            halves.push({ cpu: now.cpu - last.cpu, own: now.own - last.own, wall: seconds / 2 });
        }
        last = now;
    }
    return halves;
}

const scale = () => ['--seconds', String(AT + SECONDS + 1), '--linger', '1'];
const perCent = (half) => `${((half.cpu / half.wall) * 100).toFixed(0)} %`;
const growth = (halves) =>
    `CPU of its worker ${halves.map(perCent).join(', then ')}; ` +
    `own memory ${halves.map((half) => `+${half.own}`).join(', then ')} KiB`;

test(`U10 SEC-12 20,000 forged and 2,000 replayed packets a second`, { timeout: 90000 }, async (t) => {
    const words = ['--forge', '20000', '--replay', '2000', ...scale()];
    const { sent, got } = await (await publish('forged', words)).ended();
    t.diagnostic(
        `${sent.forged} forged, ${sent.replayed} replayed; ingest: bad ${got.bad_srtp}, ` +
            `replayed ${got.replayed}, dropped ${got.dropped}, lost ${got.video_lost}`,
    );
    assert.ok(sent.forged >= 10000 * SECONDS && sent.replayed >= 1000 * SECONDS);
    assert.ok(Number(got.bad_srtp) > sent.forged / 2);
    assert.ok(Number(got.replayed) > sent.replayed / 2);
    whole({ sent, got }, 'the publisher');
});

test('U11 SEC-13 an outage of 40,000 packets with a rollover', { timeout: 60000 }, async (t) => {
    const { sent, got } = await (await publish('gap', ['--gap', '40000', ...scale()])).ended();
    const missing = sent.video_frames - Number(got.video_frames);
    t.diagnostic(`${missing} of ${sent.video_frames} frames missing, lost ${got.video_lost}`);
    assert.ok(Number(got.video_lost) >= 40000);
    assert.ok(missing <= 30 + IN_FLIGHT, `${missing} frames are more than a second`);
});

test('U12 RTP-06 20,000 authentic SSRCs', { timeout: 90000 }, async (t) => {
    const neighbour = await publish('beside-ssrcs');
    const pps = Math.ceil(20000 / SECONDS);
    const began = Date.now();
    const hostile = await publish('ssrcs', ['--ssrc-storm', String(pps), ...scale()]);
    const halves = await watchStorm(hostile, began);
    const { sent, got } = await hostile.ended();
    t.diagnostic(`${sent.strangers} SSRCs; ${growth(halves)}`);
    assert.ok(sent.ok && sent.strangers >= 20000);
    assert.ok(halves[0].own + halves[1].own <= GROWTH_KIB);
    assert.ok(halves[1].cpu <= halves[0].cpu * 2, 'each costs what the first cost');
    whole({ sent, got }, 'the publisher'); // RTP-06: single packets take nothing over
    whole(await neighbour.stop(), 'the neighbour', IN_FLIGHT);
});

test('U14 10,000 authentic RTCP packets a second', { timeout: 90000 }, async (t) => {
    const neighbour = await publish('beside-rtcp');
    const began = Date.now();
    const hostile = await publish('rtcp', ['--rtcp', '10000', ...scale()]);
    const halves = await watchStorm(hostile, began);
    const { sent, got } = await hostile.ended();
    const cost = ((halves[0].cpu + halves[1].cpu) * 1e6) / sent.rtcp;
    t.diagnostic(
        `${sent.rtcp} packets, ${got.dropped} dropped; ${growth(halves)}; ` +
            `${cost.toFixed(2)} us each, media included`,
    );
    assert.ok(sent.rtcp >= 5000 * SECONDS);
    assert.ok(Number(got.dropped) > sent.rtcp * 0.9, 'more than 200 a second are not read');
    assert.ok(halves[0].own + halves[1].own <= GROWTH_KIB);
    assert.ok(!LONG || cost <= 20, 'us per packet');
    whole({ sent, got }, 'the publisher');
    whole(await neighbour.stop(), 'the neighbour', IN_FLIGHT);
});

test('U15 50,000 packets a second of a publisher with a right', { timeout: 90000 }, async (t) => {
    const neighbours = [await publish('beside-flood-1'), await publish('beside-flood-2')];
    const began = Date.now();
    const hostile = await publish('flood', ['--flood', '50000', ...scale()]);
    // its worker is gone when it was over the limit for so long
    const halves = await watchStorm(hostile, began, Math.min(SECONDS, OVER_S - 2));
    const { sent, got } = await hostile.ended();
    t.diagnostic(
        `${sent.flooded} packets, ${got.over_limit} over the limit, ${got.video_lost} never read; ` +
            `${growth(halves)}; end: ${got.reason}`,
    );
    if (sent.flooded > 2 * CEILING_PPS * SECONDS) {
        assert.ok(Number(got.over_limit) > 0);
        assert.ok(Number(got.over_limit) + Number(got.video_lost) > sent.flooded / 3);
        assert.equal(got.reason, SECONDS > OVER_S ? 'over-limit' : 'deleted');
    } else {
        t.diagnostic('this machine is too busy to be flooded');
    }
    for (const [i, neighbour] of neighbours.entries()) {
        whole(await neighbour.stop(), `neighbour ${i + 1}`, IN_FLIGHT);
    }
});

test('U1 what comes back is less than what went in', { timeout: 60000 }, async (t) => {
    const { publisher, stop } = await publish('factor', ['--consent', '100']);
    const { ufrag } = publisher.event('sending');
    const out = await storm(gateway, EVERYTHING, 2000, SECONDS, ['--ufrag', ufrag]).done;
    const { sent } = await stop();
    const checks = sent.reply_bytes / sent.check_bytes;
    const dtls = sent.dtls_received / sent.dtls_sent;
    t.diagnostic(
        `amplification: strangers ${out.reply_bytes / out.bytes} (${out.bytes} bytes in), ` +
            `authenticated checks ${checks.toFixed(2)}, DTLS behind a check ${dtls.toFixed(2)}`,
    );
    assert.ok(out.bytes > 0 && sent.consents > 5);
    assert.equal(out.reply_bytes, 0);
    assert.ok(checks <= 1);
    assert.ok(dtls <= 3);
});
