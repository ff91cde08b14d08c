/* The real web process: whose bodies it keeps, and for how long (threats.md W1, H1, H4). */
#include "lib/base/clock.h"
#include "tests/support/webrig.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define TOKEN "Authorization: Bearer secret\r\n"
#define SDP "Content-Type: application/sdp\r\n"
#define OFFER_MAX 65536u
#define HALF 40000u /* of an offer: kept in 64 KiB */
#define ATTACKERS 3u
#define PER_ATTACKER 60u
#define HOARDS (ATTACKERS * PER_ATTACKER) /* 11 MiB of 8 */
#define HONEST_POSTS 100

static const char filler[OFFER_MAX + 1];

/* A connection from 127.0.0.last. */
static int dial_from(const struct webrig *rig, uint8_t last)
{
    struct sockaddr_in sa = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK - 1 + last)};
    int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)), 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&sa, sizeof(sa)), 0);
    sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    sa.sin_port = htons(rig->port);
    assert_int_equal(connect(fd, (const struct sockaddr *)&sa, sizeof(sa)), 0);
    return fd;
}

/* The head of a POST, with so long a body. */
static void say_head(int fd, const char *headers, size_t body_len)
{
    char text[512];
    int len = snprintf(text, sizeof(text),
                       "POST /whip/demo HTTP/1.1\r\n" WEBRIG_HOST "%sContent-Length: %zu\r\n\r\n",
                       headers, body_len);
    assert_true(len > 0 && (size_t)len < sizeof(text));
    webrig_say(fd, text, (size_t)len);
}

static void hear(int fd, int status)
{
    static struct webrig_answer a;
    webrig_expect(fd, &a, status);
}

/* The supervisor gets an offer of that length, and refuses it. */
static void settle(struct webrig *rig, int fd, size_t offer_len)
{
    const struct chan_message *m = peer_wait(&rig->peer, MSG_PUBLISH, WEBRIG_WAIT_MS);
    assert_non_null(m);
    assert_int_equal(m->blob_len, offer_len);
    struct msg_publish_result result = {.request = ((const struct msg_publish *)m->body)->request,
                                        .status = 422};
    assert_int_equal(peer_send(&rig->peer, MSG_PUBLISH_RESULT, &result, NULL, 0, NULL), 0);
    hear(fd, 422);
}

/* One honest publisher, again and again, while others hold half offers. */
static void post_among_hoards(struct webrig *rig, const char *headers, uint8_t honest)
{
    int fds[HOARDS];
    for (size_t i = 0; i < HOARDS; i++) {
        fds[i] = dial_from(rig, (uint8_t)(2 + i / PER_ATTACKER));
        say_head(fds[i], headers, OFFER_MAX);
        webrig_say(fds[i], filler, HALF);
    }
    int fd = dial_from(rig, honest);
    for (int i = 0; i < HONEST_POSTS; i++) {
        say_head(fd, TOKEN SDP, 5000);
        webrig_say(fd, filler, 5000);
        settle(rig, fd, 5000);
    }
    (void)close(fd);
    for (size_t i = 0; i < HOARDS; i++)
        (void)close(fds[i]);
}

static void W1_H4_half_offers_without_token_keep_nobody_out(void **state)
{
    post_among_hoards(*state, SDP, 1);
}

static void H4_half_offers_with_any_token_keep_nobody_out(void **state)
{
    post_among_hoards(*state, TOKEN SDP, 1);
    post_among_hoards(*state, TOKEN SDP, 2); /* behind the same address as an attacker */
}

static void H4_a_client_over_its_share_loses_its_oldest_body(void **state)
{
    enum { SHARE = 8 };
    struct webrig *rig = *state;
    int fds[SHARE + 1];
    char byte;
    for (size_t i = 0; i < SHARE + 1; i++) {
        fds[i] = dial_from(rig, 1);
        say_head(fds[i], TOKEN SDP, OFFER_MAX);
        webrig_say(fds[i], filler, HALF);
        if (i == 0) { /* it is the oldest, surely: web has read its head */
            int other = dial_from(rig, 2);
            say_head(other, TOKEN SDP, 5);
            webrig_say(other, filler, 5);
            settle(rig, other, 5);
            (void)close(other);
        }
    }
    assert_int_equal(webrig_hear(fds[0], &byte, 1, WEBRIG_WAIT_MS), 0); /* closed, no answer */
    for (size_t i = 1; i < SHARE + 1; i++) {
        webrig_say(fds[i], filler, OFFER_MAX - HALF);
        settle(rig, fds[i], OFFER_MAX);
    }
    for (size_t i = 0; i < SHARE + 1; i++)
        (void)close(fds[i]);
    assert_true(webrig_is_alive(rig));
}

