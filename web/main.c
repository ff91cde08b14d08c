/* The web role: the only process that speaks HTTP. Holds the TLS key, read-only mappings of the
 * segments it was handed, and accepted connections; opens nothing once it has started. */
#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "lib/base/log.h"
#include "lib/base/secret.h"
#include "lib/proto/role.h"
#include "web/http.h"
#include "web/ice_links.h"
#include "web/routes.h"

#include <errno.h>
#include <netinet/in.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define FILES_BESIDE_CONNECTIONS 1024u /* links, listeners, descriptors under way */
#define DATA_MAX_BYTES (512u << 20)

/* The process's state. */
struct web {
    struct role role;
    struct settings_web settings;
    int listeners[HTTP_LISTENERS_MAX];
    size_t listener_count;
    char *certificate; /* PEM, from the settings; wiped and NULL once the library has it */
    char *key;
    size_t pem_len;
    struct peers *peers;
    struct assets *assets;
    struct streams *streams;
    struct hls *hls;
    struct whip *whip;
    struct http *http;
    struct routes routes;
};

/* ---- between HTTP and the handlers ---- */

static void on_request(void *ctx, struct request *request)
{
    struct web *web = ctx;
    routes_handle(&web->routes, request, clock_now_us());
}

static size_t on_body(void *ctx, const struct request *request)
{
    const struct web *web = ctx;
    return routes_body_limit(&web->routes, request);
}

static struct reply *on_problem(void *ctx, const struct request *request, unsigned status,
                                const char *detail)
{
    struct web *web = ctx;
    return routes_problem(&web->routes, request, status, detail);
}

static int send_message(void *ctx, enum msg_type type, const void *body, const void *blob,
                        size_t blob_len)
{
    struct web *web = ctx;
    return role_send(&web->role, type, body, blob, blob_len, NULL);
}

/* Not answered: a link comes, or the stream ends. */
static void want_link(void *ctx, const struct msg_stream_link *wanted)
{
    (void)send_message(ctx, MSG_LINK_WANTED, wanted, NULL, 0);
}

/* ---- what the supervisor says ---- */

static int on_publish_result(void *ctx, const struct chan_message *message)
{
    struct web *web = ctx;
    return whip_on_publish_result(web->whip, message->body, message->blob, message->blob_len);
}

static int on_session_result(void *ctx, const struct chan_message *message)
{
    struct web *web = ctx;
    return whip_on_session_result(web->whip, message->body, message->blob, message->blob_len);
}

static int on_stream_link(void *ctx, const struct chan_message *message)
{
    struct web *web = ctx;
    int fd = message->fds[0];
    message->fds[0] = -1;
    int rc = streams_on_link(web->streams, message->body, fd);
    if (rc == -EBADMSG)
        return rc;
    if (rc)
        log_event(LOG_ERROR, "link_failed", "error=%s", strerrorname_np(-rc));
    return 0;
}

static int on_stream_state(void *ctx, const struct chan_message *message)
{
    struct web *web = ctx;
    return streams_on_state(web->streams, message->body);
}

static int on_serving(void *ctx, const struct chan_message *message)
{
    struct web *web = ctx;
    const struct msg_number *serving = message->body;
    web->routes.serving = serving->number == 1;
    return 0;
}

static const struct chan_rule rules[] = {
    {MSG_SERVING, CHAN_ANY_PHASE, sizeof(struct msg_number), 0, 0, on_serving},
    {MSG_PUBLISH_RESULT, CHAN_ANY_PHASE, sizeof(struct msg_publish_result), STREAM_ANSWER_MAX, 0,
     on_publish_result},
    {MSG_SESSION_RESULT, CHAN_ANY_PHASE, sizeof(struct msg_session_result), STREAM_ANSWER_MAX, 0,
     on_session_result},
    {MSG_STREAM_LINK, CHAN_ANY_PHASE, sizeof(struct msg_stream_link), 0, 1, on_stream_link},
    {MSG_STREAM_STATE, CHAN_ANY_PHASE, sizeof(struct msg_stream_state), 0, 0, on_stream_state},
};

/* ---- start ---- */

/* The blob is certificate, NUL, key. */
static int take_pem(struct web *web, const uint8_t *blob, size_t len)
{
    if (len == 0)
        return 0;
    const uint8_t *nul = memchr(blob, '\0', len);
    if (!nul)
        return -EBADMSG;
    web->certificate = malloc(len + 1);
    if (!web->certificate)
        return -ENOMEM;
    memcpy(web->certificate, blob, len);
    web->certificate[len] = '\0';
    web->key = web->certificate + (nul - blob) + 1;
    web->pem_len = len;
    return 0;
}

