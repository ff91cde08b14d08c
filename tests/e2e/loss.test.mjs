// Bad networks end to end: rawpub behind relay, RTT 50 ms, jitter 20 ms. Bars are shares and counts;
// tests/bench/loss.mjs measures more of it.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { Gateway } from './gateway.mjs';
import { publishLossy, recoverFromLoss } from './lossy.mjs';

const SECONDS = Number(process.env.LOSS_SECONDS ?? 12);

let gateway;
before(async () => {
    gateway = await Gateway.start();
});
after(async () => {
    await gateway?.stop();
});

for (const { loss, share, rtx, order } of [
    { loss: 1, share: 0.995, rtx: false, order: true },
    { loss: 10, share: 0.99, rtx: true, order: true },
    { loss: 10, share: 0.99, rtx: false, order: false },
]) {
    const how = `${rtx ? 'RTX' : 'the same packets'}, ${order ? 'in order' : 'any order'}`;
    test(`RTP-08 RTP-10 ${loss} % lost, repaired by ${how}`, { timeout: 90000 }, async (t) => {
        const stream = `lossy-${loss}-${rtx}`;
        const r = await publishLossy(gateway, stream, { loss, rtx, order, seconds: SECONDS });
        t.diagnostic(JSON.stringify(r));
        assert.ok(r.sent > SECONDS * 25, `${r.sent} frames sent`);
        assert.ok(r.share >= share, `${r.frames} of ${r.sent} frames`);
        assert.ok(r.share <= 1, `${r.frames} of ${r.sent} frames`);
        assert.equal(r.roundTripFrom, 'rtcp'); // RFC 3611: the publisher answers reference times
        assert.ok(r.roundTrip > 45, `${r.roundTrip} ms`); // 50 to 90 in truth
        assert.ok(r.recovered > (loss * SECONDS) / 2, `${r.recovered} packets repaired`);
    });
}

for (const rtx of [false, true]) {
    const how = rtx ? 'RTX' : 'the same packets';
    test(`RTP-10 30 % lost: no long stall, clean 1 s after, by ${how}`, { timeout: 90000 }, async (t) => {
        const r = await recoverFromLoss(gateway, `heavy-${rtx}`, { loss: 30, rtx, seconds: 8, after: 3 });
        t.diagnostic(JSON.stringify(r));
        assert.ok(r.stallMax <= 2000, `${r.stallMax} ms without a frame`);
        assert.ok(r.clean, 'frames were still dropped a second after the loss had ended');
        assert.ok(r.rate > 15, `${r.rate} frames a second after the loss`);
    });
}
