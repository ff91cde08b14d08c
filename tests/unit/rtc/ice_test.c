/* Binding requests: RFC 8445 7.3, RFC 8489, test vector of RFC 5769. */
#include "gateway/rtc/ice.h"

#include "tests/unit/rtc/stunmake.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct ice_credentials credentials = {.ufrag = UFRAG, .pwd = PWD, .peer_ufrag = PEER};

struct outcome {
    enum ice_verdict verdict;
    bool nominated;
    size_t len;
    uint8_t bytes[ICE_REPLY_MAX];
};

static struct outcome answer(const struct request *request, const char *from_text)
{
    struct outcome o;
    struct addr from;
    assert_int_equal(addr_parse(slice_of(from_text), &from), 0);
    from.port = 0x1234;
    /* Exactly as long as the request, so that sanitizers see an overrun. */
    uint8_t *exact = malloc(request->len);
    assert_non_null(exact);
    memcpy(exact, request->bytes, request->len);
    o.verdict = ice_answer(exact, request->len, &credentials, &from, o.bytes, sizeof(o.bytes),
                           &o.len, &o.nominated);
    free(exact);
    return o;
}

/* Type of the reply and the attribute of that type, or NULL. */
static const uint8_t *find(const struct outcome *o, unsigned type, size_t *out_len)
{
    for (size_t at = 20; at + 4 <= o->len;) {
        unsigned t = (unsigned)(o->bytes[at] << 8 | o->bytes[at + 1]);
        size_t len = (size_t)(o->bytes[at + 2] << 8 | o->bytes[at + 3]);
        if (t == type) {
            *out_len = len;
            return o->bytes + at + 4;
        }
        at += 4 + (len + 3) / 4 * 4;
    }
    return NULL;
}

static void ICE_03_rfc5769_request_is_authentic(void **state)
{
    static const uint8_t vector[] = {
        0x00, 0x01, 0x00, 0x58, 0x21, 0x12, 0xa4, 0x42, 0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34,
        0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae, 0x80, 0x22, 0x00, 0x10, 0x53, 0x54, 0x55, 0x4e,
        0x20, 0x74, 0x65, 0x73, 0x74, 0x20, 0x63, 0x6c, 0x69, 0x65, 0x6e, 0x74, 0x00, 0x24,
        0x00, 0x04, 0x6e, 0x00, 0x01, 0xff, 0x80, 0x29, 0x00, 0x08, 0x93, 0x2f, 0xf9, 0xb1,
        0x51, 0x26, 0x3b, 0x36, 0x00, 0x06, 0x00, 0x09, 0x65, 0x76, 0x74, 0x6a, 0x3a, 0x68,
        0x36, 0x76, 0x59, 0x20, 0x20, 0x20, 0x00, 0x08, 0x00, 0x14, 0x9a, 0xea, 0xa7, 0x0c,
        0xbf, 0xd8, 0xcb, 0x56, 0x78, 0x1e, 0xf2, 0xb5, 0xb2, 0xd3, 0xf2, 0x49, 0xc1, 0xb5,
        0x71, 0xa2, 0x80, 0x28, 0x00, 0x04, 0xe5, 0x7a, 0x3b, 0xcf};
    const struct ice_credentials known = {.ufrag = "evtj", .pwd = "VOkJxbRl1RmTxUk/WvJxBt"};
    struct ice_info info;
    (void)state;
    assert_int_equal(ice_precheck(vector, sizeof(vector), &info), 0);
    assert_true(slice_is(info.local_ufrag, "evtj"));
    assert_true(slice_is(info.remote_ufrag, "h6vY"));
    assert_true(ice_verify(vector, sizeof(vector), &known));
    for (size_t i = 0; i < sizeof(vector); i++) {
        uint8_t copy[sizeof(vector)];
        memcpy(copy, vector, sizeof(copy));
        copy[i] ^= 0x10;
        assert_false(ice_verify(copy, sizeof(copy), &known));
    }
}

