/* From request to handler: Host check, pages and their guards, errors with the headers of their
 * area. */
#include "tests/unit/web/rig.h"
#include "web/pages.h"
#include "web/routes.h"

struct routes_rig {
    struct rig rig;
    struct assets *assets;
    struct whip *whip;
    struct routes routes;
};

static int on_send(void *ctx, enum msg_type type, const void *body, const void *blob, size_t len)
{
    (void)ctx;
    (void)type;
    (void)body;
    (void)blob;
    (void)len;
    return -EPIPE;
}

static int set_up(void **state)
{
    struct routes_rig *r = calloc(1, sizeof(*r));
    assert_non_null(r);
    rig_init(&r->rig);
    assert_int_equal(assets_new(&r->assets), 0);
    const struct whip_config config = {
        .origins = "*", .ice_servers = "", .send = on_send, .ctx = r};
    assert_int_equal(whip_new(&r->rig.loop, r->rig.peers, &config, &r->whip), 0);
    r->routes = (struct routes){.assets = r->assets,
                                .streams = r->rig.streams,
                                .hls = r->rig.hls,
                                .whip = r->whip,
                                .page_host = "live.example.org",
                                .cors_origins = "*"};
    *state = r;
    return 0;
}

static int tear_down(void **state)
{
    struct routes_rig *r = *state;
    whip_free(r->whip);
    assets_free(r->assets);
    rig_done(&r->rig);
    free(r);
    return 0;
}

#define IN_ROUTES(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

static void get(struct routes_rig *r, struct request *request, const char *target, const char *host)
{
    rig_request(request, METHOD_GET, target);
    request->headers.host = slice_of(host);
    routes_handle(&r->routes, request, r->rig.now_us);
}

static void H6_an_unknown_host_gets_421_with_the_areas_headers(void **state)
{
    struct routes_rig *r = *state;
    static struct request request;
    static const char *const paths[] = {"/", "/watch/demo", "/live/demo/index.m3u8", "/whip/demo"};
    for (size_t i = 0; i < 4; i++) {
        get(r, &request, paths[i], "evil.example");
        assert_int_equal(rig_status(&request), 421);
        const char *cors = reply_find(request.reply, "Access-Control-Allow-Origin");
        assert_true(i < 2 ? cors == NULL : strcmp(cors, "*") == 0);
        rig_drop(&request);
    }
    get(r, &request, "/healthz", "live.example.org:443");
    assert_int_equal(rig_status(&request), 200);
    rig_drop(&request);
    get(r, &request, "/healthz", NULL); /* HTTP/1.0 */
    assert_int_equal(rig_status(&request), 200);
    rig_drop(&request);
}

static void Readyz_tells_what_the_supervisor_says(void **state)
{
    struct routes_rig *r = *state;
    static struct request request;
    get(r, &request, "/readyz", "localhost");
    assert_int_equal(rig_status(&request), 503);
    assert_non_null(reply_find(request.reply, "Retry-After"));
    rig_drop(&request);
    r->routes.serving = true;
    get(r, &request, "/readyz", "localhost");
    assert_int_equal(rig_status(&request), 200);
    rig_drop(&request);
}

static void H5_unknown_paths_404_and_percent_400(void **state)
{
    struct routes_rig *r = *state;
    static struct request request;
    get(r, &request, "/etc/passwd", "localhost");
    assert_int_equal(rig_status(&request), 404);
    assert_null(reply_find(request.reply, "Access-Control-Allow-Origin"));
    rig_drop(&request);
    get(r, &request, "/live/demo/0/nothing.m4s", "localhost");
    assert_int_equal(rig_status(&request), 404);
    assert_string_equal(reply_find(request.reply, "Access-Control-Allow-Origin"), "*");
    rig_drop(&request);
    get(r, &request, "/live/%2e%2e/x", "localhost");
    assert_int_equal(rig_status(&request), 400);
    rig_drop(&request);
}

static void H7_pages_have_all_guards(void **state)
{
    struct routes_rig *r = *state;
    static struct request request;
    get(r, &request, "/", "localhost");
    assert_int_equal(rig_status(&request), 200);
    const char *policy = reply_find(request.reply, "Content-Security-Policy");
    assert_non_null(strstr(policy, "default-src 'none'; script-src 'self'; style-src 'self'; "
                                   "connect-src 'self'; media-src 'self' blob:; "
                                   "worker-src 'self' blob:; img-src 'self' data:"));
    assert_non_null(strstr(policy, "frame-ancestors 'none'"));
    assert_null(strstr(policy, "unsafe"));
    assert_string_equal(reply_find(request.reply, "X-Content-Type-Options"), "nosniff");
    assert_string_equal(reply_find(request.reply, "Referrer-Policy"), "no-referrer");
    assert_string_equal(reply_find(request.reply, "X-Frame-Options"), "DENY");
    assert_null(reply_find(request.reply, "Strict-Transport-Security"));
    rig_drop(&request);
}

