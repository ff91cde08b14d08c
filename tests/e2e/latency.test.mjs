// From the publisher's canvas to the viewer's screen: how late, how smooth, how soon.
// E2E_LATENCY_SECONDS=60 measures longer. The bars are wide because machines are shared: the
// figures are printed, and the bars are for a quiet machine.

import assert from 'node:assert/strict';

import { complaints, measureLatency, measureSkew, percentile, reaches, seen } from './browser.mjs';
import { stage } from './stage.mjs';

const SECONDS = Number(process.env.E2E_LATENCY_SECONDS) || 12;
const SETTLE_MS = 6000;
const on = stage();

async function measured(t, stream, { query, watchQuery }) {
    const { page } = await on.live(stream, { query });
    const viewer = await on.watch(stream, watchQuery);
    const opened = await reaches(viewer, 'live', 20000);
    await viewer.waitForTimeout(SETTLE_MS);
    const { samples, ...figures } = await measureLatency(viewer, SECONDS);
    const { readings } = await seen(page);
    const { target, jumps } = await seen(viewer);
    t.diagnostic(
        `${stream}: ${JSON.stringify(figures)} first frame ${opened.firstFrameMs} ms, ` +
            `target ${target} s, ${jumps} jumps, sent ${readings.codec} ` +
            `${readings.width}x${readings.height} at ${readings.fps}/s`,
    );
    assert.ok(samples.length > SECONDS * 5, 'hardly any frame with a readable clock');
    assert.deepEqual(await complaints(page), []);
    assert.deepEqual(await complaints(viewer), []);
    return { figures, readings, page, viewer };
}

on.test('H.264 passes through: about half a second late', async (t) => {
    const { figures, readings } = await measured(t, 'h264', {});
    assert.equal(readings.codec, 'H264');
    assert.ok(figures.p50 < 1500, `p50 ${figures.p50} ms`);
    assert.ok(figures.stalls <= 3, `${figures.stalls} stalls`);
});

on.test('VP8 is transcoded: hardly later', async (t) => {
    const { figures, readings } = await measured(t, 'vp8', { query: '&codec=vp8' });
    assert.equal(readings.codec, 'VP8');
    assert.ok(figures.p50 < 3000, `p50 ${figures.p50} ms`);
});

on.test('stock hls.js plays with its own settings', async (t) => {
    const { figures } = await measured(t, 'stock', { watchQuery: '?stock=1' });
    assert.ok(figures.p50 < 3000, `p50 ${figures.p50} ms`);
});

on.test('a chosen target is kept', async (t) => {
    const { figures, viewer } = await measured(t, 'far', { watchQuery: '?target=1.5' });
    assert.equal((await seen(viewer)).target, 1.5);
    assert.ok(figures.p50 > 1100 && figures.p50 < 2800, `p50 ${figures.p50} ms`);
});

on.test('sound and picture belong together', async (t) => {
    await on.live('skew');
    const viewer = await on.watch('skew');
    await reaches(viewer, 'live', 20000);
    await viewer.waitForTimeout(SETTLE_MS);
    const skews = await measureSkew(viewer, 9);
    const middle = percentile(skews, 0.5);
    t.diagnostic(`sound later than picture by ${middle} ms, each: ${skews.join(' ')}`);
    assert.ok(skews.length >= 4, `${skews.length} beeps heard`);
    assert.ok(Math.abs(middle) < 150, `${middle} ms`);
});

on.test('from Go live to viewers who can watch', async (t) => {
    const steps = [];
    for (const name of ['start1', 'start2', 'start3']) {
        const { page } = await on.live(name);
        steps.push((await seen(page)).steps);
        await page.getByRole('button', { name: 'Stop' }).click();
        await reaches(page, 'idle');
    }
    const posted = steps.map((s) => s.playable - s.devices);
    t.diagnostic(`POST to first playable part: ${posted.join(', ')} ms; ${JSON.stringify(steps)}`);
    assert.ok(percentile(posted, 0.5) < 3000);
});

on.test('a viewer who comes first sees the picture by itself', async (t) => {
    const viewer = await on.watch('later');
    await reaches(viewer, 'soon');
    const began = Date.now();
    await on.live('later');
    await reaches(viewer, 'live', 20000);
    t.diagnostic(`picture ${Date.now() - began} ms after the start of the publisher's page`);
});
