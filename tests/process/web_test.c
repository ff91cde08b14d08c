/* The real web process: raw HTTP over loopback, a scripted supervisor, and a fake transcode worker.
 */
#include "lib/base/addr.h"
#include "lib/base/clock.h"
#include "lib/base/escape.h"
#include "lib/base/fd.h"
#include "lib/base/segment.h"
#include "lib/proto/part.h"
#include "tests/support/peer.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <poll.h>
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
#define WAIT_MS 10000
#define TEST_UID 64323u
#define ID "0123456789abcdef0123456789abcdef"
#define PER_ADDRESS 64u
#define WAITERS 32u
#define EPOCH UINT64_C(0x00000000000000aa)
#define VIDEO "/live/demo/0/media.m3u8"
#define HTTP_MAX 65536u

/* A running web with one listener on loopback, and our end of a worker's pair. */
struct rig {
    struct peer peer;
    int listener;
    uint16_t port;
    int worker; /* -1: none */
    struct segment_writer memory;
};

/* ---- start ---- */

static void rig_start_with(struct rig *rig, const void *pem, size_t pem_len)
{
    struct settings_web s = {.common.namespaces = 1,
                             .common.test_hooks = 1,
                             .listener_count = 1,
                             .per_address_connections = PER_ADDRESS,
                             .connections = 256,
                             .per_address_waiters = WAITERS,
                             .ended_linger_s = 30,
                             .cors_origins = "*"};
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(sa);
    if (geteuid() == 0)
        s.common.uid = TEST_UID;
    rig->worker = -1;
    rig->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(rig->listener >= 0);
    assert_int_equal(bind(rig->listener, (const struct sockaddr *)&sa, len), 0);
    assert_int_equal(listen(rig->listener, 512), 0);
    assert_int_equal(getsockname(rig->listener, (struct sockaddr *)&sa, &len), 0);
    rig->port = ntohs(sa.sin_port);
    assert_int_equal(segment_writer_open(&rig->memory, 4u << 20), 0);
    for (size_t i = 0; i < rig->memory.capacity; i++)
        rig->memory.data[i] = (uint8_t)(i * 31 + i / 253);
    assert_int_equal(peer_start(&rig->peer, ROLE, &s, sizeof(s), pem, pem_len, &rig->listener, 1),
                     0);
    const struct chan_message *ready = peer_wait(&rig->peer, MSG_READY, WAIT_MS);
    assert_non_null(ready);
}

static void rig_start(struct rig *rig)
{
    rig_start_with(rig, NULL, 0);
}

static void rig_stop(struct rig *rig)
{
    fd_close(&rig->worker);
    peer_stop(&rig->peer);
    fd_close(&rig->listener);
    segment_writer_close(&rig->memory);
}

static bool is_alive(struct rig *rig)
{
    struct msg_number ping = {.number = 4711};
    if (peer_send(&rig->peer, MSG_PING, &ping, NULL, 0, NULL))
        return false;
    return peer_wait(&rig->peer, MSG_PONG, WAIT_MS) != NULL;
}

/* ---- HTTP, raw ---- */

struct answer {
    int status;  /* 0: the connection ended without an answer */
    bool closed; /* the connection ended behind it */
    size_t head_len;
    size_t body_len;
    size_t left; /* bytes behind the body, of a next answer */
    char text[HTTP_MAX];
    const char *body;
};

static int dial(const struct rig *rig)
{
    struct sockaddr_in sa = {.sin_family = AF_INET,
                             .sin_port = htons(rig->port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&sa, sizeof(sa)), 0);
    assert_int_equal(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)), 0);
    return fd;
}

static void say(int fd, const void *data, size_t len)
{
    assert_int_equal(send(fd, data, len, MSG_NOSIGNAL), len);
}

static void say_text(int fd, const char *text)
{
    say(fd, text, strlen(text));
}

/* Bytes received within timeout_ms; 0: the peer closed or reset; -ETIMEDOUT. */
static ssize_t hear(int fd, void *to, size_t cap, int timeout_ms)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    if (poll(&p, 1, timeout_ms) == 0)
        return -ETIMEDOUT;
    ssize_t got = recv(fd, to, cap, 0);
    return got < 0 ? 0 : got;
}

/* The value of a header, or NULL. Points into the answer; ends at CR. */
static const char *header_of(const struct answer *a, const char *name)
{
    size_t len = strlen(name);
    for (const char *line = strstr(a->text, "\r\n"); line && line < a->text + a->head_len;
         line = strstr(line + 2, "\r\n")) {
        if (strncasecmp(line + 2, name, len) == 0 && line[2 + len] == ':')
            return line + 2 + len + 2;
    }
    return NULL;
}

static bool header_is(const struct answer *a, const char *name, const char *value)
{
    const char *found = header_of(a, name);
    return found && strncmp(found, value, strlen(value)) == 0 && found[strlen(value)] == '\r';
}

