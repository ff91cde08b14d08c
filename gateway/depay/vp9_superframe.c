/* The index at the end of a VP9 superframe: the sizes of the frames in it. */
#include "gateway/depay/vp9_superframe.h"

#include "lib/base/reader.h"
#include "lib/base/writer.h"

#include <errno.h>
#include <stdbool.h>

#define INDEX_MARK 0xc0u
#define INDEX_MARK_MASK 0xe0u

/* Length of the index at the end of these bytes; 0: there is none. */
static size_t index_of(const uint8_t *data, size_t len)
{
    if (len == 0)
        return 0;
    uint8_t mark = data[len - 1];
    size_t index_len = 2 + ((mark & 7u) + 1) * ((mark >> 3 & 3u) + 1);
    if ((mark & INDEX_MARK_MASK) != INDEX_MARK || index_len > len || data[len - index_len] != mark)
        return 0;
    return index_len;
}

/* An index inside a frame would split what is judged as one; frames never end like one. */
static int add(struct vp9_frames *frames, const uint8_t *data, uint32_t size)
{
    if (size == 0 || index_of(data, size) > 0)
        return -EBADMSG;
    if (frames->count == VP9_FRAMES_MAX)
        return -EMSGSIZE;
    frames->sizes[frames->count++] = size;
    return 0;
}

static uint32_t read_size(struct reader *r, size_t bytes)
{
    uint32_t size = 0;
    for (size_t i = 0; i < bytes; i++)
        size |= (uint32_t)reader_u8(r) << (8 * i);
    return size;
}

int vp9_superframe_split(const uint8_t *data, size_t len, struct vp9_frames *frames,
                         size_t *out_len)
{
    size_t index_len = index_of(data, len);
    *out_len = len - index_len;
    if (index_len == 0)
        return add(frames, data, (uint32_t)len);
    uint8_t mark = data[len - 1];
    size_t count = (mark & 7u) + 1, bytes = (mark >> 3 & 3u) + 1;
    struct reader r, body;
    reader_init(&body, data, *out_len);
    reader_init(&r, data + *out_len + 1, index_len - 2);
    for (size_t i = 0; i < count; i++) {
        uint32_t size = read_size(&r, bytes);
        const uint8_t *frame = reader_bytes(&body, size);
        int rc = reader_ok(&body) ? add(frames, frame, size) : -EBADMSG;
        if (rc < 0)
            return rc;
    }
    return reader_left(&body) == 0 ? 0 : -EBADMSG;
}

size_t vp9_superframe_index(const struct vp9_frames *frames, uint8_t to[VP9_INDEX_MAX])
{
    uint32_t all = 0;
    for (size_t i = 0; i < frames->count; i++)
        all |= frames->sizes[i];
    size_t bytes = 1;
    while (bytes < 4 && all >> (8 * bytes) != 0)
        bytes++;
    uint8_t mark = (uint8_t)(INDEX_MARK | (bytes - 1) << 3 | (frames->count - 1));
    struct writer w;
    writer_init(&w, to, VP9_INDEX_MAX);
    writer_u8(&w, mark);
    for (size_t i = 0; i < frames->count; i++)
        for (size_t k = 0; k < bytes; k++)
            writer_u8(&w, (uint8_t)(frames->sizes[i] >> (8 * k)));
    writer_u8(&w, mark);
    return w.len;
}
