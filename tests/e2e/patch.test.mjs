// A WHIP session over plain HTTP requests, from POST to DELETE, through the whole gateway: trickle,
// ICE restarts, entity tags, and the ICE servers that a publisher is told of.

import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import http from 'node:http';
import { after, before, test } from 'node:test';

import { Gateway } from './gateway.mjs';

const FRAGMENT_TYPE = 'application/trickle-ice-sdpfrag';
const SECRET = 'between the gateway and its TURN server';
const NEXT = 'a=ice-ufrag:next\r\na=ice-pwd:nextnextnextnextnextnext\r\na=mid:0\r\n';

const on = {};

before(async () => {
    const servers = '{"stun:stun.example:3478", "turn:turn.example:3478?transport=udp"}';
    on.gateway = await Gateway.start({ sections: { ice: { servers, turn_secret: `"${SECRET}"` } } });
    on.offer = await readFile('tests/fixtures/offers/chromium_av.sdp', 'utf8');
    const [, ufrag] = /^a=ice-ufrag:(\S+)/m.exec(on.offer);
    const [, pwd] = /^a=ice-pwd:(\S+)/m.exec(on.offer);
    on.same =
        `a=ice-ufrag:${ufrag}\r\na=ice-pwd:${pwd}\r\nm=video 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\n` +
        'a=candidate:1 1 udp 1 d2d1-41.local 9 typ host\r\na=end-of-candidates\r\n';
});
after(async () => {
    await on.gateway?.stop();
});

/** One request; rawHeaders keep lines of one name apart, which fetch does not. */
function ask(method, path, headers = {}, body = undefined) {
    return new Promise((resolve, reject) => {
        const request = http.request(new URL(path, on.gateway.base), { method, headers }, (answer) => {
            let text = '';
            answer.setEncoding('utf8');
            answer.on('data', (data) => (text += data));
            answer.on('end', () => {
                const links = answer.rawHeaders.filter((_, i, all) => /^link$/i.test(all[i - 1] ?? ''));
                resolve({ status: answer.statusCode, headers: answer.headers, links, text });
            });
        });
        request.on('error', reject);
        request.end(body);
    });
}

/** A session: its first answer, and patch(fragment, headers), on behalf of its owner. */
async function session(stream) {
    const { token } = await on.gateway.token(stream);
    const mine = { Authorization: `Bearer ${token}` };
    const type = { 'Content-Type': 'application/sdp' };
    const created = await ask('POST', `/whip/${stream}`, { ...mine, ...type }, on.offer);
    assert.equal(created.status, 201, created.text);
    const url = created.headers.location;
    const patch = (fragment, headers) =>
        ask('PATCH', url, { ...mine, 'Content-Type': FRAGMENT_TYPE, ...headers }, fragment);
    const end = () => ask('DELETE', url, { ...mine, 'If-Match': '"any"' });
    return { created, url, patch, end, etag: created.headers.etag };
}

function work(name, body) {
    test(name, { timeout: 60000 }, async (t) => {
        try {
            await body(t);
        } catch (error) {
            error.message += `\n--- gateway ---\n${on.gateway.log(60)}`;
            throw error;
        }
    });
}

work('WHIP-49 WHIP-50 a 201 names the ICE servers, with a credential of its own', async () => {
    const { created, end } = await session('links');
    const [stun, turn, ...more] = created.links;
    assert.deepEqual(more, []);
    assert.equal(stun, '<stun:stun.example:3478>; rel="ice-server"');
    const form =
        /^<turn:turn\.example:3478\?transport=udp>; rel="ice-server"; username="(\d+:[^"]+)"; credential="([^"]+)"; credential-type="password"$/;
    const [, username, credential] = form.exec(turn);
    assert.equal(credential, createHmac('sha1', SECRET).update(username).digest('base64'));
    assert.ok(Number(username.split(':')[0]) > Date.now() / 1000);
    const preflight = await ask('OPTIONS', '/whip/links', { Origin: 'https://a.example' });
    assert.deepEqual([preflight.status, preflight.links], [200, []]);
    assert.equal((await end()).status, 200);
});

