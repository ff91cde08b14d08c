// A8: publishers come and leave, and nothing of them stays. CYCLES (default 60; the pass mark is for
// 2000) connect by WHIP, keys and a few pictures, and end in turn by DELETE, by close_notify and by
// vanishing. As root only: others do not see a role's descriptors.

import assert from 'node:assert/strict';
import { readFile, readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { descriptors, processes, pssKib, rssKib } from '../bench/measure.mjs';
import { Gateway, until } from './gateway.mjs';
import { Publisher } from './publisher.mjs';

const CYCLES = Number(process.env.CYCLES ?? 60);
const WARM_UP = Math.max(24, Math.min(120, CYCLES / 10));
const BATCH = 6; // set-ups at once: the gateway allows 8 to an address
const STALE_MAX = 30; // who vanished stays half a minute
const GROWTH_KIB = 2048;
const LONG_LIVED = ['supervisor', 'edge', 'auth', 'web'];
const ENDS = [[], ['--close-notify'], ['--no-delete']];

let gateway;
before(async () => {
    const limits = { rejoin_window_s: 0, ended_linger_s: 1, max_streams: STALE_MAX + 3 * BATCH };
    gateway = await Gateway.start({ limits });
});
after(async () => {
    await gateway?.stop();
});

const streamCount = async () => (await gateway.ctl('stream', 'list')).streams.length;

/** Cycles in batches until so many are complete. A gateway that has no worker ready says 503 before
 * anything begins; that is no cycle, and the publisher comes again. */
async function cycle(name, count, token, ends = ENDS) {
    const result = { complete: 0, busy: 0, failed: [] };
    for (let batch = 0; result.complete < count && result.busy < count + 100; batch++) {
        await until('room', async () => (await streamCount()) <= STALE_MAX, 60000, 200);
        const words = ['--streams', String(BATCH), '--frames', '8', ...ends[batch % ends.length]];
        const publisher = new Publisher(gateway, `${name}-${batch}`, token, words);
        await publisher.exited;
        const done = publisher.events.filter((event) => event.event === 'done');
        assert.equal(done.length, BATCH, publisher.errors);
        result.complete += done.filter((event) => event.ok).length;
        result.busy += done.filter((event) => event.post_status === 503).length;
        result.failed.push(...done.filter((event) => !event.ok && event.post_status !== 503));
    }
    return result;
}

/** All processes below one, zombies too. */
async function descendants(pid) {
    const threads = await readdir(`/proc/${pid}/task`);
    const lists = threads.map((id) => readFile(`/proc/${pid}/task/${id}/children`, 'utf8'));
    const children = (await Promise.all(lists)).join(' ').split(' ').filter((id) => id.trim());
    const below = await Promise.all(children.map(descendants));
    return children.length + below.reduce((total, count) => total + count, 0);
}

/** Files in the state folder and their bytes. */
async function files() {
    const names = (await readdir(gateway.dir, { recursive: true })).sort();
    const sizes = names.map(async (name) => (await stat(path.join(gateway.dir, name))).size);
    return { names, bytes: (await Promise.all(sizes)).reduce((a, b) => a + b, 0) };
}

/** Once the last stream is gone and the pool is full again. */
async function calm() {
    let last = 0;
    await until('all streams gone', async () => (await streamCount()) === 0, 60000, 200);
    await until(
        'the warm workers are ready',
        async () => {
            const before = last;
            const rows = (await gateway.ctl('status')).processes;
            last = rows.length;
            return last === before && rows.every((row) => row.ready);
        },
        20000,
        500,
    );
}

async function census() {
    await calm();
    const all = await processes(gateway);
    const rows = all.filter((row) => LONG_LIVED.includes(row.role));
    return {
        roles: all.map((row) => row.role).sort(),
        below: await descendants(gateway.process.pid),
        tokens: (await gateway.ctl('token', 'list')).tokens.length,
        files: await files(),
        long: await Promise.all(
            rows.map(async ({ role, pid }) => ({
                role,
                pid,
                fds: await descriptors(pid),
                rss: await rssKib(pid),
                pss: await pssKib(pid),
            })),
        ),
    };
}

const skip = process.getuid() === 0 ? false : 'only root sees what other users have open';
const options = { timeout: 7200000, skip };
test(`A8 ${CYCLES} publishers come and leave, and nothing stays`, options, async (t) => {
    // the limit would be reached if leases stayed
    const limit = STALE_MAX + 2 * BATCH;
    const { token } = await gateway.token('*', '--max-sessions', String(limit));
    // a short run does not wait for those who vanished twice
    const ends = CYCLES < 200 ? ENDS.slice(0, 2) : ENDS;
    assert.deepEqual((await cycle('warm', WARM_UP, token, ends)).failed, []);
    const before = await census();
    const began = Date.now();
    const { complete, busy, failed } = await cycle('cycle', CYCLES, token);
    const took = (Date.now() - began) / 1000;
    const after = await census();
    t.diagnostic(`${complete} cycles in ${took.toFixed(0)} s, ${busy} came again after 503`);
    for (const [i, now] of after.long.entries()) {
        const old = before.long[i];
        t.diagnostic(
            `${now.role}: descriptors ${old.fds} -> ${now.fds}, RSS ${old.rss} -> ${now.rss} KiB, ` +
                `PSS ${old.pss} -> ${now.pss} KiB`,
        );
    }
    t.diagnostic(
        `processes ${before.below} -> ${after.below}, files ${before.files.names.length} -> ` +
            `${after.files.names.length}, ${before.files.bytes} -> ${after.files.bytes} bytes`,
    );
    assert.deepEqual(failed.slice(0, 3), []);
    assert.ok(complete >= CYCLES);
    assert.deepEqual(after.roles, before.roles);
    assert.equal(after.below, before.below, 'processes');
    assert.equal(after.tokens, before.tokens);
    assert.deepEqual(after.files.names, before.files.names);
    for (const [i, now] of after.long.entries()) {
        const old = before.long[i];
        assert.equal(now.pid, old.pid, `${now.role} is still the same`);
        // a moment ago this test's own sluicectl was there
        const same = async () => (await descriptors(now.pid)) === old.fds;
        await until(`descriptors of ${now.role}: ${old.fds} -> ${now.fds}`, same, 3000);
        assert.ok(now.rss - old.rss <= GROWTH_KIB, `RSS of ${now.role}: ${old.rss} -> ${now.rss}`);
        assert.ok(now.pss - old.pss <= GROWTH_KIB, `PSS of ${now.role}: ${old.pss} -> ${now.pss}`);
    }
});
