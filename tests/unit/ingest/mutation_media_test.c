/* Whole mutated datagrams of an authentic publisher, from RTP and RTCP to frames in the ring:
 * frames are well-formed, their times go on, and what is refused is counted. */
#include "gateway/ingest/media.h"
#include "gateway/rtc/rtcp.h"
#include "tests/support/mutator.h"
#include "tests/unit/ingest/ingest_rtp.h"

#include <errno.h>

#define SECOND 1000000u
#define SESSION_INPUTS 256u /* datagrams of one publisher: a mutated SSRC takes its track over */
#define CLEAN 3u            /* of the seeds: a key frame, a picture, sound */
#define FAR_US (10 * (int64_t)SECOND)

struct publisher {
    struct test_ring ring;
    struct answer answer;
    struct media *media;
    uint64_t now_us;
    uint64_t ticked_us;
    uint16_t sequence[TRACK_COUNT];
    unsigned inputs;
    unsigned frames;
    unsigned keys;
};

static void begin(struct publisher *p)
{
    const struct media_limits limits = {.jitter_deadline_us = 300000};
    media_free(p->media);
    p->media = NULL;
    assert_int_equal(media_new(&p->answer, &limits, p->ring.writer, 0, &p->media), 0);
}

/* Frames stay near the time of their arrival, whatever the publisher's clock says (M7). */
static void check_frames(struct publisher *p)
{
    struct frame frame;
    while (test_ring_next(&p->ring, &frame)) {
        assert_true(frame.track < TRACK_COUNT && frame.len > 0);
        assert_in_range(frame.pts_us + FAR_US, (int64_t)p->now_us - 2 * FAR_US,
                        (int64_t)p->now_us + 2 * FAR_US);
        p->frames++;
        p->keys += (frame.flags & FRAME_KEY) != 0 && frame.track == TRACK_VIDEO;
    }
}

/* Puts a packet where it belongs in the stream. */
static void place(struct publisher *p, uint8_t *data)
{
    enum track track = (data[1] & 0x7f) == AUDIO_PT ? TRACK_AUDIO : TRACK_VIDEO;
    uint16_t sequence = p->sequence[track]++;
    uint32_t time = (uint32_t)(p->now_us / 1000) * (track == TRACK_AUDIO ? 48u : 90u);
    data[2] = (uint8_t)(sequence >> 8);
    data[3] = (uint8_t)sequence;
    for (unsigned i = 0; i < 4; i++)
        data[4 + i] = (uint8_t)(time >> (24 - 8 * i));
}

static void pass_time(struct publisher *p, struct mutator *m)
{
    p->now_us += 500 + mutator_draw(m, 20000);
    if (media_due_us(p->media) <= p->now_us)
        media_on_timer(p->media, p->now_us);
    if (p->now_us - p->ticked_us < SECOND)
        return;
    p->ticked_us = p->now_us;
    media_tick(p->media, p->now_us);
}

/* What an honest publisher sends in between: else hardly a mutated packet would be used. */
static void send_clean(struct publisher *p, struct mutator *m)
{
    for (size_t i = 0; i < CLEAN; i++) {
        uint8_t bytes[MUTATOR_SEED_LEN_MAX];
        const struct mutator_seed *seed = &m->seeds[i];
        memcpy(bytes, seed->bytes, seed->len);
        place(p, bytes);
        (void)media_rtp(p->media, bytes, seed->len, p->now_us);
        pass_time(p, m);
        check_frames(p);
    }
}

static bool take_rtp(void *ctx, struct mutator *m, const uint8_t *data, size_t len)
{
    struct publisher *p = ctx;
    if (p->inputs++ % SESSION_INPUTS == 0 || p->media->unsupported)
        begin(p); /* a session ends with media that is never taken */
    if (mutator_draw(m, 2))
        send_clean(p, m);
    uint8_t *copy = malloc(len > 0 ? len : 1);
    assert_non_null(copy);
    memcpy(copy, data, len);
    if (len >= 12 && mutator_draw(m, 4) != 0)
        place(p, copy);
    int err = media_rtp(p->media, copy, len, p->now_us);
    assert_true(err == 0 || err == -EBADMSG || err == -EPROTO || err == -EAGAIN || err == -EDQUOT);
    free(copy);
    pass_time(p, m);
    check_frames(p);
    assert_true(p->media->sources.count <= RTPSOURCE_MAX);
    return err == 0;
}

