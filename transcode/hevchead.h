/* H.265 access units: are they key frames, and how large a picture does the SPS claim. */
#ifndef SLUICE_TRANSCODE_HEVCHEAD_H
#define SLUICE_TRANSCODE_HEVCHEAD_H

#include "transcode/codedhead.h"

/* Walks the NAL units (4-byte lengths). A unit with an IRAP picture and an SPS counts as a key
 * frame (ITU-T H.265 7.3.2.2). 0; -EBADMSG for lengths that do not add up or a short SPS; -ENOTSUP
 * for another format than 4:2:0 with 8 bits. */
int hevchead_parse(const uint8_t *data, size_t len, struct codedhead *out);

/* Turns the lengths of a parsed access unit into start codes, in place: what FFmpeg's decoder wants
 * when parameter sets come with the pictures. */
void hevchead_to_start_codes(uint8_t *data, size_t len);

#endif
