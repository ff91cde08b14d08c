/* Cache of H.265 parameter sets: finds the ones a picture needs (ITU-T H.265 7.4.2.4.2).
 *
 * A picture names its PPS, that names its SPS, that its VPS. */
#ifndef SLUICE_DEPAY_H265_SETS_H
#define SLUICE_DEPAY_H265_SETS_H

#include "gateway/depay/nalset.h"

#include <stddef.h>
#include <stdint.h>

#define H265_VPS_SLOTS 2u
#define H265_SPS_SLOTS 4u
#define H265_PPS_SLOTS 16u

enum h265_set_type { H265_VPS = 32, H265_SPS = 33, H265_PPS = 34 };

struct h265_sets {
    uint32_t received;
    struct nalset vps[H265_VPS_SLOTS];
    struct nalset sps[H265_SPS_SLOTS];
    struct nalset pps[H265_PPS_SLOTS];
};

/* The sets of one picture. */
struct h265_chain {
    struct nalset *vps;
    struct nalset *sps;
    struct nalset *pps;
};

/* Takes a NAL unit that its header says to be a VPS, SPS or PPS. 0, -EBADMSG, -EMSGSIZE above
 * NALSET_LEN_MAX, or an error of h265_sps_parse. */
int h265_sets_add(struct h265_sets *s, const uint8_t *nal, size_t len);

/* 0 and the sets for a picture that names this PPS; -ENOENT when one has not come. */
int h265_sets_find(struct h265_sets *s, uint32_t pps_id, struct h265_chain *out);

/* An IRAP picture begins: all sets must be passed on anew. */
void h265_sets_forget_passed(struct h265_sets *s);

#endif
