/* The smallest role, for tests of what all roles share: it does nothing but answer. A descriptor
 * in its settings is a ring that it reads. */
#include "lib/base/log.h"
#include "lib/base/ring.h"
#include "lib/proto/role.h"

#include <errno.h>
#include <stdlib.h>

struct proberole {
    struct role role;
    struct ring_reader *ring;
    int ring_fd;
};

static int on_settings(void *ctx, const struct chan_message *settings)
{
    struct proberole *probe = ctx;
    if (settings->fd_count == 0)
        return 0;
    if (settings->fd_count != 1)
        return -EBADMSG;
    probe->ring_fd = settings->fds[0];
    settings->fds[0] = -1;
    return ring_reader_new(probe->ring_fd, 1, &probe->ring);
}

/* A request to stop by itself. */
static int on_end(void *ctx, const struct chan_message *message)
{
    struct proberole *probe = ctx;
    const struct msg_end *end = message->body;
    log_event(LOG_INFO, "asked-to-end", "reason=%s", end_reason_name((enum end_reason)end->reason));
    loop_stop(&probe->role.loop);
    return 0;
}

static const struct chan_rule rules[] = {
    {.type = MSG_END, .phases = 1u << 0, .body_len = sizeof(struct msg_end), .handle = on_end},
};

int main(void)
{
    struct proberole probe = {.ring_fd = -1};
    struct sandbox_spec spec = {
        .empty_network = true,
        .empty_files = true,
        .directory_fd = -1,
        .max_files = 16,
        .max_data_bytes = 512u << 20,
    };
    if (role_start(&probe.role, "proberole", sizeof(struct settings_common), on_settings, rules, 1,
                   &probe))
        return EXIT_FAILURE;
    if (role_enter(&probe.role, &spec))
        return EXIT_FAILURE;
    int status = role_run(&probe.role);
    ring_reader_free(probe.ring);
    return status;
}
