// Chromium restarts ICE in mid-stream by PATCH (RFC 9725 4.3.3), by hand: the page's own way of doing
// it is not used here.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { launch, reaches } from './browser.mjs';
import { Gateway, until } from './gateway.mjs';

const RESTARTS = 2;
const PLAY_ON_S = 2;

let browser;
before(async () => {
    browser = await launch();
});
after(async () => {
    await browser?.close();
});

/** Keeps the connection, the answer and the session URL of the page's publication. */
function spy() {
    const setRemote = RTCPeerConnection.prototype.setRemoteDescription;
    RTCPeerConnection.prototype.setRemoteDescription = function (description) {
        window.connection = this;
        window.answer = description.sdp;
        return setRemote.call(this, description);
    };
    const original = window.fetch;
    window.fetch = async (...args) => {
        const answer = await original(...args);
        if (answer.status === 201) {
            window.session = new URL(answer.headers.get('Location'), answer.url).href;
            window.tag = answer.headers.get('ETag');
        }
        return answer;
    };
}

/** One restart; gives what the gateway said. Runs in the page. */
async function restart(token) {
    const ICE = /^a=(ice-ufrag|ice-pwd|candidate|end-of-candidates)/;
    const pc = window.connection;
    pc.restartIce();
    await pc.setLocalDescription(await pc.createOffer());
    const [, first] = pc.localDescription.sdp.split(/^(?=m=)/m);
    const kept = first.split('\r\n').filter((line) => ICE.test(line) || /^(m=|a=mid:)/.test(line));
    const patch = (match) =>
        fetch(window.session, {
            method: 'PATCH',
            headers: {
                'Content-Type': 'application/trickle-ice-sdpfrag',
                'If-Match': match,
                Authorization: `Bearer ${token}`,
            },
            body: `${kept.join('\r\n')}\r\n`,
        });
    const refused = await patch(window.tag); // WHIP-59: it is a restart, so the tag is not enough
    const answer = await patch('"*"');
    const fragment = await answer.text();
    const said = { refused: refused.status, status: answer.status, fragment };
    said.type = answer.headers.get('Content-Type');
    said.tags = [window.tag, answer.headers.get('ETag')];
    if (answer.status !== 200) {
        return said;
    }
    window.tag = said.tags[1];
    const named = (name) => new RegExp(`^a=${name}:.*$`, 'm').exec(fragment)[0].trim();
    const candidates = fragment.split('\r\n').filter((line) => /^a=(candidate|end-of)/.test(line));
    const sdp = window.answer
        .split('\r\n')
        .filter((line) => !/^a=(candidate|end-of)/.test(line))
        .map((line) => (/^a=ice-(ufrag|pwd):/.test(line) ? named(line.slice(2, line.indexOf(':'))) : line));
    const end = sdp.findIndex((line, i) => line.startsWith('m=') && sdp.slice(0, i).some((l) => l.startsWith('m=')));
    sdp.splice(end < 0 ? sdp.length - 1 : end, 0, ...candidates);
    await pc.setRemoteDescription({ type: 'answer', sdp: sdp.join('\r\n') });
    return said;
}

