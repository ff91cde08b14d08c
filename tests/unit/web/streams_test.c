/* Streams and what workers announce about them: order, successors, retention, hostile messages. */
#include "tests/unit/web/rig.h"

#include "lib/base/clock.h"

#include <sys/socket.h>
#include <unistd.h>

#define SEGMENT(n) "/live/demo/0/0123456789abcdef-" n ".m4s"

static unsigned status_of(struct rig *rig, const char *target)
{
    static struct request request;
    rig_get(rig, &request, target);
    unsigned status = rig_status(&request);
    assert_true(request.answered);
    rig_drop(&request);
    return status;
}

static void HLS_08_a_removed_segment_stays_fetchable_for_its_time(void **state)
{
    struct rig *rig = *state;
    assert_int_equal(rig_hello(rig, 1, false), 0);
    assert_int_equal(rig_send_init(rig, 0, 1, "h"), 0);
    uint64_t listed_us = rig->now_us;
    uint64_t msn = 10;
    for (; rig->stream->renditions[0].retired_count == 0; msn++)
        rig_whole(rig, 0, msn);
    /* listed for six whole segments and the open one, each 2 s */
    assert_int_equal(status_of(rig, SEGMENT("10")), 200);
    uint64_t duration_us = RIG_SEGMENT_US, playlist_us = (RIG_WINDOW + 1) * RIG_SEGMENT_US;
    rendition_expire(&rig->stream->renditions[0], listed_us + duration_us + playlist_us - 1);
    assert_int_equal(status_of(rig, SEGMENT("10")), 200);
    assert_int_equal(status_of(rig, SEGMENT("10.3")), 200);
    rendition_expire(&rig->stream->renditions[0],
                     rig->now_us + RIG_TARGET_S * CLOCK_SECOND_US + playlist_us);
    assert_int_equal(status_of(rig, SEGMENT("10")), 404);
}

static void HLS_08_a_fresh_publication_keeps_the_old_bytes_fetchable(void **state)
{
    struct rig *rig = *state;
    rig_publish(rig, 10, 12);
    rig_successor(rig, 2);
    struct part_hello m = rig_hello_body(1, false);
    m.epoch = 99;
    assert_int_equal(rig_feed(rig, PART_HELLO, &m, NULL, 0, -1), 0);
    assert_int_equal(status_of(rig, SEGMENT("12")), 200);
    assert_int_equal(rig->stream->renditions[0].listed_count, 0);
}

static void P3_a_response_under_way_keeps_its_bytes(void **state)
{
    struct rig *rig = *state;
    static struct request request;
    rig_publish(rig, 10, 12);
    rig_get(rig, &request, SEGMENT("10"));
    assert_int_equal(rig_status(&request), 200);
    struct msg_stream_state m = {.session = 1, .state = STREAM_GONE, .stream = "demo"};
    assert_int_equal(streams_on_state(rig->streams, &m), 0);
    assert_int_equal(streams_count(rig->streams), 0);
    assert_memory_equal(request.reply->body, rig->memory.data, request.reply->body_len);
    rig_drop(&request);
}

static void I5_nothing_is_taken_before_hello(void **state)
{
    struct rig *rig = *state;
    assert_int_equal(rig_send_init(rig, 0, 1, "h"), -EPROTO);
    assert_int_equal(rig_segment(rig, 0, 1), -EPROTO);
    assert_int_equal(rig_part(rig, 0, 1, 0, 0), -EPROTO);
    assert_int_equal(rig_segment_end(rig, 0, 1), -EPROTO);
    assert_int_equal(rig_end(rig, true), -EPROTO);
    assert_int_equal(rig_hello(rig, 3, false), 0);
    assert_int_equal(rig_hello(rig, 3, false), -EPROTO);
}

static void I5_a_bad_hello_is_refused(void **state)
{
    struct rig *rig = *state;
    struct part_hello m = rig_hello_body(0, false);
    assert_int_equal(rig_feed(rig, PART_HELLO, &m, NULL, 0, -1), -EBADMSG);
    m = rig_hello_body(1, false);
    m.window = PART_WINDOW_MAX + 1;
    assert_int_equal(rig_feed(rig, PART_HELLO, &m, NULL, 0, -1), -EBADMSG);
    m = rig_hello_body(1, false);
    m.part_target_us = 0;
    assert_int_equal(rig_feed(rig, PART_HELLO, &m, NULL, 0, -1), -EBADMSG);
}

