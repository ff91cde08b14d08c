#include "tests/support/rawwhip.h"

#include "lib/base/clock.h"
#include "lib/base/text.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A socket that libcurl wants watched. */
struct watched {
    struct watched *next;
    struct rawwhip *whip;
    struct loop_watch watch;
};

struct request {
    struct request *next;
    CURL *easy;
    struct curl_slist *headers;
    rawwhip_fn fn;
    void *ctx;
    char url[RAWWHIP_URL_MAX];
    char location[RAWWHIP_URL_MAX];
    char error[CURL_ERROR_SIZE];
    size_t body_len;
    char body[RAWWHIP_BODY_MAX + 1];
};

struct rawwhip {
    CURLM *multi;
    struct loop *loop;
    struct loop_timer timer;
    struct watched *sockets;
    struct request *requests;
    bool insecure;
};

/* ---- requests ---- */

static void request_free(struct rawwhip *whip, struct request *request)
{
    struct request **link = &whip->requests;
    while (*link != NULL && *link != request)
        link = &(*link)->next;
    if (*link != NULL)
        *link = request->next;
    if (request->easy != NULL) {
        (void)curl_multi_remove_handle(whip->multi, request->easy);
        curl_easy_cleanup(request->easy);
    }
    curl_slist_free_all(request->headers);
    free(request);
}

static size_t on_body(char *data, size_t size, size_t count, void *ctx)
{
    struct request *request = ctx;
    size_t len = size * count;
    if (len > RAWWHIP_BODY_MAX - request->body_len)
        return 0; /* ends the request */
    memcpy(request->body + request->body_len, data, len);
    request->body_len += len;
    return len;
}

static size_t on_header(char *data, size_t size, size_t count, void *ctx)
{
    struct request *request = ctx;
    struct slice value = slice_make(data, size * count);
    struct slice line = slice_line(&value);
    struct slice name = slice_cut(&line, ':');
    if (slice_is_nocase(name, "Location"))
        (void)text_copy(request->location, sizeof(request->location), slice_trim(line));
    return size * count;
}

/* The Location against the request's URL: whole, or an absolute path on the same host. */
static void make_absolute(struct request *request)
{
    char relative[RAWWHIP_URL_MAX];
    char *whole = NULL;
    CURLU *url = curl_url();
    (void)text_copy(relative, sizeof(relative), slice_of(request->location));
    request->location[0] = 0;
    if (url != NULL && relative[0] != 0 &&
        curl_url_set(url, CURLUPART_URL, request->url, 0) == CURLUE_OK &&
        curl_url_set(url, CURLUPART_URL, relative, 0) == CURLUE_OK &&
        curl_url_get(url, CURLUPART_URL, &whole, 0) == CURLUE_OK)
        (void)text_copy(request->location, sizeof(request->location), slice_of(whole));
    curl_free(whole);
    curl_url_cleanup(url);
}

static void finish(struct rawwhip *whip, struct request *request, CURLcode code)
{
    struct rawwhip_result result = {0};
    curl_off_t took = 0;
    (void)curl_easy_getinfo(request->easy, CURLINFO_RESPONSE_CODE, &result.status);
    (void)curl_easy_getinfo(request->easy, CURLINFO_TOTAL_TIME_T, &took);
    if (code != CURLE_OK)
        result.status = 0;
    if (code != CURLE_OK && request->error[0] == 0)
        (void)snprintf(request->error, sizeof(request->error), "%s", curl_easy_strerror(code));
    make_absolute(request);
    request->body[request->body_len] = 0;
    result.took_us = (uint64_t)took;
    result.body = request->body;
    result.body_len = request->body_len;
    result.location = request->location;
    result.error = request->error;
    request->fn(request->ctx, &result);
    request_free(whip, request);
}

static void check_done(struct rawwhip *whip)
{
    int left = 0;
    for (;;) {
        CURLMsg *message = curl_multi_info_read(whip->multi, &left);
        if (message == NULL)
            return;
        if (message->msg != CURLMSG_DONE)
            continue;
        void *request = NULL;
        CURLcode code = message->data.result;
        (void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &request);
        finish(whip, request, code);
    }
}

