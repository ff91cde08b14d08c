// The ways in: ICE-TCP, IPv6, addresses behind a NAT, several ports, and Chromium behind a port that
// changes (rebind.test.mjs has more of that).

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import dgram from 'node:dgram';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';

import { launch, reaches } from './browser.mjs';
import { until, withGateway } from './gateway.mjs';
import { Publisher } from './publisher.mjs';
import { CHROMIUM_CHECK_MS, GAP_MS, rebind } from './rebind.mjs';
import { Relay } from './relay.mjs';

const BUFFER_BYTES = 4194304; // receive_buffer_bytes by default
const run = promisify(execFile);
const OFFER = new URL('../fixtures/offers/chromium_av.sdp', import.meta.url);

let browser;
before(async () => {
    browser = await launch();
});
after(async () => {
    await browser?.close();
});

/** The candidate lines of an answer, for a stream of its own. */
async function candidates(gateway, stream) {
    const { token } = await gateway.token(stream);
    const answer = await fetch(`${gateway.base}/whip/${stream}`, {
        method: 'POST',
        headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/sdp' },
        body: await readFile(OFFER),
    });
    const text = await answer.text();
    assert.equal(answer.status, 201, text);
    await fetch(new URL(answer.headers.get('Location'), gateway.base), {
        method: 'DELETE',
        headers: { Authorization: `Bearer ${token}` },
    });
    return [...text.matchAll(/^a=candidate:\S+ 1 (\S+) \d+ (\S+) (\d+) typ host(.*)\r$/gm)].map(
        ([, transport, address, port, more]) => ({ transport, address, port: Number(port), more }),
    );
}

/**
 * Chromium publishes and another page watches. keep: which of the answer's candidates it sees; port:
 * the one it sees instead of theirs. work(page) runs while both are live.
 */
async function publishWith(gateway, stream, { keep = / udp /, port = 0 }, work) {
    const { token } = await gateway.token(stream);
    const contexts = [];
    try {
        const context = await browser.newContext();
        contexts.push(context);
        const page = await context.newPage();
        await page.addInitScript(
            ([pattern, other]) => {
                const wanted = new RegExp(pattern);
                const original = RTCPeerConnection.prototype.setRemoteDescription;
                RTCPeerConnection.prototype.setRemoteDescription = function (description) {
                    window.connection = this;
                    const sdp = description.sdp
                        .split('\r\n')
                        .filter((line) => !line.startsWith('a=candidate') || wanted.test(line))
                        .map((line) => (other ? line.replace(/ \d+ typ host/, ` ${other} typ host`) : line))
                        .join('\r\n');
                    return original.call(this, { type: description.type, sdp });
                };
            },
            [keep.source, port],
        );
        await page.goto(gateway.publishUrl(stream, token, '?source=test'));
        await page.getByRole('button', { name: 'Go live' }).click();
        await reaches(page, 'live', 20000);
        const viewing = await browser.newContext();
        contexts.push(viewing);
        const viewer = await viewing.newPage();
        await viewer.goto(gateway.watchUrl(stream));
        await reaches(viewer, 'live', 20000);
        return await work(page);
    } finally {
        await Promise.all(contexts.map((context) => context.close()));
    }
}

/** The gateway's candidate that the publisher uses. */
function usedBy(page) {
    return page.evaluate(async () => {
        const all = [...(await window.connection.getStats()).values()];
        const pair = all.find((s) => s.type === 'candidate-pair' && s.nominated);
        const { protocol, address } = all.find((s) => s.id === pair.remoteCandidateId);
        return { protocol, address };
    });
}

test('RFC6544 Chromium publishes over TCP when UDP does not get through', { timeout: 90000 }, () =>
    withGateway({}, async (gateway) => {
        const offered = await candidates(gateway, 'lines');
        assert.deepEqual(
            offered.map((c) => `${c.transport} ${c.port}${c.more}`),
            [`udp ${gateway.media}`, `tcp ${gateway.media} tcptype passive`],
        );
        const used = await publishWith(gateway, 'stream', { keep: / tcp / }, usedBy);
        assert.equal(used.protocol, 'tcp');
    }));

test('ICE-09 Chromium publishes over IPv6', { timeout: 90000 }, () =>
    withGateway({ top: { media_address: '{"127.0.0.1", "::1"}' } }, async (gateway) => {
        const used = await publishWith(gateway, 'six', { keep: / udp \d+ ::1 / }, usedBy);
        assert.deepEqual(used, { protocol: 'udp', address: '::1' });
    }));

test('RFC6544 rawpub publishes over TCP on several connections', { timeout: 90000 }, () =>
    withGateway({}, async (gateway) => {
        const { token } = await gateway.token('*');
        const publisher = new Publisher(gateway, 'many', token, [
            '--tcp', '--streams', '4', '--seconds', '5',
        ]);
        const status = await publisher.exited;
        assert.equal(status, 0, JSON.stringify(publisher.events));
        const done = publisher.events.filter((event) => event.event === 'done');
        assert.equal(done.length, 4);
        for (const one of done) {
            assert.ok(one.packets > 1000 && one.nacks === 0, JSON.stringify(one));
        }
        assert.equal(gateway.lines.filter((l) => /path_opened .*transport=tcp/.test(l)).length, 4);
    }));

