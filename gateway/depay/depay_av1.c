/* AV1 from RTP (RTP Payload Format For AV1, version 1.0, by the Alliance for Open Media).
 *
 * OBUs are joined from their fragments and get a size field. Temporal delimiters, tile lists,
 * padding and reserved types are removed. Sequence headers too: the newest one goes before each key
 * frame, and nowhere else. All layers that come are passed on. */
#include "gateway/depay/depay.h"

#include "gateway/depay/av1_obu.h"
#include "gateway/depay/av1_sequence.h"
#include "lib/base/reader.h"

#include <errno.h>
#include <string.h>

#define OBUS_MAX 500u /* of one unit, below what transcode takes */
#define SEQUENCE_MAX 512u
#define HAS_SIZE 0x02u
#define KEY_FRAME 0u

/* The aggregation header, 4.4: |Z|Y|W W|N|-|-|-| */
enum aggregation {
    AGG_CONTINUES = 0x80,    /* Z: the first element is the rest of an OBU */
    AGG_CONTINUED = 0x40,    /* Y: the last element goes on in the next packet */
    AGG_NEW_SEQUENCE = 0x08, /* N: a coded video sequence begins */
    AGG_COUNT_SHIFT = 4,     /* W: number of elements, 0: each has a length */
    AGG_COUNT_MASK = 3,
};

_Static_assert(SEQUENCE_MAX <= DEPAY_HEADROOM, "a sequence header fits in front of a unit");

/* Invariant: while open, obu_at is the offset in the body of the OBU that is not yet complete. */
struct av1 {
    size_t obu_at;
    bool open;
    bool has_frame; /* key tells about this unit's first frame */
    bool key;
    uint32_t obus;
    bool new_sequence; /* sequence is not that of the last unit passed on */
    size_t sequence_len;
    struct av1_sequence format; /* of sequence */
    uint8_t sequence[SEQUENCE_MAX];
};

static bool av1_begins(const uint8_t *payload, size_t len)
{
    struct reader r;
    reader_init(&r, payload, len);
    uint8_t head = reader_u8(&r);
    if ((head >> AGG_COUNT_SHIFT & AGG_COUNT_MASK) != 1)
        (void)av1_read_leb128(&r);
    uint8_t type = reader_u8(&r) >> 3 & 0xf;
    if (!reader_ok(&r) || (head & AGG_CONTINUES))
        return false;
    return (head & AGG_NEW_SEQUENCE) || type == AV1_TEMPORAL_DELIMITER ||
           type == AV1_SEQUENCE_HEADER; /* 7.5: nothing of a unit precedes these */
}

static void av1_start(struct depay *d)
{
    struct av1 *a = d->codec_state;
    a->open = false;
    a->has_frame = false;
    a->key = false;
    a->obus = 0;
}

/* obu is written as it is kept: with its size field. */
static int take_sequence(struct av1 *a, const uint8_t *obu, size_t len, size_t payload_len)
{
    struct av1_sequence format;
    if (len > SEQUENCE_MAX)
        return -EMSGSIZE;
    int rc = av1_sequence_parse(obu + len - payload_len, payload_len, &format);
    if (rc < 0)
        return rc;
    if (len == a->sequence_len && memcmp(a->sequence, obu, len) == 0)
        return 0;
    memcpy(a->sequence, obu, len);
    a->sequence_len = len;
    a->format = format;
    a->new_sequence = true;
    return 0;
}

/* The first bits of a frame header, 5.9.2: show_existing_frame, frame_type, show_frame. */
static int note_frame(struct av1 *a, const uint8_t *payload, size_t len)
{
    if (len == 0)
        return -EBADMSG;
    bool existing = payload[0] & 0x80;
    unsigned type = payload[0] >> 5 & 3;
    bool shown = payload[0] & 0x10;
    if (!a->has_frame)
        a->key = !existing && type == KEY_FRAME && shown;
    a->has_frame = true;
    return 0;
}

static bool is_kept(uint8_t type)
{
    return type >= AV1_FRAME_HEADER && type <= AV1_REDUNDANT_FRAME_HEADER;
}

