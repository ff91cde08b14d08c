/* Requests under /live: blocking reload, held parts, ranges, cache and CORS headers. */
#include "tests/unit/web/rig.h"
#include "web/playlist.h"

#include "lib/base/clock.h"

#include <stdio.h>
#include <zlib.h>

#define VIDEO "/live/demo/0/media.m3u8"
#define INDEX "/live/demo/index.m3u8"
#define PART(n) "/live/demo/0/0123456789abcdef-" n ".m4s"

/* Segments 10 to 12 complete, 13 open with parts 0 and 1. */
static void publish_open(struct rig *rig)
{
    rig_publish(rig, 10, 12);
    assert_int_equal(rig_segment(rig, 0, 13), 0);
    assert_int_equal(rig_part(rig, 0, 13, 0, PART_INDEPENDENT), 0);
    assert_int_equal(rig_part(rig, 0, 13, 1, 0), 0);
}

static void assert_status(struct rig *rig, const char *target, unsigned status)
{
    static struct request request;
    rig_get(rig, &request, target);
    assert_int_equal(rig_status(&request), status);
    rig_drop(&request);
}

/* The stream goes, so that whoever still waits is answered before its request leaves the stack. */
static void remove_stream(struct rig *rig)
{
    struct msg_stream_state m = {
        .session = rig->stream->session, .state = STREAM_GONE, .stream = "demo"};
    assert_int_equal(streams_on_state(rig->streams, &m), 0);
    rig->stream = NULL;
}

static void LL_10_msn_alone_waits_for_the_whole_segment(void **state)
{
    struct rig *rig = *state;
    static struct request request;
    publish_open(rig);
    rig_get(rig, &request, VIDEO "?_HLS_msn=13");
    assert_false(request.answered);
    assert_int_equal(rig_part(rig, 0, 13, 2, 0), 0);
    assert_false(request.answered);
    assert_int_equal(rig_part(rig, 0, 13, 3, PART_LAST), 0);
    assert_int_equal(rig_status(&request), 200);
    char *text = rig_text(&request);
    assert_non_null(strstr(text, "-13.m4s\n"));
    free(text);
    rig_drop(&request);
}

static void LL_10_msn_and_part_wait_for_that_part(void **state)
{
    struct rig *rig = *state;
    static struct request now, next, later;
    publish_open(rig);
    rig_get(rig, &now, VIDEO "?_HLS_msn=13&_HLS_part=1");
    assert_int_equal(rig_status(&now), 200);
    rig_get(rig, &next, VIDEO "?_HLS_msn=13&_HLS_part=2");
    rig_get(rig, &later, VIDEO "?_HLS_part=3&_HLS_msn=13");
    assert_false(next.answered);
    assert_int_equal(rig_part(rig, 0, 13, 2, 0), 0);
    assert_int_equal(rig_status(&next), 200);
    assert_false(later.answered);
    assert_int_equal(rig_part(rig, 0, 13, 3, 0), 0);
    assert_int_equal(rig_status(&later), 200);
    char *text = rig_text(&later);
    assert_non_null(strstr(text, "-13.3.m4s"));
    free(text);
    rig_drop(&now);
    rig_drop(&next);
    rig_drop(&later);
}

static void LL_10_a_later_segment_answers_too(void **state)
{
    struct rig *rig = *state;
    static struct request request;
    publish_open(rig);
    rig_get(rig, &request, VIDEO "?_HLS_msn=14&_HLS_part=0");
    assert_false(request.answered);
    assert_int_equal(rig_segment_end(rig, 0, 13), 0);
    assert_false(request.answered);
    assert_int_equal(rig_segment(rig, 0, 14), 0);
    assert_false(request.answered);
    assert_int_equal(rig_part(rig, 0, 14, 0, PART_INDEPENDENT), 0);
    assert_int_equal(rig_status(&request), 200);
    rig_drop(&request);
}

static void LL_11_part_beyond_a_finished_segment_is_part_0_of_the_next(void **state)
{
    struct rig *rig = *state;
    static struct request request;
    rig_publish(rig, 10, 12); /* ten parts each */
    rig_get(rig, &request, VIDEO "?_HLS_msn=12&_HLS_part=10");
    assert_false(request.answered);
    assert_int_equal(rig_segment(rig, 0, 13), 0);
    assert_int_equal(rig_part(rig, 0, 13, 0, PART_INDEPENDENT), 0);
    assert_int_equal(rig_status(&request), 200);
    rig_drop(&request);
    assert_status(rig, VIDEO "?_HLS_msn=12&_HLS_part=9", 200);
}

