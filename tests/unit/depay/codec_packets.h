/* Cuts coded units into RTP payloads in all the forms that publishers use: H.265 (RFC 7798), VP9
 * (RFC 9628) and AV1. */
#ifndef SLUICE_TESTS_CODEC_PACKETS_H
#define SLUICE_TESTS_CODEC_PACKETS_H

#include "lib/base/reader.h"
#include "lib/base/writer.h"
#include "tests/unit/depay/codec_vectors.h"

#define CUT_PACKETS_MAX 256u
#define CUT_LEN_MAX 512u
#define CUT_MODES 4u

struct cut_packet {
    uint8_t data[CUT_LEN_MAX];
    size_t len;
    uint32_t time;
    bool marker;
    size_t unit;
};

struct cut {
    size_t count;
    struct cut_packet packets[CUT_PACKETS_MAX];
    size_t unit;
    uint32_t time;
};

static inline struct writer cut_begin(struct cut *c)
{
    struct writer w;
    assert(c->count < CUT_PACKETS_MAX);
    writer_init(&w, c->packets[c->count].data, CUT_LEN_MAX);
    return w;
}

static inline void cut_end(struct cut *c, const struct writer *w)
{
    assert(!w->failed);
    struct cut_packet *p = &c->packets[c->count++];
    p->len = w->len;
    p->time = c->time;
    p->unit = c->unit;
    p->marker = false;
}

