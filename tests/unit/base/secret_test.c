/* Random bytes, comparison, wiping. */
#include "lib/base/secret.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void random_fills_everything(void **state)
{
    uint8_t seen[300] = {0};
    uint8_t data[302];
    (void)state;
    data[300] = data[301] = 0xee;
    for (int round = 0; round < 40; round++) {
        secret_random(data, 300);
        for (size_t i = 0; i < 300; i++)
            seen[i] |= data[i];
    }
    for (size_t i = 0; i < 300; i++)
        assert_int_equal(seen[i], 0xff); /* misses a bit once in 10^9 runs */
    assert_int_equal(data[300], 0xee);
    secret_random(data, 0);
}

static void random_text_uses_all_letters(void **state)
{
    uint8_t seen[256] = {0};
    char text[10001];
    size_t different = 0;
    (void)state;
    secret_random_text(text, sizeof(text) - 1);
    assert_int_equal(strlen(text), sizeof(text) - 1);
    for (const char *c = text; *c; c++) {
        assert_true(isalnum((unsigned char)*c));
        different += !seen[(uint8_t)*c]++;
    }
    assert_int_equal(different, 62);
    secret_random_text(text, 0);
    assert_string_equal(text, "");
}

static void compare_sees_every_byte(void **state)
{
    uint8_t a[32];
    uint8_t b[32];
    (void)state;
    secret_random(a, sizeof(a));
    memcpy(b, a, sizeof(a));
    assert_true(secret_equal(a, b, sizeof(a)));
    assert_true(secret_equal(a, b, 0));
    for (size_t i = 0; i < sizeof(a); i++) {
        for (int bit = 0; bit < 8; bit++) {
            b[i] = (uint8_t)(a[i] ^ 1 << bit);
            assert_false(secret_equal(a, b, sizeof(a)));
        }
        b[i] = a[i];
    }
}

static void wipe_zeroes(void **state)
{
    uint8_t a[4] = {1, 2, 3, 4};
    (void)state;
    secret_wipe(a, 3);
    assert_memory_equal(a, "\0\0\0\x04", 4);
    secret_wipe(NULL, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_fills_everything),
        cmocka_unit_test(random_text_uses_all_letters),
        cmocka_unit_test(compare_sees_every_byte),
        cmocka_unit_test(wipe_zeroes),
    };
    return cmocka_run_group_tests_name("secret", tests, NULL, NULL);
}