static void I5_an_unpromised_rendition_or_unknown_header_is_refused(void **state)
{
    struct rig *rig = *state;
    assert_int_equal(rig_hello(rig, 1, false), 0);
    assert_int_equal(rig_send_init(rig, 1, 1, "h"), -EBADMSG);
    assert_int_equal(rig_segment(rig, 0, 1), -EPROTO);
    assert_int_equal(rig_send_init(rig, 0, 5, "h"), 0);
    assert_int_equal(rig_segment(rig, 0, 1), -EPROTO); /* names header 1 */
    assert_int_equal(rig_send_init(rig, 0, 5, "again"), -EPROTO);
}

static void I5_parts_must_follow_each_other_inside_the_memory(void **state)
{
    struct rig *rig = *state;
    assert_int_equal(rig_hello(rig, 1, false), 0);
    assert_int_equal(rig_send_init(rig, 0, 1, "h"), 0);
    assert_int_equal(rig_part(rig, 0, 1, 0, 0), -EPROTO);
    assert_int_equal(rig_segment(rig, 0, 1), 0);
    const struct part_part good = {
        .msn = 1, .part = 0, .offset = 0, .len = 1000, .duration_us = 200000};
    struct part_part m = good;
    m.offset = 1;
    assert_int_equal(rig_feed(rig, PART_PART, &m, NULL, 0, -1), -EBADMSG);
    m = good;
    m.part = 1;
    assert_int_equal(rig_feed(rig, PART_PART, &m, NULL, 0, -1), -EBADMSG);
    m = good;
    m.len = (1u << 20) + 1;
    assert_int_equal(rig_feed(rig, PART_PART, &m, NULL, 0, -1), -EBADMSG);
    m = good;
    m.len = UINT32_MAX;
    assert_int_equal(rig_feed(rig, PART_PART, &m, NULL, 0, -1), -EBADMSG);
    m = good;
    m.flags = 4;
    assert_int_equal(rig_feed(rig, PART_PART, &m, NULL, 0, -1), -EBADMSG);
    m = good;
    m.msn = 2;
    assert_int_equal(rig_feed(rig, PART_PART, &m, NULL, 0, -1), -EPROTO);
    m = good;
    m.rendition = PART_RENDITIONS_MAX;
    assert_int_equal(rig_feed(rig, PART_PART, &m, NULL, 0, -1), -EBADMSG);
    assert_int_equal(rig_feed(rig, PART_PART, &good, NULL, 0, -1), 0);
    assert_int_equal(rig->stream->renditions[0].listed[0]->len, 1000);
}

static void I5_a_complete_segment_takes_no_more(void **state)
{
    struct rig *rig = *state;
    rig_publish(rig, 10, 10);
    assert_int_equal(rig_part(rig, 0, 10, 10, 0), -EPROTO);
    assert_int_equal(rig_segment(rig, 0, 11), 0);
    assert_int_equal(rig_segment(rig, 0, 12), -EPROTO);     /* 11 is open */
    assert_int_equal(rig_segment_end(rig, 0, 11), -EPROTO); /* and empty */
}

static void I2_memory_without_seals_is_refused(void **state)
{
    struct rig *rig = *state;
    int fd = memfd_create("unsealed", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    struct part_segment m = {.msn = 1, .wall_us = 1, .init_id = 1};
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, 4096), 0);
    assert_int_equal(rig_hello(rig, 1, false), 0);
    assert_int_equal(rig_send_init(rig, 0, 1, "h"), 0);
    assert_int_equal(rig_feed(rig, PART_SEGMENT, &m, NULL, 0, fd), -EACCES);
    assert_int_equal(close(fd), 0);
    fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_true(rig_feed(rig, PART_SEGMENT, &m, NULL, 0, fd) < 0);
    assert_int_equal(close(fd), 0);
    assert_int_equal(rig->stream->renditions[0].listed_count, 0);
}

static void The_predecessor_counts_until_the_successor_says_hello(void **state)
{
    struct rig *rig = *state;
    rig_publish(rig, 10, 12);
    struct stream_link *old = rig->stream->link;
    rig_successor(rig, 1);
    assert_ptr_equal(rig->stream->link, old);
    assert_non_null(rig->stream->next_link);
    assert_int_equal(rig_hello(rig, 3, true), 0);
    assert_ptr_not_equal(rig->stream->link, old);
    assert_null(rig->stream->next_link);
    assert_int_equal(rig->stream->renditions[0].listed_count, 3);
}

