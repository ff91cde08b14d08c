// No plaintext media touches a disk (threats.md S1): a random marker is published in every access unit
// (SEI) and every Opus packet (padding), the stream is played, and then the marker is looked for
// where anything could have been written, while the stream is live and after it has ended.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { Gateway, until } from './gateway.mjs';
import { mediaPlaylists, mediaUris } from './hls.mjs';
import { Publisher } from './publisher.mjs';

let gateway;
before(async () => {
    gateway = await Gateway.start();
});
after(async () => {
    await gateway?.stop();
});

/** Files below the places that hold these bytes. grep: 0 found, 1 none, 2 some unreadable. */
function filesWith(bytes, places) {
    const pattern = [...bytes].map((b) => `\\x${b.toString(16).padStart(2, '0')}`).join('');
    const args = ['-rlaP', '--exclude-dir=proc', '--devices=skip', pattern, ...places];
    return new Promise((resolve) => {
        const env = { ...process.env, LC_ALL: 'C' };
        execFile('grep', args, { env, maxBuffer: 1 << 20 }, (error, stdout) => {
            resolve(stdout.split('\n').filter(Boolean));
        });
    });
}

/** All media bytes that the playlists of a stream name. */
async function play(stream) {
    const chunks = [];
    for (const url of await mediaPlaylists(gateway.hlsUrl(stream))) {
        for (const uri of await mediaUris(url)) {
            const answer = await fetch(uri);
            if (answer.ok) {
                chunks.push(Buffer.from(await answer.arrayBuffer()));
            }
        }
    }
    return Buffer.concat(chunks);
}

test('S1 a marker in the media is found in memory only', { timeout: 180000 }, async () => {
    // grep searches lines, and a zero may be escaped in H.264
    const marker = randomBytes(16).map((b) => (b === 0 || b === 10 ? b + 1 : b));
    const places = [gateway.state, '/tmp', '/dev/shm', '/var'];
    const { token } = await gateway.token('marked');
    const options = ['--marker', marker.toString('hex')];
    const publisher = new Publisher(gateway, 'marked', token, options);
    await publisher.sending();
    const media = await until('the marker is played', async () => {
        const bytes = await play('marked');
        return bytes.length > 500000 && bytes;
    }, 20000, 500);
    assert.ok(media.includes(marker), 'the marker passes through: the search below can find it');
    const planted = path.join(gateway.dir, 'planted');
    await writeFile(planted, Buffer.concat([randomBytes(5000), marker, randomBytes(5000)]));
    assert.deepEqual(await filesWith(marker, places.slice(1)), [planted], 'the search can find');
    await rm(planted);
    assert.deepEqual(await filesWith(marker, places), []);
    await publisher.stop();
    assert.deepEqual(await filesWith(marker, places), []);
    console.log(`marker: ${media.length} bytes played, 0 files hold it`);
});

test('S5 no token, ICE password or SDP line is logged', async () => {
    const { token } = await gateway.token('logged');
    const publisher = new Publisher(gateway, 'logged', token);
    await publisher.sending();
    await publisher.stop();
    const log = gateway.lines.join('\n');
    assert.ok(log.includes('stream=logged'));
    assert.ok(!log.includes(token), 'token');
    assert.doesNotMatch(log, /ice-pwd|ice-ufrag|fingerprint|a=candidate|v=0/);
});
