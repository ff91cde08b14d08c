#include "gateway/supervisor/candidates.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PORT 18080

struct bench {
    struct listeners listeners;
    struct conf conf;
    struct msg_ingest_bind bind;
    char text[1024];
};

static struct addr parse(const char *text)
{
    struct addr a;
    assert_int_equal(addr_parse(slice_of(text), &a), 0);
    return a;
}

static int setup(void **state)
{
    static const char *const media[] = {"10.0.0.5", "172.17.0.1", "2001:db8::5", "127.0.0.1",
                                        "::1"};
    struct bench *b = calloc(1, sizeof(*b));
    assert_non_null(b);
    conf_init(&b->conf);
    listeners_init(&b->listeners);
    for (size_t i = 0; i < sizeof(media) / sizeof(media[0]); i++) {
        b->listeners.media[i] = parse(media[i]);
        b->listeners.media[i].port = PORT;
        b->listeners.media_count++;
    }
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    free(*state);
    return 0;
}

static void add_public(struct bench *b, const char *text)
{
    b->conf.public_address[b->conf.public_address_count++] = parse(text);
}

/* The candidates' addresses in order, and the same of TCP. */
static const char *fill(struct bench *b, uint64_t session, uint16_t port)
{
    size_t len = 0;
    memset(&b->bind, 0, sizeof(b->bind));
    candidates_fill(&b->listeners, &b->conf, session, &b->bind);
    assert_int_equal(b->bind.tcp_count, b->bind.candidate_count);
    for (size_t i = 0; i < b->bind.candidate_count; i++) {
        char ip[ADDR_TEXT_MAX];
        addr_format_ip(&b->bind.candidates[i], ip);
        len += (size_t)snprintf(b->text + len, sizeof(b->text) - len, "%s%s", i > 0 ? " " : "", ip);
        assert_int_equal(b->bind.candidates[i].port, port);
        assert_true(addr_same_host(&b->bind.tcp[i], &b->bind.candidates[i]));
        assert_int_equal(b->bind.tcp[i].port, PORT);
    }
    return b->text;
}

static void ICE_09_every_media_address_is_a_candidate(void **state)
{
    assert_string_equal(fill(*state, 7, PORT), "10.0.0.5 172.17.0.1 2001:db8::5 127.0.0.1 ::1");
}

static void ICE_09_a_public_address_stands_for_a_local_one(void **state)
{
    struct bench *b = *state;
    add_public(b, "203.0.113.9");
    assert_string_equal(fill(b, 7, PORT), "203.0.113.9 172.17.0.1 2001:db8::5 127.0.0.1 ::1");
    add_public(b, "2001:db8:f::9");
    assert_string_equal(fill(b, 7, PORT), "203.0.113.9 2001:db8:f::9 172.17.0.1 127.0.0.1 ::1");
}

static void ICE_09_more_public_addresses_than_local_ones(void **state)
{
    struct bench *b = *state;
    add_public(b, "203.0.113.9");
    add_public(b, "203.0.113.10");
    add_public(b, "203.0.113.11");
    add_public(b, "203.0.113.9"); /* once is enough */
    assert_string_equal(fill(b, 7, PORT),
                        "203.0.113.9 203.0.113.10 203.0.113.11 2001:db8::5 127.0.0.1 ::1");
}

static void ICE_09_what_a_stun_server_saw_stands_for_the_address_that_asked(void **state)
{
    struct bench *b = *state;
    b->listeners.seen[0] = parse("198.51.100.4");
    b->listeners.seen[1] = parse("198.51.100.4"); /* both behind the same NAT */
    assert_string_equal(fill(b, 7, PORT), "198.51.100.4 2001:db8::5 127.0.0.1 ::1");
}

static void ICE_10_sessions_are_spread_and_name_their_port_only(void **state)
{
    struct bench *b = *state;
    b->conf.media_port_count = 4;
    for (uint64_t session = 100; session < 120; session++)
        (void)fill(b, session, (uint16_t)(PORT + session % 4));
}

static void ICE_09_the_list_is_bounded(void **state)
{
    struct bench *b = *state;
    char text[32];
    for (unsigned i = 0; i < STREAM_ADDRESSES_MAX; i++) {
        (void)snprintf(text, sizeof(text), "203.0.113.%u", i + 1);
        add_public(b, text);
    }
    (void)fill(b, 1, PORT);
    assert_int_equal(b->bind.candidate_count, STREAM_ADDRESSES_MAX);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(ICE_09_every_media_address_is_a_candidate),
        TEST(ICE_09_a_public_address_stands_for_a_local_one),
        TEST(ICE_09_more_public_addresses_than_local_ones),
        TEST(ICE_09_what_a_stun_server_saw_stands_for_the_address_that_asked),
        TEST(ICE_10_sessions_are_spread_and_name_their_port_only),
        TEST(ICE_09_the_list_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
