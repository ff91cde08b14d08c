"""Publishes a test picture and a tone by WHIP with GStreamer's webrtcbin, until its standard input ends.

gst_publish.py URL TOKEN [h264|vp8]
As whipclientsink does it, retransmission and transport-wide feedback are offered.
With MEDIA_PORT set media goes to that port instead of the answer's: a relay's.
Prints one JSON object a line: offer, answer, state, deleted, error.
"""

import sys
import threading
import urllib.parse

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstSdp", "1.0")
gi.require_version("GstWebRTC", "1.0")
from gi.repository import GLib, Gst, GstSdp, GstWebRTC  # noqa: E402

from whip_client import ask, rerouted, say  # noqa: E402

TWCC = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
PICTURE = "video/x-raw,width=320,height=240,framerate=30/1"
ENCODERS = {
    "h264": (
        "x264enc tune=zerolatency speed-preset=ultrafast key-int-max=60 bitrate=400"
        " ! video/x-h264,profile=constrained-baseline ! rtph264pay config-interval=-1"
        " aggregate-mode=zero-latency",
        "H264",
    ),
    "vp8": ("vp8enc deadline=1 keyframe-max-dist=60 target-bitrate=400000 ! rtpvp8pay", "VP8"),
}


def pipeline_of(codec):
    encoder, name = ENCODERS[codec]
    twcc = f'extmap-1=(string)"{TWCC}"'
    return (
        f"webrtcbin name=peer bundle-policy=max-bundle"
        f" videotestsrc is-live=true pattern=ball ! {PICTURE} ! {encoder} ! queue"
        f" ! application/x-rtp,media=video,encoding-name={name},payload=96,{twcc} ! peer."
        f" audiotestsrc is-live=true volume=0.2 ! audioconvert ! opusenc ! rtpopuspay ! queue"
        f" ! application/x-rtp,media=audio,encoding-name=OPUS,payload=97,{twcc} ! peer."
    )


class Publisher:
    def __init__(self, url, token, codec):
        self.url, self.token = url, token
        self.loop = GLib.MainLoop()
        self.session = None
        self.failed = False
        self.pipeline = Gst.parse_launch(pipeline_of(codec))
        self.peer = self.pipeline.get_by_name("peer")
        self.peer.connect("on-negotiation-needed", self.negotiate)
        self.peer.connect("notify::ice-gathering-state", self.gathered)
        self.peer.connect("notify::connection-state", self.changed)
        for i in range(2):
            self.peer.emit("get-transceiver", i).set_property("do-nack", True)
        bus = self.pipeline.get_bus()
        bus.add_signal_watch()
        bus.connect("message::error", lambda _, message: self.fail(str(message.parse_error()[0])))

    def fail(self, text):
        say("error", text=text)
        self.failed = True
        GLib.idle_add(self.loop.quit)

    def changed(self, *_):
        say("state", state=self.peer.get_property("connection-state").value_nick)

    def negotiate(self, _):
        def created(promise):
            reply = promise.get_reply()  # owns the offer
            self.peer.emit("set-local-description", reply.get_value("offer"), None)

        self.peer.emit("create-offer", None, Gst.Promise.new_with_change_func(created))

    def gathered(self, *_):
        state = self.peer.get_property("ice-gathering-state")
        if state == GstWebRTC.WebRTCICEGatheringState.COMPLETE and not self.session:
            GLib.idle_add(self.post)

    def post(self):
        description = self.peer.get_property("local-description")  # owns the text
        offer = description.sdp.as_text()
        say("offer", sdp=offer)
        status, headers, text = ask("POST", self.url, self.token, offer)
        say("answer", status=status, sdp=text)
        if status != 201:
            self.fail("refused")
            return False
        self.session = urllib.parse.urljoin(self.url, headers["Location"])
        _, message = GstSdp.SDPMessage.new_from_text(rerouted(text))
        kind = GstWebRTC.WebRTCSDPType.ANSWER
        answer = GstWebRTC.WebRTCSessionDescription.new(kind, message)
        self.peer.emit("set-remote-description", answer, None)
        return False

    def run(self):
        def wait_for_end():
            sys.stdin.read()
            GLib.idle_add(self.loop.quit)

        threading.Thread(target=wait_for_end, daemon=True).start()
        self.pipeline.set_state(Gst.State.PLAYING)
        self.loop.run()
        if self.session:
            say("deleted", status=ask("DELETE", self.session, self.token)[0])
        self.pipeline.set_state(Gst.State.NULL)
        return 1 if self.failed else 0


def main():
    Gst.init(None)
    codec = sys.argv[3] if len(sys.argv) > 3 else "h264"
    return Publisher(sys.argv[1], sys.argv[2], codec).run()


sys.exit(main())
