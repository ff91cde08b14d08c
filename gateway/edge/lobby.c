#include "gateway/edge/lobby.h"

#include "gateway/rtc/ice.h"
#include "lib/base/clock.h"
#include "lib/base/fd.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

/* ---- places ---- */

static void leave(struct lobby_place *place)
{
    int fd = place->watch.fd;
    loop_remove(place->lobby->loop, &place->watch);
    fd_close(&fd);
}

/* The place that has been taken longest, of this site or (NULL) of all; NULL while fewer than max
 * are taken. */
static struct lobby_place *longest(struct lobby *lobby, const struct addr *site, size_t max)
{
    struct lobby_place *found = NULL;
    size_t count = 0;
    for (size_t i = 0; i < LOBBY_MAX; i++) {
        struct lobby_place *place = &lobby->places[i];
        if (place->watch.fd < 0 || (site != NULL && !addr_same_site(site, &place->remote)))
            continue;
        count++;
        if (found == NULL || place->since_us < found->since_us)
            found = place;
    }
    return count >= max ? found : NULL;
}

static void make_room(struct lobby *lobby, const struct addr *remote)
{
    struct lobby_place *place = longest(lobby, remote, LOBBY_HOST_MAX);
    if (place == NULL)
        place = longest(lobby, NULL, LOBBY_MAX);
    if (place == NULL)
        return;
    lobby->counters.evicted++;
    leave(place);
}

/* ---- time ---- */

static void on_timer(void *ctx)
{
    struct lobby *lobby = ctx;
    uint64_t now_us = clock_now_us(), due_us = UINT64_MAX;
    for (size_t i = 0; i < LOBBY_MAX; i++) {
        struct lobby_place *place = &lobby->places[i];
        if (place->watch.fd < 0)
            continue;
        uint64_t end_us = place->since_us + LOBBY_WAIT_US;
        if (end_us <= now_us) {
            lobby->counters.expired++;
            leave(place);
        } else if (end_us < due_us) {
            due_us = end_us;
        }
    }
    if (due_us != UINT64_MAX)
        (void)loop_timer_set(lobby->loop, &lobby->timer, due_us, on_timer, lobby);
    lobby->sink.turn(lobby->sink.ctx);
}

/* ---- the first frame ---- */

enum look { LOOK_WAIT, LOOK_REFUSE, LOOK_WHOLE };

/* What is there of the first frame, without taking it. The rest of the connection may lie behind it
 * already, so at most data[] is looked at. */
static enum look look(int fd, uint8_t data[LOBBY_PREFIX + ICE_REQUEST_MAX], size_t *out_len)
{
    ssize_t n = recv(fd, data, LOBBY_PREFIX + ICE_REQUEST_MAX, MSG_PEEK | MSG_DONTWAIT);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? LOOK_WAIT : LOOK_REFUSE;
    if (n == 0)
        return LOOK_REFUSE;
    if ((size_t)n < LOBBY_PREFIX)
        return LOOK_WAIT;
    size_t len = (size_t)data[0] << 8 | data[1];
    if (len == 0 || len > ICE_REQUEST_MAX)
        return LOOK_REFUSE;
    *out_len = len;
    return (size_t)n < LOBBY_PREFIX + len ? LOOK_WAIT : LOOK_WHOLE;
}

static bool admit(struct lobby *lobby, const struct lobby_place *place, const uint8_t *frame,
                  size_t len)
{
    uint64_t session = 0;
    if (door_judge_stream(lobby->door, frame, len, &session) != DOOR_OPEN ||
        door_add_stream(lobby->door, session) != 0)
        return false;
    lobby->sink.opened(lobby->sink.ctx, session, &place->local, &place->remote, place->watch.fd);
    return true;
}