static void A_successor_that_goes_before_its_hello_leaves_nothing(void **state)
{
    struct rig *rig = *state;
    struct msg_stream_link m = {.session = 1, .stream = "demo"};
    int pair[2];
    rig_publish(rig, 10, 12);
    struct stream_link *old = rig->stream->link;
    assert_int_equal(chan_pair(pair), 0);
    assert_int_equal(streams_on_link(rig->streams, &m, pair[1]), 0);
    assert_non_null(rig->stream->next_link);
    assert_int_equal(close(pair[0]), 0);
    assert_true(loop_turn(&rig->loop, 1000) >= 0);
    assert_null(rig->stream->next_link);
    assert_ptr_equal(rig->stream->link, old);
}

static void A_jump_in_the_numbers_starts_the_list_anew(void **state)
{
    struct rig *rig = *state;
    rig_publish(rig, 10, 12);
    rig_take_over(rig, 2, "h");
    rig_break(rig, 500, 1);
    assert_int_equal(rig->stream->renditions[0].listed_count, 1);
    assert_int_equal(rig->stream->renditions[0].retired_count, 3);
    assert_int_equal(status_of(rig, SEGMENT("12")), 200);
}

static void State_of_a_former_session_is_ignored(void **state)
{
    struct rig *rig = *state;
    rig_publish(rig, 10, 12);
    rig_successor(rig, 2);
    struct msg_stream_state m = {.session = 1, .state = STREAM_ENDED, .stream = "demo"};
    assert_int_equal(streams_on_state(rig->streams, &m), 0);
    assert_false(rig->stream->ended);
    m.state = STREAM_GONE;
    assert_int_equal(streams_on_state(rig->streams, &m), 0);
    assert_int_equal(streams_count(rig->streams), 1);
    m.session = 2;
    m.state = STREAM_ENDED;
    assert_int_equal(streams_on_state(rig->streams, &m), 0);
    assert_true(rig->stream->end_due_us > 0);
    streams_sweep(rig->streams, clock_now_us() + STREAMS_LAST_WORDS_US);
    assert_true(rig->stream->ended);
    m.session = 0; /* whichever it is */
    m.state = STREAM_GONE;
    assert_int_equal(streams_on_state(rig->streams, &m), 0);
    assert_int_equal(streams_count(rig->streams), 0);
}

static void A_stream_is_of_the_session_that_is_live(void **state)
{
    struct rig *rig = *state;
    struct msg_stream_state m = {.session = 9, .state = STREAM_LIVE, .stream = "demo"};
    rig_publish(rig, 10, 12);
    assert_int_equal(streams_on_state(rig->streams, &m), 0);
    m = (struct msg_stream_state){.session = 1, .state = STREAM_ENDED, .stream = "demo"};
    assert_int_equal(streams_on_state(rig->streams, &m), 0);
    assert_int_equal(rig->stream->end_due_us, 0);
    m.session = 9;
    assert_int_equal(streams_on_state(rig->streams, &m), 0);
    assert_true(rig->stream->end_due_us > 0);
}

static void HLS_07_the_end_waits_for_the_last_parts_of_the_worker(void **state)
{
    struct rig *rig = *state;
    struct msg_stream_state m = {.state = STREAM_ENDED, .stream = "demo"};
    rig_publish(rig, 10, 12);
    assert_int_equal(rig_segment(rig, 0, 13), 0);
    assert_int_equal(rig_part(rig, 0, 13, 0, PART_INDEPENDENT), 0);
    assert_int_equal(streams_on_state(rig->streams, &m), 0);
    assert_false(rig->stream->ended);
    assert_int_equal(rig_part(rig, 0, 13, 1, PART_LAST), 0);
    assert_int_equal(rig_end(rig, false), 0);
    assert_true(rig->stream->ended);
    char *text = rig_playlist(rig, "/live/demo/0/media.m3u8");
    assert_non_null(strstr(text, "#EXTINF:0.400000,\n0123456789abcdef-13.m4s\n#EXT-X-ENDLIST\n"));
    free(text);
    assert_int_equal(rig_segment(rig, 0, 14), 0); /* too late, and no reason to end the link */
    assert_int_equal(rig->stream->renditions[0].next_msn, 14);
}