test('WHIP-61 WHIP-63 ICE restarts of Chromium are not seen by viewers', { timeout: 120000 }, async (t) => {
    const gateway = await Gateway.start();
    const contexts = [];
    const open = async () => {
        contexts.push(await browser.newContext());
        return contexts.at(-1).newPage();
    };
    try {
        const { token } = await gateway.token('again');
        const page = await open();
        await page.addInitScript(spy);
        await page.goto(gateway.publishUrl('again', token, '?source=test'));
        await page.getByRole('button', { name: 'Go live' }).click();
        await reaches(page, 'live', 20000);
        const viewer = await open();
        await viewer.goto(gateway.watchUrl('again'));
        await reaches(viewer, 'live', 20000);
        await viewer.evaluate(() => {
            window.waits = 0;
            document.querySelector('video').addEventListener('waiting', () => window.waits++);
        });
        const played = () => viewer.evaluate(() => document.querySelector('video').currentTime);
        const switches = () => gateway.lines.filter((l) => / ice_restarted /.test(l)).length;
        for (let i = 1; i <= RESTARTS; i++) {
            const said = await page.evaluate(restart, token);
            assert.equal(said.refused, 428, JSON.stringify(said));
            assert.equal(said.status, 200, JSON.stringify(said));
            assert.match(said.type, /^application\/trickle-ice-sdpfrag\b/);
            assert.match(said.tags[1], /^"[^"]+"$/);
            assert.notEqual(said.tags[0], said.tags[1]);
            assert.match(said.fragment, /^a=ice-lite\r$/m);
            await until('the new pair is used', () => switches() === i, 15000);
            const from = await played();
            await until('the viewer plays on', async () => (await played()) > from + PLAY_ON_S, 15000);
        }
        const playlist = await (await fetch(`${gateway.base}/live/again/0/media.m3u8`)).text();
        assert.doesNotMatch(playlist, /#EXT-X-(ENDLIST|DISCONTINUITY$)/m);
        assert.equal(gateway.lines.filter((l) => /ingest keyed /.test(l)).length, 1);
        const waits = await viewer.evaluate(() => window.waits);
        const [{ media }] = (await gateway.ctl('stream', 'list')).streams;
        const { lost, video, audio } = media;
        const unmade = Object.values({ ...video.frames_dropped, ...audio.frames_dropped });
        t.diagnostic(`${RESTARTS} restarts: ${lost} packets lost, ${waits} stalls in a viewer that shares the machine`);
        assert.equal(lost, 0);
        assert.ok(unmade.every((n) => n === 0), JSON.stringify(media));
    } catch (error) {
        error.message += `\n--- gateway ---\n${gateway.log(60)}`;
        throw error;
    } finally {
        await Promise.all(contexts.map((context) => context.close()));
        await gateway.stop();
    }
});

/** Lets the page believe in a state of ICE (window.pretend(state), '' for the truth); counts POSTs. */
function pretender() {
    const prototype = RTCPeerConnection.prototype;
    const truth = Object.getOwnPropertyDescriptor(prototype, 'iceConnectionState');
    let fake = '';
    Object.defineProperty(prototype, 'iceConnectionState', {
        ...truth,
        get() {
            return fake || truth.get.call(this);
        },
    });
    const setRemote = prototype.setRemoteDescription;
    prototype.setRemoteDescription = function (description) {
        window.connection = this;
        return setRemote.call(this, description);
    };
    window.pretend = (state) => {
        fake = state;
        window.connection.dispatchEvent(new Event('iceconnectionstatechange'));
    };
    window.posts = 0;
    const original = window.fetch;
    window.fetch = (url, options) => {
        window.posts += options?.method === 'POST';
        return original(url, options);
    };
}

test('WHIP-58 WHIP-62 the page restarts ICE before it publishes anew', { timeout: 120000 }, async () => {
    const gateway = await Gateway.start();
    const context = await browser.newContext();
    try {
        const { token } = await gateway.token('mend');
        const page = await context.newPage();
        await page.addInitScript(pretender);
        await page.goto(gateway.publishUrl('mend', token, '?source=test'));
        await page.getByRole('button', { name: 'Go live' }).click();
        await reaches(page, 'live', 20000);
        await page.evaluate(() => window.pretend('disconnected'));
        await until('ICE has restarted', () => gateway.lines.some((l) => / ice_restarted /.test(l)), 15000);
        await page.evaluate(() => window.pretend(''));
        await page.waitForFunction(() => window.sluice.restarts === 1, null, { timeout: 10000 });
        await reaches(page, 'live', 10000);
        assert.equal(await page.evaluate(() => window.posts), 1);
        assert.equal(await page.evaluate(() => window.sluice.retries), 0);
        assert.equal((await gateway.ctl('stream', 'list')).streams.length, 1);
    } catch (error) {
        error.message += `\n--- gateway ---\n${gateway.log(60)}`;
        throw error;
    } finally {
        await context.close();
        await gateway.stop();
    }
});
