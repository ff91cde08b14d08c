"""Publishes a synthetic picture and a tone by WHIP with aiortc, until its standard input ends.

aiortc_publish.py URL TOKEN [h264|vp8] [av|video|audio]
With MEDIA_PORT set media goes to that port instead of the answer's: a relay's.
Prints one JSON object a line: offer, answer, state, keys (of DTLS), deleted, error. Media stays on
the loopback.
"""

import asyncio
import fractions
import math
import sys
import urllib.parse

import aioice.ice
import numpy
from aiortc import RTCPeerConnection, RTCRtpSender, RTCSessionDescription
from aiortc.mediastreams import AudioStreamTrack, VideoStreamTrack
from av import AudioFrame, VideoFrame

from whip_client import ask, rerouted, say

WIDTH, HEIGHT = 320, 240
RATE, SAMPLES = 48000, 960

# aioice leaves the loopback out of its host candidates; here there shall be nothing else.
aioice.ice.get_host_addresses = lambda use_ipv4, use_ipv6: ["127.0.0.1"]


class Picture(VideoStreamTrack):
    """A bar that moves over a gradient."""

    async def recv(self):
        pts, time_base = await self.next_timestamp()
        image = numpy.empty((HEIGHT, WIDTH, 3), dtype=numpy.uint8)
        image[:] = numpy.linspace(0, 255, WIDTH, dtype=numpy.uint8)[None, :, None]
        left = pts // 1500 % (WIDTH - 16)
        image[:, left : left + 16] = (0, 200, 40)
        frame = VideoFrame.from_ndarray(image, format="rgb24")
        frame.pts, frame.time_base = pts, time_base
        return frame


class Tone(AudioStreamTrack):
    """A tone of 440 Hz, at the pace of the base class."""

    async def recv(self):
        silence = await super().recv()
        start = int(silence.pts * RATE / silence.sample_rate)
        phase = 2 * math.pi * 440 / RATE * numpy.arange(start, start + SAMPLES)
        samples = (numpy.sin(phase) * 6000).astype(numpy.int16)
        stereo = numpy.repeat(samples, 2)[None, :]
        frame = AudioFrame.from_ndarray(stereo, format="s16", layout="stereo")
        frame.sample_rate, frame.pts = RATE, start
        frame.time_base = fractions.Fraction(1, RATE)
        return frame


def prefer(transceiver, codec):
    wanted = [
        c
        for c in RTCRtpSender.getCapabilities("video").codecs
        if c.mimeType.lower() in (f"video/{codec}", "video/rtx")
    ]
    transceiver.setCodecPreferences(wanted)


async def publish(url, token, codec, kinds):
    loop = asyncio.get_running_loop()
    pc = RTCPeerConnection()

    @pc.on("connectionstatechange")
    def changed():
        say("state", state=pc.connectionState)

    if kinds != "video":
        pc.addTransceiver(Tone(), direction="sendonly")
    if kinds != "audio":
        prefer(pc.addTransceiver(Picture(), direction="sendonly"), codec)
    await pc.setLocalDescription(await pc.createOffer())
    keys = pc.getSenders()[0].transport
    keys.on("statechange", lambda: say("keys", state=keys.state))
    offer = pc.localDescription.sdp
    say("offer", sdp=offer)
    status, headers, text = await loop.run_in_executor(None, ask, "POST", url, token, offer)
    say("answer", status=status, sdp=text, etag=headers.get("ETag"))
    if status != 201:
        await pc.close()
        return 1
    await pc.setRemoteDescription(RTCSessionDescription(sdp=rerouted(text), type="answer"))
    await loop.run_in_executor(None, sys.stdin.read)
    session = urllib.parse.urljoin(url, headers["Location"])
    status, _, _ = await loop.run_in_executor(None, ask, "DELETE", session, token)
    say("deleted", status=status)
    await pc.close()
    return 0


def main():
    words = dict(enumerate(sys.argv))
    try:
        codec, kinds = words.get(3, "h264"), words.get(4, "av")
        return asyncio.run(publish(words[1], words[2], codec, kinds))
    except Exception as error:  # the test reads it
        say("error", text=f"{type(error).__name__}: {error}")
        return 1


sys.exit(main())
