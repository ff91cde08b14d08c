// The port of a publisher that vanished is given to another one while its session still lives.

import assert from 'node:assert/strict';
import dgram from 'node:dgram';
import { test } from 'node:test';

import { withGateway } from './gateway.mjs';
import { Publisher } from './publisher.mjs';

async function freePort() {
    const socket = dgram.createSocket('udp4');
    await new Promise((resolve) => socket.bind(0, '127.0.0.1', resolve));
    const { port } = socket.address();
    await new Promise((resolve) => socket.close(resolve));
    return port;
}

test('ICE-10 U17 another publisher may use the port of one who vanished', { timeout: 120000 }, () =>
    withGateway({}, async (gateway) => {
        const { token } = await gateway.token('*');
        const bind = ['--bind', `127.0.0.1:${await freePort()}`];
        const gone = new Publisher(gateway, 'gone', token, bind);
        await gone.sending();
        gone.process.kill('SIGKILL');
        await gone.exited;
        const next = new Publisher(gateway, 'next', token, [...bind, '--frames', '30']);
        assert.equal(await next.exited, 0, JSON.stringify(next.events));
        assert.equal(next.event('done').ok, true);
        const { streams } = await gateway.ctl('stream', 'list');
        assert.ok(streams.some(({ stream }) => stream === 'gone')); // its 30 s are not over
    }));