/* One answer; its body is not expected when head is true. False on timeout. */
static bool listen_for(int fd, struct answer *a, bool head, int timeout_ms)
{
    size_t have = 0, want = 0;
    uint64_t end_us = clock_now_us() + (uint64_t)timeout_ms * 1000;
    memset(a, 0, offsetof(struct answer, text));
    a->text[0] = '\0';
    while (a->head_len == 0 || have < want) {
        uint64_t now_us = clock_now_us();
        if (now_us >= end_us)
            return false;
        ssize_t got = hear(fd, a->text + have, sizeof(a->text) - 1 - have,
                           (int)((end_us - now_us) / 1000 + 1));
        if (got == -ETIMEDOUT)
            return false;
        if (got == 0) {
            a->closed = true;
            return true;
        }
        have += (size_t)got;
        a->text[have] = '\0';
        const char *blank = strstr(a->text, "\r\n\r\n");
        if (a->head_len == 0 && blank) {
            a->head_len = (size_t)(blank - a->text) + 4;
            a->status = (int)strtol(a->text + 9, NULL, 10);
            const char *length = header_of(a, "Content-Length");
            a->body_len = length && !head ? strtoul(length, NULL, 10) : 0;
            want = a->head_len + a->body_len;
            assert_true(want < sizeof(a->text));
        }
    }
    a->body = a->text + a->head_len;
    a->left = have - want;
    return true;
}

static void ask(int fd, const char *method, const char *target, struct answer *a)
{
    char head[2048];
    (void)snprintf(head, sizeof(head), "%s %s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", method, target);
    say_text(fd, head);
    assert_true(listen_for(fd, a, strcmp(method, "HEAD") == 0, WAIT_MS));
}

static int get(const struct rig *rig, const char *target, struct answer *a)
{
    int fd = dial(rig);
    ask(fd, "GET", target, a);
    (void)close(fd);
    return a->status;
}

/* ---- the worker ---- */

