/* An HTTP answer: status, headers and body, which any number of requests may share. */
#include "web/reply.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct reply *reply_new(unsigned status)
{
    return reply_new_roomy(status, REPLY_TEXT_MAX);
}

struct reply *reply_new_roomy(unsigned status, size_t text_cap)
{
    struct reply *reply = malloc(sizeof(*reply) + text_cap);
    if (!reply)
        return NULL;
    reply->refs = 1;
    reply->status = status;
    reply->header_count = 0;
    reply->text_len = 0;
    reply->text_cap = text_cap;
    reply->body = "";
    reply->body_len = 0;
    reply->release = NULL;
    reply->owner = NULL;
    reply->backend = NULL;
    reply->backend_free = NULL;
    return reply;
}

struct reply *reply_ref(struct reply *reply)
{
    if (reply)
        reply->refs++;
    return reply;
}

void reply_unref(struct reply *reply)
{
    if (!reply || --reply->refs > 0)
        return;
    if (reply->backend)
        reply->backend_free(reply->backend);
    if (reply->release)
        reply->release(reply->owner);
    free(reply);
}

void reply_header(struct reply *reply, const char *name, const char *value)
{
    if (!reply)
        return;
    size_t size = strlen(value) + 1;
    assert(reply->header_count < REPLY_HEADERS_MAX);
    assert(size <= reply->text_cap - reply->text_len);
    char *copy = reply->text + reply->text_len;
    memcpy(copy, value, size);
    reply->text_len += size;
    reply->headers[reply->header_count++] = (struct reply_header){.name = name, .value = copy};
}

void reply_body(struct reply *reply, const void *data, size_t len, reply_release_fn release,
                void *owner)
{
    if (!reply) {
        if (release)
            release(owner);
        return;
    }
    reply->body = data;
    reply->body_len = len;
    reply->release = release;
    reply->owner = owner;
}

struct reply *reply_body_copy(struct reply *reply, const void *data, size_t len)
{
    if (!reply || len == 0)
        return reply;
    void *copy = malloc(len);
    if (!copy) {
        reply_unref(reply);
        return NULL;
    }
    memcpy(copy, data, len);
    reply_body(reply, copy, len, free, copy);
    return reply;
}

const char *reply_find_nth(const struct reply *reply, const char *name, size_t index)
{
    for (size_t i = 0; reply && i < reply->header_count; i++) {
        if (strcasecmp(reply->headers[i].name, name) == 0 && index-- == 0)
            return reply->headers[i].value;
    }
    return NULL;
}

const char *reply_find(const struct reply *reply, const char *name)
{
    return reply_find_nth(reply, name, 0);
}
