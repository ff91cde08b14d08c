/* One epoll loop: descriptors, timers and signals. */
#include "lib/base/loop.h"

#include "lib/base/clock.h"
#include "lib/base/fd.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- timers: a binary heap by due time, entry 1 is the earliest ---- */

static void heap_put(struct loop *loop, size_t slot, struct loop_timer *timer)
{
    loop->timers[slot] = timer;
    timer->slot = slot;
}

static void heap_up(struct loop *loop, size_t slot)
{
    struct loop_timer *timer = loop->timers[slot];
    while (slot > 1 && loop->timers[slot / 2]->due_us > timer->due_us) {
        heap_put(loop, slot, loop->timers[slot / 2]);
        slot /= 2;
    }
    heap_put(loop, slot, timer);
}

static void heap_down(struct loop *loop, size_t slot)
{
    struct loop_timer *timer = loop->timers[slot];
    for (;;) {
        size_t child = slot * 2;
        if (child > loop->timer_count)
            break;
        if (child < loop->timer_count &&
            loop->timers[child + 1]->due_us < loop->timers[child]->due_us)
            child++;
        if (loop->timers[child]->due_us >= timer->due_us)
            break;
        heap_put(loop, slot, loop->timers[child]);
        slot = child;
    }
    heap_put(loop, slot, timer);
}

int loop_timer_set(struct loop *loop, struct loop_timer *timer, uint64_t due_us, loop_timer_fn fn,
                   void *ctx)
{
    if (timer->slot == 0) {
        if (loop->timer_count >= loop->timer_cap)
            return -ENOSPC;
        if (due_us <= loop->firing_us)
            due_us = loop->firing_us + 1;
        heap_put(loop, ++loop->timer_count, timer);
    }
    timer->due_us = due_us;
    timer->fn = fn;
    timer->ctx = ctx;
    heap_up(loop, timer->slot);
    heap_down(loop, timer->slot);
    return 0;
}

void loop_timer_cancel(struct loop *loop, struct loop_timer *timer)
{
    size_t slot = timer->slot;
    if (slot == 0)
        return;
    struct loop_timer *last = loop->timers[loop->timer_count--];
    timer->slot = 0;
    if (last == timer)
        return;
    heap_put(loop, slot, last);
    heap_up(loop, slot);
    heap_down(loop, last->slot);
}

/* Each timer that is due now fires once: what a callback arms anew is due later (loop_timer_set).
 */
static void run_timers(struct loop *loop)
{
    loop->firing_us = clock_now_us();
    while (loop->timer_count > 0 && !loop->stopping) {
        struct loop_timer *timer = loop->timers[1];
        if (timer->due_us > loop->firing_us)
            break;
        loop_timer_cancel(loop, timer);
        timer->fn(timer->ctx);
    }
    loop->firing_us = 0;
}

/* Milliseconds for epoll_wait, rounded up so that a timer is due when it returns. */
static int wait_ms(const struct loop *loop, int timeout_ms)
{
    if (loop->timer_count == 0)
        return timeout_ms;
    uint64_t now_us = clock_now_us();
    uint64_t due_us = loop->timers[1]->due_us;
    if (due_us <= now_us)
        return 0;
    uint64_t left_ms = (due_us - now_us) / CLOCK_MS_US + 1;
    if (timeout_ms >= 0 && left_ms > (uint64_t)timeout_ms)
        return timeout_ms;
    return left_ms > INT_MAX ? INT_MAX : (int)left_ms;
}

/* ---- descriptors ---- */

int loop_add(struct loop *loop, struct loop_watch *watch, int fd, uint32_t events, loop_fd_fn fn,
             void *ctx)
{
    struct epoll_event event = {.events = events, .data.ptr = watch};
    if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
        return -errno;
    *watch = (struct loop_watch){.fd = fd, .fn = fn, .ctx = ctx};
    return 0;
}

int loop_change(struct loop *loop, struct loop_watch *watch, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = watch};
    if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_MOD, watch->fd, &event) < 0)
        return -errno;
    return 0;
}

void loop_remove(struct loop *loop, struct loop_watch *watch)
{
    if (watch->fd < 0)
        return;
    (void)epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL);
    watch->fd = -1;
    /* Events of this turn that are still to be served belong to the past. */
    for (int i = 0; i < loop->event_count; i++) {
        if (loop->events[i].data.ptr == watch)
            loop->events[i].data.ptr = NULL;
    }
}

/* ---- signals ---- */

static void on_signal(void *ctx, uint32_t events)
{
    struct loop *loop = ctx;
    struct signalfd_siginfo info;
    (void)events;
    while (loop->signals.fd >= 0 &&
           read(loop->signals.fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
        loop->signal_fn(loop->signal_ctx, &info);
}

int loop_signals(struct loop *loop, const sigset_t *set, loop_signal_fn fn, void *ctx)
{
    if (loop->signals.fd >= 0)
        return -EEXIST;
    if (sigprocmask(SIG_BLOCK, set, NULL) < 0)
        return -errno;
    int fd = signalfd(-1, set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (fd < 0)
        return -errno;
    loop->signal_fn = fn;
    loop->signal_ctx = ctx;
    int rc = loop_add(loop, &loop->signals, fd, EPOLLIN, on_signal, loop);
    if (rc)
        fd_close(&fd);
    return rc;
}

/* ---- the loop ---- */

int loop_init(struct loop *loop)
{
    *loop = (struct loop){.epoll_fd = -1, .signals = {.fd = -1}, .timer_cap = LOOP_TIMERS_MAX};
    loop->timers = calloc(LOOP_TIMERS_MAX + 1, sizeof(struct loop_timer *));
    if (!loop->timers)
        return -ENOMEM;
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (loop->epoll_fd < 0) {
        int rc = -errno;
        loop_done(loop);
        return rc;
    }
    return 0;
}

void loop_done(struct loop *loop)
{
    int signal_fd = loop->signals.fd;
    loop_remove(loop, &loop->signals);
    fd_close(&signal_fd);
    fd_close(&loop->epoll_fd);
    free(loop->timers);
    loop->timers = NULL;
    loop->timer_count = 0;
    loop->timer_cap = 0;
}

int loop_turn(struct loop *loop, int timeout_ms)
{
    int count = epoll_wait(loop->epoll_fd, loop->events, LOOP_EVENTS, wait_ms(loop, timeout_ms));
    if (count < 0)
        return errno == EINTR ? 0 : -errno;
    loop->event_count = count;
    for (int i = 0; i < loop->event_count && !loop->stopping; i++) {
        struct loop_watch *watch = loop->events[i].data.ptr;
        if (watch)
            watch->fn(watch->ctx, loop->events[i].events);
    }
    loop->event_count = 0;
    run_timers(loop);
    return 0;
}

int loop_run(struct loop *loop)
{
    int rc = 0;
    while (rc == 0 && !loop->stopping)
        rc = loop_turn(loop, -1);
    loop->stopping = false;
    return rc;
}

void loop_stop(struct loop *loop)
{
    loop->stopping = true;
}
