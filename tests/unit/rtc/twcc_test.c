/* Transport-wide feedback: protocols.md RTP-14, COD-13. */
#include "gateway/rtc/twcc.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MS 1000u

struct bench {
    struct twcc twcc;
    struct twcc_report report;
    uint8_t bytes[1500];
    size_t len;
};

static int setup(void **state)
{
    *state = calloc(1, sizeof(struct bench));
    return *state ? 0 : -1;
}

static int teardown(void **state)
{
    free(*state);
    return 0;
}

static int parse_bytes(struct bench *b, const uint8_t *bytes, size_t len)
{
    struct rtcp_walk walk;
    struct rtcp_packet packet;
    struct rtcp_feedback feedback;
    rtcp_begin(&walk, bytes, len);
    assert_true(rtcp_next(&walk, &packet));
    assert_false(rtcp_next(&walk, &packet));
    assert_true(rtcp_ok(&walk));
    assert_int_equal(packet.type, RTCP_RTPFB);
    assert_int_equal(packet.count, RTCP_FB_TRANSPORT_CC);
    assert_int_equal(rtcp_parse_feedback(&packet, &feedback), 0);
    assert_int_equal(feedback.sender_ssrc, 0x01020304);
    assert_int_equal(feedback.media_ssrc, 0x05060708);
    return twcc_parse(&feedback, &b->report);
}

/* Writes one report and reads it back. False when there was nothing to report. */
static bool exchange(struct bench *b, uint64_t now_us)
{
    struct writer w;
    writer_init(&w, b->bytes, sizeof(b->bytes));
    if (!twcc_write(&b->twcc, 0x01020304, 0x05060708, now_us, &w))
        return false;
    assert_true(writer_ok(&w));
    assert_true(w.len <= TWCC_REPORT_LEN && w.len % 4 == 0);
    b->len = w.len;
    assert_int_equal(parse_bytes(b, b->bytes, w.len), 0);
    return true;
}

static void expect_arrival(const struct bench *b, size_t index, uint16_t sequence, int64_t time_us)
{
    assert_true(index < b->report.count);
    const struct twcc_arrival *a = &b->report.arrivals[index];
    assert_int_equal(a->sequence, sequence);
    assert_int_equal(a->received, time_us >= 0);
    if (time_us >= 0)
        assert_in_range(a->time_us, time_us - 250, time_us);
}

static void RTP_14_bytes_of_a_small_report(void **state)
{
    /* Packets 5, 6 and 8 at 64, 65 and 97 ms: reference 1, deltas 0, 4 and 128 ticks. */
    static const uint8_t expected[] = {0x8f, 205, 0, 6, 1, 2, 3,    4,    5, 6, 7,   8, 0, 5,
                                       0,    4,   0, 0, 1, 0, 0xb4, 0x00, 0, 4, 128, 0, 0, 0};
    struct bench *b = *state;
    twcc_init(&b->twcc);
    twcc_record(&b->twcc, 5, 64 * MS);
    twcc_record(&b->twcc, 6, 65 * MS);
    twcc_record(&b->twcc, 8, 97 * MS);
    assert_true(exchange(b, 100 * MS));
    assert_int_equal(b->len, sizeof(expected));
    assert_memory_equal(b->bytes, expected, sizeof(expected));
    assert_int_equal(b->report.count, 4);
    expect_arrival(b, 0, 5, 64 * MS);
    expect_arrival(b, 1, 6, 65 * MS);
    expect_arrival(b, 2, 7, -1);
    expect_arrival(b, 3, 8, 97 * MS);
    assert_false(exchange(b, 100 * MS));
}

