/* The states of a published session, and which event leads from which to which. */
#include "gateway/ingest/lifecycle.h"

#include <errno.h>

const char *lifecycle_name(enum session_state state)
{
    static const char *const names[SESSION_STATE_COUNT] = {"bound", "offered", "connected",
                                                           "keyed", "live",    "ended"};
    return (unsigned)state < SESSION_STATE_COUNT ? names[state] : "unknown";
}

int lifecycle_next(enum session_state state, enum session_event event)
{
    /* the only state in which each event has a meaning, and where it leads */
    static const struct {
        enum session_state from;
        enum session_state to;
    } steps[SESSION_EVENT_COUNT] = {
        [SESSION_ANSWERED] = {SESSION_BOUND, SESSION_OFFERED},
        [SESSION_CHECKED] = {SESSION_OFFERED, SESSION_CONNECTED},
        [SESSION_SECURED] = {SESSION_CONNECTED, SESSION_KEYED},
        [SESSION_FRAME] = {SESSION_KEYED, SESSION_LIVE},
    };
    if (event == SESSION_END)
        return state == SESSION_ENDED ? -EPROTO : SESSION_ENDED;
    if ((unsigned)event >= SESSION_EVENT_COUNT || state != steps[event].from)
        return -EPROTO;
    return (int)steps[event].to;
}