static void HLS_07_an_end_that_is_told_again_is_no_later(void **state)
{
    struct rig *rig = *state;
    struct msg_stream_state m = {.state = STREAM_ENDED, .stream = "demo"};
    rig_publish(rig, 10, 12);
    assert_int_equal(streams_on_state(rig->streams, &m), 0);
    assert_true(rig->stream->end_due_us > 0);
    uint64_t due_us = --rig->stream->end_due_us;
    assert_int_equal(streams_on_state(rig->streams, &m), 0);
    assert_int_equal(rig->stream->end_due_us, due_us);
}

static void HLS_09_other_tracks_start_a_fresh_playlist(void **state)
{
    struct rig *rig = *state;
    rig_publish(rig, 10, 12);
    rig_successor(rig, 2);
    assert_int_equal(rig_hello(rig, 1, true), 0);
    assert_int_equal(rig->stream->renditions[0].listed_count, 0);
    assert_int_equal(rig->stream->renditions[1].listed_count, 0);
}

static void I5_control_messages_are_checked(void **state)
{
    struct rig *rig = *state;
    struct msg_stream_state m = {.session = 1, .state = STREAM_STATE_COUNT, .stream = "demo"};
    assert_int_equal(streams_on_state(rig->streams, &m), -EBADMSG);
    struct msg_stream_link link = {.session = 1, .stream = "../etc"};
    assert_int_equal(streams_on_link(rig->streams, &link, -1), -EBADMSG);
    memset(link.stream, 'a', sizeof(link.stream));
    assert_int_equal(streams_on_link(rig->streams, &link, -1), -EBADMSG);
    m = (struct msg_stream_state){.session = 1, .state = STREAM_GONE, .stream = "unknown"};
    assert_int_equal(streams_on_state(rig->streams, &m), 0);
}

static void Streams_are_bounded(void **state)
{
    struct rig *rig = *state;
    struct msg_stream_link link = {.session = 1};
    for (int i = 1; i < STREAM_MAX; i++) {
        link.stream[0] = (char)('a' + i % 26);
        link.stream[1] = (char)('a' + i / 26);
        assert_int_equal(streams_on_link(rig->streams, &link, -1), 0);
    }
    (void)text_copy(link.stream, sizeof(link.stream), slice_of("more"));
    assert_int_equal(streams_on_link(rig->streams, &link, -1), -ENOSPC);
}

static void An_ended_stream_goes_after_a_while_unless_someone_comes(void **state)
{
    struct rig *rig = *state;
    rig_publish(rig, 10, 12);
    assert_int_equal(rig_end(rig, true), 0);
    streams_sweep(rig->streams, rig->now_us + RIG_LINGER_S * CLOCK_SECOND_US - 1);
    assert_int_equal(streams_count(rig->streams), 1);
    rig_successor(rig, 2);
    streams_sweep(rig->streams, rig->now_us + RIG_LINGER_S * CLOCK_SECOND_US);
    assert_int_equal(streams_count(rig->streams), 1);
    assert_int_equal(rig_hello(rig, 1, false), 0);
    assert_false(rig->stream->ended);
    assert_int_equal(rig_end(rig, true), 0);
    streams_sweep(rig->streams, rig->now_us + RIG_LINGER_S * CLOCK_SECOND_US);
    assert_int_equal(streams_count(rig->streams), 0);
}

/* A late web process gets everything still in the window, beginning anywhere. */
static void A_window_that_begins_behind_a_discontinuity_is_taken(void **state)
{
    struct rig *rig = *state;
    assert_int_equal(rig_hello(rig, 1, true), 0);
    assert_int_equal(rig_send_init(rig, 0, 7, "h"), 0);
    struct part_segment m = {
        .msn = 900, .discontinuity_sequence = 4, .discontinuity = 1, .wall_us = 1, .init_id = 7};
    assert_int_equal(rig_segment_full(rig, &m), 0);
    assert_int_equal(rig_part(rig, 0, 900, 0, PART_INDEPENDENT | PART_LAST), 0);
    char *text = rig_playlist(rig, "/live/demo/0/media.m3u8");
    assert_non_null(strstr(text, "#EXT-X-DISCONTINUITY-SEQUENCE:3\n#EXT-X-DISCONTINUITY\n"));
    free(text);
}

struct wish {
    unsigned count;
    struct msg_stream_link last;
};

static void on_want(void *ctx, const struct msg_stream_link *wanted)
{
    struct wish *wish = ctx;
    wish->count++;
    wish->last = *wanted;
}

