/* The real web process under a scripted supervisor, raw HTTP, and the worker's end of a pair. */
#include "tests/support/webrig.h"

#include "lib/base/clock.h"
#include "lib/base/fd.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define WEBRIG_ROLE "sluice-web"
#define WEBRIG_UID 64323u
#define WEBRIG_EPOCH UINT64_C(0x00000000000000aa)

/* ---- start ---- */

void webrig_start_with(struct webrig *rig, const void *pem, size_t pem_len)
{
    struct settings_web s = {.common.namespaces = 1,
                             .common.test_hooks = 1,
                             .listener_count = 1,
                             .per_address_connections = WEBRIG_PER_ADDRESS,
                             .connections = 256,
                             .per_address_waiters = WEBRIG_WAITERS,
                             .ended_linger_s = 30,
                             .cors_origins = "*",
                             .ice_servers = WEBRIG_ICE_SERVERS};
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(sa);
    if (geteuid() == 0)
        s.common.uid = WEBRIG_UID;
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
    assert_int_equal(
        peer_start(&rig->peer, WEBRIG_ROLE, &s, sizeof(s), pem, pem_len, &rig->listener, 1), 0);
    const struct chan_message *ready = peer_wait(&rig->peer, MSG_READY, WEBRIG_WAIT_MS);
    assert_non_null(ready);
}

void webrig_start(struct webrig *rig)
{
    webrig_start_with(rig, NULL, 0);
}

void webrig_stop(struct webrig *rig)
{
    fd_close(&rig->worker);
    peer_stop(&rig->peer);
    fd_close(&rig->listener);
    segment_writer_close(&rig->memory);
}

int webrig_set_up(void **state)
{
    struct webrig *rig = calloc(1, sizeof(*rig));
    assert_non_null(rig);
    webrig_start(rig);
    *state = rig;
    return 0;
}

int webrig_tear_down(void **state)
{
    webrig_stop(*state);
    free(*state);
    return 0;
}

bool webrig_is_alive(struct webrig *rig)
{
    struct msg_number ping = {.number = 4711};
    if (peer_send(&rig->peer, MSG_PING, &ping, NULL, 0, NULL))
        return false;
    return peer_wait(&rig->peer, MSG_PONG, WEBRIG_WAIT_MS) != NULL;
}

/* ---- HTTP, raw ---- */

int webrig_dial(const struct webrig *rig)
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

void webrig_say(int fd, const void *data, size_t len)
{
    assert_int_equal(send(fd, data, len, MSG_NOSIGNAL), len);
}

void webrig_say_text(int fd, const char *text)
{
    webrig_say(fd, text, strlen(text));
}

ssize_t webrig_hear(int fd, void *to, size_t cap, int timeout_ms)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    if (poll(&p, 1, timeout_ms) == 0)
        return -ETIMEDOUT;
    ssize_t got = recv(fd, to, cap, 0);
    return got < 0 ? 0 : got;
}

const char *webrig_header(const struct webrig_answer *a, const char *name)
{
    size_t len = strlen(name);
    for (const char *line = strstr(a->text, "\r\n"); line && line < a->text + a->head_len;
         line = strstr(line + 2, "\r\n")) {
        if (strncasecmp(line + 2, name, len) == 0 && line[2 + len] == ':')
            return line + 2 + len + 2;
    }
    return NULL;
}

bool webrig_header_is(const struct webrig_answer *a, const char *name, const char *value)
{
    const char *found = webrig_header(a, name);
    return found && strncmp(found, value, strlen(value)) == 0 && found[strlen(value)] == '\r';
}

bool webrig_listen(int fd, struct webrig_answer *a, bool head, int timeout_ms)
{
    size_t have = 0, want = 0;
    uint64_t end_us = clock_now_us() + (uint64_t)timeout_ms * 1000;
    memset(a, 0, offsetof(struct webrig_answer, text));
    a->text[0] = '\0';
    while (a->head_len == 0 || have < want) {
        uint64_t now_us = clock_now_us();
        if (now_us >= end_us)
            return false;
        ssize_t got = webrig_hear(fd, a->text + have, sizeof(a->text) - 1 - have,
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
            const char *length = webrig_header(a, "Content-Length");
            a->body_len = length && !head ? strtoul(length, NULL, 10) : 0;
            want = a->head_len + a->body_len;
            assert_true(want < sizeof(a->text));
        }
    }
    a->body = a->text + a->head_len;
    a->left = have - want;
    return true;
}

void webrig_expect(int fd, struct webrig_answer *a, int status)
{
    assert_true(webrig_listen(fd, a, false, WEBRIG_WAIT_MS));
    if (a->status != status)
        fail_msg("%d instead of %d: %s", a->status, status, a->text);
    assert_true(webrig_header_is(a, "Access-Control-Allow-Origin", "*")); /* WHIP-09 */
    assert_non_null(webrig_header(a, "Access-Control-Expose-Headers"));   /* WHIP-08 */
}

