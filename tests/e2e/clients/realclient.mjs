// What the tests of real publishers share: starting one, seeing that its stream plays, keeping its offer.

import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { until, withGateway } from '../gateway.mjs';
import { mediaPlaylists } from '../hls.mjs';
import { Relay } from '../relay.mjs';

const run = promisify(execFile);
const HERE = path.dirname(fileURLToPath(import.meta.url));
const OFFERS = path.join(HERE, '../../fixtures/offers');
const OUTPUT_MAX = 200000;
// Debian's own: another one would not find Debian's modules
const PYTHON = process.env.PYTHON ?? '/usr/bin/python3';

export { until, withGateway };

/** A publishing program: its JSON lines are events, the rest is kept for errors. */
export class RealClient {
    constructor(program, args, env = {}) {
        this.events = [];
        this.output = '';
        this.process = spawn(program, args, { env: { ...process.env, ...env } });
        let rest = '';
        this.process.stdout.on('data', (data) => {
            const lines = (rest + data).split('\n');
            rest = lines.pop();
            lines.forEach((line) => this.#keep(line));
        });
        this.process.stderr.on('data', (data) => this.#keep(String(data)));
        this.exited = new Promise((resolve) => {
            this.process.once('exit', (status) => resolve(status));
            this.process.once('error', (error) => {
                this.output += error.message;
                resolve(-1);
            });
        });
        this.process.stdin.on('error', () => {}); // it may be gone before it is told to end
    }

    /** A script beside this file, run by Debian's Python. */
    static python(script, args, env) {
        return new RealClient(PYTHON, ['-B', path.join(HERE, script), ...args], env);
    }

    #keep(line) {
        if (line.startsWith('{"event"')) {
            this.events.push(JSON.parse(line));
        } else {
            this.output = (this.output + line + '\n').slice(-OUTPUT_MAX);
        }
    }

    /** Waits for the first event of that name, with these values. */
    event(name, values = {}, limitMs = 20000) {
        const fits = (event) =>
            event.event === name && Object.entries(values).every(([key, value]) => event[key] === value);
        return until(
            `event ${name} ${JSON.stringify(values)}`,
            () => {
                const found = this.events.find(fits);
                if (!found && this.process.exitCode !== null) {
                    throw new Error(`it ended: ${JSON.stringify(this.events)}\n${this.output}`);
                }
                return found;
            },
            limitMs,
        );
    }

    /** Ends it: its input closes (scripts DELETE then), or signal is sent. Gives its exit status. */
    async stop(signal) {
        if (signal) {
            this.process.kill(signal);
        } else {
            this.process.stdin.end();
        }
        const late = setTimeout(() => this.process.kill('SIGKILL'), 15000);
        const status = await this.exited;
        clearTimeout(late);
        return status;
    }
}

function everyPlaylist(gateway, stream, pattern) {
    const limitMs = 30000;
    return until(`every playlist of ${stream} has ${pattern}`, async () => {
        const lists = await mediaPlaylists(gateway.hlsUrl(stream));
        const texts = await Promise.all(lists.map(async (list) => (await fetch(list)).text()));
        return texts.length > 0 && texts.every((text) => pattern.test(text));
    }, limitMs);
}

/** Decodes the second after the beginning of the first track's newest segment. */
async function probe(url) {
    const { stdout } = await run(
        'ffprobe',
        ['-v', 'error', '-of', 'json', '-show_streams', '-count_frames', '-read_intervals', '%+1',
            '-live_start_index', '-1', url],
        { timeout: 30000 },
    ).catch((error) => {
        throw new Error(`ffprobe: ${error.code} ${error.signal} ${error.stderr}`, { cause: error });
    });
    const { streams } = JSON.parse(stdout);
    const frames = (one) => one && { ...one, frames: Number(one.nb_read_frames) };
    const of = (kind) => frames(streams.find((one) => one.codec_type === kind));
    return { video: of('video'), audio: of('audio') };
}

/** Waits until each media playlist has a segment, then decodes a second: the streams as ffprobe has
 * them, { video, audio }, each undefined when there is none. Again when a segment ended between its
 * looks at the two playlists: one track's newest segment then begins after that second. */
export async function playable(gateway, stream) {
    await everyPlaylist(gateway, stream, /^#EXTINF:/m);
    return until(
        `all tracks of ${stream} have frames`,
        async () => {
            const got = await probe(gateway.hlsUrl(stream));
            const tracks = [got.video, got.audio].filter(Boolean);
            return tracks.every((track) => track.frames > 0) ? got : null;
        },
        30000,
        100,
    );
}

/** Waits until that is the size of the newest segment's picture. The first ones may be of a smaller layer. */
export function playableAt(gateway, stream, size) {
    return until(
        `${stream} plays in ${size}`,
        async () => {
            const { video } = await playable(gateway, stream);
            return video?.width === size[0] && video.height === size[1];
        },
        30000,
        500,
    );
}

/** The counters of a live stream, once wanted(media) holds. */
export function shown(gateway, stream, wanted = (media) => media.frames > 0, limitMs = 20000) {
    let last;
    return until(
        `counters of ${stream}`,
        async () => {
            const answer = await gateway.ctl('stream', 'show', stream).catch(() => ({}));
            last = answer.media;
            return last && wanted(last) ? last : null;
        },
        limitMs,
        200,
    ).catch((error) => {
        error.message += ` ${JSON.stringify(last)}`;
        throw error;
    });
}

/** Runs work(port) with a relay in front of the gateway that loses 5 % of what the publisher sends. */
export async function withLoss(gateway, work) {
    const relay = await Relay.start(gateway, ['--loss', '5', '--up-only', '--delay', '5']);
    try {
        return await work(relay.port);
    } finally {
        await relay.stop();
    }
}

/** Waits until enough was lost and came again by RTX: more than is missing, even on a busy machine. Gives
 * the counters. */
export async function repaired(gateway, stream) {
    const { video } = await shown(gateway, stream, (m) => m.video.recovered_rtx >= 10, 40000);
    assert.ok(video.lost * 2 < video.recovered_rtx, JSON.stringify(video));
    return video;
}

/** Waits for the end of a stream: its reason, its playlist closed. */
export async function endedBy(gateway, stream, reason) {
    const line = new RegExp(`supervisor stream stream=${stream} state=ended reason=${reason}\\b`);
    await until(`${stream} ends: ${reason}`, () => gateway.lines.some((l) => line.test(l)));
    await everyPlaylist(gateway, stream, /^#EXT-X-ENDLIST$/m);
}

/** The last word of the worker: no packet that was not authentic, none replayed. */
export function assertClean(gateway) {
    const ended = gateway.lines.filter((line) => / ingest ended /.test(line));
    assert.ok(ended.length > 0);
    for (const line of ended) {
        assert.match(line, / bad_srtp=0 replayed=0 over_limit=0 /);
    }
}

/** tests/support/preload/no_igd.c, compiled: { path, remove() }. */
export async function preloadForNice() {
    const dir = await mkdtemp(path.join(tmpdir(), 'sluice-preload-'));
    const library = path.join(dir, 'no_igd.so');
    const source = path.join(HERE, '../../support/preload/no_igd.c');
    await run(process.env.CC ?? 'gcc', [
        '-std=c17', '-D_GNU_SOURCE', '-O2', '-shared', '-fPIC',
        '-Wl,-soname,libgupnp-igd-1.0.so.4', '-o', library, source,
    ]);
    return { path: library, remove: () => rm(dir, { recursive: true, force: true }) };
}

/** With RECORD_OFFERS set: writes an offer to tests/fixtures/offers without what names this machine or
 * was secret in that session. */
export async function keepOffer(name, sdp) {
    if (!process.env.RECORD_OFFERS) {
        return;
    }
    const seen = new Map();
    const same = (text, make) => {
        seen.set(text, seen.get(text) ?? make(seen.size));
        return seen.get(text);
    };
    const filler = (text) => text.replace(/[0-9A-Za-z]/g, 'x');
    const clean = sdp
        .replace(/^a=candidate:.*\b(?!127\.0\.0\.1\b)\d+\.\d+\.\d+\.\d+ \d+ typ.*\r?\n/gm, '')
        .replace(/^a=candidate:.*[0-9a-f]*:[0-9a-f:]+ \d+ typ.*\r?\n/gm, '')
        .replace(/IN IP4 (?!0\.0\.0\.0)\S+/g, 'IN IP4 127.0.0.1')
        .replace(/(?<=\b(user\d+@host|user)[-]?)[0-9a-f]{8}\b/g, '12345678')
        .replace(/(?<=a=ice-(ufrag|pwd):)\S+/g, (text) => same(text, (n) => n + filler(text).slice(1)))
        .replace(/(?<=a=fingerprint:sha-256 )\S+/g, (text) => text.replace(/[0-9A-F]/g, 'A'));
    await writeFile(path.join(OFFERS, `${name}.sdp`), clean);
}
