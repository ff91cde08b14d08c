// Chromium for the tests, and what is read out of the pages.

import { chromium } from 'playwright-core';

import { until } from './gateway.mjs';

const ARGS = [
    '--no-sandbox',
    '--disable-gpu',
    '--disable-dev-shm-usage',
    '--autoplay-policy=no-user-gesture-required',
    '--allow-loopback-in-peer-connection',
    '--use-fake-device-for-media-stream',
    '--use-fake-ui-for-media-stream',
    '--disable-background-networking',
    '--disable-background-timer-throttling',
    '--disable-renderer-backgrounding',
    '--disable-backgrounding-occluded-windows',
    '--disable-component-update',
    '--no-first-run',
];
const ONE_LINK = 24 * 60 * 60 * 1000;

export function launch() {
    const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
    return chromium.launch({ executablePath, headless: true, args: ARGS });
}

/** A page in a context of its own that remembers what its console and its policy complained of. */
export async function openPage(browser, url, options = {}) {
    const viewport = { width: 960, height: 640 };
    const context = await browser.newContext({ viewport, permissions: [], ...options });
    const page = await context.newPage();
    page.complaints = [];
    page.on('pageerror', (error) => page.complaints.push(`error: ${error.message}`));
    page.on('console', (message) => {
        // a playlist that is not there yet is how the pages find out; Chromium prints each 404
        const looking = /^Failed to load resource/.test(message.text());
        if (message.type() === 'error' && !looking) {
            page.complaints.push(`console: ${message.text()}`);
        }
    });
    await page.addInitScript(() => {
        window.violations = [];
        document.addEventListener('securitypolicyviolation', (event) =>
            window.violations.push(`${event.violatedDirective} ${event.blockedURI}`),
        );
    });
    await page.goto(url);
    return page;
}

export function seen(page) {
    return page.evaluate(() => {
        const plain = (key, value) => (key === 'player' ? undefined : value);
        return JSON.parse(JSON.stringify(window.sluice, plain));
    });
}

/** Waits until the page says it is in this state; tells what it said instead. */
export async function reaches(page, state, limitMs = 15000) {
    try {
        await page.waitForFunction((s) => window.sluice?.state === s, state, {
            timeout: limitMs,
            polling: 50,
        });
    } catch {
        throw new Error(`not ${state} within ${limitMs} ms: ${JSON.stringify(await seen(page))}`);
    }
    return seen(page);
}

/** Opens the publish page with the test picture and presses Go live. */
export async function publish(browser, gateway, stream, token, query = '') {
    const url = gateway.publishUrl(stream, token, `?source=test${query}`);
    const page = await openPage(browser, url);
    await page.getByRole('button', { name: 'Go live' }).click();
    return page;
}

export function percentile(values, share) {
    const sorted = [...values].sort((a, b) => a - b);
    return sorted[Math.floor((sorted.length - 1) * share)];
}

/**
 * Reads the clock in each painted frame for some seconds (testpicture.js describes it):
 * { frames, p50, p95, max, gapMax, stalls }, all in ms but the counts.
 */