static void ICE_04_reply_has_mapped_address_and_is_authentic(void **state)
{
    static const struct recipe plain = {.use_candidate = true};
    struct request request = make(&plain);
    size_t len = 0;
    (void)state;
    struct outcome o = answer(&request, "192.0.2.33");
    assert_int_equal(o.verdict, ICE_ACCEPT);
    assert_true(o.nominated);
    assert_int_equal(o.bytes[0] << 8 | o.bytes[1], 0x0101);
    assert_memory_equal(o.bytes + 4, request.bytes + 4, 16); /* cookie and transaction */
    const uint8_t *mapped = find(&o, 0x0020, &len);
    assert_non_null(mapped);
    static const uint8_t expected[] = {0,          1,        0x12 ^ 0x21, 0x34 ^ 0x12,
                                       192 ^ 0x21, 0 ^ 0x12, 2 ^ 0xa4,    33 ^ 0x42};
    assert_int_equal(len, sizeof(expected));
    assert_memory_equal(mapped, expected, sizeof(expected));
    const uint8_t *mac = find(&o, 0x0008, &len);
    assert_non_null(mac);
    assert_non_null(find(&o, 0x8028, &len));
    /* MESSAGE-INTEGRITY over what stands in front of it, with the length up to its end. */
    uint8_t copy[ICE_REPLY_MAX];
    uint8_t want[20];
    unsigned want_len = sizeof(want);
    size_t before = (size_t)(mac - o.bytes) - 4;
    memcpy(copy, o.bytes, before);
    copy[3] = (uint8_t)(before + 24 - 20);
    HMAC(EVP_sha1(), PWD, (int)strlen(PWD), copy, before, want, &want_len);
    assert_memory_equal(mac, want, sizeof(want));
}

static void ICE_09_ipv6_peers_are_answered(void **state)
{
    static const struct recipe plain = {.extra = 0};
    struct request request = make(&plain);
    size_t len = 0;
    (void)state;
    struct outcome o = answer(&request, "2001:db8::5");
    assert_int_equal(o.verdict, ICE_ACCEPT);
    assert_non_null(find(&o, 0x0020, &len));
    assert_int_equal(len, 20);
}

static void ICE_04_sparse_requests_are_accepted(void **state)
{
    static const struct recipe sparse = {.no_priority = true, .no_role = true};
    struct request request = make(&sparse);
    (void)state;
    assert_int_equal(answer(&request, "192.0.2.33").verdict, ICE_ACCEPT);
}

static void ICE_08_checks_with_and_without_nomination(void **state)
{
    static const struct recipe with = {.use_candidate = true};
    static const struct recipe without = {.use_candidate = false};
    struct request a = make(&with);
    struct request b = make(&without);
    (void)state;
    assert_true(answer(&a, "192.0.2.33").nominated);
    struct outcome o = answer(&b, "192.0.2.33");
    assert_int_equal(o.verdict, ICE_ACCEPT);
    assert_false(o.nominated);
}

static void ICE_11_role_conflict_gets_487(void **state)
{
    static const struct recipe controlled = {.controlled = true, .use_candidate = true};
    static const struct recipe forged = {.controlled = true, .pwd = "wrong"};
    struct request request = make(&controlled);
    size_t len = 0;
    (void)state;
    struct outcome o = answer(&request, "192.0.2.33");
    assert_int_equal(o.verdict, ICE_REFUSE);
    assert_false(o.nominated);
    const uint8_t *code = find(&o, 0x0009, &len);
    assert_non_null(code);
    assert_int_equal(code[2] * 100 + code[3], 487);
    assert_non_null(find(&o, 0x0008, &len)); /* protected */
    request = make(&forged);
    assert_int_equal(answer(&request, "192.0.2.33").len, 0);
}

