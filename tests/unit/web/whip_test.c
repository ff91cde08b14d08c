/* WHIP without sockets: statuses, headers and limits by rule id (protocols.md 1). */
#include "web/whip.h"

#include "lib/base/clock.h"

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
#define OFFER "v=0\r\n"

struct rig {
    struct loop loop;
    struct peers *peers;
    struct whip *whip;
    unsigned sent;
    enum msg_type type; /* of the last message sent */
    struct msg_publish publish;
    struct msg_session session;
    char blob[64];
    int send_result;
};

static int on_send(void *ctx, enum msg_type type, const void *body, const void *blob, size_t len)
{
    struct rig *rig = ctx;
    if (rig->send_result)
        return rig->send_result;
    rig->sent++;
    rig->type = type;
    if (type == MSG_PUBLISH)
        memcpy(&rig->publish, body, sizeof(rig->publish));
    else
        memcpy(&rig->session, body, sizeof(rig->session));
    if (len > 0)
        (void)text_copy(rig->blob, sizeof(rig->blob), slice_make(blob, len));
    return 0;
}

static struct rig *rig_new(const char *origins)
{
    struct rig *rig = calloc(1, sizeof(*rig));
    assert_non_null(rig);
    assert_int_equal(loop_init(&rig->loop), 0);
    assert_int_equal(peers_new(128, &rig->peers), 0);
    assert_int_equal(whip_new(&rig->loop, rig->peers, origins, on_send, rig, &rig->whip), 0);
    return rig;
}

static int set_up(void **state)
{
    *state = rig_new("*");
    return 0;
}

static int tear_down(void **state)
{
    struct rig *rig = *state;
    whip_free(rig->whip);
    peers_free(rig->peers);
    loop_done(&rig->loop);
    free(rig);
    return 0;
}

#define IN_RIG(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

static void request_init(struct request *r, enum request_method method, const char *path)
{
    *r = (struct request){.method = method, .path = slice_of(path)};
    r->peer = (struct addr){.family = 4, .ip = {127, 0, 0, 1}};
}

static void offer_init(struct request *r)
{
    request_init(r, METHOD_POST, "/whip/demo");
    r->headers.authorization = slice_of("Bearer secret");
    r->headers.content_type = slice_of("application/sdp");
    r->body = slice_of(OFFER);
}

static void handle(struct rig *rig, struct request *r)
{
    struct route route;
    assert_int_equal(route_parse(r->path, &route), 0);
    whip_handle(rig->whip, r, &route, clock_now_us());
}

static void assert_answer(struct request *r, unsigned status)
{
    assert_true(r->answered);
    assert_non_null(r->reply);
    assert_int_equal(r->reply->status, status);
    assert_string_equal(reply_find(r->reply, "Cache-Control"), "no-store");
    assert_string_equal(reply_find(r->reply, "Access-Control-Allow-Origin"), "*");
    assert_null(reply_find(r->reply, "Access-Control-Allow-Credentials"));
}

static void drop(struct request *r)
{
    reply_unref(r->reply);
    r->reply = NULL;
}

static void assert_refused(struct rig *rig, struct request *r, unsigned status)
{
    unsigned sent = rig->sent;
    handle(rig, r);
    assert_answer(r, status);
    assert_string_equal(reply_find(r->reply, "Content-Type"), "application/problem+json");
    assert_int_equal(rig->sent, sent);
    drop(r);
}

static struct msg_publish_result result(const struct rig *rig, uint16_t status)
{
    struct msg_publish_result m = {.request = rig->publish.request,
                                   .status = status,
                                   .url_id = ID,
                                   .etag = "0123456789abcdef"};
    (void)text_copy(m.reason, sizeof(m.reason), slice_of("Because."));
    return m;
}

