/* Records of the ring. */
#include "transcode/source.h"

#include "lib/base/fd.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#define NOW UINT64_C(50000000)

static struct frame head(uint32_t len)
{
    return (struct frame){
        .len = len, .codec = CODEC_H264, .flags = FRAME_KEY, .pts_us = (int64_t)NOW - 1000};
}

static enum source_result check(struct frame frame, size_t len)
{
    static uint8_t record[4096];
    struct frame out;
    uint8_t *payload = NULL;
    memcpy(record, &frame, sizeof frame);
    enum source_result result = source_check(record, len, NOW, &out, &payload);
    if (result == SOURCE_FRAME)
        assert_ptr_equal(payload, record + sizeof frame);
    return result;
}

static void valid_records_are_frames(void **state)
{
    (void)state;
    assert_int_equal(check(head(10), sizeof(struct frame) + 10), SOURCE_FRAME);
}

static void M7_times_far_from_now_are_refused(void **state)
{
    (void)state;
    struct frame f = head(10);
    size_t len = sizeof f + 10;
    static const int64_t bad[] = {SOURCE_CLOCK_MAX_US + 1, -SOURCE_CLOCK_MAX_US - 1,
                                  INT64_C(1) << 59, -(INT64_C(1) << 59)};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        f.pts_us = (int64_t)NOW + bad[i];
        assert_int_equal(check(f, len), SOURCE_REFUSED);
    }
    f.pts_us = INT64_MIN;
    assert_int_equal(check(f, len), SOURCE_REFUSED);
    f.pts_us = (int64_t)NOW + SOURCE_CLOCK_MAX_US;
    assert_int_equal(check(f, len), SOURCE_FRAME);
    f.wall_us = -1;
    assert_int_equal(check(f, len), SOURCE_REFUSED);
}

static void I1_lengths_must_match_the_record(void **state)
{
    (void)state;
    for (size_t len = 0; len < sizeof(struct frame) + 20; len++)
        assert_int_equal(check(head(10), len),
                         len == sizeof(struct frame) + 10 ? SOURCE_FRAME : SOURCE_REFUSED);
    assert_int_equal(check(head(0), sizeof(struct frame)), SOURCE_REFUSED); /* nothing in it */
}

static void reads_a_real_ring(void **state)
{
    (void)state;
    int fd = -1;
    struct ring_writer *w = NULL;
    struct source s;
    struct frame frame = head(3), out;
    uint8_t *payload;
    struct iovec parts[] = {{.iov_base = &frame, .iov_len = sizeof frame},
                            {.iov_base = (uint8_t[]){7, 8, 9}, .iov_len = 3}};
    assert_int_equal(ring_create(RING_SIZE_MIN, &fd), 0);
    assert_int_equal(ring_writer_new(fd, &w, NULL), 0);
    assert_int_equal(source_open(&s, fd, true), -EACCES); /* I2: not sealed */
    assert_int_equal(ring_seal(fd), 0);
    assert_int_equal(ring_write(w, parts, 2), 0);
    assert_int_equal(source_open(&s, fd, true), 0);
    assert_int_equal(source_next(&s, NOW, &out, &payload), SOURCE_FRAME);
    assert_memory_equal(payload, ((uint8_t[]){7, 8, 9}), 3);
    assert_int_equal(source_next(&s, NOW, &out, &payload), SOURCE_EMPTY);
    for (size_t i = 0; i < RING_SIZE_MIN / 32; i++) /* the writer laps us */
        assert_int_equal(ring_write(w, parts, 2), 0);
    assert_int_equal(source_next(&s, NOW, &out, &payload), SOURCE_LOST);
    source_close(&s);
    assert_int_equal(source_open(&s, fd, false), 0); /* a successor joins at the head */
    assert_int_equal(source_next(&s, NOW, &out, &payload), SOURCE_EMPTY);
    source_close(&s);
    source_close(&s);
    ring_writer_free(w);
    fd_close(&fd);
}

/* Simulcast: what is not for viewers is skipped by its head. */
static void layers_beside_the_picture_are_skipped(void **state)
{
    (void)state;
    int fd = -1;
    struct ring_writer *w = NULL;
    struct source s;
    struct frame frame = head(3), out;
    uint8_t *payload;
    struct iovec parts[] = {{.iov_base = &frame, .iov_len = sizeof frame},
                            {.iov_base = (uint8_t[]){7, 8, 9}, .iov_len = 3}};
    assert_int_equal(ring_create(RING_SIZE_MIN, &fd), 0);
    assert_int_equal(ring_writer_new(fd, &w, NULL), 0);
    assert_int_equal(ring_seal(fd), 0);
    assert_int_equal(source_open(&s, fd, true), 0);
    for (unsigned layer = 0; layer <= FRAME_LAYERS_MAX; layer++) {
        frame.layer = (uint8_t)layer;
        assert_int_equal(ring_write(w, parts, 2), 0);
    }
    s.buffer[sizeof frame] = 0xee;
    assert_int_equal(source_next(&s, NOW, &out, &payload), SOURCE_FRAME);
    s.buffer[sizeof frame] = 0xee;
    for (unsigned layer = 1; layer < FRAME_LAYERS_MAX; layer++)
        assert_int_equal(source_next(&s, NOW, &out, &payload), SOURCE_LAYER);
    assert_int_equal(s.buffer[sizeof frame], 0xee);                         /* nothing was copied */
    assert_int_equal(source_next(&s, NOW, &out, &payload), SOURCE_REFUSED); /* no such layer */
    assert_int_equal(source_next(&s, NOW, &out, &payload), SOURCE_EMPTY);
    frame.layer = 2;
    assert_int_equal(check(frame, sizeof frame + 3), SOURCE_LAYER); /* checked after the copy too */
    source_close(&s);
    ring_writer_free(w);
    fd_close(&fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(valid_records_are_frames),
        cmocka_unit_test(M7_times_far_from_now_are_refused),
        cmocka_unit_test(I1_lengths_must_match_the_record),
        cmocka_unit_test(reads_a_real_ring),
        cmocka_unit_test(layers_beside_the_picture_are_skipped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