static void LL_12_an_old_msn_is_answered_at_once(void **state)
{
    struct rig *rig = *state;
    publish_open(rig);
    assert_status(rig, VIDEO "?_HLS_msn=12", 200);
    assert_status(rig, VIDEO "?_HLS_msn=10&_HLS_part=3", 200);
    assert_status(rig, VIDEO "?_HLS_msn=0", 200);
    assert_status(rig, VIDEO "?_HLS_msn=3&_HLS_part=400", 200);
}

static void LL_13_what_is_too_far_or_no_number_gets_400_at_once(void **state)
{
    struct rig *rig = *state;
    static const char *const bad[] = {
        VIDEO "?_HLS_part=1",
        VIDEO "?_HLS_msn=16",
        VIDEO "?_HLS_msn=18446744073709551615",
        VIDEO "?_HLS_msn=99999999999999999999999",
        VIDEO "?_HLS_msn=13&_HLS_part=17",
        VIDEO "?_HLS_msn=14&_HLS_part=16",
        VIDEO "?_HLS_msn=13&_HLS_part=99999999999",
        VIDEO "?_HLS_msn=",
        VIDEO "?_HLS_msn",
        VIDEO "?_HLS_msn=-1",
        VIDEO "?_HLS_msn=1x",
        VIDEO "?_HLS_msn=+1",
        VIDEO "?_HLS_msn=13&_HLS_part=",
        VIDEO "?_HLS_msn=13&_HLS_part=a",
        VIDEO "?_HLS_msn=12&_HLS_msn=13",
    };
    publish_open(rig);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_status(rig, bad[i], 400);
}

static void LL_13_the_last_that_may_be_asked_for_waits(void **state)
{
    struct rig *rig = *state;
    static struct request far_segment, far_part;
    publish_open(rig);
    rig_get(rig, &far_segment, VIDEO "?_HLS_msn=15");
    rig_get(rig, &far_part, VIDEO "?_HLS_msn=13&_HLS_part=16"); /* 15 ahead of part 1 */
    assert_false(far_segment.answered);
    assert_false(far_part.answered);
    remove_stream(rig);
    rig_drop(&far_segment);
    rig_drop(&far_part);
}

static void LL_14_after_three_target_durations_503(void **state)
{
    struct rig *rig = *state;
    static struct request request;
    publish_open(rig);
    rig_get(rig, &request, VIDEO "?_HLS_msn=14");
    streams_sweep(rig->streams, rig->now_us);
    assert_false(request.answered);
    request.wait.due_us = 1; /* long ago */
    streams_sweep(rig->streams, rig->now_us);
    assert_int_equal(rig_status(&request), 503);
    assert_string_equal(reply_find(request.reply, "Cache-Control"), "max-age=1");
    assert_string_equal(reply_find(request.reply, "Retry-After"), "1");
    rig_drop(&request);
}

static void LL_14_waits_three_target_durations(void **state)
{
    struct rig *rig = *state;
    static struct request request;
    publish_open(rig);
    rig_get(rig, &request, VIDEO "?_HLS_msn=14");
    assert_int_equal(request.wait.due_us - rig->now_us, 3 * RIG_TARGET_S * CLOCK_SECOND_US);
    remove_stream(rig);
    rig_drop(&request);
}

static void LL_14_the_end_wakes_all_with_the_final_list(void **state)
{
    struct rig *rig = *state;
    static struct request segment, part, hinted;
    publish_open(rig);
    rig_get(rig, &segment, VIDEO "?_HLS_msn=15");
    rig_get(rig, &part, VIDEO "?_HLS_msn=13&_HLS_part=2");
    rig_get(rig, &hinted, PART("13.2"));
    assert_false(segment.answered || part.answered || hinted.answered);
    assert_int_equal(rig_end(rig, true), 0);
    assert_int_equal(rig_status(&segment), 200);
    assert_int_equal(rig_status(&part), 200);
    assert_int_equal(rig_status(&hinted), 404);
    char *text = rig_text(&segment);
    assert_non_null(strstr(text, "#EXT-X-ENDLIST"));
    free(text);
    rig_drop(&segment);
    rig_drop(&part);
    rig_drop(&hinted);
}

