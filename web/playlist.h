/* The text of HLS playlists (draft-pantos-hls-rfc8216bis; protocols.md 4), built from what a stream
 * holds. Nothing here keeps state or does I/O. */
#ifndef SLUICE_WEB_PLAYLIST_H
#define SLUICE_WEB_PLAYLIST_H

#include "lib/base/writer.h"
#include "web/rendition.h"

#include <stdbool.h>
#include <stdint.h>

#define PLAYLIST_TEXT_MAX (96u << 10) /* no playlist is longer */
#define PLAYLIST_PARTS_MAX 512u       /* EXT-X-PART lines of one playlist; the newest stay */
#define PLAYLIST_HOLD_BACK_PARTS 3u   /* PART-HOLD-BACK (LL-04) */
#define PLAYLIST_NAME_MAX 96u

/* Everything a playlist is made of. */
struct playlist_input {
    const struct part_hello *hello;
    const struct rendition *renditions; /* PART_RENDITIONS_MAX of them */
    bool ended;
};

/* The media playlist of one rendition, which must have a visible segment. */
void playlist_write_media(struct writer *w, const struct playlist_input *in, uint32_t rendition);

/* The multivariant playlist over all renditions that have a visible segment; one at least. */
void playlist_write_multivariant(struct writer *w, const struct playlist_input *in);

/* True when the multivariant playlist can name everything the worker has announced. */
bool playlist_is_whole(const struct playlist_input *in);

/* How many parts ahead a client may ask for: 3 / PART-TARGET, or 3 from 1 s on (LL-13). */
uint32_t playlist_part_limit(const struct part_hello *hello);

/* File names, which route.h parses: relative to the media playlist, unique for ever (HLS-16). */
void playlist_segment_name(char to[PLAYLIST_NAME_MAX], uint64_t epoch, uint64_t msn);
void playlist_part_name(char to[PLAYLIST_NAME_MAX], uint64_t epoch, uint64_t msn, uint32_t part);
void playlist_init_name(char to[PLAYLIST_NAME_MAX], uint64_t epoch, uint64_t hash);

#endif
