#include "gateway/depay/depay.h"
#include "tests/unit/depay/depay_fixture.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static int setup(void **state)
{
    return fixture_setup(CODEC_OPUS, state);
}

static int push(struct fixture *f, const uint8_t *data, size_t len, uint32_t time)
{
    struct depay_packet packet = {.data = data, .len = len, .rtp_time = time};
    return depay_push(f->depay, &packet);
}

static void COD_09_each_packet_is_a_unit(void **state)
{
    struct fixture *f = *state;
    const uint8_t packet[] = {0xfc, 0xff, 0xfe};
    assert_int_equal(push(f, packet, sizeof(packet), 960), 0);
    assert_int_equal(push(f, packet, 1, 1920), 0); /* DTX: TOC alone */
    assert_int_equal(f->got.count, 2);
    assert_int_equal(f->got.unit.len, 1);
    assert_int_equal(f->got.unit.rtp_time, 1920);
    assert_false(depay_needs_key(f->depay));
}

static void a_gap_marks_the_next_packet(void **state)
{
    struct fixture *f = *state;
    const uint8_t packet[] = {0xfc, 0xff};
    assert_int_equal(push(f, packet, sizeof(packet), 960), 0);
    depay_gap(f->depay);
    assert_int_equal(push(f, packet, sizeof(packet), 2880), 0);
    assert_int_equal(f->got.count, 2);
    assert_true(f->got.unit.gap);
    assert_int_equal(push(f, packet, sizeof(packet), 3840), 0);
    assert_false(f->got.unit.gap);
}

static void M2_malformed_packets_are_dropped(void **state)
{
    struct fixture *f = *state;
    const uint8_t no_count[] = {0xff};
    const uint8_t zero[] = {0xff, 0x00};
    const uint8_t too_long[] = {0xff, 0x07}; /* 7 frames of 20 ms */
    const uint8_t longest[] = {0xff, 0x06};
    static const uint8_t huge[1501] = {0xfc};
    assert_int_equal(push(f, no_count, 0, 1), -EBADMSG);
    assert_int_equal(push(f, no_count, 1, 1), -EBADMSG);
    assert_int_equal(push(f, zero, 2, 1), -EBADMSG);
    assert_int_equal(push(f, too_long, 2, 1), -EBADMSG);
    assert_int_equal(push(f, huge, sizeof(huge), 1), -EMSGSIZE);
    assert_int_equal(f->got.count, 0);
    assert_int_equal(push(f, longest, 2, 1), 0);
    assert_int_equal(f->got.count, 1);
    assert_true(f->got.unit.gap);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(COD_09_each_packet_is_a_unit),
        TEST(a_gap_marks_the_next_packet),
        TEST(M2_malformed_packets_are_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