static void LL_14_after_the_end_directives_mean_nothing(void **state)
{
    struct rig *rig = *state;
    publish_open(rig);
    assert_int_equal(rig_end(rig, true), 0);
    assert_status(rig, VIDEO "?_HLS_msn=4000", 200);
    assert_status(rig, VIDEO "?_HLS_msn=13&_HLS_part=99", 200);
}

static void LL_15_skip_is_ignored(void **state)
{
    struct rig *rig = *state;
    publish_open(rig);
    char *plain = rig_playlist(rig, VIDEO);
    char *skip = rig_playlist(rig, VIDEO "?_HLS_skip=YES");
    char *both = rig_playlist(rig, VIDEO "?_HLS_msn=12&_HLS_skip=v2");
    assert_string_equal(plain, skip);
    assert_string_equal(plain, both);
    assert_null(strstr(plain, "EXT-X-SKIP"));
    free(plain);
    free(skip);
    free(both);
}

static void LL_16_the_hinted_part_is_held_and_sent_whole(void **state)
{
    struct rig *rig = *state;
    static struct request request;
    publish_open(rig);
    rig_get(rig, &request, PART("13.2"));
    assert_false(request.answered);
    assert_int_equal(rig_part(rig, 0, 13, 2, 0), 0);
    assert_int_equal(rig_status(&request), 200);
    assert_int_equal(request.reply->body_len, 1000);
    assert_memory_equal(request.reply->body, rig->memory.data + 2000, 1000);
    rig_drop(&request);
}

static void LL_16_only_the_hinted_part_is_held(void **state)
{
    struct rig *rig = *state;
    publish_open(rig);
    assert_status(rig, PART("13.3"), 404);
    assert_status(rig, PART("14.0"), 404);
    assert_status(rig, PART("13"), 404); /* not complete, never announced */
    assert_status(rig, "/live/demo/0/0123456789abcdee-13.2.m4s", 404);
    assert_status(rig, "/live/demo/1/0123456789abcdef-13.2.m4s", 404);
}

static void LL_16_a_hint_that_is_abandoned_gets_404(void **state)
{
    struct rig *rig = *state;
    static struct request request;
    publish_open(rig);
    rig_get(rig, &request, PART("13.2"));
    assert_int_equal(rig_segment_end(rig, 0, 13), 0);
    assert_int_equal(rig_status(&request), 404);
    rig_drop(&request);
    rig_get(rig, &request, PART("14.0"));
    assert_false(request.answered);
    remove_stream(rig);
    assert_int_equal(rig_status(&request), 404);
    rig_drop(&request);
}

static void P2_waiters_of_one_address_are_bounded(void **state)
{
    struct rig *rig = *state;
    static struct request waiting[RIG_WAITERS], refused, other;
    publish_open(rig);
    for (size_t i = 0; i < RIG_WAITERS; i++) {
        rig_get(rig, &waiting[i], VIDEO "?_HLS_msn=14");
        assert_false(waiting[i].answered);
    }
    rig_get(rig, &refused, VIDEO "?_HLS_msn=14");
    assert_int_equal(rig_status(&refused), 429);
    rig_drop(&refused);
    rig_request(&other, METHOD_GET, VIDEO "?_HLS_msn=14");
    other.peer.ip[3] = 2;
    rig_handle(rig, &other);
    assert_false(other.answered);
    remove_stream(rig);
    for (size_t i = 0; i < RIG_WAITERS; i++) {
        assert_int_equal(rig_status(&waiting[i]), 404);
        rig_drop(&waiting[i]);
    }
    rig_drop(&other);
    struct addr addr = {.family = 4, .ip = {127, 0, 0, 1}};
    assert_int_equal(peers_count(rig->peers, &addr, PEERS_WAITER), 0);
}

static void CDN_01_equal_waiters_share_one_answer(void **state)
{
    struct rig *rig = *state;
    static struct request a, b;
    publish_open(rig);
    rig_get(rig, &a, VIDEO "?_HLS_msn=13&_HLS_part=2");
    rig_get(rig, &b, VIDEO "?_HLS_part=2&_HLS_msn=13");
    assert_int_equal(rig_part(rig, 0, 13, 2, 0), 0);
    assert_ptr_equal(a.reply, b.reply);
    rig_drop(&a);
    rig_drop(&b);
}

