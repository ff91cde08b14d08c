// GStreamer as a publisher: Debian's whip-client (package simple-whip-client), and webrtcbin through Python,
// with what whipclientsink adds to its offer. Both run with tests/support/preload/no_igd.c, which keeps
// libnice on the loopback and lets whip-client start at all.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import {
    RealClient, assertClean, endedBy, keepOffer, playable, preloadForNice, repaired, shown, until,
    withGateway, withLoss,
} from './clients/realclient.mjs';

const TEST_MS = 90000;
const PICTURE =
    'videotestsrc is-live=true pattern=ball ! video/x-raw,width=320,height=240,framerate=30/1';
const RTP = 'application/x-rtp,media';
const AUDIO =
    'audiotestsrc is-live=true ! audioconvert ! opusenc ! rtpopuspay' +
    ` ! ${RTP}=audio,encoding-name=OPUS,payload=100`;
const VIDEO = {
    h264:
        `${PICTURE} ! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=60 bitrate=400` +
        ' ! video/x-h264,profile=constrained-baseline ! rtph264pay config-interval=-1' +
        ` ! ${RTP}=video,encoding-name=H264,payload=96`,
    vp8:
        `${PICTURE} ! vp8enc deadline=1 keyframe-max-dist=60 ! rtpvp8pay` +
        ` ! ${RTP}=video,encoding-name=VP8,payload=96`,
};

let preload;
before(async () => {
    preload = await preloadForNice();
});
after(() => preload?.remove());

/** The offer that whip-client prints at this log level, with its CRLF. */
function offerOf(output) {
    const text = /Sending SDP offer[^]*?\n(v=0[^]*?)\s*\[WHIP\] Resource URL/.exec(output)?.[1];
    return text && `${text.split(/\r?\n/).join('\r\n')}\r\n`;
}

for (const codec of ['h264', 'vp8']) {
    for (const trickle of [true, false]) {
        const how = trickle ? 'trickling' : 'with its candidates in the offer';
        test(`COD-14 COD-16 whip-client publishes ${codec}, ${how}`, { timeout: TEST_MS }, () =>
            withGateway({}, async (gateway) => {
                const { token } = await gateway.token('gst');
                const client = new RealClient(
                    'whip-client',
                    ['-u', `${gateway.base}/whip/gst`, '-t', token, '-o', '-l', '7', '-A', AUDIO,
                        '-V', VIDEO[codec], ...(trickle ? [] : ['-n'])],
                    { LD_PRELOAD: preload.path },
                );
                try {
                    await until('an offer', () => offerOf(client.output) || client.process.exitCode !== null);
                    assert.equal(client.process.exitCode, null, client.output);
                    if (trickle) {
                        await keepOffer(`gstreamer${codec === 'h264' ? '' : '_vp8'}`, offerOf(client.output));
                    }
                    await seen(gateway, 'gst', codec);
                    assert.match(client.output, /PeerConnection connected/);
                    assert.doesNotMatch(client.output, /\[(ERR|FATAL|WARN)\]/i);
                } finally {
                    await client.stop('SIGINT'); // it DELETEs
                }
                await endedBy(gateway, 'gst', 'deleted');
                assertClean(gateway);
            }));
    }

    test(`BUG-22 COD-16 webrtcbin publishes ${codec} by a sendrecv offer`, { timeout: TEST_MS }, () =>
        withGateway({}, async (gateway) => {
            const { token } = await gateway.token('bin');
            const url = `${gateway.base}/whip/bin`;
            const client = RealClient.python('gst_publish.py', [url, token, codec], {
                LD_PRELOAD: preload.path,
            });
            try {
                const { sdp } = await client.event('offer');
                assert.match(sdp, /^a=sendrecv\r?$/m);
                await keepOffer(`gstreamer_rtx_${codec}`, sdp);
                assert.equal((await client.event('answer')).status, 201);
                const media = await seen(gateway, 'bin', codec);
                assert.equal(media.feedback, 'transport-cc');
                assert.equal(await client.stop(), 0, client.output);
                assert.equal((await client.event('deleted')).status, 200); // WHIP-30
                await endedBy(gateway, 'bin', 'deleted');
                assertClean(gateway);
            } finally {
                await client.stop('SIGKILL');
            }
        }));
}

test('COD-12 RTP-07 webrtcbin repairs its losses by RTX', { timeout: TEST_MS }, (t) =>
    withGateway({}, (gateway) =>
        withLoss(gateway, async (port) => {
            const { token } = await gateway.token('lossy');
            const url = `${gateway.base}/whip/lossy`;
            const client = RealClient.python('gst_publish.py', [url, token, 'vp8'], {
                LD_PRELOAD: preload.path,
                MEDIA_PORT: port,
            });
            try {
                t.diagnostic(JSON.stringify(await repaired(gateway, 'lossy')));
                assert.equal(await client.stop(), 0, client.output);
                assertClean(gateway);
            } finally {
                await client.stop('SIGKILL');
            }
        }),
    ));

/** The stream plays and is counted; gives the counters. */
async function seen(gateway, stream, codec) {
    const { video, audio } = await playable(gateway, stream);
    assert.equal(video.codec_name, 'h264');
    assert.deepEqual([video.width, video.height], [320, 240]);
    assert.ok(video.frames > 5 && audio.frames > 10, JSON.stringify({ video, audio }));
    const media = await shown(gateway, stream, (m) => m.video.frames > 60 && m.audio.frames > 60);
    assert.equal(media.client, 'GStreamer');
    assert.deepEqual([media.video.codec, media.audio.codec], [codec, 'opus']);
    assert.equal(media.video.lost + media.audio.lost, 0);
    return media;
}
