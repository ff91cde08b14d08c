#include "gateway/depay/depay.h"
#include "tests/unit/depay/codec_vectors.h"
#include "tests/unit/depay/depay_fixture.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define CONTINUES 0x80
#define CONTINUED 0x40
#define ONE 0x10
#define TWO 0x20
#define NEW 0x08
#define MARKER true

/* OBUs without size fields: a sequence header of 64x48 and another one, frames of some kinds. */
static const uint8_t sequence[] = {0x08, 0x00, 0x00, 0x00, 0x02, 0xaf,
                                   0xf7, 0x9b, 0x5f, 0x20, 0x08};
static const uint8_t key[] = {0x30, 0x10, 0x11, 0x22};
static const uint8_t hidden_key[] = {0x30, 0x00, 0x11, 0x22};
static const uint8_t inter[] = {0x30, 0x30, 0x33};
static const uint8_t shown_again[] = {0x18, 0xb8};

static int setup(void **state)
{
    return fixture_setup(CODEC_AV1, state);
}

/* One packet with one element. */
static int push_obu(struct fixture *f, unsigned flags, const uint8_t *obu, size_t len, bool marker)
{
    uint8_t payload[1024];
    struct writer w;
    writer_init(&w, payload, sizeof(payload));
    writer_u8(&w, (uint8_t)(ONE | flags));
    writer_bytes(&w, obu, len);
    return fixture_push(f, payload, w.len, marker);
}

static void start_stream(struct fixture *f)
{
    assert_int_equal(push_obu(f, NEW, sequence, sizeof(sequence), false), 0);
    assert_int_equal(push_obu(f, 0, key, sizeof(key), MARKER), 0);
    assert_int_equal(f->got.count, 1);
}

/* OBUs of the last unit by their types, each with a size field that fits. */
static void expect_types(const struct fixture *f, const char *types)
{
    struct reader r;
    reader_init(&r, f->got.data, f->got.unit.len);
    struct slice rest = slice_of(types);
    while (reader_left(&r) > 0) {
        uint32_t type = 0;
        uint8_t head = reader_u8(&r);
        if (head & 4)
            reader_u8(&r);
        size_t len = reader_u8(&r);
        if (len & 0x80)
            len = (len & 0x7f) | (size_t)reader_u8(&r) << 7;
        reader_bytes(&r, len);
        assert_true(reader_ok(&r));
        assert_true(head & 2);
        assert_int_equal(text_parse_u32(slice_cut(&rest, ' '), 15, &type), 0);
        assert_int_equal(head >> 3, type);
    }
    assert_int_equal(rest.len, 0);
}

static void COD_08_a_sequence_header_goes_before_each_key_frame(void **state)
{
    struct fixture *f = *state;
    start_stream(f);
    expect_types(f, "1 6");
    assert_true(f->got.unit.key);
    assert_int_equal(f->got.unit.width, CODED_WIDTH);
    assert_int_equal(f->got.unit.height, CODED_HEIGHT);
    assert_int_equal(push_obu(f, 0, inter, sizeof(inter), MARKER), 0);
    expect_types(f, "6");
    assert_int_equal(push_obu(f, 0, key, sizeof(key), MARKER), 0); /* without its own */
    expect_types(f, "1 6");
    assert_true(f->got.unit.key);
    assert_int_equal(push_obu(f, 0, sequence, sizeof(sequence), false), 0); /* again, for nothing */
    assert_int_equal(push_obu(f, 0, inter, sizeof(inter), MARKER), 0);
    expect_types(f, "6"); /* else transcode would take it for a key frame */
    assert_false(f->got.unit.key);
    assert_int_equal(f->got.count, 4);
}

