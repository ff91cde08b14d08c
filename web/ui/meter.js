// How loud a track is: feeds a <meter>-like bar with a falling peak.

const FLOOR_DB = -60;

/** Shows the level of tracks in `bar` (a custom property --level from 0 to 1) until closed. */
export class Meter {
    constructor(bar) {
        this.bar = bar;
        this.level = 0;
    }

    /** Follows this audio track from now on; null shows silence. */
    follow(track) {
        this.source?.disconnect();
        this.source = null;
        if (!track) {
            return;
        }
        this.audio ??= new AudioContext();
        this.analyser ??= new AnalyserNode(this.audio, { fftSize: 1024 });
        this.source = new MediaStreamAudioSourceNode(this.audio, {
            mediaStream: new MediaStream([track]),
        });
        this.source.connect(this.analyser);
        this.audio.resume().catch(() => {});
        this.#run();
    }

    #run() {
        if (this.running) {
            return;
        }
        this.running = true;
        const samples = new Float32Array(this.analyser.fftSize);
        const step = () => {
            let now = 0;
            if (this.source) {
                this.analyser.getFloatTimeDomainData(samples);
                const peak = samples.reduce((max, x) => Math.max(max, Math.abs(x)), 0);
                now = Math.max(0, 1 - (20 * Math.log10(peak + 1e-9)) / FLOOR_DB);
            }
            this.level = Math.max(now, this.level - 0.03);
            this.bar.style.setProperty('--level', this.level.toFixed(3));
            this.running = Boolean(this.source) || this.level > 0;
            if (this.running) {
                requestAnimationFrame(step);
            }
        };
        requestAnimationFrame(step);
    }
}