static int tell(const struct rig *rig, unsigned type, const void *body, size_t len,
                const void *blob, size_t blob_len, int fd)
{
    uint8_t packet[8192];
    struct chan_head head = {.type = (uint16_t)type,
                             .fd_count = fd >= 0 ? 1 : 0,
                             .body_len = (uint32_t)len,
                             .blob_len = (uint32_t)blob_len};
    struct iovec part = {.iov_base = packet, .iov_len = sizeof(head) + len + blob_len};
    _Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(sizeof(int))] = {0};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    memcpy(packet, &head, sizeof(head));
    memcpy(packet + sizeof(head), body, len);
    if (blob_len > 0)
        memcpy(packet + sizeof(head) + len, blob, blob_len);
    if (fd >= 0) {
        message.msg_control = control;
        message.msg_controllen = sizeof(control);
        struct cmsghdr *c = CMSG_FIRSTHDR(&message);
        *c = (struct cmsghdr){
            .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int))};
        memcpy(CMSG_DATA(c), &fd, sizeof(fd));
    }
    struct pollfd room = {.fd = rig->worker, .events = POLLOUT};
    (void)poll(&room, 1, WAIT_MS);
    return sendmsg(rig->worker, &message, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static void link_worker(struct rig *rig, uint64_t session)
{
    struct msg_stream_link m = {.session = session, .stream = "demo"};
    int pair[2];
    fd_close(&rig->worker);
    assert_int_equal(chan_pair(pair), 0);
    assert_int_equal(peer_send(&rig->peer, MSG_STREAM_LINK, &m, NULL, 0, &pair[1]), 0);
    (void)close(pair[1]);
    rig->worker = pair[0];
}

static void hello(const struct rig *rig, bool continues)
{
    struct part_hello m = {.epoch = EPOCH,
                           .part_target_us = 200000,
                           .segment_target_us = 2000000,
                           .target_duration_s = 3,
                           .window = 6,
                           .continues = continues,
                           .renditions = 1};
    struct part_init init = {.init_id = 1,
                             .kind = TRACK_VIDEO,
                             .width = 640,
                             .height = 360,
                             .bandwidth_bps = 1000000,
                             .codecs = "avc1.42c01f"};
    assert_int_equal(tell(rig, PART_HELLO, &m, sizeof(m), NULL, 0, -1), 0);
    assert_int_equal(tell(rig, PART_INIT, &init, sizeof(init), "header", 6, -1), 0);
}

static void open_segment_as(const struct rig *rig, uint64_t msn, uint64_t discontinuities,
                            bool discontinuity)
{
    struct part_segment m = {.msn = msn,
                             .discontinuity_sequence = discontinuities,
                             .discontinuity = discontinuity,
                             .wall_us = INT64_C(1750000000000000),
                             .init_id = 1};
    assert_int_equal(tell(rig, PART_SEGMENT, &m, sizeof(m), NULL, 0, rig->memory.fd), 0);
}

static void open_segment(const struct rig *rig, uint64_t msn)
{
    open_segment_as(rig, msn, 0, false);
}

static void send_part(const struct rig *rig, uint64_t msn, uint32_t part, uint32_t flags)
{
    struct part_part m = {.msn = msn,
                          .part = part,
                          .offset = part * 5000,
                          .len = 5000,
                          .duration_us = 200000,
                          .flags = flags};
    assert_int_equal(tell(rig, PART_PART, &m, sizeof(m), NULL, 0, -1), 0);
}

static void end_worker(const struct rig *rig, bool final)
{
    struct part_end m = {.final = final};
    assert_int_equal(tell(rig, PART_END, &m, sizeof(m), NULL, 0, -1), 0);
}

/* Segment 10 complete, 11 open with part 0; waits until it is served. */
static void publish(struct rig *rig)
{
    struct answer a;
    link_worker(rig, 1);
    hello(rig, false);
    open_segment(rig, 10);
    send_part(rig, 10, 0, PART_INDEPENDENT);
    send_part(rig, 10, 1, PART_LAST);
    open_segment(rig, 11);
    send_part(rig, 11, 0, PART_INDEPENDENT);
    int fd = dial(rig);
    ask(fd, "GET", "/healthz", &a); /* web has our messages before it can have a later request */
    do
        ask(fd, "GET", VIDEO "?_HLS_msn=11&_HLS_part=0", &a);
    while (a.status == 404);
    assert_int_equal(a.status, 200);
    (void)close(fd);
}

/* True when web has ended the worker's pair. */
static bool is_dropped(const struct rig *rig)
{
    char byte;
    struct pollfd p = {.fd = rig->worker, .events = POLLIN};
    return poll(&p, 1, WAIT_MS) == 1 && recv(rig->worker, &byte, 1, MSG_DONTWAIT) <= 0;
}

/* ---- tests ---- */

static void A_connection_serves_many_requests(void **state)
{
    struct rig rig;
    struct answer a;
    (void)state;
    rig_start(&rig);
    int fd = dial(&rig);
    for (int i = 0; i < 3; i++) {
        ask(fd, "GET", "/healthz", &a);
        assert_int_equal(a.status, 200);
        assert_memory_equal(a.body, "ok\n", 3);
        assert_null(header_of(&a, "Connection")); /* findings/transcode.md 2, pitfall 1 */
        assert_non_null(header_of(&a, "Date"));
        ask(fd, "HEAD", "/healthz", &a);
        assert_int_equal(a.status, 200);
        assert_int_equal(a.left, 0);
        ask(fd, "GET", "/nothing", &a);
        assert_int_equal(a.status, 404);
        ask(fd, "POST", "/healthz", &a);
        assert_int_equal(a.status, 405);
    }
    (void)close(fd);
    rig_stop(&rig);
}

static void post_offer(int fd, const char *extra, const char *offer)
{
    char text[4096];
    (void)snprintf(text, sizeof(text),
                   "POST /whip/demo HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer secret\r\n"
                   "Content-Type: application/sdp\r\n%sContent-Length: %zu\r\n\r\n%s",
                   extra, strlen(offer), offer);
    say_text(fd, text);
}

static void WHIP_01_a_publisher_gets_its_answer(void **state)
{
    struct rig rig;
    struct answer a;
    (void)state;
    rig_start(&rig);
    int fd = dial(&rig);
    post_offer(fd, "Origin: https://elsewhere.example\r\n", "v=0\r\noffer");
    const struct chan_message *m = peer_wait(&rig.peer, MSG_PUBLISH, WAIT_MS);
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
    assert_true(listen_for(fd, &a, false, WAIT_MS));
    assert_int_equal(a.status, 201);
    assert_true(header_is(&a, "Location", "/whip/session/" ID));
    assert_true(header_is(&a, "Access-Control-Allow-Origin", "*"));
    assert_memory_equal(a.body, "v=0 answer", 10);
    /* the same connection ends the session */
    say_text(fd, "DELETE /whip/session/" ID " HTTP/1.1\r\nHost: localhost\r\n"
                 "Authorization: Bearer secret\r\n\r\n");
    m = peer_wait(&rig.peer, MSG_SESSION, WAIT_MS);
    assert_non_null(m);
    const struct msg_session *session = m->body;
    assert_int_equal(session->op, SESSION_DELETE);
    struct msg_session_result gone = {.request = session->request, .status = 200};
    assert_int_equal(peer_send(&rig.peer, MSG_SESSION_RESULT, &gone, NULL, 0, NULL), 0);
    assert_true(listen_for(fd, &a, false, WAIT_MS));
    assert_int_equal(a.status, 200);
    (void)close(fd);
    rig_stop(&rig);
}

static void WHIP_29_a_silent_supervisor_gives_503_and_a_lost_client_no_harm(void **state)
{
    struct rig rig;
    struct answer a;
    (void)state;
    rig_start(&rig);
    int fd = dial(&rig), lost = dial(&rig);
    post_offer(fd, "", "v=0");
    post_offer(lost, "", "v=0");
    assert_non_null(peer_wait(&rig.peer, MSG_PUBLISH, WAIT_MS));
    assert_non_null(peer_wait(&rig.peer, MSG_PUBLISH, WAIT_MS));
    (void)close(lost);
    uint64_t start_us = clock_now_us();
    assert_true(listen_for(fd, &a, false, WAIT_MS));
    assert_int_equal(a.status, 503);
    assert_true(header_is(&a, "Retry-After", "1"));
    assert_true(clock_now_us() - start_us < 6000000);
    assert_true(is_alive(&rig));
    (void)close(fd);
    rig_stop(&rig);
}

static void H3_ambiguous_requests_get_one_4xx_and_the_end(void **state)
{
#define HOST "Host: localhost\r\n"
#define SECOND "GET /healthz HTTP/1.1\r\n" HOST "\r\n"
    static const char *const corpus[] = {
        "POST /whip/demo HTTP/1.1\r\n" HOST
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" SECOND,
        "POST /whip/demo HTTP/1.1\r\n" HOST
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" SECOND,
        "POST /whip/demo HTTP/1.1\r\n" HOST
        "Content-Length: 0\r\nContent-Length: 44\r\n\r\n" SECOND,
        "POST /whip/demo HTTP/1.1\r\n" HOST "Content-Length: 0, 0\r\n\r\n" SECOND,
        "POST /whip/demo HTTP/1.1\r\n" HOST "Content-Length : 44\r\n\r\n" SECOND,
        "POST /whip/demo HTTP/1.1\r\n" HOST "Transfer-Encoding: xchunked\r\n\r\n" SECOND,
        "POST /whip/demo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked, identity\r\n\r\n" SECOND,
        "POST /whip/demo HTTP/1.1\r\n" HOST
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" SECOND,
        "GET / HTTP/1.1\r\n" HOST HOST "\r\n" SECOND,
        "GET / HTTP/1.1\r\n\r\n" SECOND,
        "GET / HTTP/1.1\r\n" HOST
        "Authorization: Bearer a\r\nAuthorization: Bearer b\r\n\r\n" SECOND,
        "GET / HTTP/1.1\r\n" HOST "X Y: z\r\n\r\n" SECOND,
        "GET / HTTP/1.1\r\n" HOST "X: a\x01z\r\n\r\n" SECOND,
        "GET / HTTP/1.9\r\n" HOST "\r\n" SECOND,
        "GET / HTTP/3.0\r\n" HOST "\r\n" SECOND,
        "GET http://localhost/ HTTP/1.1\r\n" HOST "\r\n" SECOND,
        "OPTIONS * HTTP/1.1\r\n" HOST "\r\n" SECOND,
        "GET /a b HTTP/1.1\r\n" HOST "\r\n" SECOND,
    };
    struct rig rig;
    (void)state;
    rig_start(&rig);
    for (size_t i = 0; i < sizeof(corpus) / sizeof(corpus[0]); i++) {
        struct answer a;
        char more[256];
        int fd = dial(&rig);
        say_text(fd, corpus[i]);
        if (!listen_for(fd, &a, false, WAIT_MS))
            fail_msg("no answer: %s", corpus[i]);
        if (a.status != 400 && !(a.status == 0 && a.closed) && a.status != 505)
            fail_msg("%d: %s", a.status, corpus[i]);
        while (!a.closed) { /* the library doubles the head of an error it makes itself */
            ssize_t got = hear(fd, more, sizeof(more) - 1, WAIT_MS);
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
    assert_true(is_alive(&rig));
    rig_stop(&rig);
}

static void H4_sizes_have_their_statuses(void **state)
{
    struct rig rig;
    struct answer a;
    char *text = malloc(200000);
    (void)state;
    assert_non_null(text);
    rig_start(&rig);
    /* target */
    memset(text, 'a', 65536);
    memcpy(text, "GET /", 5);
    (void)snprintf(text + 2000, 100, " HTTP/1.1\r\n" HOST "\r\n");
    int fd = dial(&rig);
    say_text(fd, text);
    assert_true(listen_for(fd, &a, false, WAIT_MS));
    assert_int_equal(a.status, 414);
    (void)close(fd);
    memset(text, 'a', 65536);
    memcpy(text, "GET /", 5);
    fd = dial(&rig);
    (void)send(fd, text, 65536, MSG_NOSIGNAL);
    assert_true(listen_for(fd, &a, false, WAIT_MS));
    assert_true(a.status == 414 || a.closed);
    (void)close(fd);
    /* header */
    int len = snprintf(text, 200, "GET /live/demo/index.m3u8 HTTP/1.1\r\n" HOST "X: ");
    memset(text + len, 'x', 5000);
    (void)snprintf(text + len + 5000, 10, "\r\n\r\n");
    fd = dial(&rig);
    say_text(fd, text);
    assert_true(listen_for(fd, &a, false, WAIT_MS));
    assert_int_equal(a.status, 431);
    assert_true(header_is(&a, "Access-Control-Allow-Origin", "*")); /* WHIP-09 */
    (void)close(fd);
    /* body: by length, chunked, and far too long */
    static const size_t sizes[] = {65536, 65537, 2000000};
    for (size_t i = 0; i < 3; i++) {
        fd = dial(&rig);
        len = snprintf(text, 400,
                       "POST /whip/demo HTTP/1.1\r\n" HOST "Authorization: Bearer x\r\n"
                       "Content-Type: application/sdp\r\nContent-Length: %zu\r\n\r\n",
                       sizes[i]);
        memset(text + len, 'v', 70000);
        size_t body = sizes[i] < 70000 ? sizes[i] : 70000;
        say(fd, text, (size_t)len + body);
        if (i == 0) {
            const struct chan_message *m = peer_wait(&rig.peer, MSG_PUBLISH, WAIT_MS);
            assert_non_null(m);
            assert_int_equal(m->blob_len, 65536);
        } else {
            assert_true(listen_for(fd, &a, false, WAIT_MS));
            assert_true(a.status == 413);
            assert_true(header_is(&a, "Access-Control-Allow-Origin", "*"));
        }
        (void)close(fd);
    }
    fd = dial(&rig);
    len = snprintf(text, 400,
                   "POST /whip/demo HTTP/1.1\r\n" HOST "Authorization: Bearer x\r\n"
                   "Content-Type: application/sdp\r\nTransfer-Encoding: chunked\r\n\r\n10001\r\n");
    memset(text + len, 'v', 0x10001);
    (void)snprintf(text + len + 0x10001, 20, "\r\n0\r\n\r\n");
    say(fd, text, (size_t)len + 0x10001 + 7);
    assert_true(listen_for(fd, &a, false, WAIT_MS));
    assert_int_equal(a.status, 413);
    (void)close(fd);
    free(text);
    rig_stop(&rig);
}

/* Reads the end of the connection, and tells after how many ms it came. */
static unsigned closed_after_ms(int fd, uint64_t start_us, int drip_ms, const char *drip)
{
    char buffer[4096];
    for (;;) {
        ssize_t got = hear(fd, buffer, sizeof(buffer), drip_ms);
        if (got == 0)
            return (unsigned)((clock_now_us() - start_us) / 1000);
        assert_true(clock_now_us() - start_us < 30000000);
        if (got == -ETIMEDOUT && drip)
            (void)send(fd, drip, strlen(drip), MSG_NOSIGNAL);
    }
}

static void H1_slow_clients_are_cut_at_their_deadlines(void **state)
{
    struct rig rig;
    struct answer a;
    (void)state;
    rig_start(&rig);
    uint64_t start_us = clock_now_us();
    int silent = dial(&rig), header = dial(&rig), body = dial(&rig), idle = dial(&rig);
    say_text(header, "GET / HTTP/1.1\r\nX: ");
    post_offer(body, "Transfer-Encoding-Not: x\r\n", "");
    assert_true(listen_for(body, &a, false, WAIT_MS)); /* 400: empty */
    say_text(body, "POST /whip/demo HTTP/1.1\r\n" HOST "Authorization: Bearer x\r\n"
                   "Content-Length: 1000\r\n\r\n");
    ask(idle, "GET", "/healthz", &a);
    unsigned ms = closed_after_ms(header, start_us, 300, "x");
    assert_in_range(ms, 4500, 6500);
    ms = closed_after_ms(silent, start_us, WAIT_MS, NULL);
    assert_in_range(ms, 4500, 6500 + 500);
    ms = closed_after_ms(body, start_us, 300, "v");
    assert_in_range(ms, 9500, 11500);
    ms = closed_after_ms(idle, start_us, WAIT_MS, NULL);
    assert_in_range(ms, 14500, 16500);
    assert_true(is_alive(&rig));
    (void)close(silent);
    (void)close(header);
    (void)close(body);
    (void)close(idle);
    rig_stop(&rig);
}

static void H2_connections_of_one_address_are_bounded(void **state)
{
    struct rig rig;
    struct answer a;
    int fds[PER_ADDRESS];
    char byte;
    (void)state;
    rig_start(&rig);
    for (size_t i = 0; i < PER_ADDRESS; i++) {
        fds[i] = dial(&rig);
        ask(fds[i], "GET", "/healthz", &a);
        assert_int_equal(a.status, 200);
    }
    int more = dial(&rig);
    assert_int_equal(hear(more, &byte, 1, WAIT_MS), 0);
    (void)close(more);
    ask(fds[0], "GET", "/healthz", &a);
    assert_int_equal(a.status, 200);
    for (size_t i = 0; i < PER_ADDRESS; i++)
        (void)close(fds[i]);
    rig_stop(&rig);
}

static void LL_10_a_waiting_reload_is_answered_when_its_part_arrives(void **state)
{
    struct rig rig;
    struct answer a;
    (void)state;
    rig_start(&rig);
    publish(&rig);
    int fd = dial(&rig), hint = dial(&rig);
    say_text(fd, "GET " VIDEO "?_HLS_msn=11&_HLS_part=1 HTTP/1.1\r\n" HOST "\r\n");
    say_text(hint, "GET /live/demo/0/00000000000000aa-11.1.m4s HTTP/1.1\r\n" HOST "\r\n");
    assert_false(listen_for(fd, &a, false, 300));
    assert_false(listen_for(hint, &a, false, 1));
    send_part(&rig, 11, 1, 0);
    assert_true(listen_for(fd, &a, false, WAIT_MS));
    assert_int_equal(a.status, 200);
    assert_non_null(strstr(a.body, "URI=\"00000000000000aa-11.1.m4s\""));
    assert_true(header_is(&a, "Cache-Control", "max-age=6"));
    assert_true(listen_for(hint, &a, false, WAIT_MS));
    assert_int_equal(a.status, 200);
    assert_int_equal(a.body_len, 5000);
    assert_memory_equal(a.body, rig.memory.data + 5000, 5000);
    /* the connections go on */
    ask(fd, "GET", "/live/demo/index.m3u8", &a);
    assert_int_equal(a.status, 200);
    assert_non_null(strstr(a.body, "CODECS=\"avc1.42c01f\",RESOLUTION=640x360"));
    ask(hint, "GET", "/live/demo/0/00000000000000aa-10.m4s", &a);
    assert_int_equal(a.body_len, 10000);
    assert_memory_equal(a.body, rig.memory.data, 10000);
    ask(hint, "GET", "/live/demo/0/00000000000000ab-10.m4s", &a);
    assert_int_equal(a.status, 404);
    ask(hint, "GET", "/live/other/index.m3u8", &a);
    assert_int_equal(a.status, 404);
    (void)close(fd);
    (void)close(hint);
    rig_stop(&rig);
}

static void HLS_07_the_end_wakes_waiters_with_endlist(void **state)
{
    struct rig rig;
    struct answer a;
    (void)state;
    rig_start(&rig);
    publish(&rig);
    int fd = dial(&rig);
    say_text(fd, "GET " VIDEO "?_HLS_msn=12 HTTP/1.1\r\n" HOST "\r\n");
    assert_false(listen_for(fd, &a, false, 100));
    end_worker(&rig, true);
    assert_true(listen_for(fd, &a, false, WAIT_MS));
    assert_int_equal(a.status, 200);
    assert_non_null(strstr(a.body, "#EXT-X-ENDLIST"));
    (void)close(fd);
    rig_stop(&rig);
}

static void HLS_09_a_killed_worker_is_succeeded_in_the_same_playlist(void **state)
{
    struct rig rig;
    struct answer a;
    (void)state;
    rig_start(&rig);
    publish(&rig);
    int fd = dial(&rig);
    say_text(fd, "GET " VIDEO "?_HLS_msn=12&_HLS_part=0 HTTP/1.1\r\n" HOST "\r\n");
    assert_false(listen_for(fd, &a, false, 100));
    link_worker(&rig, 1); /* closes the old pair, as a dead worker does */
    hello(&rig, true);
    open_segment_as(&rig, 12, 1, true);
    send_part(&rig, 12, 0, PART_INDEPENDENT);
    assert_true(listen_for(fd, &a, false, WAIT_MS));
    assert_int_equal(a.status, 200);
    assert_non_null(strstr(a.body, "#EXT-X-MEDIA-SEQUENCE:10\n"));
    assert_non_null(strstr(a.body, "-11.m4s\n#EXT-X-DISCONTINUITY\n"));
    (void)close(fd);
    rig_stop(&rig);
}

static void I5_hostile_announcements_cost_the_worker_its_link_only(void **state)
{
    struct rig rig;
    struct answer a;
    (void)state;
    rig_start(&rig);
    publish(&rig);
    struct part_part part = {.msn = 11, .part = 7, .offset = 5000, .len = 1, .duration_us = 1};
    assert_int_equal(tell(&rig, PART_PART, &part, sizeof(part), NULL, 0, -1), 0);
    assert_true(is_dropped(&rig));
    assert_int_equal(get(&rig, VIDEO, &a), 200);
    /* each of these on a fresh link */
    struct part_hello bad_hello = {.epoch = 1};
    struct part_segment no_memory = {.msn = 5, .init_id = 1};
    uint8_t junk[64];
    memset(junk, 0xff, sizeof(junk));
    for (int i = 0; i < 6; i++) {
        link_worker(&rig, 1);
        if (i == 0)
            (void)tell(&rig, PART_HELLO, &bad_hello, sizeof(bad_hello), NULL, 0, -1);
        if (i == 1)
            (void)tell(&rig, PART_PART, &part, sizeof(part), NULL, 0, -1);
        if (i == 2)
            (void)send(rig.worker, junk, sizeof(junk), MSG_NOSIGNAL);
        if (i == 3)
            (void)send(rig.worker, junk, 3, MSG_NOSIGNAL);
        if (i == 4) { /* a descriptor that is no sealed memory */
            hello(&rig, true);
            (void)tell(&rig, PART_SEGMENT, &no_memory, sizeof(no_memory), NULL, 0, rig.listener);
        }
        if (i == 5) { /* a number that was used */
            hello(&rig, true);
            open_segment(&rig, 10);
        }
        assert_true(is_dropped(&rig));
    }
    assert_true(is_alive(&rig));
    assert_int_equal(get(&rig, VIDEO, &a), 200);
    rig_stop(&rig);
}

static void P2_waiters_and_lost_waiters(void **state)
{
    struct rig rig;
    struct answer a;
    int fds[WAITERS];
    (void)state;
    rig_start(&rig);
    publish(&rig);
    for (size_t i = 0; i < WAITERS; i++) {
        fds[i] = dial(&rig);
        say_text(fds[i], "GET " VIDEO "?_HLS_msn=11&_HLS_part=1 HTTP/1.1\r\n" HOST "\r\n");
    }
    int last = dial(&rig);
    do /* until all of them wait */
        ask(last, "GET", VIDEO "?_HLS_msn=11&_HLS_part=1", &a);
    while (a.status == 404);
    assert_int_equal(a.status, 429);
    for (size_t i = 0; i < WAITERS / 2; i++)
        (void)close(fds[i]);
    send_part(&rig, 11, 1, 0);
    for (size_t i = WAITERS / 2; i < WAITERS; i++) {
        assert_true(listen_for(fds[i], &a, false, WAIT_MS));
        assert_int_equal(a.status, 200);
        (void)close(fds[i]);
    }
    (void)close(last);
    assert_true(is_alive(&rig));
    rig_stop(&rig);
}

/* ---- TLS ---- */

/* Certificate, NUL, key in PEM. */
static size_t make_pem(char *to, size_t cap)
{
    char *data;
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    BIO *out = BIO_new(BIO_s_mem());
    assert_true(key && cert && out);
    assert_int_equal(X509_set_version(cert, 2), 1);
    assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(cert), 1), 1);
    assert_non_null(X509_gmtime_adj(X509_getm_notBefore(cert), -3600));
    assert_non_null(X509_gmtime_adj(X509_getm_notAfter(cert), 86400));
    assert_int_equal(X509_set_pubkey(cert, key), 1);
    X509_NAME *name = X509_get_subject_name(cert);
    assert_int_equal(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                                                (const unsigned char *)"localhost", -1, -1, 0),
                     1);
    assert_int_equal(X509_set_issuer_name(cert, name), 1);
    assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
    assert_int_equal(PEM_write_bio_X509(out, cert), 1);
    assert_int_equal(BIO_write(out, "", 1), 1);
    assert_int_equal(PEM_write_bio_PrivateKey(out, key, NULL, NULL, 0, NULL, NULL), 1);
    long len = BIO_get_mem_data(out, &data);
    assert_true(len > 0 && (size_t)len <= cap);
    memcpy(to, data, (size_t)len);
    BIO_free(out);
    X509_free(cert);
    EVP_PKEY_free(key);
    return (size_t)len;
}