static void drop_pem(struct web *web)
{
    if (web->certificate)
        secret_wipe(web->certificate, web->pem_len);
    free(web->certificate);
    web->certificate = NULL;
    web->key = NULL;
}

static int on_settings(void *ctx, const struct chan_message *message)
{
    struct web *web = ctx;
    memcpy(&web->settings, message->body, sizeof(web->settings));
    const struct settings_web *s = &web->settings;
    if (s->listener_count != message->fd_count || s->listener_count > HTTP_LISTENERS_MAX ||
        s->connections == 0 || !text_is_terminated(s->cors_origins, sizeof(s->cors_origins)) ||
        !text_is_terminated(s->page_host, sizeof(s->page_host)) ||
        !text_is_terminated(s->ice_servers, sizeof(s->ice_servers)) ||
        !ice_links_valid(s->ice_servers))
        return -EBADMSG;
    for (size_t i = 0; i < message->fd_count; i++) {
        web->listeners[i] = message->fds[i];
        message->fds[i] = -1;
    }
    web->listener_count = message->fd_count;
    return take_pem(web, message->blob, message->blob_len);
}

/* Everything that opens or allocates for good. */
static int open_all(struct web *web)
{
    const struct settings_web *s = &web->settings;
    struct loop *loop = &web->role.loop;
    const struct whip_config whip = {.origins = s->cors_origins,
                                     .ice_servers = s->ice_servers,
                                     .send = send_message,
                                     .ctx = web};
    int rc = peers_new(s->connections, &web->peers);
    if (rc == 0)
        rc = assets_new(&web->assets);
    if (rc == 0)
        rc = hls_new(web->peers, s->per_address_waiters, &web->hls);
    if (rc == 0)
        rc = streams_new(loop, s->ended_linger_s, hls_on_stream, web->hls, &web->streams);
    if (rc == 0)
        rc = whip_new(loop, web->peers, &whip, &web->whip);
    if (rc)
        return rc;
    streams_set_want(web->streams, want_link, web);
    web->routes = (struct routes){.assets = web->assets,
                                  .streams = web->streams,
                                  .hls = web->hls,
                                  .whip = web->whip,
                                  .page_host = s->page_host,
                                  .cors_origins = s->cors_origins};
    const struct http_config config = {.connections = s->connections,
                                       .per_address_connections = s->per_address_connections,
                                       .certificate = web->certificate,
                                       .key = web->key,
                                       .handle = on_request,
                                       .body_limit = on_body,
                                       .problem = on_problem,
                                       .ctx = web};
    rc = http_new(loop, web->peers, &config, web->listeners, web->listener_count, &web->http);
    drop_pem(web);
    return rc;
}

#define ALWAYS(name)                                                                               \
    {                                                                                              \
        .call = SCMP_SYS(name), .check = SANDBOX_ALWAYS                                            \
    }

/* On top of lib/base/syscalls.c: connections that others open. No socket, bind, connect or listen.
 */
static const struct sandbox_rule sandbox_rules[] = {
    ALWAYS(accept4),
    ALWAYS(sendmsg),
    ALWAYS(shutdown),
    {.call = SCMP_SYS(getsockopt), .check = SANDBOX_ARG_EQ, .arg = 1, .value = IPPROTO_TCP},
    {.call = SCMP_SYS(setsockopt), .check = SANDBOX_ARG_EQ, .arg = 1, .value = IPPROTO_TCP},
};

static int enter(struct web *web)
{
    struct sandbox_spec spec = {
        .empty_network = false, /* the listeners' network is where clients come from */
        .empty_files = true,
        .directory_fd = -1,
        .max_files = (uint64_t)web->settings.connections + FILES_BESIDE_CONNECTIONS,
        .max_file_bytes = 0,
        .max_processes = 0,
        .max_data_bytes = DATA_MAX_BYTES,
        .rules = sandbox_rules,
        .rule_count = sizeof(sandbox_rules) / sizeof(sandbox_rules[0]),
    };
    return role_enter(&web->role, &spec);
}

int main(void)
{
    static struct web web; /* the root of all state; too big for the stack */
    if (role_start(&web.role, "web", sizeof(struct settings_web), on_settings, rules,
                   sizeof(rules) / sizeof(rules[0]), &web))
        return EXIT_FAILURE;
    tzset();
    int rc = open_all(&web);
    if (rc) {
        log_event(LOG_ERROR, "start_failed", "error=%s", strerrorname_np(-rc));
        return EXIT_FAILURE;
    }
    if (enter(&web))
        return EXIT_FAILURE;
    log_event(LOG_INFO, "serving", "listeners=%zu tls=%d assets=%zu", web.listener_count,
              web.settings.listener_count > 0 && web.pem_len > 0, assets_count(web.assets));
    return role_run(&web.role);
}
