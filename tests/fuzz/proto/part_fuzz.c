/* Announcements from a hostile transcode: the first byte says which. */
#include "lib/proto/part.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void init(const uint8_t *data, size_t blob_len)
{
    struct part_init m;
    memcpy(&m, data, sizeof(m));
    if (part_check_init(&m, blob_len))
        return;
    assert(m.rendition < PART_RENDITIONS_MAX && m.kind < TRACK_COUNT);
    assert(text_is_terminated(m.codecs, sizeof(m.codecs)));
    assert(!strpbrk(m.codecs, "\"\r\n ") && m.codecs[0] != '\0');
    assert(blob_len >= 1 && blob_len <= PART_INIT_MAX);
}

static void part(const uint8_t *data, size_t capacity)
{
    struct part_part m;
    memcpy(&m, data, sizeof(m));
    if (part_check_part(&m, capacity))
        return;
    assert(m.len > 0 && (uint64_t)m.offset + m.len <= capacity);
    assert(m.part < PART_PER_SEGMENT_MAX && m.rendition < PART_RENDITIONS_MAX);
    assert(m.duration_us > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct part_hello hello;
    struct part_segment segment;
    if (size < 4)
        return 0;
    size_t number = (size_t)data[1] << 16 | (size_t)data[2] << 8 | data[3];
    unsigned which = data[0] % 4;
    data += 4;
    size -= 4;
    if (which == 0 && size >= sizeof(hello)) {
        memcpy(&hello, data, sizeof(hello));
        if (part_check_hello(&hello) == 0)
            assert(hello.part_target_us > 0 && hello.window <= PART_WINDOW_MAX);
    } else if (which == 1 && size >= sizeof(struct part_init)) {
        init(data, number);
    } else if (which == 2 && size >= sizeof(segment)) {
        memcpy(&segment, data, sizeof(segment));
        if (part_check_segment(&segment) == 0)
            assert(segment.rendition < PART_RENDITIONS_MAX && segment.msn <= PART_MSN_MAX);
    } else if (which == 3 && size >= sizeof(struct part_part)) {
        part(data, number);
    }
    return 0;
}
