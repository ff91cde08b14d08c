// The pages themselves: names and keys for everybody, the token's ways, the policy, other players.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

import { complaints, reaches, seen } from './browser.mjs';
import { stage } from './stage.mjs';

const run = promisify(execFile);
const on = stage();

/** What is wrong for people with a screen reader, a keyboard or a small screen. */
function barriers(page) {
    return page.evaluate(() => {
        const out = [];
        const seenBy = (node) => node.checkVisibility({ visibilityProperty: true });
        const named = (node) =>
            node.getAttribute('aria-label') || node.labels?.[0]?.textContent || node.textContent.trim();
        for (const node of document.querySelectorAll('button, input, select, a, video')) {
            if (seenBy(node) && !named(node)) {
                out.push(`no name: ${node.outerHTML.slice(0, 80)}`);
            }
        }
        for (const node of document.querySelectorAll('img:not([alt]), svg:not([aria-hidden])')) {
            out.push(`no alternative: ${node.outerHTML.slice(0, 80)}`);
        }
        for (const node of document.querySelectorAll('button')) {
            const { width, height } = node.getBoundingClientRect();
            if (seenBy(node) && (width < 40 || height < 40)) {
                out.push(`small: ${node.id} ${width}x${height}`);
            }
        }
        const ids = [...document.querySelectorAll('[id]')].map((node) => node.id);
        out.push(...ids.filter((id, n) => ids.indexOf(id) !== n).map((id) => `twice: ${id}`));
        const count = (selector) => document.querySelectorAll(selector).length;
        if (count('h1') !== 1 || count('main') !== 1 || !document.documentElement.lang) {
            out.push('h1, main or lang');
        }
        if (!document.title || count('[role="status"]') !== 1) {
            out.push('title or status');
        }
        if (document.documentElement.scrollWidth > window.innerWidth) {
            out.push(`wider than the screen: ${document.documentElement.scrollWidth}`);
        }
        return out;
    });
}

on.test('both pages have no barriers, in any width, by day and night', async () => {
    for (const width of [320, 390, 768, 1280]) {
        for (const colorScheme of ['light', 'dark']) {
            const how = { viewport: { width, height: 700 }, colorScheme };
            for (const path of ['/publish/demo#t=x', '/publish/demo', '/watch/nobody']) {
                const page = await on.open(on.gateway.base + path, how);
                assert.deepEqual(await barriers(page), [], `${path} at ${width} ${colorScheme}`);
                assert.deepEqual(await complaints(page), []);
                await page.context().close();
            }
        }
    }
});

on.test('a stream can be published and watched with the keyboard alone', async () => {
    const { token } = await on.gateway.token('keys');
    const page = await on.open(on.gateway.publishUrl('keys', token));
    const focused = () => page.evaluate(() => document.activeElement.id);
    for (let n = 0; n < 15 && (await focused()) !== 'go'; n++) {
        await page.keyboard.press('Tab');
    }
    assert.equal(await focused(), 'go');
    await page.keyboard.press('Enter');
    await reaches(page, 'live');
    assert.deepEqual(await barriers(page), []);

    const viewer = await on.watch('keys');
    await reaches(viewer, 'live', 20000);
    const muted = () => viewer.evaluate(() => document.querySelector('video').muted);
    assert.equal(await muted(), true);
    await viewer.keyboard.press('m');
    assert.equal(await muted(), false);
    await viewer.keyboard.press('k');
    await reaches(viewer, 'paused');
    await viewer.keyboard.press('k');
    await reaches(viewer, 'live');
    assert.deepEqual(await barriers(viewer), []);

    await page.keyboard.press('Enter');
    await reaches(page, 'idle');
});

on.test('camera and microphone: the default way', async () => {
    const { token } = await on.gateway.token('camera');
    const page = await on.open(on.gateway.publishUrl('camera', token));
    await page.getByRole('button', { name: 'Go live' }).click();
    const { steps } = await reaches(page, 'live');
    assert.deepEqual(Object.keys(steps), ['devices', 'answer', 'path', 'keys', 'frame', 'playable']);
    const viewer = await on.watch('camera');
    await reaches(viewer, 'live', 20000);
    await page.waitForFunction(() => window.sluice.readings?.bps > 50000, null, { timeout: 15000 });
    assert.deepEqual(await complaints(page), []);
    assert.deepEqual(await complaints(viewer), []);
});

on.test('the token leaves the address bar and shows up in no address and no log', async () => {
    const { token } = await on.gateway.token('secret');
    const asked = [];
    const page = await on.open('about:blank');
    page.on('request', (request) => asked.push(request.url()));
    await page.goto(on.gateway.publishUrl('secret', token, '?source=test'));
    assert.equal(new URL(page.url()).hash, '');
    await page.getByRole('button', { name: 'Go live' }).click();
    await reaches(page, 'live');
    await page.getByRole('button', { name: 'Stop' }).click();
    await reaches(page, 'idle');
    assert.ok(asked.length > 5);
    const leaks = asked.filter((url) => url.split('#')[0].includes(token));
    assert.deepEqual(leaks, []);
    assert.equal(on.gateway.log(5000).includes(token), false);
    assert.equal(JSON.stringify(await seen(page)).includes(token), false);
    const kept = await page.evaluate(() => [
        JSON.stringify(localStorage),
        JSON.stringify(sessionStorage),
        document.cookie,
        document.documentElement.outerHTML,
    ]);
    assert.equal(kept.join().includes(token), false);
});

on.test('names that are none are told in words', async () => {
    const page = await on.open(`${on.gateway.base}/watch/nobody`);
    await reaches(page, 'soon');
    assert.match(await page.locator('#cover').innerText(), /starts soon/);
    const wrong = await fetch(`${on.gateway.base}/watch/no%20name`);
    assert.ok(wrong.status === 400 || wrong.status === 404, `${wrong.status}`);
});

on.test('without hls.js the watch page says what is missing or plays natively', async () => {
    const page = await on.open('about:blank');
    await page.route('**/assets/hls.min.mjs', (route) => route.abort());
    await page.goto(on.gateway.watchUrl('plain'));
    await page.waitForFunction(() => ['soon', 'unsupported'].includes(window.sluice?.state));
});

on.test('ffprobe reads the stream while it is live', async (t) => {
    await on.live('probed');
    const viewer = await on.watch('probed');
    await reaches(viewer, 'live', 20000); // a whole segment is there
    const args = ['-v', 'error', '-show_streams', '-of', 'json', on.gateway.hlsUrl('probed')];
    const { stdout, stderr } = await run('ffprobe', args, { timeout: 30000 });
    assert.equal(stderr, '');
    const { streams } = JSON.parse(stdout);
    const video = streams.find((s) => s.codec_type === 'video');
    const audio = streams.find((s) => s.codec_type === 'audio');
    assert.equal(video.codec_name, 'h264');
    assert.deepEqual([video.width, video.height], [1280, 720]);
    assert.equal(audio.codec_name, 'aac');
    t.diagnostic(`${video.codec_name} ${video.profile} ${video.width}x${video.height}, aac`);
});
