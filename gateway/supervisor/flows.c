#include "gateway/supervisor/flows.h"

#include "gateway/supervisor/process.h"

#include <stdbool.h>

/* Its place, or count. */
static size_t find(const struct flows *flows, const struct msg_path *path)
{
    size_t i = 0;
    for (; i < flows->count; i++) {
        const struct msg_path *known = &flows->list[i];
        bool same = known->transport == path->transport &&
                    addr_equal(&known->local, &path->local) &&
                    addr_equal(&known->remote, &path->remote);
        if (same)
            break;
    }
    return i;
}

void flows_add(struct flows *flows, const struct msg_path *path)
{
    if (flows->count < STREAM_PATHS_MAX && find(flows, path) == flows->count)
        flows->list[flows->count++] = *path;
}

void flows_remove(struct flows *flows, const struct msg_path *path)
{
    size_t i = find(flows, path);
    if (i < flows->count)
        flows->list[i] = flows->list[--flows->count];
}

size_t flows_tell(const struct flows *flows, struct process *edge, size_t room)
{
    size_t count = flows->count < room ? flows->count : room;
    for (size_t i = 0; i < count; i++)
        (void)process_send(edge, MSG_PATH_HELD, &flows->list[i], NULL, 0, NULL);
    return count;
}
