/* Handshake messages put together from hostile fragments: threats.md U4, U6. */
#include "gateway/rtc/dtlsflight.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int setup(void **state)
{
    *state = calloc(1, sizeof(struct dtlsflight));
    return *state ? 0 : -1;
}

static int teardown(void **state)
{
    free(*state);
    return 0;
}

/* `part` bytes of the text from offset on, of a certificate as long as the text. */
static unsigned add(struct dtlsflight *f, const char *text, size_t offset, size_t part)
{
    struct dtlsflight_fragment fragment = {.kind = DTLSFLIGHT_CERTIFICATE,
                                           .len = strlen(text),
                                           .offset = offset,
                                           .part = part,
                                           .bytes = (const uint8_t *)text + offset};
    return dtlsflight_add(f, &fragment);
}

static void expect_copy(const struct dtlsflight *f, unsigned set, const char *text)
{
    bool found = false;
    for (size_t i = 0; i < DTLSFLIGHT_COPIES; i++) {
        const struct dtlsflight_copy *copy = &f->copies[DTLSFLIGHT_CERTIFICATE][i];
        if (set & 1u << i) {
            assert_true(copy->whole);
            found = found || (copy->len == strlen(text) && !memcmp(copy->bytes, text, copy->len));
        }
    }
    assert_true(found);
}

static void SEC_04_fragments_in_any_order(void **state)
{
    struct dtlsflight *f = *state;
    memset(f, 0, sizeof(*f));
    assert_int_equal(add(f, "abcdefgh", 5, 3), 0);
    assert_int_equal(add(f, "abcdefgh", 0, 3), 0);
    assert_int_equal(add(f, "abcdefgh", 2, 2), 0); /* overlaps */
    expect_copy(f, add(f, "abcdefgh", 4, 1), "abcdefgh");
    assert_int_equal(add(f, "abcdefgh", 4, 1), 0); /* once */
    assert_int_equal(add(f, "abcdefgh", 0, 8), 0);
}

static void U4_contradictions_do_not_mix(void **state)
{
    struct dtlsflight *f = *state;
    memset(f, 0, sizeof(*f));
    assert_int_equal(add(f, "abXXefgh", 2, 2), 0); /* forged, comes first */
    assert_int_equal(add(f, "abcdefgh", 0, 4), 0); /* contradicts: a copy of its own */
    unsigned done = add(f, "abcdefgh", 4, 4);      /* fits both */
    expect_copy(f, done, "abcdefgh");
    unsigned forged = add(f, "abXXefgh", 0, 2);
    if (forged)
        expect_copy(f, forged, "abXXefgh");
}

static void U4_a_whole_message_needs_no_company(void **state)
{
    struct dtlsflight *f = *state;
    memset(f, 0, sizeof(*f));
    assert_int_equal(add(f, "abcXefgh", 3, 1), 0);
    expect_copy(f, add(f, "abcdefgh", 0, 8), "abcdefgh");
    memset(f, 0, sizeof(*f));
    assert_int_equal(add(f, "abcdefgX", 0, 2), 0); /* agrees so far, ends otherwise */
    expect_copy(f, add(f, "abcdefgh", 0, 8), "abcdefgh");
}

static void U4_the_oldest_copy_gives_way(void **state)
{
    static const char *const texts[] = {"aaaa", "bbbb", "cccc", "dddd", "eeee"};
    struct dtlsflight *f = *state;
    memset(f, 0, sizeof(*f));
    for (size_t i = 0; i < 5; i++)
        expect_copy(f, add(f, texts[i], 0, 4), texts[i]);
    assert_int_equal(add(f, "eeee", 0, 4), 0); /* still known */
    assert_int_equal(add(f, "cccc", 0, 4), 0);
    expect_copy(f, add(f, "aaaa", 0, 4), "aaaa"); /* forgotten, so new */
}

static void U4_kinds_do_not_displace_each_other(void **state)
{
    struct dtlsflight *f = *state;
    memset(f, 0, sizeof(*f));
    expect_copy(f, add(f, "real", 0, 4), "real");
    for (unsigned i = 0; i < 100; i++) {
        uint8_t bytes[4] = {(uint8_t)i};
        struct dtlsflight_fragment fragment = {
            .kind = DTLSFLIGHT_VERIFY, .len = 4, .part = 4, .bytes = bytes};
        assert_int_not_equal(dtlsflight_add(f, &fragment), 0);
    }
    assert_int_equal(add(f, "real", 0, 4), 0);
}

static void U4_lengths_do_not_mix(void **state)
{
    struct dtlsflight *f = *state;
    memset(f, 0, sizeof(*f));
    assert_int_equal(add(f, "abcdefghi", 0, 4), 0);
    assert_int_equal(add(f, "abcdefgh", 4, 4), 0);
    expect_copy(f, add(f, "abcdefgh", 0, 4), "abcdefgh");
}

static void U6_longest_message(void **state)
{
    struct dtlsflight *f = *state;
    static uint8_t bytes[DTLSFLIGHT_MESSAGE_MAX];
    memset(f, 0, sizeof(*f));
    for (size_t i = 0; i < sizeof(bytes); i++) {
        struct dtlsflight_fragment fragment = {.kind = DTLSFLIGHT_HELLO,
                                               .len = sizeof(bytes),
                                               .offset = sizeof(bytes) - 1 - i,
                                               .part = 1,
                                               .bytes = bytes};
        assert_int_equal(dtlsflight_add(f, &fragment), i + 1 == sizeof(bytes));
    }
}

static void U4_dropped_copies_are_free(void **state)
{
    struct dtlsflight *f = *state;
    memset(f, 0, sizeof(*f));
    unsigned done = add(f, "real", 0, 4);
    dtlsflight_drop(f, DTLSFLIGHT_CERTIFICATE, 0);
    assert_int_equal(done, 1);
    expect_copy(f, add(f, "real", 0, 4), "real");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(SEC_04_fragments_in_any_order),
        cmocka_unit_test(U4_contradictions_do_not_mix),
        cmocka_unit_test(U4_a_whole_message_needs_no_company),
        cmocka_unit_test(U4_the_oldest_copy_gives_way),
        cmocka_unit_test(U4_kinds_do_not_displace_each_other),
        cmocka_unit_test(U4_lengths_do_not_mix),
        cmocka_unit_test(U6_longest_message),
        cmocka_unit_test(U4_dropped_copies_are_free),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
