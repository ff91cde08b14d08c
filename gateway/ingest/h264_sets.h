/* Cache of H.264 parameter sets: finds the ones a picture needs (ITU-T H.264 7.4.1.2.1).
 *
 * A picture names its PPS, that names its SPS. A set that comes again with other bytes counts as
 * not yet passed on; a full cache replaces the set that came longest ago. */
#ifndef SLUICE_INGEST_H264_SETS_H
#define SLUICE_INGEST_H264_SETS_H

#include "gateway/ingest/sps.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define H264_SET_LEN_MAX 512u
#define H264_SPS_SLOTS 4u
#define H264_PPS_SLOTS 16u

/* One set: the whole NAL unit. Empty when len is 0. */
struct h264_set {
    uint16_t len;
    uint16_t id;
    uint16_t sps_id;   /* of a PPS */
    bool passed;       /* these bytes were put before a picture since the last IDR */
    uint32_t received; /* grows with each set that comes */
    struct sps sps;    /* of an SPS */
    uint8_t data[H264_SET_LEN_MAX];
};

struct h264_sets {
    uint32_t received;
    struct h264_set sps[H264_SPS_SLOTS];
    struct h264_set pps[H264_PPS_SLOTS];
};

/* Takes an SPS or PPS NAL unit. 0, -EBADMSG, -EMSGSIZE above H264_SET_LEN_MAX, or an error of
 * sps_parse. */
int h264_sets_add_sps(struct h264_sets *s, const uint8_t *nal, size_t len);
int h264_sets_add_pps(struct h264_sets *s, const uint8_t *nal, size_t len);

/* The cached set, or NULL. */
struct h264_set *h264_sets_find_pps(struct h264_sets *s, uint32_t id);
struct h264_set *h264_sets_find_sps(struct h264_sets *s, uint32_t id);

/* An IDR begins: all sets must be passed on anew. */
void h264_sets_forget_passed(struct h264_sets *s);

#endif
