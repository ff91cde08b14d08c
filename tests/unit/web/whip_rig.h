/* WHIP's handlers without sockets: a scripted supervisor that remembers what it was asked. */
#ifndef SLUICE_TESTS_WHIP_RIG_H
#define SLUICE_TESTS_WHIP_RIG_H

#include "lib/base/clock.h"
#include "web/whip.h"

#include <errno.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ID "0123456789abcdef0123456789abcdef"
#define SESSION "/whip/session/" ID
#define TAG "0123456789abcdef"
#define FRAGMENT_TYPE "application/trickle-ice-sdpfrag"
#define OFFER "v=0\r\n"
#define FRAGMENT "a=ice-ufrag:abcd\r\n"

struct whip_rig {
    struct loop loop;
    struct peers *peers;
    struct whip *whip;
    unsigned sent;
    enum msg_type type; /* of the last message sent */
    struct msg_publish publish;
    struct msg_session session;
    char blob[64];
    int send_result;
    uint16_t guessing; /* of the answers */
    uint64_t now_us;
};

static inline int whip_rig_on_send(void *ctx, enum msg_type type, const void *body,
                                   const void *blob, size_t len)
{
    struct whip_rig *rig = ctx;
    if (rig->send_result)
        return rig->send_result;
    rig->sent++;
    rig->type = type;
    if (type == MSG_PUBLISH)
        memcpy(&rig->publish, body, sizeof(rig->publish));
    else
        memcpy(&rig->session, body, sizeof(rig->session));
    (void)text_copy(rig->blob, sizeof(rig->blob), slice_make(blob, len));
    return 0;
}

static inline struct whip_rig *whip_rig_new(const char *origins, const char *ice_servers)
{
    struct whip_rig *rig = calloc(1, sizeof(*rig));
    assert_non_null(rig);
    const struct whip_config config = {
        .origins = origins, .ice_servers = ice_servers, .send = whip_rig_on_send, .ctx = rig};
    assert_int_equal(loop_init(&rig->loop), 0);
    assert_int_equal(peers_new(512, &rig->peers), 0);
    assert_int_equal(whip_new(&rig->loop, rig->peers, &config, &rig->whip), 0);
    rig->now_us = clock_now_us();
    return rig;
}

static inline void whip_rig_free(struct whip_rig *rig)
{
    whip_free(rig->whip);
    peers_free(rig->peers);
    loop_done(&rig->loop);
    free(rig);
}

static inline int whip_rig_set_up(void **state)
{
    *state = whip_rig_new("*", "");
    return 0;
}

static inline int whip_rig_tear_down(void **state)
{
    whip_rig_free(*state);
    return 0;
}

#define IN_RIG(f) cmocka_unit_test_setup_teardown(f, whip_rig_set_up, whip_rig_tear_down)

static inline void request_init(struct request *r, enum request_method method, const char *path)
{
    *r = (struct request){.method = method, .path = slice_of(path)};
    r->peer = (struct addr){.family = 4, .ip = {127, 0, 0, 1}};
}

static inline void offer_init(struct request *r)
{
    request_init(r, METHOD_POST, "/whip/demo");
    r->headers.authorization = slice_of("Bearer secret");
    r->headers.content_type = slice_of("application/sdp");
    r->body = slice_of(OFFER);
}

/* if_match: NULL for no such header. */
static inline void patch_init(struct request *r, const char *if_match)
{
    request_init(r, METHOD_PATCH, SESSION);
    r->headers.authorization = slice_of("Bearer secret");
    r->headers.content_type = slice_of(FRAGMENT_TYPE);
    r->headers.if_match = slice_of(if_match);
    r->headers.if_match_lines = if_match ? 1 : 0;
    r->body = slice_of(FRAGMENT);
}

static inline void delete_init(struct request *r)
{
    request_init(r, METHOD_DELETE, SESSION);
    r->headers.authorization = slice_of("Bearer secret");
}

static inline void handle(struct whip_rig *rig, struct request *r)
{
    struct route route;
    assert_int_equal(route_parse(r->path, &route), 0);
    whip_handle(rig->whip, r, &route, rig->now_us);
}

/* What every answer has (WHIP-08, 09). */
static inline void assert_answer(const struct request *r, unsigned status)
{
    assert_true(r->answered);
    assert_non_null(r->reply);
    assert_int_equal(r->reply->status, status);
    assert_string_equal(reply_find(r->reply, "Cache-Control"), "no-store");
    assert_string_equal(reply_find(r->reply, "Access-Control-Allow-Origin"), "*");
    assert_string_equal(reply_find(r->reply, "Access-Control-Expose-Headers"),
                        "Location, ETag, Link, Retry-After, WWW-Authenticate");
    assert_null(reply_find(r->reply, "Access-Control-Allow-Credentials"));
}

static inline bool header_is(const struct request *r, const char *name, const char *value)
{
    const char *found = reply_find(r->reply, name);
    return value ? found && strcmp(found, value) == 0 : !found;
}

static inline void drop(struct request *r)
{
    reply_unref(r->reply);
    r->reply = NULL;
}

/* Answered at once, without asking the supervisor. */
static inline void assert_refused(struct whip_rig *rig, struct request *r, unsigned status)
{
    unsigned sent = rig->sent;
    handle(rig, r);
    assert_answer(r, status);
    assert_string_equal(reply_find(r->reply, "Content-Type"), "application/problem+json");
    assert_int_equal(rig->sent, sent);
    drop(r);
}

static inline struct msg_publish_result publish_result(const struct whip_rig *rig, uint16_t status)
{
    struct msg_publish_result m = {.request = rig->publish.request,
                                   .status = status,
                                   .guessing = rig->guessing,
                                   .url_id = ID,
                                   .etag = TAG};
    (void)text_copy(m.reason, sizeof(m.reason), slice_of("Because."));
    return m;
}

static inline struct msg_session_result session_result(const struct whip_rig *rig, uint16_t status)
{
    struct msg_session_result m = {
        .request = rig->session.request, .status = status, .guessing = rig->guessing};
    (void)text_copy(m.reason, sizeof(m.reason), slice_of("Because."));
    return m;
}

/* The supervisor answers what it was asked last, with a status and no blob. */
static inline void answer(struct whip_rig *rig, uint16_t status)
{
    if (rig->type == MSG_PUBLISH) {
        struct msg_publish_result m = publish_result(rig, status);
        assert_int_equal(whip_on_publish_result(rig->whip, &m, "x", 1), 0);
    } else {
        struct msg_session_result m = session_result(rig, status);
        assert_int_equal(whip_on_session_result(rig->whip, &m, NULL, 0), 0);
    }
}

/* Asks, and is answered so. */
static inline void settle(struct whip_rig *rig, struct request *r, uint16_t status)
{
    handle(rig, r);
    assert_false(r->answered);
    answer(rig, status);
    assert_true(r->answered);
}

/* A member of the problem body is this text; NULL: it is not there. */
static inline void assert_problem_says(const struct request *r, const char *member,
                                       const char *text)
{
    json_t *json = json_loadb(r->reply->body, r->reply->body_len, 0, NULL);
    const char *found = json_string_value(json_object_get(json, member));
    if (text)
        assert_string_equal(found, text);
    else
        assert_null(found);
    json_decref(json);
}

#endif
