// aiortc as a publisher (Debian's python3-aiortc): a full ICE agent in Python, VP8 and H.264, REMB.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import {
    RealClient, assertClean, endedBy, keepOffer, playable, repaired, shown, withGateway, withLoss,
} from './clients/realclient.mjs';

const TEST_MS = 90000;

async function publish(gateway, stream, { codec = 'h264', kinds = 'av', env }, work) {
    const { token } = await gateway.token(stream);
    const url = `${gateway.base}/whip/${stream}`;
    const client = RealClient.python('aiortc_publish.py', [url, token, codec, kinds], env);
    try {
        const answer = await client.event('answer');
        assert.equal(answer.status, 201, answer.sdp);
        await work(client, answer);
        assert.equal(await client.stop(), 0, client.output);
        assert.equal((await client.event('deleted')).status, 200); // WHIP-30
        await endedBy(gateway, stream, 'deleted');
        assertClean(gateway);
    } finally {
        await client.stop('SIGKILL');
    }
}

for (const codec of ['h264', 'vp8']) {
    test(`COD-16 COD-18 aiortc publishes ${codec} and Opus`, { timeout: TEST_MS }, () =>
        withGateway({}, (gateway) =>
            publish(gateway, 'py', { codec }, async (client) => {
                await keepOffer(`aiortc_${codec}`, (await client.event('offer')).sdp);
                const { video, audio } = await playable(gateway, 'py');
                assert.equal(video.codec_name, 'h264');
                assert.deepEqual([video.width, video.height], [320, 240]);
                assert.ok(video.frames > 5 && audio.frames > 10, JSON.stringify({ video, audio }));
                assert.equal(audio.codec_name, 'aac');
                const media = await shown(gateway, 'py', (m) => m.video.frames > 60);
                assert.equal(media.client, 'aiortc');
                assert.equal(media.feedback, 'remb'); // it offers no transport-cc
                assert.deepEqual([media.video.codec, media.audio.codec], [codec, 'opus']);
                assert.equal(media.video.lost + media.audio.lost, 0);
            }),
        ));
}

test('BUG-30 aiortc publishes audio only, video only', { timeout: TEST_MS }, () =>
    withGateway({}, async (gateway) => {
        await publish(gateway, 'sound', { kinds: 'audio' }, async () => {
            const { video, audio } = await playable(gateway, 'sound');
            assert.equal(video, undefined);
            assert.ok(audio.frames > 10);
        });
        await publish(gateway, 'picture', { kinds: 'video' }, async () => {
            const { video, audio } = await playable(gateway, 'picture');
            assert.equal(audio, undefined);
            assert.ok(video.frames > 5);
        });
    }));

test('WHIP-73 aiortc is told of the end by the server', { timeout: TEST_MS }, () =>
    withGateway({}, async (gateway) => {
        const { token } = await gateway.token('cut');
        const client = RealClient.python('aiortc_publish.py', [`${gateway.base}/whip/cut`, token]);
        try {
            await shown(gateway, 'cut', (m) => m.video.frames > 10);
            await gateway.ctl('stream', 'kick', 'cut');
            await endedBy(gateway, 'cut', 'kicked');
            await client.event('keys', { state: 'closed' }); // by our close_notify
            await client.stop();
            assert.equal((await client.event('deleted')).status, 404); // WHIP-22
        } finally {
            await client.stop('SIGKILL');
        }
    }));

test('COD-12 RTP-07 aiortc repairs its losses by RTX', { timeout: TEST_MS }, (t) =>
    withGateway({}, (gateway) =>
        withLoss(gateway, (port) =>
            publish(
                gateway,
                'lossy',
                { codec: 'vp8', kinds: 'video', env: { MEDIA_PORT: port } },
                async () => t.diagnostic(JSON.stringify(await repaired(gateway, 'lossy'))),
            ),
        ),
    ));
