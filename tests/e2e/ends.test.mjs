// How streams end, and what publisher and viewers are told.

import assert from 'node:assert/strict';

import { reaches, seen } from './browser.mjs';
import { mediaPlaylist, stage, until } from './stage.mjs';

const on = stage({ limits: { rejoin_window_s: 4, ended_linger_s: 20 } });

/** The words in the publisher's page once its stream was cut, and how long that took. */
async function cut(page, work) {
    const began = Date.now();
    await work();
    await page.waitForFunction(() => window.sluice.state === 'idle', null, { polling: 20 });
    const ms = Date.now() - began;
    const words = await page.getByRole('alert').innerText();
    assert.equal(await page.getByRole('status').innerText(), 'Off air');
    return { ms, words };
}

on.test('a revoked token says so in the page', async (t) => {
    const { page, id } = await on.live('revoked');
    const { ms, words } = await cut(page, () => on.gateway.ctl('token', 'revoke', id));
    t.diagnostic(`page says so after ${ms} ms, sluicectl included: ${words}`);
    assert.match(words, /token.*revoked/i);
    assert.equal((await seen(page)).trouble.end, 'revoked');
    assert.ok(ms < 2500);
});

on.test('a kick says so in the page, and the list ends', async (t) => {
    const { page } = await on.live('kicked');
    const { ms, words } = await cut(page, () => on.gateway.ctl('stream', 'kick', 'kicked'));
    t.diagnostic(`page says so after ${ms} ms, sluicectl included: ${words}`);
    assert.match(words, /taken off the air/i);
    assert.ok(ms < 2500);
    await until('ENDLIST', async () => (await mediaPlaylist(on.gateway, 'kicked')).ended, 3000);
});

on.test('a reached duration says so in the page', async (t) => {
    const { page } = await on.live('limited', { tokenOptions: ['--max-duration', '4s'] });
    const { words } = await cut(page, () => {});
    const { endedAfterMs } = await seen(page);
    t.diagnostic(`cut ${endedAfterMs} ms after Go live: ${words}`);
    assert.match(words, /time is up/i);
    assert.ok(endedAfterMs > 3500 && endedAfterMs < 8000);
});

on.test('Stop writes ENDLIST at once and viewers are told', async () => {
    const { page } = await on.live('stopped');
    const viewer = await on.watch('stopped');
    await reaches(viewer, 'live', 20000);
    await page.getByRole('button', { name: 'Stop' }).click();
    await reaches(page, 'idle', 3000);
    assert.equal((await mediaPlaylist(on.gateway, 'stopped')).ended, true);
    await reaches(viewer, 'ended', 10000);
    assert.match(await viewer.locator('#cover').innerText(), /The stream has ended/);
});

on.test('a stream that starts again plays again in the same watch page', async () => {
    const { page } = await on.live('again');
    const viewer = await on.watch('again');
    await reaches(viewer, 'live', 20000);
    await page.getByRole('button', { name: 'Stop' }).click();
    await reaches(viewer, 'ended', 10000);
    await page.getByRole('button', { name: 'Go live' }).click();
    await reaches(page, 'live');
    await viewer.waitForFunction(
        () => window.sluice.player.counts.starts > 1 && window.sluice.state === 'live',
        null,
        { timeout: 20000 },
    );
});

on.test('leaving the page ends the stream', async (t) => {
    const { page } = await on.live('left');
    const began = Date.now();
    await page.goto('about:blank');
    // at once, unless the browser's close_notify overtakes the page's DELETE
    await until('ENDLIST', async () => (await mediaPlaylist(on.gateway, 'left')).ended, 8000);
    t.diagnostic(`ENDLIST after ${Date.now() - began} ms`);
});

on.test('a publisher who vanishes: viewers wait, then the list ends', async (t) => {
    const { page } = await on.live('vanished');
    const viewer = await on.watch('vanished');
    await reaches(viewer, 'live', 20000);
    await page.route('**/whip/session/*', (route) => route.abort());
    await page.goto('about:blank');
    const began = Date.now();
    await reaches(viewer, 'waiting', 6000);
    const waiting = Date.now() - began;
    await reaches(viewer, 'ended', 12000);
    t.diagnostic(`viewer told after ${waiting} ms, ended after ${Date.now() - began} ms`);
    assert.equal((await mediaPlaylist(on.gateway, 'vanished')).ended, true);
});

on.test('a publisher who comes back in time costs viewers one discontinuity', async () => {
    const { page, token } = await on.live('back');
    const viewer = await on.watch('back');
    await reaches(viewer, 'live', 20000);
    await page.route('**/whip/session/*', (route) => route.abort());
    await page.goto('about:blank');
    await reaches(await on.press('back', token), 'live');
    await viewer.waitForTimeout(3000);
    await reaches(viewer, 'live');
    const { ended, discontinuities } = await mediaPlaylist(on.gateway, 'back');
    assert.deepEqual({ ended, discontinuities }, { ended: false, discontinuities: 1 });
});
