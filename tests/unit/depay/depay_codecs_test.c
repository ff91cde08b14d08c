/* What holds for H.265, VP9 and AV1 alike: real streams cut into packets in every form come out
 * as they went in, and whatever is missing or broken costs no more than its key frame. */
#include "gateway/depay/depay.h"
#include "tests/unit/depay/codec_packets.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define START 0xfffff000u /* the timestamps wrap in the middle */
#define MANY 4000000u

static const enum codec codecs[] = {CODEC_H265, CODEC_VP9, CODEC_AV1};
#define CODECS (sizeof(codecs) / sizeof(codecs[0]))

/* Compares all units with those of the stream, in order, beginning again after the last. */
struct checker {
    const struct coded_stream *stream;
    size_t next;
    size_t count;
    bool loose; /* count and nothing more */
    bool last_gap;
};

static struct coded_stream stream;
static struct cut cut;
static struct checker checker;

static void check_unit(void *ctx, const struct depay_unit *unit)
{
    struct checker *k = ctx;
    k->count++;
    k->last_gap = unit->gap;
    if (k->loose)
        return;
    if (unit->key)
        k->next = 0;
    const struct coded *expected = &k->stream->units[k->next];
    assert_int_equal(unit->key, k->next == 0);
    assert_int_equal(unit->width, unit->key ? CODED_WIDTH : 0);
    assert_int_equal(unit->height, unit->key ? CODED_HEIGHT : 0);
    assert_int_equal(unit->len, expected->ring_len);
    assert_memory_equal(unit->data, expected->ring, expected->ring_len);
    k->next = (k->next + 1) % k->stream->count;
}

static struct depay *open_depay(enum codec codec)
{
    struct depay *d = NULL;
    checker = (struct checker){.stream = &stream};
    coded_open(&stream, codec);
    assert_int_equal(depay_new(codec, 0, 0, check_unit, &checker, &d), 0);
    return d;
}

static int push(struct depay *d, const struct cut_packet *p, size_t len)
{
    uint8_t *exact = malloc(len + 1); /* for the address sanitizer */
    assert_non_null(exact);
    memcpy(exact, p->data, len);
    struct depay_packet packet = {
        .data = exact, .len = len, .rtp_time = p->time, .marker = p->marker, .arrival_us = 1};
    int rc = depay_push(d, &packet);
    assert_true(rc == 0 || rc == -EBADMSG || rc == -EMSGSIZE || rc == -ENOTSUP);
    free(exact);
    return rc;
}

static void push_all(struct depay *d)
{
    for (size_t i = 0; i < cut.count; i++)
        assert_int_equal(push(d, &cut.packets[i], cut.packets[i].len), 0);
}

/* The whole stream once more, after any trouble: all of it comes. */
static void expect_recovery(struct depay *d, enum codec codec)
{
    checker.loose = false;
    checker.count = 0;
    cut_stream(&cut, codec, &stream, 50, 1, START + MANY);
    depay_gap(d);
    push_all(d);
    assert_int_equal(checker.count, stream.count);
}

static void COD_08_streams_come_out_as_they_went_in(void **state)
{
    (void)state;
    for (size_t i = 0; i < CODECS * CUT_MODES; i++) {
        enum codec codec = codecs[i / CUT_MODES];
        for (size_t room = 4; room < 160; room++) {
            struct depay *d = open_depay(codec);
            cut_stream(&cut, codec, &stream, room, i % CUT_MODES, START);
            push_all(d);
            assert_int_equal(checker.count, stream.count);
            assert_false(checker.last_gap);
            depay_free(d);
        }
    }
}

static void COD_04_units_end_without_markers_too(void **state)
{
    (void)state;
    for (size_t i = 0; i < CODECS; i++) {
        struct depay *d = open_depay(codecs[i]);
        cut_stream(&cut, codecs[i], &stream, 20, 1, START);
        for (size_t k = 0; k < cut.count; k++)
            cut.packets[k].marker = false;
        push_all(d);
        assert_int_equal(checker.count, stream.count - 1); /* the last one may go on */
        depay_free(d);
    }
}

