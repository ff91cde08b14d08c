// A stream that is being published already: who takes it over, who is refused, and what the viewer
// of it sees. And who may touch a session by its URL.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';

import { Gateway, until } from './gateway.mjs';
import { Posts } from './posts.mjs';
import { Publisher } from './publisher.mjs';
import { mediaPlaylist } from './stage.mjs';

const TEST_MS = 120000;
const RACES = 100;
const FRAGMENT = 'a=ice-ufrag:EsAw\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\na=mid:0\r\n';
const PATCH_TYPE = 'application/trickle-ice-sdpfrag';

const on = { gateway: null, posts: null, publishers: [] };

before(async () => {
    on.gateway = await Gateway.start({ limits: { rejoin_window_s: 10 } });
    on.posts = new Posts(on.gateway);
    on.offer = await readFile('tests/fixtures/offers/chromium_av.sdp', 'utf8');
});
after(async () => {
    on.posts.close();
    await on.gateway.stop();
});

function work(name, body) {
    test(name, { timeout: TEST_MS }, async (t) => {
        try {
            await body(t);
        } catch (error) {
            error.message += `\n--- gateway ---\n${on.gateway.log(60)}`;
            throw error;
        } finally {
            await on.viewer?.stop();
            for (const publisher of on.publishers.splice(0)) {
                publisher.process.kill('SIGKILL');
                await publisher.exited;
            }
        }
    });
}

function publish(stream, token, options) {
    const publisher = new Publisher(on.gateway, stream, token, options);
    on.publishers.push(publisher);
    return publisher;
}

/** A publisher whose stream can be watched. */
async function live(stream, token) {
    const publisher = publish(stream, token);
    await publisher.sending();
    await until('playable', async () => (await mediaPlaylist(on.gateway, stream)).last, 20000);
    return publisher;
}

/** Publishers one after the other, as somebody who follows Retry-After, until one is let in. */
async function insist(stream, token) {
    for (let tries = 1; ; tries++) {
        const publisher = publish(stream, token);
        const done = await until('an answer', () => publisher.event('sending') ?? publisher.event('done'), 30000);
        if (done.event === 'sending') {
            return { publisher, tries };
        }
        assert.equal(done.post_status, 409);
        assert.ok(tries < 200, 'never let in');
        await publisher.exited;
    }
}

