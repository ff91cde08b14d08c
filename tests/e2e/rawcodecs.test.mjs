// rawpub publishes H.265, VP9 and AV1, one packet in twenty is lost: repairs bring all frames back, and
// what is too late costs no more than a key frame.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { assertClean, endedBy, playable, shown, withGateway } from './clients/realclient.mjs';
import { Publisher } from './publisher.mjs';

const TEST_MS = 90000;
const FRAMES = 150;

for (const codec of ['h265', 'vp9', 'av1']) {
    test(`COD-08 RTP-10 ${codec} plays although packets are lost`, { timeout: TEST_MS }, (t) =>
        withGateway({}, async (gateway) => {
            const { token } = await gateway.token('raw');
            const options = ['--codec', codec, '--rtx', '--loss', '5', '--seed', '7'];
            const publisher = new Publisher(gateway, 'raw', token, options);
            try {
                await publisher.sending();
                const repaired = (m) => m.video.frames > FRAMES && m.video.recovered_rtx > 0;
                const media = await shown(gateway, 'raw', repaired, 30000);
                const { video, audio } = await playable(gateway, 'raw');
                t.diagnostic(`${JSON.stringify(media.video)}, ${video.frames} decoded`);
                assert.equal(media.video.codec, codec);
                assert.equal(media.malformed, 0);
                assert.ok(media.video.key_frames >= 3);
                assert.deepEqual([video.codec_name, video.width, video.height], ['h264', 640, 360]);
                assert.ok(video.frames >= 15 && audio.frames > 10);
            } finally {
                await publisher.stop(); // it DELETEs
            }
            await endedBy(gateway, 'raw', 'deleted');
            assertClean(gateway);
        }));
}
