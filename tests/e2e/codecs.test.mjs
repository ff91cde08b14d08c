// The codecs beside H.264 and VP8, from a browser's encoder to the playlist: COD-08. Spatial layers
// too: the largest is what viewers get.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

import { reaches } from './browser.mjs';
import { mediaPlaylists, mediaUris } from './hls.mjs';
import { stage, until } from './stage.mjs';

const run = promisify(execFile);
const WIDTH = 320;
const HEIGHT = 180;
const FPS = 10; // AV1 in software is slow
const PARTS = 12;
const on = stage();

/** Publishes a canvas in one codec from inside a page of the gateway; window.pc is what sends. */
function publishCanvas({ url, token, mime, match, mode, width, height, fps }) {
    const canvas = Object.assign(document.createElement('canvas'), { width, height });
    const context = canvas.getContext('2d');
    let count = 0;
    setInterval(() => {
        context.fillStyle = `hsl(${(count * 7) % 360} 60% 50%)`;
        context.fillRect(0, 0, width, height);
        context.fillStyle = 'white';
        context.fillRect((count * 5) % width, height / 4, width / 8, height / 2);
        count++;
    }, 1000 / fps);
    const [track] = canvas.captureStream(fps).getTracks();
    const pc = new RTCPeerConnection();
    window.pc = pc;
    const encoding = mode ? { scalabilityMode: mode } : {};
    const transceiver = pc.addTransceiver(track, {
        direction: 'sendonly',
        sendEncodings: [{ ...encoding, maxBitrate: 2000000 }],
    });
    const codecs = RTCRtpSender.getCapabilities('video').codecs;
    const wanted = codecs.filter(
        (c) => c.mimeType === mime && (!match || c.sdpFmtpLine?.includes(match)),
    );
    const helpers = codecs.filter((c) => c.mimeType === 'video/rtx');
    transceiver.setCodecPreferences([...wanted, ...helpers]);
    const gathered = new Promise((resolve) => {
        pc.onicegatheringstatechange = () => pc.iceGatheringState === 'complete' && resolve();
    });
    const offered = async () => {
        const parameters = transceiver.sender.getParameters();
        parameters.degradationPreference = 'maintain-resolution';
        await transceiver.sender.setParameters(parameters);
        await pc.setLocalDescription();
        await gathered;
        const headers = { 'Content-Type': 'application/sdp', Authorization: `Bearer ${token}` };
        const body = pc.localDescription.sdp;
        const answer = await fetch(url, { method: 'POST', headers, body });
        const sdp = await answer.text();
        if (answer.status !== 201) {
            throw new Error(`${answer.status} ${sdp}`);
        }
        await pc.setRemoteDescription({ type: 'answer', sdp });
    };
    return offered();
}

/** What the browser says it sends: { codec, width, mode, frames, keys }. */
async function sending(page) {
    return page.evaluate(async () => {
        const report = await window.pc.getStats();
        const out = [...report.values()].filter((entry) => entry.type === 'outbound-rtp');
        const largest = out.sort((a, b) => (b.frameWidth ?? 0) - (a.frameWidth ?? 0))[0];
        return {
            codec: report.get(largest?.codecId)?.mimeType,
            width: largest?.frameWidth,
            mode: largest?.scalabilityMode,
            frames: largest?.framesSent,
        };
    });
}

/** What a player decodes of the playlist's parts: { codec_name, width, height, nb_read_frames }. */
async function decoded(stream) {
    const [video] = await mediaPlaylists(on.gateway.hlsUrl(stream));
    const uris = await mediaUris(video);
    const dir = await mkdtemp(path.join(tmpdir(), 'sluice-codecs-'));
    try {
        const bodies = [];
        for (const uri of uris) {
            bodies.push(Buffer.from(await (await fetch(uri)).arrayBuffer()));
        }
        const file = path.join(dir, 'media.mp4');
        await writeFile(file, Buffer.concat(bodies));
        const entries = 'stream=codec_name,width,height,nb_read_frames';
        const words = ['-v', 'error', '-count_frames', '-of', 'json', '-show_entries', entries];
        const { stdout, stderr } = await run('ffprobe', [...words, file]);
        return { ...JSON.parse(stdout).streams[0], stderr };
    } finally {
        await rm(dir, { recursive: true });
    }
}

/** A page that publishes and watches the stream. */
async function start(stream, how) {
    const { token } = await on.gateway.token();
    const page = await on.watch(stream);
    const url = `${on.gateway.base}/whip/${stream}`;
    const size = { width: WIDTH, height: HEIGHT };
    await page.evaluate(publishCanvas, { ...size, fps: FPS, url, token, ...how });
    return page;
}

