/* Counters that an ingest worker reports once a second. */
#include "lib/proto/stats.h"

#include <stddef.h>

static const char *name_of(const char *const *names, size_t count, uint8_t value)
{
    return value < count ? names[value] : "unknown";
}

const char *stats_client_name(uint8_t client)
{
    static const char *const names[CLIENT_COUNT] = {
        [CLIENT_UNKNOWN] = "unknown",     [CLIENT_LIBWEBRTC] = "libwebrtc",
        [CLIENT_FIREFOX] = "Firefox",     [CLIENT_LIBDATACHANNEL] = "libdatachannel",
        [CLIENT_GSTREAMER] = "GStreamer", [CLIENT_FFMPEG] = "FFmpeg",
        [CLIENT_AIORTC] = "aiortc",       [CLIENT_PION] = "Pion",
    };
    return name_of(names, CLIENT_COUNT, client);
}

const char *stats_feedback_name(uint8_t feedback)
{
    static const char *const names[FEEDBACK_COUNT] = {
        [FEEDBACK_NONE] = "none",
        [FEEDBACK_REMB] = "remb",
        [FEEDBACK_TRANSPORT_CC] = "transport-cc",
    };
    return name_of(names, FEEDBACK_COUNT, feedback);
}

const char *stats_round_trip_name(uint8_t round_trip)
{
    static const char *const names[ROUND_TRIP_COUNT] = {
        [ROUND_TRIP_NONE] = "none",
        [ROUND_TRIP_REPAIR] = "repairs",
        [ROUND_TRIP_RTCP] = "rtcp",
    };
    return name_of(names, ROUND_TRIP_COUNT, round_trip);
}
