/* Descriptors, timers and signals in one loop. */
#include "lib/base/loop.h"

#include "lib/base/clock.h"
#include "lib/base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
    struct loop loop;
    int pipes[2][2];
    struct loop_watch watches[2];
    int calls[2];
    struct loop_timer timers[8];
    char order[64];
    int signal;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    *state = f;
    assert_int_equal(loop_init(&f->loop), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pipe2(f->pipes[i], O_NONBLOCK | O_CLOEXEC), 0);
        f->watches[i].fd = -1;
    }
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    loop_done(&f->loop);
    fd_close_all(f->pipes[0], 2);
    fd_close_all(f->pipes[1], 2);
    free(f);
    return 0;
}

static void count(void *ctx, uint32_t events)
{
    assert_true(events & EPOLLIN);
    ++*(int *)ctx;
}

static void descriptors_are_level_triggered(void **state)
{
    struct fixture *f = *state;
    char byte;
    assert_int_equal(
        loop_add(&f->loop, &f->watches[0], f->pipes[0][0], EPOLLIN, count, &f->calls[0]), 0);
    assert_int_equal(
        loop_add(&f->loop, &f->watches[1], f->pipes[0][0], EPOLLIN, count, &f->calls[0]), -EEXIST);
    assert_int_equal(f->watches[1].fd, -1);
    assert_int_equal(loop_turn(&f->loop, 0), 0);
    assert_int_equal(f->calls[0], 0);
    assert_int_equal(write(f->pipes[0][1], "x", 1), 1);
    assert_int_equal(loop_turn(&f->loop, 0), 0);
    assert_int_equal(loop_turn(&f->loop, 0), 0);
    assert_int_equal(f->calls[0], 2);
    assert_int_equal(loop_change(&f->loop, &f->watches[0], 0), 0);
    assert_int_equal(loop_turn(&f->loop, 0), 0);
    assert_int_equal(f->calls[0], 2);
    assert_int_equal(read(f->pipes[0][0], &byte, 1), 1);
    loop_remove(&f->loop, &f->watches[0]);
    loop_remove(&f->loop, &f->watches[0]);
    assert_int_equal(loop_change(&f->loop, &f->watches[0], EPOLLIN), -EBADF);
}

/* The first of two ready watches to be called removes both. */
static void remove_both(void *ctx, uint32_t events)
{
    struct fixture *f = ctx;
    (void)events;
    f->calls[0]++;
    loop_remove(&f->loop, &f->watches[0]);
    loop_remove(&f->loop, &f->watches[1]);
}

static void removed_watch_is_not_called_in_the_same_turn(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(write(f->pipes[i][1], "x", 1), 1);
        assert_int_equal(
            loop_add(&f->loop, &f->watches[i], f->pipes[i][0], EPOLLIN, remove_both, f), 0);
    }
    assert_int_equal(loop_turn(&f->loop, 0), 0);
    assert_int_equal(loop_turn(&f->loop, 0), 0);
    assert_int_equal(f->calls[0], 1);
}

struct note {
    struct fixture *f;
    char letter;
};

static void write_letter(void *ctx)
{
    struct note *note = ctx;
    size_t len = strlen(note->f->order);
    note->f->order[len] = note->letter;
}

static void timers_fire_in_order_of_time(void **state)
{
    struct fixture *f = *state;
    static const int due[] = {5, 1, 4, 2, 3, 0, 7, 6};
    struct note notes[8];
    for (int i = 0; i < 8; i++) {
        notes[i] = (struct note){f, (char)('0' + due[i])};
        assert_int_equal(
            loop_timer_set(&f->loop, &f->timers[i], (uint64_t)due[i] + 1, write_letter, &notes[i]),
            0);
    }
    loop_timer_cancel(&f->loop, &f->timers[2]); /* 4 */
    loop_timer_cancel(&f->loop, &f->timers[2]);
    assert_int_equal(loop_timer_set(&f->loop, &f->timers[5], 100, write_letter, &notes[5]), 0);
    assert_int_equal(loop_turn(&f->loop, 0), 0);
    assert_string_equal(f->order, "1235670");
    for (int i = 0; i < 8; i++)
        assert_int_equal(f->timers[i].slot, 0);
}

static void timer_in_the_future_waits(void **state)
{
    struct fixture *f = *state;
    struct note note = {f, 'x'};
    uint64_t start = clock_now_us();
    assert_int_equal(loop_timer_set(&f->loop, &f->timers[0], start + 3000, write_letter, &note), 0);
    while (!f->order[0])
        assert_int_equal(loop_turn(&f->loop, -1), 0);
    assert_true(clock_now_us() >= start + 3000);
}

