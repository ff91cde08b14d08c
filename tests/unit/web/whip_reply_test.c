/* Headers of all answers under /whip: CORS, preflight, challenges, by rule id. */
#include "tests/unit/web/whip_rig.h"
#include "web/whip_reply.h"

static void WHIP_06_options_without_credentials(void **state)
{
    static const char *const paths[] = {"/whip/demo", SESSION};
    static const char *const allow[] = {"POST, GET, HEAD, OPTIONS",
                                        "PATCH, DELETE, GET, HEAD, OPTIONS"};
    static const char *const patch[] = {NULL, FRAGMENT_TYPE};
    struct whip_rig *rig = *state;
    static struct request r;
    for (size_t i = 0; i < 2; i++) {
        request_init(&r, METHOD_OPTIONS, paths[i]);
        handle(rig, &r);
        assert_answer(&r, 200);
        assert_int_equal(r.reply->body_len, 0);
        assert_true(header_is(&r, "Accept-Post", "application/sdp"));
        assert_true(header_is(&r, "Allow", allow[i]));
        assert_true(header_is(&r, "Accept-Patch", patch[i])); /* RFC 5789 3.1 */
        drop(&r);
    }
    assert_int_equal(rig->sent, 0);
}

static void WHIP_07_preflight_names_methods_and_headers(void **state)
{
    static const char *const paths[] = {"/whip/demo", SESSION};
    struct whip_rig *rig = *state;
    static struct request r;
    for (size_t i = 0; i < 2; i++) {
        request_init(&r, METHOD_OPTIONS, paths[i]);
        r.headers.origin = slice_of("https://elsewhere.example");
        handle(rig, &r);
        const char *methods = reply_find(r.reply, "Access-Control-Allow-Methods");
        assert_true(strstr(methods, "POST") && strstr(methods, "PATCH") &&
                    strstr(methods, "DELETE"));
        assert_true(
            header_is(&r, "Access-Control-Allow-Headers", "Authorization, Content-Type, If-Match"));
        assert_true(header_is(&r, "Link", NULL));
        drop(&r);
    }
}

static const char *allowed_origin(const char *list, const char *origin, bool *out_vary)
{
    struct whip_rig *rig = whip_rig_new(list, "");
    static struct request r;
    static char copy[256];
    request_init(&r, METHOD_POST, "/whip/demo"); /* a 401: errors count too (WHIP-09) */
    r.headers.origin = slice_of(origin);
    handle(rig, &r);
    assert_int_equal(r.reply->status, 401);
    const char *value = reply_find(r.reply, "Access-Control-Allow-Origin");
    const char *vary = reply_find(r.reply, "Vary");
    *out_vary = vary && strcmp(vary, "Origin") == 0;
    assert_true((reply_find(r.reply, "Access-Control-Expose-Headers") != NULL) == (value != NULL));
    (void)text_copy(copy, sizeof(copy), slice_of(value));
    drop(&r);
    whip_rig_free(rig);
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

static void WHIP_09_every_status_has_the_cors_headers(void **state)
{
    static const unsigned statuses[] = {400, 401, 403, 404, 405, 409, 412, 413, 414,
                                        415, 421, 422, 428, 429, 431, 500, 503};
    static struct request r;
    (void)state;
    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        request_init(&r, METHOD_POST, "/whip/demo");
        request_answer(&r, whip_reply_problem("*", &r, statuses[i], "Because."));
        assert_answer(&r, statuses[i]);
        drop(&r);
    }
}

static const char *challenge(struct whip_rig *rig, const char *authorization, uint16_t status)
{
    static struct request r;
    static char copy[128];
    offer_init(&r);
    r.headers.authorization = slice_of(authorization);
    handle(rig, &r);
    if (!r.answered) {
        struct msg_publish_result m = publish_result(rig, status);
        assert_int_equal(whip_on_publish_result(rig->whip, &m, NULL, 0), 0);
    }
    assert_answer(&r, status);
    const char *value = reply_find(r.reply, "WWW-Authenticate");
    (void)text_copy(copy, sizeof(copy), slice_of(value));
    drop(&r);
    return value ? copy : NULL;
}

/* RFC 6750 3: no error code when there was no token, invalid_token when there was a bad one. */
static void WHIP_21_no_or_bad_token_gives_401_with_challenge(void **state)
{
    static const char *const none[] = {NULL, "", "Basic eDp5", "Bearerx y"};
    static const char *const malformed[] = {"Bearer", "Bearer a b", "Bearer ,"};
    struct whip_rig *rig = *state;
    for (size_t i = 0; i < 4; i++)
        assert_string_equal(challenge(rig, none[i], 401), "Bearer realm=\"whip\"");
    for (size_t i = 0; i < 3; i++)
        assert_string_equal(challenge(rig, malformed[i], 401),
                            "Bearer realm=\"whip\", error=\"invalid_token\"");
    assert_int_equal(rig->sent, 0);
    assert_string_equal(challenge(rig, "Bearer secret", 401),
                        "Bearer realm=\"whip\", error=\"invalid_token\"");
    assert_string_equal(challenge(rig, "Bearer secret", 403),
                        "Bearer realm=\"whip\", error=\"insufficient_scope\"");
    assert_null(challenge(rig, "Bearer secret", 409));
    assert_null(challenge(rig, "Bearer secret", 503));
}

static void WHIP_35_the_scheme_is_read_in_any_case(void **state)
{
    static const char *const good[] = {"Bearer secret", "bearer secret", "BEARER  secret"};
    struct whip_rig *rig = *state;
    static struct request r;
    for (size_t i = 0; i < 3; i++) {
        for (int method = 0; method < 3; method++) {
            if (method == 0)
                offer_init(&r);
            else if (method == 1)
                patch_init(&r, "*");
            else
                delete_init(&r);
            r.headers.authorization = slice_of(good[i]);
            settle(rig, &r, 404);
            assert_string_equal(method ? rig->session.token : rig->publish.token, "secret");
            drop(&r);
        }
    }
}

static void WHIP_38_plain_http_from_elsewhere_takes_no_token(void **state)
{
    struct whip_rig *rig = *state;
    static struct request r;
    for (int method = 0; method < 3; method++) {
        for (int secure = 0; secure < 2; secure++) {
            if (method == 0)
                offer_init(&r);
            else if (method == 1)
                patch_init(&r, "*");
            else
                delete_init(&r);
            r.peer.ip[0] = 192;
            r.secure = secure;
            if (secure) {
                settle(rig, &r, 404);
                drop(&r);
            } else {
                assert_refused(rig, &r, 403);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_RIG(WHIP_06_options_without_credentials),
        IN_RIG(WHIP_07_preflight_names_methods_and_headers),
        cmocka_unit_test(WHIP_10_listed_origins_are_echoed_and_others_get_nothing),
        cmocka_unit_test(WHIP_09_every_status_has_the_cors_headers),
        IN_RIG(WHIP_21_no_or_bad_token_gives_401_with_challenge),
        IN_RIG(WHIP_35_the_scheme_is_read_in_any_case),
        IN_RIG(WHIP_38_plain_http_from_elsewhere_takes_no_token),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
