#!/bin/sh
# Makes the media that rawpub publishes: OUT.h264 (Annex B), OUT.ivf (VP8) and OUT.opus (Ogg), 10 s of
# a moving test picture with noise (720p30, 2.5 Mbit/s, a key frame a second) and a stereo tone.
# With "others" OUT.h265, OUT.vp9.ivf and OUT.av1.ivf instead: 3 s of 360p30, 1 Mbit/s, and OUT.opus.
set -eu
case "$#${2:-}" in 1 | 2others) ;; *) echo "usage: make-media.sh OUT [others]" >&2; exit 2 ;; esac
out=$1
mkdir -p "$(dirname "$out")"
work=$(mktemp -d "$out.XXXXXX")
trap 'rm -rf "$work"' EXIT
sound='sine=frequency=440:beep_factor=4:sample_rate=48000:duration=10,aformat=channel_layouts=stereo'
if [ $# -eq 2 ]; then
    picture='testsrc2=size=640x360:rate=30:duration=3,noise=alls=4:allf=t,format=yuv420p'
    ffmpeg -nostdin -v error -y -f lavfi -i "$picture" -f lavfi -i "$sound" \
        -map 0:v -c:v libx265 -preset ultrafast -tune zerolatency -b:v 1M \
        -x265-params 'keyint=30:min-keyint=30:scenecut=0:repeat-headers=1:slices=2:log-level=error' \
        -f hevc "$work/video.h265" \
        -map 0:v -c:v libvpx-vp9 -deadline realtime -cpu-used 8 -lag-in-frames 0 -b:v 1M -g 30 \
        -f ivf "$work/vp9.ivf" \
        -map 0:v -c:v libaom-av1 -usage realtime -cpu-used 8 -lag-in-frames 0 -b:v 1M -g 30 \
        -f ivf "$work/av1.ivf" \
        -map 1:a -c:a libopus -b:a 64k -frame_duration 20 -f opus "$work/audio.opus"
    mv -f "$work/video.h265" "$out.h265"
    mv -f "$work/vp9.ivf" "$out.vp9.ivf"
    mv -f "$work/av1.ivf" "$out.av1.ivf"
    mv -f "$work/audio.opus" "$out.opus"
    exit
fi
picture='testsrc2=size=1280x720:rate=30:duration=10,noise=alls=6:allf=t,format=yuv420p'
ffmpeg -nostdin -v error -y -f lavfi -i "$picture" -f lavfi -i "$sound" \
    -map 0:v -c:v libx264 -preset veryfast -tune zerolatency -profile:v baseline -level 3.1 \
    -b:v 2500k -maxrate 2500k -bufsize 1250k -g 30 -keyint_min 30 -sc_threshold 0 -bf 0 \
    -x264-params 'sliced-threads=0:repeat-headers=1' -f h264 "$work/video.h264" \
    -map 0:v -c:v libvpx -deadline realtime -cpu-used 8 -b:v 2500k -g 30 -keyint_min 30 \
    -auto-alt-ref 0 -f ivf "$work/video.ivf" \
    -map 1:a -c:a libopus -b:a 64k -frame_duration 20 -f opus "$work/audio.opus"
mv -f "$work/video.h264" "$out.h264"
mv -f "$work/video.ivf" "$out.ivf"
mv -f "$work/audio.opus" "$out.opus"
