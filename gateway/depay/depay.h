/* Interface of the depacketisers: RTP payloads in order in, whole access units out.
 *
 * The common part finds the borders of access units (marker or timestamp change, whichever comes
 * first, COD-04), keeps the limits of threats.md M2 and, after a loss, drops the damaged unit and
 * holds video until the next key frame (RTP-10). depay_h264, depay_vp9 and their like say what is
 * inside. Allocates only in depay_new. No I/O, no clock. */
#ifndef SLUICE_DEPAY_DEPAY_H
#define SLUICE_DEPAY_DEPAY_H

#include "lib/base/text.h"
#include "lib/proto/frame.h"
#include "lib/proto/stream.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DEPAY_PACKETS_MAX 1024u /* packets of one access unit (M2) */
#define DEPAY_HEADROOM 8192u    /* bytes before the unit, for parameter sets put in front */
#define DEPAY_BODY_MAX (FRAME_PAYLOAD_MAX - DEPAY_HEADROOM)

/* One RTP packet, in sequence; data is its payload without padding. */
struct depay_packet {
    const uint8_t *data;
    size_t len;
    uint32_t rtp_time;
    bool marker;
    uint64_t arrival_us;
};

/* One access unit in the form that lib/proto/frame.h describes. data is borrowed for the call. */
struct depay_unit {
    const uint8_t *data;
    size_t len;
    uint32_t rtp_time;
    uint64_t first_us; /* arrival of its first packet */
    uint64_t last_us;  /* arrival of its last packet */
    uint16_t width;    /* of a key frame, else 0 */
    uint16_t height;
    bool key;
    bool gap; /* media was lost directly before it */
};
typedef void (*depay_unit_fn)(void *ctx, const struct depay_unit *unit);

struct depay;

/* What a codec adds. Functions other than begins return 0 or a negative errno; any error but
 * -EAGAIN from finish drops the unit as lost. */
struct depay_ops {
    size_t state_len;
    bool has_keys; /* units depend on earlier ones: after a loss wait for a key frame */
    bool single;   /* each packet is a unit of its own */
    /* Whether payload certainly is the first of an access unit; asked after a loss only. */
    bool (*begins)(const uint8_t *payload, size_t len);
    void (*start)(struct depay *d); /* a new, empty unit */
    int (*append)(struct depay *d, const uint8_t *payload, size_t len);
    /* Completes the unit: data, len, key, width and height of *unit. -EAGAIN: nothing to pass on,
     * and nothing lost. */
    int (*finish)(struct depay *d, struct depay_unit *unit);
    /* Takes what the offer tells about the stream in advance; NULL: nothing of use. */
    void (*announce)(struct depay *d, struct slice text);
};

enum depay_state {
    DEPAY_BORDER, /* the next packet begins a unit */
    DEPAY_OPEN,   /* inside a unit */
    DEPAY_SKIP,   /* the rest of this unit is dropped */
    DEPAY_UNSURE, /* packets are missing: the next one may be anywhere */
};

/* Visible to the codecs only. Invariant: len <= DEPAY_BODY_MAX. */
struct depay {
    const struct depay_ops *ops;
    void *codec_state;
    uint8_t *buffer; /* DEPAY_HEADROOM bytes, then the body */
    size_t len;      /* of the body */
    size_t used;     /* the longest body so far: what must be wiped */
    depay_unit_fn emit;
    void *ctx;
    enum depay_state state;
    bool seen_unit; /* unit_time is valid */
    bool need_key;
    bool lost;
    uint32_t unit_time;
    uint32_t packets;
    uint64_t first_us;
    uint64_t last_us;
    uint16_t max_width;
    uint16_t max_height;
};

extern const struct depay_ops depay_h264_ops;
extern const struct depay_ops depay_h265_ops;
extern const struct depay_ops depay_vp8_ops;
extern const struct depay_ops depay_vp9_ops;
extern const struct depay_ops depay_av1_ops;
extern const struct depay_ops depay_opus_ops;

/* emit is called from depay_push with each unit. max_width and max_height: 0 means
 * FRAME_DIMENSION_MAX. 0, -ENOTSUP for another codec, -ENOMEM. */
int depay_new(enum codec codec, uint16_t max_width, uint16_t max_height, depay_unit_fn emit,
              void *ctx, struct depay **out);
void depay_free(struct depay *d); /* wipes media; NULL allowed */

/* Takes the next packet. 0; -EBADMSG or -EMSGSIZE: malformed or too large, its unit is dropped like
 * a loss; -ENOTSUP: the source sends what this gateway never takes (4:4:4, picture too large). */
int depay_push(struct depay *d, const struct depay_packet *packet);

/* H.264 and H.265: the parameter sets of the offer (COD-06); malformed ones are ignored. */
void depay_announce(struct depay *d, struct slice text);

/* Whether the payload certainly is the first of an access unit. */
bool depay_begins(const struct depay *d, const uint8_t *payload, size_t len);

/* Packets are missing between the last and the next one. */
void depay_gap(struct depay *d);

/* True while units are held back for want of a key frame. */
bool depay_needs_key(const struct depay *d);

/* For the codecs: appends to the body; -EMSGSIZE above DEPAY_BODY_MAX. */
int depay_put(struct depay *d, const void *data, size_t len);
uint8_t *depay_body(struct depay *d);
/* 0 when the picture size is within the limits, upright or turned (telephones publish both), else
 * -ENOTSUP. */
int depay_check_size(const struct depay *d, uint32_t width, uint32_t height);

#endif
