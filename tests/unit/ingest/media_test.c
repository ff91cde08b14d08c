#include "gateway/ingest/media.h"
#include "gateway/rtc/rtcp.h"
#include "tests/unit/ingest/ingest_rtp.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct fixture {
    struct test_ring ring;
    struct answer answer;
    struct media *media;
    uint64_t now_us;
    uint16_t sequence;
    uint8_t sps[64];
    size_t sps_len;
    uint8_t pps[16];
    size_t pps_len;
};

static void open_media(struct fixture *f)
{
    const struct media_limits limits = {.jitter_deadline_us = 300000};
    media_free(f->media);
    f->media = NULL;
    assert_int_equal(media_new(&f->answer, &limits, f->ring.writer, 0, &f->media), 0);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    assert_int_equal(test_ring_open(&f->ring), 0);
    make_test_answer(&f->answer);
    open_media(f);
    f->now_us = 5000000;
    f->sequence = 65534;
    f->sps_len = vector_bytes(SPS_1280X720, f->sps);
    f->pps_len = vector_bytes(PPS_BASELINE, f->pps);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    media_free(f->media);
    test_ring_close(&f->ring);
    free(f);
    return 0;
}

static int push(struct fixture *f, const struct test_packet *packet)
{
    uint8_t bytes[1500];
    size_t len = build_test_packet(packet, bytes, sizeof(bytes));
    return media_rtp(f->media, bytes, len, ++f->now_us);
}

static struct test_packet video(struct fixture *f, const void *payload, size_t len, uint32_t time,
                                bool marker)
{
    return (struct test_packet){.ssrc = VIDEO_SSRC,
                                .pt = VIDEO_PT,
                                .marker = marker,
                                .sequence = f->sequence++,
                                .time = time,
                                .payload = payload,
                                .len = len};
}

static int push_video(struct fixture *f, const void *payload, size_t len, uint32_t time,
                      bool marker)
{
    struct test_packet packet = video(f, payload, len, time, marker);
    return push(f, &packet);
}

static void push_key(struct fixture *f, uint32_t time)
{
    assert_int_equal(push_video(f, f->sps, f->sps_len, time, false), 0);
    assert_int_equal(push_video(f, f->pps, f->pps_len, time, false), 0);
    assert_int_equal(push_video(f, test_idr, sizeof(test_idr), time, true), 0);
}

static struct test_packet audio(uint16_t sequence, uint32_t time)
{
    return (struct test_packet){.ssrc = AUDIO_SSRC,
                                .pt = AUDIO_PT,
                                .sequence = sequence,
                                .time = time,
                                .payload = test_opus,
                                .len = sizeof(test_opus)};
}

/* Statistics are summed once a second. */
static const struct stats *count(struct fixture *f)
{
    media_tick(f->media, f->now_us);
    return &f->media->stats;
}

static void packets_become_frames(void **state)
{
    struct fixture *f = *state;
    struct frame frame;
    push_key(f, 1000);
    struct test_packet sound = audio(7, 960);
    assert_int_equal(push(f, &sound), 0);
    assert_true(test_ring_next(&f->ring, &frame));
    assert_int_equal(frame.flags, FRAME_KEY);
    assert_int_equal(frame.width, 1280);
    assert_true(test_ring_next(&f->ring, &frame));
    assert_int_equal(frame.codec, CODEC_OPUS);
    assert_int_equal(f->media->stats.packets, 4);
    assert_int_equal(count(f)->frames, 2);
    assert_int_equal(count(f)->key_frames, 1);
    assert_int_equal(f->media->stats.last_packet_us, f->now_us);
}

static void RTP_01_the_mid_extension_decides_first(void **state)
{
    struct fixture *f = *state;
    struct test_packet packet = audio(1, 0);
    packet.mid = "v"; /* but the payload type is that of audio */
    assert_int_equal(push(f, &packet), -EPROTO);
    assert_int_equal(f->media->sources.count, 0);
    packet.mid = "a";
    assert_int_equal(push(f, &packet), 0);
    packet.mid = NULL; /* latched */
    packet.sequence++;
    assert_int_equal(push(f, &packet), 0);
    assert_int_equal(count(f)->frames, 2);
}

static void RTP_01_announced_ssrcs_decide_next(void **state)
{
    struct fixture *f = *state;
    f->answer.tracks[TRACK_AUDIO].pt = VIDEO_PT; /* ambiguous payload types */
    f->answer.tracks[TRACK_AUDIO].ssrc_count = 1;
    f->answer.tracks[TRACK_AUDIO].ssrcs[0] = AUDIO_SSRC;
    open_media(f);
    struct test_packet packet = audio(1, 0);
    packet.pt = VIDEO_PT;
    assert_int_equal(push(f, &packet), 0);
    assert_int_equal(count(f)->frames, 1);
    packet.ssrc = 99; /* nothing tells */
    assert_int_equal(push(f, &packet), -EPROTO);
}

