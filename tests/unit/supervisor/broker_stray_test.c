/* Strays from edge to a worker, and what the worker may ask for: neither can flood the other. */
#include "tests/unit/supervisor/supervisor_stage.h"

static const uint8_t media[20] = {0x80, 111};

static struct msg_path tuple_of(uint64_t session)
{
    return (struct msg_path){.session = session,
                             .local = {.family = 4, .port = 9, .ip = {127, 0, 0, 1}},
                             .remote = {.family = 4, .port = 7000, .ip = {127, 0, 0, 1}}};
}

static uint64_t live_session(struct stage *stage)
{
    go_live(stage, UINT64_MAX);
    for (size_t i = 0; i < STREAM_MAX; i++)
        if (stage->sup.publications[i])
            return stage->sup.publications[i]->session;
    return 0;
}

static void U17_strays_go_to_their_worker_and_wants_to_edge(void **state)
{
    struct stage *stage = *state;
    struct heard heard;
    const struct msg_path path = tuple_of(live_session(stage));
    say(stage, &stage->edge, MSG_STRAY, &path, media, sizeof(media));
    assert_true(hear(&stage->ingest, MSG_STRAY, &heard));
    assert_memory_equal(heard.body, &path, sizeof(path));
    assert_int_equal(heard.blob_len, sizeof(media));
    assert_memory_equal(heard.blob, media, sizeof(media));
    say(stage, &stage->ingest, MSG_PATH_WANT, &path, NULL, 0);
    assert_true(hear(&stage->edge, MSG_PATH_WANT, &heard));
    assert_memory_equal(heard.body, &path, sizeof(path));
    assert_int_equal(heard.fd_count, 0);
}

static void I5_a_worker_wants_no_more_than_it_was_shown(void **state)
{
    struct stage *stage = *state;
    struct heard heard;
    const struct msg_path path = tuple_of(live_session(stage));
    size_t wants = 0;
    for (unsigned i = 0; i < 100; i++) {
        say(stage, &stage->edge, MSG_STRAY, &path, media, sizeof(media));
        (void)hear(&stage->ingest, MSG_STRAY, &heard);
    }
    while (!is_cut(&stage->ingest)) {
        say(stage, &stage->ingest, MSG_PATH_WANT, &path, NULL, 0);
        wants++;
        assert_true(wants < 100);
    }
    assert_int_equal(wants, 17); /* however many it was shown; the last one ended it */
    for (unsigned i = 0; i < 16; i++)
        assert_true(hear(&stage->edge, MSG_PATH_WANT, &heard));
    assert_false(hear(&stage->edge, MSG_PATH_WANT, &heard));
}

static void I5_a_worker_that_was_shown_nothing_wants_nothing(void **state)
{
    struct stage *stage = *state;
    struct heard heard;
    const struct msg_path path = tuple_of(live_session(stage));
    say(stage, &stage->ingest, MSG_PATH_WANT, &path, NULL, 0);
    assert_true(is_cut(&stage->ingest));
    assert_false(hear(&stage->edge, MSG_PATH_WANT, &heard));
}

static void U13_strays_for_a_worker_that_does_not_read_are_lost(void **state)
{
    struct stage *stage = *state;
    struct heard heard;
    const struct msg_path path = tuple_of(live_session(stage));
    for (unsigned i = 0; i < 5000; i++)
        say(stage, &stage->edge, MSG_STRAY, &path, media, sizeof(media));
    assert_true(hear(&stage->ingest, MSG_STRAY, &heard)); /* and it was not ended */
    assert_false(is_cut(&stage->edge));
}

static void I5_strays_over_tcp_and_of_nobody(void **state)
{
    struct stage *stage = *state;
    struct heard heard;
    struct msg_path path = tuple_of(live_session(stage) + 1);
    say(stage, &stage->edge, MSG_STRAY, &path, media, sizeof(media));
    assert_false(hear(&stage->ingest, MSG_STRAY, &heard));
    assert_false(is_cut(&stage->edge));
    path.session--;
    path.transport = TRANSPORT_TCP;
    say(stage, &stage->edge, MSG_STRAY, &path, media, sizeof(media));
    assert_true(is_cut(&stage->edge));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(U17_strays_go_to_their_worker_and_wants_to_edge),
        CASE(I5_a_worker_wants_no_more_than_it_was_shown),
        CASE(I5_a_worker_that_was_shown_nothing_wants_nothing),
        CASE(U13_strays_for_a_worker_that_does_not_read_are_lost),
        CASE(I5_strays_over_tcp_and_of_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