export async function measureLatency(page, seconds) {
    const before = await seen(page);
    const samples = await page.evaluate(
        ([ms, oneLink]) =>
            new Promise((resolve) => {
                const video = document.querySelector('video');
                const canvas = document.createElement('canvas');
                const ctx = canvas.getContext('2d', { willReadFrequently: true });
                const out = [];
                const end = performance.now() + ms;
                const frame = (now, { expectedDisplayTime }) => {
                    const side = Math.floor(video.videoWidth / 24);
                    Object.assign(canvas, { width: side * 24, height: side * 2 });
                    const { width, height } = canvas;
                    ctx.drawImage(video, 0, 0, width, height, 0, 0, width, height);
                    const { data } = ctx.getImageData(0, 0, width, height);
                    let clock = 0;
                    for (let bit = 0; bit < 48; bit++) {
                        const x = Math.floor(((bit % 24) + 0.5) * side);
                        const y = Math.floor((Math.floor(bit / 24) + 0.5) * side);
                        clock = clock * 2 + (data[(y * width + x) * 4 + 1] > 127 ? 1 : 0);
                    }
                    const shown = performance.timeOrigin + expectedDisplayTime;
                    if (Math.abs(shown - clock) < oneLink) {
                        out.push([shown, clock, video.currentTime]);
                    }
                    if (performance.now() < end) {
                        video.requestVideoFrameCallback(frame);
                    } else {
                        resolve(out);
                    }
                };
                video.requestVideoFrameCallback(frame);
                setTimeout(() => resolve(out), ms + 2000);
            }),
        [seconds * 1000, ONE_LINK],
    );
    const after = await seen(page);
    const late = samples.map(([shown, clock]) => shown - clock);
    const gaps = samples.slice(1).map(([shown], n) => shown - samples[n][0]);
    return {
        frames: samples.length,
        p50: Math.round(percentile(late, 0.5)),
        p95: Math.round(percentile(late, 0.95)),
        max: Math.round(Math.max(...late)),
        gapMax: Math.round(Math.max(...gaps)),
        stalls: after.stalls - before.stalls,
        samples,
    };
}

/**
 * How far the beeps are from the pictures of their second: plays the page's sound through an
 * analyser. Gives the skews in ms (positive: sound late), one for each beep heard.
 */
export async function measureSkew(page, seconds) {
    return page.evaluate(
        (ms) =>
            new Promise((resolve) => {
                const video = document.querySelector('video');
                video.muted = false;
                const audio = new AudioContext();
                const source = audio.createMediaElementSource(video);
                const processor = audio.createScriptProcessor(256, 1, 1);
                source.connect(processor);
                processor.connect(audio.destination);
                const onsets = [];
                const frames = [];
                let quiet = true;
                processor.onaudioprocess = ({ inputBuffer, playbackTime }) => {
                    const data = inputBuffer.getChannelData(0);
                    const at = data.findIndex((x) => Math.abs(x) > 0.05);
                    if (at >= 0 && quiet) {
                        const { contextTime, performanceTime } = audio.getOutputTimestamp();
                        const when = playbackTime + at / audio.sampleRate - contextTime;
                        onsets.push(performanceTime + when * 1000);
                    }
                    quiet = at < 0 && data.every((x) => Math.abs(x) < 0.02);
                };
                const canvas = document.createElement('canvas');
                const ctx = canvas.getContext('2d', { willReadFrequently: true });
                const frame = (now, { expectedDisplayTime }) => {
                    const side = Math.floor(video.videoWidth / 24);
                    Object.assign(canvas, { width: side * 24, height: side * 2 });
                    ctx.drawImage(video, 0, 0, side * 24, side * 2, 0, 0, side * 24, side * 2);
                    const { data } = ctx.getImageData(0, 0, side * 24, side * 2);
                    let clock = 0;
                    for (let bit = 0; bit < 48; bit++) {
                        const x = Math.floor(((bit % 24) + 0.5) * side);
                        const y = Math.floor((Math.floor(bit / 24) + 0.5) * side);
                        clock = clock * 2 + (data[(y * side * 24 + x) * 4 + 1] > 127 ? 1 : 0);
                    }
                    frames.push([expectedDisplayTime, clock]);
                    video.requestVideoFrameCallback(frame);
                };
                video.requestVideoFrameCallback(frame);
                setTimeout(() => {
                    const skews = onsets.flatMap((at) => {
                        const shown = frames.filter(([t]) => t <= at).pop();
                        if (!shown) {
                            return [];
                        }
                        const clock = shown[1] + (at - shown[0]);
                        const second = Math.round(clock / 1000) * 1000;
                        return [Math.round(clock - second)];
                    });
                    resolve(skews);
                }, ms);
            }),
        seconds * 1000,
    );
}

/** Complaints of a page's console and policy; empty when all is well. */
export async function complaints(page) {
    const violations = await page.evaluate(() => window.violations);
    return [...page.complaints, ...violations];
}

export { until };
