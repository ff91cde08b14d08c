/* Starts the HTTP library as web needs it: its flags, limits, callbacks, and TLS. */
#include "web/http_daemon.h"

#include <errno.h>
#include <string.h>

/* TLS 1.2 or later, ECDHE and AEAD only (threats.md H11). */
static const char tls_priorities[] =
    "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-KX-ALL:+ECDHE-ECDSA:+ECDHE-RSA:"
    "-CIPHER-ALL:+AES-128-GCM:+AES-256-GCM:+CHACHA20-POLY1305:-MAC-ALL:+AEAD:%SERVER_PRECEDENCE";

static size_t identity(void *ctx, struct MHD_Connection *connection, char *text)
{
    (void)ctx;
    (void)connection;
    return strlen(text); /* H5: nothing is percent-decoded */
}

int http_daemon_start(const struct http_config *config, const struct http_daemon_calls *calls,
                      struct MHD_Daemon **out)
{
    struct MHD_OptionItem tls[4] = {{MHD_OPTION_END, 0, NULL}};
    /* No MHD_USE_TURBO: an idle connection would spin (findings/transcode.md 2, pitfall 2). */
    unsigned flags = MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME;
    if (config->certificate) {
        const char *values[3] = {config->certificate, config->key, tls_priorities};
        const enum MHD_OPTION options[3] = {MHD_OPTION_HTTPS_MEM_CERT, MHD_OPTION_HTTPS_MEM_KEY,
                                            MHD_OPTION_HTTPS_PRIORITIES};
        flags |= MHD_USE_TLS;
        for (size_t i = 0; i < 3; i++) {
            tls[i].option = options[i];
            memcpy(&tls[i].ptr_value, &values[i], sizeof(values[i])); /* only read */
        }
        tls[3] = (struct MHD_OptionItem){MHD_OPTION_END, 0, NULL};
    }
    struct MHD_Daemon *started = MHD_start_daemon(
        flags, 0, NULL, NULL, calls->on_call, calls->ctx, MHD_OPTION_NOTIFY_COMPLETED,
        calls->on_completed, calls->ctx, MHD_OPTION_NOTIFY_CONNECTION, calls->on_connection,
        calls->ctx, MHD_OPTION_URI_LOG_CALLBACK, calls->on_request_line, calls->ctx,
        MHD_OPTION_UNESCAPE_CALLBACK, identity, NULL, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)config->connections, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HTTP_POOL_BYTES,
        MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_ARRAY, tls, MHD_OPTION_END);
    if (!started)
        return -EINVAL;
    *out = started;
    return 0;
}
