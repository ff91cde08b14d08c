/* The low-latency rules of playlists (protocols.md 4.3), each by its id. */
#include "tests/unit/web/rig.h"
#include "web/playlist.h"

#include <stdio.h>

#define VIDEO "/live/demo/0/media.m3u8"
#define AUDIO "/live/demo/1/media.m3u8"

static void LL_01_part_inf_is_there_with_the_first_part_and_no_part_is_longer(void **state)
{
    struct rig *rig = *state;
    rig_open_alone(rig, 0, 1);
    assert_int_equal(rig_part(rig, 0, 1, 0, PART_INDEPENDENT), 0);
    char *text = rig_playlist(rig, VIDEO);
    double target = rig_number(text, "#EXT-X-PART-INF:PART-TARGET=");
    assert_true(target == 0.2);
    for (const char *at = strstr(text, "PART:DURATION="); at; at = strstr(at + 1, "PART:DURATION="))
        assert_true(strtod(at + 14, NULL) <= target);
    free(text);
}

/* Durations are shown as they were announced, so that the 85 % rule of the maker can be checked. */
static void LL_02_part_durations_are_shown_exactly(void **state)
{
    struct rig *rig = *state;
    rig_open_alone(rig, 0, 1);
    struct part_part m = {.msn = 1, .len = 10, .duration_us = 170010};
    assert_int_equal(rig_feed(rig, PART_PART, &m, NULL, 0, -1), 0);
    char *text = rig_playlist(rig, VIDEO);
    assert_non_null(strstr(text, "#EXT-X-PART:DURATION=0.170010,"));
    free(text);
}

static void LL_03_a_successor_with_other_promises_starts_a_fresh_playlist(void **state)
{
    struct rig *rig = *state;
    rig_publish(rig, 10, 12);
    rig_successor(rig, 1);
    struct part_hello m = rig_hello_body(1, true);
    m.part_target_us = 333000;
    assert_int_equal(rig_feed(rig, PART_HELLO, &m, NULL, 0, -1), 0);
    assert_int_equal(rig->stream->renditions[0].listed_count, 0);
}

static void LL_03_BUG_12_promises_stay_over_parts_segments_and_workers(void **state)
{
    struct rig *rig = *state;
    rig_publish(rig, 10, 12);
    char *before = rig_playlist(rig, VIDEO);
    rig_take_over(rig, 1, "video header");
    rig_whole(rig, 0, 13);
    char *after = rig_playlist(rig, VIDEO);
    assert_memory_equal(before, after, (size_t)(strstr(before, "#EXT-X-MEDIA-SEQ") - before));
    free(before);
    free(after);
}

static void LL_04_part_hold_back_is_three_part_targets(void **state)
{
    struct rig *rig = *state;
    rig_publish(rig, 10, 10);
    char *text = rig_playlist(rig, VIDEO);
    assert_true(rig_number(text, "PART-HOLD-BACK=") == 0.6);
    assert_non_null(strstr(text, "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,"));
    assert_null(strstr(text, "CAN-SKIP-UNTIL"));
    free(text);
}

static void LL_06_independent_parts_and_only_they_say_so(void **state)
{
    struct rig *rig = *state;
    rig_publish(rig, 10, 10);
    assert_int_equal(rig_segment(rig, 0, 11), 0);
    assert_int_equal(rig_part(rig, 0, 11, 0, PART_INDEPENDENT), 0);
    assert_int_equal(rig_part(rig, 0, 11, 1, 0), 0);
    assert_int_equal(rig_part(rig, 0, 11, 2, PART_INDEPENDENT), 0);
    char *text = rig_playlist(rig, VIDEO);
    assert_non_null(strstr(text, "-11.0.m4s\",INDEPENDENT=YES\n"));
    assert_non_null(strstr(text, "-11.1.m4s\"\n"));
    assert_non_null(strstr(text, "-11.2.m4s\",INDEPENDENT=YES\n"));
    free(text);
}

static void LL_07_tags_of_a_segment_stand_before_its_first_part(void **state)
{
    struct rig *rig = *state;
    rig_publish(rig, 10, 10);
    assert_int_equal(rig_send_init(rig, 0, 2, "new"), 0);
    rig_break(rig, 11, 2);
    assert_int_equal(rig_part(rig, 0, 11, 0, PART_INDEPENDENT), 0);
    char *text = rig_playlist(rig, VIDEO);
    const char *disc = strstr(text, "#EXT-X-DISCONTINUITY\n");
    const char *map = strstr(disc, "#EXT-X-MAP:");
    const char *date = strstr(map, "#EXT-X-PROGRAM-DATE-TIME:");
    const char *part = strstr(date, "-11.0.m4s");
    assert_true(disc && map && date && part);
    assert_ptr_equal(strstr(text, "-11.0.m4s"), part);
    free(text);
}

static void LL_07_parts_hold_exactly_the_bytes_of_their_segment(void **state)
{
    struct rig *rig = *state;
    static struct request part, whole;
    uint8_t joined[10000];
    char target[128];
    rig_publish(rig, 10, 10);
    for (uint32_t i = 0; i < 10; i++) {
        (void)snprintf(target, sizeof(target), "/live/demo/0/0123456789abcdef-10.%u.m4s", i);
        rig_get(rig, &part, target);
        assert_int_equal(rig_status(&part), 200);
        assert_int_equal(part.reply->body_len, 1000);
        memcpy(joined + i * 1000, part.reply->body, 1000);
        rig_drop(&part);
    }
    rig_get(rig, &whole, "/live/demo/0/0123456789abcdef-10.m4s");
    assert_int_equal(rig_status(&whole), 200);
    assert_int_equal(whole.reply->body_len, 10000);
    assert_memory_equal(whole.reply->body, joined, sizeof(joined));
    rig_drop(&whole);
}

