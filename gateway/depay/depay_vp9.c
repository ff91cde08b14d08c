/* VP9 from RTP (RFC 9628, flexible and non-flexible mode).
 *
 * The descriptor is removed, the payloads of each layer frame are joined, and the layer frames of
 * one picture with them, with one superframe index behind. All layers that come are passed on: the
 * decoder shows the last. The size of every frame is checked, not only that of key frames: VP9
 * may change it at any frame. */
#include "gateway/depay/depay.h"

#include "gateway/depay/vp9_header.h"
#include "gateway/depay/vp9_superframe.h"
#include "lib/base/reader.h"

#include <errno.h>
#include <string.h>

#define DIFFS_MAX 3u

/* What of a descriptor counts. */
struct descriptor {
    bool first;     /* of its layer frame */
    bool last;      /* of its layer frame */
    bool has_layer; /* spatial is valid */
    uint8_t spatial;
};

/* Invariant: while open, layer_at is the offset in the body of the layer frame that is not yet
 * complete. */
struct vp9 {
    struct vp9_refs refs;
    struct vp9_frames frames; /* of this picture, complete ones */
    bool open;
    size_t layer_at;
    bool has_spatial; /* spatial is that of this picture's newest layer frame */
    uint8_t spatial;
};

/* P_DIFF: up to three, each says whether another one follows. */
static int skip_diffs(struct reader *r)
{
    for (size_t i = 0; i < DIFFS_MAX; i++)
        if ((reader_u8(r) & 1) == 0)
            return 0;
    return -EBADMSG;
}

/* Scalability structure, 4.2.1:
 *   | N_S |Y|G|RES|   then width and height of N_S + 1 layers when Y,
 *   |     N_G     |   when G, and as many times |TID|U| R |RES| with R times | P_DIFF | */
static void skip_structure(struct reader *r)
{
    uint8_t head = reader_u8(r);
    if (head & 0x10)
        reader_bytes(r, ((size_t)(head >> 5) + 1) * 4);
    if ((head & 0x08) == 0)
        return;
    uint8_t count = reader_u8(r);
    for (unsigned i = 0; i < count && reader_ok(r); i++)
        reader_bytes(r, reader_u8(r) >> 2 & 3);
}

/* One payload behind its descriptor, RFC 9628 4.2:
 *   |I|P|L|F|B|E|V|Z|
 *   |M| PictureID   |   when I; 16 bits when M
 *   | TID |U| SID |D|   when L
 *   |   TL0PICIDX   |   when L and not F
 *   |   P_DIFF    |N|   when F and P
 *   scalability structure when V */
static int parse_descriptor(const uint8_t *payload, size_t len, struct descriptor *out,
                            struct reader *out_rest)
{
    struct descriptor d = {0};
    struct reader r;
    int rc = 0;
    reader_init(&r, payload, len);
    uint8_t head = reader_u8(&r);
    bool flexible = head & 0x10;
    if (head & 0x80) {
        uint8_t id = reader_u8(&r);
        if (id & 0x80)
            reader_u8(&r);
    }
    if (head & 0x20) {
        d.has_layer = true;
        d.spatial = reader_u8(&r) >> 1 & 7;
        if (!flexible)
            reader_u8(&r);
    }
    if (flexible && (head & 0x40))
        rc = skip_diffs(&r);
    if (head & 0x02)
        skip_structure(&r);
    if (rc < 0 || !reader_ok(&r) || reader_left(&r) == 0)
        return -EBADMSG;
    d.first = head & 0x08;
    d.last = head & 0x04;
    *out = d;
    *out_rest = r;
    return 0;
}

static bool vp9_begins(const uint8_t *payload, size_t len)
{
    struct descriptor head;
    struct reader rest;
    return parse_descriptor(payload, len, &head, &rest) == 0 && head.first && head.spatial == 0;
}

static void vp9_start(struct depay *d)
{
    struct vp9 *v = d->codec_state;
    v->frames.count = 0;
    v->open = false;
    v->has_spatial = false;
}

/* A layer frame begins, and only here; layers of one picture come in ascending order. */
static int open_layer(struct depay *d, struct vp9 *v, const struct descriptor *head)
{
    if (v->open || (head->has_layer && v->has_spatial && head->spatial <= v->spatial))
        return -EBADMSG;
    v->open = true;
    v->layer_at = d->len;
    v->has_spatial = head->has_layer;
    v->spatial = head->spatial;
    return 0;
}

/* The layer frame at the end of the body is complete; an index of its own is removed. */
static int close_layer(struct depay *d, struct vp9 *v)
{
    size_t len = 0;
    int rc =
        vp9_superframe_split(depay_body(d) + v->layer_at, d->len - v->layer_at, &v->frames, &len);
    v->open = false;
    if (rc < 0)
        return rc;
    d->len = v->layer_at + len;
    return 0;
}

static int vp9_append(struct depay *d, const uint8_t *payload, size_t len)
{
    struct vp9 *v = d->codec_state;
    struct descriptor head;
    struct reader rest;
    int rc = parse_descriptor(payload, len, &head, &rest);
    if (rc == 0 && head.first)
        rc = open_layer(d, v, &head);
    if (rc < 0)
        return rc;
    if (!v->open || head.has_layer != v->has_spatial || head.spatial != v->spatial)
        return -EBADMSG; /* a middle without start, or of another layer */
    size_t left = reader_left(&rest);
    rc = depay_put(d, reader_bytes(&rest, left), left);
    if (rc == 0 && head.last)
        rc = close_layer(d, v);
    return rc;
}

/* Reads all frames of the picture. -EAGAIN: it is no key frame, and one is needed. */
static int read_frames(struct depay *d, struct vp9 *v, struct depay_unit *unit)
{
    size_t at = 0;
    for (size_t i = 0; i < v->frames.count; i++) {
        struct vp9_header h;
        int rc = vp9_header_parse(depay_body(d) + at, v->frames.sizes[i], &v->refs, &h);
        bool key = rc == 0 && h.key;
        if (i == 0 && !key && d->need_key && rc != -ENOTSUP)
            return -EAGAIN; /* its references may be missing */
        if (rc == 0)
            rc = depay_check_size(d, h.size.width, h.size.height);
        if (rc < 0)
            return rc;
        if (i == 0)
            unit->key = key;
        if (unit->key) { /* the last layer is the largest and the one that is shown */
            unit->width = (uint16_t)h.size.width;
            unit->height = (uint16_t)h.size.height;
        }
        vp9_header_apply(&v->refs, &h);
        at += v->frames.sizes[i];
    }
    return 0;
}

static int put_index(struct depay *d, const struct vp9 *v)
{
    uint8_t index[VP9_INDEX_MAX];
    if (v->frames.count < 2)
        return 0;
    return depay_put(d, index, vp9_superframe_index(&v->frames, index));
}

static int vp9_finish(struct depay *d, struct depay_unit *unit)
{
    struct vp9 *v = d->codec_state;
    int rc = v->open ? close_layer(d, v) : 0; /* without E the picture's end is the layer's */
    if (rc == 0)
        rc = read_frames(d, v, unit);
    if (rc == 0)
        rc = put_index(d, v);
    if (rc < 0)
        return rc;
    unit->data = depay_body(d);
    unit->len = d->len;
    return 0;
}

const struct depay_ops depay_vp9_ops = {
    .state_len = sizeof(struct vp9),
    .has_keys = true,
    .single = false,
    .begins = vp9_begins,
    .start = vp9_start,
    .append = vp9_append,
    .finish = vp9_finish,
};
