/* Reads the uncompressed header of a VP9 frame as far as its size. */
#include "gateway/depay/vp9_header.h"

#include "gateway/depay/rbsp.h"

#include <errno.h>

#define FRAME_MARKER 2u
#define SYNC_CODE 0x498342u
#define COLOR_SPACE_RGB 7u /* 4:4:4, which profile 0 does not have */
#define REFS_OF_FRAME 3u
#define REFRESH_ALL 0xffu

static struct vp9_size read_size(struct rbsp *r)
{
    struct vp9_size size;
    size.width = rbsp_bits(r, 16) + 1;
    size.height = rbsp_bits(r, 16) + 1;
    return size;
}

static int parse_key(struct rbsp *r, struct vp9_header *h)
{
    if (rbsp_bits(r, 24) != SYNC_CODE || rbsp_bits(r, 3) == COLOR_SPACE_RGB)
        return -EBADMSG;
    rbsp_flag(r); /* color_range */
    h->key = true;
    h->refresh = REFRESH_ALL;
    h->size = read_size(r);
    return 0;
}

static int parse_intra(struct rbsp *r, struct vp9_header *h)
{
    if (rbsp_bits(r, 24) != SYNC_CODE)
        return -EBADMSG;
    h->refresh = (uint8_t)rbsp_bits(r, 8);
    h->size = read_size(r);
    return 0;
}

/* frame_size_with_refs, 7.2.5 */
static int parse_inter(struct rbsp *r, const struct vp9_refs *refs, struct vp9_header *h)
{
    uint32_t used[REFS_OF_FRAME];
    h->refresh = (uint8_t)rbsp_bits(r, 8);
    for (size_t i = 0; i < REFS_OF_FRAME; i++) {
        used[i] = rbsp_bits(r, 3);
        rbsp_flag(r); /* ref_frame_sign_bias */
        if (refs->sizes[used[i]].width == 0)
            return -EBADMSG;
    }
    for (size_t i = 0; i < REFS_OF_FRAME; i++) {
        if (rbsp_flag(r)) {
            h->size = refs->sizes[used[i]];
            return 0;
        }
    }
    h->size = read_size(r);
    return 0;
}

/* Behind the profile. */
static int parse_frame(struct rbsp *r, const struct vp9_refs *refs, struct vp9_header *h)
{
    if (rbsp_flag(r)) {
        h->repeats = true;
        h->size = refs->sizes[rbsp_bits(r, 3)];
        return h->size.width == 0 ? -EBADMSG : 0;
    }
    bool key = !rbsp_flag(r);
    bool shown = rbsp_flag(r);
    bool resilient = rbsp_flag(r);
    if (key)
        return parse_key(r, h);
    bool intra = !shown && rbsp_flag(r);
    if (!resilient)
        rbsp_bits(r, 2); /* reset_frame_context */
    return intra ? parse_intra(r, h) : parse_inter(r, refs, h);
}

int vp9_header_parse(const uint8_t *frame, size_t len, const struct vp9_refs *refs,
                     struct vp9_header *out)
{
    struct vp9_header h = {0};
    struct rbsp r;
    rbsp_init_plain(&r, frame, len);
    uint32_t marker = rbsp_bits(&r, 2);
    uint32_t profile = rbsp_bits(&r, 2);
    if (!rbsp_ok(&r) || marker != FRAME_MARKER)
        return -EBADMSG;
    if (profile != 0)
        return -ENOTSUP;
    int rc = parse_frame(&r, refs, &h);
    if (rc < 0)
        return rc;
    if (!rbsp_ok(&r))
        return -EBADMSG;
    *out = h;
    return 0;
}

void vp9_header_apply(struct vp9_refs *refs, const struct vp9_header *header)
{
    for (size_t i = 0; i < VP9_REFS; i++)
        if (header->refresh >> i & 1)
            refs->sizes[i] = header->size;
}
