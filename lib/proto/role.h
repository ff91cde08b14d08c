/* The start that all roles share (design.md 4): channel on fd 3, log on fd 4, settings first, then
 * whatever the role opens, the sandbox, and the ready message with its own descriptor table. */
#ifndef SLUICE_PROTO_ROLE_H
#define SLUICE_PROTO_ROLE_H

#include "lib/base/chan.h"
#include "lib/base/loop.h"
#include "lib/base/sandbox.h"
#include "lib/proto/msg.h"

#include <stddef.h>

/* Called with the settings body (the role's struct settings_*), its descriptors (set to -1 to keep)
 * and its blob. 0 or a negative errno, which ends the start. */
typedef int (*role_settings_fn)(void *ctx, const struct chan_message *settings);

/* A role's side of its control channel. Invariant: chan is NULL after the channel has ended, and
 * then the loop is stopped: a role without supervisor exits. */
struct role {
    const char *name;
    struct loop loop;
    struct chan *chan;
    struct settings_common common;
    uint32_t memory_locked; /* set by the role before role_enter; goes into the ready message */
    /* private to role.c */
    struct chan_rule own_rules[3];
    role_settings_fn settings_fn;
    void *ctx;
    int status;
};

/* Ignores SIGINT, SIGHUP and SIGPIPE, unblocks all signals, sets PDEATHSIG and M_ARENA_MAX, opens
 * log and loop, waits for the settings (10 s) and hands them to fn. The body must be settings_len
 * long and begin with struct settings_common; fn checks the number of descriptors. rules are the
 * role's own and valid from the settings on; PING and, with test_hooks, TEST (escape.h) are
 * answered here unless rules has a row for them. ctx is passed to fn and to all rules' handlers. 0
 * or a negative errno, logged; role is done with then. */
int role_start(struct role *role, const char *name, size_t settings_len, role_settings_fn fn,
               const struct chan_rule *rules, size_t rule_count, void *ctx);

/* Enters the sandbox (spec->uid is set from the settings, the namespaces are dropped from spec when
 * the settings say so) and sends MSG_READY. 0 or a negative errno, logged; the role must then exit.
 */
int role_enter(struct role *role, struct sandbox_spec *spec);

/* Runs the loop until the channel ends or loop_stop, then frees channel and loop. The exit status
 * for main: 0 when the supervisor closed the channel or the role stopped by itself. */
int role_run(struct role *role);

/* chan_send of a control message with the shape of msg_shape(): body_len and the number of fds are
 * taken from there. A full queue ends the role's loop, because a supervisor that does not read is
 * gone. 0 or a negative errno, logged unless the channel has ended. */
int role_send(struct role *role, enum msg_type type, const void *body, const void *blob,
              size_t blob_len, const int *fds);

#endif
