#include "gateway/ingest/feedback.h"
#include "gateway/rtc/rtcp.h"
#include "gateway/rtc/twcc.h"
#include "tests/unit/ingest/ingest_rtp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define OUR_SSRC 0xabcdu

struct fixture {
    struct test_ring ring;
    struct answer answer;
    struct media *media;
    struct feedback feedback;
    uint8_t bytes[FEEDBACK_PACKET_MAX];
    size_t len;
};

static void open_all(struct fixture *f)
{
    const struct media_limits limits = {.jitter_deadline_us = 300000};
    media_free(f->media);
    f->media = NULL;
    assert_int_equal(media_new(&f->answer, &limits, f->ring.writer, 0, &f->media), 0);
    feedback_init(&f->feedback, &f->answer, 5000000, OUR_SSRC, "0123456789abcdef");
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    assert_int_equal(test_ring_open(&f->ring), 0);
    make_test_answer(&f->answer);
    open_all(f);
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

static bool write_at(struct fixture *f, uint64_t now_us)
{
    struct writer w;
    writer_init(&w, f->bytes, sizeof(f->bytes));
    bool any = feedback_write(&f->feedback, f->media, now_us, &w);
    f->len = any ? w.len : 0;
    return any;
}

/* The packet of that kind in what was written last. */
static bool find(struct fixture *f, unsigned type, unsigned count, struct rtcp_packet *out)
{
    struct rtcp_walk walk;
    rtcp_begin(&walk, f->bytes, f->len);
    while (rtcp_next(&walk, out))
        if (out->type == type && (type < RTCP_RTPFB || out->count == count))
            return true;
    return false;
}

/* One packet; numbered: with a transport-wide number, the same. */
static void hear(struct fixture *f, uint16_t sequence, bool numbered, uint64_t now_us)
{
    uint8_t bytes[100];
    const struct test_packet packet = {.ssrc = VIDEO_SSRC,
                                       .pt = VIDEO_PT,
                                       .marker = true,
                                       .sequence = sequence,
                                       .time = sequence * 3000u,
                                       .numbered = numbered,
                                       .transport = sequence,
                                       .payload = test_slice,
                                       .len = sizeof(test_slice)};
    size_t len = build_test_packet(&packet, bytes, sizeof(bytes));
    assert_int_equal(media_rtp(f->media, bytes, len, now_us), 0);
}

static void hear_video(struct fixture *f, uint16_t sequence, uint64_t now_us)
{
    hear(f, sequence, false, now_us);
}

static void nothing_is_said_before_keys(void **state)
{
    struct fixture *f = *state;
    assert_true(feedback_due_us(&f->feedback, f->media) == UINT64_MAX);
    assert_false(write_at(f, 1000000));
}

static void RTP_14_remb_at_once_and_each_second(void **state)
{
    struct fixture *f = *state;
    struct rtcp_packet packet;
    struct rtcp_feedback remb;
    uint64_t bps = 0;
    feedback_start(&f->feedback, 1000000);
    assert_true(write_at(f, 1000000));
    assert_true(find(f, RTCP_PSFB, RTCP_FB_AFB, &packet));
    assert_int_equal(rtcp_parse_feedback(&packet, &remb), 0);
    assert_int_equal(rtcp_parse_remb(&remb, &bps), 0);
    assert_in_range(bps, 4990000, 5000000);
    assert_int_equal(remb.sender_ssrc, OUR_SSRC);
    assert_int_equal(feedback_due_us(&f->feedback, f->media), 2000000);
    assert_false(write_at(f, 1999999));
    assert_true(write_at(f, 2000000));
}

static void RTP_13_reports_and_cname_begin_the_compound(void **state)
{
    struct fixture *f = *state;
    struct rtcp_walk walk;
    struct rtcp_packet packet;
    struct rtcp_report report;
    struct slice cname;
    uint32_t ssrc;
    hear_video(f, 5, 900000);
    feedback_start(&f->feedback, 1000000);
    assert_true(write_at(f, 1000000));
    rtcp_begin(&walk, f->bytes, f->len);
    assert_true(rtcp_next(&walk, &packet));
    assert_int_equal(packet.type, RTCP_RR);
    assert_int_equal(packet.count, 1); /* RTP-21: only sources seen */
    assert_int_equal(rtcp_parse_report(&packet, 0, &report), 0);
    assert_int_equal(report.ssrc, VIDEO_SSRC);
    assert_true(rtcp_next(&walk, &packet));
    assert_int_equal(rtcp_parse_cname(&packet, 0, &ssrc, &cname), 0);
    assert_true(slice_is(cname, "0123456789abcdef"));
}

static void RTP_11_pli_at_the_start_then_twice_a_second(void **state)
{
    struct fixture *f = *state;
    struct rtcp_packet packet;
    unsigned requests = 0;
    feedback_start(&f->feedback, 1000000);
    write_at(f, 1000000);
    assert_false(find(f, RTCP_PSFB, RTCP_FB_PLI, &packet)); /* whom to ask? */
    hear_video(f, 5, 1000000);                              /* no key frame */
    for (uint64_t now_us = 1000000; now_us < 3000000; now_us += 5000)
        if (write_at(f, now_us) && find(f, RTCP_PSFB, RTCP_FB_PLI, &packet))
            requests++;
    assert_int_equal(requests, 4);
    assert_int_equal(f->media->receivers[TRACK_VIDEO].stats.plis, 4);
}

static void say_bye(struct fixture *f, uint32_t ssrc, uint64_t now_us)
{
    uint8_t bytes[16];
    struct writer w;
    writer_init(&w, bytes, sizeof(bytes));
    rtcp_write_bye(&w, ssrc);
    assert_int_equal(media_rtcp(f->media, bytes, w.len, now_us), 0);
}

/* RR and SDES once a second, other things between; never BYE. */
static void RTP_13_reports_come_each_second_whatever_else_is_sent(void **state)
{
    struct fixture *f = *state;
    struct rtcp_packet packet;
    unsigned reports = 0, names = 0;
    feedback_start(&f->feedback, 1000000);
    for (uint16_t i = 0; i < 2000; i++) { /* 10 s, losses, no key frame */
        uint64_t now_us = 1000000 + i * 5000u;
        if (i % 10 != 7)
            hear_video(f, i, now_us);
        while (write_at(f, now_us)) {
            reports += find(f, RTCP_RR, 0, &packet);
            names += find(f, RTCP_SDES, 0, &packet);
            assert_false(find(f, RTCP_BYE, 0, &packet));
            assert_false(find(f, RTCP_XR, 0, &packet)); /* was not agreed */
        }
    }
    assert_in_range(reports, 10, 11); /* one more for the new source */
    assert_int_equal(names, reports);
    assert_true(f->media->receivers[TRACK_VIDEO].stats.nacked > 100);
}

/* RTP-21, RTP-19: nothing about sources that were not heard yet, or are gone. */
static void RTP_21_only_sources_that_are_heard_are_named(void **state)
{
    struct fixture *f = *state;
    struct rtcp_packet packet;
    struct answer_track *video = &f->answer.tracks[TRACK_VIDEO];
    video->ssrc_count = 1;
    video->ssrcs[0] = VIDEO_SSRC; /* announced in the offer */
    open_all(f);
    feedback_start(&f->feedback, 1000000);
    assert_true(write_at(f, 1000000));
    assert_null(memmem(f->bytes, f->len, "\x00\x00\x10\x00", 4));
    assert_true(find(f, RTCP_PSFB, RTCP_FB_AFB, &packet)); /* REMB for the whole session */
    hear_video(f, 5, 1100000);
    assert_true(write_at(f, 1100000));
    assert_non_null(memmem(f->bytes, f->len, "\x00\x00\x10\x00", 4));
    say_bye(f, VIDEO_SSRC, 1200000);
    for (uint64_t now_us = 1200000; now_us < 5000000; now_us += 5000)
        while (write_at(f, now_us))
            assert_null(memmem(f->bytes, f->len, "\x00\x00\x10\x00", 4));
}

static void RTP_11_fir_after_2_s_of_pli_without_effect(void **state)
{
    struct fixture *f = *state;
    struct rtcp_packet packet;
    struct rtcp_feedback feedback;
    uint64_t first_us = 0;
    unsigned firs = 0, plis = 0;
    f->answer.tracks[TRACK_VIDEO].feedback |= SDP_FB_FIR;
    open_all(f);
    feedback_start(&f->feedback, 1000000);
    hear_video(f, 5, 1000000);
    for (uint64_t now_us = 1000000; now_us < 7000000; now_us += 5000) {
        if (!write_at(f, now_us))
            continue;
        plis += find(f, RTCP_PSFB, RTCP_FB_PLI, &packet);
        if (!find(f, RTCP_PSFB, RTCP_FB_FIR, &packet))
            continue;
        uint32_t ssrc = 0;
        uint8_t number = 99;
        assert_int_equal(rtcp_parse_feedback(&packet, &feedback), 0);
        assert_int_equal(feedback.media_ssrc, 0);
        assert_int_equal(rtcp_parse_fir(&feedback, 0, &ssrc, &number), 0);
        assert_int_equal(ssrc, VIDEO_SSRC);
        assert_int_equal(number, firs); /* one more for each */
        first_us = firs++ == 0 ? now_us : first_us;
    }
    assert_int_equal(first_us, 3000000);
    assert_int_equal(firs, 2);
    assert_int_equal(plis + firs, 12);
    assert_int_equal(f->media->receivers[TRACK_VIDEO].stats.firs, 2);
}

static void RTP_11_fir_at_once_where_pli_was_not_agreed(void **state)
{
    struct fixture *f = *state;
    struct rtcp_packet packet;
    f->answer.tracks[TRACK_VIDEO].feedback = SDP_FB_FIR;
    open_all(f);
    feedback_start(&f->feedback, 1000000);
    hear_video(f, 5, 1000000);
    assert_true(write_at(f, 1000000));
    assert_true(find(f, RTCP_PSFB, RTCP_FB_FIR, &packet));
    assert_false(find(f, RTCP_PSFB, RTCP_FB_PLI, &packet));
}

/* U14: whatever the transcoder wishes, and however often. */
static void U14_wishes_for_key_frames_are_bounded(void **state)
{
    struct fixture *f = *state;
    struct rtcp_packet packet;
    unsigned requests = 0;
    feedback_start(&f->feedback, 1000000);
    hear_video(f, 5, 1000000);
    for (uint64_t now_us = 1000000; now_us < 11000000; now_us += 1000) {
        media_want_keyframe(f->media);
        if (write_at(f, now_us) && find(f, RTCP_PSFB, RTCP_FB_PLI, &packet))
            requests++;
    }
    assert_in_range(requests, 19, 20);
}

/* RFC 3611: a reference time with each report; the answer tells the round trip. */
static void RFC3611_the_round_trip_comes_from_answers(void **state)
{
    struct fixture *f = *state;
    struct rtcp_packet packet;
    uint8_t bytes[64];
    uint64_t ntp = 0;
    f->answer.receiver_rtt = true;
    open_all(f);
    feedback_start(&f->feedback, 1000000);
    for (uint64_t now_us = 1000000; now_us < 6000000; now_us += 1000000) {
        struct writer w;
        hear_video(f, (uint16_t)(now_us / 1000000), now_us);
        assert_true(write_at(f, now_us));
        assert_true(find(f, RTCP_XR, 0, &packet));
        assert_int_equal(rtcp_parse_rrtr(&packet, &ntp), 0);
        writer_init(&w, bytes, sizeof(bytes));
        rtcp_write_dlrr(&w, VIDEO_SSRC, &(struct rtcp_dlrr){OUR_SSRC, (uint32_t)(ntp >> 16), 6554});
        assert_int_equal(media_rtcp(f->media, bytes, w.len, now_us + 150000), 0);
        media_tick(f->media, now_us + 200000);
    }
    assert_in_range(f->media->stats.round_trip_us, 49000, 51000);
    assert_int_equal(f->media->stats.round_trip, ROUND_TRIP_RTCP);
}

static void agree_transport_cc(struct fixture *f)
{
    for (unsigned track = 0; track < TRACK_COUNT; track++) {
        f->answer.tracks[track].transport_cc_ext_id = TRANSPORT_ID;
        f->answer.tracks[track].feedback |= SDP_FB_TRANSPORT_CC;
    }
    open_all(f);
}

static void RTP_14_arrivals_are_told_every_100_ms(void **state)
{
    struct fixture *f = *state;
    struct rtcp_packet packet;
    struct rtcp_feedback feedback;
    struct twcc_report report;
    unsigned messages = 0, told = 0;
    agree_transport_cc(f);
    feedback_start(&f->feedback, 1000000);
    for (uint16_t i = 0; i < 400; i++) { /* 2 s, each 20th lost */
        uint64_t now_us = 1000000 + i * 5000u;
        if (i % 20 != 7)
            hear(f, i, true, now_us);
        while (write_at(f, now_us)) {
            if (!find(f, RTCP_RTPFB, RTCP_FB_TRANSPORT_CC, &packet))
                continue;
            messages++;
            assert_int_equal(rtcp_parse_feedback(&packet, &feedback), 0);
            assert_int_equal(feedback.sender_ssrc, OUR_SSRC);
            assert_int_equal(feedback.media_ssrc, VIDEO_SSRC);
            assert_int_equal(twcc_parse(&feedback, &report), 0);
            for (size_t k = 0; k < report.count; k++)
                told += report.arrivals[k].received;
        }
    }
    assert_in_range(messages, 19, 40);
    assert_in_range(told, 360, 380);
    media_tick(f->media, 3000000);
    assert_int_equal(f->media->stats.feedback, FEEDBACK_TRANSPORT_CC);
}

static void expect_no_arrivals(struct fixture *f, bool numbered)
{
    struct rtcp_packet packet;
    feedback_start(&f->feedback, 1000000);
    for (uint16_t i = 0; i < 400; i++) {
        hear(f, i, numbered, 1000000 + i * 5000u);
        while (write_at(f, 1000000 + i * 5000u))
            assert_false(find(f, RTCP_RTPFB, RTCP_FB_TRANSPORT_CC, &packet));
    }
}

static void RTP_15_BUG_33_nothing_is_told_of_packets_without_numbers(void **state)
{
    agree_transport_cc(*state);
    expect_no_arrivals(*state, false);
}

static void COD_13_arrivals_are_not_told_where_not_agreed(void **state)
{
    expect_no_arrivals(*state, true);
}

/* 6 and 7, noticed at 1,100,000 us. */
static void miss_two_packets(struct fixture *f)
{
    feedback_start(&f->feedback, 1000000);
    hear_video(f, 5, 1000000);
    write_at(f, 1000000);
    hear_video(f, 8, 1100000);
}

static void RTP_08_nack_names_what_is_missing(void **state)
{
    struct fixture *f = *state;
    struct rtcp_packet packet;
    struct rtcp_feedback nack;
    uint16_t numbers[8];
    miss_two_packets(f);
    assert_int_equal(feedback_due_us(&f->feedback, f->media), 1100000 + NACK_WAIT_US);
    assert_true(write_at(f, 1100000 + NACK_WAIT_US));
    assert_true(find(f, RTCP_RTPFB, RTCP_FB_NACK, &packet));
    assert_int_equal(rtcp_parse_feedback(&packet, &nack), 0);
    assert_int_equal(nack.media_ssrc, VIDEO_SSRC);
    assert_int_equal(rtcp_nack_sequences(&nack, numbers, 8), 2);
    assert_int_equal(numbers[0], 6);
    assert_int_equal(numbers[1], 7);
    assert_false(find(f, RTCP_RR, 0, &packet)); /* reduced size was agreed */
}

static void without_reduced_size_a_report_comes_first(void **state)
{
    struct fixture *f = *state;
    struct rtcp_packet packet;
    f->answer.rtcp_rsize = false;
    open_all(f);
    miss_two_packets(f);
    assert_true(write_at(f, 1100000 + NACK_WAIT_US));
    assert_true(find(f, RTCP_RR, 0, &packet));
    assert_true(find(f, RTCP_RTPFB, RTCP_FB_NACK, &packet));
}

static void COD_13_nothing_that_was_not_agreed_is_sent(void **state)
{
    struct fixture *f = *state;
    struct rtcp_packet packet;
    f->answer.tracks[TRACK_VIDEO].feedback = 0;
    open_all(f);
    feedback_start(&f->feedback, 1000000);
    hear_video(f, 5, 1000000);
    hear_video(f, 9, 1000000);
    for (uint64_t now_us = 1000000; now_us < 3000000; now_us += 5000) {
        if (!write_at(f, now_us))
            continue;
        assert_false(find(f, RTCP_RTPFB, RTCP_FB_NACK, &packet));
        assert_false(find(f, RTCP_PSFB, RTCP_FB_PLI, &packet));
        assert_false(find(f, RTCP_PSFB, RTCP_FB_AFB, &packet));
    }
}

static void the_largest_nack_fits(void **state)
{
    struct fixture *f = *state;
    struct rtcp_packet packet;
    feedback_start(&f->feedback, 1000000);
    hear_video(f, 0, 1000000);
    struct nack *list = &f->media->receivers[TRACK_VIDEO].nack;
    for (uint16_t i = 0; i < NACK_LIST_MAX; i++) /* far apart: each takes an entry */
        assert_int_equal(nack_add(list, (uint16_t)(1 + i * 20), 1, 0), 0);
    assert_true(write_at(f, 1000000));
    assert_true(find(f, RTCP_RTPFB, RTCP_FB_NACK, &packet));
    assert_int_equal(packet.len, 8 + NACK_LIST_MAX * 4);
    assert_false(write_at(f, 1000000));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nothing_is_said_before_keys),
        TEST(RTP_14_remb_at_once_and_each_second),
        TEST(RTP_13_reports_and_cname_begin_the_compound),
        TEST(RTP_11_pli_at_the_start_then_twice_a_second),
        TEST(RTP_13_reports_come_each_second_whatever_else_is_sent),
        TEST(RTP_21_only_sources_that_are_heard_are_named),
        TEST(RTP_11_fir_after_2_s_of_pli_without_effect),
        TEST(RTP_11_fir_at_once_where_pli_was_not_agreed),
        TEST(U14_wishes_for_key_frames_are_bounded),
        TEST(RFC3611_the_round_trip_comes_from_answers),
        TEST(RTP_14_arrivals_are_told_every_100_ms),
        TEST(RTP_15_BUG_33_nothing_is_told_of_packets_without_numbers),
        TEST(COD_13_arrivals_are_not_told_where_not_agreed),
        TEST(RTP_08_nack_names_what_is_missing),
        TEST(without_reduced_size_a_report_comes_first),
        TEST(COD_13_nothing_that_was_not_agreed_is_sent),
        TEST(the_largest_nack_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
