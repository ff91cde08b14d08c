#include "gateway/supervisor/deadline.h"

#include "gateway/supervisor/publication.h"
#include "gateway/supervisor/supervisor.h"
#include "lib/base/clock.h"
#include "lib/base/fd.h"

#include <errno.h>
#include <sys/timerfd.h>
#include <unistd.h>

static void on_deadline(void *ctx, uint32_t events)
{
    struct publication *p = ctx;
    uint64_t expirations;
    (void)events;
    /* or it would wake us again and again until the worker has gone */
    (void)!read(p->deadline.fd, &expirations, sizeof(expirations));
    publication_end(p, END_LIMIT);
}

int deadline_arm(struct publication *p)
{
    uint64_t us = p->grant.remaining_us;
    if (us == UINT64_MAX)
        return 0;
    struct itimerspec at = {.it_value = {.tv_sec = (time_t)(us / CLOCK_SECOND_US),
                                         .tv_nsec = (long)(us % CLOCK_SECOND_US) * 1000 + 1}};
    p->end_at_boottime_us = clock_boottime_us() + us;
    int fd = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
    if (fd < 0)
        return -errno;
    int rc = timerfd_settime(fd, 0, &at, NULL) < 0 ? -errno : 0;
    if (rc == 0)
        rc = loop_add(&p->sup->loop, &p->deadline, fd, EPOLLIN, on_deadline, p);
    if (rc)
        fd_close(&fd);
    return rc;
}
