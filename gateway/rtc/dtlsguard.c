/* Stands between a hostile network and an OpenSSL server until the publisher's flight is proven. */
#include "gateway/rtc/dtlsguard.h"

#include "gateway/rtc/dtlsproof.h"
#include "lib/base/reader.h"
#include "lib/base/secret.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PEERS_MAX 8u
#define HEAD_LEN 12u
#define RANDOM_LEN 32u
#define VERSION_1_0 0xfeffu /* in a HelloVerifyRequest whatever is negotiated, RFC 6347 4.2.1 */
#define COPIES DTLSFLIGHT_COPIES
#define TRANSCRIPT_MAX (4u * (DTLSFLIGHT_MESSAGE_MAX + HEAD_LEN))

enum message_type {
    CLIENT_HELLO = 1,
    HELLO_VERIFY_REQUEST = 3,
    CERTIFICATE = 11,
    CERTIFICATE_VERIFY = 15,
    CLIENT_KEY_EXCHANGE = 16
};

/* The client's messages behind our HelloVerifyRequest. */
static const struct {
    uint8_t type;
    uint16_t sequence;
} places[DTLSFLIGHT_KINDS] = {[DTLSFLIGHT_HELLO] = {CLIENT_HELLO, 1},
                              [DTLSFLIGHT_CERTIFICATE] = {CERTIFICATE, 2},
                              [DTLSFLIGHT_KEY_EXCHANGE] = {CLIENT_KEY_EXCHANGE, 3},
                              [DTLSFLIGHT_VERIFY] = {CERTIFICATE_VERIFY, 4}};

enum stage { WAITING, GREETED, PROVEN };

/* Invariant: chosen[kind] is a whole copy: of the hello from GREETED on, of the certificate when
 * certified, of all in PROVEN. */
struct dtlsguard {
    enum stage stage;
    bool certified;
    unsigned tries;
    uint64_t wrong_us; /* first certificate that did not match; 0: none */
    size_t chosen[DTLSFLIGHT_KINDS];
    uint8_t cookie[DTLSGUARD_COOKIE_LEN];
    size_t peer_count;
    struct fingerprint peers[PEERS_MAX];
    size_t sent_len; /* our flight in the form that is hashed */
    uint8_t sent[TRANSCRIPT_MAX];
    uint8_t transcript[2 * TRANSCRIPT_MAX];
    struct dtlsflight flight;
};

int dtlsguard_new(const struct fingerprint *peers, size_t count, struct dtlsguard **out)
{
    struct dtlsguard *g = count <= PEERS_MAX ? calloc(1, sizeof(*g)) : NULL;
    if (!g)
        return -ENOMEM;
    memcpy(g->peers, peers, count * sizeof(peers[0]));
    g->peer_count = count;
    secret_random(g->cookie, sizeof(g->cookie));
    *out = g;
    return 0;
}

void dtlsguard_free(struct dtlsguard *guard)
{
    if (guard)
        secret_wipe(guard, sizeof(*guard));
    free(guard);
}

void dtlsguard_restart(struct dtlsguard *guard)
{
    guard->stage = WAITING;
    guard->certified = false;
    guard->tries = 0;
    guard->wrong_us = 0;
    guard->sent_len = 0;
    memset(&guard->flight, 0, sizeof(guard->flight));
}

/* ---- messages ---- */

static const struct dtlsflight_copy *chosen_copy(const struct dtlsguard *g,
                                                 enum dtlsflight_kind kind)
{
    return &g->flight.copies[kind][g->chosen[kind]];
}

static struct dtlsguard_message message_of(const struct dtlsguard *g, enum dtlsflight_kind kind)
{
    const struct dtlsflight_copy *copy = chosen_copy(g, kind);
    return (struct dtlsguard_message){.type = places[kind].type,
                                      .sequence = places[kind].sequence,
                                      .body = copy->bytes,
                                      .len = copy->len};
}

struct dtlsguard_message dtlsguard_hello(const struct dtlsguard *guard)
{
    return message_of(guard, DTLSFLIGHT_HELLO);
}

struct dtlsguard_message dtlsguard_message(const struct dtlsguard *guard, size_t index)
{
    return message_of(guard, DTLSFLIGHT_CERTIFICATE + (enum dtlsflight_kind)index);
}

const uint8_t *dtlsguard_cookie(const struct dtlsguard *guard)
{
    return guard->cookie;
}

/* ---- hello ---- */

/* Reads up to the cookie, which stays empty when it is empty. *out_at is where its length stands.
 */
static bool read_cookie(const uint8_t *body, size_t len, struct slice *out, size_t *out_at)
{
    struct reader r;
    reader_init(&r, body, len);
    reader_bytes(&r, 2 + RANDOM_LEN);
    reader_bytes(&r, reader_u8(&r)); /* session id */
    *out_at = r.pos;
    size_t cookie_len = reader_u8(&r);
    const uint8_t *cookie = reader_bytes(&r, cookie_len);
    *out = slice_make(cookie, cookie_len);
    return reader_ok(&r);
}

