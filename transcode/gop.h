/* The access units since the last key frame, kept so that a decoder can be brought up to the
 * picture that viewers see when passing through has to stop. */
#ifndef SLUICE_TRANSCODE_GOP_H
#define SLUICE_TRANSCODE_GOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GOP_BYTES (3u << 20)
#define GOP_UNITS 128u

/* whole: nothing since the key frame is missing. */
struct gop {
    uint8_t *data;
    size_t len;
    size_t count;
    bool whole;
    size_t sizes[GOP_UNITS];
    int64_t pts[GOP_UNITS];
};

int gop_init(struct gop *g); /* 0 or -ENOMEM */
void gop_done(struct gop *g);
void gop_clear(struct gop *g);
/* A key frame begins anew. What does not fit is left out, and so is all that follows. */
void gop_add(struct gop *g, const uint8_t *data, size_t len, int64_t pts, bool key);

#endif
