/* One HTTP request as the handlers see it, independent of the HTTP library.
 *
 * A handler either answers at once (request_answer), or keeps the request in a wait list and
 * answers later; until then the request stays valid, also when its client has gone. Slices are
 * borrowed from the connection and valid until the answer. */
#ifndef SLUICE_WEB_REQUEST_H
#define SLUICE_WEB_REQUEST_H

#include "lib/base/addr.h"
#include "lib/base/text.h"
#include "web/reply.h"

#include <stdbool.h>
#include <stdint.h>

#define REQUEST_TARGET_MAX 1024u  /* path and query; above: 414 */
#define REQUEST_HEADERS_MAX 4096u /* bytes of all names and values; above: 431 */

enum request_method {
    METHOD_GET,
    METHOD_HEAD,
    METHOD_POST,
    METHOD_PATCH,
    METHOD_DELETE,
    METHOD_OPTIONS,
    METHOD_OTHER,
};

/* The request headers that any handler reads; empty when absent. */
struct request_headers {
    struct slice host;
    struct slice origin;
    struct slice authorization;
    struct slice content_type;
    struct slice accept_encoding;
    struct slice range;
    struct slice if_range;
    struct slice if_none_match;
    struct slice if_match;
    unsigned if_match_lines; /* how many header lines of that name there were */
};

struct request;

/* What a waiting request waits for, and its place in a list. Invariant: list is NULL, or the list
 * that the request is in. The fields behind due_us mean what the owner of the list says. */
struct wait {
    struct wait_list *list;
    struct request *prev;
    struct request *next;
    uint64_t due_us; /* then it is answered with an error */
    uint64_t number;
    uint64_t epoch;
    uint32_t part;
    uint32_t kind;
};

struct wait_list {
    struct request *first;
    struct request *last;
    size_t count;
};

/* Invariant: reply is set once, when answered becomes true (it stays NULL when there was no memory
 * for an answer: the connection is then closed). */
struct request {
    enum request_method method;
    struct slice path;  /* as sent: never percent-decoded */
    struct slice query; /* behind the question mark; empty when there is none */
    struct request_headers headers;
    struct slice body;
    bool body_too_large; /* body is then empty */
    bool secure;         /* came over TLS */
    struct addr peer;
    bool answered;
    struct reply *reply;
    void (*resume)(struct request *request); /* set while the HTTP side has put it aside */
    struct wait wait;
};

/* Answers the request and takes over the caller's reference on reply; NULL: no memory. Must be
 * called exactly once; takes the request out of the list it waits in. */
void request_answer(struct request *request, struct reply *reply);

enum request_method request_method_of(struct slice name); /* case-sensitive, RFC 9110 9.1 */

/* Keeps a header line's value if any handler reads it; of several lines the last one. */
void request_take_header(struct request_headers *headers, struct slice name, struct slice value);

/* True when the client takes gzip: a member of Accept-Encoding named gzip without q=0. */
bool request_takes_gzip(const struct request *request);
/* True when If-None-Match names the tag (with its quotes) or is "*" (RFC 9110 13.1.2). */
bool request_has_tag(const struct request *request, const char *tag);

/* Appends to the list; the request must not be in one. */
void wait_add(struct wait_list *list, struct request *request, uint64_t due_us);
void wait_remove(struct request *request); /* does nothing when it is in no list */

#endif
