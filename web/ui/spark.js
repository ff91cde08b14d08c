// A line of the last readings on a canvas: no axes, the number beside it says the value.

const POINTS = 60;

export class Spark {
    /** max: top of the scale at least; it grows when a reading is above. */
    constructor(canvas, max) {
        Object.assign(this, { canvas, max });
        this.values = [];
    }

    clear() {
        this.values = [];
        this.#draw();
    }

    push(value) {
        this.values.push(Number.isFinite(value) ? value : 0);
        this.values.splice(0, Math.max(0, this.values.length - POINTS));
        this.#draw();
    }

    #draw() {
        const { canvas, values } = this;
        const ratio = window.devicePixelRatio || 1;
        const width = canvas.clientWidth * ratio;
        const height = canvas.clientHeight * ratio;
        if (canvas.width !== width || canvas.height !== height) {
            Object.assign(canvas, { width, height });
        }
        const ctx = canvas.getContext('2d');
        ctx.clearRect(0, 0, width, height);
        if (values.length < 2) {
            return;
        }
        const top = Math.max(this.max, ...values) * 1.1;
        const x = (n) => width - (values.length - 1 - n) * (width / (POINTS - 1));
        const y = (v) => height - ratio - (v / top) * (height - 2 * ratio);
        const color = getComputedStyle(canvas).color;
        ctx.beginPath();
        values.forEach((v, n) => ctx.lineTo(x(n), y(v)));
        ctx.lineWidth = 1.5 * ratio;
        ctx.lineJoin = 'round';
        ctx.strokeStyle = color;
        ctx.stroke();
        ctx.lineTo(x(values.length - 1), height);
        ctx.lineTo(x(0), height);
        ctx.globalAlpha = 0.12;
        ctx.fillStyle = color;
        ctx.fill();
        ctx.globalAlpha = 1;
    }
}
