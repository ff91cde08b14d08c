// Reading HLS playlists in tests: tags, attributes, URIs.

/** The URLs of all media playlists that a multivariant playlist names. */
export async function mediaPlaylists(url) {
    const answer = await fetch(url);
    if (!answer.ok) {
        return [];
    }
    const text = await answer.text();
    const uris = text.split('\n').filter((line) => line && !line.startsWith('#'));
    uris.push(...[...text.matchAll(/URI="([^"]+)"/g)].map((match) => match[1]));
    return uris.map((uri) => new URL(uri, url).href);
}

/** The URLs of init segments and parts that a media playlist names, hints left out. */
export async function mediaUris(url) {
    const text = await (await fetch(url)).text();
    return text
        .split('\n')
        .filter((line) => /^#EXT-X-(MAP|PART):/.test(line))
        .map((line) => new URL(/URI="([^"]+)"/.exec(line)[1], url).href);
}
