/* The WHIP endpoint without sockets: POST and what the supervisor says of it, by rule id. */
#include "tests/unit/web/whip_rig.h"

static void WHIP_01_an_offer_gives_201_with_answer_and_location(void **state)
{
    struct whip_rig *rig = *state;
    static struct request r;
    offer_init(&r);
    handle(rig, &r);
    assert_false(r.answered);
    assert_int_equal(rig->type, MSG_PUBLISH);
    assert_string_equal(rig->publish.stream, "demo");
    assert_string_equal(rig->publish.token, "secret");
    assert_string_equal(rig->blob, OFFER);
    assert_true(addr_equal(&rig->publish.peer, &r.peer));
    struct msg_publish_result m = publish_result(rig, 201);
    assert_int_equal(whip_on_publish_result(rig->whip, &m, "v=0 answer", 10), 0);
    assert_answer(&r, 201);
    assert_true(header_is(&r, "Content-Type", "application/sdp"));
    assert_int_equal(r.reply->body_len, 10);
    assert_memory_equal(r.reply->body, "v=0 answer", 10);
    drop(&r);
}

static void WHIP_46_location_is_an_absolute_path_without_query(void **state)
{
    struct whip_rig *rig = *state;
    static struct request r;
    offer_init(&r);
    r.query = slice_of("a=b");
    settle(rig, &r, 201);
    assert_true(header_is(&r, "Location", SESSION));
    /* WHIP-45: nothing of the stream is in it */
    assert_null(strstr(reply_find(r.reply, "Location"), "demo"));
    drop(&r);
}

static void WHIP_56_etag_of_a_201_is_strong_and_quoted(void **state)
{
    struct whip_rig *rig = *state;
    static struct request r;
    offer_init(&r);
    settle(rig, &r, 201);
    assert_true(header_is(&r, "ETag", "\"" TAG "\""));
    assert_true(header_is(&r, "Accept-Patch", FRAGMENT_TYPE)); /* WHIP-25: harmless */
    drop(&r);
}

static void WHIP_02_another_type_gives_415(void **state)
{
    static const char *const bad[] = {"text/plain",       "",
                                      "application/sdpx", "application/json",
                                      FRAGMENT_TYPE,      "application/sdp, application/sdp"};
    static const char *const good[] = {"Application/SDP", "application/sdp;charset=utf-8",
                                       " application/sdp ; x=y"};
    struct whip_rig *rig = *state;
    static struct request r;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        offer_init(&r);
        r.headers.content_type = slice_of(bad[i]);
        handle(rig, &r);
        assert_answer(&r, 415);
        assert_true(header_is(&r, "Accept-Post", "application/sdp"));
        assert_true(header_is(&r, "Accept-Patch", NULL));
        drop(&r);
    }
    assert_int_equal(rig->sent, 0);
    for (size_t i = 0; i < 3; i++) {
        offer_init(&r);
        r.headers.content_type = slice_of(good[i]);
        settle(rig, &r, 400);
        assert_answer(&r, 400);
        drop(&r);
    }
}

static void WHIP_04_get_and_head_give_200_without_body(void **state)
{
    struct whip_rig *rig = *state;
    static struct request r;
    for (int i = 0; i < 2; i++) {
        request_init(&r, i ? METHOD_HEAD : METHOD_GET, "/whip/demo");
        handle(rig, &r);
        assert_answer(&r, 200);
        assert_int_equal(r.reply->body_len, 0);
        assert_true(header_is(&r, "Content-Type", NULL));
        drop(&r);
    }
}

static void WHIP_05_other_methods_give_405_with_allow(void **state)
{
    static const enum request_method methods[] = {METHOD_PATCH, METHOD_DELETE, METHOD_OTHER};
    struct whip_rig *rig = *state;
    static struct request r;
    for (size_t i = 0; i < 3; i++) {
        request_init(&r, methods[i], "/whip/demo");
        r.headers.authorization = slice_of("Bearer secret");
        handle(rig, &r);
        assert_answer(&r, 405);
        assert_true(header_is(&r, "Allow", "POST, GET, HEAD, OPTIONS"));
        assert_true(header_is(&r, "Accept-Patch", NULL));
        drop(&r);
    }
    assert_int_equal(rig->sent, 0);
}

static void WHIP_12_a_big_offer_gives_413_and_an_empty_one_400(void **state)
{
    struct whip_rig *rig = *state;
    static struct request r;
    offer_init(&r);
    r.body_too_large = true;
    r.body = slice_of(NULL);
    assert_refused(rig, &r, 413);
    offer_init(&r);
    r.body = slice_of(NULL);
    assert_refused(rig, &r, 400);
}

