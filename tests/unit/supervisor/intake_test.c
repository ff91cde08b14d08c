/* Limits of what is set up and live at once. */
#include "gateway/supervisor/intake.h"
#include "tests/unit/supervisor/supervisor_stage.h"

static void W2_half_open_sessions_are_limited(void **state)
{
    struct stage *stage = *state;
    for (uint64_t i = 0; i < INTAKE_PER_ADDRESS; i++) {
        char name[16];
        snprintf(name, sizeof(name), "s%u", (unsigned)i);
        post(stage, i, name);
    }
    post(stage, 99, "one-more");
    struct msg_publish_result m = result(stage);
    assert_int_equal(m.request, 99);
    assert_int_equal(m.status, 429);
    assert_true(m.retry_after_s > 0);
}

static void limits_max_streams_is_a_limit(void **state)
{
    struct stage *stage = *state;
    struct heard heard;
    stage->sup.conf.max_streams = 1;
    go_live(stage, UINT64_MAX);
    post(stage, 2, "other");
    grant(stage, GRANT_OK, LEASE + 1, UINT64_MAX);
    struct msg_publish_result m = result(stage);
    assert_int_equal(m.status, 503);
    assert_true(m.retry_after_s > 0);
    assert_true(hear(&stage->auth, MSG_LEASE_RELEASE, &heard));
    assert_int_equal(publications(stage), 1);
}

static void W2_so_many_are_set_up_at_once_and_no_more(void **state)
{
    struct stage *stage = *state;
    stage->sup.conf.max_pending = 2;
    post(stage, 1, "a");
    post(stage, 2, "b");
    post(stage, 3, "c");
    struct msg_publish_result m = result(stage);
    assert_int_equal(m.request, 3);
    assert_int_equal(m.status, 503);
    assert_true(m.retry_after_s > 0);
}

static void WHIP_29_nobody_is_let_in_while_draining(void **state)
{
    struct stage *stage = *state;
    stage->sup.stopping = true;
    post(stage, 1, "demo");
    struct msg_publish_result m = result(stage);
    assert_int_equal(m.status, 503);
    assert_true(m.retry_after_s > 0);
    assert_int_equal(publications(stage), 0);
    stage->sup.stopping = false;
}

static void WHIP_29_without_workers_there_is_a_time_to_try_again(void **state)
{
    struct stage *stage = *state;
    struct msg_publish_result m;
    struct heard heard;
    stage->ingest.process->ready = false;
    post(stage, 1, "demo");
    grant(stage, GRANT_OK, LEASE, UINT64_MAX);
    assert_int_equal(stage->sup.publications[0]->state, PUBLICATION_WAITING);
    while (publications(stage) > 0)
        assert_int_equal(loop_turn(&stage->sup.loop, 1000), 0);
    m = result(stage);
    assert_int_equal(m.status, 503);
    assert_true(m.retry_after_s > 0);
    assert_true(hear(&stage->auth, MSG_LEASE_RELEASE, &heard));
}

static void WHIP_28_a_token_that_runs_enough_streams_waits(void **state)
{
    struct stage *stage = *state;
    const struct grant busy = {.verdict = GRANT_BUSY};
    post(stage, 1, "demo");
    grant_as(stage, "t_one", &busy);
    struct msg_publish_result m = result(stage);
    assert_int_equal(m.status, 429);
    assert_true(m.retry_after_s > 0);
    assert_int_equal(m.guessing, 0);
    post(stage, 2, "demo");
    grant_as(stage, "", &busy); /* H8 */
    m = result(stage);
    assert_int_equal(m.status, 429);
    assert_int_equal(m.guessing, 1); /* web need not charge the sender for it */
    assert_true(m.retry_after_s > 0);
}

static void WHIP_29_a_worker_that_can_not_is_tried_again(void **state)
{
    struct stage *stage = *state;
    post(stage, 1, "demo");
    grant(stage, GRANT_OK, LEASE, UINT64_MAX);
    answer_offer(stage, 503);
    struct msg_publish_result m = result(stage);
    assert_int_equal(m.status, 503);
    assert_true(m.retry_after_s > 0);
    replace(stage, &stage->ingest, PROCESS_INGEST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(W2_half_open_sessions_are_limited),
        CASE(W2_so_many_are_set_up_at_once_and_no_more),
        CASE(WHIP_29_nobody_is_let_in_while_draining),
        CASE(WHIP_29_without_workers_there_is_a_time_to_try_again),
        CASE(WHIP_28_a_token_that_runs_enough_streams_waits),
        CASE(WHIP_29_a_worker_that_can_not_is_tried_again),
        CASE(limits_max_streams_is_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
