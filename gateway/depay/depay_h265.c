/* H.265 from RTP (RFC 7798, one stream in decoding order: no DONL fields).
 *
 * Single NAL unit, aggregation (4.4.2) and fragmentation (4.4.3) packets; PACI packets (4.4.4) are
 * refused. Parameter sets go into the cache and come back in front of the unit that needs them:
 * before each IRAP picture, and before another picture when its PPS is new. Delimiters, filler,
 * ends of sequence and layers above the base are removed, and after a random access the leading
 * pictures that refer to what was before (RASL). */
#include "gateway/depay/depay.h"

#include "gateway/depay/h265_sets.h"
#include "gateway/depay/h265_sps.h"
#include "gateway/depay/nalbody.h"
#include "gateway/depay/rbsp.h"
#include "gateway/depay/sprop.h"
#include "lib/base/reader.h"
#include "lib/base/writer.h"

#include <errno.h>
#include <string.h>

#define HEAD_LEN H265_NAL_HEAD_LEN
#define FU_HEAD_LEN (HEAD_LEN + 1)
#define FU_START 0x80u
#define FU_END 0x40u
#define NALS_MAX 500u /* of one unit, with room for the sets below what transcode takes */

/* ITU-T H.265 table 7-1, RFC 7798 4.4. */
enum nal_type {
    NAL_RASL_N = 8,
    NAL_RASL_R = 9, /* the last kind of picture that is in use below the IRAP ones */
    NAL_BLA_FIRST = 16,
    NAL_BLA_LAST = 18,
    NAL_IRAP_LAST = 21,
    NAL_AUD = 35,
    NAL_END_FIRST = 36, /* of a sequence */
    NAL_END_LAST = 37,  /* of the bitstream */
    NAL_SEI_FIRST = 39,
    NAL_SEI_LAST = 40,
    NAL_AP = 48,
    NAL_FU = 49,
};

_Static_assert((NALSET_PREFIX_LEN + NALSET_LEN_MAX) * 3 <= DEPAY_HEADROOM,
               "parameter sets fit in front of a unit");

struct h265 {
    struct h265_sets sets;
    struct nalbody body;
    bool has_slice; /* type and pps_id are those of this unit's picture */
    uint8_t type;
    uint32_t pps_id;
    uint32_t nals;
    bool ends;      /* a sequence ended in this unit */
    bool ended;     /* the next IRAP picture begins another sequence */
    bool drop_rasl; /* pictures before the last IRAP one did not come */
};

static unsigned type_of(const uint8_t *nal)
{
    return nal[0] >> 1 & 0x3f;
}

static bool is_irap(unsigned type)
{
    return type >= NAL_BLA_FIRST && type <= NAL_IRAP_LAST;
}

static bool is_slice(unsigned type)
{
    return type <= NAL_RASL_R || is_irap(type);
}

static bool h265_begins(const uint8_t *payload, size_t len)
{
    if (len < HEAD_LEN)
        return false;
    unsigned type = type_of(payload);
    if (type == NAL_AP && len > HEAD_LEN + 2)
        type = type_of(payload + HEAD_LEN + 2);
    if (type == NAL_FU && len > FU_HEAD_LEN && (payload[HEAD_LEN] & FU_START))
        type = payload[HEAD_LEN] & 0x3f;
    /* 7.4.2.4.4: nothing else of a unit precedes these */
    return type == NAL_AUD || type == H265_VPS || type == H265_SPS;
}

static void h265_start(struct depay *d)
{
    struct h265 *h = d->codec_state;
    h->body.open = false;
    h->has_slice = false;
    h->nals = 0;
    h->ended |= h->ends;
    h->ends = false;
}

