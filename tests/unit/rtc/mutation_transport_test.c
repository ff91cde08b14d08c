/* DTLS records, frames on a byte stream and SDP fragments with mutations. */
#include "gateway/rtc/dtlsfilter.h"
#include "gateway/rtc/dtlsguard.h"
#include "gateway/rtc/framing.h"
#include "gateway/rtc/sdpfrag.h"
#include "lib/base/reader.h"
#include "tests/support/mutator.h"

#include <errno.h>

#define CORPUS "tests/fuzz/rtc/corpus/"
#define GUARD_INPUTS 64u /* fragments of one handshake */

/* ---- DTLS ---- */

/* No plaintext but handshake and change_cipher_spec before the keys, and only epoch 1 after. */
static void check_record(const struct dtlsfilter *filter, const uint8_t *record, size_t len)
{
    unsigned epoch = (unsigned)(record[3] << 8 | record[4]);
    assert_true(len >= 14 && len == 13u + (size_t)(record[11] << 8 | record[12]));
    assert_true(epoch <= 1 && record[1] == 0xfe);
    if (filter->keyed)
        assert_int_equal(epoch, 1);
    if (epoch == 0)
        assert_true(record[0] == 22 || record[0] == 20);
    if (epoch == 0 && record[0] == 22)
        assert_true((unsigned)(record[14] << 16 | record[15] << 8 | record[16]) <=
                    DTLSFILTER_MESSAGE_MAX);
}

static bool take_records(void *ctx, struct mutator *m, const uint8_t *data, size_t len)
{
    uint32_t start = mutator_draw(m, 8);
    struct dtlsfilter filter = {
        .keyed = start & 1, .hello_seen = start & 2, .from_server = start & 4};
    struct reader datagram;
    const uint8_t *record = NULL;
    size_t record_len = 0;
    unsigned records = 0;
    (void)ctx;
    reader_init(&datagram, data, len);
    while (dtlsfilter_next(&filter, &datagram, &record, &record_len)) {
        assert_true(record >= data && record_len <= len && record + record_len <= data + len);
        check_record(&filter, record, record_len);
        records++;
    }
    assert_true(filter.early <= DTLSFILTER_EARLY_MAX && records <= len / 14);
    return records > 0;
}

/* The first byte of these seeds is the fuzzer's. */
static void add_behind_first(struct mutator *m, const uint8_t *data, size_t len)
{
    mutator_add(m, data + 1, len - 1);
}

static void U6_U9_mutated_records(void **state)
{
    struct mutator *m = mutator_new();
    (void)state;
    mutator_read(m, CORPUS "dtlsfilter", add_behind_first);
    mutator_run(m, "dtlsfilter", take_records, NULL);
}

static void add_fragments(struct mutator *m, const uint8_t *data, size_t len)
{
    struct reader r;
    reader_init(&r, data + 1, len - 1);
    while (reader_left(&r) > 2) {
        size_t fragment_len = reader_u16(&r);
        const uint8_t *fragment = reader_bytes(&r, fragment_len);
        if (fragment)
            mutator_add(m, fragment, fragment_len);
    }
}

struct handshake {
    struct dtlsguard *guard;
    unsigned inputs;
};

/* A flight is never proven by junk, whatever the pieces. */
static bool take_fragment(void *ctx, struct mutator *m, const uint8_t *data, size_t len)
{
    const struct fingerprint peer = {.algorithm = FINGERPRINT_SHA256, .len = 32};
    struct handshake *h = ctx;
    uint8_t copy[MUTATOR_INPUT_MAX];
    if (h->inputs++ % GUARD_INPUTS == 0) {
        dtlsguard_free(h->guard);
        h->guard = NULL;
        assert_int_equal(dtlsguard_new(&peer, 1, &h->guard), 0);
    }
    memcpy(copy, data, len);
    if (len > 80 && mutator_draw(m, 2)) { /* the right cookie behind an empty session id */
        copy[46] = 0;
        copy[47] = DTLSGUARD_COOKIE_LEN;
        memcpy(copy + 48, dtlsguard_cookie(h->guard), DTLSGUARD_COOKIE_LEN);
    }
    enum dtlsguard_event event = dtlsguard_take(h->guard, copy, len, 1);
    assert_int_not_equal(event, DTLSGUARD_PROVEN);
    if (event == DTLSGUARD_HELLO) {
        uint8_t primer[DTLSFLIGHT_MESSAGE_MAX];
        struct writer w;
        writer_init(&w, primer, sizeof(primer));
        dtlsguard_write_primer(h->guard, &w);
        assert_true(writer_ok(&w));
        assert_int_equal(w.len, dtlsguard_hello(h->guard).len - DTLSGUARD_COOKIE_LEN);
    }
    return event != DTLSGUARD_NONE;
}

