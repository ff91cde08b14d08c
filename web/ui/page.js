// Small things that both pages use: elements, formatting, the stream's name and addresses.

const NAME = /^[A-Za-z0-9_-]{1,64}$/;

/** The element with this id. */
export function el(id) {
    return document.getElementById(id);
}

/** Shows text in an element; touches the document only when something changes. */
export function say(node, text) {
    if (node.textContent !== text) {
        node.textContent = text;
    }
}

/** The last part of the path, /publish/NAME or /watch/NAME; empty when it is no stream name. */
export function streamName(path = location.pathname) {
    const name = path.split('/').filter(Boolean).pop() ?? '';
    return NAME.test(name) ? name : '';
}

export const watchPath = (stream) => `/watch/${stream}`;
export const playlistPath = (stream) => `/live/${stream}/index.m3u8`;

export function sleep(ms) {
    return new Promise((resolve) => setTimeout(resolve, ms));
}

/** 1234.5 -> "1,235 ms"; the grouping is the reader's. */
export function milliseconds(ms) {
    return `${Math.round(ms).toLocaleString()} ms`;
}

/** Bits per second as "2.41 Mbit/s" or "640 kbit/s". */
export function bitrate(bps) {
    return bps >= 1e6 ? `${(bps / 1e6).toFixed(2)} Mbit/s` : `${Math.round(bps / 1e3)} kbit/s`;
}

/** Seconds as "0:07", "12:30" or "1:02:03". */
export function clock(seconds) {
    const whole = Math.max(0, Math.floor(seconds));
    const two = (n) => String(n).padStart(2, '0');
    const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
    return h ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

/** Copies text; says in the button whether it worked, and selects the field when it did not. */
export async function copyFrom(field, button) {
    let done = true;
    try {
        await navigator.clipboard.writeText(field.value);
    } catch {
        field.focus();
        field.select();
        done = false;
    }
    const label = button.dataset.label ?? (button.dataset.label = button.textContent);
    say(button, done ? 'Copied' : 'Press Ctrl+C');
    clearTimeout(Number(button.dataset.timer));
    button.dataset.timer = setTimeout(() => say(button, label), 2000);
}
