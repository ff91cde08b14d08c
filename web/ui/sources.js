// The picture and sound that the user chose: opens them, shows the preview, follows hot-plug and
// changes while live. Owns the tracks; knows nothing about the network.

import { canShareScreen, listDevices, openCamera, openMicrophone, openScreen } from './devices.js';
import { el, say } from './page.js';
import { deviceTrouble } from './reasons.js';
import { Meter } from './meter.js';
import { startTestPicture } from './testpicture.js';

const ASK = { camera: 'camera', screen: 'screen', test: 'test picture' };

function fill(select, devices, fixed) {
    const chosen = select.value;
    const options = [...fixed, ...devices.map(({ id, label }) => [id, label])];
    select.replaceChildren(...options.map(([value, text]) => new Option(text, value)));
    select.value = options.some(([value]) => value === chosen) ? chosen : fixed[0][0];
}

export class Sources {
    /** onTrack(track): a track takes the place of the last one of its kind while live.
     * onTrouble({ title, text } or null): a device failed or vanished; null: all is well. */
    constructor({ stream, onTrack, onTrouble }) {
        Object.assign(this, { stream, onTrack, onTrouble });
        this.video = this.audio = this.picture = null;
        this.opened = false;
        this.queue = Promise.resolve();
        this.meter = new Meter(el('level'));
        el('screen-choice').hidden = !canShareScreen();
        for (const radio of document.getElementsByName('source')) {
            radio.addEventListener('change', () => this.#reopen('video'));
        }
        el('camera').addEventListener('change', () => this.#reopen('video'));
        el('height').addEventListener('change', () => this.#reopen('video'));
        el('microphone').addEventListener('change', () => this.#reopen('audio'));
        navigator.mediaDevices?.addEventListener?.('devicechange', () => this.refresh());
        this.show();
    }

    get kind() {
        return document.querySelector('input[name="source"]:checked').value;
    }

    set kind(value) {
        document.querySelector(`input[name="source"][value="${value}"]`).checked = true;
        this.show();
    }

    /** "Camera and microphone": what opening will ask for. */
    get words() {
        const silent = el('microphone').value === 'none';
        const first = { camera: 'Camera', screen: 'Screen', test: 'Test picture' }[this.kind];
        return this.kind === 'test' || silent ? first : `${first} and microphone`;
    }

    /** Fills the lists anew; the chosen devices stay chosen when they are still there. */
    async refresh() {
        const { cameras, microphones } = await listDevices();
        const named = (list) => list.filter(({ id }) => id && id !== 'default');
        fill(el('camera'), named(cameras), [['', 'Default camera']]);
        const fixed = [
            ['', 'Default microphone'],
            ['none', 'No microphone'],
        ];
        fill(el('microphone'), named(microphones), fixed);
    }

    /** Opens what is chosen, unless it is open; gives { video, audio }, audio may be null.
     * Throws the { title, text } of reasons.js. */
    open() {
        return this.#inTurn(async () => {
            if (!this.video) {
                await this.#openVideo();
            }
            if (!this.audio) {
                await this.#openAudio();
            }
            this.opened = true;
            this.refresh();
            return { video: this.video, audio: this.audio };
        });
    }

    close() {
        return this.#inTurn(async () => {
            this.opened = false;
            this.#drop('video');
            this.#drop('audio');
            this.show();
        });
    }

    mute(on) {
        this.muted = on;
        if (this.audio) {
            this.audio.enabled = !on;
        }
    }

    /** The stage and the fields that make sense for this kind of source. */
    show() {
        const { kind, video } = this;
        el('camera-field').hidden = kind !== 'camera';
        el('microphone-field').hidden = kind === 'test';
        el('empty').hidden = Boolean(video);
        el('preview').hidden = !video;
        el('level').hidden = !this.audio;
        const idle = {
            camera: 'The camera is off. It starts when you go live.',
            screen: 'You choose the screen or window when you go live.',
            test: 'A moving picture with a clock, and a beep each second.',
        };
        say(el('empty-text'), idle[kind]);
    }

    #inTurn(work) {
        const done = this.queue.then(work);
        this.queue = done.catch(() => {});
        return done;
    }

    async #openVideo() {
        const { kind } = this;
        try {
            if (kind === 'test') {
                this.picture = startTestPicture(Number(el('height').value), this.stream);
                this.video = this.picture.video;
                this.#setAudio(this.picture.audio);
            } else if (kind === 'screen') {
                const { video, audio } = await openScreen();
                this.video = video;
                if (audio && el('microphone').value === 'none') {
                    this.#setAudio(audio);
                } else {
                    audio?.stop();
                }
            } else {
                this.video = await openCamera(el('camera').value, Number(el('height').value));
            }
        } catch (error) {
            throw deviceTrouble(error, ASK[kind]);
        }
        this.video.addEventListener('ended', () => this.#vanished('video', ASK[kind]));
        el('preview').srcObject = new MediaStream([this.video]);
        this.show();
    }

    async #openAudio() {
        const { value } = el('microphone');
        if (this.kind === 'test' || value === 'none') {
            return;
        }
        try {
            this.#setAudio(await openMicrophone(value));
        } catch (error) {
            if (error.name === 'NotFoundError' && value === '') {
                el('microphone').value = 'none'; // a machine without one still has a picture to send
                return;
            }
            this.#drop('video');
            this.show();
            throw deviceTrouble(error, 'microphone');
        }
        this.audio.addEventListener('ended', () => this.#vanished('audio', 'microphone'));
    }

    #setAudio(track) {
        this.#drop('audio');
        this.audio = track;
        track.enabled = !this.muted;
        this.meter.follow(track);
        this.show();
    }

    #drop(kind) {
        this[kind]?.stop();
        this[kind] = null;
        if (kind === 'audio') {
            this.meter.follow(null);
            return;
        }
        el('preview').srcObject = null;
        if (this.picture) {
            this.picture.stop();
            this.picture = null;
            this.#drop('audio');
        }
    }

    /** The user chose something else while a preview or a stream runs. */
    #reopen(kind) {
        this.show();
        return this.#inTurn(async () => {
            if (!this.opened) {
                return;
            }
            const { audio } = this;
            this.#drop(kind);
            try {
                if (kind === 'video') {
                    await this.#openVideo();
                    this.onTrack(this.video);
                }
                if (!this.audio) {
                    await this.#openAudio();
                }
                if (this.audio && this.audio !== audio) {
                    this.onTrack(this.audio);
                }
                this.onTrouble(null);
            } catch (trouble) {
                this.show();
                this.onTrouble(trouble);
            }
            this.refresh();
        });
    }

    /** A device was unplugged, or the user ended the sharing of a screen: take what is left. */
    async #vanished(kind, what) {
        if (!this.opened) {
            return;
        }
        await this.refresh();
        const left = el(kind === 'audio' ? 'microphone' : 'camera').options.length;
        const other = left > (kind === 'audio' ? 2 : 1);
        if (other && (kind === 'audio' || this.kind === 'camera')) {
            await this.#reopen(kind);
        }
        if (this[kind]?.readyState !== 'live') {
            this.onTrouble({
                title: `The ${what} stopped`,
                text: 'It was unplugged or its sharing was ended. Choose another source to go on.',
            });
        }
    }
}
