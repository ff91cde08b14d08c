/* The fixed route table and the Host allowlist (threats.md H5, H6). */
#include "web/route.h"

#include "lib/proto/part.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct route parse(const char *path, int result)
{
    struct route route;
    int rc = route_parse(slice_of(path), &route);
    if (rc != result)
        fail_msg("%s gives %d", path, rc);
    if (rc)
        assert_int_equal(route.kind, ROUTE_NONE);
    return route;
}

static void H5_every_row_of_the_table(void **state)
{
    (void)state;
    assert_int_equal(parse("/", 0).kind, ROUTE_HOME);
    assert_int_equal(parse("/healthz", 0).kind, ROUTE_HEALTH);
    assert_int_equal(parse("/readyz", 0).kind, ROUTE_READY);
    assert_int_equal(parse("/publish/demo", 0).kind, ROUTE_PUBLISH);
    assert_int_equal(parse("/watch/A_b-9", 0).kind, ROUTE_WATCH);
    assert_int_equal(parse("/assets/hls.min.mjs", 0).kind, ROUTE_ASSET);
    assert_int_equal(parse("/whip/demo", 0).kind, ROUTE_WHIP);
    assert_int_equal(parse("/whip/session", 0).kind, ROUTE_WHIP); /* a stream of that name */
    struct route r = parse("/whip/session/0123456789abcdef0123456789abcdef", 0);
    assert_int_equal(r.kind, ROUTE_SESSION);
    assert_int_equal(r.name.len, STREAM_URL_ID_LEN);
    r = parse("/live/demo/index.m3u8", 0);
    assert_int_equal(r.kind, ROUTE_MULTIVARIANT);
    assert_true(slice_is(r.name, "demo"));
    r = parse("/live/demo/7/media.m3u8", 0);
    assert_int_equal(r.kind, ROUTE_MEDIA);
    assert_int_equal(r.rendition, 7);
    r = parse("/live/demo/0/00000000000000ff-9007199254740992.m4s", 0);
    assert_int_equal(r.kind, ROUTE_SEGMENT);
    assert_true(r.epoch == 255 && r.msn == PART_MSN_MAX);
    r = parse("/live/demo/1/fedcba9876543210-12.255.m4s", 0);
    assert_int_equal(r.kind, ROUTE_PART);
    assert_true(r.epoch == UINT64_C(0xfedcba9876543210) && r.msn == 12 && r.part == 255);
    r = parse("/live/demo/1/fedcba9876543210-00000000000000ab.mp4", 0);
    assert_int_equal(r.kind, ROUTE_INIT);
    assert_int_equal(r.msn, 0xab);
}

