// Publishers whose clocks jump or whose media changes without end (M7, M8 of threats.md): what viewers
// get stays a playlist by the rules, and costs stay bounded. STAMP_SECONDS (default 8) scales it.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { Gateway, until } from './gateway.mjs';
import { mediaPlaylists } from './hls.mjs';
import { cpuUs, rss, troubles } from './posts.mjs';
import { Publisher } from './publisher.mjs';

const SECONDS = Number(process.env.STAMP_SECONDS ?? 8);
const POLL_MS = 150;
const MEMORY_BYTES = 256 << 20;
const PICTURES = 120; // a second, FRAMER_VIDEO_RATE_MAX
const FORMATS = 1; // a second, VIDEO_CHANGE_US and FRAMER_FORMATS_MAX
const REFUSED = 10; // frames that may find no place around a jump

let gateway;
before(async () => {
    gateway = await Gateway.start({ limits: { rejoin_window_s: 0, ended_linger_s: 30 } });
});
after(async () => {
    await gateway?.stop();
});

const number = (text, tag) => Number(new RegExp(`^#EXT-X-${tag}:(\\d+)`, 'm').exec(text)?.[1] ?? 0);

/** A media playlist in parts: its numbers, and its segments in order. */
function read(text) {
    const list = {
        target: number(text, 'TARGETDURATION'),
        sequence: number(text, 'MEDIA-SEQUENCE'),
        discontinuitySequence: number(text, 'DISCONTINUITY-SEQUENCE'),
        ended: /^#EXT-X-ENDLIST/m.test(text),
        segments: [],
        parts: 0,
    };
    let duration;
    let date;
    let discontinuity = false;
    for (const line of text.split('\n')) {
        if (line.startsWith('#EXTINF:')) {
            duration = Number.parseFloat(line.slice(8));
        } else if (line.startsWith('#EXT-X-PROGRAM-DATE-TIME:')) {
            date = Date.parse(line.slice(25));
        } else if (line === '#EXT-X-DISCONTINUITY') {
            discontinuity = true;
        } else if (line.startsWith('#EXT-X-PART:')) {
            list.parts++;
        } else if (line && !line.startsWith('#')) {
            list.segments.push({ uri: line, duration, date, discontinuity });
            discontinuity = false;
            date = undefined;
        }
    }
    return list;
}

/** What must hold between two looks at a playlist, the newer one against all segments seen so far. */
function compare(last, list, seen) {
    assert.ok(list.sequence >= last.sequence, `MEDIA-SEQUENCE ${last.sequence} to ${list.sequence}`);
    assert.ok(list.discontinuitySequence >= last.discontinuitySequence);
    assert.equal(list.target, last.target);
    list.segments.forEach((segment, i) => {
        const msn = list.sequence + i;
        assert.ok(segment.duration > 0 && segment.duration <= 2 * list.target, `${segment.duration} s`);
        const before = seen.get(msn);
        if (before) {
            assert.equal(segment.uri, before.uri);
            assert.equal(segment.duration, before.duration);
        }
        seen.set(msn, segment);
    });
    const dates = list.segments.map((s) => s.date).filter(Boolean);
    assert.deepEqual([...dates].sort((a, b) => a - b), dates, 'dates go on');
}

/** Follows every media playlist of a stream while work() lasts; gives what was seen of each. */
async function follow(stream, work) {
    await until('a playlist with segments', async () => {
        const [url] = await mediaPlaylists(gateway.hlsUrl(stream));
        return url && read(await (await fetch(url)).text()).segments.length > 0;
    }, 20000);
    const urls = await mediaPlaylists(gateway.hlsUrl(stream));
    const tracks = await Promise.all(urls.map(async (url) =>
        ({ url, seen: new Map(), last: read(await (await fetch(url)).text()) })));
    let over = false;
    const done = work().finally(() => {
        over = true;
    });
    const looking = (async () => {
        while (!over) {
            for (const track of tracks) {
                const answer = await fetch(track.url);
                assert.equal(answer.status, 200);
                const list = read(await answer.text());
                compare(track.last, list, track.seen);
                track.last = list;
            }
            await new Promise((resolve) => setTimeout(resolve, POLL_MS));
        }
    })();
    await Promise.all([done, looking]);
    return tracks;
}

const discontinuities = (track) => [...track.seen.values()].filter((s) => s.discontinuity).length;
const secondsOf = (track) => [...track.seen.values()].reduce((sum, s) => sum + s.duration, 0);

/** Frames for which transcode found no place, once it ended. */
async function refusedBy(pid) {
    const find = () =>
        gateway.lines.find((l) => l.includes(' transcode ended ') && l.endsWith(` pid=${pid}`));
    await until(`transcode ${pid} ends`, find);
    return Number(/ refused=(\d+)/.exec(find())[1]);
}