/* A new link whose other end is ours, over which the rig's worker says hello. */
static int link_and_publish(struct rig *rig, uint64_t first, uint64_t last)
{
    struct msg_stream_link m = {.session = 1, .stream = "demo"};
    int pair[2];
    assert_int_equal(chan_pair(pair), 0);
    assert_int_equal(streams_on_link(rig->streams, &m, pair[1]), 0);
    rig_publish(rig, first, last);
    return pair[0];
}

static void cut(struct rig *rig, int *fd)
{
    (void)close(*fd);
    *fd = -1;
    assert_true(loop_turn(&rig->loop, 1000) >= 0);
    assert_null(rig->stream->link);
}

static void A_lost_link_is_asked_for_after_a_while_and_again(void **state)
{
    struct rig *rig = *state;
    struct wish wish = {0};
    streams_set_want(rig->streams, on_want, &wish);
    int worker = link_and_publish(rig, 10, 12);
    cut(rig, &worker);
    uint64_t now_us = clock_now_us();
    streams_sweep(rig->streams, now_us); /* a dead worker's successor comes unasked: wait for it */
    assert_int_equal(wish.count, 0);
    streams_sweep(rig->streams, now_us + STREAMS_RELINK_US);
    assert_int_equal(wish.count, 1);
    assert_string_equal(wish.last.stream, "demo");
    assert_int_equal(wish.last.session, 1);
    streams_sweep(rig->streams, now_us + STREAMS_RELINK_US + 1);
    assert_int_equal(wish.count, 1);
    streams_sweep(rig->streams, now_us + 2 * STREAMS_RELINK_US + 1);
    assert_int_equal(wish.count, 2);
    worker = link_and_publish(rig, 10, 12);
    streams_sweep(rig->streams, now_us + 9 * STREAMS_RELINK_US);
    assert_int_equal(wish.count, 2);
    (void)close(worker);
}

#define VIDEO "/live/demo/0/media.m3u8"

/* HLS-04: while the worker tells all of its window again, nothing that was listed goes. */
static void HLS_04_what_is_told_again_changes_nothing(void **state)
{
    struct rig *rig = *state;
    int worker = link_and_publish(rig, 10, 12);
    assert_int_equal(rig_segment(rig, 0, 13), 0);
    assert_int_equal(rig_part(rig, 0, 13, 0, PART_INDEPENDENT), 0);
    char *before = rig_playlist(rig, VIDEO);
    cut(rig, &worker);
    rig_link(rig, 1);
    streams_sweep(rig->streams, clock_now_us() + STREAMS_RELINK_US); /* before its hello */
    rig_publish(rig, 10, 12);
    assert_int_equal(rig_segment(rig, 0, 13), 0);
    assert_int_equal(rig_part(rig, 0, 13, 0, PART_INDEPENDENT), 0);
    char *after = rig_playlist(rig, VIDEO);
    assert_string_equal(before, after);
    assert_int_equal(rig_part(rig, 0, 13, 1, PART_LAST), 0); /* news of the open segment */
    assert_int_equal(rig_segment_end(rig, 0, 13), 0);
    assert_int_equal(rig_segment(rig, 0, 14), 0);
    assert_int_equal(rig_part(rig, 0, 14, 0, PART_INDEPENDENT), 0);
    char *later = rig_playlist(rig, VIDEO);
    assert_null(strstr(later, "DISCONTINUITY\n"));
    assert_int_equal(status_of(rig, SEGMENT("13")), 200);
    assert_int_equal(status_of(rig, SEGMENT("10.3")), 200);
    assert_int_equal(rig->stream->renditions[0].listed_count, 5);
    free(before);
    free(after);
    free(later);
}

/* A link was asked for and came unasked too: the second tells what the first has told. */
static void HLS_04_two_links_of_one_worker_are_one_publication(void **state)
{
    struct rig *rig = *state;
    int first = link_and_publish(rig, 10, 12);
    char *before = rig_playlist(rig, VIDEO);
    int second = link_and_publish(rig, 10, 12);
    char *after = rig_playlist(rig, VIDEO);
    assert_string_equal(before, after);
    assert_int_equal(rig_segment(rig, 0, 13), 0);
    assert_int_equal(rig->stream->renditions[0].listed_count, 4);
    free(before);
    free(after);
    (void)close(first);
    (void)close(second);
}

