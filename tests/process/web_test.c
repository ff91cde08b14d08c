/* The real web process: WHIP, limits, deadlines, ambiguous requests, its sandbox. */
#include "lib/base/clock.h"
#include "lib/base/escape.h"
#include "tests/support/webrig.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define ROLE "sluice-web"
#define ID "0123456789abcdef0123456789abcdef"

static void A_connection_serves_many_requests(void **state)
{
    struct webrig rig;
    struct webrig_answer a;
    (void)state;
    webrig_start(&rig);
    int fd = webrig_dial(&rig);
    for (int i = 0; i < 3; i++) {
        webrig_ask(fd, "GET", "/healthz", &a);
        assert_int_equal(a.status, 200);
        assert_memory_equal(a.body, "ok\n", 3);
        assert_null(webrig_header(&a, "Connection")); /* findings/transcode.md 2, pitfall 1 */
        assert_non_null(webrig_header(&a, "Date"));
        webrig_ask(fd, "HEAD", "/healthz", &a);
        assert_int_equal(a.status, 200);
        assert_int_equal(a.left, 0);
        webrig_ask(fd, "GET", "/nothing", &a);
        assert_int_equal(a.status, 404);
        webrig_ask(fd, "POST", "/healthz", &a);
        assert_int_equal(a.status, 405);
    }
    (void)close(fd);
    webrig_stop(&rig);
}

static void post_offer(int fd, const char *extra, const char *offer)
{
    char text[4096];
    (void)snprintf(text, sizeof(text),
                   "POST /whip/demo HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer secret\r\n"
                   "Content-Type: application/sdp\r\n%sContent-Length: %zu\r\n\r\n%s",
                   extra, strlen(offer), offer);
    webrig_say_text(fd, text);
}

static void WHIP_01_a_publisher_gets_its_answer(void **state)
{
    struct webrig rig;
    struct webrig_answer a;
    (void)state;
    webrig_start(&rig);
    int fd = webrig_dial(&rig);
    post_offer(fd, "Origin: https://elsewhere.example\r\n", "v=0\r\noffer");
    const struct chan_message *m = peer_wait(&rig.peer, MSG_PUBLISH, WEBRIG_WAIT_MS);
    assert_non_null(m);
    const struct msg_publish *p = m->body;
    assert_string_equal(p->stream, "demo");
    assert_string_equal(p->token, "secret");
    assert_int_equal(m->blob_len, 10);
    assert_memory_equal(m->blob, "v=0\r\noffer", 10);
    assert_true(addr_is_loopback(&p->peer));
    struct msg_publish_result result = {
        .request = p->request, .status = 201, .url_id = ID, .etag = "1"};
    assert_int_equal(peer_send(&rig.peer, MSG_PUBLISH_RESULT, &result, "v=0 answer", 10, NULL), 0);
    assert_true(webrig_listen(fd, &a, false, WEBRIG_WAIT_MS));
    assert_int_equal(a.status, 201);
    assert_true(webrig_header_is(&a, "Location", "/whip/session/" ID));
    assert_true(webrig_header_is(&a, "Access-Control-Allow-Origin", "*"));
    assert_memory_equal(a.body, "v=0 answer", 10);
    /* the same connection ends the session */
    webrig_say_text(fd, "DELETE /whip/session/" ID " HTTP/1.1\r\nHost: localhost\r\n"
                        "Authorization: Bearer secret\r\n\r\n");
    m = peer_wait(&rig.peer, MSG_SESSION, WEBRIG_WAIT_MS);
    assert_non_null(m);
    const struct msg_session *session = m->body;
    assert_int_equal(session->op, SESSION_DELETE);
    struct msg_session_result gone = {.request = session->request, .status = 200};
    assert_int_equal(peer_send(&rig.peer, MSG_SESSION_RESULT, &gone, NULL, 0, NULL), 0);
    assert_true(webrig_listen(fd, &a, false, WEBRIG_WAIT_MS));
    assert_int_equal(a.status, 200);
    (void)close(fd);
    webrig_stop(&rig);
}