static void WHIP_01_an_offer_gives_201_with_answer_and_location(void **state)
{
    struct rig *rig = *state;
    static struct request r;
    offer_init(&r);
    handle(rig, &r);
    assert_false(r.answered);
    assert_int_equal(rig->type, MSG_PUBLISH);
    assert_string_equal(rig->publish.stream, "demo");
    assert_string_equal(rig->publish.token, "secret");
    assert_string_equal(rig->blob, OFFER);
    assert_true(addr_equal(&rig->publish.peer, &r.peer));
    struct msg_publish_result m = result(rig, 201);
    assert_int_equal(whip_on_publish_result(rig->whip, &m, "v=0 answer", 10), 0);
    assert_answer(&r, 201);
    assert_string_equal(reply_find(r.reply, "Content-Type"), "application/sdp");
    assert_string_equal(reply_find(r.reply, "Location"), "/whip/session/" ID);
    assert_string_equal(reply_find(r.reply, "ETag"), "\"0123456789abcdef\"");
    assert_string_equal(reply_find(r.reply, "Access-Control-Expose-Headers"),
                        "Location, ETag, Link, Retry-After, WWW-Authenticate");
    assert_int_equal(r.reply->body_len, 10);
    assert_memory_equal(r.reply->body, "v=0 answer", 10);
    drop(&r);
}

static void WHIP_02_another_type_gives_415(void **state)
{
    static const char *const bad[] = {"text/plain", "", "application/sdpx", "application/json"};
    static const char *const good[] = {"Application/SDP", "application/sdp;charset=utf-8",
                                       " application/sdp ; x=y"};
    struct rig *rig = *state;
    static struct request r;
    for (size_t i = 0; i < 4; i++) {
        offer_init(&r);
        r.headers.content_type = slice_of(bad[i]);
        handle(rig, &r);
        assert_answer(&r, 415);
        assert_string_equal(reply_find(r.reply, "Accept-Post"), "application/sdp");
        drop(&r);
    }
    assert_int_equal(rig->sent, 0);
    for (size_t i = 0; i < 3; i++) {
        offer_init(&r);
        r.headers.content_type = slice_of(good[i]);
        handle(rig, &r);
        assert_false(r.answered);
        struct msg_publish_result m = result(rig, 400);
        assert_int_equal(whip_on_publish_result(rig->whip, &m, NULL, 0), 0);
        assert_answer(&r, 400);
        drop(&r);
    }
}

static void WHIP_04_get_and_head_give_200_without_body(void **state)
{
    struct rig *rig = *state;
    static struct request r;
    for (int i = 0; i < 2; i++) {
        request_init(&r, i ? METHOD_HEAD : METHOD_GET, "/whip/demo");
        handle(rig, &r);
        assert_answer(&r, 200);
        assert_int_equal(r.reply->body_len, 0);
        drop(&r);
    }
}

static void WHIP_05_other_methods_give_405_with_allow(void **state)
{
    struct rig *rig = *state;
    static struct request r;
    request_init(&r, METHOD_OTHER, "/whip/demo");
    handle(rig, &r);
    assert_answer(&r, 405);
    assert_string_equal(reply_find(r.reply, "Allow"), "POST, GET, HEAD, OPTIONS");
    drop(&r);
    request_init(&r, METHOD_POST, "/whip/session/" ID);
    handle(rig, &r);
    assert_answer(&r, 405);
    assert_string_equal(reply_find(r.reply, "Allow"), "DELETE, GET, HEAD, OPTIONS");
    drop(&r);
}

static void WHIP_55_patch_gives_405_while_there_is_no_trickle(void **state)
{
    struct rig *rig = *state;
    static struct request r;
    request_init(&r, METHOD_PATCH, "/whip/session/" ID);
    r.headers.authorization = slice_of("Bearer secret");
    assert_refused(rig, &r, 405);
}

static void WHIP_06_options_without_credentials(void **state)
{
    struct rig *rig = *state;
    static struct request r;
    static const char *const paths[] = {"/whip/demo", "/whip/session/" ID};
    for (size_t i = 0; i < 2; i++) {
        request_init(&r, METHOD_OPTIONS, paths[i]);
        handle(rig, &r);
        assert_answer(&r, 200);
        assert_int_equal(r.reply->body_len, 0);
        assert_string_equal(reply_find(r.reply, "Accept-Post"), "application/sdp");
        drop(&r);
    }
}

