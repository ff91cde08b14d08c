// What went wrong, in words: for devices, answers of the gateway, network paths and ends.
// Every function gives { title, text }; nothing here touches the page.

/** Why no camera, microphone or screen could be opened. */
export function deviceTrouble(error, what) {
    const words = {
        NotAllowedError: [
            `The browser was not allowed to use the ${what}`,
            'Allow it in the site settings beside the address bar, then press Go live again.',
        ],
        NotFoundError: [
            `No ${what} was found`,
            'Connect one, or choose the test picture to try the way to your viewers.',
        ],
        NotReadableError: [
            `The ${what} is in use or does not answer`,
            'Close other programs that use it, or unplug it and plug it in again.',
        ],
        OverconstrainedError: [
            `The chosen ${what} is gone or cannot do what was asked`,
            'Choose another one in the list.',
        ],
        AbortError: [`The ${what} stopped while it was being opened`, 'Try again.'],
        InsecureError: [
            'Browsers open cameras only on secure pages',
            'Open this page over https, or on the gateway’s own machine as localhost.',
        ],
    };
    const [title, text] = words[error.name] ?? [`The ${what} could not be opened`, error.message];
    return { title, text };
}

/** Why the gateway refused the stream; problem is its parsed problem body, or null. */
export function refusal(status, stream, problem, retryAfter) {
    const wait = retryAfter ? `Try again in ${retryAfter} s.` : 'Try again in a moment.';
    const words = {
        400: ['The gateway could not read this browser’s offer', 'Another browser may work.'],
        401: [
            'The gateway does not accept this token',
            'It is mistyped, expired or revoked. Open the newest publish link, or paste a token.',
        ],
        403: [
            `This token is not for the stream “${stream}”`,
            'It belongs to other streams, or its time is used up.',
        ],
        404: ['This gateway takes no streams here', 'Check the address of the page.'],
        409: [
            `Somebody is already live on “${stream}”`,
            'Wait until they stop, or publish under another name.',
        ],
        413: ['This browser’s offer is too large', 'Another browser may work.'],
        415: ['The gateway did not understand the request', 'Reload the page.'],
        422: [
            'The gateway cannot use what this browser offers',
            'It needs H.264, H.265, VP8, VP9 or AV1 pictures and Opus sound.',
        ],
        429: ['Too many attempts in a short time', wait],
        503: ['The gateway has no room for another stream right now', wait],
    };
    const [title, advice] = words[status] ?? [`The gateway answered with status ${status}`, wait];
    const said = status === 401 || status === 403 ? '' : (problem?.detail ?? '');
    return { title, text: said ? `${said.replace(/[.\s]*$/, '.')} ${advice}` : advice };
}

/** The gateway did not answer at all. */
export function noAnswer(error) {
    const slow = error?.name === 'TimeoutError';
    return {
        title: slow ? 'The gateway took too long to answer' : 'The gateway could not be reached',
        text: 'Check that this device is online and that the gateway is running, then try again.',
    };
}

/** ICE failed: which addresses and ports of the gateway were tried. */
export function noPath(candidates) {
    const list = candidates.map(({ address, port, protocol }) => {
        const host = address.includes(':') ? `[${address}]` : address;
        return `${host} ${protocol.toUpperCase()} port ${port}`;
    });
    return {
        title: 'No network path formed between this browser and the gateway',
        text:
            `The gateway’s addresses are ${list.join(', ') || 'not known: it named none'}. Check ` +
            'that one of these ports is open in the firewalls on both sides, and whether a VPN on ' +
            'this device blocks it.',
    };
}

/** A path exists but encryption did not come up. */
export function noKeys() {
    return {
        title: 'Encryption could not be agreed',
        text:
            'The network path works, but the DTLS handshake with the gateway did not finish. ' +
            'A firewall that inspects traffic can cause this.',
    };
}

const ENDS = {
    kicked: 'You were taken off the air',
    revoked: 'Your token was revoked',
    limit: 'Your time is up',
    shutdown: 'The gateway is shutting down',
    silent: 'The gateway heard nothing from you for too long',
    not_started: 'The connection was not completed in time',
    refused: 'The gateway refused the encrypted connection',
    crashed: 'The gateway lost your stream',
    broken: 'The stream cannot be processed',
    over_limit: 'You sent more than your token allows',
    replaced: 'The stream was taken over',
    deleted: 'The stream was stopped',
    closed: 'The stream was closed',
};

/** Ends after which publishing again by itself helps. */
const PASSING = new Set(['crashed', 'silent', 'shutdown', 'not_started', 'unreachable', 'path']);

/** Why the gateway ended the session: `end` and `detail` of its problem body. */
export function ended(problem) {
    const end = String(problem?.end ?? '').replaceAll('-', '_');
    return {
        end: end || 'unknown',
        title: ENDS[end] ?? 'The gateway ended the stream',
        text: problem?.detail ?? 'It gave no reason.',
        retry: PASSING.has(end),
    };
}

/** The path broke in the middle of a stream and the gateway cannot be asked why. */
export function lost() {
    return {
        end: 'path',
        title: 'The connection was lost',
        text: 'The network between this browser and the gateway broke off.',
        retry: true,
    };
}