static void WHIP_29_a_silent_supervisor_gives_503_and_a_lost_client_no_harm(void **state)
{
    struct webrig rig;
    struct webrig_answer a;
    (void)state;
    webrig_start(&rig);
    int fd = webrig_dial(&rig), lost = webrig_dial(&rig);
    post_offer(fd, "", "v=0");
    post_offer(lost, "", "v=0");
    assert_non_null(peer_wait(&rig.peer, MSG_PUBLISH, WEBRIG_WAIT_MS));
    assert_non_null(peer_wait(&rig.peer, MSG_PUBLISH, WEBRIG_WAIT_MS));
    (void)close(lost);
    uint64_t start_us = clock_now_us();
    assert_true(webrig_listen(fd, &a, false, WEBRIG_WAIT_MS));
    assert_int_equal(a.status, 503);
    assert_true(webrig_header_is(&a, "Retry-After", "1"));
    assert_true(clock_now_us() - start_us < 6000000);
    assert_true(webrig_is_alive(&rig));
    (void)close(fd);
    webrig_stop(&rig);
}

static void H3_ambiguous_requests_get_one_4xx_and_the_end(void **state)
{
#define SECOND "GET /healthz HTTP/1.1\r\n" WEBRIG_HOST "\r\n"
    static const char *const corpus[] = {
        "POST /whip/demo HTTP/1.1\r\n" WEBRIG_HOST
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" SECOND,
        "POST /whip/demo HTTP/1.1\r\n" WEBRIG_HOST
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" SECOND,
        "POST /whip/demo HTTP/1.1\r\n" WEBRIG_HOST
        "Content-Length: 0\r\nContent-Length: 44\r\n\r\n" SECOND,
        "POST /whip/demo HTTP/1.1\r\n" WEBRIG_HOST "Content-Length: 0, 0\r\n\r\n" SECOND,
        "POST /whip/demo HTTP/1.1\r\n" WEBRIG_HOST "Content-Length : 44\r\n\r\n" SECOND,
        "POST /whip/demo HTTP/1.1\r\n" WEBRIG_HOST "Transfer-Encoding: xchunked\r\n\r\n" SECOND,
        "POST /whip/demo HTTP/1.1\r\n" WEBRIG_HOST
        "Transfer-Encoding: chunked, identity\r\n\r\n" SECOND,
        "POST /whip/demo HTTP/1.1\r\n" WEBRIG_HOST
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" SECOND,
        "GET / HTTP/1.1\r\n" WEBRIG_HOST WEBRIG_HOST "\r\n" SECOND,
        "GET / HTTP/1.1\r\n\r\n" SECOND,
        "GET / HTTP/1.1\r\n" WEBRIG_HOST
        "Authorization: Bearer a\r\nAuthorization: Bearer b\r\n\r\n" SECOND,
        "GET / HTTP/1.1\r\n" WEBRIG_HOST "X Y: z\r\n\r\n" SECOND,
        "GET / HTTP/1.1\r\n" WEBRIG_HOST "X: a\x01z\r\n\r\n" SECOND,
        "GET / HTTP/1.9\r\n" WEBRIG_HOST "\r\n" SECOND,
        "GET / HTTP/3.0\r\n" WEBRIG_HOST "\r\n" SECOND,
        "GET http://localhost/ HTTP/1.1\r\n" WEBRIG_HOST "\r\n" SECOND,
        "OPTIONS * HTTP/1.1\r\n" WEBRIG_HOST "\r\n" SECOND,
        "GET /a b HTTP/1.1\r\n" WEBRIG_HOST "\r\n" SECOND,
    };
    struct webrig rig;
    (void)state;
    webrig_start(&rig);
    for (size_t i = 0; i < sizeof(corpus) / sizeof(corpus[0]); i++) {
        struct webrig_answer a;
        char more[256];
        int fd = webrig_dial(&rig);
        webrig_say_text(fd, corpus[i]);
        if (!webrig_listen(fd, &a, false, WEBRIG_WAIT_MS))
            fail_msg("no answer: %s", corpus[i]);
        if (a.status != 400 && !(a.status == 0 && a.closed) && a.status != 505)
            fail_msg("%d: %s", a.status, corpus[i]);
        while (!a.closed) { /* the library doubles the head of an error it makes itself */
            ssize_t got = webrig_hear(fd, more, sizeof(more) - 1, WEBRIG_WAIT_MS);
            if (got == -ETIMEDOUT)
                fail_msg("no end: %s", corpus[i]);
            a.closed = got == 0;
            more[got] = '\0';
            if (strstr(more, "200 OK"))
                fail_msg("a second answer: %s", corpus[i]);
        }
        if (strstr(a.text, "200 OK"))
            fail_msg("a second answer: %s", corpus[i]);
        (void)close(fd);
    }
    assert_null(peer_wait(&rig.peer, MSG_PUBLISH, 1));
    assert_true(webrig_is_alive(&rig));
    webrig_stop(&rig);
}