static void WHIP_07_preflight_names_methods_and_headers(void **state)
{
    struct rig *rig = *state;
    static struct request r;
    request_init(&r, METHOD_OPTIONS, "/whip/demo");
    r.headers.origin = slice_of("https://elsewhere.example");
    handle(rig, &r);
    const char *methods = reply_find(r.reply, "Access-Control-Allow-Methods");
    assert_true(strstr(methods, "POST") && strstr(methods, "PATCH") && strstr(methods, "DELETE"));
    assert_string_equal(reply_find(r.reply, "Access-Control-Allow-Headers"),
                        "Authorization, Content-Type, If-Match");
    drop(&r);
}

static const char *allowed_origin(const char *list, const char *origin, bool *out_vary)
{
    void *state = rig_new(list);
    struct rig *rig = state;
    static struct request r;
    static char copy[256];
    request_init(&r, METHOD_POST, "/whip/demo"); /* a 401: errors count too (WHIP-09) */
    r.headers.origin = slice_of(origin);
    handle(rig, &r);
    assert_int_equal(r.reply->status, 401);
    const char *value = reply_find(r.reply, "Access-Control-Allow-Origin");
    const char *vary = reply_find(r.reply, "Vary");
    *out_vary = vary && strcmp(vary, "Origin") == 0;
    (void)text_copy(copy, sizeof(copy), slice_of(value));
    drop(&r);
    (void)tear_down(&state);
    return value ? copy : NULL;
}

static void WHIP_10_listed_origins_are_echoed_and_others_get_nothing(void **state)
{
    bool vary;
    char longer[400];
    (void)state;
    const char *list = "https://a.example https://b.example:8443 null";
    assert_string_equal(allowed_origin(list, "https://b.example:8443", &vary),
                        "https://b.example:8443");
    assert_true(vary);
    assert_string_equal(allowed_origin(list, "null", &vary), "null");
    assert_null(allowed_origin(list, "https://b.example", &vary));
    assert_true(vary);
    assert_null(allowed_origin(list, "https://a.example https://b.example:8443", &vary));
    assert_null(allowed_origin(list, NULL, &vary));
    assert_null(allowed_origin("", "https://a.example", &vary));
    memset(longer, 'a', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    assert_null(allowed_origin(longer, longer, &vary));
}

static void WHIP_12_a_big_offer_gives_413_and_an_empty_one_400(void **state)
{
    struct rig *rig = *state;
    static struct request r;
    offer_init(&r);
    r.body_too_large = true;
    r.body = slice_of(NULL);
    assert_refused(rig, &r, 413);
    offer_init(&r);
    r.body = slice_of(NULL);
    assert_refused(rig, &r, 400);
}

static void WHIP_21_no_token_gives_401_with_challenge(void **state)
{
    struct rig *rig = *state;
    static struct request r;
    static const char *const bad[] = {NULL, "Basic eDp5", "Bearer", "Bearer a b"};
    for (size_t i = 0; i < 4; i++) {
        offer_init(&r);
        r.headers.authorization = slice_of(bad[i]);
        r.headers.content_type = slice_of("text/plain"); /* W1: the token comes first */
        r.body_too_large = true;
        handle(rig, &r);
        assert_answer(&r, 401);
        assert_string_equal(reply_find(r.reply, "WWW-Authenticate"), "Bearer");
        drop(&r);
    }
    assert_int_equal(rig->sent, 0);
}

static void WHIP_20_to_29_statuses_of_the_supervisor_pass_through(void **state)
{
    static const uint16_t statuses[] = {400, 401, 403, 409, 422, 429, 503};
    struct rig *rig = *state;
    static struct request r;
    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        offer_init(&r);
        handle(rig, &r);
        struct msg_publish_result m = result(rig, statuses[i]);
        m.retry_after_s = statuses[i] >= 429 ? 7 : 0;
        assert_int_equal(whip_on_publish_result(rig->whip, &m, NULL, 0), 0);
        assert_answer(&r, statuses[i]);
        const char *retry = reply_find(r.reply, "Retry-After");
        assert_true(statuses[i] >= 429 ? strcmp(retry, "7") == 0 : retry == NULL);
        assert_true((reply_find(r.reply, "WWW-Authenticate") != NULL) == (statuses[i] == 401));
        json_t *json = json_loadb(r.reply->body, r.reply->body_len, 0, NULL);
        assert_string_equal(json_string_value(json_object_get(json, "detail")), "Because.");
        json_decref(json);
        drop(&r);
    }
}

