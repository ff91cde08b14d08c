// Keeps a live picture a little behind the live edge: how fast to play right now, and when to jump.
// Pure arithmetic, called ten times a second; findings: hls.js alone never catches up. The distance
// is found by itself: as near as the lowest buffer of the last seconds allows.

const NEAR = 0.05; // s beside the target that are left alone
const FAR = 0.6; // s above the target from which catching up is faster
const JUMP = 1; // s above the target from which it seeks: after a stall nobody minds another cut
const DRY = 0.06; // s of buffer below which it plays slower at once
const THIN = 0.1; // s of buffer below which it aims further back
const AMPLE = 0.2; // s of buffer that never ran lower: it aims nearer
const WINDOW_MS = 2500; // how long the lowest buffer is looked for
const START = 0.1; // s above the nearest target to begin with
const CLOSER = 0.02;
const BACK = 0.04;
const BACK_MS = 800; // at most one step back in so long
const STALL_BACK = 0.15;
const TARGET_MAX = 3;

export class Pace {
    /** base: the nearest it may come, in seconds behind the live edge; fixed: exactly there. */
    constructor(base, fixed = false) {
        this.fixed = fixed;
        this.rate = 1;
        this.backAt = this.windowAt = 0;
        this.low = Infinity;
        this.aim(base);
    }

    /** Another nearest distance, as when the length of parts is known; begins anew from there. */
    aim(base) {
        this.base = base;
        this.target = base + (this.fixed ? 0 : START);
    }

    /** The player ran dry although there was media: aim further back from now on. */
    stalled(nowMs) {
        this.#retreat(STALL_BACK, nowMs);
    }

    /**
     * latency: seconds between the live edge and the picture; buffer: seconds ready to play.
     * Gives { rate, jump }: the playback rate, and whether to seek to the target instead.
     */
    step(latency, buffer, nowMs) {
        const over = latency - this.target;
        this.#settle(over, buffer, nowMs);
        const { rate } = this;
        if (buffer < DRY) {
            this.rate = 0.94;
        } else if (over < (rate < 1 ? 0 : -NEAR)) {
            this.rate = 0.97;
        } else if (over > FAR && buffer > 0.25) {
            this.rate = 1.15;
        } else if (over > (rate > 1 ? 0 : NEAR) && buffer > 0.15) {
            this.rate = 1.06;
        } else {
            this.rate = 1;
        }
        return { rate: this.rate, jump: over > JUMP };
    }

    #settle(over, buffer, nowMs) {
        this.low = Math.min(this.low, buffer);
        if (buffer < THIN && nowMs - this.backAt > BACK_MS) {
            this.#retreat(BACK, nowMs);
        }
        if (nowMs - this.windowAt > WINDOW_MS) {
            if (this.low > AMPLE && over < NEAR && !this.fixed) {
                this.target = Math.max(this.base, this.target - CLOSER);
            }
            this.windowAt = nowMs;
            this.low = buffer;
        }
    }

    #retreat(by, nowMs) {
        this.backAt = nowMs;
        if (!this.fixed) {
            this.target = Math.min(TARGET_MAX, this.target + by);
        }
    }
}
