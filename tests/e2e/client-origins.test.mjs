// Pages of other origins, and pages that are left or loaded again: Chromium and Firefox alike.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { launch, openPage } from './browser.mjs';
import { Firefox } from './clients/firefox.mjs';
import { foreignOrigin, deleteRaw, publishRaw } from './clients/rawpage.mjs';
import { endedBy, playable, shown, withGateway } from './clients/realclient.mjs';

const TEST_MS = 90000;
const browsers = {};
let allowed;
let other;
before(async () => {
    allowed = await foreignOrigin();
    other = await foreignOrigin();
    const chromium = await launch();
    browsers.Chromium = {
        open: async (url) => {
            const page = await openPage(chromium, url);
            return { evaluate: (...words) => page.evaluate(...words), close: () => page.context().close() };
        },
        close: () => chromium.close(),
    };
    const firefox = await Firefox.launch();
    browsers.Firefox = {
        open: async (url) => {
            await firefox.open(url);
            const close = () => firefox.open('about:blank');
            return { evaluate: (...words) => firefox.evaluate(...words), close };
        },
        close: () => firefox.close(),
    };
});
after(async () => {
    await Promise.all(Object.values(browsers).map((browser) => browser.close()));
    await allowed?.close();
    await other?.close();
});

/** A gateway that allows one of the two origins. */
const withOrigins = (work) =>
    withGateway({ top: { cors_origins: `{"${allowed.origin}"}` } }, work);

/** Runs in the page: one request; what a script sees of its answer. */
async function ask({ url, method, headers, body }) {
    try {
        const reply = await fetch(url, { method, headers, body });
        const names = ['Location', 'ETag', 'WWW-Authenticate', 'Accept-Post', 'Retry-After'];
        const seen = Object.fromEntries(names.map((name) => [name, reply.headers.get(name)]));
        return { status: reply.status, type: reply.headers.get('Content-Type'), ...seen };
    } catch (error) {
        return { error: error.name };
    }
}

/** Runs in the page: trickles what the page's connection has gathered. */
async function trickle() {
    const { pc, session, etag, authorization } = window.whip;
    const sdp = pc.localDescription.sdp;
    const line = (pattern) => sdp.match(pattern)[0];
    const body = [
        line(/^a=ice-ufrag:.*$/m), line(/^a=ice-pwd:.*$/m), line(/^m=.*$/m), line(/^a=mid:.*$/m),
        'a=candidate:1 1 udp 2130706431 127.0.0.1 9 typ host', 'a=end-of-candidates', '',
    ].map((text) => text.trim()).join('\r\n');
    const reply = await fetch(session, {
        method: 'PATCH',
        headers: {
            'Content-Type': 'application/trickle-ice-sdpfrag', 'If-Match': etag, ...authorization,
        },
        body,
    });
    return reply.status;
}

for (const name of ['Chromium', 'Firefox']) {
    test(`WHIP-06 WHIP-07 WHIP-08 WHIP-57 ${name} publishes from another origin`, { timeout: TEST_MS }, () =>
        withOrigins(async (gateway) => {
            const { token } = await gateway.token('far');
            const page = await browsers[name].open(`${allowed.origin}/`);
            try {
                const how = { url: `${gateway.base}/whip/far`, token, codec: 'video/VP8' };
                const got = await page.evaluate(publishRaw, how);
                assert.equal(got.status, 201, got.body);
                assert.match(got.session, new RegExp(`^${gateway.base}/`)); // Location was readable
                assert.match(got.etag, /^"[^"]+"$/); // WHIP-56
                const { video, audio } = await playable(gateway, 'far');
                assert.ok(video.frames > 3 && audio.frames > 10);
                assert.equal(await page.evaluate(trickle), 204);
                assert.equal(await page.evaluate(deleteRaw), 200);
                await endedBy(gateway, 'far', 'deleted');
            } finally {
                await page.close();
            }
        }));

    test(`WHIP-08 WHIP-09 ${name} shows a script why it was refused`, { timeout: TEST_MS }, () =>
        withOrigins(async (gateway) => {
            const page = await browsers[name].open(`${allowed.origin}/`);
            const post = (headers) => page.evaluate(ask, {
                url: `${gateway.base}/whip/far`, method: 'POST', body: 'v=0\r\n',
                headers: { Authorization: 'Bearer nonsense', 'Content-Type': 'application/sdp', ...headers },
            });
            try {
                const refused = await post({});
                assert.equal(refused.status, 401, JSON.stringify(refused));
                assert.match(refused['WWW-Authenticate'], /^Bearer/);
                assert.match(refused.type, /^application\/problem\+json/); // WHIP-11
                const wrongType = await post({ 'Content-Type': 'application/json' });
                assert.equal(wrongType.status, 415); // WHIP-02
            } finally {
                await page.close();
            }
        }));

    test(`WHIP-10 ${name} keeps an origin out that is not listed`, { timeout: TEST_MS }, () =>
        withOrigins(async (gateway) => {
            const { token } = await gateway.token('far');
            const page = await browsers[name].open(`${other.origin}/`);
            try {
                const got = await page.evaluate(ask, {
                    url: `${gateway.base}/whip/far`, method: 'POST', body: 'v=0\r\n',
                    headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/sdp' },
                });
                assert.deepEqual(got, { error: 'TypeError' });
                // the preflight already failed: nothing was asked of the gateway
                assert.ok(!gateway.lines.some((line) => / publication .*stream=far/.test(line)));
            } finally {
                await page.close();
            }
        }));
}
