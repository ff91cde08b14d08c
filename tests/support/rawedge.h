/* A real edge on loopback with a scripted supervisor, for process tests: its listener, clients with
 * connectivity checks, and what it says. Everything here fails the running cmocka test on errors.
 */
#ifndef SLUICE_SUPPORT_RAWEDGE_H
#define SLUICE_SUPPORT_RAWEDGE_H

#include "lib/base/addr.h"
#include "tests/support/peer.h"
#include "tests/support/rawstun.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define RAWEDGE_ROLE "sluice-edge"
#define RAWEDGE_WAIT_MS 10000
#define RAWEDGE_UFRAG "edgeUfr1"
#define RAWEDGE_PWD "edgePasswordOf24Letters1"
#define RAWEDGE_USERNAME RAWEDGE_UFRAG ":peer"
#define RAWEDGE_SESSION 7u
#define RAWEDGE_BUFFER 200000 /* a little less than Debian's net.core.rmem_max */
#define RAWEDGE_BACKLOG 128   /* as the supervisor listens: a full one costs a client a second */

struct rawedge {
    struct peer peer;
    int listener; /* ours, as the supervisor keeps it */
    int tcp;
    struct addr local;
};

extern const struct settings_common rawedge_plain; /* namespaces, no test hooks */

/* ---- sockets ---- */

struct addr rawedge_address(int fd); /* what it is bound to */
/* shared: others may join the port. Not for clients: the kernel might give two of them the same
 * one. */
int rawedge_bind(int family, int type, int shared);
int rawedge_client(const struct rawedge *rig);
void rawedge_send(const struct rawedge *rig, int client, const void *data, size_t len);
bool rawedge_readable(int fd, int timeout_ms);

/* ---- connectivity checks ---- */

struct rawstun_request rawedge_request(void); /* a right one for RAWEDGE_USERNAME */
void rawedge_send_request(const struct rawedge *rig, int client,
                          const struct rawstun_request *request);
void rawedge_check(const struct rawedge *rig, int client); /* sends the right one */

/* ---- the role ---- */

/* open makes the listeners and starts; start alone starts another edge on the same listeners. */
void rawedge_open(struct rawedge *rig, int family, const struct settings_common *common);
void rawedge_start(struct rawedge *rig, const struct settings_common *common);
void rawedge_close(struct rawedge *rig);
/* Opened, ready, and told to expect RAWEDGE_SESSION. */
void rawedge_open_expecting(struct rawedge *rig, int family);

void rawedge_expect(struct rawedge *rig, uint64_t session, const char *ufrag, const char *pwd);
/* The flow is free again. */
void rawedge_gone(struct rawedge *rig, int client, uint64_t session);
/* All messages sent so far have been dealt with. Datagrams sent before are not part of this. */
void rawedge_settle(struct rawedge *rig);

/* The next message must be a path for that client and session: its socket, the caller's now. Edge
 * has closed its own descriptor of it by then, so that the flow ends with the caller's. */
int rawedge_take_path(struct rawedge *rig, int client, uint64_t session);

/* Sends a right check from another client, whose path must be the very next message: whatever was
 * sent before has been read by then and led to nothing. */
void rawedge_nothing_came_but(struct rawedge *rig, uint64_t session, const char *username);
void rawedge_nothing_came(struct rawedge *rig);

/* Expects a second session, RAWEDGE_SESSION + 1, and waits for its path through whatever was sent
 * before; how many messages of that type came meanwhile. */
size_t rawedge_count_until_next(struct rawedge *rig, enum msg_type type);

/* The role ends by itself with an error; then all is closed. */
void rawedge_fails(struct rawedge *rig);

/* One line of /proc/<pid>/status, by its name with colon. */
unsigned long rawedge_status(pid_t pid, const char *name);

#endif
