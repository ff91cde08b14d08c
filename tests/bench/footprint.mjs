// What streams cost: CPU by process and proportional memory (PSS), idle and at 1 and N passthrough
// streams of rawpub. Prints a table; figures are CPU time, not wall time. Run as root for PSS:
//   make all support && node tests/bench/footprint.mjs [streams=10] [seconds=12]

import { spawn } from 'node:child_process';
import path from 'node:path';

import { BUILD, Gateway, until } from '../e2e/gateway.mjs';
import { byRole, cpuSeconds, sample } from './measure.mjs';
import { sum } from './table.mjs';

const most = Number(process.argv[2] ?? 10);
const seconds = Number(process.argv[3] ?? 12);

function print(title, table, streams) {
    console.log(`\n${title}`);
    for (const [role, row] of Object.entries(table)) {
        const share = streams ? ` ${((row.cpu * 1000) / streams).toFixed(2)} m/stream` : '';
        console.log(
            `  ${role.padEnd(11)} ${String(row.processes).padStart(3)} processes ` +
                `${(row.pss / 1024).toFixed(1).padStart(7)} MiB PSS ` +
                `${(row.cpu * 1000).toFixed(1).padStart(7)} m CPU${share}`,
        );
    }
    const cpu = sum(Object.values(table).map((row) => row.cpu)) * 1000;
    const pss = sum(Object.values(table).map((row) => row.pss)) / 1024;
    const share = streams ? `, ${(cpu / streams).toFixed(2)} m per stream` : '';
    console.log(`  all: ${pss.toFixed(1)} MiB PSS, ${cpu.toFixed(1)} m CPU${share}`);
    return { cpu, pss };
}

async function measure(gateway, token, streams) {
    const args = ['--url', `${gateway.base}/whip/bench`, '--token', token, '--json'];
    args.push('--seconds', String(seconds + 30), '--streams', String(streams));
    const publisher = spawn(path.join(BUILD, 'tests/rawpub'), args, { stdio: 'ignore' });
    await until(
        `${streams} streams live`,
        async () => (await gateway.ctl('stream', 'list')).streams.length >= streams,
        40000,
        200,
    );
    await new Promise((resolve) => setTimeout(resolve, 8000)); // rings and windows fill
    const before = await sample(gateway);
    const peer = await cpuSeconds(publisher.pid);
    const start = process.hrtime.bigint();
    await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
    const after = await sample(gateway);
    const wall = Number(process.hrtime.bigint() - start) / 1e9;
    const load = (((await cpuSeconds(publisher.pid)) - peer) / wall) * 1000;
    const totals = print(`${streams} streams`, byRole(before, after, wall), streams);
    console.log(`  rawpub itself: ${(load / streams).toFixed(2)} m per stream; ` +
        `ratio ${(totals.cpu / load).toFixed(2)}`);
    publisher.kill('SIGINT');
    await new Promise((resolve) => publisher.once('exit', resolve));
    return totals;
}

const gateway = await Gateway.start({ limits: { ended_linger_s: 1 } });
try {
    const { token } = await gateway.token('*');
    const first = await sample(gateway);
    await new Promise((resolve) => setTimeout(resolve, 3000));
    const idle = print('idle', byRole(first, await sample(gateway), 3));
    const one = await measure(gateway, token, 1);
    await until('all gone', async () => (await gateway.ctl('stream', 'list')).streams.length === 0);
    const many = await measure(gateway, token, most);
    console.log(
        `\nper additional stream: ${((many.pss - one.pss) / (most - 1)).toFixed(1)} MiB PSS ` +
            `(first: ${(one.pss - idle.pss).toFixed(1)} MiB)`,
    );
} finally {
    await gateway.stop();
}