static void W1_the_token_comes_before_all_else(void **state)
{
    struct whip_rig *rig = *state;
    static struct request r;
    offer_init(&r);
    r.headers.authorization = slice_of(NULL);
    r.headers.content_type = slice_of("text/plain");
    r.body_too_large = true;
    assert_refused(rig, &r, 401);
}

static void WHIP_20_to_29_statuses_of_the_supervisor_pass_through(void **state)
{
    static const uint16_t statuses[] = {400, 401, 403, 409, 422, 429, 503};
    struct whip_rig *rig = *state;
    static struct request r;
    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        offer_init(&r);
        handle(rig, &r);
        struct msg_publish_result m = publish_result(rig, statuses[i]);
        m.retry_after_s = statuses[i] >= 429 ? 7 : 0;
        assert_int_equal(whip_on_publish_result(rig->whip, &m, NULL, 0), 0);
        assert_answer(&r, statuses[i]);
        assert_true(header_is(&r, "Content-Type", "application/problem+json")); /* WHIP-11 */
        assert_true(header_is(&r, "Retry-After", statuses[i] >= 429 ? "7" : NULL));
        assert_true(header_is(&r, "Location", NULL));
        assert_true(header_is(&r, "ETag", NULL));
        assert_problem_says(&r, "detail", "Because.");
        drop(&r);
    }
}

static void WHIP_14_no_status_but_201_4xx_and_5xx_leaves(void **state)
{
    static const uint16_t odd[] = {0, 200, 204, 301, 302, 307, 399, 600, 65535};
    struct whip_rig *rig = *state;
    static struct request r;
    for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        offer_init(&r);
        settle(rig, &r, odd[i]);
        assert_answer(&r, 500);
        assert_true(header_is(&r, "Location", NULL));
        drop(&r);
    }
}

static void I5_results_that_cannot_be_are_refused(void **state)
{
    struct whip_rig *rig = *state;
    static struct request r;
    offer_init(&r);
    handle(rig, &r);
    struct msg_publish_result m = publish_result(rig, 201);
    memset(m.url_id, 'a', sizeof(m.url_id));
    assert_int_equal(whip_on_publish_result(rig->whip, &m, NULL, 0), -EBADMSG);
    m = publish_result(rig, 201);
    memset(m.turn.username, 'a', sizeof(m.turn.username));
    assert_int_equal(whip_on_publish_result(rig->whip, &m, NULL, 0), -EBADMSG);
    m = publish_result(rig, 201);
    (void)text_copy(m.etag, sizeof(m.etag), slice_of("a\"b"));
    assert_int_equal(whip_on_publish_result(rig->whip, &m, NULL, 0), -EBADMSG);
    m = publish_result(rig, 201);
    m.etag[0] = '\0';
    assert_int_equal(whip_on_publish_result(rig->whip, &m, NULL, 0), -EBADMSG);
    m = publish_result(rig, 201);
    m.request = 12345;
    assert_int_equal(whip_on_publish_result(rig->whip, &m, NULL, 0), 0); /* nobody's */
    assert_false(r.answered);
    m = publish_result(rig, 201);
    assert_int_equal(whip_on_publish_result(rig->whip, &m, "x", 1), 0);
    assert_answer(&r, 201);
    drop(&r);
}

static void WHIP_49_each_server_has_a_link_line_of_its_own(void **state)
{
    struct whip_rig *rig = whip_rig_new("*", "stun:a.example:3478 turn:b.example?transport=udp "
                                             "turns:c.example");
    static struct request r;
    (void)state;
    offer_init(&r);
    handle(rig, &r);
    struct msg_publish_result m = publish_result(rig, 201);
    (void)text_copy(m.turn.username, sizeof(m.turn.username), slice_of("1750000000:abc"));
    (void)text_copy(m.turn.password, sizeof(m.turn.password), slice_of("c2VjcmV0+/="));
    assert_int_equal(whip_on_publish_result(rig->whip, &m, "x", 1), 0);
    assert_answer(&r, 201);
#define CREDENTIAL                                                                                 \
    "; rel=\"ice-server\"; username=\"1750000000:abc\"; credential=\"c2VjcmV0+/=\"; "              \
    "credential-type=\"password\""
    assert_string_equal(reply_find_nth(r.reply, "Link", 0),
                        "<stun:a.example:3478>; rel=\"ice-server\"");
    assert_string_equal(reply_find_nth(r.reply, "Link", 1),
                        "<turn:b.example?transport=udp>" CREDENTIAL);
    assert_string_equal(reply_find_nth(r.reply, "Link", 2), "<turns:c.example>" CREDENTIAL);
    assert_null(reply_find_nth(r.reply, "Link", 3)); /* WHIP-51: no extension is announced */
    drop(&r);
    /* without a credential a TURN server is of no use */
    offer_init(&r);
    settle(rig, &r, 201);
    assert_non_null(reply_find_nth(r.reply, "Link", 0));
    assert_null(reply_find_nth(r.reply, "Link", 1));
    drop(&r);
    whip_rig_free(rig);
}