/** Follows a playlist as a viewer does; stop() gives what has been seen of it. */
function follow(stream) {
    const seen = { reads: 0, ended: false, gone: 0, backwards: 0, sequence: 0, last: '' };
    let going = true;
    const loop = (async () => {
        while (going) {
            const playlist = await mediaPlaylist(on.gateway, stream);
            if (playlist.status !== 200) {
                seen.gone++;
                continue;
            }
            const sequence = Number(/#EXT-X-MEDIA-SEQUENCE:(\d+)/.exec(playlist.text)[1]);
            const segments = playlist.text.split('\n').filter((line) => line.startsWith('#EXTINF')).length;
            seen.reads++;
            seen.ended ||= playlist.ended;
            seen.backwards += sequence + segments < seen.sequence;
            seen.sequence = sequence + segments;
            await new Promise((resolve) => setTimeout(resolve, 20));
        }
        return seen;
    })();
    return {
        seen,
        stop: () => {
            going = false;
            return loop;
        },
    };
}

/** Waits until no packet of the stream has come for so long. */
async function silent(stream, ms) {
    let packets = -1;
    let since = Date.now();
    await until('silence', async () => {
        const { streams } = await on.gateway.ctl('stream', 'list');
        const now = streams.find((s) => s.stream === stream).media.packets;
        since = now === packets ? since : Date.now();
        packets = now;
        return Date.now() - since > ms;
    });
}

/** The segments that a playlist lists whole: { session, number, breaks }; breaks: a discontinuity
 * comes before it. */
function segments(text) {
    const list = [];
    let breaks = false;
    for (const line of text.split('\n')) {
        breaks ||= line === '#EXT-X-DISCONTINUITY';
        const [, session, number] = /^(\w+)-(\d+)\.m4s/.exec(line) ?? [];
        if (session) {
            list.push({ session, number: Number(number), breaks });
            breaks = false;
        }
    }
    return list;
}

/** Two sessions in one playlist: no hole, and one discontinuity where the second one begins. What
 * the first one breaks is its own: its silence is filled with encoded pictures. */
async function assertContinued(stream, viewer) {
    const text = await until(
        'two segments of the second session',
        async () => {
            const playlist = await mediaPlaylist(on.gateway, stream);
            const [first, ...later] = segments(playlist.text);
            return later.filter((s) => s.session !== first.session).length > 1 && playlist.text;
        },
        20000,
    );
    const list = segments(text);
    const at = list.findIndex((s) => s.session !== list[0].session);
    assert.deepEqual(
        list.map((s) => s.number),
        list.map((_, i) => list[0].number + i),
    );
    assert.equal(list[0].number, Number(/#EXT-X-MEDIA-SEQUENCE:(\d+)/.exec(text)[1]));
    assert.ok(list.slice(at).every((s) => s.session === list[at].session));
    assert.deepEqual(
        list.slice(at).map((s) => s.breaks),
        list.slice(at).map((_, i) => i === 0),
        'exactly one discontinuity',
    );
    const seen = await viewer.stop();
    assert.deepEqual(
        { ended: seen.ended, gone: seen.gone, backwards: seen.backwards },
        { ended: false, gone: 0, backwards: 0 },
    );
    return { ...seen, list };
}

work('WHIP-23 a second publisher with the same token is told to try again', async () => {
    const { token } = await on.gateway.token('own');
    await live('own', token);
    const answer = await on.posts.post('own', { token, body: on.offer });
    assert.equal(answer.status, 409);
    assert.equal(answer.headers['retry-after'], '2');
});

for (const signal of ['SIGSTOP', 'SIGKILL']) {
    work(`W5 a publisher that fell silent (${signal}) is replaced by its own token`, async (t) => {
        const stream = `silent-${signal}`;
        const { token } = await on.gateway.token(stream);
        const first = await live(stream, token);
        const viewer = (on.viewer = follow(stream));
        first.process.kill(signal);
        const { tries } = await insist(stream, token);
        t.diagnostic(`let in at try ${tries}`);
        assert.ok(tries > 1, 'it was silent for no time at all');
        const seen = await assertContinued(stream, viewer);
        t.diagnostic(`${seen.reads} playlists read`);
        const { streams } = await on.gateway.ctl('stream', 'list');
        assert.equal(streams.filter((s) => s.stream === stream).length, 1);
    });
}

work('W5 a token of policy take-over cuts a live one, without loss of a playlist', async () => {
    const first = await on.gateway.token('contested');
    const second = await on.gateway.token('contested', '--on-clash', 'take-over');
    const old = await live('contested', first.token);
    await until('a whole segment', async () => (await mediaPlaylist(on.gateway, 'contested')).text.includes('#EXTINF:'));
    const viewer = (on.viewer = follow('contested'));
    const { tries } = await insist('contested', second.token);
    assert.equal(tries, 1);
    await until('the first is told', () => old.event('closed') ?? old.event('done'), 10000);
    const { list } = await assertContinued('contested', viewer);
    assert.equal(list.filter((s) => s.breaks).length, 1); // nothing was silent
    const { streams } = await on.gateway.ctl('stream', 'list');
    assert.equal(streams.find((s) => s.stream === 'contested').token, second.id);
});

work('W5 a take-over that never connects leaves a live one as it is', async (t) => {
    const first = await on.gateway.token('spared');
    const second = await on.gateway.token('spared', '--on-clash', 'take-over');
    const old = await live('spared', first.token);
    const viewer = (on.viewer = follow('spared'));
    const answer = await on.posts.post('spared', { token: second.token, body: on.offer });
    assert.equal(answer.status, 201, answer.text);
    const before = await mediaPlaylist(on.gateway, 'spared');
    const gone = await until(
        'its end without keys',
        async () => {
            const now = await on.posts.send('GET', answer.headers.location, {});
            return now.status === 404 && now;
        },
        20000,
    );
    assert.match(gone.text, /No connection was made/);
    await until('more parts', async () => (await mediaPlaylist(on.gateway, 'spared')).last !== before.last);
    const seen = await viewer.stop();
    const { text, last } = await mediaPlaylist(on.gateway, 'spared');
    const list = segments(text);
    t.diagnostic(`${list.length} segments, ${seen.reads} playlists read`);
    assert.ok(list.length > 0 && last);
    assert.equal(list.filter((s) => s.breaks || s.session !== list[0].session).length, 0);
    assert.deepEqual(
        { ended: seen.ended, gone: seen.gone, backwards: seen.backwards },
        { ended: false, gone: 0, backwards: 0 },
    );
    assert.equal(old.process.exitCode, null);
    const { streams } = await on.gateway.ctl('stream', 'list');
    assert.equal(streams.find((s) => s.stream === 'spared').token, first.id);
    const viewer2 = (on.viewer = follow('spared')); // and one that does connect is let in as ever
    assert.equal((await insist('spared', second.token)).tries, 1);
    const { list: joined } = await assertContinued('spared', viewer2);
    assert.equal(joined.filter((s) => s.breaks).length, 1);
});

work('W5 policy refuse leaves a live one alone, silent or not', async () => {
    const first = await on.gateway.token('defended');
    const second = await on.gateway.token('defended', '--on-clash', 'refuse');
    const old = await live('defended', first.token);
    const attack = async () => {
        const answer = await on.posts.post('defended', { token: second.token, body: on.offer });
        assert.equal(answer.status, 409);
        assert.equal(answer.headers['retry-after'], undefined);
    };
    await attack();
    old.process.kill('SIGSTOP');
    await silent('defended', 4000);
    await attack();
});

work('W5 an unusable offer takes nothing over', async () => {
    const first = await on.gateway.token('kept');
    const second = await on.gateway.token('kept', '--on-clash', 'take-over');
    await live('kept', first.token);
    const answer = await on.posts.post('kept', { token: second.token, body: 'v=0\r\n' });
    assert.ok(answer.status === 400 || answer.status === 422, `status ${answer.status}`);
    const { streams } = await on.gateway.ctl('stream', 'list');
    assert.equal(streams.find((s) => s.stream === 'kept').token, first.id);
});

work(`W5 of two publishers that race ${RACES} times exactly one wins`, async () => {
    const rivals = [await on.gateway.token('race'), await on.gateway.token('race')];
    const wins = [0, 0];
    for (let i = 0; i < RACES; i++) {
        const order = i % 2 ? [1, 0] : [0, 1];
        const answers = await Promise.all(
            order.map((who) =>
                on.posts.post('race', { token: rivals[who].token, body: on.offer }),
            ),
        );
        const statuses = answers.map((answer) => answer.status).sort();
        assert.deepEqual(statuses, [201, 409], `race ${i}`);
        const winner = answers.findIndex((answer) => answer.status === 201);
        const { token } = rivals[order[winner]];
        wins[order[winner]]++;
        const gone = await on.posts.send('DELETE', answers[winner].headers.location, { token });
        assert.equal(gone.status, 200);
    }
    assert.equal(wins[0] + wins[1], RACES);
});

/** A session that lives for a while without media: { path, etag }. */
async function session(stream, token) {
    const answer = await until('a session', async () => {
        const a = await on.posts.post(stream, { token, body: on.offer });
        return a.status === 201 && a;
    });
    return { path: answer.headers.location, etag: answer.headers.etag };
}

function patch(path, token, ifMatch, body = FRAGMENT) {
    const headers = ifMatch ? { 'If-Match': ifMatch } : {};
    return on.posts.send('PATCH', path, { token, body, type: PATCH_TYPE, headers });
}

work('W4 no token but its own may touch a session', async () => {
    const own = await on.gateway.token('matrix');
    const other = await on.gateway.token('matrix');
    const expired = await on.gateway.token('matrix', '--expires', '1s');
    const revoked = await on.gateway.token('matrix');
    await on.gateway.ctl('token', 'revoke', revoked.id);
    await until('expired', async () => (await on.gateway.ctl('token', 'show', expired.id)).state === 'expired');
    const { path, etag } = await session('matrix', own.token);
    const rows = [
        ['none', undefined, 401],
        ['other', other.token, 404],
        ['expired', expired.token, 401],
        ['revoked', revoked.token, 401],
    ];
    for (const [name, token, status] of rows) {
        assert.equal((await patch(path, token, etag)).status, status, `PATCH, ${name}`);
        const gone = await on.posts.send('DELETE', path, { token });
        assert.equal(gone.status, status, `DELETE, ${name}`);
    }
    assert.equal((await on.posts.send('DELETE', path, { token: own.token })).status, 200);
    const unknown = await on.posts.send('DELETE', path, { token: other.token });
    assert.equal(unknown.status, 404);
});

work('W4 a token that is revoked in the middle loses its session', async () => {
    const { id, token } = await on.gateway.token('cut');
    const { path, etag } = await session('cut', token);
    await on.gateway.ctl('token', 'revoke', id);
    assert.equal((await patch(path, token, etag)).status, 401);
    assert.equal((await on.posts.send('DELETE', path, { token })).status, 401);
    assert.equal((await on.posts.send('GET', path, {})).status, 404);
});

work('W6 a replayed PATCH finds another tag', async () => {
    const { token } = await on.gateway.token('replay');
    const { path, etag } = await session('replay', token);
    assert.equal((await patch(path, token)).status, 428);
    assert.equal((await patch(path, token, '"0123456789abcdef"')).status, 412);
    const restart = await patch(path, token, '*');
    assert.equal(restart.status, 200, restart.text);
    assert.notEqual(restart.headers.etag, etag);
    assert.equal((await patch(path, token, etag)).status, 412);
    assert.equal((await on.posts.send('DELETE', path, { token, headers: { 'If-Match': etag } })).status, 200);
});

work('WHIP-39 the URL of a replaced session tells why it is gone', async () => {
    const { token } = await on.gateway.token('told');
    const first = await session('told', token);
    const second = await session('told', token);
    const answer = await on.posts.send('GET', first.path, {});
    assert.equal(answer.status, 404);
    assert.match(answer.text, /replaced|taken over/);
    assert.equal((await on.posts.send('GET', second.path, {})).status, 200);
});
