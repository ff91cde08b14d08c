// What every process of a live gateway holds, seen from outside: seccomp, no_new_privs, capabilities,
// uid, descriptors (threats.md I6, M6), that argv shows the full name, and that Ctrl-C leaves nothing.
// Reading other users' descriptors needs root; as an ordinary user that part is skipped by name.

import assert from 'node:assert/strict';
import { readFile, readdir, readlink } from 'node:fs/promises';
import { after, before, test } from 'node:test';

import { Gateway, until } from './gateway.mjs';
import { Publisher } from './publisher.mjs';

const root = process.getuid() === 0;
const ALWAYS = { 0: /^\/dev\/null$/, 1: /^\/dev\/null$/, 2: /^\/dev\/null$/, 3: /^socket:/, 4: /^pipe:/ };
// What a role may hold above descriptor 4.
const PLAN = {
    edge: /^(socket:|anon_inode:\[eventpoll\])/,
    auth: /^(socket:|anon_inode:\[eventpoll\]|\/(.*\/)?sluice\.(db|db-wal|db-shm|reserve)$)/,
    web: /^(socket:|anon_inode:\[(eventpoll|eventfd)\])/,
    ingest: /^(socket:|anon_inode:\[(eventpoll|eventfd)\])/,
    transcode: /^(socket:|anon_inode:\[(eventpoll|eventfd)\]|\/memfd:)/,
};

let gateway;
let publisher;
before(async () => {
    gateway = await Gateway.start();
    const { token } = await gateway.token('*');
    publisher = new Publisher(gateway, 'held', token);
    await publisher.sending();
    await until('playable', () => gateway.lines.some((line) => line.includes('playable')));
});
after(async () => {
    await publisher?.stop();
    await gateway?.stop();
});

async function processes() {
    const status = await gateway.ctl('status');
    return status.processes.map((p) => ({ role: p.name ?? p.role, pid: p.pid }));
}

async function statusOf(pid) {
    const text = await readFile(`/proc/${pid}/status`, 'utf8');
    return Object.fromEntries(
        text.split('\n').map((line) => [line.split(':')[0], line.split(':')[1]?.trim()]),
    );
}

test('M6 every role is confined', async () => {
    const seen = new Set();
    for (const { role, pid } of await processes()) {
        const status = await statusOf(pid);
        assert.equal(status.Seccomp, '2', `${role}: Seccomp`);
        assert.equal(status.NoNewPrivs, '1', `${role}: NoNewPrivs`);
        for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapAmb']) {
            assert.match(status[set], /^0+$/, `${role}: ${set}`);
        }
        if (root) {
            const uids = new Set(status.Uid.split(/\s+/));
            assert.equal(uids.size, 1, `${role}: one uid`);
            assert.ok(Number([...uids][0]) > 60000, `${role}: uid of its own`);
            assert.equal(status.Groups, '', `${role}: no groups`);
        }
        seen.add(role);
    }
    assert.deepEqual([...seen].sort(), ['auth', 'edge', 'ingest', 'transcode', 'web']);
});

test('M6 two workers never share a uid', { skip: !root && 'needs root' }, async () => {
    const uids = [];
    for (const { pid } of await processes()) {
        uids.push((await statusOf(pid)).Uid.split(/\s+/)[0]);
    }
    assert.equal(new Set(uids).size, uids.length);
});

test('I6 every role holds the planned descriptors', { skip: !root && 'needs root' }, async () => {
    for (const { role, pid } of await processes()) {
        const table = [];
        for (const fd of await readdir(`/proc/${pid}/fd`)) {
            const target = await readlink(`/proc/${pid}/fd/${fd}`).catch(() => null);
            if (target === null) {
                continue; // closed meanwhile
            }
            table.push(`${fd}=${target.replace(/:\[\d+\]/, '')}`);
            assert.match(target, ALWAYS[fd] ?? PLAN[role], `${role}: descriptor ${fd}`);
        }
        console.log(`${role} ${pid}: ${table.join(' ')}`);
    }
});

test('A process shows its full name', async () => {
    for (const { role, pid } of await processes()) {
        const argv0 = (await readFile(`/proc/${pid}/cmdline`, 'utf8')).split('\0')[0];
        assert.ok(argv0.endsWith(`/sluice-${role}`), argv0);
    }
});

test('S7 no secret stands in a command line or environment', { skip: !root && 'needs root' }, async () => {
    for (const { role, pid } of await processes()) {
        const environment = await readFile(`/proc/${pid}/environ`, 'utf8');
        assert.deepEqual(environment.split('\0').filter(Boolean).sort(), ['LC_ALL=C.UTF-8', 'TZ=UTC'], role);
    }
});

test('the supervisor keeps few capabilities', { skip: !root && 'needs root' }, async () => {
    const status = await statusOf(gateway.process.pid);
    // KILL 5, SETGID 6, SETUID 7, NET_BIND_SERVICE 10, NET_ADMIN 12, SYS_ADMIN 21, SYS_RESOURCE 24
    const kept = [5, 6, 7, 10, 12, 21, 24].reduce((set, bit) => set | (1n << BigInt(bit)), 0n);
    for (const set of ['CapPrm', 'CapEff', 'CapBnd']) {
        assert.equal(BigInt(`0x${status[set]}`) & ~kept, 0n, set);
    }
    assert.equal(status.NoNewPrivs, '1');
});

test('Ctrl-C twice ends every process and removes the control socket', async () => {
    const other = await Gateway.start();
    const status = await other.ctl('status');
    other.process.kill('SIGINT');
    other.process.kill('SIGINT');
    await other.exited;
    assert.equal(other.process.exitCode, 0);
    for (const { pid } of status.processes) {
        await assert.rejects(readFile(`/proc/${pid}/status`), `process ${pid} is gone`);
    }
    assert.deepEqual((await readdir(other.state)).sort(), ['auth', 'lock', 'pepper']);
    await other.stop();
});