static void RTP_03_bad_extensions_drop_the_packet(void **state)
{
    struct fixture *f = *state;
    const uint8_t bytes[] = {
        0x90, VIDEO_PT, 0,    1, 0, 0,    0, 1, 0, 0,   0,
        9,    0xbe,     0xde, 0, 1, 0x4f, 1, 1, 1, 0x65}; /* element longer than block */
    assert_int_equal(media_rtp(f->media, bytes, sizeof(bytes), 1), -EBADMSG);
}

static void U12_sources_are_limited(void **state)
{
    struct fixture *f = *state;
    struct test_packet packet = audio(1, 0);
    for (uint32_t i = 0; i < RTPSOURCE_MAX; i++) {
        packet.ssrc = 100 + i;
        assert_int_equal(push(f, &packet), 0);
    }
    packet.ssrc = 999;
    assert_int_equal(push(f, &packet), -EDQUOT);
    assert_int_equal(f->media->sources.count, RTPSOURCE_MAX);
}

static void unknown_payload_types_are_refused(void **state)
{
    struct fixture *f = *state;
    assert_true(rtpsource_expects(&f->answer, VIDEO_PT));
    assert_true(rtpsource_expects(&f->answer, VIDEO_RTX_PT));
    assert_true(rtpsource_expects(&f->answer, AUDIO_PT));
    assert_false(rtpsource_expects(&f->answer, 0));
    struct test_packet packet = audio(1, 0);
    assert_int_equal(push(f, &packet), 0);
    packet.pt = 13; /* comfort noise on a known source */
    packet.sequence++;
    assert_int_equal(push(f, &packet), -EPROTO);
}

static void RTP_06_a_new_ssrc_replaces_the_source(void **state)
{
    struct fixture *f = *state;
    struct frame frame;
    push_key(f, 1000);
    assert_true(test_ring_next(&f->ring, &frame));
    struct test_packet packet = video(f, f->sps, f->sps_len, 777, false);
    packet.ssrc = 0x3000;
    packet.sequence = 5;
    assert_int_equal(push(f, &packet), 0);
    packet.payload = test_idr;
    packet.len = sizeof(test_idr);
    packet.sequence++;
    packet.marker = true;
    assert_int_equal(push(f, &packet), 0);
    assert_true(test_ring_next(&f->ring, &frame));
    assert_int_equal(frame.flags, FRAME_KEY | FRAME_GAP | FRAME_JUMP);
    assert_int_equal(push_video(f, test_slice, sizeof(test_slice), 4000, true), 0);
    assert_false(test_ring_next(&f->ring, &frame)); /* the old one stays out */
}

/* A packet of another source than the publisher's own, which names its track. */
static void push_stranger(struct fixture *f, uint32_t ssrc, uint16_t sequence)
{
    const struct test_packet packet = {.ssrc = ssrc,
                                       .pt = VIDEO_PT,
                                       .marker = true,
                                       .sequence = sequence,
                                       .time = 777,
                                       .mid = "v",
                                       .payload = test_slice,
                                       .len = sizeof(test_slice)};
    int rc = push(f, &packet);
    assert_true(rc == 0 || rc == -EDQUOT);
}

static void RTP_06_U12_single_packets_of_strangers_take_nothing_over(void **state)
{
    struct fixture *f = *state;
    struct frame frame;
    push_key(f, 1000);
    assert_true(test_ring_next(&f->ring, &frame));
    for (uint32_t i = 0; i < 2 * RTPSOURCE_MAX; i++) {
        push_stranger(f, 0x4000 + i, 5);
        assert_int_equal(push_video(f, test_slice, sizeof(test_slice), 4000 + 3000 * i, true), 0);
        assert_true(test_ring_next(&f->ring, &frame));
        assert_int_equal(frame.flags, 0);
    }
    assert_int_equal(f->media->receivers[TRACK_VIDEO].ssrc, VIDEO_SSRC);
}

