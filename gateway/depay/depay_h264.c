/* H.264 from RTP (RFC 6184, packetization modes 0 and 1).
 *
 * Single NAL unit, STAP-A (5.7.1) and FU-A (5.8) packets; everything else of the RFC (STAP-B, MTAP,
 * FU-B: mode 2) is refused. Parameter sets go into the cache and come back in front of the unit
 * that needs them: before each IDR, and before another picture when they are new (COD-06). Access
 * unit delimiters, filler and ends of sequence are removed. */
#include "gateway/depay/depay.h"

#include "gateway/depay/h264_sets.h"
#include "gateway/depay/nalbody.h"
#include "gateway/depay/rbsp.h"
#include "gateway/depay/sprop.h"
#include "lib/base/reader.h"
#include "lib/base/writer.h"

#include <errno.h>
#include <string.h>

#define PPS_USED_MAX 8u /* different PPS of one picture */

enum nal_type {
    NAL_SLICE = 1,
    NAL_IDR = 5,
    NAL_SEI = 6,
    NAL_SPS = 7,
    NAL_PPS = 8,
    NAL_AUD = 9,
    NAL_STAP_A = 24,
    NAL_FU_A = 28,
};

/* Headroom holds one SPS and all PPS of a picture. */
_Static_assert((NALSET_PREFIX_LEN + NALSET_LEN_MAX) * (1 + PPS_USED_MAX) <= DEPAY_HEADROOM,
               "parameter sets fit in front of a unit");

struct h264 {
    struct h264_sets sets;
    struct nalbody body;
    bool has_slice;
    bool idr;
    uint32_t used_count;
    uint16_t used[PPS_USED_MAX]; /* ids of the PPS that slices of this unit name */
};

static bool h264_begins(const uint8_t *payload, size_t len)
{
    if (len < 1)
        return false;
    unsigned type = payload[0] & 0x1f;
    if (type == NAL_STAP_A && len > 3)
        type = payload[3] & 0x1f;
    return type == NAL_SPS ||
           type == NAL_AUD; /* 7.4.1.2.3: nothing else of a unit precedes these */
}

static void h264_start(struct depay *d)
{
    struct h264 *h = d->codec_state;
    h->body.open = false;
    h->has_slice = false;
    h->idr = false;
    h->used_count = 0;
}

/* Notes the PPS that a slice names: first_mb_in_slice, slice_type, pic_parameter_set_id, 7.3.3. */
static int note_slice(struct h264 *h, const uint8_t *nal, size_t len)
{
    struct rbsp r;
    rbsp_init(&r, nal + 1, len - 1);
    rbsp_ue(&r);
    rbsp_ue(&r);
    uint32_t id = rbsp_ue(&r);
    if (!rbsp_ok(&r) || id > UINT8_MAX)
        return -EBADMSG;
    bool idr = (nal[0] & 0x1f) == NAL_IDR;
    if (h->has_slice && idr != h->idr)
        return -EBADMSG; /* 7.4.1.2.4: one unit is IDR or it is not */
    h->has_slice = true;
    h->idr = idr;
    for (uint32_t i = 0; i < h->used_count; i++)
        if (h->used[i] == id)
            return 0;
    if (h->used_count == PPS_USED_MAX)
        return -EMSGSIZE;
    h->used[h->used_count++] = (uint16_t)id;
    return 0;
}

/* What the unit's content asks for: *out_keep tells whether it stays in the body. */
static int sort_nal(struct h264 *h, const uint8_t *nal, size_t len, bool *out_keep)
{
    switch (nal[0] & 0x1f) {
    case NAL_SLICE:
    case NAL_IDR:
        *out_keep = true;
        return note_slice(h, nal, len);
    case NAL_SEI:
        *out_keep = true;
        return 0;
    case NAL_SPS:
        return h264_sets_add_sps(&h->sets, nal, len);
    case NAL_PPS:
        return h264_sets_add_pps(&h->sets, nal, len);
    case 2:
    case 3:
    case 4:
        return -EBADMSG; /* data partitions: Extended profile, never negotiated */
    default:
        return 0; /* delimiters, filler, ends, layers that this decoder ignores */
    }
}

/* Decides what becomes of the NAL unit at the end of the body: it stays, or goes to the cache, or
 * nowhere. */
static int close_nal(struct depay *d, struct h264 *h)
{
    size_t len;
    const uint8_t *nal = nalbody_get(&h->body, d, &len);
    bool keep = false;
    int rc = -EBADMSG;
    if (len > 0 && (nal[0] & 0x80) == 0)
        rc = sort_nal(h, nal, len, &keep);
    nalbody_close(&h->body, d, keep);
    return rc;
}

static int put_nal(struct depay *d, struct h264 *h, const uint8_t *data, size_t len)
{
    int rc = nalbody_open(&h->body, d);
    if (rc == 0)
        rc = depay_put(d, data, len);
    return rc == 0 ? close_nal(d, h) : rc;
}

