/* Addresses as plain data. */
#include "lib/base/addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct addr parsed(const char *text)
{
    struct addr a = {0};
    assert_int_equal(addr_parse(slice_of(text), &a), 0);
    return a;
}

static void literals(void **state)
{
    static const char *const bad[] = {"",          "1.2.3",     "1.2.3.4.5", "1.2.3.256",
                                      "localhost", "1.2.3.4 ",  "[::1]",     "::1%lo",
                                      ":::",       "1.2.3.4:5", "01.2.3.4",  "fe80::1/64"};
    struct addr a = {.port = 9};
    (void)state;
    a = parsed("192.0.2.1");
    assert_int_equal(a.family, 4);
    assert_int_equal(a.port, 0);
    assert_memory_equal(a.ip, "\xc0\x00\x02\x01\0\0\0\0\0\0\0\0\0\0\0\0", 16);
    assert_int_equal(parsed("2001:db8::1").family, 6);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(addr_parse(slice_of(bad[i]), &a), -EBADMSG);
    assert_int_equal(addr_parse(slice_make("1.2.3.4\0", 8), &a), -EBADMSG);
    assert_int_equal(a.family, 4);
}

static void mapped_addresses_are_folded(void **state)
{
    struct addr mapped = parsed("::ffff:192.0.2.1");
    struct addr plain = parsed("192.0.2.1");
    (void)state;
    assert_int_equal(mapped.family, 4);
    assert_true(addr_equal(&mapped, &plain));
}

static void sockaddr_and_back(void **state)
{
    static const char *const texts[] = {"192.0.2.7", "2001:db8::7"};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct sockaddr_storage ss;
        struct addr a = parsed(texts[i]);
        struct addr b;
        char text[ADDR_TEXT_MAX];
        a.port = 4711;
        socklen_t len = addr_to_sockaddr(&a, &ss);
        assert_true(len > 0);
        assert_int_equal(addr_from_sockaddr((struct sockaddr *)&ss, len, &b), 0);
        assert_true(addr_equal(&a, &b));
        assert_memory_equal(&a, &b, sizeof(a));
        addr_format_ip(&b, text);
        assert_string_equal(text, texts[i]);
        for (socklen_t cut = 0; cut < len; cut++)
            assert_int_equal(addr_from_sockaddr((struct sockaddr *)&ss, cut, &b), -EAFNOSUPPORT);
    }
}

static void other_families_are_refused(void **state)
{
    struct sockaddr_storage ss = {.ss_family = AF_UNIX};
    struct addr a = {.family = 0};
    char text[ADDR_TEXT_MAX];
    (void)state;
    assert_int_equal(addr_from_sockaddr((struct sockaddr *)&ss, sizeof(ss), &a), -EAFNOSUPPORT);
    assert_int_equal(addr_to_sockaddr(&a, &ss), 0);
    a.family = 77;
    assert_int_equal(addr_to_sockaddr(&a, &ss), 0);
    addr_format_ip(&a, text);
    assert_string_equal(text, "none");
}

static void equality(void **state)
{
    struct addr a = parsed("192.0.2.1");
    struct addr b = a;
    struct addr c = parsed("c000:201::");
    (void)state;
    b.port = 1;
    assert_true(addr_same_host(&a, &b));
    assert_false(addr_equal(&a, &b));
    assert_false(addr_same_host(&a, &c)); /* same first bytes, other family */
}

static void loopback(void **state)
{
    (void)state;
    struct addr a = parsed("127.9.9.9");
    assert_true(addr_is_loopback(&a));
    a = parsed("::1");
    assert_true(addr_is_loopback(&a));
    a = parsed("::ffff:127.0.0.1");
    assert_true(addr_is_loopback(&a));
    a = parsed("128.0.0.1");
    assert_false(addr_is_loopback(&a));
    a = parsed("::2");
    assert_false(addr_is_loopback(&a));
    a = (struct addr){0};
    assert_false(addr_is_loopback(&a));
}

static void S5_logs_see_a_prefix_only(void **state)
{
    char text[ADDR_TEXT_MAX];
    (void)state;
    struct addr a = parsed("192.0.2.77");
    addr_format_private(&a, text);
    assert_string_equal(text, "192.0.2.0/24");
    a = parsed("2001:db8:1:2:3:4:5:6");
    addr_format_private(&a, text);
    assert_string_equal(text, "2001:db8:1::/48");
    a = (struct addr){0};
    addr_format_private(&a, text);
    assert_string_equal(text, "none");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(literals),
        cmocka_unit_test(mapped_addresses_are_folded),
        cmocka_unit_test(sockaddr_and_back),
        cmocka_unit_test(other_families_are_refused),
        cmocka_unit_test(equality),
        cmocka_unit_test(loopback),
        cmocka_unit_test(S5_logs_see_a_prefix_only),
    };
    return cmocka_run_group_tests_name("addr", tests, NULL, NULL);
}
