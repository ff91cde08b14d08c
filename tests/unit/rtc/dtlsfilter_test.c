/* Which DTLS records may reach OpenSSL: threats.md U4, U6, U9. */
#include "gateway/rtc/dtlsfilter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define RECORD(type, epoch, len) type, 0xfe, 0xfd, 0, epoch, 0, 0, 0, 0, 0, 1, 0, len
#define MESSAGE(type, len, sequence) type, 0, 0, len, 0, sequence, 0, 0, 0, 0, 0, len

static const uint8_t hello[] = {RECORD(22, 0, 14), MESSAGE(1, 2, 0), 7, 7};

/* How many bytes of the datagram pass. */
static size_t passed(struct dtlsfilter *filter, const void *data, size_t len)
{
    struct reader datagram;
    const uint8_t *record = NULL;
    size_t record_len = 0;
    size_t total = 0;
    uint8_t *exact = malloc(len > 0 ? len : 1);
    assert_non_null(exact);
    memcpy(exact, data, len);
    reader_init(&datagram, exact, len);
    while (dtlsfilter_next(filter, &datagram, &record, &record_len)) {
        assert_true(record >= exact && record + record_len <= exact + len);
        total += record_len;
    }
    free(exact);
    return total;
}

static void U4_only_a_hello_comes_first(void **state)
{
    static const uint8_t change[] = {RECORD(20, 0, 1), 1};
    static const uint8_t key[] = {RECORD(22, 0, 14), MESSAGE(16, 2, 3), 7, 7};
    struct dtlsfilter filter = {.keyed = false};
    (void)state;
    assert_int_equal(passed(&filter, change, sizeof(change)), 0);
    assert_int_equal(passed(&filter, key, sizeof(key)), 0);
    assert_false(filter.hello_seen);
    assert_int_equal(passed(&filter, hello, sizeof(hello)), sizeof(hello));
    assert_true(filter.hello_seen);
    assert_int_equal(passed(&filter, change, sizeof(change)), sizeof(change));
    assert_int_equal(passed(&filter, key, sizeof(key)), sizeof(key));
}

static void U6_messages_have_their_place(void **state)
{
    (void)state;
    for (unsigned type = 0; type < 256; type++) {
        for (unsigned sequence = 0; sequence < 8; sequence++) {
            struct dtlsfilter filter = {.hello_seen = true};
            const uint8_t record[] = {RECORD(22, 0, 14),
                                      MESSAGE((uint8_t)type, 2, (uint8_t)sequence), 7, 7};
            bool right = (type == 1 && sequence <= 1) || (type == 11 && sequence == 2) ||
                         (type == 16 && sequence == 3) || (type == 15 && sequence == 4);
            assert_int_equal(passed(&filter, record, sizeof(record)), right ? sizeof(record) : 0);
        }
    }
}

static void U6_a_servers_messages_have_their_place(void **state)
{
    static const struct {
        uint8_t type;
        uint8_t first;
        uint8_t last;
    } places[] = {{3, 0, 0}, {2, 0, 1}, {11, 1, 2}, {12, 2, 3}, {13, 3, 4}, {14, 3, 5}, {4, 4, 6}};
    (void)state;
    for (unsigned type = 0; type < 256; type++) {
        for (uint8_t sequence = 0; sequence < 8; sequence++) {
            struct dtlsfilter filter = {.from_server = true, .hello_seen = true};
            const uint8_t record[] = {RECORD(22, 0, 14), MESSAGE((uint8_t)type, 2, sequence), 7, 7};
            bool right = false;
            for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
                right = right || (places[i].type == type && sequence >= places[i].first &&
                                  sequence <= places[i].last);
            assert_int_equal(passed(&filter, record, sizeof(record)), right ? sizeof(record) : 0);
        }
    }
    static const uint8_t done[] = {RECORD(22, 0, 12), MESSAGE(14, 0, 4)};
    static const uint8_t empty[] = {RECORD(22, 0, 12), MESSAGE(2, 0, 1)};
    struct dtlsfilter filter = {.from_server = true, .hello_seen = true};
    assert_int_equal(passed(&filter, done, sizeof(done)), sizeof(done));
    assert_int_equal(passed(&filter, empty, sizeof(empty)), 0);
}

