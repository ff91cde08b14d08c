/* RTP headers, RTX and wrapping counters: RFC 3550 5.1, RFC 4588 4. */
#include "gateway/rtc/rtp.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* CC 2, extension of one word, marker, PT 96, 4 payload bytes, 3 bytes padding. */
static const uint8_t full[] = {0xb2, 0xe0, 0x12, 0x34, 0x89, 0xab, 0xcd, 0xef, 1,    2,    3, 4,
                               5,    6,    7,    8,    9,    10,   11,   12,   0xbe, 0xde, 0, 1,
                               0x10, 'x',  0,    0,    'a',  'b',  'c',  'd',  0,    0,    3};

static void RTP_06_all_fields_are_read(void **state)
{
    struct rtp_packet p;
    (void)state;
    assert_int_equal(rtp_parse(full, sizeof(full), &p), 0);
    assert_true(p.marker && p.padded && p.has_extension);
    assert_int_equal(p.payload_type, 96);
    assert_int_equal(p.sequence, 0x1234);
    assert_int_equal(p.timestamp, 0x89abcdef);
    assert_int_equal(p.ssrc, 0x01020304);
    assert_int_equal(p.csrc_count, 2);
    assert_int_equal(p.extension_profile, 0xbede);
    assert_ptr_equal(p.extension, full + 24);
    assert_int_equal(p.extension_len, 4);
    assert_int_equal(p.header_len, 28);
    assert_int_equal(p.payload_len, 4);
    assert_memory_equal(p.payload, "abcd", 4);
    assert_int_equal(p.padding_len, 3);
    assert_int_equal(rtp_parse_header(full, sizeof(full), &p), 0);
    assert_int_equal(p.payload_len, 7);
    assert_int_equal(p.padding_len, 0);
}

static void M1_truncation_at_every_length_is_refused(void **state)
{
    (void)state;
    for (size_t len = 0; len < sizeof(full); len++) {
        struct rtp_packet p = {.ssrc = 77};
        uint8_t *copy = malloc(len + 1); /* exact size, so that sanitizers see an overrun */
        assert_non_null(copy);
        memcpy(copy, full, len);
        uint8_t *exact = realloc(copy, len > 0 ? len : 1);
        int header = rtp_parse_header(exact, len, &p);
        assert_int_equal(header, len < 28 ? -EBADMSG : 0);
        if (len < 28)
            assert_int_equal(p.ssrc, 77); /* untouched */
        /* behind the header the last byte counts as padding: 0 or too much is refused */
        int whole = rtp_parse(exact, len, &p);
        assert_true(whole == 0 || whole == -EBADMSG);
        free(exact);
    }
}

static void M1_versions_other_than_2_are_refused(void **state)
{
    (void)state;
    for (unsigned version = 0; version < 4; version++) {
        uint8_t data[12] = {(uint8_t)(version << 6)};
        struct rtp_packet p;
        assert_int_equal(rtp_parse(data, sizeof(data), &p), version == 2 ? 0 : -EBADMSG);
    }
}

static void RTP_05_padding_only_packets_have_no_payload(void **state)
{
    uint8_t data[12 + 255] = {0xa0, 96};
    struct rtp_packet p;
    (void)state;
    data[sizeof(data) - 1] = 255;
    assert_int_equal(rtp_parse(data, sizeof(data), &p), 0);
    assert_int_equal(p.payload_len, 0);
    assert_int_equal(p.padding_len, 255);
    data[sizeof(data) - 1] = 0;
    assert_int_equal(rtp_parse(data, sizeof(data), &p), -EBADMSG);
    data[sizeof(data) - 2] = 255;
    assert_int_equal(rtp_parse(data, sizeof(data) - 1, &p), -EBADMSG); /* one more than there is */
    assert_int_equal(rtp_parse(data, 12, &p), -EBADMSG);
}

static void RTP_07_rtx_carries_the_original_sequence(void **state)
{
    uint8_t data[] = {0x80, 0xe1, 0, 9, 0, 0, 0, 7, 9, 9, 9, 9, 0xff, 0xfe, 'd', 'a'};
    struct rtp_packet rtx;
    struct rtp_packet p;
    (void)state;
    assert_int_equal(rtp_parse(data, sizeof(data), &rtx), 0);
    assert_int_equal(rtp_unwrap_rtx(&rtx, 96, 0x1111, &p), 0);
    assert_int_equal(p.sequence, 0xfffe);
    assert_int_equal(p.payload_type, 96);
    assert_int_equal(p.ssrc, 0x1111);
    assert_int_equal(p.timestamp, 7);
    assert_true(p.marker);
    assert_int_equal(p.payload_len, 2);
    assert_memory_equal(p.payload, "da", 2);
    assert_int_equal(rtp_parse(data, 13, &rtx), 0);
    assert_int_equal(rtp_unwrap_rtx(&rtx, 96, 1, &p), -EBADMSG);
    assert_int_equal(rtp_parse(data, 12, &rtx), 0);
    assert_int_equal(rtp_unwrap_rtx(&rtx, 96, 1, &p), -EAGAIN);
}

static void RTP_06_sequences_extend_to_the_nearest(void **state)
{
    (void)state;
    for (int64_t last = -70000; last <= 140000; last += 4999) {
        for (uint32_t low = 0; low <= 0xffff; low++) {
            int64_t got = rtp_extend_sequence(last, (uint16_t)low);
            if ((uint16_t)got != low || got - last > 32768 || got - last < -32768)
                fail_msg("last %lld low %u gives %lld", (long long)last, low, (long long)got);
        }
    }
    assert_int_equal(rtp_extend_sequence(0xffff, 0), 0x10000);
    assert_int_equal(rtp_extend_sequence(0x10000, 0xffff), 0xffff);
}

static void RTP_06_timestamps_extend_to_the_nearest(void **state)
{
    (void)state;
    assert_true(rtp_extend_timestamp(0xffffffff, 5) == 0x100000005);
    assert_true(rtp_extend_timestamp(0x100000005, 0xfffffff0) == 0xfffffff0);
    assert_true(rtp_extend_timestamp(5, 0xfffffff0) == -16);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(RTP_06_all_fields_are_read),
        cmocka_unit_test(M1_truncation_at_every_length_is_refused),
        cmocka_unit_test(M1_versions_other_than_2_are_refused),
        cmocka_unit_test(RTP_05_padding_only_packets_have_no_payload),
        cmocka_unit_test(RTP_07_rtx_carries_the_original_sequence),
        cmocka_unit_test(RTP_06_sequences_extend_to_the_nearest),
        cmocka_unit_test(RTP_06_timestamps_extend_to_the_nearest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