/* A body that has been taken is given back, however its request went. (The library may overlook
 * the end of a connection behind its last bytes; then the share is what frees the memory.) */
static void H4_memory_comes_back(void **state)
{
    struct webrig *rig = *state;
    for (int i = 0; i < 150; i++) { /* more than the budget, one after the other */
        int fd = dial_from(rig, 1);
        say_head(fd, TOKEN SDP, OFFER_MAX);
        webrig_say(fd, filler, i % 2 ? OFFER_MAX : HALF);
        if (i % 2)
            settle(rig, fd, OFFER_MAX);
        (void)close(fd);
    }
    assert_true(webrig_is_alive(rig));
}

static void W1_the_token_is_asked_for_before_the_body(void **state)
{
    static const struct {
        const char *headers;
        size_t body_len;
        int status;
    } cases[] = {
        {SDP "Expect: 100-continue\r\n", 5000, 401},
        {SDP "Authorization: Bearer a b\r\nExpect: 100-continue\r\n", 5000, 401},
        {TOKEN "Content-Type: text/plain\r\nExpect: 100-continue\r\n", 5000, 415},
        {TOKEN SDP "Expect: 100-continue\r\n", OFFER_MAX + 1, 413},
        {TOKEN SDP, 2000000, 413}, /* too long to be read in vain */
        {SDP, 2000000, 401},
    };
    struct webrig *rig = *state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int fd = webrig_dial(rig);
        say_head(fd, cases[i].headers, cases[i].body_len); /* and no byte of the body */
        hear(fd, cases[i].status);
        (void)close(fd);
    }
    assert_null(peer_wait(&rig->peer, MSG_PUBLISH, 1));
}

static void W1_who_may_go_on_gets_100(void **state)
{
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    struct webrig *rig = *state;
    int fd = webrig_dial(rig);
    for (int i = 0; i < 2; i++) { /* the connection stays */
        char text[sizeof(go_on)] = "";
        size_t len = 0;
        say_head(fd, TOKEN SDP "Expect: 100-continue\r\n", OFFER_MAX);
        while (len < sizeof(go_on) - 1) {
            ssize_t got = webrig_hear(fd, text + len, sizeof(go_on) - 1 - len, WEBRIG_WAIT_MS);
            assert_true(got > 0);
            len += (size_t)got;
        }
        assert_string_equal(text, go_on);
        webrig_say(fd, filler, OFFER_MAX);
        settle(rig, fd, OFFER_MAX);
    }
    (void)close(fd);
}

/* Also a body that nobody keeps has a deadline. */
static void H1_bodies_end_at_their_deadline(void **state)
{
    static const char *const headers[] = {TOKEN SDP, SDP};
    struct webrig *rig = *state;
    uint64_t start_us = clock_now_us();
    int fds[2];
    for (size_t i = 0; i < 2; i++) {
        fds[i] = webrig_dial(rig);
        say_head(fds[i], headers[i], 1000);
    }
    unsigned ms = webrig_closed_after_ms(fds[0], start_us, 300, "v");
    assert_in_range(ms, 9500, 11500);
    ms = webrig_closed_after_ms(fds[1], start_us, 300, "v");
    assert_in_range(ms, 9500, 12000);
    (void)close(fds[0]);
    (void)close(fds[1]);
    assert_true(webrig_is_alive(rig));
}

int main(int argc, char **argv)
{
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    const struct CMUnitTest tests[] = {
        IN_WEBRIG(W1_H4_half_offers_without_token_keep_nobody_out),
        IN_WEBRIG(H4_half_offers_with_any_token_keep_nobody_out),
        IN_WEBRIG(H4_a_client_over_its_share_loses_its_oldest_body),
        IN_WEBRIG(H4_memory_comes_back),
        IN_WEBRIG(W1_the_token_is_asked_for_before_the_body),
        IN_WEBRIG(W1_who_may_go_on_gets_100),
        IN_WEBRIG(H1_bodies_end_at_their_deadline),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