static void H4_sizes_have_their_statuses(void **state)
{
    struct webrig rig;
    struct webrig_answer a;
    char *text = malloc(200000);
    (void)state;
    assert_non_null(text);
    webrig_start(&rig);
    /* target */
    memset(text, 'a', 65536);
    memcpy(text, "GET /", 5);
    (void)snprintf(text + 2000, 100, " HTTP/1.1\r\n" WEBRIG_HOST "\r\n");
    int fd = webrig_dial(&rig);
    webrig_say_text(fd, text);
    assert_true(webrig_listen(fd, &a, false, WEBRIG_WAIT_MS));
    assert_int_equal(a.status, 414);
    (void)close(fd);
    memset(text, 'a', 65536);
    memcpy(text, "GET /", 5);
    fd = webrig_dial(&rig);
    (void)send(fd, text, 65536, MSG_NOSIGNAL);
    assert_true(webrig_listen(fd, &a, false, WEBRIG_WAIT_MS));
    assert_true(a.status == 414 || a.closed);
    (void)close(fd);
    /* header */
    int len = snprintf(text, 200, "GET /live/demo/index.m3u8 HTTP/1.1\r\n" WEBRIG_HOST "X: ");
    memset(text + len, 'x', 5000);
    (void)snprintf(text + len + 5000, 10, "\r\n\r\n");
    fd = webrig_dial(&rig);
    webrig_say_text(fd, text);
    assert_true(webrig_listen(fd, &a, false, WEBRIG_WAIT_MS));
    assert_int_equal(a.status, 431);
    assert_true(webrig_header_is(&a, "Access-Control-Allow-Origin", "*")); /* WHIP-09 */
    (void)close(fd);
    /* body: by length, chunked, and far too long */
    static const size_t sizes[] = {65536, 65537, 2000000};
    for (size_t i = 0; i < 3; i++) {
        fd = webrig_dial(&rig);
        len = snprintf(text, 400,
                       "POST /whip/demo HTTP/1.1\r\n" WEBRIG_HOST "Authorization: Bearer x\r\n"
                       "Content-Type: application/sdp\r\nContent-Length: %zu\r\n\r\n",
                       sizes[i]);
        memset(text + len, 'v', 70000);
        size_t body = sizes[i] < 70000 ? sizes[i] : 70000;
        webrig_say(fd, text, (size_t)len + body);
        if (i == 0) {
            const struct chan_message *m = peer_wait(&rig.peer, MSG_PUBLISH, WEBRIG_WAIT_MS);
            assert_non_null(m);
            assert_int_equal(m->blob_len, 65536);
        } else {
            assert_true(webrig_listen(fd, &a, false, WEBRIG_WAIT_MS));
            assert_true(a.status == 413);
            assert_true(webrig_header_is(&a, "Access-Control-Allow-Origin", "*"));
        }
        (void)close(fd);
    }
    fd = webrig_dial(&rig);
    len = snprintf(text, 400,
                   "POST /whip/demo HTTP/1.1\r\n" WEBRIG_HOST "Authorization: Bearer x\r\n"
                   "Content-Type: application/sdp\r\nTransfer-Encoding: chunked\r\n\r\n10001\r\n");
    memset(text + len, 'v', 0x10001);
    (void)snprintf(text + len + 0x10001, 20, "\r\n0\r\n\r\n");
    webrig_say(fd, text, (size_t)len + 0x10001 + 7);
    assert_true(webrig_listen(fd, &a, false, WEBRIG_WAIT_MS));
    assert_int_equal(a.status, 413);
    (void)close(fd);
    free(text);
    webrig_stop(&rig);
}

#define BIG_PART (40u << 20)