static bool carries_cookie(const struct dtlsguard *g, const uint8_t *body, size_t len)
{
    struct slice cookie;
    size_t at = 0;
    return read_cookie(body, len, &cookie, &at) && cookie.len == sizeof(g->cookie) &&
           secret_equal(cookie.data, g->cookie, sizeof(g->cookie));
}

void dtlsguard_write_primer(const struct dtlsguard *guard, struct writer *w)
{
    const struct dtlsflight_copy *hello = chosen_copy(guard, DTLSFLIGHT_HELLO);
    struct slice cookie;
    size_t at = 0;
    (void)read_cookie(hello->bytes, hello->len, &cookie, &at);
    size_t rest = at + 1 + cookie.len;
    writer_bytes(w, hello->bytes, at);
    writer_u8(w, 0);
    writer_bytes(w, hello->bytes + rest, hello->len - rest);
}

/* Record number 0 each time: a higher one, as a copy of the hello's would be (RFC 6347 4.2.1), lets
 * a forged hello make the publisher deaf to the lower numbers that follow. */
void dtlsguard_write_request(const struct dtlsguard *guard, struct writer *w)
{
    size_t len = 3 + DTLSGUARD_COOKIE_LEN;
    writer_u8(w, 22);
    writer_u16(w, VERSION_1_0);
    writer_zeros(w, 8); /* epoch, record number */
    writer_u16(w, (uint16_t)(HEAD_LEN + len));
    writer_u8(w, HELLO_VERIFY_REQUEST);
    writer_u24(w, (uint32_t)len);
    writer_zeros(w, 5); /* message 0, offset 0 */
    writer_u24(w, (uint32_t)len);
    writer_u16(w, VERSION_1_0);
    writer_u8(w, DTLSGUARD_COOKIE_LEN);
    writer_bytes(w, guard->cookie, DTLSGUARD_COOKIE_LEN);
}

static enum dtlsguard_event take_hello(struct dtlsguard *g, const struct dtlsflight_fragment *f)
{
    if (f->offset == 0 && !carries_cookie(g, f->bytes, f->part))
        return DTLSGUARD_NONE;
    unsigned done = dtlsflight_add(&g->flight, f);
    for (size_t i = 0; i < COPIES; i++) {
        if (!(done & 1u << i))
            continue;
        g->chosen[DTLSFLIGHT_HELLO] = i;
        g->stage = GREETED;
        return DTLSGUARD_HELLO;
    }
    return DTLSGUARD_NONE;
}

/* ---- proof ---- */

static void write_message(struct writer *w, const struct dtlsguard_message *m)
{
    writer_u8(w, m->type);
    writer_u24(w, (uint32_t)m->len);
    writer_u16(w, m->sequence);
    writer_u24(w, 0);
    writer_u24(w, (uint32_t)m->len);
    writer_bytes(w, m->body, m->len);
}

/* Our own messages come in order; only the first fragment of each has a header to keep. */
static void note_message(struct writer *w, struct reader *r)
{
    uint8_t type = reader_u8(r);
    uint32_t len = reader_u24(r);
    uint16_t sequence = reader_u16(r);
    uint32_t offset = reader_u24(r);
    uint32_t part = reader_u24(r);
    const uint8_t *bytes = reader_bytes(r, part);
    if (!reader_ok(r))
        return;
    if (offset == 0) {
        struct dtlsguard_message head = {.type = type, .sequence = sequence, .len = len};
        writer_u8(w, head.type);
        writer_u24(w, len);
        writer_u16(w, head.sequence);
        writer_u24(w, 0);
        writer_u24(w, len);
    }
    writer_bytes(w, bytes, part);
}

void dtlsguard_note_sent(struct dtlsguard *guard, const uint8_t *datagram, size_t len)
{
    struct writer w;
    struct reader r;
    writer_init(&w, guard->sent, sizeof(guard->sent));
    w.len = guard->sent_len;
    reader_init(&r, datagram, len);
    while (reader_left(&r) > 0) {
        reader_bytes(&r, 11);
        size_t record_len = reader_u16(&r);
        struct reader record = reader_sub(&r, record_len);
        while (reader_left(&record) > 0)
            note_message(&w, &record);
    }
    guard->sent_len = w.len;
}

static bool prove(struct dtlsguard *g)
{
    struct dtlsguard_message hello = message_of(g, DTLSFLIGHT_HELLO);
    struct dtlsguard_message certificate = message_of(g, DTLSFLIGHT_CERTIFICATE);
    struct dtlsguard_message key = message_of(g, DTLSFLIGHT_KEY_EXCHANGE);
    struct dtlsguard_message verify = message_of(g, DTLSFLIGHT_VERIFY);
    struct writer w;
    writer_init(&w, g->transcript, sizeof(g->transcript));
    write_message(&w, &hello);
    writer_bytes(&w, g->sent, g->sent_len);
    write_message(&w, &certificate);
    write_message(&w, &key);
    return writer_ok(&w) && dtlsproof_check(certificate.body, certificate.len, verify.body,
                                            verify.len, g->transcript, w.len);
}