static void H5_everything_else_is_not_there(void **state)
{
    static const char *const none[] = {
        "",
        "/x",
        "//",
        "/healthz/",
        "/publish",
        "/publish/",
        "/publish/a/b",
        "/publish/a.b",
        "/watch/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", /* 65 */
        "/assets/",
        "/assets/.htaccess",
        "/assets/../main.c",
        "/assets/a/b",
        "/whip/",
        "/whip/a/",
        "/whip/a/b",
        "/whip/session/",
        "/whip/session/0123456789abcdef0123456789abcde",
        "/whip/session/0123456789abcdef0123456789abcdef0",
        "/whip/session/0123456789abcdef0123456789abcdeg",
        "/whip/session/0123456789abcdef0123456789abcdef/x",
        "/live/",
        "/live/demo",
        "/live/demo/",
        "/live/demo/index.m3u8/",
        "/live/demo/master.m3u8",
        "/live/de.mo/index.m3u8",
        "/live//index.m3u8",
        "/live/demo/8/media.m3u8",
        "/live/demo/-1/media.m3u8",
        "/live/demo/00/media.m3u8",
        "/live/demo//media.m3u8",
        "/live/demo/0/",
        "/live/demo/0/media.m3u8/x",
        "/live/demo/0/.m4s",
        "/live/demo/0/-1.m4s",
        "/live/demo/0/0123456789abcdef.m4s",
        "/live/demo/0/0123456789abcdef-.m4s",
        "/live/demo/0/0123456789abcde-1.m4s",
        "/live/demo/0/0123456789abcdeff-1.m4s",
        "/live/demo/0/0123456789ABCDEF-1.m4s",
        "/live/demo/0/0123456789abcdef-01.m4s",
        "/live/demo/0/0123456789abcdef-9007199254740993.m4s",
        "/live/demo/0/0123456789abcdef-1..m4s",
        "/live/demo/0/0123456789abcdef-1.256.m4s",
        "/live/demo/0/0123456789abcdef-1.2.3.m4s",
        "/live/demo/0/0123456789abcdef-1.m4v",
        "/live/demo/0/0123456789abcdef-1.mp4",
        "/live/demo/../../etc/passwd",
        "/live/demo/0/../../../etc/passwd",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
        (void)parse(none[i], -ENOENT);
}

static void H5_percent_signs_and_odd_bytes_are_refused(void **state)
{
    static const char *const bad[] = {
        "/%2e%2e/etc/passwd",      "/live/demo%00/index.m3u8",
        "/live/%64emo/index.m3u8", "/a\\b",
        "/publish/d\xc3\xa9mo",    "/publish/a b",
        "/publish/a\x7f",          "/%",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        (void)parse(bad[i], -EBADMSG);
}

static void WHIP_09_the_area_is_known_also_on_failure(void **state)
{
    (void)state;
    assert_int_equal(parse("/whip/a/b", -ENOENT).area, AREA_WHIP);
    assert_int_equal(parse("/live/%", -EBADMSG).area, AREA_LIVE);
    assert_int_equal(parse("/lively", -ENOENT).area, AREA_PAGES);
}

/* No prefix of a valid path reads behind its end (run under the address sanitizer). */
static void H5_truncation_at_every_length(void **state)
{
    static const char *const paths[] = {
        "/live/demo/0/0123456789abcdef-12.3.m4s",
        "/live/demo/0/0123456789abcdef-0123456789abcdef.mp4",
        "/whip/session/0123456789abcdef0123456789abcdef",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        for (size_t len = 0; len < strlen(paths[i]); len++) {
            struct route route;
            char *copy = malloc(len + 1);
            assert_non_null(copy);
            memcpy(copy, paths[i], len);
            (void)route_parse(slice_make(copy, len), &route);
            free(copy);
        }
    }
}

static void H6_hosts_that_are_answered(void **state)
{
    (void)state;
    const char *list = "live.example.org  cdn.example.org";
    assert_true(route_host_allowed(slice_of("localhost"), ""));
    assert_true(route_host_allowed(slice_of("LocalHost:8080"), ""));
    assert_true(route_host_allowed(slice_of("127.0.0.1:8080"), ""));
    assert_true(route_host_allowed(slice_of("192.0.2.7"), ""));
    assert_true(route_host_allowed(slice_of("[::1]:8080"), ""));
    assert_true(route_host_allowed(slice_of("[2001:db8::1]"), ""));
    assert_true(route_host_allowed(slice_of("Live.Example.org"), list));
    assert_true(route_host_allowed(slice_of("cdn.example.org:443"), list));
    assert_true(route_host_named(slice_of("cdn.example.org:443"), list));
    assert_false(route_host_named(slice_of("127.0.0.1"), list));
}

static void H6_hosts_that_are_not(void **state)
{
    static const char *const bad[] = {
        "",
        "evil.example",
        "localhost.evil.example",
        "example.org",
        "live.example.orgx",
        ":8080",
        "localhost:x",
        "localhost:99999",
        "[::1",
        "[::1]x",
        "[localhost.x]",
        "127.0.0.1.evil.example",
        "127.1",
        "0x7f000001",
        " ",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (route_host_allowed(slice_of(bad[i]), "live.example.org"))
            fail_msg("allowed: %s", bad[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(H5_every_row_of_the_table),
        cmocka_unit_test(H5_everything_else_is_not_there),
        cmocka_unit_test(H5_percent_signs_and_odd_bytes_are_refused),
        cmocka_unit_test(WHIP_09_the_area_is_known_also_on_failure),
        cmocka_unit_test(H5_truncation_at_every_length),
        cmocka_unit_test(H6_hosts_that_are_answered),
        cmocka_unit_test(H6_hosts_that_are_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
