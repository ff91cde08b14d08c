// WHIP from the publisher's side (RFC 9725): four requests and what their answers mean.

const PROBLEM_MAX = 16384;
const FRAGMENT_TYPE = 'application/trickle-ice-sdpfrag';

async function problemOf(answer) {
    if (!/^application\/(problem\+)?json\b/i.test(answer.headers.get('Content-Type') ?? '')) {
        return null;
    }
    try {
        const text = await answer.text();
        return text.length <= PROBLEM_MAX ? JSON.parse(text) : null;
    } catch {
        return null;
    }
}

/** POST of the offer (4.2). Gives { status, sdp, session, servers } or { status, problem,
 * retryAfter }; throws when there is no answer. The token goes into the header only. */
export async function postOffer(stream, token, sdp) {
    const answer = await fetch(`/whip/${stream}`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/sdp', Authorization: `Bearer ${token}` },
        body: sdp,
        cache: 'no-store',
        credentials: 'omit',
        signal: AbortSignal.timeout(10000),
    });
    const { status } = answer;
    if (status !== 201) {
        const retryAfter = Number(answer.headers.get('Retry-After')) || 0;
        return { status, problem: await problemOf(answer), retryAfter };
    }
    const location = answer.headers.get('Location');
    const session = location ? new URL(location, answer.url).href : '';
    const servers = iceServersOf(answer.headers.get('Link') ?? '');
    return { status, sdp: await answer.text(), session, servers };
}

/** PATCH that restarts ICE (4.3.3): whatever generation the session is in, it gets the next one.
 * Gives { status, fragment }; throws when there is no answer. */
export async function restartIce(session, token, fragment) {
    const answer = await fetch(session, {
        method: 'PATCH',
        headers: { 'Content-Type': FRAGMENT_TYPE, 'If-Match': '*', Authorization: `Bearer ${token}` },
        body: fragment,
        cache: 'no-store',
        credentials: 'omit',
        signal: AbortSignal.timeout(4000),
    });
    return { status: answer.status, fragment: answer.status === 200 ? await answer.text() : '' };
}

/** DELETE (4.2); keepalive lets it outlive the page. Never throws: the server also ends alone. */
export async function deleteSession(session, token) {
    try {
        const answer = await fetch(session, {
            method: 'DELETE',
            headers: { Authorization: `Bearer ${token}` },
            credentials: 'omit',
            keepalive: true,
        });
        return answer.status;
    } catch {
        return 0;
    }
}

/** Asks what became of a session: { alive: true }, { alive: false, problem } when the gateway knows
 * it no more, or { alive: null } when it did not answer. */
export async function askSession(session, token) {
    try {
        const answer = await fetch(session, {
            headers: { Authorization: `Bearer ${token}` },
            cache: 'no-store',
            credentials: 'omit',
            signal: AbortSignal.timeout(4000),
        });
        if (answer.status === 404 || answer.status === 410) {
            return { alive: false, problem: await problemOf(answer) };
        }
        return { alive: answer.ok ? true : null };
    } catch {
        return { alive: null };
    }
}

/** The STUN and TURN servers of a 201 (4.6), as RTCPeerConnection wants them. Script sees the lines
 * of Link joined by commas; what stands in quotes or angle brackets is no separator. */
export function iceServersOf(link) {
    const servers = [];
    for (const [, uri, rest] of link.matchAll(/<([^<>]*)>((?:"(?:[^"\\]|\\.)*"|[^"<])*)/g)) {
        const has = {};
        for (const [, name, text] of rest.matchAll(/;\s*([\w-]+)\s*=\s*"((?:[^"\\]|\\.)*)"/g)) {
            has[name.toLowerCase()] = text.replace(/\\(.)/g, '$1');
        }
        if (has.rel !== 'ice-server' || !/^(stun|turns?):./i.test(uri)) {
            continue;
        }
        const { username, credential } = has;
        if (/^stun:/i.test(uri)) {
            servers.push({ urls: uri });
        } else if (username && credential) {
            servers.push({ urls: uri, username, credential });
        }
    }
    return servers;
}

const ICE_LINE = /^a=(ice-ufrag|ice-pwd|candidate|end-of-candidates)\b/;

/** The fragment that asks for what a new offer says of ICE (RFC 8840 9): its bundle's first section
 * only (4.3.2). */
export function fragmentOf(offer) {
    const [head, first = ''] = offer.split(/^(?=m=)/m);
    const group = head.split(/\r?\n/).filter((line) => /^a=(group:BUNDLE|ice-options:)/.test(line));
    const lines = first.split(/\r?\n/).filter((line) => /^(m=|a=mid:)/.test(line) || ICE_LINE.test(line));
    return `${[...group, ...lines].join('\r\n')}\r\n`;
}

/** The answer as it reads after a restart: what the gateway's fragment says of ICE in place of what
 * it said before; null when the fragment has no name and password. */
export function restartedAnswer(answer, fragment) {
    const said = fragment.split(/\r?\n/).filter((line) => ICE_LINE.test(line));
    const named = (name) => said.find((line) => line.startsWith(`a=${name}:`));
    if (!named('ice-ufrag') || !named('ice-pwd')) {
        return null;
    }
    const candidates = said.filter((line) => !/^a=ice-/.test(line));
    const lines = [];
    let sections = 0;
    for (const line of answer.split(/\r?\n/)) {
        const [, name] = ICE_LINE.exec(line) ?? [];
        sections += line.startsWith('m=');
        if (sections === 2 || (sections === 1 && line === '')) {
            lines.push(...candidates.splice(0)); // at the end of the first section
        }
        if (!name) {
            lines.push(line);
        } else if (/^ice-/.test(name)) {
            lines.push(named(name));
        }
    }
    return lines.join('\r\n');
}

/** The gateway's addresses in an answer: [{ address, port, protocol }]. */
export function candidatesOf(sdp) {
    const found = [];
    for (const line of sdp.split(/\r?\n/)) {
        const m = /^a=candidate:\S+ 1 (\S+) \d+ (\S+) (\d+) typ /.exec(line);
        if (m) {
            found.push({ protocol: m[1].toLowerCase(), address: m[2], port: Number(m[3]) });
        }
    }
    return found;
}
