/* The rules of media and multivariant playlists (protocols.md 4), each by its id. */
#include "tests/unit/web/rig.h"
#include "web/playlist.h"

#include <stdio.h>

#define VIDEO "/live/demo/0/media.m3u8"
#define AUDIO "/live/demo/1/media.m3u8"
#define INDEX "/live/demo/index.m3u8"

static void HLS_01_begins_with_extm3u_and_one_version_6(void **state)
{
    struct rig *rig = *state;
    rig_publish(rig, 10, 12);
    char *text = rig_playlist(rig, VIDEO);
    assert_memory_equal(text, "#EXTM3U\n#EXT-X-VERSION:6\n", 25);
    assert_int_equal(rig_count(text, "#EXT-X-VERSION"), 1);
    assert_int_equal(rig_count(text, "#EXTM3U"), 1);
    free(text);
}

static void HLS_02_target_duration_is_the_promised_one_and_never_exceeded(void **state)
{
    struct rig *rig = *state;
    rig_publish(rig, 10, 10);
    char *before = rig_playlist(rig, VIDEO);
    for (uint64_t msn = 11; msn < 20; msn++)
        rig_whole(rig, 0, msn);
    char *after = rig_playlist(rig, VIDEO);
    assert_true(rig_number(before, "#EXT-X-TARGETDURATION:") == RIG_TARGET_S);
    assert_true(rig_number(after, "#EXT-X-TARGETDURATION:") == RIG_TARGET_S);
    for (const char *at = strstr(after, "#EXTINF:"); at; at = strstr(at + 1, "#EXTINF:"))
        assert_true(strtod(at + 8, NULL) < RIG_TARGET_S + 0.5);
    free(before);
    free(after);
}

/* Appending, dropping from the front and counting up are the only edits. */
static void HLS_03_lines_of_a_segment_never_change_once_it_is_complete(void **state)
{
    struct rig *rig = *state;
    char name[PLAYLIST_NAME_MAX], lines[256];
    rig_publish(rig, 10, 12);
    playlist_segment_name(name, RIG_EPOCH, 12);
    (void)snprintf(lines, sizeof(lines), "#EXTINF:2.000000,\n%s\n", name);
    for (uint64_t msn = 13; msn < 18; msn++) {
        char *text = rig_playlist(rig, VIDEO);
        assert_int_equal(rig_count(text, lines), 1);
        free(text);
        rig_whole(rig, 0, msn);
    }
}

static void HLS_04_media_sequence_grows_by_one_per_removed_segment(void **state)
{
    struct rig *rig = *state;
    rig_publish(rig, 100, 100);
    double last = 100;
    for (uint64_t msn = 101; msn < 130; msn++) {
        rig_whole(rig, 0, msn);
        char *text = rig_playlist(rig, VIDEO);
        double now = rig_number(text, "#EXT-X-MEDIA-SEQUENCE:");
        assert_true(now == last || now == last + 1);
        assert_true(now + (double)rig_count(text, "#EXTINF") == (double)msn + 1);
        last = now;
        free(text);
    }
    assert_true(last > 120);
}

/* Also when the publisher comes again, or a worker lies about its numbers. */
static void HLS_04_numbers_never_restart_under_a_name(void **state)
{
    struct rig *rig = *state;
    rig_publish(rig, 100, 102);
    assert_int_equal(rig_end(rig, true), 0);
    rig_successor(rig, 2);
    assert_int_equal(rig_hello(rig, 1, false), 0);
    assert_int_equal(rig_send_init(rig, 0, 1, "header"), 0);
    assert_int_equal(rig_segment(rig, 0, 102), -EPROTO);
    assert_int_equal(rig_segment(rig, 0, 5), -EPROTO);
    assert_int_equal(rig_segment(rig, 0, 103), 0);
}