static void add_packet(struct mutator *m, struct test_packet packet, const void *payload,
                       size_t len)
{
    uint8_t bytes[STREAM_DATAGRAM_MAX];
    packet.payload = payload;
    packet.len = len;
    mutator_add(m, bytes, build_test_packet(&packet, bytes, sizeof(bytes)));
}

static void add_media(struct mutator *m)
{
    const struct test_packet video = {.ssrc = VIDEO_SSRC, .pt = VIDEO_PT, .mid = "v"};
    struct test_packet last = video, audio = {.ssrc = AUDIO_SSRC, .pt = AUDIO_PT, .mid = "a"};
    uint8_t sps[VECTOR_MAX], pps[VECTOR_MAX], key[VECTOR_MAX];
    size_t sps_len = vector_bytes(SPS_1280X720, sps), pps_len = vector_bytes(PPS_BASELINE, pps);
    struct writer w;
    last.marker = true;
    writer_init(&w, key, sizeof(key)); /* STAP-A: a whole key frame */
    writer_u8(&w, 0x78);
    writer_u16(&w, (uint16_t)sps_len);
    writer_bytes(&w, sps, sps_len);
    writer_u16(&w, (uint16_t)pps_len);
    writer_bytes(&w, pps, pps_len);
    writer_u16(&w, sizeof(test_idr));
    writer_bytes(&w, test_idr, sizeof(test_idr));
    assert_true(writer_ok(&w));
    add_packet(m, last, key, w.len);
    add_packet(m, last, test_slice, sizeof(test_slice));
    add_packet(m, audio, test_opus, sizeof(test_opus));
    add_packet(m, video, sps, sps_len);
    add_packet(m, video, pps, pps_len);
    audio.mid = NULL;
    add_packet(m, audio, test_opus, sizeof(test_opus));
}

static void M1_M2_RTP_20_mutated_media(void **state)
{
    struct publisher *p = *state;
    struct mutator *m = mutator_new();
    add_media(m);
    mutator_run(m, "media-rtp", take_rtp, p);
    print_message("%u frames, %u key frames\n", p->frames, p->keys);
    assert_true(p->keys > 0 && p->frames > p->keys);
}

static bool take_rtcp(void *ctx, struct mutator *m, const uint8_t *data, size_t len)
{
    struct publisher *p = ctx;
    if (p->inputs++ % SESSION_INPUTS == 0)
        begin(p);
    int err = media_rtcp(p->media, data, len, p->now_us);
    assert_true(err == 0 || err == -EBADMSG);
    pass_time(p, m);
    assert_true(p->media->sources.count <= RTPSOURCE_MAX);
    return err == 0;
}

static void U14_RTP_19_mutated_reports_of_the_publisher(void **state)
{
    struct publisher *p = *state;
    struct mutator *m = mutator_new();
    mutator_read(m, "tests/fuzz/rtc/corpus/rtcp", NULL);
    mutator_run(m, "media-rtcp", take_rtcp, p);
}

static int setup(void **state)
{
    struct publisher *p = calloc(1, sizeof(*p));
    if (!p)
        return -1;
    *state = p;
    make_test_answer(&p->answer);
    p->now_us = p->ticked_us = 1000 * (uint64_t)SECOND;
    return test_ring_open(&p->ring);
}

static int teardown(void **state)
{
    struct publisher *p = *state;
    media_free(p->media);
    test_ring_close(&p->ring);
    free(p);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(M1_M2_RTP_20_mutated_media, setup, teardown),
        cmocka_unit_test_setup_teardown(U14_RTP_19_mutated_reports_of_the_publisher, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