static void ICE_03_unknown_mandatory_attribute_gets_420(void **state)
{
    static const struct recipe unknown = {.extra = 0x7abc};
    static const struct recipe optional = {.extra = 0xfabc};
    struct request request = make(&unknown);
    size_t len = 0;
    (void)state;
    struct outcome o = answer(&request, "192.0.2.33");
    assert_int_equal(o.verdict, ICE_REFUSE);
    const uint8_t *code = find(&o, 0x0009, &len);
    assert_non_null(code);
    assert_int_equal(code[2] * 100 + code[3], 420);
    request = make(&optional);
    assert_int_equal(answer(&request, "192.0.2.33").verdict, ICE_ACCEPT);
}

static void U1_silent_unless_authentic(void **state)
{
    static const struct recipe bad[] = {
        {.no_integrity = true},      {.pwd = "wrong"},
        {.no_fingerprint = true},    {.wrong_crc = true},
        {.username = "other:" PEER}, {.username = UFRAG ":other"},
        {.username = UFRAG},         {.username = UFRAG ":"},
        {.username = ":" PEER},      {.username = ""},
        {.after = 0x0024}, /* behind MESSAGE-INTEGRITY only FINGERPRINT counts (U2) */
        {.after = 0x0025},           {.extra = 0x0024}, /* PRIORITY of 3 bytes */
        {.extra = 0x0025},                              /* USE-CANDIDATE of 3 bytes */
        {.extra = 0x802a},           {.named_twice = true},
        {.extra = 0x0008}, /* MESSAGE-INTEGRITY of 3 bytes */
        {.extra = 0x8028}, /* FINGERPRINT not last */
    };
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct request request = make(&bad[i]);
        struct outcome o = answer(&request, "192.0.2.33");
        if (o.verdict != ICE_DROP || o.len != 0 || o.nominated)
            fail_msg("request %zu was answered", i);
        assert_false(ice_verify(request.bytes, request.len, &credentials));
    }
}

static void U1_truncation_and_growth_are_silent(void **state)
{
    static const struct recipe plain = {.use_candidate = true};
    struct request whole = make(&plain);
    (void)state;
    for (size_t len = 1; len < whole.len; len++) {
        struct request cut = whole;
        cut.len = len;
        assert_int_equal(answer(&cut, "192.0.2.33").verdict, ICE_DROP);
        cut.bytes[2] = (uint8_t)((len - 20) >> 8);
        cut.bytes[3] = (uint8_t)(len - 20);
        assert_int_equal(answer(&cut, "192.0.2.33").verdict, ICE_DROP);
    }
    struct request longer = whole;
    memset(longer.bytes + whole.len, 0, sizeof(longer.bytes) - whole.len);
    longer.len = whole.len + 4;
    assert_int_equal(answer(&longer, "192.0.2.33").verdict, ICE_DROP);
    longer.len = 1404;
    longer.bytes[2] = (1404 - 20) >> 8;
    longer.bytes[3] = (1404 - 20) & 255;
    assert_int_equal(answer(&longer, "192.0.2.33").verdict, ICE_DROP);
}

static void U2_every_flipped_bit_is_noticed(void **state)
{
    static const struct recipe plain = {.use_candidate = true};
    struct request whole = make(&plain);
    (void)state;
    for (size_t bit = 0; bit < whole.len * 8; bit++) {
        struct request spoiled = whole;
        spoiled.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(answer(&spoiled, "192.0.2.33").verdict, ICE_DROP);
    }
}