static void LL_08_every_part_is_listed_with_its_arrival_audio_alone_too(void **state)
{
    struct rig *rig = *state;
    rig_open_alone(rig, 1, 1);
    for (uint32_t i = 0; i < 5; i++) {
        assert_int_equal(rig_part(rig, 1, 1, i, PART_INDEPENDENT), 0);
        char *text = rig_playlist(rig, AUDIO);
        assert_int_equal(rig_count(text, "#EXT-X-PART:"), i + 1);
        free(text);
    }
}

static void LL_09_parts_older_than_three_target_durations_are_dropped(void **state)
{
    struct rig *rig = *state;
    rig_publish(rig, 10, 18);
    char *text = rig_playlist(rig, VIDEO);
    /* 9 s are four segments and a half; a segment that ends inside keeps its parts */
    assert_int_equal(rig_count(text, "#EXT-X-PART:"), 50);
    assert_null(strstr(text, "-13.0.m4s"));
    assert_non_null(strstr(text, "-14.0.m4s"));
    free(text);
}

static void LL_16_the_hint_names_the_next_part(void **state)
{
    struct rig *rig = *state;
    rig_publish(rig, 10, 10);
    char *text = rig_playlist(rig, VIDEO);
    assert_non_null(
        strstr(text, "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"0123456789abcdef-11.0.m4s\"\n"));
    free(text);
    assert_int_equal(rig_segment(rig, 0, 11), 0);
    assert_int_equal(rig_part(rig, 0, 11, 0, PART_INDEPENDENT), 0);
    text = rig_playlist(rig, VIDEO);
    assert_int_equal(rig_count(text, "PRELOAD-HINT"), 1);
    assert_non_null(strstr(text, "URI=\"0123456789abcdef-11.1.m4s\"\n"));
    free(text);
}

static void LL_18_reports_on_the_other_rendition_are_as_fresh_as_the_list(void **state)
{
    struct rig *rig = *state;
    rig_publish(rig, 10, 10);
    char *text = rig_playlist(rig, VIDEO);
    const char *report =
        "#EXT-X-RENDITION-REPORT:URI=\"../1/media.m3u8\",LAST-MSN=10,LAST-PART=9\n";
    assert_int_equal(rig_count(text, report), 1);
    assert_int_equal(rig_count(text, "RENDITION-REPORT"), 1);
    free(text);
    assert_int_equal(rig_segment(rig, 1, 11), 0);
    assert_int_equal(rig_part(rig, 1, 11, 0, PART_INDEPENDENT), 0);
    text = rig_playlist(rig, VIDEO);
    assert_non_null(strstr(text, "../1/media.m3u8\",LAST-MSN=11,LAST-PART=0\n"));
    free(text);
}

/* Whatever a worker announces, the text fits and stays well-formed. */
static void H4_the_biggest_playlist_fits(void **state)
{
    struct rig *rig = *state;
    struct part_hello hello = rig_hello_body(1, false);
    hello.window = PART_WINDOW_MAX;
    assert_int_equal(rig_feed(rig, PART_HELLO, &hello, NULL, 0, -1), 0);
    assert_int_equal(rig_send_init(rig, 0, 1, "h"), 0);
    for (uint64_t msn = PART_MSN_MAX - 40; msn < PART_MSN_MAX; msn++) {
        assert_int_equal(rig_segment(rig, 0, msn), 0);
        for (uint32_t i = 0; i < PART_PER_SEGMENT_MAX; i++) {
            struct part_part m = {.msn = msn,
                                  .part = i,
                                  .offset = i,
                                  .len = 1,
                                  .duration_us = 1,
                                  .flags = PART_INDEPENDENT |
                                           (i + 1 == PART_PER_SEGMENT_MAX ? PART_LAST : 0)};
            assert_int_equal(rig_feed(rig, PART_PART, &m, NULL, 0, -1), 0);
        }
    }
    char *text = rig_playlist(rig, VIDEO);
    assert_int_equal(rig_count(text, "#EXTINF"), PART_WINDOW_MAX);
    assert_true(rig_count(text, "#EXT-X-PART:") <= PLAYLIST_PARTS_MAX);
    assert_true(rig_count(text, "#EXT-X-PART:") >= PART_PER_SEGMENT_MAX);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_RIG(LL_01_part_inf_is_there_with_the_first_part_and_no_part_is_longer),
        IN_RIG(LL_02_part_durations_are_shown_exactly),
        IN_RIG(LL_03_a_successor_with_other_promises_starts_a_fresh_playlist),
        IN_RIG(LL_03_BUG_12_promises_stay_over_parts_segments_and_workers),
        IN_RIG(LL_04_part_hold_back_is_three_part_targets),
        IN_RIG(LL_06_independent_parts_and_only_they_say_so),
        IN_RIG(LL_07_tags_of_a_segment_stand_before_its_first_part),
        IN_RIG(LL_07_parts_hold_exactly_the_bytes_of_their_segment),
        IN_RIG(LL_08_every_part_is_listed_with_its_arrival_audio_alone_too),
        IN_RIG(LL_09_parts_older_than_three_target_durations_are_dropped),
        IN_RIG(LL_16_the_hint_names_the_next_part),
        IN_RIG(LL_18_reports_on_the_other_rendition_are_as_fresh_as_the_list),
        IN_RIG(H4_the_biggest_playlist_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
