// rawpub as a publisher: starts it, keeps its events, ends it.

import { spawn } from 'node:child_process';
import path from 'node:path';

import { BUILD, until } from './gateway.mjs';

export class Publisher {
    /** options: further words for rawpub. */
    constructor(gateway, stream, token, options = []) {
        const args = ['--url', `${gateway.base}/whip/${stream}`, '--token', token, '--json'];
        this.events = [];
        this.errors = '';
        let rest = '';
        this.process = spawn(path.join(BUILD, 'tests/rawpub'), [...args, ...options]);
        this.process.stdout.on('data', (data) => {
            const lines = (rest + data).split('\n');
            rest = lines.pop();
            this.events.push(...lines.filter(Boolean).map((line) => JSON.parse(line)));
        });
        this.process.stderr.on('data', (data) => {
            this.errors += data;
        });
        this.exited = new Promise((resolve) => this.process.once('exit', resolve));
    }

    event(name) {
        return this.events.find((event) => event.event === name);
    }

    /** Waits until media flows. Making the test media at first use takes a while. */
    async sending() {
        await until(
            `rawpub sends (${this.errors})`,
            () => {
                if (this.process.exitCode !== null) {
                    throw new Error(`rawpub ended: ${this.errors} ${JSON.stringify(this.events)}`);
                }
                return this.event('sending');
            },
            60000,
        );
    }

    /** Ends it; gives its last event. */
    async stop() {
        if (this.process.exitCode === null) {
            this.process.kill('SIGINT');
        }
        await this.exited;
        return this.event('done');
    }
}
