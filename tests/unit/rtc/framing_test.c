#include "gateway/rtc/framing.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int setup(void **state)
{
    struct framing_in *in = calloc(1, sizeof(*in));
    assert_non_null(in);
    framing_in_reset(in);
    *state = in;
    return 0;
}

static int teardown(void **state)
{
    free(*state);
    return 0;
}

static void feed(struct framing_in *in, const void *data, size_t len)
{
    size_t room = 0;
    uint8_t *to = framing_room(in, &room);
    assert_true(room >= len);
    memcpy(to, data, len);
    framing_filled(in, len);
}

static void expect(struct framing_in *in, const char *text)
{
    uint8_t *data = NULL;
    size_t len = 0;
    assert_true(framing_next(in, &data, &len));
    assert_int_equal(len, strlen(text));
    assert_memory_equal(data, text, len);
}

static void expect_none(struct framing_in *in)
{
    uint8_t *data = NULL;
    size_t len = 0;
    assert_false(framing_next(in, &data, &len));
    assert_null(data);
}

static void RFC4571_2_frames_come_out_as_packets(void **state)
{
    struct framing_in *in = *state;
    feed(in, "\0\5hello\0\3you\0\4", 14);
    expect(in, "hello");
    expect(in, "you");
    expect_none(in);
    feed(in, "last", 4);
    expect(in, "last");
    expect_none(in);
}

static void RFC4571_2_any_cut_gives_the_same_packets(void **state)
{
    struct framing_in *in = *state;
    static const char stream[] = "\0\5hello\0\0\0\1x\0\3you";
    for (size_t cut = 0; cut < sizeof(stream); cut++) {
        framing_in_reset(in);
        size_t found = 0;
        for (size_t pos = 0; pos < sizeof(stream) - 1;) {
            uint8_t *data = NULL;
            size_t len = 0, step = cut == 0 ? 1 : cut;
            if (step > sizeof(stream) - 1 - pos)
                step = sizeof(stream) - 1 - pos;
            feed(in, stream + pos, step);
            pos += step;
            while (framing_next(in, &data, &len))
                found += len;
        }
        assert_int_equal(found, 9);
    }
}

static void U18_frames_over_a_datagram_are_skipped(void **state)
{
    struct framing_in *in = *state;
    static uint8_t junk[65535];
    size_t left = sizeof(junk);
    feed(in, "\xff\xff", 2);
    expect_none(in);
    while (left > 0) {
        size_t step = left < 4096 ? left : 4096;
        feed(in, junk, step);
        expect_none(in);
        left -= step;
    }
    feed(in, "\0\2ok\5\xdd", 6);
    expect(in, "ok");
    expect_none(in);
    assert_int_equal(in->oversized, 2);
}

static void U18_the_longest_frame_fits(void **state)
{
    struct framing_in *in = *state;
    static const uint8_t packet[FRAMING_PACKET_MAX] = {1};
    uint8_t *data = NULL;
    size_t len = 0;
    for (int i = 0; i < 50; i++) {
        feed(in, "\5\xdc", 2);
        feed(in, packet, sizeof(packet));
        assert_true(framing_next(in, &data, &len));
        assert_int_equal(len, sizeof(packet));
    }
    assert_int_equal(in->oversized, 0);
}

static void there_is_always_room_once_the_frames_are_taken(void **state)
{
    struct framing_in *in = *state;
    size_t room = 0;
    uint32_t random = 1;
    for (int i = 0; i < 20000; i++) {
        uint8_t *data = NULL;
        size_t len = 0;
        uint8_t *to = framing_room(in, &room);
        assert_true(room > 0);
        for (size_t n = 0; n < room; n++)
            to[n] = (uint8_t)((random = random * 1103515245u + 12345u) >> 24);
        framing_filled(in, room);
        while (framing_next(in, &data, &len))
            assert_in_range(len, 1, FRAMING_PACKET_MAX);
        if (i > 200)
            break;
    }
}

static void RFC4571_2_a_packet_goes_out_behind_its_length(void **state)
{
    struct framing_out out;
    const uint8_t *rest = NULL;
    (void)state;
    framing_out_reset(&out);
    assert_int_equal(framing_rest(&out, &rest), 0);
    assert_int_equal(framing_put(&out, (const uint8_t *)"hello", 5), 0);
    assert_int_equal(framing_rest(&out, &rest), 7);
    assert_memory_equal(rest, "\0\5hello", 7);
    framing_sent(&out, 3);
    assert_int_equal(framing_put(&out, (const uint8_t *)"x", 1), -EAGAIN); /* never queued */
    assert_int_equal(framing_rest(&out, &rest), 4);
    assert_memory_equal(rest, "ello", 4);
    framing_sent(&out, 4);
    static const uint8_t large[FRAMING_PACKET_MAX + 1] = {0};
    assert_int_equal(framing_put(&out, large, sizeof(large)), -EMSGSIZE);
    assert_int_equal(framing_put(&out, large, sizeof(large) - 1), 0);
    assert_int_equal(framing_rest(&out, &rest), FRAMING_PREFIX + FRAMING_PACKET_MAX);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(RFC4571_2_frames_come_out_as_packets),
        TEST(RFC4571_2_any_cut_gives_the_same_packets),
        TEST(U18_frames_over_a_datagram_are_skipped),
        TEST(U18_the_longest_frame_fits),
        TEST(there_is_always_room_once_the_frames_are_taken),
        TEST(RFC4571_2_a_packet_goes_out_behind_its_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
