/* One epoll loop: descriptors, timers and signals. Single-threaded; callbacks must return within a
 * millisecond. Watches and timers belong to the caller and must stay in place while they are added;
 * any of them may be removed in any callback, also the one running. */
#ifndef SLUICE_BASE_LOOP_H
#define SLUICE_BASE_LOOP_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>

#define LOOP_EVENTS 64 /* descriptors served per turn */
#define LOOP_TIMERS_MAX 8192

typedef void (*loop_fd_fn)(void *ctx, uint32_t events); /* events: EPOLLIN, EPOLLOUT, ... */
typedef void (*loop_timer_fn)(void *ctx);
typedef void (*loop_signal_fn)(void *ctx, const struct signalfd_siginfo *info);

/* Not added while fd is -1. */
struct loop_watch {
    int fd;
    loop_fd_fn fn;
    void *ctx;
};

/* Not armed while slot is 0. */
struct loop_timer {
    uint64_t due_us; /* on clock_now_us */
    loop_timer_fn fn;
    void *ctx;
    size_t slot;
};

/* Opaque to users, visible so that it can be a member. */
struct loop {
    int epoll_fd;
    bool stopping;
    struct epoll_event events[LOOP_EVENTS];
    int event_count;
    struct loop_timer **timers; /* binary heap, entries 1..timer_count */
    size_t timer_count;
    size_t timer_cap;
    uint64_t firing_us; /* while timers fire: those due until then; else 0 */
    struct loop_watch signals;
    loop_signal_fn signal_fn;
    void *signal_ctx;
};

/* 0 or a negative errno. The timer heap is allocated here at its full size, so nothing allocates
 * later. */
int loop_init(struct loop *loop);
void loop_done(struct loop *loop);

/* Watches fd, which stays the caller's, until loop_remove. 0, -EEXIST, or a negative errno. */
int loop_add(struct loop *loop, struct loop_watch *watch, int fd, uint32_t events, loop_fd_fn fn,
             void *ctx);
int loop_change(struct loop *loop, struct loop_watch *watch, uint32_t events);
void loop_remove(struct loop *loop, struct loop_watch *watch); /* does nothing when not added */

/* Arms or re-arms the timer for an absolute time. -ENOSPC above LOOP_TIMERS_MAX. Armed for the past
 * in the callback of a timer, it comes in the next turn: no timer keeps the others waiting. */
int loop_timer_set(struct loop *loop, struct loop_timer *timer, uint64_t due_us, loop_timer_fn fn,
                   void *ctx);
void loop_timer_cancel(struct loop *loop, struct loop_timer *timer); /* when not armed: nothing */

/* Blocks the signals of set and delivers them to fn through a signalfd. Once per loop. */
int loop_signals(struct loop *loop, const sigset_t *set, loop_signal_fn fn, void *ctx);

/* Runs until loop_stop, not at all if that was called before; 0, or a negative errno of epoll_wait.
 */
int loop_run(struct loop *loop);
/* One turn: waits at most timeout_ms (-1: until something happens). For tests. */
int loop_turn(struct loop *loop, int timeout_ms);
void loop_stop(struct loop *loop);

#endif
