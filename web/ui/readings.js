// getStats() of a sending connection as the numbers that the publish page shows.

const LIMITS = { cpu: 'this device is at its limit', bandwidth: 'the network is at its limit' };

/** Remembers the last report, because rates are differences. */
export class Readings {
    constructor(pc) {
        this.pc = pc;
        this.last = null;
    }

    /** { bps, width, height, fps, rttMs, loss, codec, limit } since the call before; null at first. */
    async take() {
        const report = await this.pc.getStats();
        const all = [...report.values()];
        const sent = all.filter((s) => s.type === 'outbound-rtp');
        const video = sent.find((s) => s.kind === 'video');
        const bytes = sent.reduce((sum, s) => sum + s.bytesSent + (s.headerBytesSent ?? 0), 0);
        const at = performance.now();
        const { last } = this;
        this.last = { at, bytes };
        if (!last) {
            return null;
        }
        const remote = all.filter((s) => s.type === 'remote-inbound-rtp');
        const pair = all.find((s) => s.type === 'candidate-pair' && s.nominated);
        const losses = remote.map((s) => s.fractionLost).filter(Number.isFinite);
        const rtt = pair?.currentRoundTripTime ?? remote.find((s) => s.roundTripTime)?.roundTripTime;
        return {
            bps: ((bytes - last.bytes) * 8000) / Math.max(1, at - last.at),
            width: video?.frameWidth ?? 0,
            height: video?.frameHeight ?? 0,
            fps: video?.framesPerSecond ?? 0,
            rttMs: Number.isFinite(rtt) ? rtt * 1000 : NaN,
            loss: losses.length ? Math.max(...losses) : NaN,
            codec: report.get(video?.codecId)?.mimeType.split('/')[1] ?? '',
            limit: LIMITS[video?.qualityLimitationReason] ?? '',
        };
    }
}
