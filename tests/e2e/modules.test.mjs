// The pages' modules that need no browser: pace, playlists, words, answers.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Pace } from '../../web/ui/pace.js';
import { bitrate, clock, streamName } from '../../web/ui/page.js';
import { firstVariant, readMedia } from '../../web/ui/playlist.js';
import { deviceTrouble, ended, noPath, refusal } from '../../web/ui/reasons.js';
import { candidatesOf } from '../../web/ui/whip.js';

/** A player in numbers: parts of 200 ms arrive, late by jitter(n); gives what the viewer had. */
function play(pace, seconds, jitter, lead) {
    const tick = 0.1;
    let position = 0;
    let stalls = 0;
    let dry = false;
    const latencies = [];
    for (let now = 1; now < seconds; now += tick) {
        let loaded = 0;
        while (loaded * 0.2 + 0.2 + jitter(loaded) <= now) {
            loaded++;
        }
        const end = loaded * 0.2;
        position ||= now - lead;
        const latency = now - position;
        const { rate, jump } = pace.step(latency, Math.max(0, end - position), now * 1000);
        if (jump && position + (latency - pace.target) < end - 0.15) {
            position += latency - pace.target;
        }
        const wanted = position + tick * rate;
        if (wanted > end) {
            stalls += dry ? 0 : 1;
            if (!dry) {
                pace.stalled(now * 1000);
            }
        }
        dry = wanted > end;
        position = Math.min(wanted, end);
        latencies.push(now - position);
    }
    return { stalls, last: latencies.at(-1), rate: pace.rate };
}

test('pace: comes near on a calm network, without a stall', () => {
    const { stalls, last } = play(new Pace(0.4), 60, () => 0.03, 0.9);
    assert.equal(stalls, 0);
    assert.ok(last > 0.3 && last < 0.55, `${last}`);
});

test('pace: stays further back where parts come late', () => {
    const pace = new Pace(0.4);
    const { stalls, last } = play(pace, 120, (n) => 0.05 + ((n * 7) % 11) * 0.04, 1.2);
    assert.ok(stalls <= 2, `${stalls}`);
    assert.ok(pace.target > 0.45 && last > 0.45, `${pace.target} ${last}`);
    assert.ok(last < 1.5, `${last}`);
});

test('pace: a chosen distance is kept exactly', () => {
    const pace = new Pace(1.5, true);
    const { last, stalls } = play(pace, 60, () => 0.05, 0.9);
    assert.equal(pace.target, 1.5);
    assert.equal(stalls, 0);
    assert.ok(Math.abs(last - 1.5) < 0.1, `${last}`);
});

test('pace: far behind it asks for a jump, never for more than 1.15', () => {
    const pace = new Pace(0.4);
    assert.deepEqual(pace.step(5, 4, 10000), { rate: 1.15, jump: true });
    assert.equal(pace.step(5, 0.02, 10100).rate, 0.94);
    assert.equal(pace.step(NaN, 1, 10200).jump, false);
});

test('playlist: parts, whole segments and the end are told apart', () => {
    const text =
        '#EXTM3U\n#EXT-X-PART:DURATION=0.2,URI="a.0.m4s",INDEPENDENT=YES\n' +
        '#EXT-X-PART:DURATION=0.2,URI="a.1.m4s"\n#EXTINF:0.4,\na.m4s\n' +
        '#EXT-X-PRELOAD-HINT:TYPE=PART,URI="b.0.m4s"\n';
    const { uris, segments, ended: over } = readMedia(text);
    assert.deepEqual(uris, ['a.0.m4s', 'a.1.m4s', 'a.m4s']);
    assert.deepEqual([segments, over], [1, false]);
    assert.equal(readMedia(`${text}#EXT-X-ENDLIST\n`).ended, true);
    assert.deepEqual(readMedia(''), { uris: [], segments: 0, ended: false });
});

test('playlist: the first variant', () => {
    assert.equal(firstVariant('#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n0/m.m3u8\n'), '0/m.m3u8');
    assert.equal(firstVariant('#EXTM3U\n#EXTINF:2,\na.m4s\n'), null);
});

test('page: names, bit rates and clocks', () => {
    assert.equal(streamName('/watch/demo'), 'demo');
    assert.equal(streamName('/watch/a%20b'), '');
    assert.equal(streamName(`/watch/${'a'.repeat(65)}`), '');
    assert.equal(streamName('/'), '');
    assert.equal(bitrate(2409600), '2.41 Mbit/s');
    assert.equal(bitrate(640400), '640 kbit/s');
    assert.equal(clock(3723.9), '1:02:03');
    assert.equal(clock(-1), '0:00');
});

test('words: every status and end has some, and no token is repeated', () => {
    for (const status of [400, 401, 403, 404, 409, 413, 415, 422, 429, 503, 500]) {
        const { title, text } = refusal(status, 'demo', { detail: 'Said so' }, 5);
        assert.ok(title.length > 10 && text.length > 10, `${status}`);
    }
    assert.match(refusal(429, 'demo', null, 5).text, /5 s/);
    assert.match(refusal(401, 'demo', null, 0).title, /token/);
    assert.equal(ended({ end: 'crashed', detail: 'x' }).retry, true);
    assert.equal(ended({ end: 'not-started' }).retry, true);
    assert.equal(ended({ end: 'revoked' }).retry, false);
    assert.equal(ended(null).end, 'unknown');
    assert.match(deviceTrouble({ name: 'NotAllowedError' }, 'camera').title, /not allowed/);
    assert.match(deviceTrouble({ name: 'Odd', message: 'why' }, 'camera').text, /why/);
});

test('words: a path that did not form names addresses and ports', () => {
    const sdp =
        'v=0\r\na=candidate:1 1 UDP 2130706431 192.0.2.7 8443 typ host\r\n' +
        'a=candidate:2 1 udp 2130706175 2001:db8::7 8443 typ host\r\na=end-of-candidates\r\n';
    const { text } = noPath(candidatesOf(sdp));
    assert.match(text, /192\.0\.2\.7 UDP port 8443, \[2001:db8::7\] UDP port 8443/);
    assert.match(noPath([]).text, /named none/);
});
