// Keeps a live picture a chosen time behind the live edge: how fast to play right now, and when to
// jump. Pure arithmetic, called ten times a second; findings: hls.js alone never catches up.

const NEAR = 0.05; // s above the target that are left alone
const FAR = 0.6; // s above the target from which catching up is faster
const JUMP = 1; // s above the target from which it seeks: after a stall nobody minds another cut
const THIN = 0.06; // s of buffer below which it slows down
const TARGET_MAX = 3;
const STALL_STEP = 0.2; // s that a stall adds to the target
const THIN_STEP = 0.02; // s that a thin buffer adds, at most once a second
const CALM_MS = 15000; // after so long without either the target comes down again
const CALM_STEP = 0.02;

export class Pace {
    /** target: seconds behind the live edge; fixed: never adapt it (a chosen ?target=). */
    constructor(target, fixed = false) {
        Object.assign(this, { base: target, target, fixed });
        this.rate = 1;
        this.troubledAt = this.eased = 0;
    }

    /** The player ran dry: aim further back from now on. */
    stalled(nowMs) {
        this.#retreat(STALL_STEP, nowMs);
    }

    /**
     * latency: seconds between the live edge and the picture; buffer: seconds ready to play.
     * Gives { rate, jump }: the playback rate, and whether to seek to the target instead.
     */
    step(latency, buffer, nowMs) {
        this.#settle(buffer, nowMs);
        const over = latency - this.target;
        const jump = over > JUMP;
        const catching = this.rate > 1;
        if (buffer < THIN) {
            this.rate = 0.94;
        } else if (over > FAR && buffer > 0.25) {
            this.rate = 1.15;
        } else if (over > (catching ? 0 : NEAR) && buffer > 0.15) {
            this.rate = 1.06;
        } else {
            this.rate = 1;
        }
        return { rate: this.rate, jump };
    }

    #settle(buffer, nowMs) {
        if (buffer < THIN) {
            if (nowMs - this.troubledAt > 1000) {
                this.#retreat(THIN_STEP, nowMs);
            }
        } else if (nowMs - Math.max(this.troubledAt, this.eased) > CALM_MS) {
            this.eased = nowMs;
            this.target = Math.max(this.base, this.target - CALM_STEP);
        }
    }

    #retreat(by, nowMs) {
        this.troubledAt = nowMs;
        if (!this.fixed) {
            this.target = Math.min(TARGET_MAX, this.target + by);
        }
    }
}
