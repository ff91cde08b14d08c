// Looks at a stream's playlists from outside: is it there, is it live, which parts does it list?

import { playlistPath } from './page.js';

/** The first variant of a multivariant playlist, or null. */
export function firstVariant(text) {
    const lines = text.split(/\r?\n/);
    const at = lines.findIndex((line) => line.startsWith('#EXT-X-STREAM-INF:'));
    return at < 0 ? null : (lines.slice(at + 1).find((line) => line && line[0] !== '#') ?? null);
}

/** What a media playlist lists: its media addresses in order, how many of them are whole segments,
 * and whether it is finished. */
export function readMedia(text) {
    const uris = [];
    let segments = 0;
    let ended = false;
    for (const line of text.split(/\r?\n/)) {
        if (line.startsWith('#EXT-X-PART:')) {
            const uri = /URI="([^"]+)"/.exec(line);
            if (uri) {
                uris.push(uri[1]);
            }
        } else if (line === '#EXT-X-ENDLIST') {
            ended = true;
        } else if (line && line[0] !== '#') {
            uris.push(line);
            segments++;
        }
    }
    return { uris, segments, ended };
}

async function text(url) {
    const answer = await fetch(url, { cache: 'no-store', signal: AbortSignal.timeout(5000) });
    return { status: answer.status, body: answer.ok ? await answer.text() : '' };
}

/**
 * One look at the stream. state: 'absent' (nobody publishes), 'empty' (announced, nothing to play
 * yet), 'live', 'ended' (finished playlist still there) or 'unreachable' (no gateway); uris is what
 * the media playlist lists, segments the number of whole ones; status the last HTTP status, 0
 * without an answer.
 */
export async function look(stream) {
    try {
        const master = await text(playlistPath(stream));
        if (master.status !== 200) {
            const state = master.status >= 500 ? 'unreachable' : 'absent';
            return { state, status: master.status, uris: [], segments: 0 };
        }
        const variant = firstVariant(master.body);
        const base = new URL(playlistPath(stream), location.href);
        const media = variant ? await text(new URL(variant, base)) : master;
        if (media.status !== 200) {
            return { state: 'empty', status: media.status, uris: [], segments: 0 };
        }
        const { uris, segments, ended } = readMedia(media.body);
        const state = ended ? 'ended' : uris.length ? 'live' : 'empty';
        return { state, status: 200, uris, segments };
    } catch {
        return { state: 'unreachable', status: 0, uris: [], segments: 0 };
    }
}
