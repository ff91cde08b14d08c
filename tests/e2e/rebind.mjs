// A publisher's NAT gives it a new port, again and again. TRANSPORT_REBINDS=n for longer figures.

import { until } from './gateway.mjs';

export const REBINDS = Number(process.env.TRANSPORT_REBINDS ?? 3);
export const GAP_MS = 1000; // threats.md U17
export const CHROMIUM_CHECK_MS = 2650; // how often it checks a path that works (ICE-08)

/** The lines of edge about paths that it opened. */
export function opened(gateway) {
    return gateway.lines.filter((line) => /edge path_opened /.test(line));
}

/** Rebinds the relay some times; gives the gaps in ms: from the rebinding to the new path. */
export async function rebind(gateway, relay, consentMs) {
    const gaps = [];
    for (let i = 0; i < REBINDS; i++) {
        // somewhere between two checks, and behind the one that made the last path whole
        await new Promise((resolve) => setTimeout(resolve, consentMs * (1.1 + Math.random())));
        const count = opened(gateway).length;
        const at = Date.now();
        relay.say('rebind');
        await until('a new path', () => opened(gateway).length > count, 8000, 10);
        gaps.push(Date.parse(opened(gateway).pop().split(' ')[0]) - at);
    }
    return gaps;
}