/* Notes kind and PPS of the unit's one picture (7.3.6.1): they are the same in all its slices. */
static int note_slice(struct h265 *h, const uint8_t *nal, size_t len)
{
    struct rbsp r;
    unsigned type = type_of(nal);
    rbsp_init(&r, nal + HEAD_LEN, len - HEAD_LEN);
    bool first = rbsp_flag(&r);
    if (is_irap(type))
        rbsp_flag(&r); /* no_output_of_prior_pics_flag */
    uint32_t id = rbsp_ue(&r);
    if (!rbsp_ok(&r) || id >= H265_PPS_IDS || first == h->has_slice)
        return -EBADMSG; /* a picture without its beginning, or a second one */
    if (h->has_slice && (type != h->type || id != h->pps_id))
        return -EBADMSG;
    h->has_slice = true;
    h->type = (uint8_t)type;
    h->pps_id = id;
    return 0;
}

/* What the unit's content asks for: *out_keep tells whether it stays in the body. */
static int sort_nal(struct h265 *h, const uint8_t *nal, size_t len, bool *out_keep)
{
    unsigned type = type_of(nal);
    bool base = (nal[0] & 1) == 0 && nal[1] >> 3 == 0;
    if (++h->nals > NALS_MAX)
        return -EMSGSIZE;
    if (!base)
        return 0; /* of a layer that this decoder ignores */
    if (is_slice(type)) {
        *out_keep = true;
        return note_slice(h, nal, len);
    }
    if (type >= H265_VPS && type <= H265_PPS)
        return h265_sets_add(&h->sets, nal, len);
    if (type == NAL_END_FIRST || type == NAL_END_LAST)
        h->ends = true;
    *out_keep = type >= NAL_SEI_FIRST && type <= NAL_SEI_LAST && len > HEAD_LEN;
    return 0;
}

/* Decides what becomes of the NAL unit at the end of the body: it stays, or goes to the cache, or
 * nowhere. */
static int close_nal(struct depay *d, struct h265 *h)
{
    size_t len;
    const uint8_t *nal = nalbody_get(&h->body, d, &len);
    bool keep = false;
    int rc = -EBADMSG;
    if (len >= HEAD_LEN && (nal[0] & 0x80) == 0 && (nal[1] & 7) != 0)
        rc = sort_nal(h, nal, len, &keep); /* 7.4.2.2: nuh_temporal_id_plus1 is never 0 */
    nalbody_close(&h->body, d, keep);
    return rc;
}

static int put_nal(struct depay *d, struct h265 *h, const uint8_t *data, size_t len)
{
    int rc = nalbody_open(&h->body, d);
    if (rc == 0)
        rc = depay_put(d, data, len);
    return rc == 0 ? close_nal(d, h) : rc;
}

