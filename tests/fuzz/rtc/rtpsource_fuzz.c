/* Fuzzes the placing of packets: never more sources than allowed, layers within the answer's. */
#include "gateway/rtc/rtpsource.h"

#include "lib/base/reader.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct answer answer = {
    .tracks = {[TRACK_VIDEO] = {.codec = CODEC_VP8,
                                .pt = 96,
                                .rtx_pt = 97,
                                .mid_ext_id = 1,
                                .rid_ext_id = 2,
                                .repaired_rid_ext_id = 3,
                                .mid = "1",
                                .layer_count = 3,
                                .layers = {{.rid = "l"}, {.rid = "m"}, {.rid = "h"}}},
               [TRACK_AUDIO] = {.codec = CODEC_OPUS, .pt = 111, .mid_ext_id = 1, .mid = "0"}}};

/* Packets, each behind a byte with its length. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rtpsources sources = {.count = 0};
    struct reader r;
    reader_init(&r, data, size);
    while (reader_left(&r) > 0) {
        size_t len = reader_u8(&r);
        const uint8_t *bytes = reader_bytes(&r, len);
        struct rtp_packet packet;
        struct rtpsource source;
        bool is_new = false;
        if (!bytes || rtp_parse(bytes, len, &packet) < 0)
            continue;
        if (rtpsource_find(&sources, &answer, &packet, &source, &is_new) < 0)
            continue;
        const struct answer_track *t = &answer.tracks[source.track];
        if (sources.count > RTPSOURCE_MAX || source.ssrc != packet.ssrc ||
            (source.layer > 0 && source.layer >= t->layer_count) ||
            !rtpsource_expects(&answer, packet.payload_type))
            abort();
    }
    return 0;
}