static void HLS_05_keeps_the_window_and_has_no_playlist_type(void **state)
{
    struct rig *rig = *state;
    rig_publish(rig, 10, 40);
    char *text = rig_playlist(rig, VIDEO);
    assert_true(rig_count(text, "#EXTINF") >= RIG_WINDOW);
    assert_true(rig_count(text, "#EXTINF") * 2 >= 3 * RIG_TARGET_S);
    assert_null(strstr(text, "PLAYLIST-TYPE"));
    free(text);
}

static void HLS_06_a_segment_is_listed_at_once_when_its_last_part_comes(void **state)
{
    struct rig *rig = *state;
    rig_publish(rig, 10, 10);
    assert_int_equal(rig_segment(rig, 0, 11), 0);
    assert_int_equal(rig_part(rig, 0, 11, 0, PART_INDEPENDENT), 0);
    char *open = rig_playlist(rig, VIDEO);
    assert_int_equal(rig_part(rig, 0, 11, 1, PART_LAST), 0);
    char *complete = rig_playlist(rig, VIDEO);
    assert_int_equal(rig_count(open, "#EXTINF"), 1);
    assert_int_equal(rig_count(complete, "#EXTINF"), 2);
    assert_non_null(strstr(complete, "#EXTINF:0.400000,"));
    free(open);
    free(complete);
}

/* A number that a dead worker took but never filled is listed as a gap. */
static void HLS_06_a_hole_in_the_numbers_becomes_a_gap(void **state)
{
    struct rig *rig = *state;
    rig_publish(rig, 10, 12);
    assert_int_equal(rig_segment(rig, 0, 13), 0); /* opened, then the worker dies */
    rig_take_over(rig, 1, "video header");
    rig_break(rig, 14, 1);
    assert_int_equal(rig_part(rig, 0, 14, 0, PART_INDEPENDENT), 0);
    char *text = rig_playlist(rig, VIDEO);
    assert_true(rig_number(text, "#EXT-X-MEDIA-SEQUENCE:") == 10);
    assert_int_equal(rig_count(text, "#EXT-X-GAP\n#EXTINF:2.000000,\n0123456789abcdef-13.m4s\n"),
                     1);
    assert_int_equal(rig_count(text, "#EXTINF"), 4);
    free(text);
}

static void HLS_07_the_end_adds_endlist_and_takes_the_hint_away(void **state)
{
    struct rig *rig = *state;
    rig_publish(rig, 10, 12);
    assert_int_equal(rig_segment(rig, 0, 13), 0);
    assert_int_equal(rig_part(rig, 0, 13, 0, PART_INDEPENDENT), 0);
    char *live = rig_playlist(rig, VIDEO);
    assert_null(strstr(live, "#EXT-X-ENDLIST"));
    assert_int_equal(rig_end(rig, true), 0);
    char *text = rig_playlist(rig, VIDEO);
    assert_non_null(strstr(text, "\n#EXT-X-ENDLIST\n"));
    assert_null(strstr(text, "PRELOAD-HINT"));
    assert_null(strstr(text, "RENDITION-REPORT"));
    assert_int_equal(rig_count(text, "#EXTINF"), 4); /* the open one ends with what it has */
    free(live);
    free(text);
}

static void HLS_07_a_worker_that_leaves_without_final_keeps_it_open(void **state)
{
    struct rig *rig = *state;
    rig_publish(rig, 10, 12);
    assert_int_equal(rig_end(rig, false), 0);
    char *text = rig_playlist(rig, VIDEO);
    assert_null(strstr(text, "#EXT-X-ENDLIST"));
    free(text);
}

static void HLS_09_a_successor_goes_on_with_one_discontinuity(void **state)
{
    struct rig *rig = *state;
    rig_publish(rig, 10, 12);
    rig_take_over(rig, 1, "video header");
    rig_break(rig, 13, 1);
    char *quiet = rig_playlist(rig, VIDEO);
    assert_null(strstr(quiet, "#EXT-X-DISCONTINUITY\n")); /* nothing to play behind it yet */
    assert_int_equal(rig_part(rig, 0, 13, 0, PART_INDEPENDENT), 0);
    char *text = rig_playlist(rig, VIDEO);
    assert_true(rig_number(text, "#EXT-X-MEDIA-SEQUENCE:") == 10);
    assert_int_equal(rig_count(text, "#EXT-X-DISCONTINUITY\n"), 1);
    assert_true(strstr(text, "#EXT-X-DISCONTINUITY\n") > strstr(text, "-12.m4s"));
    free(quiet);
    free(text);
}

