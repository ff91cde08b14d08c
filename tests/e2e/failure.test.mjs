// What goes wrong, and what stays up: refusals in words, and kill -9 of each process.

import assert from 'node:assert/strict';

import { measureLatency, reaches, seen } from './browser.mjs';
import { mediaPlaylist, stage, until } from './stage.mjs';

const on = stage();

async function refused(page) {
    await page.waitForFunction(() => window.sluice.trouble, null, { timeout: 15000 });
    const { trouble, state } = await seen(page);
    assert.equal(state, 'idle');
    assert.equal(await page.getByRole('alert').isVisible(), true);
    return trouble;
}

/** The playlist lists a part that was not there before. */
async function playlistMoves(stream, limitMs = 10000) {
    const { last } = await mediaPlaylist(on.gateway, stream);
    await until(
        `a new part of ${stream}`,
        async () => {
            const now = await mediaPlaylist(on.gateway, stream).catch(() => ({}));
            return now.status === 200 && now.last && now.last !== last;
        },
        limitMs,
    );
}

on.test('a wrong token is told in words, and a token can be typed', async () => {
    const page = await on.press('words', 'sluice_wrong');
    const trouble = await refused(page);
    assert.equal(trouble.end, 'status-401');
    assert.match(trouble.title, /does not accept this token/);
    const { token } = await on.gateway.token('words');
    await page.getByLabel('Token').fill(token);
    await page.getByRole('button', { name: 'Use', exact: true }).click();
    await page.getByRole('button', { name: 'Go live' }).click();
    await reaches(page, 'live');
});

on.test('a token for another stream is told in words', async () => {
    const { token } = await on.gateway.token('elsewhere');
    const trouble = await refused(await on.press('here', token));
    assert.equal(trouble.end, 'status-403');
    assert.match(trouble.title, /not for the stream “here”/);
});

on.test('a second publisher gets 409 and does not disturb the first', async () => {
    const { page, token } = await on.live('busy');
    const trouble = await refused(await on.press('busy', token));
    assert.equal(trouble.end, 'status-409');
    assert.match(trouble.title, /already live/);
    await playlistMoves('busy');
    assert.equal((await seen(page)).state, 'live');
});

on.test('kill -9 of transcode: one discontinuity, and playing goes on', async (t) => {
    const { page } = await on.live('recoded');
    const viewer = await on.watch('recoded');
    await reaches(viewer, 'live', 20000);
    await viewer.waitForTimeout(2000);
    const began = Date.now();
    await on.gateway.kill('transcode', 'recoded');
    await until(
        'one discontinuity',
        async () => (await mediaPlaylist(on.gateway, 'recoded')).discontinuities === 1,
        8000,
    );
    t.diagnostic(`first part of the successor after ${Date.now() - began} ms`);
    await playlistMoves('recoded');
    await reaches(viewer, 'live', 15000);
    const { frames } = await measureLatency(viewer, 5);
    assert.ok(frames > 20, `${frames} frames in 5 s`);
    assert.equal((await mediaPlaylist(on.gateway, 'recoded')).discontinuities, 1);
    assert.equal((await seen(page)).state, 'live');
});

on.test('kill -9 of ingest: the page publishes again by itself', async (t) => {
    const { page, token } = await on.live('revived');
    const viewer = await on.watch('revived');
    await reaches(viewer, 'live', 20000);
    const began = Date.now();
    await on.gateway.kill('ingest', 'revived');
    await page.waitForFunction(
        () => window.sluice.retries > 0 && window.sluice.state === 'live',
        null,
        { timeout: 20000 },
    );
    t.diagnostic(`live again after ${Date.now() - began} ms`);
    await playlistMoves('revived');
    await reaches(viewer, 'live', 15000);
    const other = await on.press('revived', token); // and the name is taken again, by us
    assert.equal((await refused(other)).end, 'status-409');
});

for (const role of ['web', 'edge', 'auth']) {
    on.test(`kill -9 of ${role}: the live stream and its playlist go on`, async (t) => {
        const stream = `kept-${role}`;
        const { page } = await on.live(stream);
        const viewer = await on.watch(stream);
        await reaches(viewer, 'live', 20000);
        const ingest = await on.gateway.pids('ingest', stream);
        const killed = await on.gateway.kill(role);
        const began = Date.now();
        await until(`${role} again`, async () => {
            const { ready, processes } = await on.gateway.ctl('status').catch(() => ({}));
            return ready && !processes.some(({ pid }) => pid === killed);
        });
        t.diagnostic(`${role} is back after ${Date.now() - began} ms`);
        await playlistMoves(stream);
        assert.deepEqual(await on.gateway.pids('ingest', stream), ingest);
        await reaches(viewer, 'live', 15000);
        const { frames } = await measureLatency(viewer, 4);
        assert.ok(frames > 10, `${frames} frames in 4 s`);
        const now = await seen(page);
        assert.equal(now.state, 'live');
        assert.equal(now.retries, 0);
        await on.live(`new-${role}`); // and newcomers are served
    });
}
