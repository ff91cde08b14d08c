// What every test file needs: one gateway and one browser, and the gateway's log on failure.

import { after, before, test } from 'node:test';

import { launch, openPage, publish, reaches } from './browser.mjs';
import { Gateway, until } from './gateway.mjs';

const TEST_MS = 120000;

export { until };

/** The newest parts and segments of a media playlist, its tags counted. */
export async function mediaPlaylist(gateway, stream, rendition = 0) {
    const answer = await fetch(`${gateway.base}/live/${stream}/${rendition}/media.m3u8`);
    const text = answer.ok ? await answer.text() : '';
    const lines = text.split('\n');
    return {
        status: answer.status,
        text,
        ended: lines.includes('#EXT-X-ENDLIST'),
        discontinuities: lines.filter((line) => line === '#EXT-X-DISCONTINUITY').length,
        last: lines.filter((line) => line.startsWith('#EXT-X-PART:')).pop() ?? '',
    };
}

/** Makes the stage of a test file: { gateway, browser } are there when its tests run. */
export function stage(options) {
    const on = { gateway: null, browser: null };
    before(async () => {
        on.gateway = await Gateway.start(options);
        on.browser = await launch();
    });
    after(async () => {
        await on.browser?.close();
        await on.gateway?.stop();
    });

    /** A test; every page opened through on.open and on.live is closed behind it. */
    on.test = (name, work) =>
        test(name, { timeout: TEST_MS }, async (t) => {
            on.contexts = [];
            try {
                await work(t);
            } catch (error) {
                error.message += `\n--- gateway ---\n${on.gateway.log(60)}`;
                throw error;
            } finally {
                await Promise.all(on.contexts.map((context) => context.close()));
            }
        });

    const keep = (page) => {
        on.contexts.push(page.context());
        return page;
    };
    on.open = async (url, how) => keep(await openPage(on.browser, url, how));
    on.watch = (stream, query) => on.open(on.gateway.watchUrl(stream, query));

    /** A publisher with the test picture, pressed but not waited for. */
    on.press = async (stream, token, query) =>
        keep(await publish(on.browser, on.gateway, stream, token, query));

    /** A publisher that is live: { page, id, token }. */
    on.live = async (stream, { query, tokenOptions = [] } = {}) => {
        const { id, token } = await on.gateway.token('*', ...tokenOptions);
        const page = await on.press(stream, token, query);
        await reaches(page, 'live');
        return { page, id, token };
    };
    return on;
}