static void HLS_10_discontinuity_sequence_counts_what_has_left(void **state)
{
    struct rig *rig = *state;
    rig_publish(rig, 10, 11);
    char *text = rig_playlist(rig, VIDEO);
    assert_true(rig_number(text, "#EXT-X-DISCONTINUITY-SEQUENCE:") == 0);
    free(text);
    for (uint64_t msn = 12; msn < 30; msn++) {
        struct part_segment m = {.msn = msn,
                                 .discontinuity_sequence = msn >= 15 ? 1 : 0,
                                 .discontinuity = msn == 15,
                                 .wall_us = RIG_WALL_US,
                                 .init_id = 1};
        assert_int_equal(rig_segment_full(rig, &m), 0);
        assert_int_equal(rig_part(rig, 0, msn, 0, PART_INDEPENDENT | PART_LAST), 0);
        text = rig_playlist(rig, VIDEO);
        bool gone = rig_number(text, "#EXT-X-MEDIA-SEQUENCE:") > 15;
        bool there = strstr(text, "#EXT-X-DISCONTINUITY\n") != NULL;
        assert_true(rig_number(text, "#EXT-X-DISCONTINUITY-SEQUENCE:") == (gone ? 1 : 0));
        assert_true(there == (msn >= 15 && !gone));
        free(text);
    }
}

static void HLS_11_each_segment_has_a_date_with_zone_and_milliseconds(void **state)
{
    struct rig *rig = *state;
    rig_publish(rig, 1000, 1002);
    char *text = rig_playlist(rig, VIDEO);
    assert_int_equal(rig_count(text, "#EXT-X-PROGRAM-DATE-TIME:"), 3);
    assert_non_null(strstr(text, "#EXT-X-PROGRAM-DATE-TIME:2025-06-15T15:06:40.123Z\n"));
    assert_non_null(strstr(text, "#EXT-X-PROGRAM-DATE-TIME:2025-06-15T15:06:42.123Z\n"));
    char *audio = rig_playlist(rig, AUDIO);
    assert_non_null(strstr(audio, "#EXT-X-PROGRAM-DATE-TIME:2025-06-15T15:06:40.123Z\n"));
    free(text);
    free(audio);
}

static void HLS_12_durations_have_six_decimals_and_are_the_sum_of_the_parts(void **state)
{
    struct rig *rig = *state;
    rig_open_alone(rig, 0, 7);
    struct part_part m = {.msn = 7, .len = 10, .duration_us = 191979};
    assert_int_equal(rig_feed(rig, PART_PART, &m, NULL, 0, -1), 0);
    m = (struct part_part){
        .msn = 7, .part = 1, .offset = 10, .len = 10, .duration_us = 191979, .flags = PART_LAST};
    assert_int_equal(rig_feed(rig, PART_PART, &m, NULL, 0, -1), 0);
    char *text = rig_playlist(rig, VIDEO);
    assert_non_null(strstr(text, "#EXTINF:0.383958,"));
    assert_int_equal(rig_count(text, "DURATION=0.191979,"), 2);
    free(text);
}

static void HLS_13_multivariant_promises_independent_segments(void **state)
{
    struct rig *rig = *state;
    rig_publish(rig, 10, 10);
    char *text = rig_playlist(rig, INDEX);
    assert_int_equal(rig_count(text, "#EXT-X-INDEPENDENT-SEGMENTS\n"), 1);
    free(text);
    text = rig_playlist(rig, VIDEO);
    assert_int_equal(rig_count(text, "INDEPENDENT=YES"), 1); /* the first part of the segment */
    assert_non_null(strstr(text, "-10.0.m4s\",INDEPENDENT=YES\n"));
    free(text);
}