static void rearm_for_the_past(void *ctx)
{
    struct fixture *f = ctx;
    f->calls[0]++;
    assert_int_equal(loop_timer_set(&f->loop, &f->timers[0], 1, rearm_for_the_past, f), 0);
}

static void rearmed_timer_does_not_hold_the_turn(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(loop_timer_set(&f->loop, &f->timers[0], 1, rearm_for_the_past, f), 0);
    assert_int_equal(loop_turn(&f->loop, -1), 0);
    assert_int_equal(f->calls[0], 1);
}

static void rearmed_timer_does_not_starve_others(void **state)
{
    struct fixture *f = *state;
    struct note note = {f, 'x'};
    assert_int_equal(loop_timer_set(&f->loop, &f->timers[0], 1, rearm_for_the_past, f), 0);
    assert_int_equal(loop_timer_set(&f->loop, &f->timers[1], 2, write_letter, &note), 0);
    assert_int_equal(loop_timer_set(&f->loop, &f->timers[2], 3, write_letter, &note), 0);
    assert_int_equal(loop_turn(&f->loop, -1), 0);
    assert_int_equal(f->calls[0], 1);
    assert_string_equal(f->order, "xx");
    assert_int_equal(loop_turn(&f->loop, -1), 0); /* and its own turn comes at once */
    assert_int_equal(f->calls[0], 2);
}

static void heap_stays_sorted_under_random_use(void **state)
{
    struct fixture *f = *state;
    enum { COUNT = 500 };
    static struct loop_timer timers[COUNT];
    struct note note = {f, 'x'};
    unsigned seed = 1;
    memset(timers, 0, sizeof(timers));
    for (int round = 0; round < 20000; round++) {
        seed = seed * 1103515245 + 12345;
        struct loop_timer *timer = &timers[(seed >> 16) % COUNT];
        if (seed >> 30 == 0)
            loop_timer_cancel(&f->loop, timer);
        else
            assert_int_equal(loop_timer_set(&f->loop, timer, (seed >> 8) + 1, write_letter, &note),
                             0);
    }
    for (size_t i = 1; i <= f->loop.timer_count; i++) {
        assert_int_equal(f->loop.timers[i]->slot, i);
        assert_true(f->loop.timers[i / 2 ? i / 2 : 1]->due_us <= f->loop.timers[i]->due_us);
    }
    for (int i = 0; i < COUNT; i++)
        loop_timer_cancel(&f->loop, &timers[i]);
    assert_int_equal(f->loop.timer_count, 0);
}

static void timers_have_a_limit(void **state)
{
    struct fixture *f = *state;
    struct loop_timer *timers = calloc(LOOP_TIMERS_MAX + 1, sizeof(*timers));
    assert_non_null(timers);
    for (size_t i = 0; i < LOOP_TIMERS_MAX; i++)
        assert_int_equal(loop_timer_set(&f->loop, &timers[i], UINT64_MAX, write_letter, NULL), 0);
    assert_int_equal(loop_timer_set(&f->loop, &timers[LOOP_TIMERS_MAX], 1, write_letter, NULL),
                     -ENOSPC);
    assert_int_equal(loop_timer_set(&f->loop, &timers[0], UINT64_MAX - 1, write_letter, NULL), 0);
    free(timers);
}

static void on_signal(void *ctx, const struct signalfd_siginfo *info)
{
    struct fixture *f = ctx;
    f->signal = (int)info->ssi_signo;
    loop_stop(&f->loop);
}

static void signals_come_through_the_loop(void **state)
{
    struct fixture *f = *state;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    assert_int_equal(loop_signals(&f->loop, &set, on_signal, f), 0);
    assert_int_equal(loop_signals(&f->loop, &set, on_signal, f), -EEXIST);
    assert_int_equal(kill(getpid(), SIGUSR1), 0);
    assert_int_equal(loop_run(&f->loop), 0);
    assert_int_equal(f->signal, SIGUSR1);
}

static void stop_before_run_is_not_lost(void **state)
{
    struct fixture *f = *state;
    loop_stop(&f->loop);
    assert_int_equal(loop_run(&f->loop), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(descriptors_are_level_triggered),
        TEST(removed_watch_is_not_called_in_the_same_turn),
        TEST(timers_fire_in_order_of_time),
        TEST(timer_in_the_future_waits),
        TEST(rearmed_timer_does_not_hold_the_turn),
        TEST(rearmed_timer_does_not_starve_others),
        TEST(heap_stays_sorted_under_random_use),
        TEST(timers_have_a_limit),
        TEST(signals_come_through_the_loop),
        TEST(stop_before_run_is_not_lost),
    };
    return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
