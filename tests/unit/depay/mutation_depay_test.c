/* Depacketisers with mutated payloads: what comes out is whole, within the limits, and after a loss
 * begins with a key frame. A further codec is one line in the table `codecs`. */
#include "gateway/depay/depay.h"
#include "lib/base/reader.h"
#include "tests/support/mutator.h"

#include <errno.h>

#define CORPUS "tests/fuzz/depay/corpus/"
#define STREAM_INPUTS 4096u /* packets of one stream, then a new one */

struct codec_row {
    enum codec codec;
    const char *name; /* of the parser, and of its seeds' folder */
    bool has_keys;
    void (*check)(const uint8_t *data, size_t len); /* the form of a unit; NULL: any bytes */
};

struct stream {
    const struct codec_row *row;
    struct depay *depay;
    struct depay_packet packet;
    unsigned inputs;
    unsigned units; /* of this stream */
    unsigned keys;  /* of all */
    unsigned all;
};

static void on_unit(void *ctx, const struct depay_unit *unit)
{
    struct stream *s = ctx;
    static volatile uint8_t sum;
    assert_in_range(unit->len, 1, FRAME_PAYLOAD_MAX);
    for (size_t i = 0; i < unit->len; i += 61)
        sum = (uint8_t)(sum + unit->data[i]);
    sum = (uint8_t)(sum + unit->data[unit->len - 1]);
    assert_true(unit->first_us <= unit->last_us && unit->last_us <= s->packet.arrival_us);
    if (s->row->has_keys)
        assert_true(s->units > 0 || unit->key); /* COD-06: nothing before the first key frame */
    if (s->row->has_keys && unit->gap)
        assert_true(unit->key);
    if (s->row->has_keys && unit->key) {
        assert_in_range(unit->width, 1, FRAME_DIMENSION_MAX);
        assert_in_range(unit->height, 1, FRAME_DIMENSION_MAX);
    }
    if (s->row->check)
        s->row->check(unit->data, unit->len);
    s->units++;
    s->all++;
    s->keys += unit->key;
}

/* NAL units behind four bytes of length fill the unit exactly. */
static void check_nals(const uint8_t *data, size_t len)
{
    struct reader r;
    reader_init(&r, data, len);
    while (reader_left(&r) > 0) {
        size_t nal_len = reader_u32(&r);
        assert_true(nal_len > 0 && reader_bytes(&r, nal_len) != NULL);
    }
    assert_true(reader_ok(&r));
}

static const struct codec_row codecs[] = {
    {CODEC_H264, "depay_h264", true, check_nals}, {CODEC_H265, "depay_h265", true, check_nals},
    {CODEC_VP8, "depay_vp8", true, NULL},         {CODEC_VP9, "depay_vp9", true, NULL},
    {CODEC_AV1, "depay_av1", true, NULL},         {CODEC_OPUS, "depay_opus", false, NULL},
};

static void restart(struct stream *s)
{
    depay_free(s->depay);
    s->depay = NULL;
    s->units = 0;
    assert_int_equal(depay_new(s->row->codec, 0, 0, on_unit, s, &s->depay), 0);
}

static bool take_payload(void *ctx, struct mutator *m, const uint8_t *data, size_t len)
{
    struct stream *s = ctx;
    if (s->inputs++ % STREAM_INPUTS == 0)
        restart(s);
    if (mutator_draw(m, 64) == 0)
        depay_gap(s->depay);
    if (mutator_draw(m, 3) == 0)
        s->packet.rtp_time += 3000;
    s->packet.data = data;
    s->packet.len = len;
    s->packet.marker = mutator_draw(m, 3) == 0;
    s->packet.arrival_us += 100;
    int err = depay_push(s->depay, &s->packet);
    assert_true(err == 0 || err == -EBADMSG || err == -EMSGSIZE || err == -ENOTSUP);
    return err == 0;
}

/* The seeds are streams: flags, length (two bytes with flag 8), payload. */
static void add_payloads(struct mutator *m, const uint8_t *data, size_t len)
{
    struct reader r;
    reader_init(&r, data, len);
    while (reader_left(&r) > 0 && m->seed_count < MUTATOR_SEEDS_MAX) {
        uint8_t flags = reader_u8(&r);
        size_t payload_len = reader_u8(&r);
        if (flags & 8)
            payload_len = payload_len << 8 | reader_u8(&r);
        const uint8_t *payload = reader_bytes(&r, payload_len);
        if (payload && payload_len <= MUTATOR_SEED_LEN_MAX)
            mutator_add(m, payload, payload_len);
    }
}

static void run_row(void **state)
{
    struct stream s = {.row = *state, .packet = {.rtp_time = 0xfffffff0u}};
    struct mutator *m = mutator_new();
    char folder[128];
    (void)snprintf(folder, sizeof(folder), CORPUS "%s", s.row->name);
    mutator_read(m, folder, add_payloads);
    mutator_run(m, s.row->name, take_payload, &s);
    print_message("%u units, %u key frames\n", s.all, s.keys);
    assert_true(s.all > 0 && (s.keys > 0) == s.row->has_keys);
    depay_free(s.depay);
}

int main(void)
{
    char names[sizeof(codecs) / sizeof(codecs[0])][64];
    struct CMUnitTest tests[sizeof(codecs) / sizeof(codecs[0])] = {{.name = NULL}};
    for (size_t i = 0; i < sizeof(codecs) / sizeof(codecs[0]); i++) {
        (void)snprintf(names[i], sizeof(names[i]), "M2_COD_04_mutated_%s", codecs[i].name);
        tests[i] = (struct CMUnitTest){
            .name = names[i], .test_func = run_row, .initial_state = (void *)(uintptr_t)&codecs[i]};
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