static void HLS_14_a_changed_header_is_a_new_map_with_a_new_uri(void **state)
{
    struct rig *rig = *state;
    char *first, *second;
    rig_publish(rig, 10, 12);
    char *text = rig_playlist(rig, VIDEO);
    assert_int_equal(rig_count(text, "#EXT-X-MAP:URI=\"0123456789abcdef-"), 1);
    assert_true(strstr(text, "#EXT-X-MAP") < strstr(text, "#EXT-X-PROGRAM-DATE-TIME"));
    first = strstr(text, "#EXT-X-MAP");
    assert_int_equal(rig_send_init(rig, 0, 2, "another size"), 0);
    rig_break(rig, 13, 2);
    assert_int_equal(rig_part(rig, 0, 13, 0, PART_INDEPENDENT), 0);
    char *after = rig_playlist(rig, VIDEO);
    assert_int_equal(rig_count(after, "#EXT-X-MAP:"), 2);
    second = strstr(strstr(after, "#EXT-X-MAP") + 1, "#EXT-X-MAP");
    assert_true(strstr(after, "#EXT-X-DISCONTINUITY\n") < second);
    assert_memory_not_equal(first, second, 60);
    free(text);
    free(after);
}

/* A successor that counts its headers from 1 again must not give an old name to new bytes. */
static void HLS_14_the_uri_depends_on_the_bytes_not_on_the_count(void **state)
{
    struct rig *rig = *state;
    rig_publish(rig, 10, 10);
    struct media_init *before = rig->stream->renditions[0].inits[0];
    uint64_t hash = before->hash;
    rig_take_over(rig, 1, "other bytes");
    assert_true(rig->stream->renditions[0].inits[0]->hash != hash);
    assert_non_null(rendition_find_init(&rig->stream->renditions[0], RIG_EPOCH, hash));
}

static void HLS_15_all_renditions_have_the_same_promises(void **state)
{
    struct rig *rig = *state;
    rig_publish(rig, 10, 12);
    char *video = rig_playlist(rig, VIDEO);
    char *audio = rig_playlist(rig, AUDIO);
    const char *end = strstr(video, "#EXT-X-MEDIA-SEQUENCE");
    assert_memory_equal(video, audio, (size_t)(end - video));
    free(video);
    free(audio);
}

static void HLS_16_names_hold_the_epoch_and_the_number(void **state)
{
    struct rig *rig = *state;
    rig_publish(rig, 10, 10);
    char *text = rig_playlist(rig, VIDEO);
    assert_non_null(strstr(text, "\n0123456789abcdef-10.m4s\n"));
    assert_non_null(strstr(text, "URI=\"0123456789abcdef-10.9.m4s\""));
    free(text);
}

static void HLS_20_a_variant_has_rates_codecs_and_size(void **state)
{
    struct rig *rig = *state;
    rig_publish(rig, 10, 12);
    char *text = rig_playlist(rig, INDEX);
    assert_non_null(strstr(text, "#EXT-X-STREAM-INF:BANDWIDTH=2628000,AVERAGE-BANDWIDTH=80000,"
                                 "CODECS=\"avc1.42c01f,mp4a.40.2\",RESOLUTION=1280x720,"
                                 "AUDIO=\"audio\"\n0/media.m3u8\n"));
    free(text);
}

/* More than was announced: the measured peak counts. */
static void HLS_20_bandwidth_is_never_below_what_was_measured(void **state)
{
    struct rig *rig = *state;
    rig_open_alone(rig, 0, 1);
    struct part_part m = {.msn = 1, .len = 1000000, .duration_us = 1000000, .flags = PART_LAST};
    assert_int_equal(rig_feed(rig, PART_PART, &m, NULL, 0, -1), 0);
    char *text = rig_playlist(rig, INDEX);
    assert_true(rig_number(text, "#EXT-X-STREAM-INF:BANDWIDTH=") == 8000000);
    assert_true(rig_number(text, "AVERAGE-BANDWIDTH=") == 8000000);
    free(text);
}