static void RTP_14_due_every_100_ms_or_200_packets(void **state)
{
    struct bench *b = *state;
    twcc_init(&b->twcc);
    assert_true(twcc_due_us(&b->twcc) == UINT64_MAX);
    assert_false(exchange(b, 1 * MS));
    twcc_record(&b->twcc, 1, 5 * MS);
    assert_int_equal(twcc_due_us(&b->twcc), 5 * MS + TWCC_INTERVAL_US);
    assert_true(exchange(b, 105 * MS));
    assert_true(twcc_due_us(&b->twcc) == UINT64_MAX);
    twcc_record(&b->twcc, 2, 106 * MS);
    assert_int_equal(twcc_due_us(&b->twcc), 105 * MS + TWCC_INTERVAL_US);
    for (uint16_t i = 3; i < 3 + TWCC_PENDING_MAX; i++)
        twcc_record(&b->twcc, i, 107 * MS);
    assert_int_equal(twcc_due_us(&b->twcc), 0);
    assert_int_equal(b->report.feedback_count, 0);
    assert_true(exchange(b, 110 * MS));
    assert_int_equal(b->report.feedback_count, 1);
}

static void RTP_14_long_runs_take_one_chunk(void **state)
{
    struct bench *b = *state;
    twcc_init(&b->twcc);
    for (uint16_t i = 0; i < 300; i++)
        twcc_record(&b->twcc, i, 1000 * MS);
    assert_true(exchange(b, 1000 * MS));
    assert_int_equal(b->report.count, 300);
    assert_int_equal(b->len, 20 + 2 + 300 + 2); /* padded to 4 */
    twcc_record(&b->twcc, 699, 1001 * MS);
    assert_true(exchange(b, 1001 * MS)); /* 399 lost and one received */
    assert_int_equal(b->report.count, 400);
    expect_arrival(b, 398, 698, -1);
    expect_arrival(b, 399, 699, 1001 * MS);
}

static void RTP_06_numbers_wrap(void **state)
{
    struct bench *b = *state;
    for (unsigned start = 0; start <= UINT16_MAX; start += 7) {
        twcc_init(&b->twcc);
        for (unsigned i = 0; i < 20; i++)
            twcc_record(&b->twcc, (uint16_t)(start + i), (100 + i) * MS);
        assert_true(exchange(b, 200 * MS));
        assert_int_equal(b->report.count, 20);
        for (unsigned i = 0; i < 20; i++)
            expect_arrival(b, i, (uint16_t)(start + i), (100 + i) * MS);
    }
}

static void RTP_14_clock_and_feedback_count_wrap(void **state)
{
    /* The 24-bit reference of 64 ms wraps after 12.4 days. */
    const uint64_t wrap_us = UINT64_C(64000) << 24;
    struct bench *b = *state;
    twcc_init(&b->twcc);
    for (uint16_t i = 0; i < 600; i++) {
        uint64_t now_us = wrap_us - 300 * 64 * MS + i * 64 * MS;
        twcc_record(&b->twcc, i, now_us);
        assert_true(exchange(b, now_us));
        assert_int_equal(b->report.count, 1);
        assert_int_equal(b->report.feedback_count, i & 0xff);
        int64_t ahead = (b->report.arrivals[0].time_us - (int64_t)now_us) % (int64_t)wrap_us;
        assert_int_equal(ahead, 0);
    }
}

static void RTP_06_late_packets_are_reported_again(void **state)
{
    struct bench *b = *state;
    twcc_init(&b->twcc);
    twcc_record(&b->twcc, 10, 10 * MS);
    twcc_record(&b->twcc, 12, 12 * MS);
    assert_true(exchange(b, 20 * MS));
    expect_arrival(b, 1, 11, -1);
    twcc_record(&b->twcc, 11, 30 * MS);
    twcc_record(&b->twcc, 13, 31 * MS);
    twcc_record(&b->twcc, 12, 32 * MS); /* a duplicate changes nothing */
    assert_true(exchange(b, 40 * MS));
    assert_int_equal(b->report.count, 3);
    expect_arrival(b, 0, 11, 30 * MS);
    expect_arrival(b, 1, 12, 12 * MS); /* negative delta */
    expect_arrival(b, 2, 13, 31 * MS);
}