static int append_stap(struct depay *d, struct h264 *h, const uint8_t *payload, size_t len)
{
    struct reader r;
    reader_init(&r, payload, len);
    reader_u8(&r);
    if (reader_left(&r) == 0)
        return -EBADMSG;
    while (reader_left(&r) > 0) {
        size_t nal_len = reader_u16(&r);
        const uint8_t *nal = reader_bytes(&r, nal_len);
        if (!reader_ok(&r) || nal_len == 0 || (nal[0] & 0x1f) >= NAL_STAP_A)
            return -EBADMSG;
        int rc = put_nal(d, h, nal, nal_len);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* | F|NRI| 28 |  S|E|R|Type |  fragment ... */
static int append_fu(struct depay *d, struct h264 *h, const uint8_t *payload, size_t len)
{
    if (len < 3)
        return -EBADMSG;
    bool start = payload[1] & 0x80;
    bool end = payload[1] & 0x40;
    uint8_t type = payload[1] & 0x1f;
    if (type == 0 || type >= NAL_STAP_A || start == h->body.open)
        return -EBADMSG; /* a start inside a unit, or a middle without start */
    int rc = 0;
    if (start) {
        uint8_t header = (uint8_t)((payload[0] & 0xe0) | type);
        rc = nalbody_open(&h->body, d);
        if (rc == 0)
            rc = depay_put(d, &header, 1);
    }
    if (rc == 0)
        rc = depay_put(d, payload + 2, len - 2);
    if (rc == 0 && end)
        rc = close_nal(d, h);
    return rc;
}

static int h264_append(struct depay *d, const uint8_t *payload, size_t len)
{
    struct h264 *h = d->codec_state;
    if (len < 1)
        return -EBADMSG;
    unsigned type = payload[0] & 0x1f;
    if (type == NAL_FU_A)
        return append_fu(d, h, payload, len);
    if (h->body.open)
        return -EBADMSG; /* the fragmented unit before has no end */
    if (type == NAL_STAP_A)
        return append_stap(d, h, payload, len);
    if (type == 0 || type > NAL_STAP_A)
        return -EBADMSG;
    return put_nal(d, h, payload, len);
}

/* The one SPS that all PPS of the unit name; NULL when a set is missing or they differ. */
static struct nalset *find_sps(struct h264 *h)
{
    struct nalset *sps = NULL;
    for (uint32_t i = 0; i < h->used_count; i++) {
        struct nalset *pps = h264_sets_find_pps(&h->sets, h->used[i]);
        if (!pps)
            return NULL;
        struct nalset *named = h264_sets_find_sps(&h->sets, pps->parent_id);
        if (!named || (sps && named != sps))
            return NULL;
        sps = named;
    }
    return sps;
}

/* Puts the sets that the unit needs directly in front of the body; the bytes put there. */
static size_t put_sets(struct depay *d, struct h264 *h, struct nalset *sps)
{
    uint8_t sets[DEPAY_HEADROOM];
    struct writer w;
    writer_init(&w, sets, sizeof(sets));
    nalset_write(sps, &w);
    for (uint32_t i = 0; i < h->used_count; i++)
        nalset_write(h264_sets_find_pps(&h->sets, h->used[i]), &w);
    memcpy(depay_body(d) - w.len, sets, w.len);
    return w.len;
}

static int h264_finish(struct depay *d, struct depay_unit *unit)
{
    struct h264 *h = d->codec_state;
    if (h->body.open)
        return -EBADMSG;
    if (!h->has_slice)
        return -EAGAIN; /* parameter sets or SEI alone */
    if (!h->idr && d->need_key) {
        unit->key = false; /* held back by the caller: its sets are not passed on */
        return 0;
    }
    struct nalset *sps = find_sps(h);
    if (!sps || (!h->idr && !sps->passed))
        return -EBADMSG; /* no set for it, or the SPS changed without an IDR (7.4.1.2.1) */
    if (h->idr) {
        int rc = depay_check_size(d, sps->width, sps->height);
        if (rc < 0)
            return rc;
        h264_sets_forget_passed(&h->sets);
        unit->width = sps->width;
        unit->height = sps->height;
    }
    size_t front = put_sets(d, h, sps);
    unit->data = depay_body(d) - front;
    unit->len = front + d->len;
    unit->key = h->idr;
    return 0;
}

static void h264_announce(struct depay *d, struct slice text)
{
    struct h264 *h = d->codec_state;
    uint8_t nal[SPROP_NAL_MAX];
    size_t len = 0;
    for (int rc = sprop_next(&text, nal, &len); rc != -ENOENT; rc = sprop_next(&text, nal, &len)) {
        if (rc == 0 && (nal[0] & 0x9f) == NAL_SPS)
            (void)h264_sets_add_sps(&h->sets, nal, len);
        if (rc == 0 && (nal[0] & 0x9f) == NAL_PPS)
            (void)h264_sets_add_pps(&h->sets, nal, len);
    }
}

const struct depay_ops depay_h264_ops = {
    .state_len = sizeof(struct h264),
    .has_keys = true,
    .single = false,
    .begins = h264_begins,
    .start = h264_start,
    .append = h264_append,
    .finish = h264_finish,
    .announce = h264_announce,
};
