/* The head of VP8 frames (RFC 6386 9.1). */
#include "transcode/vp8head.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

/* Key frame, version 0, shown, first partition of 4 bytes, 640x480 with a scaling hint of 1. */
static const uint8_t key[] = {0x90, 0, 0, 0x9d, 0x01, 0x2a, 0x80, 0x42, 0xe0, 0x01, 1, 2, 3, 4};

static void a_key_frame_tells_its_size(void **state)
{
    (void)state;
    struct codedhead head;
    assert_int_equal(vp8head_parse(key, sizeof key, &head), 0);
    assert_true(head.key);
    assert_int_equal(head.width, 640);
    assert_int_equal(head.height, 480);
}

static void an_inter_frame_has_none(void **state)
{
    (void)state;
    static const uint8_t inter[] = {0x51, 0, 0, 9, 9};
    struct codedhead head;
    assert_int_equal(vp8head_parse(inter, sizeof inter, &head), 0);
    assert_false(head.key);
    assert_int_equal(head.width, 0);
}

static void truncation_at_every_length_is_refused(void **state)
{
    (void)state;
    struct codedhead head;
    for (size_t len = 0; len < sizeof key; len++)
        assert_int_equal(vp8head_parse(key, len, &head), -EBADMSG);
}

static void wrong_fields_are_refused(void **state)
{
    (void)state;
    struct codedhead head = {.width = 7};
    uint8_t data[sizeof key];
    memcpy(data, key, sizeof key);
    data[4] = 2; /* start code */
    assert_int_equal(vp8head_parse(data, sizeof data, &head), -EBADMSG);
    memcpy(data, key, sizeof key);
    data[0] |= 4 << 1; /* version 4 */
    assert_int_equal(vp8head_parse(data, sizeof data, &head), -EBADMSG);
    memcpy(data, key, sizeof key);
    data[0] += 1 << 5; /* partition longer than the frame */
    assert_int_equal(vp8head_parse(data, sizeof data, &head), -EBADMSG);
    memcpy(data, key, sizeof key);
    data[6] = data[7] = 0; /* no width */
    assert_int_equal(vp8head_parse(data, sizeof data, &head), -EBADMSG);
    memcpy(data, key, sizeof key);
    data[8] = data[9] = 0;
    assert_int_equal(vp8head_parse(data, sizeof data, &head), -EBADMSG);
    assert_int_equal(head.width, 7); /* untouched */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_frame_tells_its_size),
        cmocka_unit_test(an_inter_frame_has_none),
        cmocka_unit_test(truncation_at_every_length_is_refused),
        cmocka_unit_test(wrong_fields_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