for (const way of [[], ['--tcp']]) {
    test(`WHIP-85 WHIP-86 a publisher that is the DTLS server ${way}`, { timeout: 90000 }, () =>
        withGateway({}, async (gateway) => {
            const { token } = await gateway.token('*');
            const publisher = new Publisher(gateway, 'passive', token, [
                '--passive', '--streams', '4', '--seconds', '4', ...way,
            ]);
            assert.equal(await publisher.exited, 0, JSON.stringify(publisher.events));
            const ended = gateway.lines.filter((l) => /ingest ended .*bad_srtp=0 /.test(l));
            assert.equal(ended.length, 4);
        }));
}

test('ICE-09 public_address stands first in the answer', { timeout: 60000 }, () =>
    withGateway(
        { top: { public_address: '{"203.0.113.9", "2001:db8::9"}' } },
        async (gateway) => {
            const found = await candidates(gateway, 'nat');
            const of = (t) => found.filter((c) => c.transport === t).map((c) => c.address);
            assert.deepEqual(of('udp'), ['203.0.113.9', '127.0.0.1', '2001:db8::9']);
            assert.deepEqual(of('tcp'), ['203.0.113.9', '127.0.0.1', '2001:db8::9']);
        },
    ));

test('ICE-09 what the STUN server saw stands in the answer', { timeout: 60000 }, async () => {
    const server = dgram.createSocket('udp4');
    server.on('message', (request, from) => {
        const mapped = Buffer.from([0, 0x20, 0, 8, 0, 1, 0, 0, 0, 0, 0, 0]);
        mapped.writeUInt16BE(from.port ^ 0x2112, 6);
        [198, 51, 100, 4].forEach((byte, i) => {
            mapped[8 + i] = byte ^ [0x21, 0x12, 0xa4, 0x42][i];
        });
        const head = Buffer.from([1, 1, 0, 12, 0x21, 0x12, 0xa4, 0x42]);
        server.send(Buffer.concat([head, request.subarray(8, 20), mapped]), from.port, from.address);
    });
    await new Promise((resolve) => server.bind(0, '127.0.0.1', resolve));
    try {
        const stun = `"127.0.0.1:${server.address().port}"`;
        await withGateway({ top: { stun_server: stun } }, async (gateway) => {
            await until('seen_address', () => gateway.lines.some((l) => / seen_address /.test(l)));
            const found = await candidates(gateway, 'seen');
            assert.deepEqual(found.map((c) => c.address), ['198.51.100.4', '198.51.100.4']);
        });
    } finally {
        server.close();
    }
});

test('ICE-10 sessions are spread over media_port_count ports', { timeout: 90000 }, () =>
    withGateway({ top: { media_port_count: 4 } }, async (gateway) => {
        const ports = new Set();
        for (let i = 0; i < 4; i++) {
            const found = await candidates(gateway, `port-${i}`);
            const udp = found.filter((c) => c.transport === 'udp');
            assert.equal(udp.length, 1);
            ports.add(udp[0].port - gateway.media);
        }
        assert.deepEqual([...ports].sort(), [0, 1, 2, 3]);
        const { token } = await gateway.token('*');
        const publisher = new Publisher(gateway, 'spread', token, ['--streams', '4', '--seconds', '3']);
        assert.equal(await publisher.exited, 0, JSON.stringify(publisher.events));
    }));

test('U13 connected sockets have the receive buffer too', { timeout: 60000 }, (t) =>
    withGateway({}, async (gateway) => {
        const publisher = new Publisher(gateway, 'buffer', (await gateway.token('*')).token);
        try {
            await publisher.sending();
            const { stdout } = await run('ss', ['-Huanm', 'sport', '=', `:${gateway.media}`]);
            const sizes = [...stdout.matchAll(/\brb(\d+)/g)].map(([, size]) => Number(size) / 2);
            t.diagnostic(`receive buffers: ${sizes.join(' ')}`);
            assert.ok(sizes.length >= 2, stdout); // the listener and the publisher's
            const warning = /UDP receive buffer is (\d+) bytes.*net.core.rmem_max=(\d+)/;
            const warned = gateway.lines.map((l) => warning.exec(l)).find(Boolean);
            assert.equal(Math.min(...sizes), warned ? Number(warned[1]) : BUFFER_BYTES);
        } finally {
            await publisher.stop();
        }
    }));

test('U17 ICE-07 Chromium behind a port that is rebound', { timeout: 180000 }, (t) =>
    withGateway({}, async (gateway) => {
        const relay = await Relay.start(gateway);
        try {
            const how = { port: relay.port };
            const gaps = await publishWith(gateway, 'roaming', how, async () => {
                const found = await rebind(gateway, relay, CHROMIUM_CHECK_MS);
                const [row] = (await gateway.ctl('stream', 'list')).streams;
                const { frames, lost, nacks, plis } = row.media;
                t.diagnostic(JSON.stringify({ frames, lost, nacks, plis }));
                return found;
            });
            t.diagnostic(`gaps in ms: ${gaps.join(' ')}`);
            assert.ok(Math.max(...gaps) <= GAP_MS);
            assert.ok(!gateway.lines.some((l) => /ingest ended .*reason=silent/.test(l)));
        } finally {
            await relay.stop();
        }
    }));