static void WHIP_50_no_link_leaves_before_authentication(void **state)
{
    static const enum request_method methods[] = {METHOD_OPTIONS, METHOD_GET, METHOD_HEAD,
                                                  METHOD_POST, METHOD_OTHER};
    struct whip_rig *rig = whip_rig_new("*", "stun:a.example turn:b.example");
    static struct request r;
    (void)state;
    for (size_t i = 0; i < 5; i++) {
        request_init(&r, methods[i], "/whip/demo"); /* POST: without token */
        handle(rig, &r);
        assert_true(r.answered);
        assert_true(header_is(&r, "Link", NULL));
        drop(&r);
    }
    offer_init(&r);
    settle(rig, &r, 401);
    assert_true(header_is(&r, "Link", NULL));
    drop(&r);
    whip_rig_free(rig);
}

static size_t body_limit(const struct request *r)
{
    struct route route;
    assert_int_equal(route_parse(r->path, &route), 0);
    return whip_body_limit(r, &route);
}

static void W1_a_body_is_for_who_has_a_token_and_the_right_type(void **state)
{
    static const char *const no_tokens[] = {"", "Bearer", "Bearer a b", "Basic secret",
                                            "Bearer \x01"};
    static struct request r;
    (void)state;
    offer_init(&r);
    assert_int_equal(body_limit(&r), STREAM_OFFER_MAX);
    r.headers.content_type = slice_of("application/SDP; charset=utf-8"); /* WHIP-02 */
    assert_int_equal(body_limit(&r), STREAM_OFFER_MAX);
    r.headers.content_type = slice_of(FRAGMENT_TYPE);
    assert_int_equal(body_limit(&r), 0);
    patch_init(&r, "*");
    assert_int_equal(body_limit(&r), STREAM_FRAGMENT_MAX);
    r.headers.content_type = slice_of("application/sdp");
    assert_int_equal(body_limit(&r), 0);
    for (size_t i = 0; i < sizeof(no_tokens) / sizeof(no_tokens[0]); i++) {
        offer_init(&r);
        r.headers.authorization = slice_of(no_tokens[i]);
        assert_int_equal(body_limit(&r), 0);
        patch_init(&r, "*");
        r.headers.authorization = slice_of(no_tokens[i]);
        assert_int_equal(body_limit(&r), 0);
    }
    offer_init(&r);
    r.peer.ip[0] = 192; /* WHIP-38 */
    assert_int_equal(body_limit(&r), 0);
    r.secure = true;
    assert_int_equal(body_limit(&r), STREAM_OFFER_MAX);
    offer_init(&r);
    r.method = METHOD_PATCH;
    assert_int_equal(body_limit(&r), 0);
    patch_init(&r, "*");
    r.method = METHOD_POST;
    assert_int_equal(body_limit(&r), 0);
    delete_init(&r);
    assert_int_equal(body_limit(&r), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_RIG(WHIP_01_an_offer_gives_201_with_answer_and_location),
        IN_RIG(WHIP_46_location_is_an_absolute_path_without_query),
        IN_RIG(WHIP_56_etag_of_a_201_is_strong_and_quoted),
        IN_RIG(WHIP_02_another_type_gives_415),
        IN_RIG(WHIP_04_get_and_head_give_200_without_body),
        IN_RIG(WHIP_05_other_methods_give_405_with_allow),
        IN_RIG(WHIP_12_a_big_offer_gives_413_and_an_empty_one_400),
        IN_RIG(W1_the_token_comes_before_all_else),
        IN_RIG(WHIP_20_to_29_statuses_of_the_supervisor_pass_through),
        IN_RIG(WHIP_14_no_status_but_201_4xx_and_5xx_leaves),
        IN_RIG(I5_results_that_cannot_be_are_refused),
        cmocka_unit_test(WHIP_49_each_server_has_a_link_line_of_its_own),
        cmocka_unit_test(WHIP_50_no_link_leaves_before_authentication),
        IN_RIG(W1_a_body_is_for_who_has_a_token_and_the_right_type),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
