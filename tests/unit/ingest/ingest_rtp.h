/* An answer as the rtc library would make it, packets of its tracks, and a ring to look into. */
#ifndef SLUICE_TESTS_INGEST_RTP_H
#define SLUICE_TESTS_INGEST_RTP_H

#include "gateway/rtc/answer.h"
#include "lib/base/fd.h"
#include "lib/base/ring.h"
#include "lib/base/writer.h"
#include "lib/proto/frame.h"
#include "tests/unit/depay/depay_vectors.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define VIDEO_PT 96
#define VIDEO_RTX_PT 97
#define AUDIO_PT 111
#define MID_ID 4
#define RID_ID 6
#define TRANSPORT_ID 5
#define VIDEO_SSRC 0x1000u
#define VIDEO_RTX_SSRC 0x1001u
#define AUDIO_SSRC 0x2000u

static inline void make_test_answer(struct answer *a)
{
    memset(a, 0, sizeof(*a));
    struct answer_track *video = &a->tracks[TRACK_VIDEO];
    video->codec = CODEC_H264;
    video->pt = VIDEO_PT;
    video->rtx_pt = VIDEO_RTX_PT;
    video->mid_ext_id = MID_ID;
    video->clock_rate = 90000;
    video->feedback = SDP_FB_NACK | SDP_FB_PLI | SDP_FB_REMB;
    (void)text_copy(video->mid, sizeof(video->mid), slice_of("v"));
    struct answer_track *audio = &a->tracks[TRACK_AUDIO];
    audio->codec = CODEC_OPUS;
    audio->pt = AUDIO_PT;
    audio->mid_ext_id = MID_ID;
    audio->clock_rate = 48000;
    (void)text_copy(audio->mid, sizeof(audio->mid), slice_of("a"));
    a->rtcp_rsize = true;
}

/* One RTP packet to build. mid, rid: one character, NULL for none; transport: the transport-wide
 * number where numbered. */
struct test_packet {
    uint32_t ssrc;
    uint8_t pt;
    bool marker;
    uint16_t sequence;
    uint32_t time;
    const char *mid;
    const char *rid;
    bool numbered;
    uint16_t transport;
    const uint8_t *payload;
    size_t len;
};

static inline void put_character(struct writer *w, unsigned id, const char *text)
{
    if (!text)
        return;
    assert(strlen(text) == 1);
    writer_u8(w, (uint8_t)(id << 4));
    writer_u8(w, (uint8_t)text[0]);
}

static inline void put_extensions(struct writer *w, const struct test_packet *p)
{
    uint8_t bytes[16];
    struct writer block;
    writer_init(&block, bytes, sizeof(bytes));
    put_character(&block, MID_ID, p->mid);
    put_character(&block, RID_ID, p->rid);
    if (p->numbered) {
        writer_u8(&block, TRANSPORT_ID << 4 | 1);
        writer_u16(&block, p->transport);
    }
    writer_zeros(&block, (4 - block.len % 4) % 4);
    writer_u16(w, 0xbede);
    writer_u16(w, (uint16_t)(block.len / 4));
    writer_bytes(w, bytes, block.len);
}

static inline size_t build_test_packet(const struct test_packet *p, uint8_t *to, size_t cap)
{
    struct writer w;
    bool extended = p->mid || p->rid || p->numbered;
    writer_init(&w, to, cap);
    writer_u8(&w, extended ? 0x90 : 0x80);
    writer_u8(&w, (uint8_t)(p->pt | (p->marker ? 0x80 : 0)));
    writer_u16(&w, p->sequence);
    writer_u32(&w, p->time);
    writer_u32(&w, p->ssrc);
    if (extended)
        put_extensions(&w, p);
    writer_bytes(&w, p->payload, p->len);
    assert(writer_ok(&w));
    return w.len;
}

/* A ring with both ends in this process. */
struct test_ring {
    int fd;
    struct ring_writer *writer;
    struct ring_reader *reader;
};

/* 0 or a negative errno. */
static inline int test_ring_open(struct test_ring *r)
{
    int locked;
    *r = (struct test_ring){.fd = -1};
    int rc = ring_create(RING_SIZE_MIN * 4, &r->fd);
    if (rc == 0)
        rc = ring_writer_new(r->fd, &r->writer, &locked);
    if (rc == 0)
        rc = ring_seal(r->fd);
    if (rc == 0)
        rc = ring_reader_new(r->fd, 0, &r->reader);
    return rc;
}

static inline void test_ring_close(struct test_ring *r)
{
    ring_reader_free(r->reader);
    ring_writer_free(r->writer);
    fd_close(&r->fd);
}

/* The next frame's head; false when there is none. */
static inline bool test_ring_next(struct test_ring *r, struct frame *out)
{
    static uint8_t record[RING_RECORD_MAX];
    size_t len = 0;
    const uint8_t *payload;
    if (ring_read(r->reader, record, sizeof(record), &len) != RING_RECORD)
        return false;
    return frame_parse(record, len, out, &payload) == 0;
}

/* A key frame's payloads and a following picture. */
static const uint8_t test_idr[] = {0x65, 0xf0, 0x11, 0x22};
static const uint8_t test_slice[] = {0x41, 0xf0, 0x33, 0x44};
static const uint8_t test_opus[] = {0xfc, 0xff, 0xfe};

#endif