/* Each packet cut at each length, with and without a marker where it was cut. */
static void M2_truncation_at_every_length(void **state)
{
    (void)state;
    for (size_t i = 0; i < CODECS * CUT_MODES; i++) {
        enum codec codec = codecs[i / CUT_MODES];
        coded_open(&stream, codec);
        cut_stream(&cut, codec, &stream, 40, i % CUT_MODES, START);
        size_t count = cut.count;
        for (size_t k = 0; k < count; k++) {
            for (size_t len = 0; len < cut.packets[k].len; len++) {
                struct depay *d = open_depay(codec);
                checker.loose = true;
                for (size_t n = 0; n < cut.count; n++)
                    (void)push(d, &cut.packets[n], n == k ? len : cut.packets[n].len);
                expect_recovery(d, codec);
                depay_free(d);
                cut_stream(&cut, codec, &stream, 40, i % CUT_MODES, START);
            }
        }
    }
}

/* A packet is missing: its unit and all that follow are held, those before it are whole. */
static void RTP_10_a_gap_at_every_packet(void **state)
{
    (void)state;
    for (size_t i = 0; i < CODECS * CUT_MODES; i++) {
        enum codec codec = codecs[i / CUT_MODES];
        coded_open(&stream, codec);
        cut_stream(&cut, codec, &stream, 16, i % CUT_MODES, START);
        for (size_t k = 0; k < cut.count; k++) {
            struct depay *d = open_depay(codec);
            for (size_t n = 0; n < cut.count; n++) {
                if (n == k)
                    depay_gap(d);
                else
                    (void)push(d, &cut.packets[n], cut.packets[n].len);
            }
            assert_int_equal(checker.count, k == 0 ? checker.count : cut.packets[k].unit);
            assert_true(depay_needs_key(d) || k == 0);
            expect_recovery(d, codec);
            assert_false(depay_needs_key(d));
            depay_free(d);
            cut_stream(&cut, codec, &stream, 16, i % CUT_MODES, START);
        }
    }
}

/* What the reorder window lets through never comes in another order; it must do no harm. */
static void M2_packets_in_wrong_order(void **state)
{
    (void)state;
    for (size_t i = 0; i < CODECS * CUT_MODES; i++) {
        enum codec codec = codecs[i / CUT_MODES];
        coded_open(&stream, codec);
        cut_stream(&cut, codec, &stream, 24, i % CUT_MODES, START);
        for (size_t k = 0; k + 1 < cut.count; k++) {
            struct depay *d = open_depay(codec);
            checker.loose = true;
            for (size_t n = 0; n < cut.count; n++) {
                size_t from = n == k ? k + 1 : n == k + 1 ? k : n;
                (void)push(d, &cut.packets[from], cut.packets[from].len);
            }
            expect_recovery(d, codec);
            depay_free(d);
            cut_stream(&cut, codec, &stream, 24, i % CUT_MODES, START);
        }
    }
}

static void M9_flipped_bits_do_no_harm(void **state)
{
    (void)state;
    srand(8);
    for (size_t i = 0; i < CODECS * CUT_MODES; i++) {
        enum codec codec = codecs[i / CUT_MODES];
        for (unsigned round = 0; round < 300; round++) {
            struct depay *d = open_depay(codec);
            checker.loose = true;
            cut_stream(&cut, codec, &stream, 30, i % CUT_MODES, START);
            for (unsigned k = 0; k < 6; k++) {
                struct cut_packet *p = &cut.packets[(size_t)rand() % cut.count];
                p->data[(size_t)rand() % cut_min(p->len, 12)] ^= (uint8_t)(1 << rand() % 8);
            }
            for (size_t n = 0; n < cut.count; n++)
                (void)push(d, &cut.packets[n], cut.packets[n].len);
            expect_recovery(d, codec);
            depay_free(d);
        }
    }
}

