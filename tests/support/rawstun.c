#include "tests/support/rawstun.h"

#include "lib/base/reader.h"

#include <errno.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

#define STUN_COOKIE 0x2112a442u
#define STUN_REQUEST 0x0001
#define STUN_SUCCESS 0x0101
#define STUN_ERROR 0x0111
#define STUN_HEAD_LEN 20
#define ATTR_USERNAME 0x0006
#define ATTR_INTEGRITY 0x0008
#define ATTR_ERROR_CODE 0x0009
#define ATTR_XOR_MAPPED 0x0020
#define ATTR_PRIORITY 0x0024
#define ATTR_USE_CANDIDATE 0x0025
#define ATTR_FINGERPRINT 0x8028
#define ATTR_CONTROLLED 0x8029
#define ATTR_CONTROLLING 0x802a
#define FINGERPRINT_XOR 0x5354554eu

/* CRC-32 of ITU-T V.42; a bit at a time, checks are rare. */
static uint32_t crc32_of(const uint8_t *data, size_t len)
{
    uint32_t crc = 0xffffffffu;
    for (size_t i = 0; i < len; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++)
            crc = (crc >> 1) ^ (0xedb88320u & (0u - (crc & 1)));
    }
    return ~crc;
}

static void attribute_begin(struct writer *w, unsigned type, size_t len)
{
    writer_u16(w, (uint16_t)type);
    writer_u16(w, (uint16_t)len);
}

static void attribute_bytes(struct writer *w, unsigned type, const void *data, size_t len)
{
    attribute_begin(w, type, len);
    writer_bytes(w, data, len);
    writer_zeros(w, (4 - len % 4) % 4);
}

/* The header's length counts up to and with the attribute being made (RFC 8489 14.5, 14.7). */
static void set_length(struct writer *w, size_t more)
{
    writer_patch_u16(w, 2, (uint16_t)(w->len - STUN_HEAD_LEN + more));
}

static void hmac_sha1(const char *key, const uint8_t *data, size_t len, uint8_t out[20])
{
    unsigned out_len = 20;
    HMAC(EVP_sha1(), key, (int)strlen(key), data, len, out, &out_len);
}

size_t rawstun_request(const struct rawstun_request *request, uint8_t *to)
{
    struct writer w;
    writer_init(&w, to, RAWSTUN_MAX);
    writer_u16(&w, STUN_REQUEST);
    writer_u16(&w, 0);
    writer_u32(&w, STUN_COOKIE);
    writer_bytes(&w, request->txid, RAWSTUN_TXID_LEN);
    if (request->username != NULL)
        attribute_bytes(&w, ATTR_USERNAME, request->username, strlen(request->username));
    attribute_begin(&w, request->controlled ? ATTR_CONTROLLED : ATTR_CONTROLLING, 8);
    writer_u64(&w, request->tie_breaker);
    attribute_begin(&w, ATTR_PRIORITY, 4);
    writer_u32(&w, request->priority);
    if (request->nominate)
        attribute_begin(&w, ATTR_USE_CANDIDATE, 0);
    if (request->password != NULL) {
        uint8_t mac[20];
        set_length(&w, 24);
        hmac_sha1(request->password, w.data, w.len, mac);
        attribute_bytes(&w, ATTR_INTEGRITY, mac, sizeof(mac));
    }
    set_length(&w, request->no_fingerprint ? 0 : 8);
    if (!request->no_fingerprint) {
        uint32_t crc = crc32_of(w.data, w.len) ^ FINGERPRINT_XOR;
        attribute_begin(&w, ATTR_FINGERPRINT, 4);
        writer_u32(&w, request->wrong_fingerprint ? ~crc : crc);
    }
    return writer_ok(&w) ? w.len : 0;
}

/* ---- responses ---- */

struct response_state {
    const uint8_t *data;
    const char *password;
    bool integrity;
    bool fingerprint;
};

/* The bytes before offset, with the header's length as if the message ended at offset + more. */
static size_t covered(const uint8_t *data, size_t offset, size_t more, uint8_t *copy)
{
    struct writer w;
    writer_init(&w, copy, RAWSTUN_MAX);
    writer_bytes(&w, data, offset);
    set_length(&w, more);
    return writer_ok(&w) ? w.len : 0;
}

