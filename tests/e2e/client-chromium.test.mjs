// Chromium as a publisher beyond what our own page does (latency, codecs and pages tests have that): several
// layers, other feedback, one kind only, stereo and silence.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

import { reaches } from './browser.mjs';
import { deleteRaw, publishRaw, sentLayers } from './clients/rawpage.mjs';
import { assertClean, endedBy, playable, playableAt, shown } from './clients/realclient.mjs';
import { mediaPlaylists } from './hls.mjs';
import { mediaPlaylist, stage, until } from './stage.mjs';

const run = promisify(execFile);
const on = stage();

/** Publishes from a page of the gateway; gives { page, ...what publishRaw gives }. */
async function publish(stream, how) {
    const { token } = await on.gateway.token(stream);
    const page = await on.open(`${on.gateway.base}/watch/nobody`);
    const url = `${on.gateway.base}/whip/${stream}`;
    const got = await page.evaluate(publishRaw, { url, token, ...how });
    assert.equal(got.status, 201, got.body);
    return { page, token, ...got };
}

async function end(stream, page) {
    assert.equal(await page.evaluate(deleteRaw), 200); // WHIP-30
    await endedBy(on.gateway, stream, 'deleted');
    assertClean(on.gateway);
}

for (const codec of ['H264', 'VP8']) {
    on.test(`WHIP-94 RTP-02 three layers of ${codec}: all arrive, the largest plays`, async (t) => {
        const stream = `layers-${codec.toLowerCase()}`;
        const { page, offer, answer } = await publish(stream, {
            kinds: 'video', codec: `video/${codec}`, rids: ['q', 'h', 'f'],
            size: [960, 540], fps: 15, maxBitrate: 900000,
        });
        assert.doesNotMatch(offer, /^a=ssrc:/m);
        assert.match(answer, /^a=simulcast:recv q;h;f\r$/m);
        const flowing = () => page.evaluate(sentLayers);
        await until('every layer is sent', async () => {
            const layers = await flowing();
            return layers.length === 3 && layers.every((layer) => layer.packets > 50);
        }, 40000, 200);
        const media = await shown(on.gateway, stream, (m) => m.video.layers === 3 && m.width === 960);
        t.diagnostic(`${JSON.stringify(await flowing())} ${JSON.stringify(media.video)}`);
        assert.equal(media.video.codec, codec.toLowerCase());
        await playableAt(on.gateway, stream, [960, 540]);
        await end(stream, page);
    });
}

const FEEDBACKS = {
    'transport-cc': '',
    remb: 'transport-cc|transport-wide-cc',
    none: 'transport-cc|transport-wide-cc|goog-remb',
};

/** A publisher that must find out by itself what the path carries; gives its page and its stream. */
async function climber(feedback, attempt) {
    const stream = `${feedback}-${attempt}`;
    const { page, answer } = await publish(stream, {
        kinds: 'video', size: [480, 270], detail: 60, maxBitrate: 2000000, fps: 20,
        strip: FEEDBACKS[feedback], modest: true,
    });
    assert.equal(/transport-cc/.test(answer), feedback === 'transport-cc');
    const media = await shown(on.gateway, stream);
    assert.equal(media.feedback, feedback);
    return { page, stream };
}

/** Which of two gets there first: one with feedback, one that has only the receiver reports and adds
 * 8 % a second. Their target bitrates then. */
async function race(feedback, attempt) {
    const target = async ({ page }) => (await page.evaluate(sentLayers))[0]?.target ?? 0;
    const slow = await climber('none', `${feedback}-${attempt}`);
    const fast = await climber(feedback, attempt);
    const result = await until('one of them grows', async () => {
        const [high, low] = [await target(fast), await target(slow)];
        return (high > 1200000 || low > 700000) && { high, low };
    }, 40000, 100);
    await end(fast.stream, fast.page);
    await end(slow.stream, slow.page);
    return result;
}

for (const feedback of ['transport-cc', 'remb']) {
    on.test(`RTP-14 COD-13 by ${feedback} the bitrate grows`, async (t) => {
        // on a busy machine Chromium's first probes may tell it nothing, hence several attempts
        for (let attempt = 1; attempt <= 3; attempt++) {
            const { high, low } = await race(feedback, attempt);
            t.diagnostic(`attempt ${attempt}: ${high} bit/s with ${feedback}, ${low} without`);
            if (high > 2 * low) {
                return;
            }
        }
        assert.fail(`it grows no faster with ${feedback}`);
    });
}

on.test('BUG-30 video alone', async () => {
    const { page } = await publish('mute', { kinds: 'video' });
    const { video, audio } = await playable(on.gateway, 'mute');
    assert.ok(video.frames > 3);
    assert.equal(audio, undefined);
    await end('mute', page);
});

