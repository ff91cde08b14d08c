// Floods of half-sent offers, and of PATCHes of one token: whoever has a right comes in all the while.

import assert from 'node:assert/strict';
import net from 'node:net';
import { after, before, test } from 'node:test';

import { until } from './gateway.mjs';
import { besiege, inParallel, troubles } from './posts.mjs';

const HONEST_POSTS = 20;
const HALF = 40000; // bytes of an offer of 65,000: kept in 64 KiB
const PER_ADDRESS = 40; // connections
const PATCHES = 1000;
const PATCH_BURST = 400; // web/rates.c
const FRAGMENT_TYPE = 'application/trickle-ice-sdpfrag';

let siege;
let gateway;
let posts;
let offer;
before(async () => {
    siege = await besiege('chromium_av.sdp');
    ({ gateway, posts, offer } = siege);
});
after(() => siege?.stop());

/** A connection that has sent half an offer and then waits; refilled as soon as it is ended. */
class Hoard {
    ended = 0;
    #sockets = new Set();
    #over = false;

    constructor(addresses, headers) {
        const { hostname: host, port } = new URL(gateway.base);
        this.sent = Promise.all(
            Array.from({ length: addresses * PER_ADDRESS }, (_, i) =>
                this.#send({ host, port, localAddress: `127.0.0.${2 + Math.floor(i / PER_ADDRESS)}` }, headers)),
        );
    }

    #send(to, headers) {
        return new Promise((resolve) => {
            const socket = net.connect(to);
            this.#sockets.add(socket);
            socket.on('error', () => {});
            socket.resume();
            socket.once('close', () => {
                this.#sockets.delete(socket);
                this.ended++;
                resolve();
                if (!this.#over) {
                    this.#send(to, headers);
                }
            });
            socket.write(
                `POST /whip/x HTTP/1.1\r\nHost: ${to.host}\r\nContent-Type: application/sdp\r\n` +
                    `${headers}Content-Length: 65000\r\n\r\n`,
            );
            socket.write(Buffer.alloc(HALF, 'a'), resolve);
        });
    }

    close() {
        this.#over = true;
        for (const socket of this.#sockets) {
            socket.destroy();
        }
    }
}

async function publishes(stream, token, from) {
    const answer = await posts.post(stream, { token, body: offer, from });
    assert.equal(answer.status, 201, answer.text);
    assert.equal((await posts.send('DELETE', answer.headers.location, { token, from })).status, 200);
}

const FLOODS = [
    ['without a token', 8, '', '127.0.0.1'],
    ['with a made-up token', 30, 'Authorization: Bearer made-up\r\n', '127.0.0.1'],
    ['with a made-up token, from the same address', 30, 'Authorization: Bearer made-up\r\n', '127.0.0.2'],
];

for (const [what, addresses, headers, from] of FLOODS) {
    test(`W1 H4 half-sent offers ${what} keep nobody out`, { timeout: 60000 }, async (t) => {
        const { token } = await gateway.token('*');
        await publishes('honest', token, from);
        const hoard = new Hoard(addresses, headers);
        try {
            await hoard.sent;
            if (headers) {
                // each address wants five times its share
                await until('bodies were ended', () => hoard.ended > addresses);
            }
            for (let i = 0; i < HONEST_POSTS; i++) {
                await publishes('honest', token, from);
            }
            t.diagnostic(`${addresses * PER_ADDRESS} half offers, ${hoard.ended} ended, ${HONEST_POSTS} x 201`);
            assert.deepEqual(troubles(gateway), []);
        } finally {
            hoard.close();
        }
    });
}

test(`WHIP-28 H8 of ${PATCHES} PATCHes of one token most end at web`, { timeout: 60000 }, async (t) => {
    const { token } = await gateway.token('*');
    const answer = await posts.post('patched', { token, body: offer });
    assert.equal(answer.status, 201, answer.text);
    const body = `${offer.match(/a=ice-ufrag:.*\r\n/)[0]}${offer.match(/a=ice-pwd:.*\r\n/)[0]}a=mid:0\r\n`;
    const { location, etag } = answer.headers;
    const own = 'Too many requests from this address.';
    const counts = { 204: 0, 429: 0, own: 0 };
    const start = Date.now();
    await inParallel(PATCHES, 8, async () => {
        const patch = await posts.send('PATCH', location, {
            token, body, type: FRAGMENT_TYPE, headers: { 'If-Match': etag },
        });
        counts[patch.text.includes(own) ? 'own' : patch.status]++;
    });
    const passed = PATCH_BURST + Math.ceil((Date.now() - start) / 10); // 100 a second come back
    t.diagnostic(`204: ${counts[204]}, 429 of the session: ${counts[429]}, of web: ${counts.own}`);
    assert.ok(counts[204] > 0);
    assert.equal(counts[204] + counts[429] + counts.own, PATCHES);
    assert.ok(counts[204] + counts[429] <= passed, `${counts[204] + counts[429]} of ${passed} got through`);
    assert.ok(counts.own > 0);
    // and others' sessions, of another address, are nobody's affair
    await publishes('other', token, '127.0.0.3');
});
