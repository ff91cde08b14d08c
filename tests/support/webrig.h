/* The real web process under a scripted supervisor (peer.h), raw HTTP over loopback, and the
 * worker's end of a stream's pair. Everything fails the running cmocka test when it does not work.
 */
#ifndef SLUICE_TESTS_WEBRIG_H
#define SLUICE_TESTS_WEBRIG_H

#include "lib/base/segment.h"
#include "lib/proto/part.h"
#include "tests/support/peer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define WEBRIG_WAIT_MS 10000
#define WEBRIG_PER_ADDRESS 64u /* connections */
#define WEBRIG_WAITERS 32u     /* of one address */
#define WEBRIG_HTTP_MAX 65536u
#define WEBRIG_HOST "Host: localhost\r\n"
#define WEBRIG_ICE_SERVERS "stun:stun.example:3478 turn:turn.example turns:turn.example:5349"
#define WEBRIG_VIDEO "/live/demo/0/media.m3u8"

/* A running web with one listener on loopback, and our end of a worker's pair. */
struct webrig {
    struct peer peer;
    int listener;
    uint16_t port;
    int worker;                   /* -1: none */
    uint64_t worker_id;           /* as its hello says */
    struct segment_writer memory; /* the bytes of all segments */
};

struct webrig_answer {
    int status;  /* 0: the connection ended without an answer */
    bool closed; /* the connection ended before the answer was complete */
    size_t head_len;
    size_t body_len;
    size_t left; /* bytes behind the body, of a next answer */
    char text[WEBRIG_HTTP_MAX];
    const char *body;
};

/* Starts web and waits until it is ready; pem: certificate, NUL, key (length 0: plain HTTP). */
void webrig_start_with(struct webrig *rig, const void *pem, size_t pem_len);
void webrig_start(struct webrig *rig);
void webrig_stop(struct webrig *rig);
/* Of a cmocka test whose state is a running web. */
int webrig_set_up(void **state);
int webrig_tear_down(void **state);
#define IN_WEBRIG(f) cmocka_unit_test_setup_teardown(f, webrig_set_up, webrig_tear_down)
bool webrig_is_alive(struct webrig *rig);  /* it answers a ping */
unsigned long webrig_cpu_ticks(pid_t pid); /* CPU time used, in clock ticks */

int webrig_dial(const struct webrig *rig); /* a new connection */
void webrig_say(int fd, const void *data, size_t len);
void webrig_say_text(int fd, const char *text);
/* Bytes received within timeout_ms; 0: the peer closed or reset; -ETIMEDOUT. */
ssize_t webrig_hear(int fd, void *to, size_t cap, int timeout_ms);
/* Reads until the end of the connection, sending drip (NULL: nothing) every drip_ms; how many ms
 * after start_us the end came. */
unsigned webrig_closed_after_ms(int fd, uint64_t start_us, int drip_ms, const char *drip);

/* One answer; head: without its body. False on timeout. */
bool webrig_listen(int fd, struct webrig_answer *a, bool head, int timeout_ms);
/* One answer of that status, with the headers for pages of other origins (WHIP-08, WHIP-09). */
void webrig_expect(int fd, struct webrig_answer *a, int status);
void webrig_ask(int fd, const char *method, const char *target, struct webrig_answer *a);
/* GET on a connection of its own; the status. */
int webrig_get(const struct webrig *rig, const char *target, struct webrig_answer *a);
/* The value of a header, which ends at CR, or NULL. */
const char *webrig_header(const struct webrig_answer *a, const char *name);
bool webrig_header_is(const struct webrig_answer *a, const char *name, const char *value);

/* A worker of stream "demo", each time another: a new pair (the old one is closed), and its
 * announcements: one video rendition with parts of 200 ms and 5,000 bytes. */
void webrig_link(struct webrig *rig, uint64_t session);
/* A new pair for the same worker. */
void webrig_relink(struct webrig *rig, uint64_t session);
int webrig_tell(const struct webrig *rig, unsigned type, const void *body, size_t len,
                const void *blob, size_t blob_len, int fd);
void webrig_hello(const struct webrig *rig, bool continues);
void webrig_open_segment_as(const struct webrig *rig, uint64_t msn, uint64_t discontinuities,
                            bool discontinuity);
void webrig_open_segment(const struct webrig *rig, uint64_t msn);
void webrig_send_part(const struct webrig *rig, uint64_t msn, uint32_t part, uint32_t flags);
void webrig_end(const struct webrig *rig, bool final);
/* Segment 10 complete, 11 open with part 0; returns when it is served. */
void webrig_publish(struct webrig *rig);
bool webrig_is_dropped(const struct webrig *rig); /* web ends the worker's pair */

#endif