static void HLS_22_the_audio_group_exists_and_is_selected(void **state)
{
    struct rig *rig = *state;
    rig_publish(rig, 10, 10);
    char *text = rig_playlist(rig, INDEX);
    assert_int_equal(rig_count(text, "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"audio\","), 1);
    assert_non_null(strstr(text, "DEFAULT=YES,AUTOSELECT=YES,CHANNELS=\"2\",URI=\"1/media.m3u8\""));
    free(text);
}

static void HLS_22_video_alone_names_no_group(void **state)
{
    struct rig *rig = *state;
    assert_int_equal(rig_hello(rig, 1, false), 0);
    assert_int_equal(rig_send_init(rig, 0, 1, "h"), 0);
    rig_whole(rig, 0, 1);
    char *text = rig_playlist(rig, INDEX);
    assert_null(strstr(text, "AUDIO"));
    assert_non_null(strstr(text, "CODECS=\"avc1.42c01f\",RESOLUTION=1280x720\n0/media.m3u8\n"));
    free(text);
}

static void HLS_22_audio_alone_is_a_variant_without_size(void **state)
{
    struct rig *rig = *state;
    assert_int_equal(rig_hello(rig, 2, false), 0);
    assert_int_equal(rig_send_init(rig, 1, 1, "h"), 0);
    rig_whole(rig, 1, 1);
    char *text = rig_playlist(rig, INDEX);
    assert_null(strstr(text, "#EXT-X-MEDIA:"));
    assert_null(strstr(text, "RESOLUTION"));
    assert_non_null(strstr(text, "CODECS=\"mp4a.40.2\"\n1/media.m3u8\n"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_RIG(HLS_01_begins_with_extm3u_and_one_version_6),
        IN_RIG(HLS_02_target_duration_is_the_promised_one_and_never_exceeded),
        IN_RIG(HLS_03_lines_of_a_segment_never_change_once_it_is_complete),
        IN_RIG(HLS_04_media_sequence_grows_by_one_per_removed_segment),
        IN_RIG(HLS_04_numbers_never_restart_under_a_name),
        IN_RIG(HLS_05_keeps_the_window_and_has_no_playlist_type),
        IN_RIG(HLS_06_a_segment_is_listed_at_once_when_its_last_part_comes),
        IN_RIG(HLS_06_a_hole_in_the_numbers_becomes_a_gap),
        IN_RIG(HLS_07_the_end_adds_endlist_and_takes_the_hint_away),
        IN_RIG(HLS_07_a_worker_that_leaves_without_final_keeps_it_open),
        IN_RIG(HLS_09_a_successor_goes_on_with_one_discontinuity),
        IN_RIG(HLS_10_discontinuity_sequence_counts_what_has_left),
        IN_RIG(HLS_11_each_segment_has_a_date_with_zone_and_milliseconds),
        IN_RIG(HLS_12_durations_have_six_decimals_and_are_the_sum_of_the_parts),
        IN_RIG(HLS_13_multivariant_promises_independent_segments),
        IN_RIG(HLS_14_a_changed_header_is_a_new_map_with_a_new_uri),
        IN_RIG(HLS_14_the_uri_depends_on_the_bytes_not_on_the_count),
        IN_RIG(HLS_15_all_renditions_have_the_same_promises),
        IN_RIG(HLS_16_names_hold_the_epoch_and_the_number),
        IN_RIG(HLS_20_a_variant_has_rates_codecs_and_size),
        IN_RIG(HLS_20_bandwidth_is_never_below_what_was_measured),
        IN_RIG(HLS_22_the_audio_group_exists_and_is_selected),
        IN_RIG(HLS_22_video_alone_names_no_group),
        IN_RIG(HLS_22_audio_alone_is_a_variant_without_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
