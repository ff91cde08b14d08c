#include "tests/support/rawpack.h"

#include "lib/base/reader.h"
#include "lib/base/writer.h"

#include <string.h>

#define NAL_STAP_A 24
#define NAL_FU_A 28
#define NAL_FU 49 /* of H.265 */
#define OBU_SEQUENCE_HEADER 1
#define OBU_TEMPORAL_DELIMITER 2

void rawpack_begin(struct rawpack *pack, enum rawmedia_codec codec, const uint8_t *frame,
                   size_t len, uint16_t picture_id)
{
    *pack = (struct rawpack){
        .codec = codec, .data = frame, .len = len, .picture_id = picture_id & 0x7fff};
}

/* The NAL unit at offset at, or NULL at the end. */
static const uint8_t *nal_at(const struct rawpack *pack, size_t at, size_t *out_len)
{
    struct reader r;
    reader_init(&r, pack->data + at, pack->len - at);
    size_t len = reader_u32(&r);
    if (len > reader_left(&r)) /* a frame that was cut */
        len = reader_left(&r);
    const uint8_t *nal = reader_bytes(&r, len);
    if (nal == NULL || len == 0)
        return NULL;
    *out_len = len;
    return nal;
}

/* Parameter sets and SEI that fit into one packet travel together (RFC 6184 5.7.1). */
static size_t aggregate(struct rawpack *pack, struct writer *w)
{
    size_t at = pack->pos, count = 0, len = 0;
    writer_u8(w, 0x60 | NAL_STAP_A);
    for (;;) {
        const uint8_t *nal = nal_at(pack, at, &len);
        if (nal == NULL || (nal[0] & 0x1f) <= 5 || w->len + 2 + len > w->cap)
            break;
        writer_u16(w, (uint16_t)len);
        writer_bytes(w, nal, len);
        at += 4 + len;
        count++;
    }
    if (count < 2)
        return 0;
    pack->pos = at;
    return w->len;
}

/* The next fragment (RFC 6184 5.8); pos is behind the bytes already sent. */
static size_t fragment(struct rawpack *pack, struct writer *w, bool first)
{
    size_t room = w->cap - 2;
    size_t take = pack->nal_left < room ? pack->nal_left : room;
    bool last = take == pack->nal_left;
    writer_u8(w, (pack->nal_head[0] & 0xe0) | NAL_FU_A);
    writer_u8(w, (uint8_t)((first ? 0x80 : 0) | (last ? 0x40 : 0) | (pack->nal_head[0] & 0x1f)));
    writer_bytes(w, pack->data + pack->pos, take);
    pack->pos += take;
    pack->nal_left -= take;
    return w->len;
}

static size_t next_h264(struct rawpack *pack, struct writer *w)
{
    size_t len = 0;
    if (pack->nal_left > 0)
        return fragment(pack, w, false);
    const uint8_t *nal = nal_at(pack, pack->pos, &len);
    if (nal == NULL) {
        pack->pos = pack->len;
        return 0;
    }
    if (len > w->cap) {
        pack->nal_head[0] = nal[0];
        pack->pos += 5; /* behind the length and the header byte, which travels in the FU header */
        pack->nal_left = len - 1;
        return fragment(pack, w, true);
    }
    size_t together = aggregate(pack, w);
    if (together > 0)
        return together;
    writer_init(w, w->data, w->cap);
    writer_bytes(w, nal, len);
    pack->pos += 4 + len;
    return w->len;
}

/* One NAL unit, or the next fragment of one (RFC 7798 4.4.3). */
static size_t next_h265(struct rawpack *pack, struct writer *w)
{
    size_t len = 0;
    bool first = pack->nal_left == 0;
    const uint8_t *nal = first ? nal_at(pack, pack->pos, &len) : NULL;
    if (first && (nal == NULL || len <= 2)) {
        pack->pos = pack->len;
        return 0;
    }
    if (first && len <= w->cap) {
        writer_bytes(w, nal, len);
        pack->pos += 4 + len;
        return w->len;
    }
    if (first) {
        memcpy(pack->nal_head, nal, sizeof(pack->nal_head));
        pack->pos += 6; /* behind the length and the header */
        pack->nal_left = len - 2;
    }
    size_t take = pack->nal_left < w->cap - 3 ? pack->nal_left : w->cap - 3;
    bool last = take == pack->nal_left;
    writer_u8(w, (uint8_t)((pack->nal_head[0] & 0x81) | NAL_FU << 1));
    writer_u8(w, pack->nal_head[1]);
    writer_u8(w, (uint8_t)((first ? 0x80 : 0) | (last ? 0x40 : 0) | pack->nal_head[0] >> 1));
    writer_bytes(w, pack->data + pack->pos, take);
    pack->pos += take;
    pack->nal_left -= take;
    return w->len;
}