static int tls_get(const struct rig *rig, int version, const char *ciphers)
{
    static const char request[] = "GET /healthz HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n";
    char text[1024] = "";
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    assert_non_null(ctx);
    (void)SSL_CTX_set_min_proto_version(ctx, version);
    (void)SSL_CTX_set_max_proto_version(ctx, version);
    if (ciphers)
        assert_int_equal(SSL_CTX_set_cipher_list(ctx, ciphers), 1);
    SSL *ssl = SSL_new(ctx);
    int fd = dial(rig);
    int status = -1;
    assert_int_equal(SSL_set_fd(ssl, fd), 1);
    if (SSL_connect(ssl) == 1) {
        assert_true(SSL_write(ssl, request, sizeof(request) - 1) > 0);
        if (SSL_read(ssl, text, sizeof(text) - 1) > 12)
            status = (int)strtol(text + 9, NULL, 10);
    }
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    (void)close(fd);
    return status;
}

static void H11_tls_1_2_and_1_3_with_strong_ciphers_only(void **state)
{
    struct rig rig;
    char pem[4096];
    (void)state;
    rig_start_with(&rig, pem, make_pem(pem, sizeof(pem)));
    assert_int_equal(tls_get(&rig, TLS1_3_VERSION, NULL), 200);
    assert_int_equal(tls_get(&rig, TLS1_2_VERSION, NULL), 200);
    assert_int_equal(tls_get(&rig, TLS1_2_VERSION, "ECDHE-ECDSA-AES128-SHA256"), -1);
    assert_int_equal(tls_get(&rig, TLS1_1_VERSION, "DEFAULT:@SECLEVEL=0"), -1);
    assert_true(is_alive(&rig));
    rig_stop(&rig);
}

