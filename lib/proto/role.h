/* The start that all roles share (design.md 4): channel on fd 3, log on fd 4, settings first, then
 * whatever the role opens, the sandbox, and the ready message with its own descriptor table. */
#ifndef SLUICE_PROTO_ROLE_H
#define SLUICE_PROTO_ROLE_H

#include "lib/base/chan.h"
#include "lib/base/loop.h"
#include "lib/base/sandbox.h"
#include "lib/proto/msg.h"

#include <stddef.h>

/* A role's side of its control channel. Invariant: chan is NULL after the channel has ended, and
 * then the loop is stopped: a role without supervisor exits. */
struct role {
    const char *name;
    struct loop loop;
    struct chan *chan;
    struct settings_common common;
    uint32_t memory_locked;
};

/* Called with the settings body (the role's struct settings_*), its descriptors (set to -1 to keep)
 * and its blob. 0 or a negative errno, which ends the start. */
typedef int (*role_settings_fn)(void *ctx, const struct chan_message *settings);

/* Ignores SIGINT and SIGPIPE, sets PDEATHSIG, opens log and loop, waits for the settings (10 s) and
 * hands them to fn. settings_len and settings_fds (-1: any number) are checked first. rules are the
 * role's own; PING is answered here. ctx is passed to fn and to all rules' handlers.
 * 0 or a negative errno, logged. */
int role_start(struct role *role, const char *name, size_t settings_len, role_settings_fn fn,
               const struct chan_rule *rules, size_t rule_count, void *ctx);

/* Enters the sandbox (uid and namespaces by the settings) and sends MSG_READY. 0 or a negative
 * errno, logged; the role must then exit. */
int role_enter(struct role *role, struct sandbox_spec *spec);

/* Runs the loop until the channel ends. The exit status for main. */
int role_run(struct role *role);

/* chan_send of a control message with the shape of msg_shape(); fails hard never: a full queue ends
 * the role's loop, because a supervisor that does not read is gone. */
int role_send(struct role *role, enum msg_type type, const void *body, const void *blob,
              size_t blob_len, const int *fds);

#endif
