/* CMAF files written in memory: the header, and chunks of one moof and one mdat (ISO 14496-12,
 * ISO 23000-19; rules FMP-01 to FMP-05).
 *
 * One track per file, its id is 1. Samples are stored as they come (H.264 with 4-byte lengths, AAC
 * without ADTS) in decode order; presentation time equals decode time unless a sample says
 * otherwise. */
#ifndef SLUICE_TRANSCODE_FMP4_H
#define SLUICE_TRANSCODE_FMP4_H

#include "lib/base/writer.h"
#include "lib/proto/stream.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FMP4_CONFIG_MAX 2048u
#define FMP4_HEAD_FIXED 320u /* bytes of a chunk's head beside its sample table */
#define FMP4_HEAD_PER_SAMPLE 16u

/* config: contents of avcC, or the AudioSpecificConfig (1 to 64 bytes). */
struct fmp4_track {
    enum track kind;
    uint32_t timescale;
    uint16_t width; /* video */
    uint16_t height;
    uint32_t sample_rate; /* audio */
    uint8_t channels;
    const uint8_t *config;
    size_t config_len;
};

struct fmp4_sample {
    uint32_t size;     /* bytes */
    uint32_t duration; /* in the track's timescale */
    int32_t offset;    /* presentation minus decode time */
    bool key;
};

/* sequence counts chunks from 1; base_dts is the decode time of the first sample; wall_us the wall
 * clock at that moment (prft); segment_start: a styp comes first. */
struct fmp4_chunk {
    enum track kind;
    uint32_t sequence;
    bool segment_start;
    int64_t base_dts;
    int64_t wall_us;
    const struct fmp4_sample *samples;
    size_t count;
};

/* ftyp and moov. 0, or -ENOSPC when it does not fit, -EINVAL for a configuration of impossible
 * length. */
int fmp4_write_init(struct writer *w, const struct fmp4_track *track);

/* styp if wanted, prft, moof and the head of mdat; the samples' bytes follow directly behind, in
 * order and without gaps. Fits into FMP4_HEAD_FIXED + count * FMP4_HEAD_PER_SAMPLE bytes. 0, or
 * -ENOSPC, or -EINVAL for no sample or more than 4 GiB. */
int fmp4_write_chunk_head(struct writer *w, const struct fmp4_chunk *chunk);

#endif
