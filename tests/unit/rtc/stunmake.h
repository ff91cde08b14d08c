/* Binding requests for tests, well-formed and not. */
#ifndef SLUICE_TESTS_RTC_STUNMAKE_H
#define SLUICE_TESTS_RTC_STUNMAKE_H

#include "lib/base/writer.h"

#include <assert.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define UFRAG "Ufrag123"
#define PWD "PwdAbcdefghijklmnopqrstu"
#define PEER "peer"

/* What a request is made of; zero means: as a proper browser does. */
struct recipe {
    const char *username; /* NULL: ours:theirs */
    const char *pwd;
    bool no_integrity;
    bool no_fingerprint;
    bool no_priority;
    bool no_role;
    bool use_candidate;
    bool controlled;
    bool wrong_crc;
    bool named_twice;
    uint16_t extra; /* attribute in front of MESSAGE-INTEGRITY */
    uint16_t after; /* attribute behind MESSAGE-INTEGRITY */
};

struct request {
    size_t len;
    uint8_t bytes[1500];
};

static inline uint32_t crc32_of(const uint8_t *data, size_t len)
{
    uint32_t crc = 0xffffffff;
    for (size_t i = 0; i < len; i++) {
        crc ^= data[i];
        for (unsigned bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
    }
    return ~crc;
}

static inline void put_attribute(struct writer *w, uint16_t type, const void *value, size_t len)
{
    writer_u16(w, type);
    writer_u16(w, (uint16_t)len);
    writer_bytes(w, value, len);
    writer_zeros(w, (4 - len % 4) % 4);
}

static inline void put_integrity(struct writer *w, const char *pwd)
{
    uint8_t mac[20];
    unsigned mac_len = sizeof(mac);
    writer_patch_u16(w, 2, (uint16_t)(w->len + 24 - 20));
    HMAC(EVP_sha1(), pwd, (int)strlen(pwd), w->data, w->len, mac, &mac_len);
    put_attribute(w, 0x0008, mac, sizeof(mac));
}

static inline void put_fingerprint(struct writer *w, uint32_t spoil)
{
    uint8_t value[4];
    struct writer v;
    writer_patch_u16(w, 2, (uint16_t)(w->len + 8 - 20));
    writer_init(&v, value, sizeof(value));
    writer_u32(&v, (crc32_of(w->data, w->len) ^ 0x5354554e) + spoil);
    put_attribute(w, 0x8028, value, sizeof(value));
}

static inline struct request make(const struct recipe *r)
{
    static const uint8_t number[8] = {0x6e, 0, 1, 0xff, 5, 6, 7, 8};
    const char *username = r->username ? r->username : UFRAG ":" PEER;
    struct request request;
    struct writer w;
    writer_init(&w, request.bytes, sizeof(request.bytes));
    writer_u16(&w, 1);
    writer_u16(&w, 0);
    writer_u32(&w, 0x2112a442);
    writer_bytes(&w, "transaction!", 12);
    for (int i = 0; i <= r->named_twice; i++)
        put_attribute(&w, 0x0006, username, strlen(username));
    if (!r->no_priority)
        put_attribute(&w, 0x0024, number, 4);
    if (!r->no_role)
        put_attribute(&w, r->controlled ? 0x8029 : 0x802a, number, 8);
    if (r->use_candidate)
        put_attribute(&w, 0x0025, NULL, 0);
    if (r->extra)
        put_attribute(&w, r->extra, number, 3);
    if (!r->no_integrity)
        put_integrity(&w, r->pwd ? r->pwd : PWD);
    if (r->after)
        put_attribute(&w, r->after, number, 4);
    if (!r->no_fingerprint)
        put_fingerprint(&w, r->wrong_crc ? 1 : 0);
    writer_patch_u16(&w, 2, (uint16_t)(w.len - 20));
    assert(writer_ok(&w));
    request.len = w.len;
    return request;
}

#endif
