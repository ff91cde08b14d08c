/* Samples of one rendition become CMAF parts and segments on one contiguous decode timeline.
 *
 * When to cut is decided by video_cut and audio_cut; here the rules hold that no decision may
 * break: a part begins where the previous one ended, except across a discontinuity; no part is
 * longer than the part target (LL-01); a segment consists of exactly its parts (LL-07). They are
 * asserted. */
#ifndef SLUICE_TRANSCODE_CHUNKER_H
#define SLUICE_TRANSCODE_CHUNKER_H

#include "lib/proto/part.h"
#include "transcode/fmp4.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CHUNKER_SAMPLES_MAX 128u
#define CHUNKER_BODY_VIDEO (4u << 20) /* bytes of one part's samples */
#define CHUNKER_BODY_AUDIO (256u << 10)

/* Where finished pieces go. Each returns 0 or a negative errno, which comes back to the caller of
 * the chunker. part->offset is not set yet. The two ranges of a part lie one behind the other. */
struct chunker_sink {
    void *ctx;
    int (*open)(void *ctx, const struct part_segment *segment);
    int (*part)(void *ctx, const struct part_part *part, const struct writer *head,
                const uint8_t *body, size_t body_len);
    int (*close)(void *ctx, const struct part_segment_end *end);
};

/* Invariant: while a part has samples, end <= last_start; end is where the last published part
 * ended, in ticks of the track. */
struct chunker {
    struct chunker_sink sink;
    enum track kind;
    uint32_t rendition;
    uint32_t scale;
    int64_t target; /* part target in ticks */

    bool open;    /* a segment is open */
    bool started; /* a segment was opened at some time: end is valid */
    uint64_t msn;
    uint32_t part;     /* index of the part being filled */
    uint32_t sequence; /* chunks made */
    int64_t segment_start;
    int64_t wall_us; /* of segment_start */
    size_t segment_bytes;
    int64_t end;

    size_t count; /* samples of the part being filled */
    int64_t last_start;
    struct fmp4_sample samples[CHUNKER_SAMPLES_MAX];
    uint8_t *body;
    size_t body_len;
    size_t body_cap;
};

/* kind also chooses timescale and rendition number. 0 or -ENOMEM. */
int chunker_init(struct chunker *c, enum track kind, uint32_t part_us,
                 const struct chunker_sink *sink);
void chunker_done(struct chunker *c);

/* Opens a segment at start ticks; segment->rendition is set here. Without discontinuity start must
 * be the end of the previous one. */
int chunker_open(struct chunker *c, const struct part_segment *segment, int64_t start);

/* Room for one more sample of len bytes in this part? */
bool chunker_fits(const struct chunker *c, size_t len);
/* Takes a copy; of the sample, size, offset and key count. The first sample of a part starts at
 * c->end, later ones after last_start; the duration of the previous one is settled by this. The
 * sample must fit. */
void chunker_add(struct chunker *c, const struct fmp4_sample *sample, const uint8_t *data,
                 int64_t start);

/* Publishes the samples as a part that ends at end ticks. */
int chunker_put_part(struct chunker *c, int64_t end, bool last);
/* Ends the open segment; no samples may be waiting. */
int chunker_close(struct chunker *c);

#endif