/* So much was missed that the open segment is out of the worker's window. */
static void HLS_04_a_long_gap_between_links_ends_the_open_segment(void **state)
{
    struct rig *rig = *state;
    int worker = link_and_publish(rig, 10, 12);
    assert_int_equal(rig_segment(rig, 0, 13), 0);
    assert_int_equal(rig_part(rig, 0, 13, 0, PART_INDEPENDENT), 0);
    cut(rig, &worker);
    rig_link(rig, 1);
    rig_publish(rig, 15, 16);
    assert_int_equal(status_of(rig, SEGMENT("13")), 200);
    assert_int_equal(status_of(rig, SEGMENT("16")), 200);
    char *text = rig_playlist(rig, VIDEO);
    assert_int_equal(rig_count(text, "#EXT-X-GAP"), 1); /* 14 */
    free(text);
}

static void A_link_that_comes_unasked_or_an_end_makes_the_wish_void(void **state)
{
    struct rig *rig = *state;
    struct wish wish = {0};
    struct msg_stream_state end = {.session = 1, .state = STREAM_ENDED, .stream = "demo"};
    streams_set_want(rig->streams, on_want, &wish);
    int worker = link_and_publish(rig, 10, 12);
    cut(rig, &worker);
    rig_successor(rig, 1); /* the successor's */
    streams_sweep(rig->streams, clock_now_us() + STREAMS_RELINK_US);
    assert_int_equal(wish.count, 0);
    struct part_hello hello = rig_hello_body(3, true);
    hello.epoch = 99;
    assert_int_equal(rig_feed(rig, PART_HELLO, &hello, NULL, 0, -1), 0);
    assert_int_equal(rig->stream->relink_us, 0);
    assert_int_equal(rig->stream->renditions[0].listed_count, 3); /* it goes on */
    assert_int_equal(streams_on_state(rig->streams, &end), 0);
    streams_sweep(rig->streams, clock_now_us() + 2 * STREAMS_RELINK_US);
    assert_int_equal(wish.count, 0);
}

/* Whoever breaks the rules gets no second chance (I5). */
static void I5_a_refused_worker_is_not_asked_for(void **state)
{
    struct rig *rig = *state;
    struct wish wish = {0};
    streams_set_want(rig->streams, on_want, &wish);
    int worker = link_and_publish(rig, 10, 12);
    assert_int_equal(send(worker, "garbage", 7, 0), 7);
    assert_true(loop_turn(&rig->loop, 1000) >= 0);
    assert_null(rig->stream->link);
    streams_sweep(rig->streams, clock_now_us() + STREAMS_RELINK_US);
    assert_int_equal(wish.count, 0);
    (void)close(worker);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_RIG(HLS_08_a_removed_segment_stays_fetchable_for_its_time),
        IN_RIG(HLS_08_a_fresh_publication_keeps_the_old_bytes_fetchable),
        IN_RIG(P3_a_response_under_way_keeps_its_bytes),
        IN_RIG(I5_nothing_is_taken_before_hello),
        IN_RIG(I5_a_bad_hello_is_refused),
        IN_RIG(I5_an_unpromised_rendition_or_unknown_header_is_refused),
        IN_RIG(I5_parts_must_follow_each_other_inside_the_memory),
        IN_RIG(I5_a_complete_segment_takes_no_more),
        IN_RIG(I2_memory_without_seals_is_refused),
        IN_RIG(The_predecessor_counts_until_the_successor_says_hello),
        IN_RIG(A_successor_that_goes_before_its_hello_leaves_nothing),
        IN_RIG(A_jump_in_the_numbers_starts_the_list_anew),
        IN_RIG(State_of_a_former_session_is_ignored),
        IN_RIG(A_stream_is_of_the_session_that_is_live),
        IN_RIG(HLS_07_the_end_waits_for_the_last_parts_of_the_worker),
        IN_RIG(HLS_07_an_end_that_is_told_again_is_no_later),
        IN_RIG(HLS_09_other_tracks_start_a_fresh_playlist),
        IN_RIG(I5_control_messages_are_checked),
        IN_RIG(Streams_are_bounded),
        IN_RIG(An_ended_stream_goes_after_a_while_unless_someone_comes),
        IN_RIG(A_lost_link_is_asked_for_after_a_while_and_again),
        IN_RIG(HLS_04_what_is_told_again_changes_nothing),
        IN_RIG(HLS_04_two_links_of_one_worker_are_one_publication),
        IN_RIG(HLS_04_a_long_gap_between_links_ends_the_open_segment),
        IN_RIG(A_link_that_comes_unasked_or_an_end_makes_the_wish_void),
        IN_RIG(I5_a_refused_worker_is_not_asked_for),
        IN_RIG(A_window_that_begins_behind_a_discontinuity_is_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