on.test('BUG-30 audio alone', async () => {
    const { page } = await publish('radio', { kinds: 'audio' });
    const { video, audio } = await playable(on.gateway, 'radio');
    assert.ok(audio.frames > 10);
    assert.equal(video, undefined);
    await end('radio', page);
});

on.test('COD-09 stereo stays stereo', async (t) => {
    const { page, answer } = await publish('stereo', { kinds: 'audio', sound: 'left' });
    assert.match(answer, /^a=fmtp:\d+ .*stereo=1/m);
    await playable(on.gateway, 'stereo');
    const { stderr } = await run(
        'ffmpeg',
        ['-nostdin', '-hide_banner', '-i', on.gateway.hlsUrl('stereo'), '-t', '1',
            '-af', 'astats=measure_overall=none:measure_perchannel=RMS_level', '-f', 'null', '-'],
        { timeout: 30000 },
    );
    const levels = [...stderr.matchAll(/RMS level dB: (\S+)/g)].map(([, level]) => Number(level));
    t.diagnostic(`RMS of left and right: ${levels} dB`);
    assert.equal(levels.length, 2, stderr);
    assert.ok(levels[0] > -30);
    assert.ok(!(levels[1] > levels[0] - 25), 'the right channel is silent');
    await end('stereo', page);
});

on.test('COD-09 silence that is not sent is no loss', async (t) => {
    const { page } = await publish('quiet', { kinds: 'audio', sound: 'bursts', tune: 'usedtx=1' });
    const began = Date.now();
    const media = await shown(on.gateway, 'quiet', (m) => m.audio.packets > 250, 40000);
    const rate = media.audio.packets / ((Date.now() - began) / 1000);
    t.diagnostic(`${rate.toFixed(1)} packets a second instead of 50`);
    assert.ok(rate < 40, 'there are pauses');
    assert.equal(media.audio.lost, 0);
    const { audio } = await playable(on.gateway, 'quiet');
    assert.ok(audio.frames > 10);
    for (const list of await mediaPlaylists(on.gateway.hlsUrl('quiet'))) {
        const text = await (await fetch(list)).text();
        assert.doesNotMatch(text, /#EXT-X-(DISCONTINUITY|GAP)$/m);
        const sums = [...text.matchAll(/^#EXTINF:([\d.]+)/gm)].map(([, seconds]) => Number(seconds));
        const span = sums.reduce((sum, one) => sum + one, 0);
        const age = (Date.now() - began) / 1000;
        assert.ok(Math.abs(span - age) < 4, `${span} s listed after ${age} s`); // U18: the clock goes on
    }
    await end('quiet', page);
});

on.test('BUG-22 WHIP-81 a sendrecv offer', async () => {
    const { page, offer, answer } = await publish('both', { direction: 'sendrecv' });
    assert.match(offer, /^a=sendrecv\r$/m);
    assert.equal(answer.match(/^a=recvonly\r$/gm).length, 2);
    const { video, audio } = await playable(on.gateway, 'both');
    assert.ok(video.frames > 3 && audio.frames > 10);
    await end('both', page);
});

on.test('WHIP-74 a page that is opened again ends its session and may publish at once', async () => {
    const { page, token } = await on.live('again');
    await page.goto('about:blank'); // keepalive carries its DELETE
    await until('the first session ends', () =>
        on.gateway.lines.some((line) => / supervisor stream stream=again state=ended reason=deleted/.test(line)));
    await page.goto(on.gateway.publishUrl('again', token, '?source=test'));
    await page.getByRole('button', { name: 'Go live' }).click();
    await reaches(page, 'live', 20000);
    assert.equal((await mediaPlaylist(on.gateway, 'again')).ended, false);
});

on.test('WHIP-23 W5 a page that crashed takes its stream over when it is opened again', async (t) => {
    const { page, token } = await on.live('crashed');
    const viewer = await on.watch('crashed');
    await reaches(viewer, 'live', 20000);
    const tools = await page.context().newCDPSession(page);
    tools.send('Page.crash').catch(() => {}); // nothing answers any more: no DELETE, no close_notify
    const began = Date.now();
    await reaches(await on.press('crashed', token), 'live', 30000);
    t.diagnostic(`live again ${Date.now() - began} ms after the crash`);
    const { ended, discontinuities } = await mediaPlaylist(on.gateway, 'crashed');
    assert.equal(ended, false);
    // one of the change; the crash itself may have been one to the transcoder
    assert.ok(discontinuities === 1 || discontinuities === 2, `${discontinuities} discontinuities`);
    await reaches(viewer, 'live', 20000);
    const replaced = / supervisor end .*stream=crashed .*reason=replaced/;
    assert.ok(on.gateway.lines.some((line) => replaced.test(line)));
});
