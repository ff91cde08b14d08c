// Firefox ESR as a publisher, from our own page. Debian's has no H.264 (its OpenH264 is a download), so VP8
// and what COD-17 says of it.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { Firefox } from './clients/firefox.mjs';
import {
    assertClean, endedBy, keepOffer, playable, shown, until, withGateway,
} from './clients/realclient.mjs';

const TEST_MS = 120000;
let firefox;
before(async () => {
    firefox = await Firefox.launch();
});
after(() => firefox?.close());

/** Opens the publish page, keeps offer and answer in it, presses Go live. */
async function goLive(gateway, stream, token, query = '') {
    await firefox.open(gateway.publishUrl(stream, token, `?source=test${query}`));
    await firefox.evaluate(() => {
        const set = RTCPeerConnection.prototype.setRemoteDescription;
        RTCPeerConnection.prototype.setRemoteDescription = function (description) {
            window.seen = { offer: this.localDescription.sdp, answer: description.sdp, pc: this };
            return set.call(this, description);
        };
    });
    await until('the page is ready', () =>
        firefox.evaluate(() => window.sluice?.state === 'idle'), 20000);
    await firefox.click('Go live');
    const state = () => firefox.evaluate(() => JSON.stringify(window.sluice));
    await until('live', async () => JSON.parse(await state()).state === 'live', 40000).catch(
        async (error) => {
            throw new Error(`${error.message} ${await state()}`);
        },
    );
}

test('COD-17 COD-16 WHIP-79 Firefox publishes VP8', { timeout: TEST_MS }, () =>
    withGateway({}, async (gateway) => {
        const { token } = await gateway.token('fox');
        await goLive(gateway, 'fox', token);
        const { offer } = await firefox.evaluate(() => ({ offer: window.seen.offer }));
        await keepOffer('firefox_vp8', offer);
        assert.doesNotMatch(offer, /H264/);
        const { video, audio } = await playable(gateway, 'fox');
        assert.equal(video.codec_name, 'h264');
        assert.ok(video.frames > 5 && audio.frames > 10);
        const media = await shown(gateway, 'fox', (m) => m.video.frames > 60 && m.audio.frames > 60);
        assert.equal(media.client, 'Firefox');
        console.log(JSON.stringify(media));
        await firefox.click('Stop');
        await endedBy(gateway, 'fox', 'deleted');
        assertClean(gateway);
    }));