static void U6_claims_are_bounded(void **state)
{
    struct dtlsfilter filter = {.hello_seen = true};
    uint8_t record[] = {RECORD(22, 0, 14), MESSAGE(11, 2, 2), 7, 7};
    (void)state;
    record[14] = 0;
    record[15] = 4096 >> 8;
    record[16] = 4096 & 255;
    assert_int_equal(passed(&filter, record, sizeof(record)), sizeof(record));
    record[16] = 1; /* 4,097 bytes */
    assert_int_equal(passed(&filter, record, sizeof(record)), 0);
    record[15] = 0;
    record[16] = 2;
    record[21] = 1; /* offset 1 and 2 bytes do not fit into 2 */
    assert_int_equal(passed(&filter, record, sizeof(record)), 0);
    record[16] = 3;
    assert_int_equal(passed(&filter, record, sizeof(record)), sizeof(record));
    record[24] = 0; /* an empty fragment, with bytes behind it */
    assert_int_equal(passed(&filter, record, sizeof(record)), 0);
}

static void SEC_04_several_messages_and_records_pass(void **state)
{
    static const uint8_t both[] = {
        RECORD(22, 0, 28), MESSAGE(11, 2, 2), 7, 7, MESSAGE(16, 2, 3), 8, 8, RECORD(20, 0, 1), 1};
    static const uint8_t spoiled[] = {
        RECORD(22, 0, 28), MESSAGE(11, 2, 2), 7, 7, MESSAGE(99, 2, 2), 8, 8, RECORD(20, 0, 1), 1};
    struct dtlsfilter filter = {.hello_seen = true};
    (void)state;
    assert_int_equal(passed(&filter, both, sizeof(both)), sizeof(both));
    assert_int_equal(passed(&filter, spoiled, sizeof(spoiled)), 14); /* the second record */
}

static void U9_after_keys_epoch_0_is_over(void **state)
{
    (void)state;
    for (unsigned type = 0; type < 256; type++) {
        for (unsigned epoch = 0; epoch < 4; epoch++) {
            struct dtlsfilter filter = {.keyed = true};
            const uint8_t record[13 + 32] = {RECORD((uint8_t)type, (uint8_t)epoch, 32)};
            bool right = epoch == 1 && type >= 21 && type <= 23;
            assert_int_equal(passed(&filter, record, sizeof(record)), right ? sizeof(record) : 0);
        }
    }
}

static void U6_early_encrypted_records_are_counted(void **state)
{
    static const uint8_t finished[13 + 40] = {RECORD(22, 1, 40)};
    static const uint8_t alert[13 + 40] = {RECORD(21, 1, 40)};
    static const uint8_t cut[13 + 16] = {RECORD(22, 1, 16)};
    struct dtlsfilter filter = {.from_server = true, .hello_seen = true};
    (void)state;
    assert_int_equal(passed(&filter, alert, sizeof(alert)), 0);
    assert_int_equal(passed(&filter, cut, sizeof(cut)), 0); /* too short for a tag */
    for (unsigned i = 0; i < DTLSFILTER_EARLY_MAX; i++)
        assert_int_equal(passed(&filter, finished, sizeof(finished)), sizeof(finished));
    assert_int_equal(passed(&filter, finished, sizeof(finished)), 0);
}

static void SEC_01_other_versions_are_skipped(void **state)
{
    uint8_t record[sizeof(hello)];
    (void)state;
    memcpy(record, hello, sizeof(hello));
    for (unsigned minor = 0; minor < 256; minor++) {
        struct dtlsfilter filter = {.keyed = false};
        record[2] = (uint8_t)minor;
        bool known = minor == 0xff || minor == 0xfd;
        assert_int_equal(passed(&filter, record, sizeof(record)), known ? sizeof(record) : 0);
    }
}

static void U18_truncation_at_every_length(void **state)
{
    (void)state;
    for (size_t len = 0; len < sizeof(hello); len++) {
        struct dtlsfilter filter = {.keyed = false};
        assert_int_equal(passed(&filter, hello, len), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(U4_only_a_hello_comes_first),
        cmocka_unit_test(U6_messages_have_their_place),
        cmocka_unit_test(U6_a_servers_messages_have_their_place),
        cmocka_unit_test(U6_claims_are_bounded),
        cmocka_unit_test(SEC_04_several_messages_and_records_pass),
        cmocka_unit_test(U9_after_keys_epoch_0_is_over),
        cmocka_unit_test(U6_early_encrypted_records_are_counted),
        cmocka_unit_test(SEC_01_other_versions_are_skipped),
        cmocka_unit_test(U18_truncation_at_every_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