static void COD_08_what_is_no_key_frame(void **state)
{
    struct fixture *f = *state;
    start_stream(f);
    assert_int_equal(push_obu(f, 0, hidden_key, sizeof(hidden_key), MARKER), 0);
    assert_false(f->got.unit.key);
    assert_int_equal(push_obu(f, 0, shown_again, sizeof(shown_again), MARKER), 0);
    assert_false(f->got.unit.key);
    expect_types(f, "3");
    assert_int_equal(push_obu(f, 0, inter, sizeof(inter), false), 0);
    assert_int_equal(push_obu(f, 0, key, sizeof(key), MARKER), 0); /* not first */
    assert_false(f->got.unit.key);
}

static void COD_08_what_no_decoder_needs_is_removed(void **state)
{
    struct fixture *f = *state;
    static const uint8_t removed[][2] = {{0x10}, {0x40, 1}, {0x78, 1}, {0x00, 1}, {0x48, 1}};
    const uint8_t metadata[] = {0x28, 1};
    start_stream(f);
    assert_int_equal(push_obu(f, 0, removed[0], 1, false), 0); /* temporal delimiter */
    for (size_t i = 1; i < 5; i++)
        assert_int_equal(push_obu(f, 0, removed[i], 2, false), 0);
    assert_int_equal(push_obu(f, 0, metadata, 2, false), 0);
    assert_int_equal(push_obu(f, 0, inter, sizeof(inter), MARKER), 0);
    expect_types(f, "5 6");
}

static void COD_06_BUG_32_a_sequence_header_sent_once_is_kept(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(push_obu(f, NEW, key, sizeof(key), MARKER), -EBADMSG); /* no header known */
    assert_true(depay_needs_key(f->depay));
    assert_int_equal(push_obu(f, 0, sequence, sizeof(sequence), MARKER), 0); /* alone, too late */
    assert_int_equal(push_obu(f, 0, inter, sizeof(inter), MARKER), 0);
    assert_int_equal(f->got.count, 0);
    assert_int_equal(push_obu(f, 0, key, sizeof(key), MARKER), 0);
    assert_int_equal(f->got.count, 1);
    expect_types(f, "1 6");
}

static void COD_05_another_sequence_needs_a_key_frame(void **state)
{
    struct fixture *f = *state;
    uint8_t other[sizeof(sequence)];
    memcpy(other, sequence, sizeof(sequence));
    other[10] ^= 0x04;
    start_stream(f);
    assert_int_equal(push_obu(f, 0, other, sizeof(other), false), 0);
    assert_int_equal(push_obu(f, 0, inter, sizeof(inter), MARKER), -EBADMSG);
    assert_true(depay_needs_key(f->depay));
    assert_int_equal(push_obu(f, 0, key, sizeof(key), MARKER), 0);
    assert_true(f->got.unit.gap);
    assert_memory_equal(f->got.data + 2, other + 1, sizeof(other) - 1);
}

static void COD_08_layers_keep_their_extension(void **state)
{
    struct fixture *f = *state;
    const uint8_t base[] = {0x34, 0x00, 0x10, 0x11};
    const uint8_t upper[] = {0x34, 0x08, 0x30, 0x22};
    const uint8_t expected[] = {0x36, 0x00, 2, 0x10, 0x11, 0x36, 0x08, 2, 0x30, 0x22};
    assert_int_equal(push_obu(f, NEW, sequence, sizeof(sequence), false), 0);
    assert_int_equal(push_obu(f, 0, base, sizeof(base), false), 0);
    assert_int_equal(push_obu(f, 0, upper, sizeof(upper), MARKER), 0);
    assert_true(f->got.unit.key);
    size_t front = sizeof(sequence) + 1;
    assert_int_equal(f->got.unit.len, front + sizeof(expected));
    assert_memory_equal(f->got.data + front, expected, sizeof(expected));
}

static void long_obus_get_long_sizes(void **state)
{
    struct fixture *f = *state;
    static uint8_t large[300] = {0x30, 0x30};
    const uint8_t padded[] = {0x32, 0x81, 0x80, 0x00, 0x30}; /* a size in three bytes */
    start_stream(f);
    assert_int_equal(push_obu(f, 0, large, sizeof(large), MARKER), 0);
    expect_types(f, "6");
    assert_int_equal(f->got.unit.len, sizeof(large) + 2);
    assert_int_equal(push_obu(f, 0, padded, sizeof(padded), MARKER), 0);
    assert_int_equal(f->got.unit.len, 3); /* in one */
    assert_memory_equal(f->got.data, "\x32\x01\x30", 3);
}

