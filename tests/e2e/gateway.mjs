// One gateway of its own for a test: free ports, a temporary state folder, its log in memory.

import { execFile, spawn } from 'node:child_process';
import dgram from 'node:dgram';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

export const BUILD = path.resolve(process.env.BUILD ?? 'build');
const run = promisify(execFile);
const LOG_LINES_MAX = 5000;

/** Polls until check() gives something truthy; fails with `what` after the limit. */
export async function until(what, check, limitMs = 10000, everyMs = 50) {
    const end = Date.now() + limitMs;
    for (;;) {
        const got = await check();
        if (got) {
            return got;
        }
        if (Date.now() > end) {
            throw new Error(`not within ${limitMs} ms: ${what}`);
        }
        await new Promise((resolve) => setTimeout(resolve, everyMs));
    }
}

const tcpFree = (port) =>
    new Promise((resolve) => {
        const server = net.createServer();
        server.once('error', () => resolve(false));
        server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
    });

const udpFree = (port) =>
    new Promise((resolve) => {
        const socket = dgram.createSocket('udp4');
        socket.once('error', () => resolve(false));
        socket.bind(port, '127.0.0.1', () => socket.close(() => resolve(true)));
    });

/** A port for HTTP and one for media (UDP and TCP), free a moment ago. */
async function freePorts() {
    for (let tries = 0; tries < 50; tries++) {
        const port = 20000 + Math.floor(Math.random() * 12000);
        const media = port + 1;
        if ((await tcpFree(port)) && (await tcpFree(media)) && (await udpFree(media))) {
            return { port, media };
        }
    }
    throw new Error('no free ports');
}

export class Gateway {
    /** Starts sluiced and waits until it is ready. limits: lines of that section of gateway.conf; top:
     * lines outside sections, as they are written there; sections: lines of others, by their names. */
    static async start({ limits = {}, top = {}, sections = {} } = {}) {
        const gateway = new Gateway();
        gateway.dir = await mkdtemp(path.join(tmpdir(), 'sluice-e2e-'));
        gateway.state = path.join(gateway.dir, 'state');
        const { port, media } = await freePorts();
        gateway.base = `http://127.0.0.1:${port}`;
        gateway.media = media;
        const outside = { media_address: '{"127.0.0.1"}', ...top };
        const first = Object.entries(outside).map(([key, value]) => `${key} = ${value}\n`);
        const all = Object.entries({ limits, ...sections }).map(([name, keys]) => {
            const lines = Object.entries(keys).map(([key, value]) => `    ${key} = ${value}\n`);
            return `${name} {\n${lines.join('')}}\n`;
        });
        const conf = path.join(gateway.dir, 'gateway.conf');
        await writeFile(
            conf,
            `port = ${port}\nmedia_port = ${media}\n${first.join('')}` +
                `log_level = "debug"\n${all.join('')}`,
        );
        gateway.lines = [];
        gateway.cut = '';
        const args = ['--config', conf, '--state', gateway.state];
        gateway.process = spawn(path.join(BUILD, 'sluiced'), args, {
            stdio: ['ignore', 'pipe', 'pipe'],
        });
        gateway.exited = new Promise((resolve) => gateway.process.once('exit', resolve));
        gateway.process.stdout.on('data', (data) => gateway.#keep(data));
        gateway.process.stderr.on('data', (data) => gateway.#keep(data));
        try {
            await gateway.ctl('--wait', '20', 'status');
        } catch (error) {
            await gateway.stop();
            throw new Error(`the gateway did not start\n${gateway.log()}`, { cause: error });
        }
        return gateway;
    }

    #keep(data) {
        const lines = (this.cut + data).split('\n');
        this.cut = lines.pop();
        this.lines.push(...lines.filter(Boolean));
        this.lines.splice(0, Math.max(0, this.lines.length - LOG_LINES_MAX));
    }

    /** The lines of a time, as Date.now() gave it, and later. Their number is bounded: places would not do. */
    linesSince(at) {
        return this.lines.filter((line) => Date.parse(line.split(' ')[0]) >= at);
    }

    log(last = 80) {
        return this.lines.slice(-last).join('\n');
    }

    /** sluicectl with --json: its object. */
    async ctl(...words) {
        const args = ['--state', this.state, '--json', ...words];
        const { stdout } = await run(path.join(BUILD, 'sluicectl'), args);
        return stdout ? JSON.parse(stdout) : {};
    }

    /** A token: { id, token }. */
    token(stream = '*', ...options) {
        return this.ctl('token', 'create', '--stream', stream, ...options);
    }

    publishUrl(stream, token, query = '') {
        return `${this.base}/publish/${stream}${query}#t=${token}`;
    }

    watchUrl(stream, query = '') {
        return `${this.base}/watch/${stream}${query}`;
    }

    hlsUrl(stream) {
        return `${this.base}/live/${stream}/index.m3u8`;
    }

    /** The process ids of a role: of its standing processes, or of one stream's worker. */
    async pids(role, stream) {
        if (stream) {
            const { streams } = await this.ctl('stream', 'list');
            const row = streams.find((s) => s.name === stream || s.stream === stream);
            const pid = row?.[`pid_${role}`] ?? row?.pids?.[role];
            return pid ? [pid] : [];
        }
        const { processes } = await this.ctl('status');
        return processes.filter((p) => (p.name ?? p.role) === role).map((p) => p.pid);
    }

    /** kill -9 by process id; gives the id. */
    async kill(role, stream) {
        const [pid] = await this.pids(role, stream);
        if (!pid) {
            throw new Error(`no process of role ${role}`);
        }
        process.kill(pid, 'SIGKILL');
        return pid;
    }

    async stop() {
        if (this.process.exitCode === null) {
            this.process.kill('SIGINT');
            const late = setTimeout(() => this.process.kill('SIGKILL'), 8000);
            await this.exited;
            clearTimeout(late);
        }
        await rm(this.dir, { recursive: true, force: true });
    }
}

/** Runs work(gateway) with a gateway of its own; its log stands in the error. */
export async function withGateway(options, work) {
    const gateway = await Gateway.start(options);
    try {
        return await work(gateway);
    } catch (error) {
        error.message += `\n--- gateway ---\n${gateway.log(60)}`;
        throw error;
    } finally {
        await gateway.stop();
    }
}
