/* The body of a request while it comes in: kept up to a limit, and within a shared budget. */
#include "web/body.h"

#include "lib/base/secret.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_BYTES 4096u

void body_drop(struct body *body, size_t *budget_used)
{
    if (!body->data)
        return;
    secret_wipe(body->data, body->len);
    free(body->data);
    *budget_used -= body->cap;
    body->data = NULL;
    body->len = 0;
    body->cap = 0;
}

/* False when there is no memory for len more bytes. */
static bool make_room(struct body *body, size_t *budget_used, size_t len)
{
    size_t cap = body->cap ? body->cap : FIRST_BYTES;
    while (cap < body->len + len)
        cap *= 2;
    if (cap == body->cap)
        return true;
    if (*budget_used - body->cap + cap > BODY_BUDGET)
        return false;
    uint8_t *grown = malloc(cap); /* not realloc: what is left behind is wiped */
    if (!grown)
        return false;
    size_t len_before = body->len;
    if (len_before > 0)
        memcpy(grown, body->data, len_before);
    body_drop(body, budget_used);
    *budget_used += cap;
    body->data = grown;
    body->len = len_before;
    body->cap = cap;
    return true;
}

int body_take(struct body *body, size_t *budget_used, size_t limit, const void *data, size_t len)
{
    bool wanted = limit > 0 && !body->too_large && !body->starved;
    if (wanted && len > limit - body->len) {
        body->too_large = true;
        wanted = false;
    }
    if (wanted && !make_room(body, budget_used, len)) {
        body->starved = true;
        wanted = false;
    }
    if (!wanted) {
        body_drop(body, budget_used);
        body->discarded += len;
        return body->discarded > BODY_DISCARD_MAX ? -EMSGSIZE : 0;
    }
    memcpy(body->data + body->len, data, len);
    body->len += len;
    return 0;
}
