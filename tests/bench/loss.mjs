// What arrives through a bad network: RTT 50 ms, jitter 20 ms, 0 to 30 % loss in each direction, with
// repairs by the same packets and by RTX, in order and not. Prints a table. "hold" is what waiting for
// repairs and order adds to a packet's way; "stall" the longest time between two frames; PLIs come
// without any loss too, to cut segments: compare with the rows of 0 %.
//   make bench-loss [SECONDS=20]     or: node tests/bench/loss.mjs [seconds=20]

import { Gateway } from '../e2e/gateway.mjs';
import { publishLossy } from '../e2e/lossy.mjs';

const seconds = Number(process.argv[2] ?? 20);
const LOSSES = [0, 1, 5, 10, 30];
const COLUMNS = [
    ['loss', 6], ['order', 7], ['repair', 7], ['frames', 12], ['intact', 9], ['hold mean', 10],
    ['hold max', 9], ['stall max', 10], ['PLI/min', 8], ['NACKed', 7], ['lost', 5], ['RTT', 6],
];

const row = (cells) => console.log(cells.map((cell, i) => String(cell).padStart(COLUMNS[i][1])).join(' '));

const gateway = await Gateway.start();
try {
    row(COLUMNS.map(([title]) => title));
    for (const loss of LOSSES) {
        for (const [rtx, order] of [[false, true], [true, true], [false, false], [true, false]]) {
            const name = `loss-${loss}-${rtx ? 'rtx' : 'same'}-${order ? 'order' : 'any'}`;
            const r = await publishLossy(gateway, name, { loss, rtx, order, seconds });
            row([
                `${loss} %`,
                order ? 'kept' : 'lost',
                rtx ? 'RTX' : 'same',
                `${r.frames}/${r.sent}`,
                `${(100 * r.share).toFixed(2)} %`,
                `${r.holdMean.toFixed(0)} ms`,
                `${r.holdMax.toFixed(0)} ms`,
                `${r.stallMax.toFixed(0)} ms`,
                r.plisPerMinute.toFixed(1),
                r.nacked,
                r.lost,
                r.roundTrip.toFixed(0),
            ]);
        }
    }
} finally {
    await gateway.stop();
}
