/* The network paths that a session's worker holds: what a restarted edge must know of them, so that
 * it finds the session of a publisher whose port changes (threats.md U17).
 *
 * Neither edge nor the worker can make the list longer than a session may have paths: what is
 * beyond is not remembered. */
#ifndef SLUICE_SUPERVISOR_FLOWS_H
#define SLUICE_SUPERVISOR_FLOWS_H

#include "lib/proto/msg.h"

#include <stddef.h>

/* All zero: empty. */
struct flows {
    struct msg_path list[STREAM_PATHS_MAX];
    size_t count;
};

struct process;

/* edge opened it. A tuple that is known stays as it is. */
void flows_add(struct flows *flows, const struct msg_path *path);
/* The worker closed it; unknown ones are ignored. */
void flows_remove(struct flows *flows, const struct msg_path *path);
/* After the session's MSG_EXPECT. At most room of them; how many they were. */
size_t flows_tell(const struct flows *flows, struct process *edge, size_t room);

#endif
