/* An HTTP answer: status, headers and body, which any number of requests may share.
 *
 * A reply is counted: whoever keeps one holds a reference. It is filled by its maker and not
 * changed once it has been given to a request. Its body may belong to someone else (a mapped
 * segment, a playlist); then `release` is called when the last user of the bytes is done. */
#ifndef SLUICE_WEB_REPLY_H
#define SLUICE_WEB_REPLY_H

#include <stddef.h>

#define REPLY_HEADERS_MAX 28u
#define REPLY_TEXT_MAX 1400u /* bytes of all header values, if its maker asks for no more */

typedef void (*reply_release_fn)(void *owner);

struct reply_header {
    const char *name; /* lives for ever */
    const char *value;
};

/* Invariant: header_count <= REPLY_HEADERS_MAX; values lie in text, which has room for text_cap
 * bytes. backend is the HTTP library's
 * own form of the reply, made on first use by http.c. */
struct reply {
    unsigned refs;
    unsigned status;
    size_t header_count;
    struct reply_header headers[REPLY_HEADERS_MAX];
    size_t text_len;
    size_t text_cap;
    const void *body;
    size_t body_len;
    reply_release_fn release; /* NULL: nothing to do */
    void *owner;
    void *backend;
    void (*backend_free)(void *backend);
    char text[];
};

/* An empty reply with one reference; NULL without memory. All functions below take NULL and then do
 * nothing, so that a reply is built without a check at each step. */
struct reply *reply_new(unsigned status);
/* The same with room for text_cap bytes of header values. */
struct reply *reply_new_roomy(unsigned status, size_t text_cap);
struct reply *reply_ref(struct reply *reply);
void reply_unref(struct reply *reply);

/* Adds a header line; several of one name stay several lines. name must live for ever, value is
 * copied. Values that come from a peer must have been bounded by the caller: all of them together
 * fit the room (asserted). */
void reply_header(struct reply *reply, const char *name, const char *value);

/* The body is bytes that live for ever, or as long as `release(owner)` was not called. */
void reply_body(struct reply *reply, const void *data, size_t len, reply_release_fn release,
                void *owner);
/* The body is a copy of data. Drops the reply and returns NULL without memory. */
struct reply *reply_body_copy(struct reply *reply, const void *data, size_t len);

/* The value of the first header of that name, or NULL. */
const char *reply_find(const struct reply *reply, const char *name);
/* The value of the header of that name behind index others of it, or NULL. */
const char *reply_find_nth(const struct reply *reply, const char *name, size_t index);

#endif
