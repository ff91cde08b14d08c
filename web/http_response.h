/* Replies in the HTTP library's form, and the library's own errors in ours.
 *
 * The library answers what it cannot read (a header beyond its memory, bad chunks, an unknown
 * version) by itself, without a way to be asked; a page of another origin then sees a failed fetch
 * instead of a status (protocols.md WHIP-09). But it queues those answers through its public
 * function like everybody, and an ELF executable's definition of that function comes before a
 * library's: ours replaces the answer and calls the library's. Where that does not work (a library
 * linked with -Bsymbolic) the library's own answers go out as before. */
#ifndef SLUICE_WEB_HTTP_RESPONSE_H
#define SLUICE_WEB_HTTP_RESPONSE_H

#include "web/conns.h"
#include "web/reply.h"

#include <microhttpd.h>

/* The library's own MHD_queue_response. */
typedef enum MHD_Result (*http_response_queue_fn)(struct MHD_Connection *connection,
                                                  unsigned int status,
                                                  struct MHD_Response *response);

/* Looks the library's function up; NULL when there is none. Takes a lock: once per process. */
http_response_queue_fn http_response_find_queue(void);

/* Gives reply to the library; its reference is taken over. NULL, or no memory: MHD_NO, which ends
 * the connection. */
enum MHD_Result http_response_queue(http_response_queue_fn queue, struct MHD_Connection *connection,
                                    struct reply *reply);

/* What a socket context of the library points to: a connection, and who makes the answer to an
 * error that the library has found in its request (NULL reply: the library's own goes out). */
struct http_response_line {
    struct conn conn;
    struct reply *(*problem)(struct http_response_line *line, unsigned status);
};

#endif