/* CPU time of the process in clock ticks. */
static unsigned long cpu_ticks(pid_t pid)
{
    char path[64], text[1024];
    unsigned long user, system;
    (void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    FILE *f = fopen(path, "re");
    assert_non_null(f);
    size_t len = fread(text, 1, sizeof(text) - 1, f);
    (void)fclose(f);
    text[len] = '\0';
    const char *at = strrchr(text, ')');
    assert_non_null(at);
    assert_int_equal(
        sscanf(at, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system), 2);
    return user + system;
}

/* Sends a complete ClientHello and nothing after it. */
static void say_hello(int fd)
{
    char *data;
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL *ssl = SSL_new(ctx);
    assert_non_null(ssl);
    SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    assert_int_equal(SSL_connect(ssl), -1);
    long len = BIO_get_mem_data(SSL_get_wbio(ssl), &data);
    assert_true(len > 100);
    say(fd, data, (size_t)len);
    SSL_free(ssl);
    SSL_CTX_free(ctx);
}

static void H1_idle_tls_connections_cost_no_cpu(void **state)
{
    struct rig rig;
    char pem[4096];
    (void)state;
    rig_start_with(&rig, pem, make_pem(pem, sizeof(pem)));
    int silent = dial(&rig), half = dial(&rig), hello_only = dial(&rig);
    say_text(half, "\x16\x03\x01\x02");
    say_hello(hello_only);
    assert_int_equal(tls_get(&rig, TLS1_3_VERSION, NULL), 200);
    uint64_t start_us = clock_now_us();
    unsigned long before = cpu_ticks(rig.peer.pid);
    unsigned ms = closed_after_ms(silent, start_us, WAIT_MS, NULL);
    unsigned long used = cpu_ticks(rig.peer.pid) - before;
    assert_in_range(ms, 8000, 11500);
    assert_true(used <= 5); /* of about 1,000 */
    assert_true(closed_after_ms(half, start_us, WAIT_MS, NULL) < 11500);
    assert_true(closed_after_ms(hello_only, start_us, WAIT_MS, NULL) < 11500);
    (void)close(silent);
    (void)close(half);
    (void)close(hello_only);
    rig_stop(&rig);
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
        struct rig rig;
        struct msg_number test = {.number = attempt};
        int status = 0;
        rig_start(&rig);
        assert_int_equal(peer_send(&rig.peer, MSG_TEST, &test, NULL, 0, NULL), 0);
        const struct chan_message *m = peer_wait(&rig.peer, MSG_PONG, WAIT_MS);
        if (m) {
            const struct msg_number *answer = m->body;
            bool worked = (uint32_t)answer->number == 0;
            if (!may_work(attempt) && (worked || !may_fail(attempt)))
                fail_msg("%s: survived", escape_name(attempt));
        } else {
            assert_int_equal(peer_wait_exit(&rig.peer, WAIT_MS, &status), 0);
            if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS)
                fail_msg("%s: status %x", escape_name(attempt), (unsigned)status);
        }
        rig_stop(&rig);
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
    const struct chan_message *m = peer_wait(&peer, MSG_READY, WAIT_MS);
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
    assert_int_equal(peer_wait_exit(&peer, WAIT_MS, &status), 0);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) != 0);
    peer_stop(&peer);
    s.listener_count = 1;
    assert_int_equal(peer_start(&peer, ROLE, &s, sizeof(s), "no certificate", 14, &fd, 1), 0);
    assert_int_equal(peer_wait_exit(&peer, WAIT_MS, &status), 0);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) != 0);
    peer_stop(&peer);
    (void)close(fd);
}