static void ICE_12_replies_fit_and_amplify_little(void **state)
{
    static const struct recipe plain = {.use_candidate = true};
    struct request request = make(&plain);
    (void)state;
    assert_true(answer(&request, "192.0.2.33").len <= request.len);
    /* Any name length: the reply repeats it but stays within its buffer. */
    char name[600];
    for (size_t len = 1; len <= 256; len += 17) {
        memset(name, 'n', sizeof(name));
        memcpy(name, UFRAG ":", strlen(UFRAG) + 1);
        name[strlen(UFRAG) + 1 + len] = '\0';
        struct recipe named = {.username = name};
        const struct ice_credentials any = {.ufrag = UFRAG, .pwd = PWD};
        request = make(&named);
        struct addr from = {.family = 4, .port = 5, .ip = {192, 0, 2, 1}};
        uint8_t out[ICE_REPLY_MAX];
        size_t out_len = 0;
        bool nominated = false;
        assert_int_equal(ice_answer(request.bytes, request.len, &any, &from, out, sizeof(out),
                                    &out_len, &nominated),
                         ICE_ACCEPT);
        assert_in_range(out_len, 20, sizeof(out));
    }
}

/* The longest names that the pre-parser takes: the reply repeats them and libnice would end the
 * process if it did not fit. */
static void ICE_12_longest_names_fit(void **state)
{
    char name[ICE_UFRAG_MAX * 2 + 2];
    char ufrag[ICE_UFRAG_MAX + 1];
    const struct ice_credentials own = {.ufrag = ufrag, .pwd = PWD};
    const struct recipe named = {.username = name};
    const struct addr from = {.family = 6, .port = 5, .ip = {0x20, 1}};
    uint8_t out[ICE_REPLY_MAX];
    size_t out_len = 0;
    bool nominated = false;
    (void)state;
    memset(name, 'n', sizeof(name));
    name[ICE_UFRAG_MAX] = ':';
    name[sizeof(name) - 1] = '\0';
    memset(ufrag, 'n', sizeof(ufrag));
    ufrag[ICE_UFRAG_MAX] = '\0';
    struct request request = make(&named);
    assert_int_equal(
        ice_answer(request.bytes, request.len, &own, &from, out, sizeof(out), &out_len, &nominated),
        ICE_ACCEPT);
    assert_in_range(out_len, 513, sizeof(out));
}

static void ICE_03_small_buffers_get_no_half_reply(void **state)
{
    static const struct recipe plain = {.use_candidate = true};
    struct request request = make(&plain);
    struct addr from = {.family = 4, .port = 5, .ip = {192, 0, 2, 1}};
    uint8_t out[ICE_REPLY_MAX];
    size_t full = answer(&request, "192.0.2.1").len;
    (void)state;
    assert_true(full > 0 && full < sizeof(out));
    for (size_t cap = 0; cap < ICE_REPLY_MAX; cap++) {
        size_t out_len = 99;
        bool nominated = true;
        enum ice_verdict verdict = ice_answer(request.bytes, request.len, &credentials, &from, out,
                                              cap, &out_len, &nominated);
        assert_int_equal(verdict, ICE_DROP);
        assert_int_equal(out_len, 0);
        assert_false(nominated);
    }
}

static void M6_warm_up_works(void **state)
{
    (void)state;
    assert_int_equal(ice_warm(), 0);
    assert_int_equal(ice_warm(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ICE_03_rfc5769_request_is_authentic),
        cmocka_unit_test(ICE_04_reply_has_mapped_address_and_is_authentic),
        cmocka_unit_test(ICE_09_ipv6_peers_are_answered),
        cmocka_unit_test(ICE_04_sparse_requests_are_accepted),
        cmocka_unit_test(ICE_08_checks_with_and_without_nomination),
        cmocka_unit_test(ICE_11_role_conflict_gets_487),
        cmocka_unit_test(ICE_03_unknown_mandatory_attribute_gets_420),
        cmocka_unit_test(U1_silent_unless_authentic),
        cmocka_unit_test(U1_truncation_and_growth_are_silent),
        cmocka_unit_test(U2_every_flipped_bit_is_noticed),
        cmocka_unit_test(ICE_12_replies_fit_and_amplify_little),
        cmocka_unit_test(ICE_12_longest_names_fit),
        cmocka_unit_test(ICE_03_small_buffers_get_no_half_reply),
        cmocka_unit_test(M6_warm_up_works),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
