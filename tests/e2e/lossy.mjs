// One publisher behind a bad network: what arrives of it, how late, and what it takes. The way is
// 25 ms long in each direction with up to 20 ms of jitter; what is lost is lost both ways, from the
// first media packet on: how handshakes bear it is tested elsewhere.

import { Publisher } from './publisher.mjs';
import { Relay } from './relay.mjs';
import { until } from './gateway.mjs';

const DELAY_MS = 25;
const JITTER_MS = 20;
const SETTLED = 4; // equal readings: what could arrive has arrived

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function media(gateway, stream) {
    return (await gateway.ctl('stream', 'show', stream)).media;
}

/** Follows the stream's figures once a second until stop(). */
function follow(gateway, stream) {
    const readings = [];
    let over = false;
    const done = (async () => {
        while (!over) {
            readings.push({ at: Date.now(), ...(await media(gateway, stream)).video });
            await sleep(500);
        }
    })();
    return {
        readings,
        stop: async () => {
            over = true;
            await done;
        },
    };
}

/** The last figures: those that no longer change. */
async function settled(gateway, stream) {
    let same = 0;
    let last = '';
    let got;
    await until(
        'the counters rest',
        async () => {
            got = await media(gateway, stream);
            const now = `${got.video.frames} ${got.video.lost} ${got.packets}`;
            same = now === last ? same + 1 : 0;
            last = now;
            return same >= SETTLED;
        },
        20000,
        500,
    );
    return got;
}

const most = (readings, key) => Math.max(0, ...readings.map((r) => r[key]));
const mean = (readings, key) =>
    readings.reduce((sum, r) => sum + r[key], 0) / Math.max(1, readings.length);

/**
 * Publishes for some seconds. rtx: repairs by RTX, else the same packets again; order: jitter lets
 * nothing overtake. Gives { sent, frames, share, holdMean, holdMax, plis, nacked, stallMax, ... }.
 */
export async function publishLossy(gateway, stream, { loss, rtx, order, seconds, seed = 1 }) {
    const { token } = await gateway.token(stream);
    const words = ['--delay', DELAY_MS, '--jitter', JITTER_MS, '--seed', seed];
    const relay = await Relay.start(gateway, [...words.map(String), ...(order ? ['--in-order'] : [])]);
    const publisher = new Publisher(gateway, stream, token, [
        '--candidate', `127.0.0.1:${relay.port}`,
        '--seconds', String(seconds),
        '--linger', '2', // what is lost at the end shall be repaired
        '--no-delete',
        ...(rtx ? ['--rtx'] : []),
    ]);
    try {
        await publisher.sending();
        relay.say(`loss ${loss}`);
        const began = Date.now();
        const follower = follow(gateway, stream);
        await publisher.exited;
        await follower.stop();
        const done = publisher.event('done');
        const all = await settled(gateway, stream);
        // once it only repairs there are pauses of its own making
        const readings = follower.readings.filter((r) => r.at < began + seconds * 1000);
        const { video } = all;
        return {
            sent: done.video_frames,
            frames: video.frames,
            share: video.frames / done.video_frames,
            holdMean: mean(readings, 'hold_ms'),
            holdMax: most(readings, 'hold_max_ms'),
            stallMax: most(readings, 'pause_ms'),
            deadline: most(readings, 'deadline_ms'),
            roundTrip: all.round_trip_ms,
            roundTripFrom: all.round_trip_from,
            nacked: video.nacked,
            lost: video.lost,
            recovered: video.recovered_rtx + video.recovered_same,
            plis: video.plis,
            plisPerMinute: (video.plis * 60) / seconds,
            dropped: video.frames_dropped,
            asked: done.nacks,
            repeats: done.retransmitted,
        };
    } finally {
        await publisher.stop();
        await relay.stop();
        await gateway.ctl('stream', 'kick', stream).catch(() => {});
    }
}

/** Heavy loss for a while, then none: { stallMax, sent, frames } with frames counted from 1 s after. */
export async function recoverFromLoss(gateway, stream, { loss, rtx, seconds, after }) {
    const { token } = await gateway.token(stream);
    const words = ['--delay', DELAY_MS, '--jitter', JITTER_MS, '--in-order'];
    const relay = await Relay.start(gateway, words.map(String));
    const publisher = new Publisher(gateway, stream, token, [
        '--candidate', `127.0.0.1:${relay.port}`, '--no-delete', ...(rtx ? ['--rtx'] : []),
    ]);
    try {
        await publisher.sending();
        relay.say(`loss ${loss}`);
        await until('frames', async () => (await media(gateway, stream)).video.frames > 0, 20000);
        const follower = follow(gateway, stream);
        await sleep(seconds * 1000);
        relay.say('loss 0');
        await sleep(1000);
        await follower.stop();
        await settledSecond(gateway, stream);
        const before = (await media(gateway, stream)).video;
        await sleep(after * 1000);
        const later = (await media(gateway, stream)).video;
        return {
            stallMax: most(follower.readings, 'pause_ms'),
            clean: sumDropped(later) === sumDropped(before) && later.lost === before.lost,
            rate: (later.frames - before.frames) / after,
        };
    } finally {
        await publisher.stop();
        await relay.stop();
        await gateway.ctl('stream', 'kick', stream).catch(() => {});
    }
}

const sumDropped = (video) => Object.values(video.frames_dropped).reduce((a, b) => a + b, 0);

/** The next reading: they come once a second. */
async function settledSecond(gateway, stream) {
    const first = (await media(gateway, stream)).packets;
    await until('another reading', async () => (await media(gateway, stream)).packets !== first, 5000);
}
