#include "gateway/depay/depay.h"
#include "tests/unit/depay/depay_fixture.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

/* Frame tag of a key frame, start code, 640x480. */
#define KEY_HEAD 0x10, 0x02, 0x00, 0x9d, 0x01, 0x2a, 0x80, 0x02, 0xe0, 0x01

static int setup(void **state)
{
    return fixture_setup(CODEC_VP8, state);
}

static int push(struct fixture *f, const uint8_t *data, size_t len, uint32_t time, bool marker)
{
    struct depay_packet packet = {.data = data, .len = len, .rtp_time = time, .marker = marker};
    return depay_push(f->depay, &packet);
}

static const uint8_t key[] = {0x10, KEY_HEAD, 0xaa};
static const uint8_t delta[] = {0x10, 0x31, 0x02, 0x00, 0xbb};

static void COD_17_key_frame_size_comes_from_the_payload(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(push(f, key, sizeof(key), 1, true), 0);
    assert_int_equal(f->got.count, 1);
    assert_true(f->got.unit.key);
    assert_int_equal(f->got.unit.width, 640);
    assert_int_equal(f->got.unit.height, 480);
    assert_int_equal(f->got.unit.len, sizeof(key) - 1);
    assert_memory_equal(f->got.data, key + 1, sizeof(key) - 1);
    assert_int_equal(push(f, delta, sizeof(delta), 2, true), 0);
    assert_int_equal(f->got.count, 2);
    assert_false(f->got.unit.key);
}

/* RFC 6386 9.1: two bits of scaling stand above each size. */
static void scaling_bits_are_no_part_of_the_size(void **state)
{
    struct fixture *f = *state;
    uint8_t scaled[sizeof(key)];
    memcpy(scaled, key, sizeof(key));
    scaled[8] |= 0x40;
    scaled[10] |= 0xc0;
    assert_int_equal(push(f, scaled, sizeof(scaled), 1, true), 0);
    assert_int_equal(f->got.unit.width, 640);
    assert_int_equal(f->got.unit.height, 480);
}

/* RFC 7741 4.2: every combination of the descriptor's optional fields. */
static void descriptors_of_all_lengths_are_removed(void **state)
{
    struct fixture *f = *state;
    static const struct {
        uint8_t head[6];
        size_t len;
    } forms[] = {
        {{0x10}, 1},
        {{0x90, 0x00}, 2},
        {{0x90, 0x80, 0x05}, 3},
        {{0x90, 0x80, 0x81, 0x05}, 4},
        {{0x90, 0x40, 0x05}, 3},
        {{0x90, 0x20, 0x40}, 3},
        {{0x90, 0x10, 0x05}, 3},
        {{0x90, 0xf0, 0x81, 0x05, 0x07, 0x40}, 6},
    };
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        uint8_t packet[32];
        memcpy(packet, forms[i].head, forms[i].len);
        memcpy(packet + forms[i].len, key + 1, sizeof(key) - 1);
        size_t len = forms[i].len + sizeof(key) - 1;
        assert_int_equal(push(f, packet, len, (uint32_t)i, true), 0);
        assert_int_equal(f->got.count, i + 1);
        assert_memory_equal(f->got.data, key + 1, sizeof(key) - 1);
        for (size_t cut = 0; cut <= forms[i].len; cut++) /* M2: cut descriptor */
            assert_int_equal(push(f, packet, cut, 1000, true), -EBADMSG);
        depay_gap(f->depay);
    }
}

static void packets_of_a_frame_are_joined(void **state)
{
    struct fixture *f = *state;
    const uint8_t more[] = {0x00, 0xcc, 0xdd};
    const uint8_t partition[] = {0x11, 0xee}; /* S with PID 1: not a new frame */
    assert_int_equal(push(f, key, sizeof(key), 1, false), 0);
    assert_int_equal(push(f, more, sizeof(more), 1, false), 0);
    assert_int_equal(push(f, partition, sizeof(partition), 1, true), 0);
    assert_int_equal(f->got.count, 1);
    assert_int_equal(f->got.unit.len, sizeof(key) - 1 + 3);
}

static void M2_middle_without_start_is_dropped(void **state)
{
    struct fixture *f = *state;
    const uint8_t more[] = {0x00, 0xcc, 0xdd};
    assert_int_equal(push(f, key, sizeof(key), 1, true), 0);
    assert_int_equal(push(f, more, sizeof(more), 2, true), -EBADMSG);
    assert_int_equal(push(f, delta, sizeof(delta), 3, true), 0);
    assert_int_equal(f->got.count, 1); /* held until a key frame */
    assert_int_equal(push(f, key, sizeof(key), 4, true), 0);
    assert_int_equal(f->got.count, 2);
    assert_true(f->got.unit.gap);
}

static void RTP_10_after_a_gap_a_frame_start_is_recognised(void **state)
{
    struct fixture *f = *state;
    depay_gap(f->depay);
    assert_int_equal(push(f, key, sizeof(key), 7, true), 0);
    assert_int_equal(f->got.count, 1);
}

static void M3_key_frames_are_checked(void **state)
{
    struct fixture *f = *state;
    uint8_t bad[sizeof(key)];
    memcpy(bad, key, sizeof(key));
    bad[4] = 0x9e; /* start code */
    assert_int_equal(push(f, bad, sizeof(bad), 1, true), -EBADMSG);
    memcpy(bad, key, sizeof(key));
    bad[7] = 0xff; /* width 16383 */
    bad[8] = 0x3f;
    assert_int_equal(push(f, bad, sizeof(bad), 2, true), -ENOTSUP);
    memcpy(bad, key, sizeof(key));
    bad[9] = 0; /* height 0 */
    bad[10] = 0;
    assert_int_equal(push(f, bad, sizeof(bad), 3, true), -ENOTSUP);
    for (size_t len = 2; len < sizeof(key) - 1; len++)
        assert_int_equal(push(f, key, len, (uint32_t)(100 + len), true), -EBADMSG);
    assert_int_equal(f->got.count, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(COD_17_key_frame_size_comes_from_the_payload),
        TEST(scaling_bits_are_no_part_of_the_size),
        TEST(descriptors_of_all_lengths_are_removed),
        TEST(packets_of_a_frame_are_joined),
        TEST(M2_middle_without_start_is_dropped),
        TEST(RTP_10_after_a_gap_a_frame_start_is_recognised),
        TEST(M3_key_frames_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
