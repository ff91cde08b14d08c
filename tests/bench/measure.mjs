// What benches and leak tests read of processes: CPU time, memory, descriptors, wake-ups.

import { readFile, readdir } from 'node:fs/promises';

import { sum } from './table.mjs';

/** CPU seconds that a process has used, all its threads, to the nanosecond. */
export async function cpuSeconds(pid) {
    const threads = await readdir(`/proc/${pid}/task`);
    const times = threads.map(async (id) => {
        const [ns] = (await readFile(`/proc/${pid}/task/${id}/schedstat`, 'utf8')).split(' ');
        return Number(ns);
    });
    return sum(await Promise.all(times)) / 1e9;
}

async function field(pid, file, name) {
    const text = await readFile(`/proc/${pid}/${file}`, 'utf8');
    const found = new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text);
    return Number(found?.[1] ?? 0);
}

/** Proportional memory; of processes that are not ours as root only. */
export const pssKib = (pid) => field(pid, 'smaps_rollup', 'Pss');
export const rssKib = (pid) => field(pid, 'status', 'VmRSS');
/** Memory that is its own alone: without the frame ring, which fills as media comes. */
export const anonKib = (pid) => field(pid, 'status', 'RssAnon');
/** How often it fell asleep, which is how often it woke up. */
export const wakeups = (pid) => field(pid, 'status', 'voluntary_ctxt_switches');

/** How many it has open; of processes that are not ours as root only. */
export async function descriptors(pid) {
    return (await readdir(`/proc/${pid}/fd`)).length;
}

/** Every process of the gateway: [{ role, pid }]. */
export async function processes(gateway) {
    const status = await gateway.ctl('status');
    const rows = status.processes.map((p) => ({ role: p.name ?? p.role, pid: p.pid }));
    return [{ role: 'supervisor', pid: gateway.process.pid }, ...rows];
}

/** cpu, pss and wake-ups of all the gateway's processes. */
export async function sample(gateway) {
    const rows = await processes(gateway);
    return Promise.all(
        rows.map(async ({ role, pid }) => ({
            role,
            pid,
            cpu: await cpuSeconds(pid),
            pss: await pssKib(pid),
            wakeups: await wakeups(pid),
        })),
    );
}

/** Per role: processes, cpu (of a core), pss (KiB) and wake-ups a second between two samples. */
export function byRole(before, after, wall) {
    const table = {};
    for (const row of after) {
        const old = before.find((b) => b.pid === row.pid);
        const role = (table[row.role] ??= { processes: 0, cpu: 0, pss: 0, wakeups: 0 });
        role.processes++;
        role.cpu += (row.cpu - (old?.cpu ?? 0)) / wall;
        role.wakeups += (row.wakeups - (old?.wakeups ?? 0)) / wall;
        role.pss += row.pss;
    }
    return table;
}
