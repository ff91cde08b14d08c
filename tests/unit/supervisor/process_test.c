/* Roles that die, come back, or can not be started. */
#include "tests/unit/supervisor/supervisor_stage.h"

#include <sys/resource.h>
#include <sys/stat.h>

/* A real child that does nothing, as the pool's only ready ingest. */
static struct process *start_real_ingest(struct stage *stage)
{
    struct supervisor *sup = &stage->sup;
    char program[sizeof(sup->libexec) + 32];
    (void)text_copy(sup->libexec, sizeof(sup->libexec), slice_of("/tmp/sluice-lifecycle-XXXXXX"));
    assert_non_null(mkdtemp(sup->libexec));
    snprintf(program, sizeof(program), "%s/sluice-ingest", sup->libexec);
    FILE *script = fopen(program, "w");
    assert_non_null(script);
    fputs("#!/bin/sh\nexec sleep 60\n", script);
    assert_int_equal(fchmod(fileno(script), 0700), 0);
    fclose(script);
    stage->ingest.process->ready = false;
    sup->conf.warm_ingest = 2;
    process_fill(sup);
    sup->conf.warm_ingest = 0;
    for (size_t i = 0; i < PROCESS_MAX; i++) {
        struct process *p = sup->processes[i];
        if (p && p->kind == PROCESS_INGEST && p->pid > 0) {
            p->ready = true;
            return p;
        }
    }
    return NULL;
}

static void restarted_roles_are_told_what_lives(void **state)
{
    struct stage *stage = *state;
    struct heard heard;
    go_live(stage, UINT64_MAX);
    replace(stage, &stage->edge, PROCESS_EDGE);
    publication_tell_edge(&stage->sup);
    assert_true(hear(&stage->edge, MSG_EXPECT, &heard));
    replace(stage, &stage->auth, PROCESS_AUTH);
    publication_tell_auth(&stage->sup);
    assert_true(hear(&stage->auth, MSG_LEASE_LIVE, &heard));
    assert_int_equal(((const struct msg_lease_live *)(const void *)heard.body)->lease_id, LEASE);
    replace(stage, &stage->web, PROCESS_WEB);
    playback_tell_web(&stage->sup, stage->web.process);
    assert_true(hear(&stage->web, MSG_STREAM_LINK, &heard));
    close(heard.fds[0]);
    assert_true(hear(&stage->web, MSG_STREAM_STATE, &heard));
}

static void A7_what_could_not_be_started_is_tried_again(void **state)
{
    struct stage *stage = *state;
    struct supervisor *sup = &stage->sup;
    struct rlimit limit, none;
    leave(stage, &stage->edge);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    none = (struct rlimit){.rlim_cur = 0, .rlim_max = limit.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    process_fill(sup);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_true(sup->backoff[PROCESS_EDGE].timer.slot != 0);
    process_fill(sup); /* not before its pause is over */
    for (size_t i = 0; i < PROCESS_MAX; i++)
        assert_false(sup->processes[i] && sup->processes[i]->kind == PROCESS_EDGE);
    loop_timer_cancel(&sup->loop, &sup->backoff[PROCESS_EDGE].timer);
    stage->edge = play(stage, PROCESS_EDGE);
}

static void web_is_told_whether_a_publisher_would_be_served(void **state)
{
    struct stage *stage = *state;
    struct heard heard;
    process_tell_serving(&stage->sup);
    assert_true(hear(&stage->web, MSG_SERVING, &heard));
    assert_int_equal(((const struct msg_number *)(const void *)heard.body)->number, 1);
    stage->edge.process->ready = false;
    process_tell_serving(&stage->sup);
    assert_true(hear(&stage->web, MSG_SERVING, &heard));
    assert_int_equal(((const struct msg_number *)(const void *)heard.body)->number, 0);
}

static void A3_a_crash_of_one_session_does_not_pause_the_pool_of_all(void **state)
{
    struct stage *stage = *state;
    struct supervisor *sup = &stage->sup;
    char program[sizeof(sup->libexec) + 32];
    struct process *real = start_real_ingest(stage);
    assert_non_null(real);
    post(stage, 1, "demo");
    grant(stage, GRANT_OK, LEASE, UINT64_MAX);
    assert_ptr_equal(real->owner, sup->publications[0]);
    process_kill(real);
    while (publications(stage) > 0)
        assert_int_equal(loop_turn(&sup->loop, 100), 0);
    assert_int_equal(result(stage).status, 503);
    assert_int_equal(sup->backoff[PROCESS_INGEST].pause_us, 0);
    snprintf(program, sizeof(program), "%s/sluice-ingest", sup->libexec);
    unlink(program);
    rmdir(sup->libexec);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(restarted_roles_are_told_what_lives),
        CASE(A7_what_could_not_be_started_is_tried_again),
        CASE(web_is_told_whether_a_publisher_would_be_served),
        CASE(A3_a_crash_of_one_session_does_not_pause_the_pool_of_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