static void RTP_06_a_source_that_was_replaced_may_come_back(void **state)
{
    struct fixture *f = *state;
    struct frame frame;
    push_key(f, 1000);
    assert_true(test_ring_next(&f->ring, &frame));
    f->now_us += NEWCOMER_PAUSE_US;
    push_stranger(f, 0x4000, 5); /* the only one, but it came into a pause */
    assert_int_equal(f->media->receivers[TRACK_VIDEO].ssrc, 0x4000);
    f->now_us += NEWCOMER_RETURN_US / 2;
    push_key(f, 40000);
    assert_false(test_ring_next(&f->ring, &frame));
    f->now_us += NEWCOMER_RETURN_US / 2;
    push_key(f, 80000);
    assert_int_equal(f->media->receivers[TRACK_VIDEO].ssrc, VIDEO_SSRC);
    assert_true(test_ring_next(&f->ring, &frame));
    assert_int_equal(frame.flags, FRAME_KEY | FRAME_GAP | FRAME_JUMP);
    assert_int_equal(push_video(f, test_slice, sizeof(test_slice), 83000, true), 0);
    assert_true(test_ring_next(&f->ring, &frame));
    assert_int_equal(frame.flags, 0);
}

static void RTP_10_a_loss_holds_video_and_asks(void **state)
{
    struct fixture *f = *state;
    struct frame frame;
    push_key(f, 1000);
    assert_true(test_ring_next(&f->ring, &frame));
    f->sequence++;
    push_video(f, test_slice, sizeof(test_slice), 4000, true);
    assert_false(test_ring_next(&f->ring, &frame));
    uint64_t due_us = media_due_us(f->media); /* up to twice the deadline at the start */
    assert_in_range(due_us, f->now_us + 300000, f->now_us + 600000);
    f->now_us = due_us;
    media_on_timer(f->media, f->now_us);
    assert_false(test_ring_next(&f->ring, &frame));
    assert_true(f->media->receivers[TRACK_VIDEO].keyframe.wanted);
    push_key(f, 7000);
    assert_true(test_ring_next(&f->ring, &frame));
    assert_int_equal(frame.flags, FRAME_KEY | FRAME_GAP);
    assert_false(f->media->receivers[TRACK_VIDEO].keyframe.wanted);
    assert_int_equal(count(f)->lost, 1);
}

static void repairs_fill_holes(void **state)
{
    struct fixture *f = *state;
    struct frame frame;
    push_key(f, 1000);
    assert_true(test_ring_next(&f->ring, &frame));
    uint16_t missing = f->sequence++;
    push_video(f, test_slice, sizeof(test_slice), 7000, true);
    uint16_t asked[4];
    assert_int_equal(
        nack_take(&f->media->receivers[TRACK_VIDEO].nack, f->now_us + NACK_WAIT_US, asked, 4), 1);
    assert_int_equal(asked[0], missing);
    uint8_t payload[2 + sizeof(test_slice)] = {(uint8_t)(missing >> 8), (uint8_t)missing};
    memcpy(payload + 2, test_slice, sizeof(test_slice));
    struct test_packet repair = {.ssrc = VIDEO_RTX_SSRC,
                                 .pt = VIDEO_RTX_PT,
                                 .marker = true,
                                 .sequence = 1,
                                 .time = 4000,
                                 .payload = payload,
                                 .len = sizeof(payload)};
    assert_int_equal(push(f, &repair), 0);
    assert_true(test_ring_next(&f->ring, &frame));
    assert_int_equal(frame.rtp_time, 4000);
    assert_true(test_ring_next(&f->ring, &frame));
    assert_int_equal(frame.rtp_time, 7000);
    assert_int_equal(count(f)->recovered, 1);
    assert_int_equal(push(f, &repair), 0); /* RTP-07: probes with old packets */
    repair.len = 0;
    assert_int_equal(push(f, &repair), 0); /* and with padding alone */
    assert_false(test_ring_next(&f->ring, &frame));
}

static void RTP_09_a_repair_before_any_media_is_unexpected(void **state)
{
    struct fixture *f = *state;
    uint8_t payload[2 + sizeof(test_slice)] = {0};
    struct test_packet repair = {.ssrc = VIDEO_RTX_SSRC,
                                 .pt = VIDEO_RTX_PT,
                                 .sequence = 1,
                                 .payload = payload,
                                 .len = sizeof(payload)};
    assert_int_equal(push(f, &repair), -EPROTO);
}

static void RTP_09_same_ssrc_repairs_fill_holes(void **state)
{
    struct fixture *f = *state;
    struct frame frame;
    push_key(f, 1000);
    assert_true(test_ring_next(&f->ring, &frame));
    uint16_t missing = f->sequence++;
    push_video(f, test_slice, sizeof(test_slice), 7000, true);
    struct test_packet repair = video(f, test_slice, sizeof(test_slice), 4000, true);
    repair.sequence = missing;
    assert_int_equal(push(f, &repair), 0);
    assert_true(test_ring_next(&f->ring, &frame));
    assert_int_equal(frame.rtp_time, 4000);
    assert_int_equal(frame.flags, 0);
}