/* A stream that begins in its middle: nothing comes before the key frame. */
static void COD_06_nothing_before_the_key_frame(void **state)
{
    (void)state;
    for (size_t i = 0; i < CODECS; i++) {
        struct depay *d = open_depay(codecs[i]);
        cut_stream(&cut, codecs[i], &stream, 60, 0, START);
        for (size_t n = 0; n < cut.count; n++) {
            if (cut.packets[n].unit > 0)
                assert_int_equal(push(d, &cut.packets[n], cut.packets[n].len), 0);
        }
        assert_int_equal(checker.count, 0);
        assert_true(depay_needs_key(d));
        expect_recovery(d, codecs[i]);
        depay_free(d);
    }
}

/* The first packet of a fragmented unit, then its second without end. */
static int push_endless(struct depay *d, enum codec codec, size_t len, size_t *out_packets)
{
    static uint8_t middle[60000];
    cut_stream(&cut, codec, &stream, 8, 2, START);
    assert_int_equal(push(d, &cut.packets[0], cut.packets[0].len), 0);
    memset(middle, 0x55, sizeof(middle));
    memcpy(middle, cut.packets[1].data, 4);
    if (codec == CODEC_AV1)
        middle[0] |= 0x40; /* there the second fragment is the last */
    struct depay_packet packet = {.data = middle, .len = len, .rtp_time = START};
    int rc = 0;
    for (*out_packets = 1; rc == 0; ++*out_packets)
        rc = depay_push(d, &packet);
    return rc;
}

static void M2_endless_frames_are_cut_off(void **state)
{
    (void)state;
    for (size_t i = 0; i < CODECS; i++) {
        size_t packets = 0;
        struct depay *d = open_depay(codecs[i]);
        assert_int_equal(push_endless(d, codecs[i], 20, &packets), -EMSGSIZE);
        assert_int_equal(packets, DEPAY_PACKETS_MAX + 1);
        depay_free(d);
        d = open_depay(codecs[i]);
        assert_int_equal(push_endless(d, codecs[i], 60000, &packets), -EMSGSIZE);
        assert_in_range(packets * 60000, DEPAY_BODY_MAX, DEPAY_BODY_MAX + 10 * 60000);
        expect_recovery(d, codecs[i]);
        depay_free(d);
    }
}

/* Telephones publish upright pictures: the limits hold for both. */
static void M3_pictures_may_be_turned(void **state)
{
    (void)state;
    for (size_t i = 0; i < CODECS; i++) {
        struct depay *d = open_depay(codecs[i]);
        depay_free(d);
        assert_int_equal(depay_new(codecs[i], CODED_HEIGHT, CODED_WIDTH, check_unit, &checker, &d),
                         0);
        cut_stream(&cut, codecs[i], &stream, 400, 0, START);
        push_all(d);
        assert_int_equal(checker.count, stream.count);
        depay_free(d);
    }
}

static void M3_pictures_above_the_grant_are_told(void **state)
{
    (void)state;
    for (size_t i = 0; i < CODECS; i++) {
        struct depay *d = open_depay(codecs[i]);
        depay_free(d);
        assert_int_equal(
            depay_new(codecs[i], CODED_WIDTH, CODED_HEIGHT - 1, check_unit, &checker, &d), 0);
        cut_stream(&cut, codecs[i], &stream, 400, 0, START);
        int rc = 0;
        for (size_t n = 0; rc == 0 && n < cut.count; n++)
            rc = push(d, &cut.packets[n], cut.packets[n].len);
        assert_int_equal(rc, -ENOTSUP);
        assert_int_equal(checker.count, 0);
        depay_free(d);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(COD_08_streams_come_out_as_they_went_in),
        cmocka_unit_test(COD_04_units_end_without_markers_too),
        cmocka_unit_test(M2_truncation_at_every_length),
        cmocka_unit_test(RTP_10_a_gap_at_every_packet),
        cmocka_unit_test(M2_packets_in_wrong_order),
        cmocka_unit_test(M9_flipped_bits_do_no_harm),
        cmocka_unit_test(COD_06_nothing_before_the_key_frame),
        cmocka_unit_test(M2_endless_frames_are_cut_off),
        cmocka_unit_test(M3_pictures_may_be_turned),
        cmocka_unit_test(M3_pictures_above_the_grant_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
