/* Requests: methods, content negotiation, tags, wait lists. */
#include "web/request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void WHIP_05_methods_are_case_sensitive(void **state)
{
    (void)state;
    assert_int_equal(request_method_of(slice_of("GET")), METHOD_GET);
    assert_int_equal(request_method_of(slice_of("DELETE")), METHOD_DELETE);
    assert_int_equal(request_method_of(slice_of("get")), METHOD_OTHER);
    assert_int_equal(request_method_of(slice_of("PUT")), METHOD_OTHER);
    assert_int_equal(request_method_of(slice_of("")), METHOD_OTHER);
}

static bool takes_gzip(const char *header)
{
    struct request r = {.headers.accept_encoding = slice_of(header)};
    return request_takes_gzip(&r);
}

static void HLS_24_gzip_only_when_accepted(void **state)
{
    (void)state;
    assert_true(takes_gzip("gzip"));
    assert_true(takes_gzip("deflate, GZIP;q=1.0, br"));
    assert_true(takes_gzip("gzip;q=0.001"));
    assert_false(takes_gzip(NULL));
    assert_false(takes_gzip("xgzip, gzipx"));
    assert_false(takes_gzip("gzip;q=0"));
    assert_false(takes_gzip("gzip; q=0.000, br"));
    assert_false(takes_gzip("identity"));
}

static void WHIP_20_header_lines_are_kept_and_if_match_is_counted(void **state)
{
    struct request_headers h = {0};
    (void)state;
    request_take_header(&h, slice_of("authorization"), slice_of(" Bearer a\t"));
    request_take_header(&h, slice_of("X-Other"), slice_of("b"));
    assert_true(slice_is(h.authorization, "Bearer a"));
    assert_int_equal(h.if_match_lines, 0);
    request_take_header(&h, slice_of("If-None-Match"), slice_of("\"c\""));
    assert_int_equal(h.if_match_lines, 0);
    request_take_header(&h, slice_of("IF-MATCH"), slice_of("")); /* empty is not absent */
    assert_int_equal(h.if_match_lines, 1);
    request_take_header(&h, slice_of("If-Match"), slice_of("*"));
    assert_int_equal(h.if_match_lines, 2);
    assert_true(slice_is(h.if_match, "*"));
    assert_true(slice_is(h.if_none_match, "\"c\""));
}

static void WHIP_49_headers_of_one_name_stay_apart(void **state)
{
    struct reply *reply = reply_new_roomy(201, 8);
    (void)state;
    reply_header(reply, "Link", "one");
    reply_header(reply, "ETag", "");
    reply_header(reply, "link", "2");
    assert_string_equal(reply_find(reply, "LINK"), "one");
    assert_string_equal(reply_find_nth(reply, "Link", 1), "2");
    assert_null(reply_find_nth(reply, "Link", 2));
    assert_null(reply_find_nth(NULL, "Link", 0));
    reply_unref(reply);
}

static bool has_tag(const char *header)
{
    struct request r = {.headers.if_none_match = slice_of(header)};
    return request_has_tag(&r, "\"abc\"");
}

static void CDN_08_tags_are_compared_weakly(void **state)
{
    (void)state;
    assert_true(has_tag("\"abc\""));
    assert_true(has_tag("\"x\" , W/\"abc\""));
    assert_true(has_tag("*"));
    assert_false(has_tag("abc"));
    assert_false(has_tag("\"abcd\""));
    assert_false(has_tag(NULL));
}

static void Waits_keep_their_order_and_leave_in_any(void **state)
{
    struct wait_list list = {0};
    struct request r[3] = {0};
    (void)state;
    for (size_t i = 0; i < 3; i++)
        wait_add(&list, &r[i], i);
    assert_int_equal(list.count, 3);
    wait_remove(&r[1]);
    wait_remove(&r[1]);
    assert_ptr_equal(list.first, &r[0]);
    assert_ptr_equal(r[0].wait.next, &r[2]);
    request_answer(&r[0], NULL);
    assert_true(r[0].answered);
    assert_ptr_equal(list.first, &r[2]);
    assert_ptr_equal(list.last, &r[2]);
    wait_remove(&r[2]);
    assert_int_equal(list.count, 0);
    assert_null(list.first);
    assert_null(list.last);
}

static int released;

static void on_release(void *owner)
{
    assert_ptr_equal(owner, &released);
    released++;
}

static void Replies_release_their_body_once(void **state)
{
    (void)state;
    released = 0;
    struct reply *reply = reply_new(200);
    reply_header(reply, "A", "b");
    reply_body(reply, "xyz", 3, on_release, &released);
    assert_ptr_equal(reply_ref(reply), reply);
    reply_unref(reply);
    assert_int_equal(released, 0);
    assert_string_equal(reply_find(reply, "a"), "b");
    reply_unref(reply);
    assert_int_equal(released, 1);
    reply_body(NULL, "xyz", 3, on_release, &released); /* no memory for the reply */
    assert_int_equal(released, 2);
    assert_null(reply_body_copy(NULL, "x", 1));
    reply_unref(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(WHIP_05_methods_are_case_sensitive),
        cmocka_unit_test(HLS_24_gzip_only_when_accepted),
        cmocka_unit_test(WHIP_20_header_lines_are_kept_and_if_match_is_counted),
        cmocka_unit_test(WHIP_49_headers_of_one_name_stay_apart),
        cmocka_unit_test(CDN_08_tags_are_compared_weakly),
        cmocka_unit_test(Waits_keep_their_order_and_leave_in_any),
        cmocka_unit_test(Replies_release_their_body_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