work('WHIP-57 WHIP-60 WHIP-64 trickle gives 204 and nothing else', async () => {
    const { patch, end, etag } = await session('trickle');
    assert.match(etag, /^"[^"]+"$/); // WHIP-56
    for (const tag of [etag, '*', '"*"']) {
        const { status, headers, text } = await patch(on.same, { 'If-Match': tag });
        assert.equal(status, 204, text);
        assert.deepEqual([text, headers.etag, headers['content-type']], ['', undefined, undefined]);
    }
    assert.equal((await end()).status, 200);
});

work('WHIP-59 WHIP-61 a restart gives the next generation, and its tag counts', async () => {
    const { created, patch, end, etag } = await session('restart');
    const { status, headers, text } = await patch(NEXT, { 'If-Match': '*' });
    assert.equal(status, 200, text);
    assert.equal(headers['content-type'], FRAGMENT_TYPE);
    assert.match(headers.etag, /^"[^"]+"$/);
    assert.notEqual(headers.etag, etag);
    for (const name of ['ice-ufrag', 'ice-pwd']) {
        const line = new RegExp(`^a=${name}:(\\S+)\\r$`, 'm');
        assert.notEqual(line.exec(text)[1], line.exec(created.text)[1]);
    }
    assert.match(text, /^a=candidate:/m);
    assert.match(text, /^a=ice-lite\r$/m);
    assert.equal((await patch(NEXT, { 'If-Match': etag })).status, 412); // WHIP-67: of before
    assert.equal((await patch(NEXT, { 'If-Match': headers.etag })).status, 204);
    assert.equal((await end()).status, 200);
});

work('WHIP-20 WHIP-24 WHIP-25 WHIP-62 what is wrong with a PATCH, and the session goes on', async () => {
    const { patch, end, url, etag } = await session('wrong');
    const statuses = [
        [await patch(on.same, { 'If-Match': '"another"' }), 412],
        [await patch(on.same, {}), 428],
        [await patch(on.same, { 'If-Match': `W/${etag}` }), 400],
        [await patch(on.same, { 'If-Match': `${etag}, "b"` }), 400],
        [await patch(NEXT, { 'If-Match': etag }), 428], // WHIP-59: only * may restart
        [await patch('nonsense\r\n', { 'If-Match': '*' }), 400],
        [await patch('', { 'If-Match': '*' }), 400],
        [await patch('x'.repeat(16385), { 'If-Match': '*' }), 413],
        [await patch(on.same, { 'If-Match': '*', 'Content-Type': 'application/sdp' }), 415],
        [await patch(on.same, { 'If-Match': '*', Authorization: 'Bearer nobodys' }), 401],
        [await ask('PATCH', url, {}, on.same), 401],
    ];
    assert.deepEqual(statuses.map(([{ status }]) => status), statuses.map(([, status]) => status));
    assert.equal(statuses[8][0].headers['accept-patch'], FRAGMENT_TYPE);
    for (const [{ headers }] of statuses) {
        assert.equal(headers['access-control-allow-origin'], '*');
        assert.match(headers['content-type'], /problem\+json/);
    }
    assert.equal((await patch(on.same, { 'If-Match': etag })).status, 204);
    const { token } = await on.gateway.token('other');
    const other = { Authorization: `Bearer ${token}`, 'Content-Type': FRAGMENT_TYPE, 'If-Match': '*' };
    const notMine = await ask('PATCH', url, other, on.same); // WHIP-22: looks like an unknown one
    const unknown = await ask('PATCH', `/whip/session/${'0'.repeat(32)}`, other, on.same);
    assert.deepEqual([notMine.status, notMine.text], [404, unknown.text]);
    assert.equal((await end()).status, 200);
    assert.equal((await patch(on.same, { 'If-Match': '*' })).status, 404);
    assert.equal((await end()).status, 404); // WHIP-30
});

work('WHIP-28 a browser that trickles all at once is served', async () => {
    const { patch, end, etag } = await session('burst');
    const answers = [];
    for (let wave = 0; wave < 4; wave++) {
        const six = Array.from({ length: 6 }, () => patch(on.same, { 'If-Match': etag }));
        answers.push(...(await Promise.all(six))); // over as many connections as browsers open
    }
    assert.deepEqual([...new Set(answers.map(({ status }) => status))], [204]);
    assert.equal((await end()).status, 200);
});