/* Asks for a part that no socket buffer holds, and reads nothing of it. */
static int stall(struct webrig *rig)
{
    struct webrig_answer a;
    struct segment_writer big = {.fd = -1};
    struct part_segment segment = {.msn = 10, .wall_us = 1, .init_id = 1};
    struct part_part part = {.msn = 10, .len = BIG_PART, .duration_us = 200000, .flags = PART_LAST};
    assert_int_equal(segment_writer_open(&big, BIG_PART), 0);
    webrig_link(rig, 1);
    webrig_hello(rig, false);
    assert_int_equal(webrig_tell(rig, PART_SEGMENT, &segment, sizeof(segment), NULL, 0, big.fd), 0);
    assert_int_equal(webrig_tell(rig, PART_PART, &part, sizeof(part), NULL, 0, -1), 0);
    assert_int_equal(webrig_get(rig, "/live/demo/index.m3u8", &a), 200);
    segment_writer_close(&big);
    int fd = webrig_dial(rig);
    webrig_say_text(fd,
                    "GET /live/demo/0/00000000000000aa-10.0.m4s HTTP/1.1\r\n" WEBRIG_HOST "\r\n");
    return fd;
}

/* How many bytes there are until the end of the connection. */
static size_t drain(int fd)
{
    static char buffer[1u << 20];
    size_t total = 0;
    ssize_t got;
    while ((got = webrig_hear(fd, buffer, sizeof(buffer), WEBRIG_WAIT_MS)) > 0)
        total += (size_t)got;
    assert_int_equal(got, 0);
    return total;
}

static void H1_slow_clients_are_cut_at_their_deadlines(void **state)
{
    struct webrig rig;
    struct webrig_answer a;
    (void)state;
    webrig_start(&rig);
    int stalled = stall(&rig);
    uint64_t start_us = clock_now_us();
    int silent = webrig_dial(&rig), header = webrig_dial(&rig), body = webrig_dial(&rig),
        idle = webrig_dial(&rig);
    webrig_say_text(header, "GET / HTTP/1.1\r\nX: ");
    post_offer(body, "Transfer-Encoding-Not: x\r\n", "");
    assert_true(webrig_listen(body, &a, false, WEBRIG_WAIT_MS)); /* 400: empty */
    webrig_say_text(body, "POST /whip/demo HTTP/1.1\r\n" WEBRIG_HOST "Authorization: Bearer x\r\n"
                          "Content-Type: application/sdp\r\n"
                          "Content-Length: 1000\r\n\r\n");
    webrig_ask(idle, "GET", "/healthz", &a);
    unsigned ms = webrig_closed_after_ms(header, start_us, 300, "x");
    assert_in_range(ms, 4500, 6500);
    ms = webrig_closed_after_ms(silent, start_us, WEBRIG_WAIT_MS, NULL);
    assert_in_range(ms, 4500, 6500 + 500);
    ms = webrig_closed_after_ms(body, start_us, 300, "v");
    assert_in_range(ms, 9500, 11500);
    ms = webrig_closed_after_ms(idle, start_us, WEBRIG_WAIT_MS, NULL);
    assert_in_range(ms, 14500, 16500);
    assert_true(drain(stalled) < BIG_PART); /* cut off long ago */
    assert_true(webrig_is_alive(&rig));
    (void)close(stalled);
    (void)close(silent);
    (void)close(header);
    (void)close(body);
    (void)close(idle);
    webrig_stop(&rig);
}

static void H2_connections_of_one_address_are_bounded(void **state)
{
    struct webrig rig;
    struct webrig_answer a;
    int fds[WEBRIG_PER_ADDRESS];
    char byte;
    (void)state;
    webrig_start(&rig);
    for (size_t i = 0; i < WEBRIG_PER_ADDRESS; i++) {
        fds[i] = webrig_dial(&rig);
        webrig_ask(fds[i], "GET", "/healthz", &a);
        assert_int_equal(a.status, 200);
    }
    int more = webrig_dial(&rig);
    assert_int_equal(webrig_hear(more, &byte, 1, WEBRIG_WAIT_MS), 0);
    (void)close(more);
    webrig_ask(fds[0], "GET", "/healthz", &a);
    assert_int_equal(a.status, 200);
    for (size_t i = 0; i < WEBRIG_PER_ADDRESS; i++)
        (void)close(fds[i]);
    webrig_stop(&rig);
}

