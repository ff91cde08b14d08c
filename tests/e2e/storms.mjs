// rawstorm for tests: strangers at a gateway's media port.

import { spawn } from 'node:child_process';
import path from 'node:path';

import { BUILD } from './gateway.mjs';

/** Every kind of datagram that deserves no answer. */
export const EVERYTHING = 'bare,user,wrong,unknown,hello,null,alert,close,finished,rtp,rtcp,turn';

/** A storm that ends by itself or by stop(): what it counted. */
export function storm(gateway, kinds, pps, seconds, more = []) {
    const target = `127.0.0.1:${gateway.media}`;
    const words = ['--target', target, '--kinds', kinds, '--pps', pps, '--seconds', seconds, ...more];
    const child = spawn(path.join(BUILD, 'tests/rawstorm'), words.map(String));
    let out = '';
    child.stdout.on('data', (data) => {
        out += data;
    });
    const done = new Promise((resolve, reject) =>
        child.once('close', (status) =>
            status === 0 ? resolve(JSON.parse(out)) : reject(new Error(`rawstorm: ${status}`)),
        ),
    );
    return { done, stop: () => (child.kill('SIGINT'), done) };
}
