/* Decrypted RTP and RTCP of a hostile publisher, all the way to frames in the ring.
 *
 * Input: one byte for the set of tracks, then per packet two bytes of length (top bit: RTCP, next:
 * 400 ms pass) and the packet. */
#include "gateway/ingest/feedback.h"
#include "gateway/ingest/media.h"
#include "lib/base/fd.h"
#include "lib/base/reader.h"
#include "lib/base/ring.h"
#include "lib/proto/frame.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Made once: a ring costs more than a run. */
struct rig {
    int fd;
    struct ring_writer *writer;
    struct ring_reader *reader;
};

static struct rig *rig_get(void)
{
    static struct rig rig = {.fd = -1};
    int locked;
    if (rig.writer)
        return &rig;
    if (ring_create(RING_SIZE_MIN * 8, &rig.fd) != 0 ||
        ring_writer_new(rig.fd, &rig.writer, &locked) != 0 || ring_seal(rig.fd) != 0 ||
        ring_reader_new(rig.fd, 0, &rig.reader) != 0)
        abort();
    return &rig;
}

static void make_answer(struct answer *answer, uint8_t kind)
{
    memset(answer, 0, sizeof(*answer));
    struct answer_track *video = &answer->tracks[TRACK_VIDEO];
    video->codec = kind & 1 ? CODEC_VP8 : CODEC_H264;
    video->pt = 96;
    video->rtx_pt = 97;
    video->mid_ext_id = 4;
    video->clock_rate = 90000;
    video->feedback = SDP_FB_NACK | SDP_FB_PLI | SDP_FB_REMB;
    memcpy(video->mid, "v", 2);
    if (kind & 16) { /* simulcast and transport-wide feedback */
        video->rid_ext_id = 6;
        video->repaired_rid_ext_id = 7;
        video->layer_count = 3;
        memcpy(video->layers[0].rid, "q", 2);
        memcpy(video->layers[1].rid, "h", 2);
        memcpy(video->layers[2].rid, "f", 2);
        video->transport_cc_ext_id = 5;
        video->feedback |= SDP_FB_TRANSPORT_CC;
    }
    struct answer_track *audio = &answer->tracks[TRACK_AUDIO];
    audio->codec = kind & 2 ? CODEC_NONE : CODEC_OPUS;
    audio->pt = kind & 4 ? 96 : 111;
    audio->mid_ext_id = 4;
    audio->clock_rate = 48000;
    memcpy(audio->mid, "a", 2);
    answer->rtcp_rsize = kind & 8;
}

static void check_frames(struct rig *rig)
{
    static uint8_t record[RING_RECORD_MAX];
    size_t len;
    int rc;
    while ((rc = ring_read(rig->reader, record, sizeof(record), &len)) != RING_EMPTY) {
        struct frame frame;
        const uint8_t *payload;
        if (rc == RING_RECORD)
            assert(frame_parse(record, len, &frame, &payload) == 0);
    }
}

static void send_feedback(struct feedback *f, struct media *m, uint64_t now_us)
{
    uint8_t bytes[FEEDBACK_PACKET_MAX];
    struct writer w;
    writer_init(&w, bytes, sizeof(bytes));
    for (unsigned i = 0; i < FEEDBACK_BURST_MAX && feedback_write(f, m, now_us, &w); i++)
        writer_init(&w, bytes, sizeof(bytes));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct answer answer;
    const struct media_limits limits = {.jitter_deadline_us = 300000};
    struct rig *rig = rig_get();
    struct media *m = NULL;
    struct feedback feedback;
    struct reader r;
    uint64_t now_us = 1000000000;
    reader_init(&r, data, size);
    make_answer(&answer, reader_u8(&r));
    if (media_new(&answer, &limits, rig->writer, 0, &m) != 0)
        abort();
    feedback_init(&feedback, &answer, 0, 1, "0123456789abcdef");
    feedback_start(&feedback, now_us);
    while (reader_left(&r) > 0) {
        uint16_t head = reader_u16(&r);
        size_t len = head & 0x7ff;
        if (len > reader_left(&r))
            len = reader_left(&r);
        const uint8_t *packet = reader_bytes(&r, len);
        now_us += head & 0x4000 ? 400000 : 500;
        if (packet && head & 0x8000)
            (void)media_rtcp(m, packet, len, now_us);
        else if (packet)
            (void)media_rtp(m, packet, len, now_us);
        if (media_due_us(m) <= now_us)
            media_on_timer(m, now_us);
        if (head & 0x4000)
            media_tick(m, now_us);
        send_feedback(&feedback, m, now_us);
        check_frames(rig);
    }
    media_free(m);
    return 0;
}