static bool integrity_right(const struct response_state *s, size_t offset, const uint8_t *value)
{
    uint8_t copy[RAWSTUN_MAX], mac[20];
    size_t len = covered(s->data, offset, 24, copy);
    hmac_sha1(s->password, copy, len, mac);
    return len > 0 && memcmp(mac, value, sizeof(mac)) == 0;
}

static bool fingerprint_right(const struct response_state *s, size_t offset, struct reader *value)
{
    uint8_t copy[RAWSTUN_MAX];
    size_t len = covered(s->data, offset, 8, copy);
    return len > 0 && (crc32_of(copy, len) ^ FINGERPRINT_XOR) == reader_u32(value);
}

static void parse_mapped(struct reader *value, const uint8_t *txid, struct addr *out)
{
    uint8_t pad[16] = {0x21, 0x12, 0xa4, 0x42};
    memcpy(pad + 4, txid, RAWSTUN_TXID_LEN);
    reader_u8(value);
    uint8_t family = reader_u8(value);
    uint16_t port = reader_u16(value) ^ (uint16_t)(STUN_COOKIE >> 16);
    size_t len = family == 2 ? 16 : 4;
    const uint8_t *ip = reader_bytes(value, len);
    if (ip == NULL || (family != 1 && family != 2))
        return;
    *out = (struct addr){.family = family == 2 ? 6 : 4, .port = port};
    for (size_t i = 0; i < len; i++)
        out->ip[i] = ip[i] ^ pad[i];
}

/* 0, or -EACCES for a wrong check value. */
static int parse_attribute(struct response_state *s, unsigned type, size_t offset,
                           struct reader *value, const uint8_t *txid, struct rawstun_response *out)
{
    switch (type) {
    case ATTR_XOR_MAPPED:
        parse_mapped(value, txid, &out->seen);
        return 0;
    case ATTR_ERROR_CODE:
        reader_u16(value);
        out->code = reader_u8(value) * 100u;
        out->code += reader_u8(value);
        return 0;
    case ATTR_INTEGRITY: {
        const uint8_t *mac = reader_bytes(value, 20);
        s->integrity = mac != NULL && integrity_right(s, offset, mac);
        return s->integrity ? 0 : -EACCES;
    }
    case ATTR_FINGERPRINT:
        s->fingerprint = fingerprint_right(s, offset, value);
        return s->fingerprint ? 0 : -EACCES;
    default:
        return 0;
    }
}

int rawstun_parse_response(const uint8_t *data, size_t len, const uint8_t *txid,
                           const char *password, struct rawstun_response *out)
{
    struct response_state s = {.data = data, .password = password};
    struct rawstun_response response = {0};
    struct reader r;
    reader_init(&r, data, len);
    unsigned type = reader_u16(&r);
    size_t body = reader_u16(&r);
    uint32_t cookie = reader_u32(&r);
    const uint8_t *id = reader_bytes(&r, RAWSTUN_TXID_LEN);
    if (!reader_ok(&r) || cookie != STUN_COOKIE || body != reader_left(&r) || len > RAWSTUN_MAX)
        return -EBADMSG;
    if ((type != STUN_SUCCESS && type != STUN_ERROR) || memcmp(id, txid, RAWSTUN_TXID_LEN) != 0)
        return -EBADMSG;
    response.success = type == STUN_SUCCESS;
    while (reader_left(&r) > 0) {
        size_t offset = r.pos;
        unsigned attribute = reader_u16(&r);
        size_t size = reader_u16(&r);
        struct reader value = reader_sub(&r, size);
        reader_bytes(&r, (4 - size % 4) % 4);
        if (!reader_ok(&r))
            return -EBADMSG;
        int rc = parse_attribute(&s, attribute, offset, &value, txid, &response);
        if (rc != 0)
            return rc;
    }
    if (!s.integrity || !s.fingerprint)
        return -EACCES;
    *out = response;
    return 0;
}