static void I5_odd_results_are_refused_or_become_500(void **state)
{
    struct rig *rig = *state;
    static struct request r;
    offer_init(&r);
    handle(rig, &r);
    struct msg_publish_result m = result(rig, 201);
    memset(m.url_id, 'a', sizeof(m.url_id));
    assert_int_equal(whip_on_publish_result(rig->whip, &m, NULL, 0), -EBADMSG);
    m = result(rig, 302);
    m.request = 12345;
    assert_int_equal(whip_on_publish_result(rig->whip, &m, NULL, 0), 0); /* nobody's */
    assert_false(r.answered);
    m = result(rig, 302); /* WHIP-14 */
    assert_int_equal(whip_on_publish_result(rig->whip, &m, NULL, 0), 0);
    assert_answer(&r, 500);
    drop(&r);
}

static void WHIP_28_one_address_has_a_limit_and_29_all_together(void **state)
{
    struct rig *rig = *state;
    static struct request r[WHIP_PENDING_MAX + 1], refused;
    for (size_t i = 0; i < WHIP_PENDING_MAX; i++) {
        offer_init(&r[i]);
        r[i].peer.ip[3] = (uint8_t)(i / WHIP_PENDING_PER_ADDRESS);
        handle(rig, &r[i]);
        assert_false(r[i].answered);
        if (i == WHIP_PENDING_PER_ADDRESS - 1) {
            offer_init(&refused);
            refused.peer.ip[3] = 0;
            handle(rig, &refused);
            assert_answer(&refused, 429);
            assert_string_equal(reply_find(refused.reply, "Retry-After"), "1");
            drop(&refused);
        }
    }
    offer_init(&refused);
    refused.peer.ip[3] = 200;
    handle(rig, &refused);
    assert_answer(&refused, 503);
    assert_string_equal(reply_find(refused.reply, "Retry-After"), "1");
    drop(&refused);
    whip_sweep(rig->whip, clock_now_us() + WHIP_ANSWER_TIMEOUT_US);
    for (size_t i = 0; i < WHIP_PENDING_MAX; i++) {
        assert_answer(&r[i], 503);
        drop(&r[i]);
    }
    offer_init(&refused); /* and there is room again */
    refused.peer.ip[3] = 0;
    handle(rig, &refused);
    assert_false(refused.answered);
    whip_sweep(rig->whip, UINT64_MAX);
    drop(&refused);
}

static void WHIP_29_a_supervisor_that_takes_nothing_gives_503(void **state)
{
    struct rig *rig = *state;
    static struct request r;
    rig->send_result = -ENOSPC;
    offer_init(&r);
    assert_refused(rig, &r, 503);
    assert_int_equal(peers_count(rig->peers, &r.peer, PEERS_PUBLISH), 0);
    request_init(&r, METHOD_DELETE, "/whip/session/" ID);
    r.headers.authorization = slice_of("Bearer secret");
    assert_refused(rig, &r, 503);
}

static void WHIP_30_delete_gives_200_then_404(void **state)
{
    struct rig *rig = *state;
    static struct request r;
    for (int i = 0; i < 2; i++) {
        request_init(&r, METHOD_DELETE, "/whip/session/" ID);
        r.headers.authorization = slice_of("Bearer secret");
        handle(rig, &r);
        assert_false(r.answered);
        assert_int_equal(rig->type, MSG_SESSION);
        assert_int_equal(rig->session.op, SESSION_DELETE);
        assert_string_equal(rig->session.url_id, ID);
        assert_string_equal(rig->session.token, "secret");
        assert_true(addr_equal(&rig->session.peer, &r.peer));
        struct msg_session_result m = {.request = rig->session.request, .status = i ? 404 : 200};
        assert_int_equal(whip_on_session_result(rig->whip, &m), 0);
        assert_answer(&r, m.status);
        drop(&r);
    }
}

