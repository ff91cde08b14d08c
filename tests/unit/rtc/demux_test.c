/* Packet classes by first bytes: RFC 7983 7, RFC 5761 4. */
#include "gateway/rtc/demux.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static enum demux_class classify(uint8_t first, uint8_t second, size_t len)
{
    uint8_t data[1600] = {first, second};
    return demux_classify(data, len);
}

static void ICE_01_first_byte_decides(void **state)
{
    (void)state;
    for (unsigned first = 0; first < 256; first++) {
        enum demux_class expected = DEMUX_DROP;
        if (first <= 3)
            expected = DEMUX_STUN;
        else if (first >= 20 && first <= 63)
            expected = DEMUX_DTLS;
        else if (first >= 128 && first <= 191)
            expected = DEMUX_RTP;
        assert_int_equal(classify((uint8_t)first, 96, 100), expected);
    }
}

static void ICE_02_second_byte_tells_rtcp(void **state)
{
    (void)state;
    for (unsigned second = 0; second < 256; second++) {
        unsigned masked = second & 127;
        bool rtcp = second >= 192 && second <= 223;
        assert_int_equal(classify(0x80, (uint8_t)second, 100), rtcp ? DEMUX_RTCP : DEMUX_RTP);
        if (rtcp)
            assert_in_range(masked, 64, 95);
    }
    /* Payload types that Chromium uses, with and without marker. */
    static const uint8_t live[] = {39, 40, 45, 46, 49, 63, 96, 111, 127};
    for (size_t i = 0; i < sizeof(live); i++) {
        assert_int_equal(classify(0x80, live[i], 12), DEMUX_RTP);
        assert_int_equal(classify(0x80, live[i] | 0x80, 12), DEMUX_RTP);
    }
}

static void U18_odd_lengths_are_dropped(void **state)
{
    (void)state;
    assert_int_equal(demux_classify(NULL, 0), DEMUX_DROP);
    for (size_t len = 1; len <= 1600; len++) {
        bool fits = len <= 1500;
        assert_int_equal(classify(0, 1, len), fits && len >= 20 ? DEMUX_STUN : DEMUX_DROP);
        assert_int_equal(classify(22, 254, len), fits && len >= 13 ? DEMUX_DTLS : DEMUX_DROP);
        assert_int_equal(classify(0x80, 96, len), fits && len >= 12 ? DEMUX_RTP : DEMUX_DROP);
        assert_int_equal(classify(0x80, 200, len), fits && len >= 8 ? DEMUX_RTCP : DEMUX_DROP);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ICE_01_first_byte_decides),
        cmocka_unit_test(ICE_02_second_byte_tells_rtcp),
        cmocka_unit_test(U18_odd_lengths_are_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