/** Publishes with these switches to the end; gives the playlists' story and the publisher's. */
async function publish(stream, options) {
    const { token } = await gateway.token(stream);
    const publisher = new Publisher(gateway, stream, token, ['--seconds', String(SECONDS), ...options]);
    try {
        await publisher.sending();
        const [pid] = await gateway.pids('transcode', stream);
        const tracks = await follow(stream, () => publisher.exited);
        return { tracks, done: publisher.event('done'), refused: await refusedBy(pid) };
    } finally {
        await publisher.stop();
    }
}

// Without ingest's new anchor (sync.c) transcode alone keeps the playlists in order: it goes on with a
// still picture and silence, since no frame has a place any more. So what it refused counts too.
for (const [table, least, most] of [
    ['back', 1, 1],
    ['forward', 1, 1],
    ['wrap', 0, 0],
    ['alternating', 0, SECONDS],
]) {
    test(`M7 RTP-17 RTP-06 times of a publisher go ${table}`, { timeout: 60000 }, async (t) => {
        const { tracks, done, refused } = await publish(`times-${table}`, ['--times', table, '--at', '4']);
        assert.ok(done.ok, JSON.stringify(done));
        t.diagnostic(tracks.map((track) =>
            `${track.seen.size} segments of ${secondsOf(track).toFixed(1)} s, longest ` +
                `${Math.max(...[...track.seen.values()].map((s) => s.duration)).toFixed(2)} of ` +
                `${track.last.target}, ${discontinuities(track)} discontinuities`).join('; ') +
            `; ${refused} frames refused`);
        assert.ok(refused <= REFUSED, `${refused} frames found no place`);
        for (const track of tracks) {
            assert.ok(discontinuities(track) >= least && discontinuities(track) <= most);
            assert.ok(secondsOf(track) >= (table === 'alternating' ? 2 : SECONDS - 4));
        }
        assert.deepEqual(troubles(gateway), []);
    });
}

/** A neighbour that must not feel anything. */
async function neighbour() {
    const { token } = await gateway.token('neighbour');
    const publisher = new Publisher(gateway, 'neighbour', token);
    await publisher.sending();
    return publisher;
}

/** Looks again and again until the publisher is over: CPU, memory and frames of its workers. */
async function watch(publisher, stream) {
    const pids = {};
    for (const role of ['ingest', 'transcode']) {
        [pids[role]] = await gateway.pids(role, stream);
        assert.ok(pids[role] > 0);
    }
    const seen = { cpu: {}, memory: 0 };
    while (publisher.process.exitCode === null) {
        for (const [role, pid] of Object.entries(pids)) {
            seen.cpu[role] = Math.max(seen.cpu[role] ?? 0, await cpuUs(pid).catch(() => 0));
            seen.memory = Math.max(seen.memory, await rss(pid).catch(() => 0));
        }
        const show = await gateway.ctl('stream', 'show', stream).catch(() => null);
        seen.video = show?.media?.video ?? seen.video;
        await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
    return seen;
}

for (const [what, stream, options] of [
    ['1,000 pictures a second', 'rate', ['--fps', '1000']],
    ['another SPS with each picture', 'format', ['--sps-change', '--at', '1']],
]) {
    test(`M8 COD-05 ${what}`, { timeout: 90000 }, async (t) => {
        const beside = await neighbour();
        const { token } = await gateway.token(stream);
        const publisher = new Publisher(gateway, stream, token, ['--seconds', String(SECONDS), ...options]);
        try {
            await publisher.sending();
            let seen;
            const tracks = await follow(stream, async () => {
                seen = await watch(publisher, stream);
            });
            const next = await beside.stop();
            const sent = publisher.event('done').video_frames;
            t.diagnostic(
                `${seen.video.frames} of ${sent} pictures taken; ` +
                    `${discontinuities(tracks[0])} discontinuities in ${tracks[0].seen.size} segments; CPU ms ` +
                    Object.entries(seen.cpu).map(([r, us]) => `${r} ${(us / 1000).toFixed(0)}`).join(', ') +
                    `; at most ${seen.memory >> 20} MiB`,
            );
            assert.ok(sent > 0 && seen.video.frames <= PICTURES * (SECONDS + 1));
            assert.ok(discontinuities(tracks[0]) <= FORMATS * SECONDS + 1);
            assert.ok(seen.memory <= MEMORY_BYTES);
            assert.equal(next.lost, 0);
            assert.deepEqual(troubles(gateway), []);
        } finally {
            await publisher.stop();
            await beside.stop();
        }
    });
}
