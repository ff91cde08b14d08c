// A real TURN server on loopback, and as much of a TURN client (RFC 8656) as tells whether
// credentials are good.

import { spawn } from 'node:child_process';
import { createHash, createHmac, randomBytes } from 'node:crypto';
import dgram from 'node:dgram';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { until } from './gateway.mjs';

const REALM = 'sluice.test';
const COOKIE = 0x2112a442;
const ALLOCATE = 0x003;
const ATTRIBUTE = { username: 6, integrity: 8, error: 9, realm: 0x14, nonce: 0x15, relayed: 0x16, transport: 0x19 };

export class Coturn {
    /** Listens on a free port of 127.0.0.1; secret: what makes its credentials. */
    static async start(secret) {
        const server = new Coturn();
        server.dir = await mkdtemp(path.join(tmpdir(), 'sluice-turn-'));
        server.port = await freeUdpPort();
        server.text = '';
        const args = [
            '-n', '--use-auth-secret', `--static-auth-secret=${secret}`, `--realm=${REALM}`,
            '--listening-ip=127.0.0.1', '--relay-ip=127.0.0.1', `--listening-port=${server.port}`,
            '--allow-loopback-peers', '--no-tls', '--no-dtls', '--no-tcp', '--no-cli',
            '--log-file=stdout', '--simple-log', `--userdb=${path.join(server.dir, 'turndb')}`,
            `--pidfile=${path.join(server.dir, 'pid')}`,
        ];
        server.process = spawn('turnserver', args, { cwd: server.dir });
        server.exited = new Promise((resolve) => server.process.once('exit', resolve));
        server.process.stdout.on('data', (data) => {
            server.text += data;
        });
        server.process.stderr.on('data', (data) => {
            server.text += data;
        });
        await until('coturn answers', async () => {
            if (server.process.exitCode !== null) {
                throw new Error(`coturn ended:\n${server.text}`);
            }
            return allocate(server.port).catch(() => null);
        });
        return server;
    }

    get uri() {
        return `turn:127.0.0.1:${this.port}?transport=udp`;
    }

    async stop() {
        this.process.kill('SIGKILL');
        await this.exited;
        await rm(this.dir, { recursive: true, force: true });
    }
}

function freeUdpPort() {
    return new Promise((resolve, reject) => {
        const socket = dgram.createSocket('udp4');
        socket.once('error', reject);
        socket.bind(0, '127.0.0.1', () => {
            const { port } = socket.address();
            socket.close(() => resolve(port));
        });
    });
}

function attribute(type, value) {
    const bytes = Buffer.from(value);
    const head = Buffer.alloc(4);
    head.writeUInt16BE(type, 0);
    head.writeUInt16BE(bytes.length, 2);
    return Buffer.concat([head, bytes, Buffer.alloc(-bytes.length & 3)]);
}

function message(attributes, length = Buffer.concat(attributes).length) {
    const head = Buffer.alloc(8);
    head.writeUInt16BE(ALLOCATE, 0);
    head.writeUInt16BE(length, 2);
    head.writeUInt32BE(COOKIE, 4);
    return (id) => Buffer.concat([head, id, ...attributes]);
}

function parse(bytes) {
    const found = { type: bytes.readUInt16BE(0) };
    for (let at = 20; at + 4 <= bytes.length; ) {
        const type = bytes.readUInt16BE(at);
        const len = bytes.readUInt16BE(at + 2);
        const name = Object.keys(ATTRIBUTE).find((key) => ATTRIBUTE[key] === type);
        found[name ?? type] = bytes.subarray(at + 4, at + 4 + len);
        at += 4 + len + (-len & 3);
    }
    return found;
}

/** One Allocate request, repeated until its answer is there: the parsed answer. */
function ask(socket, port, make) {
    const id = randomBytes(12);
    const request = make(id);
    return new Promise((resolve, reject) => {
        const again = setInterval(() => socket.send(request, port, '127.0.0.1'), 200);
        const late = setTimeout(() => done(reject, new Error('no answer of the TURN server')), 3000);
        const done = (settle, value) => {
            clearInterval(again);
            clearTimeout(late);
            socket.off('message', onMessage);
            settle(value);
        };
        const onMessage = (bytes) => {
            if (bytes.length >= 20 && bytes.subarray(8, 20).equals(id)) {
                done(resolve, parse(bytes));
            }
        };
        socket.on('message', onMessage);
        socket.send(request, port, '127.0.0.1');
    });
}

/** Asks for a relayed address: { code, relayed }; code is 0 for success, else STUN's error. */
export async function allocate(port, username, password) {
    const socket = dgram.createSocket('udp4');
    socket.on('error', () => {}); // a closed port: there is no answer
    try {
        const udp = attribute(ATTRIBUTE.transport, [17, 0, 0, 0]);
        const first = await ask(socket, port, message([udp]));
        const answer = username ? await ask(socket, port, signed(first, udp, username, password)) : first;
        const code = answer.error ? answer.error[2] * 100 + answer.error[3] : 0;
        return { code, relayed: Boolean(answer.relayed) };
    } finally {
        socket.close();
    }
}

/** The request again, with long-term credentials (RFC 8489 9.2). */
function signed({ realm, nonce }, udp, username, password) {
    const attributes = [
        udp, attribute(ATTRIBUTE.username, username), attribute(ATTRIBUTE.realm, realm),
        attribute(ATTRIBUTE.nonce, nonce),
    ];
    const key = createHash('md5').update(`${username}:${realm}:${password}`).digest();
    const length = Buffer.concat(attributes).length + 24;
    return (id) => {
        const bare = message(attributes, length)(id);
        const mac = createHmac('sha1', key).update(bare).digest();
        return Buffer.concat([bare, attribute(ATTRIBUTE.integrity, mac)]);
    };
}