/* | payload header | size | NAL unit | size | NAL unit ... */
static int append_aggregate(struct depay *d, struct h265 *h, const uint8_t *payload, size_t len)
{
    struct reader r;
    reader_init(&r, payload, len);
    reader_u16(&r);
    if (reader_left(&r) == 0)
        return -EBADMSG;
    while (reader_left(&r) > 0) {
        size_t nal_len = reader_u16(&r);
        const uint8_t *nal = reader_bytes(&r, nal_len);
        if (!reader_ok(&r) || nal_len < HEAD_LEN || type_of(nal) >= NAL_AP)
            return -EBADMSG;
        int rc = put_nal(d, h, nal, nal_len);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* | payload header |  S|E|FuType |  fragment ... */
static int append_fragment(struct depay *d, struct h265 *h, const uint8_t *payload, size_t len)
{
    if (len <= FU_HEAD_LEN)
        return -EBADMSG;
    bool start = payload[HEAD_LEN] & FU_START;
    bool end = payload[HEAD_LEN] & FU_END;
    unsigned type = payload[HEAD_LEN] & 0x3f;
    if (type >= NAL_AP || start == h->body.open)
        return -EBADMSG; /* a start inside a unit, or a middle without start */
    int rc = 0;
    if (start) {
        uint8_t head[HEAD_LEN] = {(uint8_t)((payload[0] & 0x81) | type << 1), payload[1]};
        rc = nalbody_open(&h->body, d);
        if (rc == 0)
            rc = depay_put(d, head, sizeof(head));
    }
    if (rc == 0)
        rc = depay_put(d, payload + FU_HEAD_LEN, len - FU_HEAD_LEN);
    if (rc == 0 && end)
        rc = close_nal(d, h);
    return rc;
}

static int h265_append(struct depay *d, const uint8_t *payload, size_t len)
{
    struct h265 *h = d->codec_state;
    if (len < HEAD_LEN)
        return -EBADMSG;
    unsigned type = type_of(payload);
    if (type == NAL_FU)
        return append_fragment(d, h, payload, len);
    if (h->body.open)
        return -EBADMSG; /* the fragmented unit before has no end */
    if (type == NAL_AP)
        return append_aggregate(d, h, payload, len);
    if (type > NAL_FU)
        return -EBADMSG;
    return put_nal(d, h, payload, len);
}

/* Puts the sets that the unit needs directly in front of the body; the bytes put there. */
static size_t put_sets(struct depay *d, const struct h265_chain *chain)
{
    uint8_t sets[DEPAY_HEADROOM];
    struct writer w;
    writer_init(&w, sets, sizeof(sets));
    nalset_write(chain->vps, &w);
    nalset_write(chain->sps, &w);
    nalset_write(chain->pps, &w);
    memcpy(depay_body(d) - w.len, sets, w.len);
    return w.len;
}

static int check_irap(struct depay *d, struct h265 *h, const struct nalset *sps)
{
    int rc = depay_check_size(d, sps->width, sps->height);
    if (rc < 0)
        return rc;
    h265_sets_forget_passed(&h->sets);
    h->drop_rasl = d->need_key || h->ended || h->type <= NAL_BLA_LAST;
    h->ended = false;
    return 0;
}

static int h265_finish(struct depay *d, struct depay_unit *unit)
{
    struct h265 *h = d->codec_state;
    struct h265_chain sets;
    if (h->body.open)
        return -EBADMSG;
    if (!h->has_slice)
        return -EAGAIN; /* parameter sets or SEI alone */
    bool irap = is_irap(h->type);
    if (!irap && d->need_key) {
        unit->key = false; /* held back by the caller: its sets are not passed on */
        return 0;
    }
    if (h->drop_rasl && (h->type == NAL_RASL_N || h->type == NAL_RASL_R))
        return -EAGAIN;
    if (h265_sets_find(&h->sets, h->pps_id, &sets) < 0)
        return -EBADMSG;
    if (!irap && (!sets.sps->passed || !sets.vps->passed))
        return -EBADMSG; /* they change with IRAP pictures only (7.4.2.4.2) */
    if (irap) {
        int rc = check_irap(d, h, sets.sps);
        if (rc < 0)
            return rc;
        unit->width = sets.sps->width;
        unit->height = sets.sps->height;
    }
    size_t front = put_sets(d, &sets);
    unit->data = depay_body(d) - front;
    unit->len = front + d->len;
    unit->key = irap;
    return 0;
}

static void h265_announce(struct depay *d, struct slice text)
{
    struct h265 *h = d->codec_state;
    uint8_t nal[SPROP_NAL_MAX];
    size_t len = 0;
    for (int rc = sprop_next(&text, nal, &len); rc != -ENOENT; rc = sprop_next(&text, nal, &len)) {
        if (rc == 0 && len > HEAD_LEN && (nal[0] & 0x81) == 0 && nal[1] >> 3 == 0)
            (void)h265_sets_add(&h->sets, nal, len);
    }
}

const struct depay_ops depay_h265_ops = {
    .state_len = sizeof(struct h265),
    .has_keys = true,
    .single = false,
    .begins = h265_begins,
    .start = h265_start,
    .append = h265_append,
    .finish = h265_finish,
    .announce = h265_announce,
};
