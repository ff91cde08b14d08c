#include "gateway/rtc/stunask.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* The responses of RFC 5769 2.2 and 2.3, without SOFTWARE, MESSAGE-INTEGRITY and FINGERPRINT. */
static const uint8_t id[STUNASK_ID_LEN] = {0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34,
                                           0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae};
static const uint8_t ip4[] = {0x01, 0x01, 0x00, 0x0c, 0x21, 0x12, 0xa4, 0x42, 0xb7, 0xe7, 0xa7,
                              0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae, 0x00, 0x20,
                              0x00, 0x08, 0x00, 0x01, 0xa1, 0x47, 0xe1, 0x12, 0xa6, 0x43};
static const uint8_t ip6[] = {0x01, 0x01, 0x00, 0x18, 0x21, 0x12, 0xa4, 0x42, 0xb7, 0xe7, 0xa7,
                              0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae, 0x00, 0x20,
                              0x00, 0x14, 0x00, 0x02, 0xa1, 0x47, 0x01, 0x13, 0xa9, 0xfa, 0xa5,
                              0xd3, 0xf1, 0x79, 0xbc, 0x25, 0xf4, 0xb5, 0xbe, 0xd2, 0xb9, 0xd9};

static void ICE_09_the_request_is_a_plain_binding_request(void **state)
{
    uint8_t request[STUNASK_REQUEST_LEN];
    (void)state;
    stunask_request(id, request);
    assert_memory_equal(request, "\x00\x01\x00\x00\x21\x12\xa4\x42", 8);
    assert_memory_equal(request + 8, id, sizeof(id));
}

static void ICE_09_mapped_addresses_of_rfc_5769(void **state)
{
    struct addr a;
    char text[ADDR_TEXT_MAX];
    (void)state;
    assert_int_equal(stunask_parse(ip4, sizeof(ip4), id, &a), 0);
    addr_format_ip(&a, text);
    assert_string_equal(text, "192.0.2.1");
    assert_int_equal(a.port, 32853);
    assert_int_equal(stunask_parse(ip6, sizeof(ip6), id, &a), 0);
    addr_format_ip(&a, text);
    assert_string_equal(text, "2001:db8:1234:5678:11:2233:4455:6677");
    assert_int_equal(a.port, 32853);
}

static void ICE_09_other_attributes_before_it_are_stepped_over(void **state)
{
    uint8_t data[sizeof(ip4) + 8];
    struct addr a;
    (void)state;
    memcpy(data, ip4, 20);
    memcpy(data + 20,
           "\x80\x22\x00\x03"
           "abc\0",
           8); /* with padding */
    memcpy(data + 28, ip4 + 20, sizeof(ip4) - 20);
    data[3] = sizeof(data) - 20;
    assert_int_equal(stunask_parse(data, sizeof(data), id, &a), 0);
    assert_int_equal(a.port, 32853);
}

static void refuses(const uint8_t *data, size_t len)
{
    struct addr a = {.port = 7};
    assert_int_equal(stunask_parse(data, len, id, &a), -EBADMSG);
    assert_int_equal(a.port, 7);
}

static void ICE_09_anything_else_is_refused(void **state)
{
    (void)state;
    for (size_t len = 0; len < sizeof(ip6); len++)
        refuses(ip6, len);
    for (size_t i = 0; i < 26; i++) { /* header, attribute head and family each count */
        uint8_t data[sizeof(ip4)];
        if (i == 24)
            continue; /* reserved */
        memcpy(data, ip4, sizeof(ip4));
        data[i] ^= 0x5a;
        refuses(data, sizeof(data));
    }
    uint8_t data[sizeof(ip4)];
    memcpy(data, ip4, sizeof(data));
    data[26] = 0x21; /* port 0 */
    data[27] = 0x12;
    refuses(data, sizeof(data));
    static const uint8_t empty[20] = {0x01, 0x01, 0,    0,    0x21, 0x12, 0xa4, 0x42, 0xb7, 0xe7,
                                      0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae};
    refuses(empty, sizeof(empty));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ICE_09_the_request_is_a_plain_binding_request),
        cmocka_unit_test(ICE_09_mapped_addresses_of_rfc_5769),
        cmocka_unit_test(ICE_09_other_attributes_before_it_are_stepped_over),
        cmocka_unit_test(ICE_09_anything_else_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
