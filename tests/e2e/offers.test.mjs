// Mutated offers through the whole gateway (W3 of threats.md): 201 or 4xx, nothing dies, nothing stays.
// OFFERS (default 150) scales it; 1,000 is the mark. SEED repeats a run.

import assert from 'node:assert/strict';
import { readFile, readdir } from 'node:fs/promises';
import { after, before, test } from 'node:test';

import { Gateway } from './gateway.mjs';
import { Posts, census, childrenUs, random, recovers, troubles } from './posts.mjs';

const OFFERS = Number(process.env.OFFERS ?? 150);
const SEED = Number(process.env.SEED ?? 1);
const CPU_US = 10000;
const FOLDER = 'tests/fixtures/offers';
const PIECES = [
    '\r\n', '\n', ';', ',', ':', '/', '=', ' ', '*', '~', '\0', '\xff', 'a=', 'm=video 9 ', 'a=inactive\r\n',
    'a=mid:0\r\n', 'a=setup:passive\r\n', 'a=rid:x send pt=1,2\r\n', 'a=simulcast:send ~x,y;z recv q\r\n',
    'a=fmtp:96 apt=96\r\n', 'a=group:BUNDLE 0 1 2 3\r\n', 'profile-level-id=f4001f;', 'a=bundle-only\r\n',
    `a=${'x'.repeat(3000)}\r\n`, 'm=audio 9 UDP/TLS/RTP/SAVPF 0\r\n'.repeat(70), 'a=b\r\n'.repeat(700),
];
const NUMBERS = ['0', '1', '127', '128', '255', '256', '65536', '4294967296', '18446744073709551616', '-1'];

const draw = random(SEED);
const pick = (list) => list[Math.floor(draw() * list.length)];

/** One change to an offer; the others give a line of theirs. */
function mutate(text, others) {
    const lines = text.split('\n');
    const at = Math.floor(draw() * lines.length);
    const byte = Math.floor(draw() * text.length);
    switch (Math.floor(draw() * 8)) {
        case 0: // a flipped bit
            return text.slice(0, byte) +
                String.fromCharCode((text.charCodeAt(byte) ^ (1 << Math.floor(draw() * 7))) & 255) +
                text.slice(byte + 1);
        case 1:
            lines.splice(at, 1);
            return lines.join('\n');
        case 2: // a line again, somewhere else
            lines.splice(Math.floor(draw() * lines.length), 0, lines[at]);
            return lines.join('\n');
        case 3:
            lines.splice(at, draw() < 0.5 ? 1 : 0, pick(pick(others).split('\n')));
            return lines.join('\n');
        case 4:
            return text.slice(0, byte) + text.slice(byte).replace(/\d+/, pick(NUMBERS));
        case 5:
            return text.slice(0, byte) + pick(PIECES) + text.slice(byte);
        case 6:
            return text.slice(0, byte) + text.slice(byte + Math.floor(draw() * 40));
        default:
            return draw() < 0.1 ? text.slice(0, byte) : text;
    }
}

let gateway;
let posts;
before(async () => {
    gateway = await Gateway.start({ limits: { rejoin_window_s: 0, ended_linger_s: 1 } });
    posts = new Posts(gateway);
});
after(async () => {
    posts?.close();
    await gateway?.stop();
});

/** CPU of the workers that ended while `count` offers went through, per offer, and the median time to an
 * answer. */
async function costOf(count, offerOf, token) {
    const statuses = new Map();
    const times = [];
    const used = await childrenUs(gateway.process.pid);
    for (let i = 0; i < count; i++) {
        const body = Buffer.from(offerOf(i), 'latin1');
        const from = `127.0.1.${2 + (i % 250)}`; // one address alone would get 429
        const asked = performance.now();
        const answer = await posts.post(`offer-${i}`, { token, body, from });
        times.push(performance.now() - asked);
        const { status, headers, text } = answer;
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
        assert.ok(status === 201 || (status >= 400 && status < 500), `offer ${i}: ${status} ${text}`);
        assert.ok(![401, 403, 409, 429].includes(status), `offer ${i}: ${status} ${text}`);
        if (status === 201) {
            assert.match(text, /^v=0\r\n/);
            assert.equal((await posts.send('DELETE', headers.location, { token, from })).status, 200);
        } else {
            assert.match(headers['content-type'], /^application\/problem\+json/); // WHIP-11
        }
        assert.deepEqual(troubles(gateway), []);
    }
    await recovers(gateway, standingProcesses);
    const answeredMs = times.sort((a, b) => a - b)[times.length >> 1];
    return { statuses, answeredMs, us: ((await childrenUs(gateway.process.pid)) - used) / count };
}

let standingProcesses;
test(`W3 WHIP-03 ${OFFERS} mutated offers: 201 or 4xx, nothing dies, nothing stays`, { timeout: 1200000 },
    async (t) => {
        const files = (await readdir(FOLDER)).filter((name) => name.endsWith('.sdp'));
        const offers = await Promise.all(files.map((name) => readFile(`${FOLDER}/${name}`, 'latin1')));
        const { token } = await gateway.token('*');
        standingProcesses = await census(gateway);
        const mutated = () => {
            let text = pick(offers);
            for (let left = 1 + Math.floor(draw() * 6); left > 0 && text.length > 1; left--) {
                text = mutate(text, offers);
            }
            return text;
        };
        // a worker's start and end are in both
        const idle = await costOf(Math.min(OFFERS, 100), () => 'v=1\r\n', token);
        const { statuses, answeredMs, us } = await costOf(OFFERS, mutated, token);
        t.diagnostic(
            `${[...statuses].sort().map(([s, n]) => `${s}: ${n}`).join(', ')}; CPU per offer ` +
                `${us.toFixed(0)} us with its workers, ${idle.us.toFixed(0)} us when refused at its first line; ` +
                `answered in ${answeredMs.toFixed(1)} ms`,
        );
        assert.ok(statuses.get(201) > OFFERS / 10 && statuses.get(400) > OFFERS / 50);
        assert.ok(us - idle.us <= CPU_US);
        const { streams } = await gateway.ctl('stream', 'list');
        assert.deepEqual(streams, []);
    });