static void M2_AV1_malformed_payloads_drop_the_unit(void **state)
{
    struct fixture *f = *state;
    static const struct {
        uint8_t data[8];
        size_t len;
    } bad[] = {
        {{0}, 0},                           /* empty */
        {{ONE}, 1},                         /* no element */
        {{ONE | CONTINUES, 0x30, 0x30}, 3}, /* the rest of nothing */
        {{0, 3, 0x30, 0x30}, 4},            /* overrun */
        {{0, 0x80}, 2},                     /* half a length */
        {{0, 0, 2, 0x30, 0x30}, 5},         /* an empty element */
        {{TWO, 2, 0x30, 0x30}, 4},          /* one element of two */
        {{TWO, 3, 0x30, 0x30}, 4},          /* the first one too long */
        {{ONE, 0xb0, 0x30}, 3},             /* forbidden bit */
        {{ONE, 0x32, 4, 0x30}, 4},          /* a size that does not fit */
        {{ONE, 0x30}, 2},                   /* a frame without header */
        {{ONE, 0x08}, 2},                   /* a sequence header without contents */
    };
    start_stream(f);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(fixture_push(f, bad[i].data, bad[i].len, false), -EBADMSG);
        assert_int_equal(push_obu(f, 0, key, sizeof(key), MARKER), 0);
        assert_int_equal(f->got.count, i + 1); /* nothing of this unit */
        assert_int_equal(push_obu(f, 0, key, sizeof(key), MARKER), 0);
        assert_int_equal(f->got.count, i + 2);
        assert_true(f->got.unit.gap);
    }
}

static void M2_AV1_fragments_without_end_drop_the_unit(void **state)
{
    struct fixture *f = *state;
    start_stream(f);
    assert_int_equal(push_obu(f, CONTINUED, inter, sizeof(inter), MARKER), -EBADMSG);
    assert_int_equal(push_obu(f, 0, key, sizeof(key), MARKER), 0);
    assert_int_equal(push_obu(f, CONTINUED, inter, sizeof(inter), false), 0);
    assert_int_equal(push_obu(f, 0, inter, sizeof(inter), MARKER), -EBADMSG); /* start inside */
    assert_int_equal(f->got.count, 2);
}

static void M2_AV1_obus_of_a_unit_are_limited(void **state)
{
    struct fixture *f = *state;
    uint8_t many[1 + 3 * 100] = {0};
    for (size_t i = 0; i < 100; i++)
        memcpy(many + 1 + 3 * i, "\x02\x28\x01", 3);
    start_stream(f);
    fixture_fill(f, many, sizeof(many), 6);
}

static void M2_AV1_long_sequence_headers_are_refused(void **state)
{
    struct fixture *f = *state;
    uint8_t large[600] = {0};
    memcpy(large, sequence, sizeof(sequence));
    start_stream(f);
    assert_int_equal(push_obu(f, 0, large, sizeof(large), false), -EMSGSIZE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(COD_08_a_sequence_header_goes_before_each_key_frame),
        TEST(COD_08_what_is_no_key_frame),
        TEST(COD_08_what_no_decoder_needs_is_removed),
        TEST(COD_06_BUG_32_a_sequence_header_sent_once_is_kept),
        TEST(COD_05_another_sequence_needs_a_key_frame),
        TEST(COD_08_layers_keep_their_extension),
        TEST(long_obus_get_long_sizes),
        TEST(M2_AV1_malformed_payloads_drop_the_unit),
        TEST(M2_AV1_fragments_without_end_drop_the_unit),
        TEST(M2_AV1_obus_of_a_unit_are_limited),
        TEST(M2_AV1_long_sequence_headers_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