/* ---- libcurl in the loop ---- */

static void act(struct rawwhip *whip, curl_socket_t fd, int events)
{
    int running = 0;
    (void)curl_multi_socket_action(whip->multi, fd, events, &running);
    check_done(whip);
}

static void on_socket_events(void *ctx, uint32_t events)
{
    struct watched *watched = ctx;
    int flags = (events & (EPOLLIN | EPOLLHUP | EPOLLERR) ? CURL_CSELECT_IN : 0) |
                (events & EPOLLOUT ? CURL_CSELECT_OUT : 0);
    act(watched->whip, watched->watch.fd, flags);
}

static void on_timer(void *ctx)
{
    act(ctx, CURL_SOCKET_TIMEOUT, 0);
}

static int on_timeout_wanted(CURLM *multi, long timeout_ms, void *ctx)
{
    struct rawwhip *whip = ctx;
    (void)multi;
    if (timeout_ms < 0) {
        loop_timer_cancel(whip->loop, &whip->timer);
        return 0;
    }
    uint64_t due_us = clock_now_us() + (uint64_t)timeout_ms * CLOCK_MS_US;
    return loop_timer_set(whip->loop, &whip->timer, due_us, on_timer, whip) == 0 ? 0 : -1;
}

static void watched_free(struct rawwhip *whip, struct watched *watched)
{
    struct watched **link = &whip->sockets;
    while (*link != NULL && *link != watched)
        link = &(*link)->next;
    if (*link != NULL)
        *link = watched->next;
    loop_remove(whip->loop, &watched->watch);
    free(watched);
}

static int on_socket_wanted(CURL *easy, curl_socket_t fd, int what, void *ctx, void *socket_ctx)
{
    struct rawwhip *whip = ctx;
    struct watched *watched = socket_ctx;
    uint32_t events = (what & CURL_POLL_IN ? EPOLLIN : 0u) | (what & CURL_POLL_OUT ? EPOLLOUT : 0u);
    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (watched != NULL)
            watched_free(whip, watched);
        return 0;
    }
    if (watched != NULL)
        return loop_change(whip->loop, &watched->watch, events) == 0 ? 0 : -1;
    watched = calloc(1, sizeof(*watched));
    if (watched == NULL)
        return -1;
    watched->whip = whip;
    watched->watch.fd = -1;
    if (loop_add(whip->loop, &watched->watch, fd, events, on_socket_events, watched) != 0) {
        free(watched);
        return -1;
    }
    watched->next = whip->sockets;
    whip->sockets = watched;
    return curl_multi_assign(whip->multi, fd, watched) == CURLM_OK ? 0 : -1;
}

/* ---- life ---- */

int rawwhip_new(struct loop *loop, bool insecure, struct rawwhip **out)
{
    struct rawwhip *whip = calloc(1, sizeof(*whip));
    if (whip == NULL)
        return -ENOMEM;
    whip->loop = loop;
    whip->insecure = insecure;
    if (curl_global_init(CURL_GLOBAL_ALL) == CURLE_OK)
        whip->multi = curl_multi_init();
    if (whip->multi == NULL) {
        rawwhip_free(whip);
        return -ENOMEM;
    }
    (void)curl_multi_setopt(whip->multi, CURLMOPT_SOCKETFUNCTION, on_socket_wanted);
    (void)curl_multi_setopt(whip->multi, CURLMOPT_SOCKETDATA, whip);
    (void)curl_multi_setopt(whip->multi, CURLMOPT_TIMERFUNCTION, on_timeout_wanted);
    (void)curl_multi_setopt(whip->multi, CURLMOPT_TIMERDATA, whip);
    *out = whip;
    return 0;
}

