/* What sluicectl's stream commands do. */
#include "gateway/supervisor/control_rows.h"
#include "tests/unit/supervisor/supervisor_stage.h"

static int32_t kick(struct stage *stage, const char *stream)
{
    struct msg_ctl m = {.request = 5, .op = CTL_KICK};
    struct heard heard;
    snprintf(m.stream, sizeof(m.stream), "%s", stream);
    say(stage, &stage->auth, MSG_CTL, &m, NULL, 0);
    assert_true(hear(&stage->auth, MSG_CTL_DONE, &heard));
    return ((const struct msg_ctl_done *)(const void *)heard.body)->result;
}

static void T5_a_kick_ends_the_stream(void **state)
{
    struct stage *stage = *state;
    struct heard heard;
    assert_int_equal(kick(stage, "demo"), -ENOENT);
    go_live(stage, UINT64_MAX);
    assert_int_equal(kick(stage, "other"), -ENOENT);
    assert_int_equal(stage->sup.publications[0]->state, PUBLICATION_LIVE);
    assert_int_equal(kick(stage, "demo"), 0);
    assert_true(hear(&stage->ingest, MSG_END, &heard));
    assert_int_equal(((const struct msg_end *)(const void *)heard.body)->reason, END_KICKED);
    assert_int_equal(kick(stage, "demo"), -ENOENT); /* it is on its way out */
}

/* Who was about to take the stream over does not come up when the one before is kicked. */
static void T5_a_kick_ends_what_is_being_set_up(void **state)
{
    struct stage *stage = *state;
    struct player old;
    const struct grant g = {.verdict = GRANT_OK,
                            .lease_id = LEASE + 1,
                            .remaining_us = UINT64_MAX,
                            .clash = CLASH_TAKE_OVER};
    struct publication *first;
    go_live(stage, UINT64_MAX);
    first = stage->sup.publications[0];
    relieve(stage, &stage->ingest, PROCESS_INGEST, &old);
    post(stage, 2, "demo");
    grant_as(stage, "t_two", &g);
    post(stage, 3, "demo"); /* auth has not answered yet */
    assert_int_equal(publications(stage), 3);
    assert_int_equal(kick(stage, "demo"), 0);
    for (uint64_t request = 2; request <= 3; request++) {
        struct msg_publish_result m = result(stage);
        assert_int_equal(m.request, request);
        assert_int_equal(m.status, 403);
    }
    assert_int_equal(publications(stage), 1);
    assert_int_equal(first->state, PUBLICATION_ENDING);
    publication_on_ingest_exit(first);
    leave(stage, &old);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(T5_a_kick_ends_the_stream),
        CASE(T5_a_kick_ends_what_is_being_set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
