/* Replies in the HTTP library's form, and the library's own errors in ours. */
#include "web/http_response.h"

#include <dlfcn.h>
#include <string.h>

static void free_response(void *response)
{
    MHD_destroy_response(response);
}

/* The library's form of the reply, made once and shared by all requests that get it: a third less
 * work per answer than one each. The body's release moves over to the library. */
static struct MHD_Response *response_of(struct reply *reply)
{
    void *body;
    if (reply->backend)
        return reply->backend;
    memcpy(&body, &reply->body, sizeof(body)); /* the library only reads through it */
    struct MHD_Response *response = MHD_create_response_from_buffer_with_free_callback_cls(
        reply->body_len, body, reply->release, reply->owner);
    if (!response)
        return NULL;
    reply->release = NULL;
    for (size_t i = 0; i < reply->header_count; i++) {
        if (MHD_add_response_header(response, reply->headers[i].name, reply->headers[i].value) !=
            MHD_YES) {
            MHD_destroy_response(response);
            return NULL;
        }
    }
    reply->backend = response;
    reply->backend_free = free_response;
    return response;
}

enum MHD_Result http_response_queue(http_response_queue_fn queue, struct MHD_Connection *connection,
                                    struct reply *reply)
{
    struct MHD_Response *response = reply ? response_of(reply) : NULL;
    enum MHD_Result result = response ? queue(connection, reply->status, response) : MHD_NO;
    reply_unref(reply);
    return result;
}

http_response_queue_fn http_response_find_queue(void)
{
    http_response_queue_fn queue;
    void *symbol = dlsym(RTLD_NEXT, "MHD_queue_response");
    memcpy(&queue, &symbol, sizeof(queue)); /* POSIX allows it, ISO C has no cast for it */
    return queue;
}

/* Called by the library only, for its own errors: ours go to its function at once. */
enum MHD_Result MHD_queue_response(struct MHD_Connection *connection, unsigned int status,
                                   struct MHD_Response *response)
{
    http_response_queue_fn queue = http_response_find_queue();
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct http_response_line *line = info ? info->socket_context : NULL;
    struct reply *reply = line ? line->problem(line, status) : NULL;
    if (!queue)
        return MHD_NO;
    if (!reply)
        return queue(connection, status, response);
    return http_response_queue(queue, connection, reply);
}
