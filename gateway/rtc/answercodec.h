/* Which payload type of a section we want, and what its format parameters mean: a part of answer.c,
 * not for others (RFC 6184 8, RFC 7798 7, RFC 9628 6, the AV1 RTP payload format 7; COD-01 to 03).
 *
 * Preference H.264 (packetization-mode 1 before 0), VP8, VP9, H.265, AV1: the first plays
 * everywhere untouched, the others are transcoded, and the cheaper they are to encode and decode
 * the earlier they come. */
#ifndef SLUICE_RTC_ANSWERCODEC_H
#define SLUICE_RTC_ANSWERCODEC_H

#include "gateway/rtc/sdp.h"
#include "lib/base/writer.h"
#include "lib/proto/stream.h"

#include <stddef.h>
#include <stdint.h>

/* The codec of a format, whatever its parameters; CODEC_NONE for one that we do not know. */
enum codec answercodec_of(const struct sdp_format *format);

/* The format that we want most among those of the codecs in the set (1u << enum codec); NULL when
 * there is none that we could decode. */
const struct sdp_format *answercodec_choose(const struct sdp_section *section, uint32_t codecs);

/* The packetization-mode of an H.264 format; absent means 0. UINT32_MAX for one that we lack. */
uint32_t answercodec_h264_mode(struct slice fmtp);

/* Copies the parameter sets that the offer announces: H.264 sprop-parameter-sets; H.265 VPS, SPS
 * and PPS joined with commas. Empty when there are none, or too many for cap: then they come
 * in-band (COD-06). */
void answercodec_copy_sprop(const struct sdp_format *format, char *to, size_t cap);

/* Writes the parameters that an answer must repeat, joined with semicolons, without a blank at
 * either end; nothing when there are none. */
void answercodec_write_parameters(struct writer *w, const struct sdp_format *format);

/* The RTX format whose apt is that format (COD-12); NULL when there is none. */
const struct sdp_format *answercodec_find_rtx(const struct sdp_section *section,
                                              const struct sdp_format *format);

#endif
