/* Decides which records of a DTLS datagram may reach OpenSSL (threats.md U4, U6, U9). */
#include "gateway/rtc/dtlsfilter.h"

#define RECORD_HEAD_LEN 13u
#define SEALED_MIN 17u    /* a tag and one byte; GCM adds an explicit nonce of 8 */
#define FINISHED_MAX 256u /* an encrypted Finished takes 48 bytes */
#define RECORD_MAX 16384u

enum record_type { CHANGE_CIPHER_SPEC = 20, ALERT = 21, HANDSHAKE = 22, APPLICATION_DATA = 23 };

#define SERVER_HELLO_DONE 14 /* the only message without a body */

struct record {
    uint8_t type;
    uint16_t version;
    uint16_t epoch;
    const uint8_t *fragment;
    size_t len;
};

/* We always send a HelloVerifyRequest as a server (dtlsguard.h), and may get one as a client. */
static bool is_expected(bool from_server, uint8_t type, uint16_t sequence)
{
    static const struct place {
        bool from_server;
        uint8_t type;
        uint16_t first;
        uint16_t last;
    } places[] = {
        {false, 1, 0, 1},  {false, 11, 2, 2},
        {false, 16, 3, 3}, {false, 15, 4, 4},
        {true, 3, 0, 0},   {true, 2, 0, 1},
        {true, 11, 1, 2},  {true, 12, 2, 3},
        {true, 13, 3, 4},  {true, SERVER_HELLO_DONE, 3, 5},
        {true, 4, 4, 6},
    };
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        const struct place *p = &places[i];
        if (p->from_server == from_server && p->type == type)
            return sequence >= p->first && sequence <= p->last;
    }
    return false;
}

/* Every handshake message in the record must be one that can be right. */
static bool pass_handshake(struct dtlsfilter *filter, const struct record *record)
{
    struct reader r;
    bool hello = false;
    reader_init(&r, record->fragment, record->len);
    do {
        uint8_t type = reader_u8(&r);
        uint32_t len = reader_u24(&r);
        uint16_t sequence = reader_u16(&r);
        uint32_t offset = reader_u24(&r);
        uint32_t part = reader_u24(&r);
        reader_bytes(&r, part);
        bool done = filter->from_server && type == SERVER_HELLO_DONE && len == 0;
        if (!reader_ok(&r) || (part == 0 && !done) || len > DTLSFILTER_MESSAGE_MAX ||
            offset > len || part > len - offset ||
            !is_expected(filter->from_server, type, sequence))
            return false;
        hello = hello || type <= 3;
    } while (reader_left(&r) > 0);
    if (!hello && !filter->hello_seen)
        return false;
    filter->hello_seen = filter->hello_seen || hello;
    return true;
}

static bool pass_early(struct dtlsfilter *filter, const struct record *record)
{
    if (record->type != HANDSHAKE || record->len < SEALED_MIN || record->len > FINISHED_MAX ||
        filter->early >= DTLSFILTER_EARLY_MAX)
        return false;
    filter->early += filter->from_server; /* OpenSSL's client keeps them all */
    return true;
}

static bool pass_before_keys(struct dtlsfilter *filter, const struct record *record)
{
    if (record->epoch == 0 && record->type == HANDSHAKE)
        return pass_handshake(filter, record);
    if (!filter->hello_seen)
        return false;
    if (record->epoch == 0)
        return record->type == CHANGE_CIPHER_SPEC && record->len == 1 && record->fragment[0] == 1;
    return record->epoch == 1 && pass_early(filter, record);
}

static bool pass_after_keys(const struct record *record)
{
    return record->epoch == 1 && record->type >= ALERT && record->type <= APPLICATION_DATA &&
           record->len >= SEALED_MIN;
}

static bool read_record(struct reader *r, struct record *out)
{
    struct record record = {.type = reader_u8(r)};
    record.version = reader_u16(r);
    record.epoch = reader_u16(r);
    reader_bytes(r, 6); /* sequence number */
    record.len = reader_u16(r);
    record.fragment = reader_bytes(r, record.len);
    *out = record;
    return reader_ok(r);
}

bool dtlsfilter_next(struct dtlsfilter *filter, struct reader *datagram, const uint8_t **out_record,
                     size_t *out_len)
{
    while (reader_left(datagram) > 0) {
        struct record record;
        if (!read_record(datagram, &record))
            return false;
        /* 0xfeff in the hello, 0xfefd later (SEC-04). */
        bool known = record.version == 0xfeff || record.version == 0xfefd;
        if (!known || record.len == 0 || record.len > RECORD_MAX)
            continue;
        bool pass = filter->keyed ? pass_after_keys(&record) : pass_before_keys(filter, &record);
        if (!pass)
            continue;
        *out_record = record.fragment - RECORD_HEAD_LEN;
        *out_len = RECORD_HEAD_LEN + record.len;
        return true;
    }
    return false;
}
