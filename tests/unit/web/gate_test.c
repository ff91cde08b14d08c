/* Request heads that must not reach a handler (threats.md H3, H4). */
#include "web/gate.h"
#include "web/request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* head: "TARGET VERSION" and header lines, separated by newlines. */
static unsigned verdict_of(const char *head, size_t len)
{
    struct gate gate = {0};
    struct slice rest = slice_make(head, len);
    struct slice line = slice_cut(&rest, '\n');
    struct slice target = slice_cut(&line, ' ');
    gate_line(&gate, target, line);
    while (rest.len > 0) {
        struct slice value = slice_cut(&rest, '\n');
        struct slice name = slice_cut(&value, ':');
        gate_header(&gate, name, slice_trim(value));
    }
    return gate_verdict(&gate);
}

static unsigned verdict(const char *head)
{
    return verdict_of(head, strlen(head));
}

static void H3_ordinary_heads_pass(void **state)
{
    (void)state;
    assert_int_equal(verdict("/ HTTP/1.1\nHost: a"), 0);
    assert_int_equal(verdict("/ HTTP/1.0"), 0);
    assert_int_equal(verdict("/x?y=%20 HTTP/1.1\nHost: a\nContent-Length: 5"), 0);
    assert_int_equal(verdict("/ HTTP/1.1\nHost: a\nTransfer-Encoding: Chunked"), 0);
    assert_int_equal(verdict("/ HTTP/1.1\nHost: a\nX-Odd_name!#$%&'*+-.^`|~: a\tb"), 0);
}

static void H3_ambiguous_heads_get_400(void **state)
{
    static const char *const bad[] = {
        "/ HTTP/1.1\nHost: a\nContent-Length: 5\nTransfer-Encoding: chunked",
        "/ HTTP/1.1\nHost: a\nContent-Length: 5\nContent-Length: 5",
        "/ HTTP/1.1\nHost: a\nContent-Length: 5, 5",
        "/ HTTP/1.1\nHost: a\nContent-Length: +5",
        "/ HTTP/1.1\nHost: a\nContent-Length: -1",
        "/ HTTP/1.1\nHost: a\nContent-Length: 0x5",
        "/ HTTP/1.1\nHost: a\nContent-Length:",
        "/ HTTP/1.1\nHost: a\nContent-Length: 99999999999999999999",
        "/ HTTP/1.1\nHost: a\nTransfer-Encoding: chunked\nTransfer-Encoding: chunked",
        "/ HTTP/1.1\nHost: a\nTransfer-Encoding: chunked, identity",
        "/ HTTP/1.1\nHost: a\nTransfer-Encoding: identity",
        "/ HTTP/1.1\nHost: a\nTransfer-Encoding: xchunked",
        "/ HTTP/1.1\nHost: a\nTransfer-Encoding:",
        "/ HTTP/1.0\nTransfer-Encoding: chunked",
        "/ HTTP/1.1\nHost: a\nHost: b",
        "/ HTTP/1.1",
        "/ HTTP/1.1\nHost: a\nAuthorization: Bearer x\nauthorization: Bearer y",
        "/ HTTP/1.1\nHost: a\nContent-Length : 5",
        "/ HTTP/1.1\nHost: a\n folded: x",
        "/ HTTP/1.1\nHost: a\n: x",
        "/ HTTP/1.1\nHost: a\nX(y): x",
        "/ HTTP/1.1\nHost: a\nX: a\rb",
        "/ HTTP/1.1\nHost: a\nX: a\x7f",
        "/ HTTP/1.9\nHost: a",
        "/ HTTP/2.0\nHost: a",
        "/ http/1.1\nHost: a",
        "/ ",
        "x HTTP/1.1\nHost: a",
        "* HTTP/1.1\nHost: a",
        "http://a/ HTTP/1.1\nHost: a",
        "/a\tb HTTP/1.1\nHost: a",
        "/a\x01 HTTP/1.1\nHost: a",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (verdict(bad[i]) != 400)
            fail_msg("passed: %s", bad[i]);
    }
    assert_int_equal(verdict_of("/ HTTP/1.1\nHost: a\nX: a\0b", 26), 400);
}