void webrig_ask(int fd, const char *method, const char *target, struct webrig_answer *a)
{
    char head[2048];
    (void)snprintf(head, sizeof(head), "%s %s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", method, target);
    webrig_say_text(fd, head);
    assert_true(webrig_listen(fd, a, strcmp(method, "HEAD") == 0, WEBRIG_WAIT_MS));
}

int webrig_get(const struct webrig *rig, const char *target, struct webrig_answer *a)
{
    int fd = webrig_dial(rig);
    webrig_ask(fd, "GET", target, a);
    (void)close(fd);
    return a->status;
}

/* ---- the worker ---- */

int webrig_tell(const struct webrig *rig, unsigned type, const void *body, size_t len,
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
    (void)poll(&room, 1, WEBRIG_WAIT_MS);
    return sendmsg(rig->worker, &message, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

void webrig_relink(struct webrig *rig, uint64_t session)
{
    struct msg_stream_link m = {.session = session, .stream = "demo"};
    int pair[2];
    fd_close(&rig->worker);
    assert_int_equal(chan_pair(pair), 0);
    assert_int_equal(peer_send(&rig->peer, MSG_STREAM_LINK, &m, NULL, 0, &pair[1]), 0);
    (void)close(pair[1]);
    rig->worker = pair[0];
}

void webrig_link(struct webrig *rig, uint64_t session)
{
    rig->worker_id++;
    webrig_relink(rig, session);
}

void webrig_hello(const struct webrig *rig, bool continues)
{
    struct part_hello m = {.epoch = WEBRIG_EPOCH,
                           .worker = rig->worker_id,
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
    assert_int_equal(webrig_tell(rig, PART_HELLO, &m, sizeof(m), NULL, 0, -1), 0);
    assert_int_equal(webrig_tell(rig, PART_INIT, &init, sizeof(init), "header", 6, -1), 0);
}

void webrig_open_segment_as(const struct webrig *rig, uint64_t msn, uint64_t discontinuities,
                            bool discontinuity)
{
    struct part_segment m = {.msn = msn,
                             .discontinuity_sequence = discontinuities,
                             .discontinuity = discontinuity,
                             .wall_us = INT64_C(1750000000000000),
                             .init_id = 1};
    assert_int_equal(webrig_tell(rig, PART_SEGMENT, &m, sizeof(m), NULL, 0, rig->memory.fd), 0);
}

void webrig_open_segment(const struct webrig *rig, uint64_t msn)
{
    webrig_open_segment_as(rig, msn, 0, false);
}

void webrig_send_part(const struct webrig *rig, uint64_t msn, uint32_t part, uint32_t flags)
{
    struct part_part m = {.msn = msn,
                          .part = part,
                          .offset = part * 5000,
                          .len = 5000,
                          .duration_us = 200000,
                          .flags = flags};
    assert_int_equal(webrig_tell(rig, PART_PART, &m, sizeof(m), NULL, 0, -1), 0);
}

void webrig_end(const struct webrig *rig, bool final)
{
    struct part_end m = {.final = final};
    assert_int_equal(webrig_tell(rig, PART_END, &m, sizeof(m), NULL, 0, -1), 0);
}

void webrig_publish(struct webrig *rig)
{
    struct webrig_answer a;
    webrig_link(rig, 1);
    webrig_hello(rig, false);
    webrig_open_segment(rig, 10);
    webrig_send_part(rig, 10, 0, PART_INDEPENDENT);
    webrig_send_part(rig, 10, 1, PART_LAST);
    webrig_open_segment(rig, 11);
    webrig_send_part(rig, 11, 0, PART_INDEPENDENT);
    int fd = webrig_dial(rig);
    webrig_ask(fd, "GET", "/healthz",
               &a); /* web has our messages before it can have a later request */
    do
        webrig_ask(fd, "GET", WEBRIG_VIDEO "?_HLS_msn=11&_HLS_part=0", &a);
    while (a.status == 404);
    assert_int_equal(a.status, 200);
    (void)close(fd);
}

bool webrig_is_dropped(const struct webrig *rig)
{
    char byte;
    struct pollfd p = {.fd = rig->worker, .events = POLLIN};
    return poll(&p, 1, WEBRIG_WAIT_MS) == 1 && recv(rig->worker, &byte, 1, MSG_DONTWAIT) <= 0;
}

unsigned webrig_closed_after_ms(int fd, uint64_t start_us, int drip_ms, const char *drip)
{
    char buffer[4096];
    for (;;) {
        ssize_t got = webrig_hear(fd, buffer, sizeof(buffer), drip_ms);
        if (got == 0)
            return (unsigned)((clock_now_us() - start_us) / 1000);
        assert_true(clock_now_us() - start_us < 30000000);
        if (got == -ETIMEDOUT && drip)
            (void)send(fd, drip, strlen(drip), MSG_NOSIGNAL);
    }
}

unsigned long webrig_cpu_ticks(pid_t pid)
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
