// The relay of tests/support: a bad network in front of the gateway's media port.

import { spawn } from 'node:child_process';
import path from 'node:path';

import { BUILD, until } from './gateway.mjs';

export class Relay {
    /** options: further words for relay, as ['--loss', '10']. */
    static async start(gateway, options = []) {
        const relay = new Relay();
        relay.out = '';
        relay.process = spawn(
            path.join(BUILD, 'tests/relay'),
            ['--target', `127.0.0.1:${gateway.media}`, '--control', '--json', ...options],
            { stdio: ['pipe', 'pipe', 'inherit'] },
        );
        relay.exited = new Promise((resolve) => relay.process.once('exit', resolve));
        relay.process.stdout.on('data', (data) => {
            relay.out += data;
        });
        const line = await until('the relay listens', () => /^.*"port":(\d+)/m.exec(relay.out));
        relay.port = Number(line[1]);
        return relay;
    }

    /** One command, as 'loss 30'. */
    say(command) {
        this.process.stdin.write(`${command}\n`);
    }

    /** Ends it; gives its statistics. */
    async stop() {
        this.process.stdin.end();
        await this.exited;
        return JSON.parse(this.out.trim().split('\n').pop());
    }
}