/* ---- the sandbox ---- */

/* Calls that web may make, on sockets that others have connected; the attempt is made on the
 * control channel, where an address means nothing. */
static bool may_work(uint64_t attempt)
{
    return attempt == ESCAPE_SENDMSG;
}

/* Allowed calls that get nothing: a map of a socket, a memfd that is not there. */
static bool may_fail(uint64_t attempt)
{
    return attempt == ESCAPE_MAP_WRITE || attempt == ESCAPE_MAP_SHARED;
}

static void M6_every_escape_attempt_is_refused(void **state)
{
    (void)state;
    for (uint64_t attempt = 0; attempt < ESCAPE_COUNT; attempt++) {
        struct webrig rig;
        struct msg_number test = {.number = attempt};
        int status = 0;
        webrig_start(&rig);
        assert_int_equal(peer_send(&rig.peer, MSG_TEST, &test, NULL, 0, NULL), 0);
        const struct chan_message *m = peer_wait(&rig.peer, MSG_PONG, WEBRIG_WAIT_MS);
        if (m) {
            const struct msg_number *answer = m->body;
            bool worked = (uint32_t)answer->number == 0;
            if (!may_work(attempt) && (worked || !may_fail(attempt)))
                fail_msg("%s: survived", escape_name(attempt));
        } else {
            assert_int_equal(peer_wait_exit(&rig.peer, WEBRIG_WAIT_MS, &status), 0);
            if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS)
                fail_msg("%s: status %x", escape_name(attempt), (unsigned)status);
        }
        webrig_stop(&rig);
    }
}

static void I6_the_descriptors_are_those_of_the_plan(void **state)
{
    struct settings_web s = {
        .listener_count = 1, .per_address_connections = 1, .connections = 1, .cors_origins = "*"};
    struct peer peer;
    (void)state;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(peer_start(&peer, ROLE, &s, sizeof(s), NULL, 0, &fd, 1), 0);
    const struct chan_message *m = peer_wait(&peer, MSG_READY, WEBRIG_WAIT_MS);
    assert_non_null(m);
    const struct msg_ready *ready = m->body;
    assert_int_equal(ready->sandbox.seccomp, 1);
    assert_int_equal(ready->sandbox.no_new_privs, 1);
    assert_int_equal(ready->sandbox.not_dumpable, 1);
    /* 0-2, channel, log, loop, listener, the library's epoll */
    assert_int_equal(ready->fd_count, 8);
    peer_stop(&peer);
    (void)close(fd);
}

static void I5_bad_settings_end_the_start(void **state)
{
    struct settings_web s = {.listener_count = 2, .connections = 10};
    struct peer peer;
    int status = 0;
    (void)state;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(peer_start(&peer, ROLE, &s, sizeof(s), NULL, 0, &fd, 1), 0);
    assert_int_equal(peer_wait_exit(&peer, WEBRIG_WAIT_MS, &status), 0);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) != 0);
    peer_stop(&peer);
    s.listener_count = 1;
    assert_int_equal(peer_start(&peer, ROLE, &s, sizeof(s), "no certificate", 14, &fd, 1), 0);
    assert_int_equal(peer_wait_exit(&peer, WEBRIG_WAIT_MS, &status), 0);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) != 0);
    peer_stop(&peer);
    (void)close(fd);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(A_connection_serves_many_requests),
        cmocka_unit_test(WHIP_01_a_publisher_gets_its_answer),
        cmocka_unit_test(WHIP_29_a_silent_supervisor_gives_503_and_a_lost_client_no_harm),
        cmocka_unit_test(H3_ambiguous_requests_get_one_4xx_and_the_end),
        cmocka_unit_test(H4_sizes_have_their_statuses),
        cmocka_unit_test(H1_slow_clients_are_cut_at_their_deadlines),
        cmocka_unit_test(H2_connections_of_one_address_are_bounded),
        cmocka_unit_test(M6_every_escape_attempt_is_refused),
        cmocka_unit_test(I6_the_descriptors_are_those_of_the_plan),
        cmocka_unit_test(I5_bad_settings_end_the_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
