// A WHIP publisher of a few lines that runs in any page of a browser, ours or of another origin: for
// offers that our own page does not make.

import http from 'node:http';

/**
 * Runs in the page. how: { url, token, kinds: 'av'|'video'|'audio', codec: 'video/VP8', direction, rids,
 * size: [width, height], fps, detail (rectangles per picture), maxBitrate, sound: 'tone'|'left'|'bursts',
 * strip: lines of this pattern are taken out of the offer, modest: what the answer says of bitrates is
 * not believed, port: where media goes instead, tune: appended to Opus' parameters in the answer }.
 * Leaves window.whip: { pc, session, offer, answer, headers }; gives its texts.
 */
export async function publishRaw(how) {
    const [width, height] = how.size ?? [640, 360];
    const fps = how.fps ?? 15;

    function picture() {
        const canvas = Object.assign(document.createElement('canvas'), { width, height });
        const context = canvas.getContext('2d');
        let count = 0;
        const draw = () => {
            context.fillStyle = `hsl(${(count * 7) % 360} 60% 50%)`;
            context.fillRect(0, 0, width, height);
            for (let i = 0; i < (how.detail ?? 4); i++) {
                context.fillStyle = `hsl(${Math.random() * 360} 80% 60%)`;
                context.fillRect(Math.random() * width, Math.random() * height, width / 9, height / 9);
            }
            count++;
        };
        draw();
        setInterval(draw, 1000 / fps);
        return canvas.captureStream(fps).getVideoTracks()[0];
    }

    function tone() {
        const audio = new AudioContext();
        const source = new OscillatorNode(audio, { frequency: 440 });
        const gain = new GainNode(audio, { gain: 0.3 });
        const out = new MediaStreamAudioDestinationNode(audio, { channelCount: 2 });
        if (how.sound === 'left') {
            const merger = new ChannelMergerNode(audio, { numberOfInputs: 2 });
            source.connect(gain).connect(merger, 0, 0).connect(out);
        } else {
            source.connect(gain).connect(out);
        }
        if (how.sound === 'bursts') {
            let on = true;
            setInterval(() => {
                on = !on;
                gain.gain.value = on ? 0.3 : 0;
            }, 1500);
        }
        source.start();
        return out.stream.getAudioTracks()[0];
    }

    const pc = new RTCPeerConnection({ bundlePolicy: 'max-bundle' });
    const kinds = how.kinds ?? 'av';
    const direction = how.direction ?? 'sendonly';
    if (kinds !== 'video') {
        pc.addTransceiver(tone(), { direction });
    }
    if (kinds !== 'audio') {
        const layers = how.rids?.map((rid, n) => ({
            rid,
            scaleResolutionDownBy: 2 ** (how.rids.length - 1 - n),
            maxBitrate: how.maxBitrate / 3 ** (how.rids.length - 1 - n),
        }));
        const sendEncodings = layers ?? [{ maxBitrate: how.maxBitrate ?? 800000 }];
        const transceiver = pc.addTransceiver(picture(), { direction, sendEncodings });
        const all = RTCRtpSender.getCapabilities('video').codecs;
        const wanted = all.filter((c) => !how.codec || c.mimeType === how.codec || /rtx/.test(c.mimeType));
        transceiver.setCodecPreferences(wanted);
    }
    await pc.setLocalDescription();
    const offer = pc.localDescription.sdp
        .split('\r\n')
        .filter((line) => !how.strip || !new RegExp(how.strip).test(line))
        .join('\r\n');
    const authorization = { Authorization: `Bearer ${how.token}` };
    const reply = await fetch(how.url, {
        method: 'POST',
        headers: { 'Content-Type': 'application/sdp', ...authorization },
        body: offer,
    });
    const body = await reply.text();
    if (reply.status !== 201) {
        return { status: reply.status, body };
    }
    const header = (name) => reply.headers.get(name);
    const session = new URL(header('Location'), reply.url).href;
    window.whip = { pc, session, offer, answer: body, etag: header('ETag'), authorization };
    const modest = how.modest ? body.replace(/;x-google-[a-z]+-bitrate=\d+|^b=.*\r\n/gm, '') : body;
    const tuned = (line) => `${line};${how.tune}`;
    const routed = how.port
        ? modest.replace(/^a=candidate:.* tcp .*\r\n/gm, '').replace(/\d+ typ host/g, `${how.port} typ host`)
        : modest;
    const sdp = how.tune ? routed.replace(/^a=fmtp:\d+ .*useinbandfec=1/m, tuned) : routed;
    await pc.setRemoteDescription({ type: 'answer', sdp });
    await new Promise((resolve, reject) => {
        pc.onconnectionstatechange = () => {
            if (pc.connectionState === 'connected') {
                resolve();
            } else if (pc.connectionState === 'failed') {
                reject(new Error('the connection failed'));
            }
        };
    });
    return { status: 201, offer, answer: body, etag: header('ETag'), session };
}

/** Runs in the page: DELETEs the session; gives the status. */
export async function deleteRaw() {
    const { session, authorization } = window.whip;
    const reply = await fetch(session, { method: 'DELETE', headers: authorization });
    window.whip.pc.close();
    return reply.status;
}

/** Runs in the page: what leaves it, one row per layer. */
export async function sentLayers() {
    const rows = [...(await window.whip.pc.getStats()).values()];
    return rows
        .filter((row) => row.type === 'outbound-rtp' && row.kind === 'video')
        .map((row) => ({
            rid: row.rid,
            packets: row.packetsSent,
            width: row.frameWidth,
            bytes: row.bytesSent,
            target: row.targetBitrate,
        }));
}

/** An origin that is not the gateway's: an empty page on a port of its own. */
export async function foreignOrigin() {
    const server = http.createServer((request, response) => {
        response.setHeader('Content-Type', 'text/html');
        response.end('<!doctype html><title>elsewhere</title>');
    });
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    const origin = `http://127.0.0.1:${server.address().port}`;
    const close = () => new Promise((resolve) => {
        server.close(resolve);
        server.closeAllConnections();
    });
    return { origin, close };
}
