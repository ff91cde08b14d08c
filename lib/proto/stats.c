/* Counters that an ingest worker reports once a second. */
#include "lib/proto/stats.h"

const char *stats_client_name(uint8_t client)
{
    static const char *const names[CLIENT_COUNT] = {
        [CLIENT_UNKNOWN] = "unknown",     [CLIENT_LIBWEBRTC] = "libwebrtc",
        [CLIENT_FIREFOX] = "Firefox",     [CLIENT_LIBDATACHANNEL] = "libdatachannel",
        [CLIENT_GSTREAMER] = "GStreamer", [CLIENT_FFMPEG] = "FFmpeg",
        [CLIENT_AIORTC] = "aiortc",       [CLIENT_PION] = "Pion",
    };
    return client < CLIENT_COUNT ? names[client] : names[CLIENT_UNKNOWN];
}