static void RTP_06_a_packet_before_the_first_counts(void **state)
{
    struct bench *b = *state;
    twcc_init(&b->twcc);
    twcc_record(&b->twcc, 1, 10 * MS);
    twcc_record(&b->twcc, UINT16_MAX, 11 * MS);
    assert_true(exchange(b, 20 * MS));
    assert_int_equal(b->report.count, 3);
    expect_arrival(b, 0, UINT16_MAX, 11 * MS);
    expect_arrival(b, 1, 0, -1);
    expect_arrival(b, 2, 1, 10 * MS);
}

static void RTP_14_pauses_above_8_s_split_reports(void **state)
{
    struct bench *b = *state;
    twcc_init(&b->twcc);
    twcc_record(&b->twcc, 1, 10 * MS);
    twcc_record(&b->twcc, 2, 10 * MS + 32767 * 250); /* the largest delta */
    twcc_record(&b->twcc, 3, 10 * MS + 32767 * 250 + 32768 * 250);
    assert_true(exchange(b, 20000 * MS));
    assert_int_equal(b->report.count, 2);
    expect_arrival(b, 1, 2, 10 * MS + 32767 * 250);
    assert_true(exchange(b, 20000 * MS));
    assert_int_equal(b->report.count, 1);
    expect_arrival(b, 0, 3, 10 * MS + 65535 * 250);
    assert_false(exchange(b, 20000 * MS));
}

static void U12_jumps_cost_no_more_than_the_window(void **state)
{
    struct bench *b = *state;
    size_t reported = 0;
    twcc_init(&b->twcc);
    twcc_record(&b->twcc, 0, 10 * MS);
    twcc_record(&b->twcc, 30000, 11 * MS);
    twcc_record(&b->twcc, 60000, 12 * MS);
    assert_int_equal(b->twcc.newest - b->twcc.first, TWCC_WINDOW - 1);
    while (exchange(b, 20 * MS))
        reported += b->report.count;
    assert_in_range(reported, 1, TWCC_WINDOW);
    expect_arrival(b, b->report.count - 1, 60000, 12 * MS);
    twcc_record(&b->twcc, 57000, 13 * MS); /* older than the window */
    assert_false(exchange(b, 20 * MS));
}

static void RTP_14_full_room_is_needed(void **state)
{
    struct bench *b = *state;
    struct writer w;
    twcc_init(&b->twcc);
    twcc_record(&b->twcc, 1, 10 * MS);
    writer_init(&w, b->bytes, TWCC_REPORT_LEN - 1);
    assert_false(twcc_write(&b->twcc, 1, 2, 10 * MS, &w));
    assert_true(w.len == 0 && writer_ok(&w));
    writer_init(&w, b->bytes, TWCC_REPORT_LEN);
    assert_true(twcc_write(&b->twcc, 1, 2, 10 * MS, &w));
}

static void RTP_14_extension_of_2_bytes(void **state)
{
    struct bench *b = *state;
    twcc_init(&b->twcc);
    twcc_record_extension(&b->twcc, slice_make("\x01", 1), 10 * MS);
    twcc_record_extension(&b->twcc, slice_make("\x01\x02\x03", 3), 10 * MS);
    twcc_record_extension(&b->twcc, slice_of(NULL), 10 * MS);
    assert_false(exchange(b, 10 * MS));
    twcc_record_extension(&b->twcc, slice_make("\x01\x02", 2), 10 * MS);
    assert_true(exchange(b, 10 * MS));
    expect_arrival(b, 0, 0x0102, 10 * MS);
}