/* Tries the whole pairs that have a new part. */
static enum dtlsguard_event try_pairs(struct dtlsguard *g, unsigned new_keys, unsigned new_verifies)
{
    for (size_t i = 0; g->certified && i < COPIES * COPIES; i++) {
        size_t key = i / COPIES;
        size_t verify = i % COPIES;
        bool is_new = (new_keys & 1u << key) || (new_verifies & 1u << verify);
        if (!is_new || !g->flight.copies[DTLSFLIGHT_KEY_EXCHANGE][key].whole ||
            !g->flight.copies[DTLSFLIGHT_VERIFY][verify].whole)
            continue;
        if (g->tries++ >= DTLSGUARD_TRIES_MAX)
            return DTLSGUARD_NONE;
        g->chosen[DTLSFLIGHT_KEY_EXCHANGE] = key;
        g->chosen[DTLSFLIGHT_VERIFY] = verify;
        if (prove(g)) {
            g->stage = PROVEN;
            return DTLSGUARD_PROVEN;
        }
    }
    return DTLSGUARD_NONE;
}

static enum dtlsguard_event take_certificate(struct dtlsguard *g,
                                             const struct dtlsflight_fragment *f, uint64_t now_us)
{
    if (g->certified)
        return DTLSGUARD_NONE;
    unsigned done = dtlsflight_add(&g->flight, f);
    for (size_t i = 0; i < COPIES; i++) {
        const struct dtlsflight_copy *copy = &g->flight.copies[DTLSFLIGHT_CERTIFICATE][i];
        if (!(done & 1u << i))
            continue;
        if (dtlsproof_matches(copy->bytes, copy->len, g->peers, g->peer_count)) {
            g->chosen[DTLSFLIGHT_CERTIFICATE] = i;
            g->certified = true;
            g->wrong_us = 0;
            return try_pairs(g, UINT32_MAX, UINT32_MAX);
        }
        dtlsflight_drop(&g->flight, DTLSFLIGHT_CERTIFICATE, i);
        if (g->wrong_us == 0)
            g->wrong_us = now_us > 0 ? now_us : 1;
    }
    return DTLSGUARD_NONE;
}

uint64_t dtlsguard_deadline_us(const struct dtlsguard *guard)
{
    return guard->wrong_us > 0 ? guard->wrong_us + DTLSGUARD_WRONG_US : UINT64_MAX;
}

/* ---- fragments in ---- */

static enum dtlsguard_event take_fragment(struct dtlsguard *g, uint8_t type, uint16_t sequence,
                                          struct dtlsflight_fragment *f, uint64_t now_us)
{
    struct slice cookie;
    size_t at = 0;
    if (type == CLIENT_HELLO && sequence == 0)
        return g->stage == WAITING && f->offset == 0 && read_cookie(f->bytes, f->part, &cookie, &at)
                   ? DTLSGUARD_ASK
                   : DTLSGUARD_NONE;
    for (unsigned kind = 0; kind < DTLSFLIGHT_KINDS; kind++) {
        if (places[kind].type != type || places[kind].sequence != sequence)
            continue;
        f->kind = kind;
        if (kind == DTLSFLIGHT_HELLO)
            return g->stage == WAITING ? take_hello(g, f) : DTLSGUARD_NONE;
        if (g->stage != GREETED)
            return DTLSGUARD_NONE;
        if (kind == DTLSFLIGHT_CERTIFICATE)
            return take_certificate(g, f, now_us);
        unsigned done = dtlsflight_add(&g->flight, f);
        return try_pairs(g, kind == DTLSFLIGHT_KEY_EXCHANGE ? done : 0,
                         kind == DTLSFLIGHT_VERIFY ? done : 0);
    }
    return DTLSGUARD_NONE;
}

enum dtlsguard_event dtlsguard_take(struct dtlsguard *guard, const uint8_t *fragment, size_t len,
                                    uint64_t now_us)
{
    enum dtlsguard_event event = DTLSGUARD_NONE;
    struct reader r;
    reader_init(&r, fragment, len);
    while (reader_left(&r) > 0) {
        struct dtlsflight_fragment f = {.kind = DTLSFLIGHT_HELLO};
        uint8_t type = reader_u8(&r);
        f.len = reader_u24(&r);
        uint16_t sequence = reader_u16(&r);
        f.offset = reader_u24(&r);
        f.part = reader_u24(&r);
        f.bytes = reader_bytes(&r, f.part);
        if (!reader_ok(&r) || f.part == 0 || f.len > DTLSFLIGHT_MESSAGE_MAX || f.offset > f.len ||
            f.part > f.len - f.offset)
            break;
        enum dtlsguard_event step = take_fragment(guard, type, sequence, &f, now_us);
        if (step != DTLSGUARD_NONE)
            event = step;
    }
    return event;
}
