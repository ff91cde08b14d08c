/* The prepared media that rawpub publishes, as frames in memory: H.264 from Annex B or VP8 from
 * IVF, and Opus from Ogg. With a marker, every access unit and every Opus packet carries it. */
#ifndef SLUICE_SUPPORT_RAWMEDIA_H
#define SLUICE_SUPPORT_RAWMEDIA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RAWMEDIA_MARKER_LEN 16
#define RAWMEDIA_FILE_MAX (256u << 20)

enum rawmedia_codec { RAWMEDIA_H264, RAWMEDIA_VP8, RAWMEDIA_OPUS };

/* H.264 frames are NAL units, each behind its length in 4 big-endian bytes; VP8 and Opus frames are
 * what the codec made. */
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

/* Reads PREFIX.h264 or PREFIX.ivf, and PREFIX.opus. H.264 is taken to have 30 frames a second.
 * marker: RAWMEDIA_MARKER_LEN bytes, or NULL. VP8 pictures carry no marker, Opus always does. 0 or
 * a negative errno: -ENOENT no such file, -EBADMSG not what the name says. */
int rawmedia_load(struct rawmedia *media, const char *prefix, enum rawmedia_codec video,
                  const uint8_t *marker);
void rawmedia_done(struct rawmedia *media);

/* Parsers, on bytes in memory; they append frames to the track. 0, -EBADMSG or -ENOMEM. */
int rawmedia_parse_h264(struct rawmedia_track *track, const uint8_t *data, size_t len,
                        const uint8_t *marker);
int rawmedia_parse_ivf(struct rawmedia_track *track, const uint8_t *data, size_t len);
int rawmedia_parse_ogg(struct rawmedia_track *track, const uint8_t *data, size_t len,
                       const uint8_t *marker);

#endif
