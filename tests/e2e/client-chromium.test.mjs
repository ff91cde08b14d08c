// Chromium as a publisher beyond what our own page does (latency, codecs and pages tests have that): several
// layers, other feedback, one kind only, stereo and silence.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

import { reaches } from './browser.mjs';
import { deleteRaw, publishRaw, sentLayers } from './clients/rawpage.mjs';
import { assertClean, endedBy, playable, playableAt, shown } from './clients/realclient.mjs';
import { mediaPlaylists } from './hls.mjs';
import { Relay } from './relay.mjs';
import { mediaPlaylist, stage, until } from './stage.mjs';

const run = promisify(execFile);
const on = stage();

/** Publishes from a page of the gateway; gives { page, ...what publishRaw gives }. */
async function publish(stream, { tokenOptions = [], ...how }) {
    const { token } = await on.gateway.token(stream, ...tokenOptions);
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

/** A publisher that must find out by itself how much it may send, nothing of the answer's SDP helps it. */
async function climber(stream, feedback, how) {
    const { page, answer } = await publish(stream, {
        kinds: 'video', size: [480, 270], detail: 60, maxBitrate: 2000000, fps: 20, modest: true, ...how,
    });
    assert.equal(/transport-cc/.test(answer), feedback === 'transport-cc');
    const media = await shown(on.gateway, stream);
    assert.equal(media.feedback, feedback);
    return { page, sent: async () => (await page.evaluate(sentLayers))[0] ?? { target: 0, packets: 0 } };
}

on.test('RTP-14 COD-13 by transport-cc the bitrate follows the path before anything is lost', async (t) => {
    const relay = await Relay.start(on.gateway, ['--up-only', '--queue', '5000']);
    const rates = [];
    const comes = async (wanted) =>
        rates.push((await shown(on.gateway, 'paced', (media) => wanted(media.bitrate_bps), 40000)).bitrate_bps);
    try {
        const { page, sent } = await climber('paced', 'transport-cc', { port: relay.port });
        await comes((bps) => bps > 1000000);
        relay.say('rate 800'); // what is too much waits: only delay tells
        await until('the publisher fits', async () => (await sent()).target < 800000, 40000, 100);
        await comes((bps) => bps > 300000 && bps < 880000);
        relay.say('rate 0');
        await comes((bps) => bps > 1000000);
        await end('paced', page);
    } finally {
        const { up } = await relay.stop();
        t.diagnostic(`${rates} bit/s came; ${up.queue_drops} of ${up.received} datagrams dropped`);
        assert.equal(up.queue_drops, 0);
    }
});

on.test('RTP-14 COD-13 by REMB the bitrate grows to what the token allows and no further', async (t) => {
    const ceiling = 900000;
    const { page, sent } = await climber('bounded', 'remb', {
        tokenOptions: ['--max-bitrate', String(ceiling / 1000)], strip: 'transport-cc|transport-wide-cc',
    });
    await until('it grows', async () => (await sent()).target > 0.9 * ceiling, 40000, 100);
    const { packets } = await sent();
    let most = 0;
    await until('it goes on', async () => {
        const now = await sent();
        most = Math.max(most, now.target);
        return now.packets > packets + 1000;
    }, 40000, 100);
    t.diagnostic(`at most ${most} bit/s`);
    assert.ok(most <= ceiling, `${most} bit/s`);
    await end('bounded', page);
});

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
    const start = Date.now();
    const { page, token } = await on.live('crashed');
    const viewer = await on.watch('crashed');
    await reaches(viewer, 'live', 20000);
    const tools = await page.context().newCDPSession(page);
    tools.send('Page.crash').catch(() => {}); // nothing answers any more: no DELETE, no close_notify
    const began = Date.now();
    await reaches(await on.press('crashed', token), 'live', 30000);
    t.diagnostic(`live again ${Date.now() - began} ms after the crash`);
    // one of the change, and one more if the transcoder had begun to fill the silence by then
    const formats = () => on.gateway.linesSince(start).filter((line) => / transcode video_format /.test(line));
    const list = await until('each change of format is told', async () => {
        const now = await mediaPlaylist(on.gateway, 'crashed');
        return now.discontinuities === formats().length - 1 && now;
    });
    t.diagnostic(`${list.discontinuities} discontinuities`);
    assert.ok(list.discontinuities >= 1 && list.discontinuities <= 2, formats().join('\n'));
    assert.equal(list.ended, false);
    await reaches(viewer, 'live', 20000);
    const replaced = / supervisor end .*stream=crashed .*reason=replaced/;
    assert.ok(on.gateway.lines.some((line) => replaced.test(line)));
});