/* ---- figures ---- */

#define VIEWERS 60
#define ROUNDS 50

static int compare_u64(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

/* All viewers wait for each part; how long after the announcement does each have it? */
static void Latency_of_blocked_reloads_stays_in_milliseconds(void **state)
{
    static uint64_t took_us[VIEWERS * ROUNDS];
    struct rig rig;
    struct answer a;
    char request[256];
    struct pollfd polls[VIEWERS];
    size_t count = 0;
    (void)state;
    rig_start(&rig);
    publish(&rig);
    for (size_t i = 0; i < VIEWERS; i++)
        polls[i] = (struct pollfd){.fd = dial(&rig), .events = POLLIN};
    unsigned long ticks = cpu_ticks(rig.peer.pid);
    for (uint32_t part = 1; part <= ROUNDS; part++) {
        (void)snprintf(request, sizeof(request),
                       "GET " VIDEO "?_HLS_msn=11&_HLS_part=%u HTTP/1.1\r\n" HOST
                       "Accept-Encoding: gzip\r\n\r\n",
                       part);
        /* two per source address would do; all come from one here, so only half may wait */
        size_t waiting = WAITERS < VIEWERS ? WAITERS - 2 : VIEWERS;
        for (size_t i = 0; i < waiting; i++)
            say_text(polls[i].fd, request);
        int last = polls[VIEWERS - 1].fd;
        ask(last, "GET", "/healthz", &a); /* the requests before it have been read */
        uint64_t start_us = clock_now_us();
        send_part(&rig, 11, part, 0);
        size_t missing = waiting;
        while (missing > 0) {
            assert_true(poll(polls, waiting, WAIT_MS) > 0);
            for (size_t i = 0; i < waiting; i++) {
                if (!(polls[i].revents & POLLIN))
                    continue;
                assert_true(listen_for(polls[i].fd, &a, false, WAIT_MS));
                assert_int_equal(a.status, 200);
                took_us[count++] = clock_now_us() - start_us;
                missing--;
            }
        }
    }
    ticks = cpu_ticks(rig.peer.pid) - ticks;
    qsort(took_us, count, sizeof(took_us[0]), compare_u64);
    print_message("blocked reload, %u viewers: p50 %.2f ms, p99 %.2f ms, max %.2f ms, "
                  "%.1f us of CPU per answer\n",
                  WAITERS - 2, (double)took_us[count / 2] / 1000,
                  (double)took_us[count * 99 / 100] / 1000, (double)took_us[count - 1] / 1000,
                  (double)ticks * 1e6 / (double)sysconf(_SC_CLK_TCK) / (double)count);
    assert_true(took_us[count / 2] < 50000);
    /* connections that wait cost nothing */
    say_text(polls[0].fd, "GET " VIDEO "?_HLS_msn=12 HTTP/1.1\r\n" HOST "\r\n");
    ticks = cpu_ticks(rig.peer.pid);
    assert_false(listen_for(polls[0].fd, &a, false, 1000));
    assert_true(cpu_ticks(rig.peer.pid) - ticks <= 1);
    for (size_t i = 0; i < VIEWERS; i++)
        (void)close(polls[i].fd);
    rig_stop(&rig);
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
        cmocka_unit_test(LL_10_a_waiting_reload_is_answered_when_its_part_arrives),
        cmocka_unit_test(HLS_07_the_end_wakes_waiters_with_endlist),
        cmocka_unit_test(HLS_09_a_killed_worker_is_succeeded_in_the_same_playlist),
        cmocka_unit_test(I5_hostile_announcements_cost_the_worker_its_link_only),
        cmocka_unit_test(P2_waiters_and_lost_waiters),
        cmocka_unit_test(H11_tls_1_2_and_1_3_with_strong_ciphers_only),
        cmocka_unit_test(H1_idle_tls_connections_cost_no_cpu),
        cmocka_unit_test(M6_every_escape_attempt_is_refused),
        cmocka_unit_test(I6_the_descriptors_are_those_of_the_plan),
        cmocka_unit_test(I5_bad_settings_end_the_start),
        cmocka_unit_test(Latency_of_blocked_reloads_stays_in_milliseconds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
