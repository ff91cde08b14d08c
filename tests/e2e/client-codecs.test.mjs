// GStreamer as a publisher of H.265 and VP9: Debian's whip-client, packetisers that are not ours, and
// H.265 with B-frames as well. No browser of Debian's sends H.265.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import {
    RealClient, assertClean, endedBy, playable, preloadForNice, shown, withGateway,
} from './clients/realclient.mjs';

const TEST_MS = 90000;
const PICTURE = 'videotestsrc is-live=true pattern=ball ! video/x-raw,format=I420,width=320,height=240,framerate=15/1';
const RTP = 'application/x-rtp,media';
const AUDIO = `audiotestsrc is-live=true ! audioconvert ! opusenc ! rtpopuspay ! ${RTP}=audio,encoding-name=OPUS,payload=100`;
const H265 = `h265parse ! rtph265pay config-interval=-1 mtu=600 ! ${RTP}=video,encoding-name=H265,payload=96`;
const CASES = [
    {
        name: 'H.265',
        codec: 'h265',
        video: `${PICTURE} ! x265enc tune=zerolatency speed-preset=ultrafast key-int-max=30 bitrate=400 ! ${H265}`,
    },
    {
        name: 'COD-07 H.265 with B-frames, its packets aggregated',
        codec: 'h265',
        video:
            `${PICTURE} ! x265enc speed-preset=ultrafast key-int-max=30 bitrate=400` +
            ` option-string=bframes=2:rc-lookahead=4:frame-threads=1 ! ` +
            H265.replace('mtu=600', 'aggregate-mode=max'),
    },
    {
        name: 'VP9',
        codec: 'vp9',
        video: `${PICTURE} ! vp9enc deadline=1 cpu-used=8 keyframe-max-dist=30 ! rtpvp9pay mtu=600 ! ${RTP}=video,encoding-name=VP9,payload=96`,
    },
];

let preload;
before(async () => {
    preload = await preloadForNice();
});
after(() => preload?.remove());

for (const { name, codec, video } of CASES) {
    test(`COD-08 COD-16 GStreamer publishes ${name}`, { timeout: TEST_MS }, (t) =>
        withGateway({}, async (gateway) => {
            const { token } = await gateway.token('gst');
            const url = `${gateway.base}/whip/gst`;
            const args = ['-u', url, '-t', token, '-o', '-n', '-l', '5', '-A', AUDIO, '-V', video];
            const client = new RealClient('whip-client', args, { LD_PRELOAD: preload.path });
            try {
                const media = await shown(
                    gateway,
                    'gst',
                    (m) => m.video.frames > 40 && m.video.key_frames > 1,
                    30000,
                ).catch((error) => {
                    error.message += `\n${client.output}`;
                    throw error;
                });
                const { video: got, audio } = await playable(gateway, 'gst');
                t.diagnostic(JSON.stringify({ ...media.video, decoded: got.frames }));
                assert.equal(media.video.codec, codec);
                assert.equal(got.codec_name, 'h264');
                assert.deepEqual([got.width, got.height], [320, 240]);
                assert.ok(got.frames >= 10, `${got.frames} frames`);
                assert.ok(audio.frames > 10);
                assert.equal(media.malformed, 0);
            } finally {
                await client.stop('SIGINT'); // it DELETEs
            }
            await endedBy(gateway, 'gst', 'deleted');
            assertClean(gateway);
        }));
}