void rawwhip_free(struct rawwhip *whip)
{
    if (whip == NULL)
        return;
    while (whip->requests != NULL)
        request_free(whip, whip->requests);
    if (whip->multi != NULL)
        (void)curl_multi_cleanup(whip->multi);
    while (whip->sockets != NULL)
        watched_free(whip, whip->sockets);
    loop_timer_cancel(whip->loop, &whip->timer);
    curl_global_cleanup();
    free(whip);
}

static int add_header(struct request *request, const char *text)
{
    struct curl_slist *longer = curl_slist_append(request->headers, text);
    if (longer == NULL)
        return -ENOMEM;
    request->headers = longer;
    return 0;
}

static int set_options(struct rawwhip *whip, struct request *request, const char *token)
{
    char bearer[1024];
    CURL *easy = request->easy;
    int rc = add_header(request, "Expect:");
    if (rc == 0 && token != NULL) {
        if (snprintf(bearer, sizeof(bearer), "Authorization: Bearer %s", token) >=
            (int)sizeof(bearer))
            return -EMSGSIZE;
        rc = add_header(request, bearer);
    }
    int bad = curl_easy_setopt(easy, CURLOPT_URL, request->url) != CURLE_OK;
    bad |= curl_easy_setopt(easy, CURLOPT_PRIVATE, request) != CURLE_OK;
    bad |= curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body) != CURLE_OK;
    bad |= curl_easy_setopt(easy, CURLOPT_WRITEDATA, request) != CURLE_OK;
    bad |= curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header) != CURLE_OK;
    bad |= curl_easy_setopt(easy, CURLOPT_HEADERDATA, request) != CURLE_OK;
    bad |= curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, request->error) != CURLE_OK;
    bad |= curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, RAWWHIP_TIMEOUT_MS) != CURLE_OK;
    bad |= curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) != CURLE_OK;
    bad |= curl_easy_setopt(easy, CURLOPT_PROXY, "") != CURLE_OK;
    if (whip->insecure) {
        bad |= curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L) != CURLE_OK;
        bad |= curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L) != CURLE_OK;
    }
    return rc != 0 ? rc : (bad ? -EIO : 0);
}

/* body NULL: DELETE. */
static int begin(struct rawwhip *whip, const char *url, const char *token, const char *body,
                 rawwhip_fn fn, void *ctx)
{
    struct request *request = calloc(1, sizeof(*request));
    if (request == NULL)
        return -ENOMEM;
    request->fn = fn;
    request->ctx = ctx;
    request->next = whip->requests;
    whip->requests = request;
    request->easy = curl_easy_init();
    int rc = request->easy == NULL ? -ENOMEM
                                   : text_copy(request->url, sizeof(request->url), slice_of(url));
    if (rc == 0)
        rc = set_options(whip, request, token);
    if (rc == 0 && body != NULL)
        rc = add_header(request, "Content-Type: application/sdp");
    if (rc != 0)
        goto out;
    rc = -EIO;
    if (curl_easy_setopt(request->easy, CURLOPT_HTTPHEADER, request->headers) != CURLE_OK)
        goto out;
    if (body != NULL && curl_easy_setopt(request->easy, CURLOPT_COPYPOSTFIELDS, body) != CURLE_OK)
        goto out;
    if (body == NULL &&
        curl_easy_setopt(request->easy, CURLOPT_CUSTOMREQUEST, "DELETE") != CURLE_OK)
        goto out;
    if (curl_multi_add_handle(whip->multi, request->easy) != CURLM_OK)
        goto out;
    request = NULL;
    rc = 0;
out:
    if (request != NULL)
        request_free(whip, request);
    return rc;
}

int rawwhip_post(struct rawwhip *whip, const char *url, const char *token, const char *body,
                 rawwhip_fn fn, void *ctx)
{
    return begin(whip, url, token, body, fn, ctx);
}

int rawwhip_delete(struct rawwhip *whip, const char *url, const char *token, rawwhip_fn fn,
                   void *ctx)
{
    return begin(whip, url, token, NULL, fn, ctx);
}
