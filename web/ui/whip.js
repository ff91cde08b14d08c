// WHIP from the publisher's side (RFC 9725): three requests and what their answers mean.

const PROBLEM_MAX = 16384;

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

/** POST of the offer (4.2). Gives { status, sdp, session, etag } or { status, problem, retryAfter };
 * throws when there is no answer. The token goes into the header only. */
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
    return { status, sdp: await answer.text(), session };
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