static void assert_cache(struct rig *rig, const char *target, unsigned status, const char *cache)
{
    static struct request request;
    rig_get(rig, &request, target);
    assert_int_equal(rig_status(&request), status);
    assert_string_equal(reply_find(request.reply, "Cache-Control"), cache);
    assert_string_equal(reply_find(request.reply, "Access-Control-Allow-Origin"), "*");
    assert_string_equal(reply_find(request.reply, "Access-Control-Expose-Headers"),
                        "Age, Date, Content-Length");
    assert_null(reply_find(request.reply, "Access-Control-Allow-Credentials"));
    rig_drop(&request);
}

static void CDN_02_cache_times_and_HLS_25_cors_everywhere(void **state)
{
    struct rig *rig = *state;
    publish_open(rig);
    assert_cache(rig, VIDEO, 200, "max-age=1");
    assert_cache(rig, VIDEO "?_HLS_msn=12", 200, "max-age=6");
    assert_cache(rig, INDEX, 200, "max-age=3");
    assert_cache(rig, PART("12"), 200, "public, max-age=18, immutable");
    assert_cache(rig, PART("13.1"), 200, "public, max-age=18, immutable");
    assert_cache(rig, PART("9"), 404, "max-age=1");
    assert_cache(rig, VIDEO "?_HLS_msn=99", 400, "max-age=1");
    assert_cache(rig, "/live/other/index.m3u8", 404, "max-age=1");
    assert_int_equal(rig_end(rig, true), 0);
    assert_cache(rig, VIDEO "?_HLS_msn=12", 200, "max-age=1");
}

static void CDN_09_unknown_parameters_are_ignored(void **state)
{
    struct rig *rig = *state;
    publish_open(rig);
    assert_status(rig, VIDEO "?CMCD=bl%3D2100&_HLS_msn=12&token=a%20b", 200);
    assert_status(rig, VIDEO "?", 200);
    assert_status(rig, VIDEO "?&&&=&==", 200);
    assert_status(rig, INDEX "?_HLS_part=1", 200);
    assert_status(rig, PART("12") "?x=1", 200);
}

static void range_request(struct rig *rig, struct request *request, const char *range,
                          const char *condition)
{
    rig_request(request, METHOD_GET, PART("12"));
    request->headers.range = slice_of(range);
    request->headers.if_range = slice_of(condition);
    rig_handle(rig, request);
}

static void CDN_08_one_range_gives_206_or_416(void **state)
{
    struct rig *rig = *state;
    static struct request request;
    publish_open(rig);
    range_request(rig, &request, "bytes=100-299", NULL);
    assert_int_equal(rig_status(&request), 206);
    assert_int_equal(request.reply->body_len, 200);
    assert_memory_equal(request.reply->body, rig->memory.data + 100, 200);
    assert_string_equal(reply_find(request.reply, "Content-Range"), "bytes 100-299/10000");
    rig_drop(&request);
    range_request(rig, &request, "bytes=10000-", NULL);
    assert_int_equal(rig_status(&request), 416);
    assert_string_equal(reply_find(request.reply, "Content-Range"), "bytes */10000");
    rig_drop(&request);
    range_request(rig, &request, "bytes=0-1,5-6", NULL); /* several: all of it */
    assert_int_equal(rig_status(&request), 200);
    assert_int_equal(request.reply->body_len, 10000);
    rig_drop(&request);
    range_request(rig, &request, "bytes=0-1", "\"other\"");
    assert_int_equal(rig_status(&request), 200);
    rig_drop(&request);
    range_request(rig, &request, "bytes=0-1", "\"0123456789abcdef-12.m4s\"");
    assert_int_equal(rig_status(&request), 206);
    rig_drop(&request);
}

