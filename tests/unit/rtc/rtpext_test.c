/* Header extension elements: RFC 8285 4.2 and 4.3. */
#include "gateway/rtc/rtpext.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct rtp_packet with_extension(uint16_t profile, const uint8_t *data, size_t len)
{
    return (struct rtp_packet){.has_extension = true,
                               .extension_profile = profile,
                               .extension = data,
                               .extension_len = len};
}

/* The example of RFC 8285 4.2: one byte, three bytes, padding. */
static void RTP_03_one_byte_form(void **state)
{
    static const uint8_t data[] = {0x10, 'a', 0x22, 'b', 'c', 'd', 0, 0};
    struct rtp_packet p = with_extension(0xbede, data, sizeof(data));
    struct slice found;
    (void)state;
    assert_int_equal(rtpext_find(&p, 1, &found), 0);
    assert_true(slice_is(found, "a"));
    assert_int_equal(rtpext_find(&p, 2, &found), 0);
    assert_true(slice_is(found, "bcd"));
    assert_int_equal(rtpext_find(&p, 3, &found), -ENOENT);
    assert_int_equal(rtpext_find(&p, 0, &found), -ENOENT);
}

static void RTP_03_two_byte_form(void **state)
{
    static const uint8_t data[] = {1, 0, 2, 3, 'x', 'y', 'z', 0, 200, 1, 'q', 0};
    struct rtp_packet p = with_extension(0x1007, data, sizeof(data));
    struct slice found;
    (void)state;
    assert_int_equal(rtpext_find(&p, 1, &found), 0);
    assert_int_equal(found.len, 0);
    assert_int_equal(rtpext_find(&p, 2, &found), 0);
    assert_true(slice_is(found, "xyz"));
    assert_int_equal(rtpext_find(&p, 200, &found), 0);
    assert_true(slice_is(found, "q"));
}

static void M1_id_15_stops_the_block(void **state)
{
    static const uint8_t data[] = {0x10, 'a', 0xf0, 0x2f};
    struct rtp_packet p = with_extension(0xbede, data, sizeof(data));
    struct slice found;
    (void)state;
    assert_int_equal(rtpext_find(&p, 1, &found), 0);
    assert_int_equal(rtpext_find(&p, 2, &found), -ENOENT);
    assert_int_equal(rtpext_find(&p, 15, &found), -ENOENT);
}

static void RTP_03_bad_lengths_drop_the_packet(void **state)
{
    static const uint8_t one[] = {0x10, 'a', 0x23, 'b'};
    static const uint8_t two[] = {1, 1, 'a', 2};
    struct rtp_packet p = with_extension(0xbede, one, sizeof(one));
    struct slice found = {.len = 99};
    (void)state;
    assert_int_equal(rtpext_find(&p, 1, &found), -EBADMSG);
    p = with_extension(0x1000, two, sizeof(two));
    assert_int_equal(rtpext_find(&p, 1, &found), -EBADMSG);
    assert_int_equal(found.len, 99);
}

static void RTP_03_other_profiles_have_no_elements(void **state)
{
    static const uint8_t data[] = {0x23, 0, 0, 0};
    struct rtp_packet p = with_extension(0x1234, data, sizeof(data));
    struct rtp_packet none = {.has_extension = false};
    struct slice found;
    (void)state;
    assert_int_equal(rtpext_find(&p, 2, &found), -ENOENT);
    assert_int_equal(rtpext_find(&none, 2, &found), -ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(RTP_03_one_byte_form),
        cmocka_unit_test(RTP_03_two_byte_form),
        cmocka_unit_test(M1_id_15_stops_the_block),
        cmocka_unit_test(RTP_03_bad_lengths_drop_the_packet),
        cmocka_unit_test(RTP_03_other_profiles_have_no_elements),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