static inline size_t cut_min(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* ---- H.265: mode & 1: small NAL units travel together ---- */

static inline void cut_nal(struct cut *c, const uint8_t *nal, size_t len, size_t room)
{
    struct writer w;
    if (len <= room + 3) {
        w = cut_begin(c);
        writer_bytes(&w, nal, len);
        cut_end(c, &w);
        return;
    }
    for (size_t at = 2; at < len; at += room) {
        size_t take = cut_min(room, len - at);
        unsigned flags = (at == 2 ? 0x80u : 0) | (at + take == len ? 0x40u : 0);
        w = cut_begin(c);
        writer_u8(&w, (uint8_t)((nal[0] & 0x81) | 49 << 1));
        writer_u8(&w, nal[1]);
        writer_u8(&w, (uint8_t)(flags | (nal[0] >> 1 & 0x3f)));
        writer_bytes(&w, nal + at, take);
        cut_end(c, &w);
    }
}

static inline void cut_h265(struct cut *c, const struct coded *unit, size_t room, unsigned mode)
{
    struct reader r;
    struct writer w = cut_begin(c);
    bool together = false;
    reader_init(&r, unit->wire, unit->wire_len);
    while (reader_left(&r) > 0) {
        size_t len = reader_u32(&r);
        const uint8_t *nal = reader_bytes(&r, len);
        assert(reader_ok(&r));
        bool fits = (mode & 1) && len + 2 <= room;
        if (together && (!fits || w.len + 2 + len > room)) {
            cut_end(c, &w);
            together = false;
        }
        if (!fits) {
            cut_nal(c, nal, len, room);
            continue;
        }
        if (!together) {
            w = cut_begin(c);
            writer_u16(&w, 48 << 9 | 1);
        }
        together = true;
        writer_u16(&w, (uint16_t)len);
        writer_bytes(&w, nal, len);
    }
    if (together)
        cut_end(c, &w);
}

/* ---- VP9: mode 0 plain, 1 non-flexible with layers, 2 and 3 flexible ---- */

static inline void cut_vp9_descriptor(struct cut *c, struct writer *w, unsigned mode, bool first,
                                      bool last)
{
    bool key = c->unit == 0;
    unsigned head = (first ? 0x08u : 0) | (last ? 0x04u : 0) | (key ? 0 : 0x40u);
    head |= mode >= 1 ? 0xa0 : 0;
    head |= mode >= 2 ? 0x10 : 0;
    head |= mode >= 1 && key && first ? 0x02 : 0;
    writer_u8(w, (uint8_t)head);
    if (mode == 1)
        writer_u8(w, (uint8_t)(c->unit & 0x7f));
    if (mode >= 2)
        writer_u16(w, (uint16_t)(0x8000 | c->unit));
    if (mode >= 1)
        writer_u8(w, 0x20); /* temporal layer 1 */
    if (mode == 1)
        writer_u8(w, (uint8_t)c->unit);
    for (unsigned i = 1; mode >= 2 && !key && i <= mode; i++)
        writer_u8(w, (uint8_t)(i << 1 | (i < mode)));
    if ((head & 0x02) == 0)
        return;
    writer_u8(w, 0x18); /* one layer with its size, and a group of two */
    writer_u16(w, CODED_WIDTH);
    writer_u16(w, CODED_HEIGHT);
    writer_u8(w, 2);
    writer_u8(w, 0x04);
    writer_u8(w, 1);
    writer_u8(w, 0x28);
    writer_u16(w, 0x0102);
}

static inline void cut_vp9(struct cut *c, const struct coded *unit, size_t room, unsigned mode)
{
    for (size_t at = 0; at < unit->wire_len; at += room) {
        size_t take = cut_min(room, unit->wire_len - at);
        struct writer w = cut_begin(c);
        cut_vp9_descriptor(c, &w, mode, at == 0, at + take == unit->wire_len);
        writer_bytes(&w, unit->wire + at, take);
        cut_end(c, &w);
    }
}

/* ---- AV1: mode 0 lengths for all (W = 0), 1 up to three elements, 2 one, 3 with size fields ----
 */

struct cut_element {
    uint8_t data[CODED_MAX];
    size_t len;
};

/* The next OBU of unit at *at; mode 3 keeps its size field. */
static inline void cut_obu(const struct coded *unit, size_t *at, unsigned mode,
                           struct cut_element *out)
{
    const uint8_t *obu = unit->wire + *at;
    size_t size = obu[1];
    assert((obu[0] & 6) == 2 && size < 0x80);
    memcpy(out->data, obu, 2);
    out->len = mode == 3 ? 2 : 1;
    if (mode != 3)
        out->data[0] &= 0xfd;
    memcpy(out->data + out->len, obu + 2, size);
    out->len += size;
    *at += 2 + size;
}

struct cut_av1 {
    struct writer w;
    unsigned head;
    unsigned count;
    bool open;
};

static inline void cut_av1_end(struct cut *c, struct cut_av1 *p, unsigned mode, bool goes_on)
{
    if (!p->open)
        return;
    p->w.data[0] = (uint8_t)(p->head | (goes_on ? 0x40u : 0) | (mode == 0 ? 0 : p->count << 4));
    cut_end(c, &p->w);
    p->open = false;
}

static inline void cut_av1_begin(struct cut *c, struct cut_av1 *p, bool continues, bool first)
{
    p->w = cut_begin(c);
    writer_u8(&p->w, 0);
    p->head = (continues ? 0x80u : 0) | (first && c->unit == 0 ? 0x08u : 0);
    p->count = 0;
    p->open = true;
}

/* An element gets a length, unless it is the last one of its packet and W says so. */
static inline void cut_av1(struct cut *c, const struct coded *unit, size_t room, unsigned mode)
{
    static struct cut_element e;
    struct cut_av1 p = {.open = false};
    unsigned most = mode == 0 ? 1000 : mode == 1 ? 3 : 1;
    size_t at = mode == 0 ? 0 : 2; /* mode 0 sends the temporal delimiter too */
    bool first = true;
    while (at < unit->wire_len) {
        cut_obu(unit, &at, mode, &e);
        for (size_t done = 0; done < e.len;) {
            if (!p.open)
                cut_av1_begin(c, &p, done > 0, first);
            first = false;
            bool fits = p.w.len + 1 + e.len - done <= room + 2;
            bool last = p.count + 1 == most || !fits;
            size_t take = fits ? e.len - done : cut_min(room, e.len - done);
            if (p.count > 0 && !fits) { /* rather in a packet of its own */
                p.count = 0;            /* W = 0: all elements there have lengths */
                cut_av1_end(c, &p, mode, false);
                continue;
            }
            if (mode == 0 || !last)
                writer_u8(&p.w, (uint8_t)take);
            writer_bytes(&p.w, e.data + done, take);
            done += take;
            p.count++;
            if (last)
                cut_av1_end(c, &p, mode, done < e.len);
        }
    }
    if (p.open) {
        p.count = 0; /* all have lengths */
        cut_av1_end(c, &p, mode, false);
    }
}

/* All units of the stream; room is about the payload of one packet. time is that of the first. */
static inline void cut_stream(struct cut *c, enum codec codec, const struct coded_stream *s,
                              size_t room, unsigned mode, uint32_t time)
{
    c->count = 0;
    c->time = time;
    for (c->unit = 0; c->unit < s->count; c->unit++, c->time += 3000) {
        const struct coded *unit = &s->units[c->unit];
        if (codec == CODEC_H265)
            cut_h265(c, unit, room, mode);
        else if (codec == CODEC_VP9)
            cut_vp9(c, unit, room, mode);
        else
            cut_av1(c, unit, room, mode);
        c->packets[c->count - 1].marker = true;
    }
}

#endif