/* Rewrites the OBU at the end of the body with the shortest size field. */
static int put_size(struct depay *d, struct av1 *a, const struct av1_obu *obu)
{
    uint8_t size[AV1_LEB128_MAX];
    size_t size_len = av1_write_leb128((uint32_t)obu->payload_len, size);
    size_t payload_at = obu->head_len + size_len;
    uint8_t *data = depay_body(d) + a->obu_at;
    if (payload_at > obu->payload_at) {
        int rc = depay_put(d, size, payload_at - obu->payload_at); /* room */
        if (rc < 0)
            return rc;
    }
    memmove(data + payload_at, data + obu->payload_at, obu->payload_len);
    memcpy(data + obu->head_len, size, size_len);
    data[0] |= HAS_SIZE;
    d->len = a->obu_at + payload_at + obu->payload_len;
    return 0;
}

/* The OBU at the end of the body is complete: it stays, or goes to the cache, or nowhere. */
static int close_obu(struct depay *d, struct av1 *a)
{
    struct av1_obu obu;
    uint8_t *data = depay_body(d) + a->obu_at;
    a->open = false;
    int rc = av1_obu_parse(data, d->len - a->obu_at, &obu);
    if (rc == 0 && ++a->obus > OBUS_MAX)
        rc = -EMSGSIZE;
    if (rc < 0)
        return rc;
    if (obu.type == AV1_FRAME || obu.type == AV1_FRAME_HEADER)
        rc = note_frame(a, data + obu.payload_at, obu.payload_len);
    if (rc == 0 && (is_kept(obu.type) || obu.type == AV1_SEQUENCE_HEADER))
        rc = put_size(d, a, &obu);
    if (rc == 0 && obu.type == AV1_SEQUENCE_HEADER)
        rc = take_sequence(a, data, d->len - a->obu_at, obu.payload_len);
    if (!is_kept(obu.type))
        d->len = a->obu_at;
    return rc;
}

/* One OBU element. goes_on: the rest of its OBU is in the next packet. */
static int put_element(struct depay *d, struct av1 *a, const uint8_t *data, size_t len,
                       bool goes_on)
{
    if (!a->open)
        a->obu_at = d->len;
    a->open = true;
    int rc = depay_put(d, data, len);
    if (rc == 0 && !goes_on)
        rc = close_obu(d, a);
    return rc;
}

static int av1_append(struct depay *d, const uint8_t *payload, size_t len)
{
    struct av1 *a = d->codec_state;
    struct reader r;
    reader_init(&r, payload, len);
    uint8_t head = reader_u8(&r);
    unsigned count = head >> AGG_COUNT_SHIFT & AGG_COUNT_MASK;
    bool continues = head & AGG_CONTINUES;
    if (reader_left(&r) == 0 || continues != a->open)
        return -EBADMSG; /* a middle without start, or a start inside an OBU */
    unsigned done = 0;
    while (reader_left(&r) > 0) {
        done++;
        size_t element = done == count ? reader_left(&r) : av1_read_leb128(&r);
        const uint8_t *data = reader_bytes(&r, element);
        if (!reader_ok(&r) || element == 0)
            return -EBADMSG;
        bool goes_on = (head & AGG_CONTINUED) && reader_left(&r) == 0;
        int rc = put_element(d, a, data, element, goes_on);
        if (rc < 0)
            return rc;
    }
    return count != 0 && done != count ? -EBADMSG : 0;
}

static int finish_key(struct depay *d, struct av1 *a, struct depay_unit *unit)
{
    if (a->sequence_len == 0)
        return -EBADMSG;
    int rc = depay_check_size(d, a->format.width, a->format.height);
    if (rc < 0)
        return rc;
    uint8_t *front = depay_body(d) - a->sequence_len;
    memcpy(front, a->sequence, a->sequence_len);
    unit->data = front;
    unit->len = a->sequence_len + d->len;
    unit->width = a->format.width;
    unit->height = a->format.height;
    unit->key = true;
    a->new_sequence = false;
    return 0;
}

static int av1_finish(struct depay *d, struct depay_unit *unit)
{
    struct av1 *a = d->codec_state;
    if (a->open)
        return -EBADMSG;
    if (!a->has_frame)
        return -EAGAIN; /* a sequence header or metadata alone */
    if (a->key)
        return finish_key(d, a, unit);
    if (d->need_key)
        return -EAGAIN;
    if (a->new_sequence)
        return -EBADMSG; /* 7.5: a sequence begins with a key frame */
    unit->data = depay_body(d);
    unit->len = d->len;
    unit->key = false;
    return 0;
}

const struct depay_ops depay_av1_ops = {
    .state_len = sizeof(struct av1),
    .has_keys = true,
    .single = false,
    .begins = av1_begins,
    .start = av1_start,
    .append = av1_append,
    .finish = av1_finish,
};
