// What taking in streams costs: rawpub publishes N streams of 2.5 Mbit/s on loopback, and the same
// packets go at the same time to the floor, which only receives them (tests/support/floor_main.c):
// once as one process with N sockets, once as N processes with one. CPU of each, packets per
// wake-up, memory. As root, or PSS is 0:
//   make bench-ingest [SECONDS=10] [STREAMS=1,10,25]

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';

import { BUILD, Gateway, until } from '../e2e/gateway.mjs';
import { byRole, cpuSeconds, pssKib, sample, wakeups } from './measure.mjs';
import { printTable, sum } from './table.mjs';

const SECONDS = Number(process.env.SECONDS ?? 10);
const COUNTS = (process.env.STREAMS ?? '1,10,25').split(',').map(Number);
const SETTLE_S = 5; // rings and windows fill
const READERS = ['ingest', 'edge'];

const sleep = (s) => new Promise((resolve) => setTimeout(resolve, s * 1000));

/** A floor that listens: { port, pids, stop }. */
async function startFloor(streams, more = []) {
    const words = ['--sockets', String(streams), ...more];
    const child = spawn(path.join(BUILD, 'tests/floor'), words, {
        stdio: ['ignore', 'pipe', 'inherit'],
    });
    const exited = once(child, 'exit');
    const [line] = await once(createInterface({ input: child.stdout }), 'line');
    return { ...JSON.parse(line), stop: async () => (child.kill('SIGINT'), exited) };
}

/** Packets of all streams, at the moment when the first one's count has changed: they are reported
 * once a second. */
async function packets(gateway) {
    const read = async () => (await gateway.ctl('stream', 'list')).streams;
    const [first] = await read();
    const rows = await until(
        'another report',
        async () => {
            const now = await read();
            return now[0].media.packets !== first.media.packets && now;
        },
        5000,
        50,
    );
    return sum(rows.map((row) => row.media.packets));
}

async function sampleFloor(floor) {
    return Promise.all(
        floor.pids.map(async (pid) => ({
            role: 'floor',
            pid,
            cpu: await cpuSeconds(pid),
            pss: await pssKib(pid),
            wakeups: await wakeups(pid),
        })),
    );
}

/** The gateway's processes, with workers that wait for a stream as a role of their own. */
async function sampleRoles(gateway) {
    const { streams } = await gateway.ctl('stream', 'list');
    const busy = new Set(streams.flatMap((row) => [row.pid_ingest, row.pid_transcode]));
    const rows = await sample(gateway);
    const warm = (row) => ['ingest', 'transcode'].includes(row.role) && !busy.has(row.pid);
    return rows.map((row) => (warm(row) ? { ...row, role: 'warm workers' } : row));
}

/** All counters now. */
async function snapshot(gateway, floors, publisher) {
    const count = await packets(gateway);
    return {
        at: process.hrtime.bigint(),
        packets: count,
        roles: await sampleRoles(gateway),
        floors: await Promise.all(floors.map(sampleFloor)),
        publisher: await cpuSeconds(publisher.pid),
    };
}

function startPublisher(gateway, token, streams, floors) {
    const words = ['--url', `${gateway.base}/whip/bench`, '--token', token];
    words.push('--streams', String(streams));
    words.push(...floors.flatMap((floor) => ['--copy', `127.0.0.1:${floor.port}`]));
    return spawn(path.join(BUILD, 'tests/rawpub'), words, { stdio: 'ignore' });
}

function report(streams, before, after) {
    const wall = Number(after.at - before.at) / 1e9;
    const pps = (after.packets - before.packets) / wall;
    const roles = byRole(before.roles, after.roles, wall);
    const [shared, apart] = after.floors.map((rows, i) => byRole(before.floors[i], rows, wall).floor);
    const perStream = (cpu) => ((cpu * 1000) / streams).toFixed(3);
    const line = (name, row, reads = true) => [
        name,
        row.processes,
        perStream(row.cpu),
        reads ? ((row.cpu * 1e6) / pps).toFixed(2) : '-',
        reads ? (pps / row.wakeups).toFixed(2) : '-',
        (row.pss / 1024 / streams).toFixed(2),
    ];
    const head = ['', 'processes', 'm CPU/stream', 'us/packet', 'packets/wake-up', 'MiB PSS/stream'];
    const rows = Object.entries(roles).map(([role, row]) => line(role, row, role === 'ingest'));
    console.log(`\n${streams} streams, ${(pps / streams).toFixed(0)} packets/s each, ${wall.toFixed(1)} s`);
    printTable([
        head,
        ...rows,
        line('floor, one process', shared),
        line('floor, N processes', apart),
        ['rawpub', 1, perStream((after.publisher - before.publisher) / wall), '-', '-', '-'],
    ]);
    const cpu = sum(READERS.map((role) => roles[role].cpu));
    console.log(
        `  edge+ingest ${(cpu / streams).toFixed(5)} CPU s per stream-second; ` +
            `ratio ingest/floor ${(roles.ingest.cpu / apart.cpu).toFixed(2)} (N processes), ` +
            `${(roles.ingest.cpu / shared.cpu).toFixed(2)} (one process)`,
    );
}

async function measure(gateway, token, streams) {
    const floors = [await startFloor(streams), await startFloor(streams, ['--processes'])];
    const publisher = startPublisher(gateway, token, streams, floors);
    const exited = once(publisher, 'exit');
    try {
        await until(
            `${streams} streams live`,
            async () => {
                const rows = (await gateway.ctl('stream', 'list')).streams;
                return rows.filter((row) => row.state === 'live').length === streams;
            },
            60000,
            200,
        );
        await sleep(SETTLE_S);
        const before = await snapshot(gateway, floors, publisher);
        await sleep(SECONDS - 0.3); // the next report comes then
        report(streams, before, await snapshot(gateway, floors, publisher));
    } finally {
        publisher.kill('SIGINT');
        await exited;
        await Promise.all(floors.map((floor) => floor.stop()));
    }
    await until('all gone', async () => (await gateway.ctl('stream', 'list')).streams.length === 0);
}

const most = Math.max(...COUNTS);
const gateway = await Gateway.start({
    limits: { ended_linger_s: 1, rejoin_window_s: 0, max_streams: most + 2 },
});
try {
    const { token } = await gateway.token('*');
    for (const streams of COUNTS) {
        await measure(gateway, token, streams);
    }
} finally {
    await gateway.stop();
}
