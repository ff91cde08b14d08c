/* The index at the end of a VP9 superframe: the sizes of the frames in it (VP9 bitstream
 * specification, annex B).
 *
 *   | frame ... | frame ... | 110|size bytes - 1 (2)|frames - 1 (3) | sizes | its first byte |
 *
 * Sizes are little-endian. */
#ifndef SLUICE_DEPAY_VP9_SUPERFRAME_H
#define SLUICE_DEPAY_VP9_SUPERFRAME_H

#include <stddef.h>
#include <stdint.h>

#define VP9_FRAMES_MAX 8u
#define VP9_INDEX_MAX (2u + 4u * VP9_FRAMES_MAX)

/* Invariant: count <= VP9_FRAMES_MAX. */
struct vp9_frames {
    size_t count;
    uint32_t sizes[VP9_FRAMES_MAX];
};

/* Adds the frames of these bytes, one or as an index says; *out_len: bytes without the index. 0;
 * -EBADMSG when there is nothing, the index does not fit the bytes, or a frame ends in another
 * index, which would hide frames (M3); -EMSGSIZE above VP9_FRAMES_MAX. After an error *frames is of
 * no use. */
int vp9_superframe_split(const uint8_t *data, size_t len, struct vp9_frames *frames,
                         size_t *out_len);

/* Writes the index of two or more frames into to and returns its length. */
size_t vp9_superframe_index(const struct vp9_frames *frames, uint8_t to[VP9_INDEX_MAX]);

#endif
