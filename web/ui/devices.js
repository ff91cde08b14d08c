// Cameras, microphones and screens: what there is, and opening one.

/** Lists inputs as { cameras, microphones }, each [{ id, label }]; labels are numbered until the
 * user has allowed access. */
export async function listDevices() {
    const all = (await navigator.mediaDevices?.enumerateDevices?.()) ?? [];
    const of = (kind, word) =>
        all
            .filter((d) => d.kind === kind)
            .map((d, n) => ({ id: d.deviceId, label: d.label || `${word} ${n + 1}` }));
    return { cameras: of('videoinput', 'Camera'), microphones: of('audioinput', 'Microphone') };
}

function insecure() {
    return Object.assign(new Error('not a secure page'), { name: 'InsecureError' });
}

export const canShareScreen = () => Boolean(navigator.mediaDevices?.getDisplayMedia);

/** Whether camera and microphone may be opened without asking the user. */
export async function alreadyAllowed() {
    try {
        const names = ['camera', 'microphone'];
        const states = await Promise.all(names.map((name) => navigator.permissions.query({ name })));
        return states.every(({ state }) => state === 'granted');
    } catch {
        return false; // Firefox does not know these names
    }
}

/** Opens a camera ('' = any) at a height of 480, 720 or 1080. */
export async function openCamera(id, height) {
    if (!navigator.mediaDevices) {
        throw insecure();
    }
    const stream = await navigator.mediaDevices.getUserMedia({
        video: {
            deviceId: id ? { exact: id } : undefined,
            width: { ideal: Math.round((height * 16) / 9) },
            height: { ideal: height },
            frameRate: { ideal: 30, max: 30 },
        },
    });
    const [track] = stream.getVideoTracks();
    track.contentHint = 'motion';
    return track;
}

/** Opens a microphone ('' = any) with the browser's echo and noise filters. */
export async function openMicrophone(id) {
    if (!navigator.mediaDevices) {
        throw insecure();
    }
    const stream = await navigator.mediaDevices.getUserMedia({
        audio: { deviceId: id ? { exact: id } : undefined },
    });
    return stream.getAudioTracks()[0];
}

/** Lets the user choose a screen, window or tab: { video, audio } where audio may be null. */
export async function openScreen() {
    if (!canShareScreen()) {
        throw insecure();
    }
    const stream = await navigator.mediaDevices.getDisplayMedia({
        video: { frameRate: { ideal: 30, max: 30 } },
        audio: true,
    });
    const [video] = stream.getVideoTracks();
    video.contentHint = 'detail';
    return { video, audio: stream.getAudioTracks()[0] ?? null };
}
