/* The prepared media that rawpub publishes, as frames in memory: H.264 or H.265 from Annex B, or
 * VP8, VP9 or AV1 from IVF, and Opus from Ogg. With a marker, every access unit of H.264 and every
 * Opus packet carries it. */
#ifndef SLUICE_SUPPORT_RAWMEDIA_H
#define SLUICE_SUPPORT_RAWMEDIA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RAWMEDIA_MARKER_LEN 16
#define RAWMEDIA_FILE_MAX (256u << 20)

enum rawmedia_codec {
    RAWMEDIA_H264,
    RAWMEDIA_VP8,
    RAWMEDIA_H265,
    RAWMEDIA_VP9,
    RAWMEDIA_AV1,
    RAWMEDIA_OPUS,
    RAWMEDIA_CODEC_COUNT
};

/* H.264 and H.265 frames are NAL units, each behind its length in 4 big-endian bytes; the others
 * are what the codec made. */
struct rawmedia_frame {
    size_t offset;
    size_t len;
    bool key;
};

/* Invariant: every frame lies inside data[0..len). */
struct rawmedia_track {
    enum rawmedia_codec codec;
    uint8_t *data;
    size_t len;
    size_t cap;
    struct rawmedia_frame *frames;
    size_t count;
    size_t frame_cap;
    uint32_t clock_hz;
    uint32_t frame_ticks; /* every frame lasts as long */
};

struct rawmedia {
    struct rawmedia_track video;
    struct rawmedia_track audio;
};

/* Reads PREFIX.h264, PREFIX.h265, PREFIX.ivf (VP8), PREFIX.vp9.ivf or PREFIX.av1.ivf, and
 * PREFIX.opus. H.264 and H.265 are taken to have 30 frames a second, in the order of their
 * presentation. marker: RAWMEDIA_MARKER_LEN bytes, or NULL. 0 or a negative errno: -ENOENT no such
 * file, -EBADMSG not what the name says. */
int rawmedia_load(struct rawmedia *media, const char *prefix, enum rawmedia_codec video,
                  const uint8_t *marker);
void rawmedia_done(struct rawmedia *media);

/* Parsers, on bytes in memory; they append frames to the track. 0, -EBADMSG or -ENOMEM. */
int rawmedia_parse_h264(struct rawmedia_track *track, const uint8_t *data, size_t len,
                        const uint8_t *marker);
int rawmedia_parse_h265(struct rawmedia_track *track, const uint8_t *data, size_t len);
int rawmedia_parse_ivf(struct rawmedia_track *track, enum rawmedia_codec codec, const uint8_t *data,
                       size_t len);
int rawmedia_parse_ogg(struct rawmedia_track *track, const uint8_t *data, size_t len,
                       const uint8_t *marker);

#endif