async function publishes(t, stream, how) {
    const page = await start(stream, how);
    await until(
        `${PARTS} parts`,
        async () => {
            const [video] = await mediaPlaylists(on.gateway.hlsUrl(stream));
            return video && (await mediaUris(video)).length > PARTS;
        },
        30000,
    );
    const sent = await sending(page);
    const got = await decoded(stream);
    t.diagnostic(`${stream}: sent ${JSON.stringify(sent)}, decoded ${JSON.stringify(got)}`);
    assert.equal(sent.codec, how.mime);
    assert.equal(got.codec_name, 'h264');
    assert.equal(got.width, how.width ?? WIDTH);
    assert.equal(got.height, how.height ?? HEIGHT);
    assert.ok(Number(got.nb_read_frames) >= PARTS, `${got.nb_read_frames} frames`);
    assert.equal(got.stderr, '');
    await reaches(page, 'live', 20000); // the page watches what it publishes
    await page.evaluate(() => window.pc.close());
    return sent;
}

on.test('COD-08 VP9 plays', (t) =>
    publishes(t, 'vp9', { mime: 'video/VP9', match: 'profile-id=0' }),
);

on.test('COD-08 AV1 plays', (t) => publishes(t, 'av1', { mime: 'video/AV1', match: 'profile=0' }));

on.test('COD-08 VP9 with three spatial and three temporal layers plays in full size', async (t) => {
    const how = { mime: 'video/VP9', match: 'profile-id=0', mode: 'L3T3', width: 960, height: 540 };
    const sent = await publishes(t, 'vp9-svc', how);
    assert.equal(sent.mode, 'L3T3');
});

on.test('COD-08 VP9 with layers that are joined in key frames only plays', async (t) => {
    const size = { width: 640, height: 360 };
    const how = { mime: 'video/VP9', match: 'profile-id=0', mode: 'L2T2_KEY', ...size };
    const sent = await publishes(t, 'vp9-ksvc', how);
    assert.equal(sent.mode, 'L2T2_KEY');
});

on.test('COD-08 AV1 with temporal layers plays', async (t) => {
    const how = { mime: 'video/AV1', match: 'profile=0', mode: 'L1T3' };
    const sent = await publishes(t, 'av1-temporal', how);
    assert.equal(sent.mode, 'L1T3');
});

on.test('COD-08 AV1 with two spatial layers plays in full size', async (t) => {
    const how = { mime: 'video/AV1', match: 'profile=0', mode: 'L2T1', width: 640, height: 360 };
    const sent = await publishes(t, 'av1-svc', how);
    assert.equal(sent.mode, 'L2T1');
});

/** Lets the sender use that many bit/s: layers come and go without a key frame. */
function limit(page, maxBitrate) {
    return page.evaluate(async (value) => {
        const [sender] = window.pc.getSenders();
        const parameters = sender.getParameters();
        parameters.encodings[0].maxBitrate = value;
        await sender.setParameters(parameters);
    }, maxBitrate);
}

const MODES = [
    { mime: 'video/VP9', match: 'profile-id=0', mode: 'L2T1' },
    { mime: 'video/VP9', match: 'profile-id=0', mode: 'L2T2_KEY' },
    { mime: 'video/AV1', match: 'profile=0', mode: 'L2T1' },
];
for (const how of MODES) {
    const name = `${how.mime.slice(6)} ${how.mode}`;
    on.test(`COD-05 COD-08 a layer of ${name} goes and comes back`, async (t) => {
        const stream = name.replace(/\W/, '-');
        const page = await start(stream, { ...how, width: 640, height: 360 });
        const formats = () =>
            on.gateway.lines.filter((line) => / transcode video_format /.test(line));
        const before = formats().length;
        const shows = (width) => {
            const words = `width=${width} `;
            return until(`pictures ${words}`, () => formats().pop()?.includes(words), 40000);
        };
        await reaches(page, 'live', 20000);
        await shows(640);
        await limit(page, 60000);
        await shows(320);
        await limit(page, 2000000);
        await shows(640);
        await reaches(page, 'live', 20000);
        const { media } = await on.gateway.ctl('stream', 'show', stream);
        t.diagnostic(`${formats().length - before} formats, ${JSON.stringify(media.video)}`);
        assert.equal(media.malformed, 0);
        assert.ok(media.video.key_frames < 10, `${media.video.key_frames} key frames`);
    });
}