static void U3_U4_mutated_handshake_fragments(void **state)
{
    struct mutator *m = mutator_new();
    struct handshake h = {.guard = NULL};
    (void)state;
    mutator_read(m, CORPUS "dtlsguard", add_fragments);
    mutator_run(m, "dtlsguard", take_fragment, &h);
    dtlsguard_free(h.guard);
}

/* ---- frames ---- */

struct counted {
    uint64_t frames;
    uint64_t bytes;
    uint64_t hash;
    uint64_t oversized;
};

static void count_frame(struct counted *c, const uint8_t *data, size_t len)
{
    c->frames++;
    c->bytes += len;
    for (size_t i = 0; i < len; i++)
        c->hash = c->hash * 31 + data[i];
}

/* The same stream read without cuts, as RFC 4571 says. */
static struct counted expected(const uint8_t *data, size_t len)
{
    struct counted c = {.frames = 0};
    struct reader r;
    reader_init(&r, data, len);
    while (reader_left(&r) >= FRAMING_PREFIX) {
        size_t frame_len = reader_u16(&r);
        if (frame_len > FRAMING_PACKET_MAX)
            c.oversized++;
        const uint8_t *frame = reader_bytes(&r, frame_len);
        if (frame && frame_len > 0 && frame_len <= FRAMING_PACKET_MAX)
            count_frame(&c, frame, frame_len);
    }
    return c;
}

static bool take_stream(void *ctx, struct mutator *m, const uint8_t *data, size_t len)
{
    struct framing_in *in = ctx;
    struct counted c = {.frames = 0};
    size_t at = 0;
    framing_in_reset(in);
    while (at < len) {
        size_t room = 0, packet_len = 0;
        uint8_t *packet;
        uint8_t *to = framing_room(in, &room);
        size_t take = 1 + mutator_draw(m, mutator_draw(m, 2) ? 4 : 900);
        assert_true(room > 0);
        take = take < room ? take : room;
        take = take < len - at ? take : len - at;
        memcpy(to, data + at, take);
        framing_filled(in, take);
        at += take;
        while (framing_next(in, &packet, &packet_len)) {
            assert_in_range(packet_len, 1, FRAMING_PACKET_MAX);
            count_frame(&c, packet, packet_len);
            memset(packet, 0, packet_len); /* as decryption does */
        }
    }
    const struct counted e = expected(data, len);
    assert_int_equal(c.frames, e.frames);
    assert_int_equal(c.bytes, e.bytes);
    assert_int_equal(c.hash, e.hash);
    assert_int_equal(in->oversized, e.oversized);
    return e.oversized == 0 && e.bytes + FRAMING_PREFIX * e.frames == len;
}

static void ICE_09_mutated_frames(void **state)
{
    static struct framing_in in;
    struct mutator *m = mutator_new();
    uint8_t bytes[1700] = {0};
    struct writer w;
    (void)state;
    writer_init(&w, bytes, sizeof(bytes));
    for (uint16_t len = 0; len < 40; len = (uint16_t)(len + 13)) {
        writer_u16(&w, len);
        writer_bytes(&w, "0123456789012345678901234567890123456789", len);
    }
    mutator_add(m, bytes, w.len);
    bytes[0] = FRAMING_PACKET_MAX >> 8;
    bytes[1] = FRAMING_PACKET_MAX & 0xff;
    mutator_add(m, bytes, FRAMING_PREFIX + FRAMING_PACKET_MAX);
    mutator_run(m, "framing", take_stream, &in);
}

/* ---- fragments ---- */

static bool take_fragment_text(void *ctx, struct mutator *m, const uint8_t *data, size_t len)
{
    struct sdpfrag f;
    const char *reason = NULL;
    (void)ctx;
    (void)m;
    int err = sdpfrag_parse(slice_make(data, len), &f, &reason);
    if (err < 0) {
        assert_true(reason && strlen(reason) < STREAM_REASON_MAX);
        assert_int_equal(sdp_http_status(err) / 100, 4);
        return false;
    }
    assert_in_range(f.ufrag.len, 1, ANSWER_UFRAG_MAX);
    assert_in_range(f.pwd.len, 1, ANSWER_UFRAG_MAX);
    assert_null(memchr(f.ufrag.data, '\n', f.ufrag.len));
    assert_null(memchr(f.pwd.data, '\r', f.pwd.len));
    assert_true(f.usable + f.dropped <= SDPFRAG_LINES_MAX);
    return true;
}

static void WHIP_20_WHIP_64_mutated_sdp_fragments(void **state)
{
    struct mutator *m = mutator_new();
    (void)state;
    mutator_read(m, CORPUS "sdpfrag", NULL);
    mutator_run(m, "sdpfrag", take_fragment_text, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(U6_U9_mutated_records),
        cmocka_unit_test(U3_U4_mutated_handshake_fragments),
        cmocka_unit_test(ICE_09_mutated_frames),
        cmocka_unit_test(WHIP_20_WHIP_64_mutated_sdp_fragments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