static void CDN_08_a_known_tag_gives_304_on_media_never_on_playlists(void **state)
{
    struct rig *rig = *state;
    static struct request request;
    publish_open(rig);
    rig_request(&request, METHOD_GET, PART("12"));
    request.headers.if_none_match = slice_of("\"x\", W/\"0123456789abcdef-12.m4s\"");
    rig_handle(rig, &request);
    assert_int_equal(rig_status(&request), 304);
    assert_string_equal(reply_find(request.reply, "ETag"), "\"0123456789abcdef-12.m4s\"");
    rig_drop(&request);
    rig_request(&request, METHOD_GET, VIDEO);
    request.headers.if_none_match = slice_of("*");
    rig_handle(rig, &request);
    assert_int_equal(rig_status(&request), 200);
    rig_drop(&request);
}

static void HLS_24_types_and_gzip(void **state)
{
    struct rig *rig = *state;
    static struct request plain, packed;
    uint8_t text[8192];
    publish_open(rig);
    rig_get(rig, &plain, VIDEO);
    assert_string_equal(reply_find(plain.reply, "Content-Type"), "application/vnd.apple.mpegurl");
    assert_string_equal(reply_find(plain.reply, "Vary"), "Accept-Encoding");
    assert_null(reply_find(plain.reply, "Content-Encoding"));
    rig_request(&packed, METHOD_GET, VIDEO);
    packed.headers.accept_encoding = slice_of("br, gzip;q=0.8");
    rig_handle(rig, &packed);
    assert_string_equal(reply_find(packed.reply, "Content-Encoding"), "gzip");
    assert_string_equal(reply_find(packed.reply, "Vary"), "Accept-Encoding");
    z_stream z = {
        .avail_in = (uInt)packed.reply->body_len, .next_out = text, .avail_out = sizeof(text)};
    memcpy(&z.next_in, &packed.reply->body, sizeof(void *));
    assert_int_equal(inflateInit2(&z, MAX_WBITS + 16), Z_OK);
    assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
    assert_int_equal(z.total_out, plain.reply->body_len);
    assert_memory_equal(text, plain.reply->body, plain.reply->body_len);
    assert_int_equal(inflateEnd(&z), Z_OK);
    rig_drop(&plain);
    rig_drop(&packed);
    rig_get(rig, &plain, PART("12"));
    assert_string_equal(reply_find(plain.reply, "Content-Type"), "video/mp4");
    rig_drop(&plain);
    rig_get(rig, &plain, "/live/demo/1/0123456789abcdef-12.m4s");
    assert_string_equal(reply_find(plain.reply, "Content-Type"), "audio/mp4");
    rig_drop(&plain);
}

static void HLS_14_the_header_is_served_by_the_name_in_the_map(void **state)
{
    struct rig *rig = *state;
    static struct request request;
    char target[160] = "/live/demo/0/";
    publish_open(rig);
    char *text = rig_playlist(rig, VIDEO);
    const char *name = strstr(text, "#EXT-X-MAP:URI=\"") + 16;
    (void)strncat(target, name, strcspn(name, "\""));
    free(text);
    rig_get(rig, &request, target);
    assert_int_equal(rig_status(&request), 200);
    assert_int_equal(request.reply->body_len, strlen("video header"));
    assert_memory_equal(request.reply->body, "video header", strlen("video header"));
    rig_drop(&request);
}

static void H6_preflight_allows_reading_only(void **state)
{
    struct rig *rig = *state;
    static struct request request;
    rig_request(&request, METHOD_OPTIONS, VIDEO);
    rig_handle(rig, &request);
    assert_int_equal(rig_status(&request), 204);
    assert_string_equal(reply_find(request.reply, "Access-Control-Allow-Methods"),
                        "GET, HEAD, OPTIONS");
    rig_drop(&request);
    rig_request(&request, METHOD_POST, VIDEO);
    rig_handle(rig, &request);
    assert_int_equal(rig_status(&request), 405);
    assert_string_equal(reply_find(request.reply, "Allow"), "GET, HEAD, OPTIONS");
    rig_drop(&request);
}