static void WHIP_36_delete_needs_a_token_get_does_not(void **state)
{
    struct rig *rig = *state;
    static struct request r;
    request_init(&r, METHOD_DELETE, "/whip/session/" ID);
    assert_refused(rig, &r, 401);
    request_init(&r, METHOD_GET, "/whip/session/" ID);
    r.headers.authorization = slice_of("Bearer a b");
    assert_refused(rig, &r, 401);
    request_init(&r, METHOD_GET, "/whip/session/" ID);
    handle(rig, &r);
    assert_int_equal(rig->session.op, SESSION_GET);
    assert_string_equal(rig->session.token, "");
    struct msg_session_result m = {.request = rig->session.request, .status = 200};
    assert_int_equal(whip_on_session_result(rig->whip, &m), 0);
    assert_answer(&r, 200);
    assert_int_equal(r.reply->body_len, 0);
    drop(&r);
}

static void WHIP_39_a_session_that_ended_says_why(void **state)
{
    struct rig *rig = *state;
    static struct request r;
    request_init(&r, METHOD_GET, "/whip/session/" ID);
    handle(rig, &r);
    struct msg_session_result m = {
        .request = rig->session.request, .status = 404, .end_reason = END_REVOKED};
    assert_int_equal(whip_on_session_result(rig->whip, &m), 0);
    assert_answer(&r, 404);
    json_t *json = json_loadb(r.reply->body, r.reply->body_len, 0, NULL);
    assert_string_equal(json_string_value(json_object_get(json, "end")),
                        end_reason_name(END_REVOKED));
    assert_string_equal(json_string_value(json_object_get(json, "detail")),
                        end_reason_text(END_REVOKED));
    json_decref(json);
    drop(&r);
    request_init(&r, METHOD_GET, "/whip/session/" ID);
    handle(rig, &r);
    m = (struct msg_session_result){
        .request = rig->session.request, .status = 404, .end_reason = 999};
    assert_int_equal(whip_on_session_result(rig->whip, &m), 0);
    assert_answer(&r, 404);
    drop(&r);
}

static void WHIP_38_plain_http_from_elsewhere_takes_no_token(void **state)
{
    struct rig *rig = *state;
    static struct request r;
    offer_init(&r);
    r.peer.ip[0] = 192;
    assert_refused(rig, &r, 403);
    offer_init(&r);
    r.peer.ip[0] = 192;
    r.secure = true;
    handle(rig, &r);
    assert_false(r.answered);
    whip_sweep(rig->whip, UINT64_MAX);
    drop(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_RIG(WHIP_01_an_offer_gives_201_with_answer_and_location),
        IN_RIG(WHIP_02_another_type_gives_415),
        IN_RIG(WHIP_04_get_and_head_give_200_without_body),
        IN_RIG(WHIP_05_other_methods_give_405_with_allow),
        IN_RIG(WHIP_55_patch_gives_405_while_there_is_no_trickle),
        IN_RIG(WHIP_06_options_without_credentials),
        IN_RIG(WHIP_07_preflight_names_methods_and_headers),
        cmocka_unit_test(WHIP_10_listed_origins_are_echoed_and_others_get_nothing),
        IN_RIG(WHIP_12_a_big_offer_gives_413_and_an_empty_one_400),
        IN_RIG(WHIP_21_no_token_gives_401_with_challenge),
        IN_RIG(WHIP_20_to_29_statuses_of_the_supervisor_pass_through),
        IN_RIG(I5_odd_results_are_refused_or_become_500),
        IN_RIG(WHIP_28_one_address_has_a_limit_and_29_all_together),
        IN_RIG(WHIP_29_a_supervisor_that_takes_nothing_gives_503),
        IN_RIG(WHIP_30_delete_gives_200_then_404),
        IN_RIG(WHIP_36_delete_needs_a_token_get_does_not),
        IN_RIG(WHIP_39_a_session_that_ended_says_why),
        IN_RIG(WHIP_38_plain_http_from_elsewhere_takes_no_token),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
