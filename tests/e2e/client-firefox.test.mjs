// Firefox ESR as a publisher: from our own page, and with offers that our page does not make. Debian's has no
// H.264 (its OpenH264 is a download), so VP8 and what COD-17 says of it.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { Firefox } from './clients/firefox.mjs';
import { deleteRaw, publishRaw, sentLayers } from './clients/rawpage.mjs';
import {
    assertClean, endedBy, keepOffer, playable, playableAt, repaired, shown, until,
    withGateway, withLoss,
} from './clients/realclient.mjs';

const TEST_MS = 120000;
let firefox;
before(async () => {
    firefox = await Firefox.launch();
});
after(() => firefox?.close());

/** Opens the publish page and presses Go live; gives the offer that it posted. */
async function goLive(gateway, stream, token, query) {
    await firefox.open(gateway.publishUrl(stream, token, query));
    await until('the page is ready', () => firefox.evaluate(() => window.sluice?.state === 'idle'));
    await firefox.evaluate(() => {
        const original = window.fetch;
        window.fetch = (url, how) => {
            window.posted = how?.method === 'POST' ? how.body : window.posted;
            return original(url, how);
        };
    });
    await firefox.click('Go live');
    const state = () => firefox.evaluate(() => JSON.stringify(window.sluice));
    await until('live', async () => JSON.parse(await state()).state === 'live', 40000).catch(
        async (error) => {
            throw new Error(`${error.message} ${await state()}`);
        },
    );
    return firefox.evaluate(() => window.posted);
}

/** The stream plays and is counted; gives the counters. */
async function seen(gateway, stream) {
    const { video, audio } = await playable(gateway, stream);
    assert.equal(video.codec_name, 'h264');
    assert.ok(video.frames > 5 && audio.frames > 10, JSON.stringify({ video, audio }));
    const media = await shown(gateway, stream, (m) => m.video.frames > 30 && m.audio.frames > 60);
    assert.equal(media.client, 'Firefox');
    assert.equal(media.feedback, 'transport-cc');
    assert.equal(media.video.lost + media.audio.lost, 0);
    return media;
}

const SOURCES = [
    { name: 'a canvas as VP8', query: '?source=test&codec=vp8', codecs: ['vp8'] },
    // what the gateway likes best of what this Firefox has
    { name: 'camera and microphone', query: '', codecs: ['h264', 'vp8'], keep: 'firefox_vp8' },
];
for (const { name, query, codecs, keep } of SOURCES) {
    test(`COD-16 COD-17 SEC-03 Firefox publishes ${name}`, { timeout: TEST_MS }, () =>
        withGateway({}, async (gateway) => {
            const { token } = await gateway.token('fox');
            const offer = await goLive(gateway, 'fox', token, query);
            const media = await seen(gateway, 'fox');
            assert.ok(codecs.includes(media.video.codec), media.video.codec);
            if (keep && !/H264/.test(offer)) {
                await keepOffer(keep, offer);
            }
            assert.match(offer, /^m=\S+ 0 .*\r\n(.*\r\n)*?a=bundle-only/m); // WHIP-79: and yet alive
            await firefox.click('Stop');
            await endedBy(gateway, 'fox', 'deleted');
            assertClean(gateway);
        }));
}

test('WHIP-74 Firefox leaves the page: its DELETE still comes', { timeout: TEST_MS }, () =>
    withGateway({}, async (gateway) => {
        const { token } = await gateway.token('left');
        await goLive(gateway, 'left', token, '?source=test');
        await firefox.open('about:blank');
        await endedBy(gateway, 'left', 'deleted');
    }));

/** Publishes from a page of the gateway by a few lines of script. */
async function raw(gateway, stream, how) {
    const { token } = await gateway.token(stream);
    await firefox.open(`${gateway.base}/watch/nobody`);
    const url = `${gateway.base}/whip/${stream}`;
    const got = await firefox.evaluate(publishRaw, { url, token, ...how });
    assert.equal(got.status, 201, got.body);
    return got;
}

async function end(gateway, stream) {
    assert.equal(await firefox.evaluate(deleteRaw), 200); // WHIP-30
    await endedBy(gateway, stream, 'deleted');
    assertClean(gateway);
}

test('BUG-22 WHIP-81 Firefox by a sendrecv offer', { timeout: TEST_MS }, () =>
    withGateway({}, async (gateway) => {
        const { offer } = await raw(gateway, 'both', { direction: 'sendrecv', codec: 'video/VP8' });
        await keepOffer('firefox_sendrecv', offer);
        await seen(gateway, 'both');
        await end(gateway, 'both');
    }));

test('WHIP-94 RTP-02 Firefox sends three layers: all arrive, the largest plays', { timeout: TEST_MS }, (t) =>
    withGateway({}, async (gateway) => {
        const { offer, answer } = await raw(gateway, 'layers', {
            kinds: 'video', codec: 'video/VP8', rids: ['q', 'h', 'f'],
            size: [960, 540], fps: 15, maxBitrate: 900000,
        });
        await keepOffer('firefox_simulcast', offer);
        assert.match(answer, /^a=simulcast:recv q;h;f\r$/m);
        await until('every layer is sent', async () => {
            const layers = await firefox.evaluate(sentLayers);
            return layers.length === 3 && layers.every((layer) => layer.packets > 50);
        }, 40000, 200);
        const media = await shown(gateway, 'layers', (m) => m.video.layers === 3 && m.width === 960);
        t.diagnostic(JSON.stringify(media.video));
        await playableAt(gateway, 'layers', [960, 540]);
        await end(gateway, 'layers');
    }));

test('COD-12 RTP-07 Firefox repairs its losses by RTX', { timeout: TEST_MS }, (t) =>
    withGateway({}, (gateway) =>
        withLoss(gateway, async (port) => {
            await raw(gateway, 'lossy', { kinds: 'video', codec: 'video/VP8', detail: 30, port });
            t.diagnostic(JSON.stringify(await repaired(gateway, 'lossy')));
            await end(gateway, 'lossy');
        }),
    ));