/* Random loss, reorder and pauses: whatever was received is reported with its time. */
static void RTP_14_random_traffic_survives_the_round_trip(void **state)
{
    struct bench *b = *state;
    uint64_t times[4096];
    unsigned seed = 1;
    for (unsigned round = 0; round < 200; round++) {
        uint64_t now_us = 1000 * MS;
        uint16_t start = (uint16_t)(round * 331);
        twcc_init(&b->twcc);
        memset(times, 0, sizeof(times));
        for (unsigned i = 0; i < 1500; i++) {
            seed = seed * 1103515245u + 12345u;
            unsigned chance = seed >> 16 & 0xff;
            unsigned at = i > 20 && chance > 230 ? i - chance % 20 : i;
            now_us += chance > 250 ? 700 * MS : (chance & 7) * 300;
            if (chance < round || times[at] != 0)
                continue;
            twcc_record(&b->twcc, (uint16_t)(start + at), now_us);
            times[at] = now_us;
        }
        while (exchange(b, now_us)) {
            for (size_t i = 0; i < b->report.count; i++) {
                uint16_t at = (uint16_t)(b->report.arrivals[i].sequence - start);
                expect_arrival(b, i, b->report.arrivals[i].sequence,
                               times[at] ? (int64_t)times[at] : -1);
                times[at] = 0;
            }
        }
        for (unsigned i = 0; i < 1500; i++)
            assert_true(times[i] == 0);
    }
}

static void U14_malformed_reports(void **state)
{
    struct bench *b = *state;
    uint8_t copy[1500];
    twcc_init(&b->twcc);
    twcc_record(&b->twcc, 1, 10 * MS);
    twcc_record(&b->twcc, 2, 10 * MS + 3000 * MS);
    twcc_record(&b->twcc, 40, 10 * MS + 3001 * MS);
    assert_true(exchange(b, 20 * MS));
    memcpy(copy, b->bytes, b->len);
    for (size_t len = 12; len < b->len; len++) { /* truncation at every length */
        struct rtcp_feedback feedback = {.fci = copy + 12, .fci_len = len - 12};
        int err = twcc_parse(&feedback, &b->report);
        assert_true(err == -EBADMSG || len + 4 > b->len); /* the rest is padding */
    }
    struct rtcp_feedback feedback = {.fci = copy + 12, .fci_len = b->len - 12};
    copy[14] = copy[15] = 0; /* no packet */
    assert_int_equal(twcc_parse(&feedback, &b->report), -EBADMSG);
    copy[14] = 0xff;
    assert_int_equal(twcc_parse(&feedback, &b->report), -EMSGSIZE);
    copy[14] = 0;
    copy[15] = 1;
    copy[20] = 0x60; /* a run of the reserved symbol; a delta would be there */
    copy[21] = 1;
    assert_int_equal(twcc_parse(&feedback, &b->report), -EBADMSG);
    copy[20] = 0x40; /* of the large one */
    assert_int_equal(twcc_parse(&feedback, &b->report), 0);
    copy[15] = 40;
    copy[20] = 0x20; /* an empty run */
    copy[21] = 0;
    assert_int_equal(twcc_parse(&feedback, &b->report), -EBADMSG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(RTP_14_bytes_of_a_small_report),
        cmocka_unit_test(RTP_14_due_every_100_ms_or_200_packets),
        cmocka_unit_test(RTP_14_long_runs_take_one_chunk),
        cmocka_unit_test(RTP_06_numbers_wrap),
        cmocka_unit_test(RTP_14_clock_and_feedback_count_wrap),
        cmocka_unit_test(RTP_06_late_packets_are_reported_again),
        cmocka_unit_test(RTP_06_a_packet_before_the_first_counts),
        cmocka_unit_test(RTP_14_pauses_above_8_s_split_reports),
        cmocka_unit_test(U12_jumps_cost_no_more_than_the_window),
        cmocka_unit_test(RTP_14_full_room_is_needed),
        cmocka_unit_test(RTP_14_extension_of_2_bytes),
        cmocka_unit_test(RTP_14_random_traffic_survives_the_round_trip),
        cmocka_unit_test(U14_malformed_reports),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