static void H4_long_targets_and_headers_have_their_own_status(void **state)
{
    char head[REQUEST_HEADERS_MAX + REQUEST_TARGET_MAX + 64];
    (void)state;
    memset(head, 'a', sizeof(head));
    head[0] = '/';
    memcpy(head + REQUEST_TARGET_MAX, " HTTP/1.1\nHost: a", 18);
    assert_int_equal(verdict(head), 0);
    memset(head, 'a', sizeof(head));
    head[0] = '/';
    memcpy(head + REQUEST_TARGET_MAX + 1, " HTTP/1.1\nHost: a", 18);
    assert_int_equal(verdict(head), 414);
    struct gate gate = {0};
    gate_line(&gate, slice_of("/"), slice_of("HTTP/1.1"));
    gate_header(&gate, slice_of("Host"), slice_of("a"));
    memset(head, 'a', sizeof(head));
    gate_header(&gate, slice_of("X"), slice_make(head, REQUEST_HEADERS_MAX - 6));
    assert_int_equal(gate_verdict(&gate), 0);
    gate_header(&gate, slice_of("Y"), slice_make(head, 0));
    assert_int_equal(gate_verdict(&gate), 431);
}

static void H4_the_length_is_known(void **state)
{
    struct gate gate = {0};
    (void)state;
    gate_header(&gate, slice_of("content-LENGTH"), slice_of("65537"));
    assert_int_equal(gate.content_length, 65537);
}

static enum gate_body body_plan(const char *head, uint64_t limit)
{
    struct gate gate = {0};
    struct slice rest = slice_of(head);
    gate_line(&gate, slice_of("/"), slice_cut(&rest, '\n'));
    while (rest.len > 0) {
        struct slice value = slice_cut(&rest, '\n');
        struct slice name = slice_cut(&value, ':');
        gate_header(&gate, name, slice_trim(value));
    }
    return gate_body(&gate, limit, 100);
}

static void W1_a_body_is_taken_only_when_the_head_entitles_to_it(void **state)
{
    (void)state;
    assert_int_equal(body_plan("HTTP/1.1\nContent-Length: 10", 10), GATE_BODY_TAKE);
    assert_int_equal(body_plan("HTTP/1.1\nContent-Length: 11", 10), GATE_BODY_DROP);
    assert_int_equal(body_plan("HTTP/1.1\nContent-Length: 1", 0), GATE_BODY_DROP);
    assert_int_equal(body_plan("HTTP/1.1\nContent-Length: 100", 0), GATE_BODY_DROP);
    assert_int_equal(body_plan("HTTP/1.1\nContent-Length: 101", 0), GATE_BODY_REFUSE);
    assert_int_equal(body_plan("HTTP/1.1\nContent-Length: 101", 10), GATE_BODY_REFUSE);
    assert_int_equal(body_plan("HTTP/1.1\nTransfer-Encoding: chunked", 10), GATE_BODY_TAKE);
    assert_int_equal(body_plan("HTTP/1.1\nTransfer-Encoding: chunked", 0), GATE_BODY_DROP);
    assert_int_equal(body_plan("HTTP/1.1", 0), GATE_BODY_TAKE); /* there is none */
    assert_int_equal(body_plan("HTTP/1.1\nContent-Length: 0", 0), GATE_BODY_TAKE);
}

/* Who asks before sending is told at once, not let send what is then dropped. */
static void W1_an_expected_continue_is_refused_at_once(void **state)
{
    (void)state;
    assert_int_equal(body_plan("HTTP/1.1\nExpect: 100-Continue\nContent-Length: 10", 10),
                     GATE_BODY_TAKE);
    assert_int_equal(body_plan("HTTP/1.1\nExpect: 100-continue\nContent-Length: 11", 10),
                     GATE_BODY_REFUSE);
    assert_int_equal(body_plan("HTTP/1.1\nContent-Length: 10\nexpect: 100-continue", 0),
                     GATE_BODY_REFUSE);
    assert_int_equal(body_plan("HTTP/1.1\nExpect: 100-continue\nTransfer-Encoding: chunked", 0),
                     GATE_BODY_REFUSE);
    assert_int_equal(body_plan("HTTP/1.1\nExpect: 100-continue", 0), GATE_BODY_TAKE);
    assert_int_equal(body_plan("HTTP/1.0\nExpect: 100-continue\nContent-Length: 1", 0),
                     GATE_BODY_DROP);
    assert_int_equal(body_plan("HTTP/1.1\nExpect: 200-ok\nContent-Length: 1", 0), GATE_BODY_DROP);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(H3_ordinary_heads_pass),
        cmocka_unit_test(H3_ambiguous_heads_get_400),
        cmocka_unit_test(H4_long_targets_and_headers_have_their_own_status),
        cmocka_unit_test(H4_the_length_is_known),
        cmocka_unit_test(W1_a_body_is_taken_only_when_the_head_entitles_to_it),
        cmocka_unit_test(W1_an_expected_continue_is_refused_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