/* Edge-triggered: bytes that were only looked at must not wake us again and again. */
static void on_readable(void *ctx, uint32_t events)
{
    struct lobby_place *place = ctx;
    struct lobby *lobby = place->lobby;
    uint8_t data[LOBBY_PREFIX + ICE_REQUEST_MAX];
    size_t len = 0;
    enum look found = look(place->watch.fd, data, &len);
    if (found == LOOK_WAIT && (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0)
        found = LOOK_REFUSE; /* the rest will never come */
    if (found == LOOK_WAIT)
        return;
    if (found == LOOK_REFUSE || !admit(lobby, place, data + LOBBY_PREFIX, len))
        lobby->counters.refused++;
    leave(place);
    lobby->sink.turn(lobby->sink.ctx);
}

/* ---- accepting ---- */

static struct lobby_place *free_place(struct lobby *lobby)
{
    for (size_t i = 0; i < LOBBY_MAX; i++) {
        if (lobby->places[i].watch.fd < 0)
            return &lobby->places[i];
    }
    return NULL;
}

static void take(struct lobby *lobby, const struct addr *local, const struct addr *remote, int fd)
{
    make_room(lobby, remote);
    struct lobby_place *place = free_place(lobby);
    if (place == NULL) {
        fd_close(&fd);
        return;
    }
    place->lobby = lobby;
    place->local = *local;
    place->remote = *remote;
    place->since_us = clock_now_us();
    if (loop_add(lobby->loop, &place->watch, fd, EPOLLIN | EPOLLRDHUP | EPOLLET, on_readable,
                 place) != 0) {
        fd_close(&fd);
        return;
    }
    if (lobby->timer.slot == 0)
        (void)loop_timer_set(lobby->loop, &lobby->timer, place->since_us + LOBBY_WAIT_US, on_timer,
                             lobby);
}

static void on_connection(void *ctx, uint32_t events)
{
    struct lobby_listener *listener = ctx;
    struct lobby *lobby = listener->lobby;
    (void)events;
    for (size_t i = 0; i < LOBBY_TURN_MAX; i++) {
        struct sockaddr_storage sa;
        socklen_t len = sizeof(sa);
        struct addr remote = {0};
        int fd =
            accept4(listener->watch.fd, (struct sockaddr *)&sa, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) /* nothing left, or one that is gone already */
            break;
        lobby->counters.accepted++;
        if (addr_from_sockaddr((const struct sockaddr *)&sa, len, &remote) == 0)
            take(lobby, &listener->local, &remote, fd);
        else
            fd_close(&fd);
    }
    lobby->sink.turn(lobby->sink.ctx);
}

/* ---- life ---- */

void lobby_init(struct lobby *lobby, struct door *door, struct loop *loop,
                const struct lobby_sink *sink)
{
    *lobby = (struct lobby){.door = door, .loop = loop, .sink = *sink};
    for (size_t i = 0; i < LOBBY_MAX; i++)
        lobby->places[i].watch.fd = -1;
}

void lobby_done(struct lobby *lobby)
{
    for (size_t i = 0; i < lobby->listener_count; i++) {
        int fd = lobby->listeners[i].watch.fd;
        loop_remove(lobby->loop, &lobby->listeners[i].watch);
        fd_close(&fd);
    }
    lobby->listener_count = 0;
    for (size_t i = 0; lobby->loop != NULL && i < LOBBY_MAX; i++) {
        if (lobby->places[i].watch.fd >= 0)
            leave(&lobby->places[i]);
    }
}

int lobby_listen(struct lobby *lobby, int fd, const struct addr *local)
{
    int rc = lobby->listener_count < STREAM_ADDRESSES_MAX ? fd_nonblock(fd) : -ENOSPC;
    if (rc == 0) {
        struct lobby_listener *listener = &lobby->listeners[lobby->listener_count];
        *listener = (struct lobby_listener){.lobby = lobby, .local = *local, .watch = {.fd = -1}};
        rc = loop_add(lobby->loop, &listener->watch, fd, EPOLLIN, on_connection, listener);
    }
    if (rc != 0) {
        fd_close(&fd);
        return rc;
    }
    lobby->listener_count++;
    return 0;
}
