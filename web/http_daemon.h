/* Starts the HTTP library as web needs it: its flags, limits, callbacks, and TLS. */
#ifndef SLUICE_WEB_HTTP_DAEMON_H
#define SLUICE_WEB_HTTP_DAEMON_H

#include "web/http.h"

#include <microhttpd.h>

/* The library's callbacks; ctx is the first argument of each. */
struct http_daemon_calls {
    void *(*on_request_line)(void *ctx, const char *target, struct MHD_Connection *connection);
    MHD_AccessHandlerCallback on_call;
    MHD_RequestCompletedCallback on_completed;
    MHD_NotifyConnectionCallback on_connection;
    void *ctx;
};

/* Without a listener and without a thread: the caller adds connections and runs it. Certificate and
 * key are copied. 0, or -EINVAL when the library refuses. */
int http_daemon_start(const struct http_config *config, const struct http_daemon_calls *calls,
                      struct MHD_Daemon **out);

#endif