static void RTP_08_too_many_missing_ask_for_a_key_frame(void **state)
{
    struct fixture *f = *state;
    push_key(f, 1000);
    f->media->receivers[TRACK_VIDEO].keyframe.wanted = false;
    f->sequence = (uint16_t)(f->sequence + NACK_LIST_MAX + 1);
    push_video(f, test_slice, sizeof(test_slice), 7000, true);
    assert_true(f->media->receivers[TRACK_VIDEO].keyframe.wanted);
    assert_int_equal(f->media->receivers[TRACK_VIDEO].nack.count, 0);
    assert_true(media_due_us(f->media) == UINT64_MAX); /* nothing is waited for */
}

static void RTP_05_padding_is_neither_frame_nor_loss(void **state)
{
    struct fixture *f = *state;
    struct frame frame;
    push_key(f, 1000);
    assert_true(test_ring_next(&f->ring, &frame));
    struct test_packet padding = video(f, NULL, 0, 1000, false);
    uint8_t bytes[64];
    size_t len = build_test_packet(&padding, bytes, sizeof(bytes));
    bytes[0] |= 0x20;
    memset(bytes + len, 0, 8);
    bytes[len + 7] = 8;
    assert_int_equal(media_rtp(f->media, bytes, len + 8, ++f->now_us), 0);
    push_video(f, test_slice, sizeof(test_slice), 4000, true);
    assert_true(test_ring_next(&f->ring, &frame));
    assert_int_equal(frame.flags, 0);
}

static void RTP_16_sender_reports_reach_the_timeline(void **state)
{
    struct fixture *f = *state;
    uint8_t bytes[64];
    struct writer w;
    push_key(f, 90000);
    const struct rtcp_sender_info info = {
        .ssrc = VIDEO_SSRC, .ntp = UINT64_C(3900000000) << 32, .rtp_timestamp = 90000};
    writer_init(&w, bytes, sizeof(bytes));
    rtcp_write_sr(&w, &info);
    assert_int_equal(media_rtcp(f->media, bytes, w.len, f->now_us), 0);
    assert_int_equal(f->media->framer.sync.tracks[TRACK_VIDEO].reports, 1);
    assert_int_equal(f->media->framer.sync.tracks[TRACK_AUDIO].reports, 0);
    assert_true(f->media->receivers[TRACK_VIDEO].reception.has_sr);
    assert_int_equal(media_rtcp(f->media, bytes, w.len - 1, f->now_us), -EBADMSG);
}

static void M3_unsupported_video_is_told(void **state)
{
    struct fixture *f = *state;
    uint8_t sps[64];
    size_t len = vector_bytes(SPS_444, sps);
    assert_int_equal(push_video(f, sps, len, 1, false), 0);
    assert_true(f->media->unsupported);
}

static void tracks_that_were_not_agreed_take_nothing(void **state)
{
    struct fixture *f = *state;
    f->answer.tracks[TRACK_VIDEO] = (struct answer_track){.codec = CODEC_NONE};
    open_media(f);
    assert_int_equal(push_video(f, test_slice, sizeof(test_slice), 1, true), -EPROTO);
    assert_false(rtpsource_expects(&f->answer, 0)); /* pt 0 of the empty track */
    struct test_packet packet = audio(1, 0);
    packet.mid = "v";
    assert_int_equal(push(f, &packet), 0); /* a mid that was not agreed says nothing */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(packets_become_frames),
        TEST(RTP_01_the_mid_extension_decides_first),
        TEST(RTP_01_announced_ssrcs_decide_next),
        TEST(RTP_03_bad_extensions_drop_the_packet),
        TEST(U12_sources_are_limited),
        TEST(unknown_payload_types_are_refused),
        TEST(RTP_06_a_new_ssrc_replaces_the_source),
        TEST(RTP_06_U12_single_packets_of_strangers_take_nothing_over),
        TEST(RTP_06_a_source_that_was_replaced_may_come_back),
        TEST(RTP_10_a_loss_holds_video_and_asks),
        TEST(repairs_fill_holes),
        TEST(RTP_09_a_repair_before_any_media_is_unexpected),
        TEST(RTP_09_same_ssrc_repairs_fill_holes),
        TEST(RTP_08_too_many_missing_ask_for_a_key_frame),
        TEST(RTP_05_padding_is_neither_frame_nor_loss),
        TEST(RTP_16_sender_reports_reach_the_timeline),
        TEST(M3_unsupported_video_is_told),
        TEST(tracks_that_were_not_agreed_take_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
