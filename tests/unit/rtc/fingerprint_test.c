/* Certificate fingerprints: RFC 8122 5. */
#include "gateway/rtc/fingerprint.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define DIGITS                                                                                     \
    "00:01:02:03:04:05:06:07:08:09:0a:0B:0c:0D:0e:0F:10:11:12:13:14:15:16:17:18:19:1a:1B:1c:1D:"   \
    "1e:1F"

static void SEC_03_any_case_is_read(void **state)
{
    (void)state;
    struct fingerprint f;
    assert_int_equal(fingerprint_parse(slice_of("SHA-256 " DIGITS), &f), 0);
    assert_int_equal(f.algorithm, FINGERPRINT_SHA256);
    assert_int_equal(f.len, 32);
    for (size_t i = 0; i < 32; i++)
        assert_int_equal(f.hash[i], i);
    char text[FINGERPRINT_TEXT_MAX];
    fingerprint_format(&f, text);
    struct fingerprint again;
    assert_int_equal(fingerprint_parse(slice_of(text), &again), 0);
    assert_int_equal(again.algorithm, f.algorithm);
    assert_memory_equal(again.hash, f.hash, sizeof(f.hash));
    assert_int_equal(strlen(text), strlen("sha-256 " DIGITS));
}

static void SEC_03_wrong_forms_are_malformed(void **state)
{
    static const char *const bad[] = {"sha-256",         "sha-256 ",
                                      "sha-256 00:01",   "sha-256 " DIGITS ":20",
                                      "sha-512 " DIGITS, "sha-256 " DIGITS " x"};
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct fingerprint f;
        assert_int_equal(fingerprint_parse(slice_of(bad[i]), &f), -EBADMSG);
    }
    const char *whole = "sha-256 " DIGITS;
    for (size_t len = strlen("sha-256"); len < strlen(whole); len++) {
        struct fingerprint f;
        assert_int_equal(fingerprint_parse(slice_make(whole, len), &f), -EBADMSG);
    }
}

static void W7_weak_and_unknown_are_told_apart(void **state)
{
    struct fingerprint f;
    (void)state;
    assert_int_equal(fingerprint_parse(slice_of("sha-1 00:11"), &f), 0);
    assert_int_equal(f.algorithm, FINGERPRINT_WEAK);
    assert_int_equal(fingerprint_parse(slice_of("md5 00:11"), &f), 0);
    assert_int_equal(f.algorithm, FINGERPRINT_WEAK);
    assert_int_equal(fingerprint_parse(slice_of("blake3 00:11"), &f), 0);
    assert_int_equal(f.algorithm, FINGERPRINT_UNKNOWN);
    assert_int_equal(f.len, 0);
}

/* A certificate whose SHA-256 is all 2 and whose SHA-512 is all 5. */
static bool fake_hash(void *ctx, enum fingerprint_algorithm algorithm, struct fingerprint *out)
{
    (void)ctx;
    *out = (struct fingerprint){.algorithm = algorithm};
    out->len = algorithm == FINGERPRINT_SHA512 ? 64 : 32;
    memset(out->hash, algorithm == FINGERPRINT_SHA512 ? 5 : 2, out->len);
    return true;
}

static struct fingerprint made(enum fingerprint_algorithm algorithm, size_t len, int fill)
{
    struct fingerprint f = {.algorithm = algorithm, .len = len};
    memset(f.hash, fill, len);
    return f;
}

static void SEC_03_strongest_known_hash_decides(void **state)
{
    struct fingerprint right = made(FINGERPRINT_SHA256, 32, 2);
    struct fingerprint strong_wrong = made(FINGERPRINT_SHA512, 64, 6);
    struct fingerprint strong_right = made(FINGERPRINT_SHA512, 64, 5);
    struct fingerprint weak = {.algorithm = FINGERPRINT_WEAK};
    (void)state;
    assert_true(fingerprint_matches(&right, 1, fake_hash, NULL));
    assert_true(fingerprint_matches((struct fingerprint[]){weak, right}, 2, fake_hash, NULL));
    assert_false(
        fingerprint_matches((struct fingerprint[]){right, strong_wrong}, 2, fake_hash, NULL));
    assert_true(fingerprint_matches((struct fingerprint[]){strong_wrong, right, strong_right}, 3,
                                    fake_hash, NULL));
    assert_false(fingerprint_matches(&weak, 1, fake_hash, NULL));
    assert_false(fingerprint_matches(&right, 0, fake_hash, NULL));
    right.hash[31] ^= 1;
    assert_false(fingerprint_matches(&right, 1, fake_hash, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(SEC_03_any_case_is_read),
        cmocka_unit_test(SEC_03_wrong_forms_are_malformed),
        cmocka_unit_test(W7_weak_and_unknown_are_told_apart),
        cmocka_unit_test(SEC_03_strongest_known_hash_decides),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
