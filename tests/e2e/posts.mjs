// An HTTP client for attacks: kept-alive connections from chosen loopback addresses, and what such
// attacks cost: CPU, memory and processes.

import { readFile } from 'node:fs/promises';
import http from 'node:http';

import { Gateway, until } from './gateway.mjs';

const ROLES = ['supervisor', 'web', 'auth', 'edge'];

export class Posts {
    #agents = new Map();

    constructor(gateway) {
        this.base = new URL(gateway.base);
    }

    #agent(from) {
        if (!this.#agents.has(from)) {
            this.#agents.set(from, new http.Agent({ keepAlive: true, maxSockets: 8 }));
        }
        return this.#agents.get(from);
    }

    /** One request: { status, headers, text }. */
    send(method, path, { token, body, type = 'application/sdp', from = '127.0.0.1', headers } = {}) {
        const all = { 'Content-Type': type, ...headers };
        if (token) {
            all.Authorization = `Bearer ${token}`;
        }
        return new Promise((resolve, reject) => {
            const request = http.request({
                host: this.base.hostname, port: this.base.port, path, method,
                headers: all, localAddress: from, agent: this.#agent(from),
            });
            request.once('error', reject);
            request.once('response', (answer) => {
                let text = '';
                answer.setEncoding('utf8');
                answer.on('data', (data) => {
                    text += data;
                });
                answer.once('end', () =>
                    resolve({ status: answer.statusCode, headers: answer.headers, text }),
                );
                answer.once('error', reject);
            });
            request.end(body);
        });
    }

    post(stream, options) {
        return this.send('POST', `/whip/${stream}`, options);
    }

    close() {
        for (const agent of this.#agents.values()) {
            agent.destroy();
        }
    }
}

/** A gateway that forgets at once what has ended, a client, and the offer of one of the fixtures. */
export async function besiege(fixture) {
    const offer = await readFile(`tests/fixtures/offers/${fixture}`, 'latin1');
    const gateway = await Gateway.start({ limits: { rejoin_window_s: 0, ended_linger_s: 1 } });
    const posts = new Posts(gateway);
    const stop = () => {
        posts.close();
        return gateway.stop();
    };
    return { gateway, posts, offer, stop };
}

/** Runs work(0) to work(count - 1), so many at once. */
export async function inParallel(count, atOnce, work) {
    let next = 0;
    const worker = async () => {
        while (next < count) {
            await work(next++);
        }
    };
    await Promise.all(Array.from({ length: Math.min(atOnce, count) }, worker));
}

/** CPU microseconds that a single-threaded process has used. */
export async function cpuUs(pid) {
    const [ns] = (await readFile(`/proc/${pid}/schedstat`, 'utf8')).split(' ');
    return Number(ns) / 1000;
}

/** CPU microseconds of a process's children that have ended. */
export async function childrenUs(pid) {
    const text = await readFile(`/proc/${pid}/stat`, 'utf8');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[13]) + Number(fields[14])) * 10000; // cutime, cstime in 1/100 s
}

/** { role: pid } of the processes that stand all the time. */
export async function standing(gateway) {
    const { processes } = await gateway.ctl('status');
    const found = { supervisor: gateway.process.pid };
    for (const { name, role, pid } of processes) {
        if (ROLES.includes(name ?? role)) {
            found[name ?? role] = pid;
        }
    }
    return found;
}

/** The number of processes by role, as text; while some are not ready, nothing. */
export async function census(gateway) {
    const { processes } = await gateway.ctl('status').catch(() => ({}));
    if (!processes) {
        return '';
    }
    const found = {};
    for (const { name, role } of processes) {
        found[name ?? role] = (found[name ?? role] ?? 0) + 1;
    }
    return JSON.stringify(Object.entries(found).sort());
}

/** Waits until the gateway has the processes of `before` again, and no other. */
export const recovers = (gateway, before, limitMs = 12000) =>
    until(`the processes ${before}`, async () => (await census(gateway)) === before, limitMs);

/** Resident bytes of a process. */
export async function rss(pid) {
    const text = await readFile(`/proc/${pid}/status`, 'utf8');
    return Number(/VmRSS:\s+(\d+)/.exec(text)[1]) * 1024;
}

/** Log lines of trouble: errors, and workers that died unasked. The log's length is bounded: look often. */
export const troubles = (gateway) =>
    gateway.lines.filter((line) => /^\S+ (error |warn supervisor exit )/.test(line));

/** A stream of random numbers below 1 from a seed. */
export function random(seed) {
    let state = seed >>> 0 || 1;
    return () => {
        state ^= state << 13;
        state >>>= 0;
        state ^= state >>> 17;
        state ^= state << 5;
        state >>>= 0;
        return state / 4294967296;
    };
}
