/* One HTTP request as the handlers see it, independent of the HTTP library. */
#include "web/request.h"

#include <assert.h>

void request_answer(struct request *request, struct reply *reply)
{
    assert(!request->answered);
    wait_remove(request);
    request->answered = true;
    request->reply = reply;
    if (request->resume)
        request->resume(request);
}

enum request_method request_method_of(struct slice name)
{
    static const struct {
        const char *name;
        enum request_method method;
    } methods[] = {
        {"GET", METHOD_GET},     {"HEAD", METHOD_HEAD},     {"POST", METHOD_POST},
        {"PATCH", METHOD_PATCH}, {"DELETE", METHOD_DELETE}, {"OPTIONS", METHOD_OPTIONS},
    };
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        if (slice_is(name, methods[i].name))
            return methods[i].method;
    }
    return METHOD_OTHER;
}

void request_take_header(struct request_headers *h, struct slice name, struct slice value)
{
    const struct {
        const char *name;
        struct slice *to;
    } wanted[] = {
        {"Host", &h->host},
        {"Origin", &h->origin},
        {"Authorization", &h->authorization},
        {"Content-Type", &h->content_type},
        {"Accept-Encoding", &h->accept_encoding},
        {"Range", &h->range},
        {"If-Range", &h->if_range},
        {"If-None-Match", &h->if_none_match},
        {"If-Match", &h->if_match},
    };
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        if (slice_is_nocase(name, wanted[i].name))
            *wanted[i].to = slice_trim(value);
    }
    h->if_match_lines += slice_is_nocase(name, "If-Match");
}

/* The parameters of one member hold q=0, q=0., q=0.0 and so on (RFC 9110 12.4.2). */
static bool has_zero_weight(struct slice parameters)
{
    while (parameters.len > 0) {
        struct slice p = slice_trim(slice_cut(&parameters, ';'));
        if (!slice_starts_nocase(p, "q=0"))
            continue;
        p = slice_skip(p, 3);
        while (p.len > 0 && (p.data[0] == '.' || p.data[0] == '0'))
            p = slice_skip(p, 1);
        if (p.len == 0)
            return true;
    }
    return false;
}

bool request_takes_gzip(const struct request *request)
{
    struct slice rest = request->headers.accept_encoding;
    while (rest.len > 0) {
        struct slice member = slice_cut(&rest, ',');
        struct slice name = slice_trim(slice_cut(&member, ';'));
        if (slice_is_nocase(name, "gzip"))
            return !has_zero_weight(member);
    }
    return false;
}

bool request_has_tag(const struct request *request, const char *tag)
{
    struct slice rest = request->headers.if_none_match;
    while (rest.len > 0) {
        struct slice member = slice_trim(slice_cut(&rest, ','));
        if (slice_starts(member, "W/")) /* weak comparison: the mark does not count */
            member = slice_skip(member, 2);
        if (slice_is(member, tag) || slice_is(member, "*"))
            return true;
    }
    return false;
}

void wait_add(struct wait_list *list, struct request *request, uint64_t due_us)
{
    struct wait *wait = &request->wait;
    assert(!wait->list);
    wait->list = list;
    wait->due_us = due_us;
    wait->next = NULL;
    wait->prev = list->last;
    if (list->last)
        list->last->wait.next = request;
    else
        list->first = request;
    list->last = request;
    list->count++;
}

void wait_remove(struct request *request)
{
    struct wait *wait = &request->wait;
    struct wait_list *list = wait->list;
    if (!list)
        return;
    if (wait->prev)
        wait->prev->wait.next = wait->next;
    else
        list->first = wait->next;
    if (wait->next)
        wait->next->wait.prev = wait->prev;
    else
        list->last = wait->prev;
    list->count--;
    wait->list = NULL;
    wait->prev = NULL;
    wait->next = NULL;
}
