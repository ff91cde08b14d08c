#include "gateway/depay/sprop.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void expect(struct slice *rest, const char *bytes, size_t len)
{
    uint8_t out[SPROP_NAL_MAX];
    size_t out_len = 0;
    assert_int_equal(sprop_next(rest, out, &out_len), 0);
    assert_int_equal(out_len, len);
    assert_memory_equal(out, bytes, len);
}

static int next(const char *text)
{
    uint8_t out[SPROP_NAL_MAX];
    size_t len = 0;
    struct slice rest = slice_of(text);
    return sprop_next(&rest, out, &len);
}

/* RFC 4648 10 */
static void base64_follows_the_test_vectors(void **state)
{
    struct slice rest = slice_of("Zg==,Zm8=,Zm9v,Zm9vYg==,Zm9vYmE=,Zm9vYmFy,Zm9vYg,Zm9vYmE");
    uint8_t out[SPROP_NAL_MAX];
    size_t len;
    (void)state;
    expect(&rest, "f", 1);
    expect(&rest, "fo", 2);
    expect(&rest, "foo", 3);
    expect(&rest, "foob", 4);
    expect(&rest, "fooba", 5);
    expect(&rest, "foobar", 6);
    expect(&rest, "foob", 4);
    expect(&rest, "fooba", 5);
    assert_int_equal(sprop_next(&rest, out, &len), -ENOENT);
}

static void COD_06_real_sets_are_read(void **state)
{
    struct slice rest = slice_of("Z0LAH9kAUAW7ARAAAAMAEAAAAwPA8YMkgA==,aMuDyyA=");
    (void)state;
    expect(&rest,
           "\x67\x42\xc0\x1f\xd9\x00\x50\x05\xbb\x01\x10\x00\x00\x03\x00\x10\x00\x00\x03\x03\xc0"
           "\xf1\x83\x24\x80",
           25);
    expect(&rest, "\x68\xcb\x83\xcb\x20", 5);
}

static void other_text_is_refused(void **state)
{
    (void)state;
    assert_int_equal(next(""), -ENOENT);
    assert_int_equal(next(","), -EBADMSG);
    assert_int_equal(next("Z"), -EBADMSG);
    assert_int_equal(next("Zm9vY"), -EBADMSG);
    assert_int_equal(next("===="), -EBADMSG);
    assert_int_equal(next("Z==="), -EBADMSG);
    assert_int_equal(next("Zg="), -EBADMSG);
    assert_int_equal(next("Zm9=v"), -EBADMSG);
    assert_int_equal(next("Zm 9v"), -EBADMSG);
    assert_int_equal(next("Zm9v-_8="), -EBADMSG);
}

static void the_length_is_limited(void **state)
{
    char text[SPROP_NAL_MAX * 2] = {0};
    (void)state;
    memset(text, 'A', 683); /* 512 bytes */
    assert_int_equal(next(text), 0);
    memset(text, 'A', 686);
    assert_int_equal(next(text), -EMSGSIZE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(base64_follows_the_test_vectors),
        cmocka_unit_test(COD_06_real_sets_are_read),
        cmocka_unit_test(other_text_is_refused),
        cmocka_unit_test(the_length_is_limited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
