/* Cache of H.264 parameter sets: finds the ones a picture needs (ITU-T H.264 7.4.1.2.1).
 *
 * A picture names its PPS, that names its SPS. */
#ifndef SLUICE_DEPAY_H264_SETS_H
#define SLUICE_DEPAY_H264_SETS_H

#include "gateway/depay/nalset.h"

#include <stddef.h>
#include <stdint.h>

#define H264_SPS_SLOTS 4u
#define H264_PPS_SLOTS 16u

struct h264_sets {
    uint32_t received;
    struct nalset sps[H264_SPS_SLOTS];
    struct nalset pps[H264_PPS_SLOTS];
};

/* Takes an SPS or PPS NAL unit. 0, -EBADMSG, -EMSGSIZE above NALSET_LEN_MAX, or an error of
 * sps_parse. */
int h264_sets_add_sps(struct h264_sets *s, const uint8_t *nal, size_t len);
int h264_sets_add_pps(struct h264_sets *s, const uint8_t *nal, size_t len);

/* The cached set, or NULL. */
struct nalset *h264_sets_find_pps(struct h264_sets *s, uint32_t id);
struct nalset *h264_sets_find_sps(struct h264_sets *s, uint32_t id);

/* An IDR begins: all sets must be passed on anew. */
void h264_sets_forget_passed(struct h264_sets *s);

#endif