/* RFC 9628 4.2 with a 15-bit picture id and without layers. */
static size_t next_vp9(struct rawpack *pack, struct writer *w)
{
    size_t left = pack->len - pack->pos, room = w->cap - 3;
    size_t take = left < room ? left : room;
    bool key = (pack->data[0] & 0x0c) == 0;
    if (left == 0)
        return 0;
    writer_u8(w, (uint8_t)(0x80 | (key ? 0 : 0x40) | (pack->pos == 0 ? 0x08 : 0) |
                           (take == left ? 0x04 : 0)));
    writer_u16(w, 0x8000 | pack->picture_id);
    writer_bytes(w, pack->data + pack->pos, take);
    pack->pos += take;
    return w->len;
}

/* The payload of the OBU at *at and its length; its header goes to *out_head. NULL at the end. */
static const uint8_t *obu_at(const struct rawpack *pack, size_t at, uint8_t *out_head,
                             size_t *out_len)
{
    struct reader r;
    size_t len = 0;
    reader_init(&r, pack->data + at, pack->len - at);
    *out_head = reader_u8(&r);
    for (unsigned shift = 0; shift < 28; shift += 7) {
        uint8_t byte = reader_u8(&r);
        len |= (size_t)(byte & 0x7f) << shift;
        if ((byte & 0x80) == 0)
            break;
    }
    *out_len = len;
    const uint8_t *payload = reader_bytes(&r, len);
    bool plain = reader_ok(&r) && (*out_head & 6) == 2; /* a size, no layers */
    return plain ? payload : NULL;
}

/* One OBU without its size, or the next fragment of one; no temporal delimiters. */
static size_t next_av1(struct rawpack *pack, struct writer *w)
{
    size_t len = 0;
    uint8_t head = 0;
    bool first = pack->nal_left == 0, key = false;
    while (first) {
        const uint8_t *payload = obu_at(pack, pack->pos, &head, &len);
        if (payload == NULL) {
            pack->pos = pack->len;
            return 0;
        }
        pack->pos = (size_t)(payload - pack->data);
        if (head >> 3 != OBU_TEMPORAL_DELIMITER)
            break;
        pack->pos += len;
    }
    key = first && head >> 3 == OBU_SEQUENCE_HEADER;
    if (first)
        pack->nal_left = len;
    size_t room = w->cap - 2;
    size_t take = pack->nal_left < room ? pack->nal_left : room;
    writer_u8(w, (uint8_t)((first ? 0 : 0x80) | (take < pack->nal_left ? 0x40 : 0) | 0x10 |
                           (key ? 0x08 : 0)));
    if (first)
        writer_u8(w, head & 0xfd);
    writer_bytes(w, pack->data + pack->pos, take);
    pack->pos += take;
    pack->nal_left -= take;
    return w->len;
}

/* Descriptor with a 15-bit picture id, as browsers send it (RFC 7741 4.2). */
static size_t next_vp8(struct rawpack *pack, struct writer *w)
{
    size_t left = pack->len - pack->pos;
    if (left == 0)
        return 0;
    writer_u8(w, pack->pos == 0 ? 0x90 : 0x80);
    writer_u8(w, 0x80);
    writer_u16(w, 0x8000 | pack->picture_id);
    size_t take = left < w->cap - w->len ? left : w->cap - w->len;
    writer_bytes(w, pack->data + pack->pos, take);
    pack->pos += take;
    return w->len;
}

static size_t next_opus(struct rawpack *pack, struct writer *w)
{
    if (pack->pos == pack->len || pack->len > w->cap)
        return 0;
    writer_bytes(w, pack->data, pack->len);
    pack->pos = pack->len;
    return w->len;
}

size_t rawpack_next(struct rawpack *pack, uint8_t *to, bool *out_last)
{
    struct writer w;
    size_t len = 0;
    writer_init(&w, to, RAWPACK_PAYLOAD_MAX);
    switch (pack->codec) {
    case RAWMEDIA_H264:
        len = next_h264(pack, &w);
        break;
    case RAWMEDIA_VP8:
        len = next_vp8(pack, &w);
        break;
    case RAWMEDIA_H265:
        len = next_h265(pack, &w);
        break;
    case RAWMEDIA_VP9:
        len = next_vp9(pack, &w);
        break;
    case RAWMEDIA_AV1:
        len = next_av1(pack, &w);
        break;
    case RAWMEDIA_OPUS:
        len = next_opus(pack, &w);
        break;
    case RAWMEDIA_CODEC_COUNT:
        break;
    }
    *out_last = pack->nal_left == 0 && pack->pos == pack->len;
    return len;
}
