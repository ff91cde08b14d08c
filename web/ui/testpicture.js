// A picture and a beep made by the page itself: for people without a camera, and for measuring.
// The top of the picture carries the wall clock for machines: 2 rows of 24 squares, black or white,
// are the 48 bits of Date.now() when the frame was drawn, most significant first. Once a second, on
// the second, there is a beep of 80 ms and a bright disc.

const COLUMNS = 24;
const ROWS = 2;
const FRAME_MS = 1000 / 30;
const BEEP_S = 0.08;

function drawClock(ctx, width, ms) {
    const side = Math.floor(width / COLUMNS);
    let rest = ms;
    for (let bit = ROWS * COLUMNS - 1; bit >= 0; bit--) {
        const on = rest % 2 >= 1;
        rest = Math.floor(rest / 2);
        ctx.fillStyle = on ? '#fff' : '#000';
        ctx.fillRect((bit % COLUMNS) * side, Math.floor(bit / COLUMNS) * side, side, side);
    }
    return ROWS * side;
}

function drawWater(ctx, width, top, height, seconds) {
    const shades = ['#0f4f4c', '#12645f', '#178077', '#1f9d90'];
    shades.forEach((shade, layer) => {
        const base = top + height * (0.5 + 0.13 * layer);
        ctx.fillStyle = shade;
        ctx.beginPath();
        ctx.moveTo(0, top + height);
        for (let x = 0; x <= width; x += width / 32) {
            const angle = (x / width) * 6 + seconds * (0.7 + 0.25 * layer) + layer * 1.7;
            ctx.lineTo(x, base + Math.sin(angle) * height * 0.035);
        }
        ctx.lineTo(width, top + height);
        ctx.fill();
    });
}

function drawFrame(ctx, { width, height }, label, now) {
    const top = drawClock(ctx, width, now);
    const rest = height - top;
    const second = Math.floor(now / 1000);
    ctx.fillStyle = '#0a2b2b';
    ctx.fillRect(0, top, width, rest);
    drawWater(ctx, width, top, rest, now / 1000);

    const phase = (now % 1000) / 1000;
    const x = width / 2;
    ctx.fillStyle = phase < BEEP_S ? '#fff' : '#ffd479';
    ctx.beginPath();
    ctx.arc(width * (0.1 + 0.8 * phase), top + rest * 0.44, height * 0.028, 0, 7);
    ctx.fill();

    const time = new Date(now);
    const two = (n) => String(n).padStart(2, '0');
    ctx.textAlign = 'center';
    ctx.fillStyle = '#eefaf7';
    ctx.font = `600 ${Math.round(height * 0.15)}px ui-monospace, monospace`;
    const tenth = Math.floor(time.getMilliseconds() / 100);
    const digits = [time.getHours(), time.getMinutes(), second % 60].map(two).join(':');
    ctx.fillText(`${digits}.${tenth}`, x, top + rest * 0.32);
    ctx.font = `500 ${Math.round(height * 0.045)}px system-ui, sans-serif`;
    ctx.fillText(label, x, top + rest * 0.62);
}

function beeper(audio, out) {
    const hum = new ConstantSourceNode(audio, { offset: 0 });
    hum.connect(out); // without a running source Chromium sends no sound packets between the beeps
    hum.start();
    let next = 0;
    return () => {
        const now = Date.now();
        const second = Math.ceil(now / 1000) * 1000;
        if (second === next || second - now > 300) {
            return;
        }
        next = second;
        const at = audio.currentTime + (second - now) / 1000;
        const tone = new OscillatorNode(audio, { frequency: 1000 });
        const gain = new GainNode(audio, { gain: 0.4 });
        tone.connect(gain).connect(out);
        tone.start(at);
        tone.stop(at + BEEP_S);
    };
}

/** Starts the picture: { video, audio, stop() } with live tracks. */
export function startTestPicture(height, label) {
    const canvas = document.createElement('canvas');
    canvas.height = height;
    canvas.width = Math.round((height * 16) / 9);
    const ctx = canvas.getContext('2d', { alpha: false });
    const audio = new AudioContext({ latencyHint: 'interactive' });
    const out = new MediaStreamAudioDestinationNode(audio, { channelCount: 1 });
    const beep = beeper(audio, out);
    let running = true;
    let due = 0;

    const step = (time) => {
        if (!running) {
            return;
        }
        if (time >= due - 4) {
            due = time - due > FRAME_MS ? time + FRAME_MS : due + FRAME_MS;
            drawFrame(ctx, canvas, label, Date.now());
            beep();
        }
        requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
    audio.resume().catch(() => {});

    const [video] = canvas.captureStream(30).getVideoTracks();
    video.contentHint = 'motion';
    const stop = () => {
        running = false;
        video.stop();
        audio.close();
    };
    return { video, audio: out.stream.getAudioTracks()[0], stop };
}
