#include "gateway/supervisor/launch.h"

#include "gateway/supervisor/candidates.h"
#include "gateway/supervisor/publication.h"
#include "gateway/supervisor/supervisor.h"
#include "lib/base/fd.h"
#include "lib/base/ring.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>

uint64_t launch_bitrate_bps(const struct publication *p)
{
    uint64_t all_bps = (uint64_t)p->sup->conf.max_bitrate_kbps * 1000;
    uint64_t own_bps = p->grant.max_bitrate_bps;
    return own_bps != 0 && own_bps < all_bps ? own_bps : all_bps;
}

int launch_make_ring(struct publication *p)
{
    int rc = ring_create(ring_size_for(launch_bitrate_bps(p)), &p->ring_fd);
    if (rc)
        return rc;
    p->wakeup_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return p->wakeup_fd < 0 ? -errno : 0;
}

static uint16_t least(uint16_t a, uint32_t b)
{
    return a != 0 && a < b ? a : (uint16_t)b;
}

int launch_send(struct publication *p)
{
    struct supervisor *sup = p->sup;
    struct msg_number session = {.number = p->session};
    struct msg_ingest_bind bind = {.session = p->session,
                                   .max_bitrate_bps = launch_bitrate_bps(p),
                                   .ring_bytes = (uint32_t)ring_size_for(launch_bitrate_bps(p)),
                                   .max_width = least(p->grant.max_width, sup->conf.max_width),
                                   .max_height = least(p->grant.max_height, sup->conf.max_height)};
    int fds[2] = {p->ring_fd, p->wakeup_fd};
    candidates_fill(&sup->listeners, &sup->conf, sup->media_turn++, &bind);
    memcpy(bind.stream, p->stream, sizeof(bind.stream));
    int rc = process_send(p->ingest, MSG_INGEST_BIND, &bind, NULL, 0, fds);
    if (rc)
        return rc;
    return process_send(p->ingest, MSG_OFFER, &session, p->offer, p->offer_len, NULL);
}