static void H11_https_under_a_name_is_kept(void **state)
{
    struct routes_rig *r = *state;
    static struct request request;
    static const char *const hosts[] = {"live.example.org", "127.0.0.1", "localhost"};
    for (size_t i = 0; i < 3; i++) {
        rig_request(&request, METHOD_GET, "/");
        request.headers.host = slice_of(hosts[i]);
        request.secure = true;
        routes_handle(&r->routes, &request, r->rig.now_us);
        assert_true((reply_find(request.reply, "Strict-Transport-Security") != NULL) == (i == 0));
        rig_drop(&request);
    }
}

static void Pages_are_read_only(void **state)
{
    struct routes_rig *r = *state;
    static struct request request;
    rig_request(&request, METHOD_POST, "/watch/demo");
    routes_handle(&r->routes, &request, r->rig.now_us);
    assert_int_equal(rig_status(&request), 405);
    assert_string_equal(reply_find(request.reply, "Allow"), "GET, HEAD");
    rig_drop(&request);
}

/* With pages built in they come with their guards; without, the path says so. */
static void Pages_come_from_the_embedded_files(void **state)
{
    struct routes_rig *r = *state;
    static struct request request;
    const struct asset *page = assets_find(r->assets, slice_of("watch.html"));
    get(r, &request, "/watch/demo", "localhost");
    assert_int_equal(rig_status(&request), page ? 200 : 404);
    assert_non_null(reply_find(request.reply, "Content-Security-Policy"));
    if (page) {
        assert_int_equal(request.reply->body_len, page->len);
        assert_string_equal(reply_find(request.reply, "ETag"), page->tag);
        assert_string_equal(reply_find(request.reply, "Cache-Control"), "no-cache");
    }
    rig_drop(&request);
    get(r, &request, "/assets/watch.html", "localhost"); /* a page is no asset */
    assert_int_equal(rig_status(&request), 404);
    rig_drop(&request);
    get(r, &request, "/assets/nothing.js", "localhost");
    assert_int_equal(rig_status(&request), 404);
    rig_drop(&request);
}

static void Assets_are_packed_and_revalidated(void **state)
{
    struct routes_rig *r = *state;
    static struct request request;
    const struct asset *script = assets_find(r->assets, slice_of("watch.js"));
    if (!script)
        skip();
    rig_request(&request, METHOD_GET, "/assets/watch.js");
    request.headers.accept_encoding = slice_of("gzip, br");
    routes_handle(&r->routes, &request, r->rig.now_us);
    assert_int_equal(rig_status(&request), 200);
    assert_string_equal(reply_find(request.reply, "Content-Type"),
                        "text/javascript; charset=utf-8");
    assert_string_equal(reply_find(request.reply, "Content-Encoding"), "gzip");
    assert_true(request.reply->body_len < script->len);
    rig_drop(&request);
    rig_request(&request, METHOD_GET, "/assets/watch.js");
    request.headers.if_none_match = slice_of(script->tag);
    routes_handle(&r->routes, &request, r->rig.now_us);
    assert_int_equal(rig_status(&request), 304);
    assert_int_equal(request.reply->body_len, 0);
    rig_drop(&request);
}

static void WHIP_09_errors_before_the_handler_have_cors(void **state)
{
    struct routes_rig *r = *state;
    static struct request request;
    rig_request(&request, METHOD_POST, "/whip/demo");
    struct reply *reply = routes_problem(&r->routes, &request, 431, "Too much.");
    assert_int_equal(reply->status, 431);
    assert_string_equal(reply_find(reply, "Access-Control-Allow-Origin"), "*");
    reply_unref(reply);
}

static void W1_only_publishing_takes_bodies(void **state)
{
    static const struct {
        enum request_method method;
        const char *path;
        const char *host;
        size_t limit;
    } cases[] = {
        {METHOD_POST, "/whip/demo", "localhost", STREAM_OFFER_MAX},
        {METHOD_POST, "/whip/demo", "live.example.org", STREAM_OFFER_MAX},
        {METHOD_POST, "/whip/demo", "evil.example", 0},
        {METHOD_POST, "/whip/../demo", "localhost", 0},
        {METHOD_POST, "/", "localhost", 0},
        {METHOD_POST, "/live/demo/index.m3u8", "localhost", 0},
        {METHOD_GET, "/whip/demo", "localhost", 0},
    };
    struct routes_rig *r = *state;
    static struct request request;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        rig_request(&request, cases[i].method, cases[i].path);
        request.headers.host = slice_of(cases[i].host);
        request.headers.authorization = slice_of("Bearer secret");
        request.headers.content_type = slice_of("application/sdp");
        assert_int_equal(routes_body_limit(&r->routes, &request), cases[i].limit);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_ROUTES(H6_an_unknown_host_gets_421_with_the_areas_headers),
        IN_ROUTES(Readyz_tells_what_the_supervisor_says),
        IN_ROUTES(H5_unknown_paths_404_and_percent_400),
        IN_ROUTES(H7_pages_have_all_guards),
        IN_ROUTES(H11_https_under_a_name_is_kept),
        IN_ROUTES(Pages_are_read_only),
        IN_ROUTES(Pages_come_from_the_embedded_files),
        IN_ROUTES(Assets_are_packed_and_revalidated),
        IN_ROUTES(WHIP_09_errors_before_the_handler_have_cors),
        IN_ROUTES(W1_only_publishing_takes_bodies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