static void A_player_that_comes_early_is_held_until_there_is_something(void **state)
{
    struct rig *rig = *state;
    static struct request index, media;
    rig_get(rig, &index, INDEX); /* linked, nothing said yet */
    rig_get(rig, &media, VIDEO);
    assert_false(index.answered || media.answered);
    assert_int_equal(rig_hello(rig, 3, false), 0);
    assert_int_equal(rig_send_init(rig, 0, 1, "v"), 0);
    assert_int_equal(rig_segment(rig, 0, 1), 0);
    assert_int_equal(rig_part(rig, 0, 1, 0, PART_INDEPENDENT), 0);
    assert_int_equal(rig_status(&media), 200);
    assert_false(index.answered); /* audio was promised */
    assert_int_equal(rig_send_init(rig, 1, 1, "a"), 0);
    assert_int_equal(rig_segment(rig, 1, 1), 0);
    assert_int_equal(rig_part(rig, 1, 1, 0, PART_INDEPENDENT), 0);
    assert_int_equal(rig_status(&index), 200);
    char *text = rig_text(&index);
    assert_non_null(strstr(text, "AUDIO=\"audio\""));
    free(text);
    rig_drop(&index);
    rig_drop(&media);
}

static void A_rendition_that_is_very_late_is_left_out(void **state)
{
    struct rig *rig = *state;
    static struct request index;
    rig->now_us = clock_now_us() - 10000000;
    assert_int_equal(rig_hello(rig, 3, false), 0);
    assert_int_equal(rig_send_init(rig, 0, 1, "v"), 0);
    assert_int_equal(rig_segment(rig, 0, 1), 0);
    assert_int_equal(rig_part(rig, 0, 1, 0, PART_INDEPENDENT), 0);
    rig_get(rig, &index, INDEX);
    assert_int_equal(rig_status(&index), 200);
    rig_drop(&index);
}

static void A_rendition_that_nobody_promised_is_not_waited_for(void **state)
{
    struct rig *rig = *state;
    publish_open(rig);
    assert_status(rig, "/live/demo/5/media.m3u8", 404);
}

static void A_stream_that_ends_without_media_gives_404(void **state)
{
    struct rig *rig = *state;
    static struct request index;
    struct msg_stream_state m = {.session = 1, .state = STREAM_ENDED, .stream = "demo"};
    rig_get(rig, &index, INDEX);
    assert_false(index.answered);
    assert_int_equal(streams_on_state(rig->streams, &m), 0);
    assert_int_equal(rig_status(&index), 404);
    rig_drop(&index);
    assert_status(rig, INDEX, 404);
    assert_status(rig, VIDEO, 404);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_RIG(LL_10_msn_alone_waits_for_the_whole_segment),
        IN_RIG(LL_10_msn_and_part_wait_for_that_part),
        IN_RIG(LL_10_a_later_segment_answers_too),
        IN_RIG(LL_11_part_beyond_a_finished_segment_is_part_0_of_the_next),
        IN_RIG(LL_12_an_old_msn_is_answered_at_once),
        IN_RIG(LL_13_what_is_too_far_or_no_number_gets_400_at_once),
        IN_RIG(LL_13_the_last_that_may_be_asked_for_waits),
        IN_RIG(LL_14_after_three_target_durations_503),
        IN_RIG(LL_14_waits_three_target_durations),
        IN_RIG(LL_14_the_end_wakes_all_with_the_final_list),
        IN_RIG(LL_14_after_the_end_directives_mean_nothing),
        IN_RIG(LL_15_skip_is_ignored),
        IN_RIG(LL_16_the_hinted_part_is_held_and_sent_whole),
        IN_RIG(LL_16_only_the_hinted_part_is_held),
        IN_RIG(LL_16_a_hint_that_is_abandoned_gets_404),
        IN_RIG(P2_waiters_of_one_address_are_bounded),
        IN_RIG(CDN_01_equal_waiters_share_one_answer),
        IN_RIG(CDN_02_cache_times_and_HLS_25_cors_everywhere),
        IN_RIG(CDN_09_unknown_parameters_are_ignored),
        IN_RIG(CDN_08_one_range_gives_206_or_416),
        IN_RIG(CDN_08_a_known_tag_gives_304_on_media_never_on_playlists),
        IN_RIG(HLS_24_types_and_gzip),
        IN_RIG(HLS_14_the_header_is_served_by_the_name_in_the_map),
        IN_RIG(H6_preflight_allows_reading_only),
        IN_RIG(A_player_that_comes_early_is_held_until_there_is_something),
        IN_RIG(A_rendition_that_is_very_late_is_left_out),
        IN_RIG(A_rendition_that_nobody_promised_is_not_waited_for),
        IN_RIG(A_stream_that_ends_without_media_gives_404),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
