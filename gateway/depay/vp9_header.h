/* Reads the uncompressed header of a VP9 frame as far as its size (VP9 bitstream specification 6.2,
 * 7.2) and keeps the sizes of the reference frames: other frames than key frames name their size
 * or take that of a reference. */
#ifndef SLUICE_DEPAY_VP9_HEADER_H
#define SLUICE_DEPAY_VP9_HEADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VP9_REFS 8u

struct vp9_size {
    uint32_t width; /* 0: nothing there */
    uint32_t height;
};

/* Of all references; zero at the start. */
struct vp9_refs {
    struct vp9_size sizes[VP9_REFS];
};

struct vp9_header {
    bool key;
    bool repeats;    /* shows a reference again, decodes nothing */
    uint8_t refresh; /* bit i: reference i becomes this frame */
    struct vp9_size size;
};

/* Reads one frame. 0; -EBADMSG when it is malformed or refers to what is not there; -ENOTSUP for
 * other profiles than 0 (8 bits, 4:2:0). */
int vp9_header_parse(const uint8_t *frame, size_t len, const struct vp9_refs *refs,
                     struct vp9_header *out);

/* The frame of this header is decoded: refs are those of the next one. */
void vp9_header_apply(struct vp9_refs *refs, const struct vp9_header *header);

#endif
