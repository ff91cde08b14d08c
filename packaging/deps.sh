#!/bin/sh
# Installs what is missing, and only that: deps.sh run|test|lint.
# It asks for commands and headers, not for packages, so that a compiler or Node.js from elsewhere
# counts; when all is there it touches neither apt nor the network. sudo only when not root.
set -eu

missing=
need_command() { # command, package
    command -v "$1" >/dev/null 2>&1 || missing="$missing $2"
}
need_header() { # header, package
    for directory in /usr/include /usr/include/*-linux-gnu /usr/local/include; do
        [ -e "$directory/$1" ] && return
    done
    missing="$missing $2"
}
need_file() { # pattern, package
    for file in $1; do
        [ -e "$file" ] && return
    done
    missing="$missing $2"
}

for_run() {
    need_command gcc gcc
    need_command ar binutils
    need_command pkg-config pkg-config
    need_command openssl openssl
    need_header stdio.h libc6-dev
    need_header seccomp.h libseccomp-dev
    need_header stun/stunagent.h libnice-dev
    need_header srtp2/srtp.h libsrtp2-dev
    need_header openssl/ssl.h libssl-dev
    need_header microhttpd.h libmicrohttpd-dev
    need_header gnutls/gnutls.h libgnutls28-dev
    need_header sqlite3.h libsqlite3-dev
    need_header confuse.h libconfuse-dev
    need_header jansson.h libjansson-dev
    need_header zlib.h zlib1g-dev
    need_header libavcodec/avcodec.h libavcodec-dev
    need_header libavutil/frame.h libavutil-dev
    need_header libswscale/swscale.h libswscale-dev
    need_header libswresample/swresample.h libswresample-dev
    # hls.js comes with npm. Debian's npm conflicts with a Node.js from elsewhere, hence the question.
    if [ ! -e web/ui/vendor/hls.min.mjs ]; then
        need_command npm npm
    fi
}

for_test() {
    for_run
    need_header cmocka.h libcmocka-dev
    need_header curl/curl.h libcurl4-openssl-dev
    need_command clang clang
    need_file '/usr/lib/llvm-*/lib/clang/*/lib/linux/libclang_rt.fuzzer-*.a' libclang-rt-14-dev
    need_command node nodejs
    need_command npm npm
    need_command chromium chromium
    need_command ffmpeg ffmpeg
    need_command curl curl
    need_command turnserver coturn
    need_file '/usr/share/fonts/truetype/dejavu/*.ttf' fonts-dejavu-core
    # publishers beside Chromium
    need_command firefox-esr firefox-esr
    need_command whip-client simple-whip-client
    need_file '/usr/lib/python3/dist-packages/aiortc/__init__.py' python3-aiortc
    need_file '/usr/lib/python3/dist-packages/numpy/__init__.py' python3-numpy
    need_file '/usr/lib/python3/dist-packages/gi/overrides/Gst.py' python3-gst-1.0
    need_file '/usr/lib/*/girepository-1.0/GstWebRTC-1.0.typelib' gir1.2-gst-plugins-bad-1.0
    need_file '/usr/lib/*/gstreamer-1.0/libgstopus.so' gstreamer1.0-plugins-base
    need_file '/usr/lib/*/gstreamer-1.0/libgstvpx.so' gstreamer1.0-plugins-good
    need_file '/usr/lib/*/gstreamer-1.0/libgstwebrtc.so' gstreamer1.0-plugins-bad
    need_file '/usr/lib/*/gstreamer-1.0/libgstx264.so' gstreamer1.0-plugins-ugly
    need_file '/usr/lib/*/gstreamer-1.0/libgstnice.so' gstreamer1.0-nice
}

for_lint() {
    for_test
    need_command clang-format clang-format
    need_command cppcheck cppcheck
    need_command pmccabe pmccabe
}

case ${1:-} in
run | test | lint) "for_$1" ;;
*) echo "usage: deps.sh run|test|lint" >&2; exit 2 ;;
esac
[ -n "$missing" ] || exit 0

echo "installing:$missing"
as_root=
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null 2>&1; then
        echo "Not root and no sudo here. As root, run: apt-get install -y --no-install-recommends$missing" >&2
        exit 1
    fi
    as_root=sudo
fi
# The tests start a TURN server of their own; the package would start one for the world.
case "$missing " in
*" coturn "*)
    unit=/etc/systemd/system/coturn.service
    [ -e $unit ] || [ -L $unit ] || { $as_root mkdir -p ${unit%/*} && $as_root ln -s /dev/null $unit; }
    ;;
esac
# The package list may be old or absent on a fresh system.
$as_root apt-get update -qq
# shellcheck disable=SC2086 # one word per package
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing
