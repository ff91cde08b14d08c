/* Carries out administrators' requests: tokens here, streams and status through the supervisor. */
#include "auth/adminrun.h"

#include "auth/adminjson.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/secret.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- answers ---- */

/* Takes the reference. */
static void answer(struct adminrun *a, uint64_t conn, json_t *object)
{
    static const char no_memory[] =
        "{\"ok\":false,\"error\":\"unavailable\",\"message\":\"out of memory\"}";
    char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;
    if (text)
        a->answer(a->ctx, conn, text, strlen(text));
    else
        a->answer(a->ctx, conn, no_memory, sizeof(no_memory) - 1);
    if (text)
        secret_wipe(text, strlen(text)); /* a created token */
    free(text);
    json_decref(object);
}

static void refuse(struct adminrun *a, uint64_t conn, const char *error, const char *message)
{
    answer(a, conn, adminjson_error(error, message));
}

/* A failure of the store in words. */
static void refuse_store(struct adminrun *a, uint64_t conn, int rc)
{
    log_event(LOG_ERROR, "store-failed", "error=%s", strerrorname_np(-rc));
    switch (rc) {
    case -ENOENT:
        refuse(a, conn, "not_found", "there is no token with this id; see token list");
        break;
    case -ENOSPC:
        refuse(a, conn, "disk_full",
               "the disk of the state directory is full, nothing was changed; make room, then "
               "try again");
        break;
    case -EBUSY:
        refuse(a, conn, "busy", "another program holds the token database; close it");
        break;
    default:
        refuse(a, conn, "unavailable",
               "the token database cannot be used; the log line store-failed or store-closed has "
               "the reason; live streams go on");
        break;
    }
}

/* ---- tokens ---- */

static json_t *token_json(const struct adminrun *a, const struct token *token, uint64_t now_ms)
{
    return adminjson_token(token, admission_token_state(a->admission, token, now_ms),
                           lease_count(&a->admission->leases, token->id));
}

static void create_token(struct adminrun *a, uint64_t conn, const struct adminreq *req,
                         uint64_t now_ms)
{
    struct token_wish wish = {
        .pattern = slice_of(req->stream),
        .label = slice_of(req->label),
        .expires_s = req->expires_s,
        .max_duration_s = req->max_duration_s,
        .sessions_given = req->sessions_given,
        .max_sessions = (uint32_t)req->max_sessions,
        .max_bitrate_kbps = (uint32_t)req->max_bitrate_kbps,
        .clash = req->clash,
    };
    char text[TOKEN_TEXT_LEN + 1];
    struct token token;
    int rc = token_make(a->admission->key, &wish, now_ms, text, &token);
    if (rc < 0) {
        refuse_store(a, conn, rc);
        return;
    }
    rc = store_insert_token(a->admission->store, &token);
    if (rc == 0) {
        json_t *object = token_json(a, &token, now_ms);
        if (object && (json_object_set_new(object, "token", json_string(text)) < 0 ||
                       json_object_set_new(object, "ok", json_true()) < 0)) {
            json_decref(object);
            object = NULL;
        }
        answer(a, conn, object);
        log_event(LOG_INFO, "token-created", "token=%s stream=%s", token.id, token.pattern);
    } else {
        refuse_store(a, conn, rc);
    }
    secret_wipe(text, sizeof(text));
}

static void list_tokens(struct adminrun *a, uint64_t conn, const struct adminreq *req,
                        uint64_t now_ms)
{
    struct token *tokens = calloc(STORE_PAGE_TOKENS, sizeof(*tokens));
    json_t *rows = json_array();
    size_t count = 0;
    int rc = -ENOMEM;
    if (tokens && rows)
        rc = store_list_tokens(a->admission->store, req->after_ms, req->after_id, tokens, &count);
    if (rc == 0) {
        for (size_t i = 0; i < count; i++)
            json_array_append_new(rows, token_json(a, &tokens[i], now_ms));
        answer(a, conn,
               json_pack("{s:b, s:O, s:b}", "ok", 1, "tokens", rows, "more",
                         count == STORE_PAGE_TOKENS));
    } else {
        refuse_store(a, conn, rc);
    }
    json_decref(rows);
    free(tokens);
}

static void show_token(struct adminrun *a, uint64_t conn, const struct adminreq *req,
                       uint64_t now_ms)
{
    struct token token;
    int rc = store_find_by_id(a->admission->store, req->id, &token);
    if (rc < 0) {
        refuse_store(a, conn, rc);
        return;
    }
    json_t *object = token_json(a, &token, now_ms);
    if (object)
        json_object_set_new(object, "ok", json_true());
    answer(a, conn, object);
}

static void revoke_token(struct adminrun *a, uint64_t conn, const struct adminreq *req,
                         uint64_t now_ms)
{
    struct admission_revoked result;
    int rc = admission_revoke(a->admission, req->id, now_ms, &result);
    if (rc < 0) {
        refuse_store(a, conn, rc);
        return;
    }
    const char *note = NULL;
    if (result.saved < 0) {
        note = "the token is refused and its streams are cut, but this could not be written to "
               "disk and would be forgotten by a restart; make room on the disk of the state "
               "directory: it is tried again each second";
        log_event(LOG_ERROR, "revoke-not-saved", "token=%s error=%s", req->id,
                  strerrorname_np(-result.saved));
    }
    log_event(LOG_INFO, "token-revoked", "token=%s ended=%u", req->id, result.ended);
    answer(a, conn,
           json_pack("{s:b, s:s, s:i, s:b, s:s?}", "ok", 1, "id", req->id, "ended",
                     (int)result.ended, "durable", result.saved == 0, "message", note));
}

/* ---- streams and status: the supervisor's ---- */

static void pending_reset(struct adminrun_pending *p)
{
    loop_timer_cancel(p->owner->loop, &p->patience);
    json_decref(p->rows);
    p->rows = NULL;
    p->request = 0;
}

static struct adminrun_pending *find_pending(struct adminrun *a, uint64_t request)
{
    for (size_t i = 0; i < ADMINRUN_PENDING_MAX; i++) {
        if (a->pending[i].request == request)
            return &a->pending[i];
    }
    return NULL;
}

static void on_impatience(void *ctx)
{
    struct adminrun_pending *p = ctx;
    uint64_t conn = p->conn;
    struct adminrun *a = p->owner;
    pending_reset(p);
    refuse(a, conn, "timeout", "the supervisor did not answer within 5 s; look at the log");
}

static void ask_supervisor(struct adminrun *a, uint64_t conn, const struct adminreq *req)
{
    static const enum msg_ctl_op ops[ADMINREQ_OP_COUNT] = {
        [ADMINREQ_STREAM_LIST] = CTL_STREAMS,
        [ADMINREQ_STREAM_KICK] = CTL_KICK,
        [ADMINREQ_STATUS] = CTL_STATUS,
    };
    struct adminrun_pending *p = find_pending(a, 0);
    json_t *rows = json_array();
    if (!p || !rows) {
        json_decref(rows);
        refuse(a, conn, "busy", "too many questions are open; try again");
        return;
    }
    a->last_request++;
    p->request = a->last_request;
    p->conn = conn;
    p->op = req->op;
    p->rows = rows;
    loop_timer_set(a->loop, &p->patience, clock_now_us() + ADMINRUN_PATIENCE_US, on_impatience, p);
    struct msg_ctl ctl = {.request = p->request, .op = ops[req->op]};
    if (req->op == ADMINREQ_STREAM_KICK)
        memcpy(ctl.stream, req->stream, sizeof(ctl.stream));
    int rc = a->ctl(a->ctx, &ctl);
    if (rc < 0) {
        pending_reset(p);
        refuse(a, conn, "unavailable", "the supervisor cannot be asked");
    }
}

int adminrun_row(struct adminrun *a, const struct msg_ctl_row *row)
{
    if (!adminjson_row_ok(row) || row->request == 0)
        return -EBADMSG;
    struct adminrun_pending *p = find_pending(a, row->request);
    if (!p || json_array_size(p->rows) >= ADMINRUN_ROWS_MAX)
        return 0;
    json_array_append_new(p->rows, p->op == ADMINREQ_STATUS ? adminjson_process(row)
                                                            : adminjson_stream(row));
    return 0;
}

static json_t *finished(const struct adminrun_pending *p, const struct msg_ctl_done *done)
{
    if (done->result == -ENOENT)
        return adminjson_error("not_found", "no such stream is live; see stream list");
    if (done->result < 0)
        return adminjson_error("unavailable", "the supervisor could not do it; look at the log");
    switch (p->op) {
    case ADMINREQ_STREAM_LIST:
        return json_pack("{s:b, s:O}", "ok", 1, "streams", p->rows);
    case ADMINREQ_STATUS:
        return json_pack("{s:b, s:b, s:O}", "ok", 1, "ready", done->ready == 1, "processes",
                         p->rows);
    default:
        return json_pack("{s:b}", "ok", 1);
    }
}

void adminrun_finish(struct adminrun *a, const struct msg_ctl_done *done)
{
    struct adminrun_pending *p = done->request == 0 ? NULL : find_pending(a, done->request);
    if (!p)
        return;
    json_t *object = finished(p, done);
    uint64_t conn = p->conn;
    pending_reset(p);
    answer(a, conn, object);
}

/* ---- requests ---- */

void adminrun_init(struct adminrun *a, struct admission *admission, struct loop *loop,
                   adminrun_answer_fn answer_fn, adminrun_ctl_fn ctl, void *ctx)
{
    size_t seed = 0;
    secret_random(&seed, sizeof(seed));
    json_object_seed(seed | 1); /* 0 would make it look for a device */
    *a = (struct adminrun){
        .admission = admission, .loop = loop, .answer = answer_fn, .ctl = ctl, .ctx = ctx};
    for (size_t i = 0; i < ADMINRUN_PENDING_MAX; i++)
        a->pending[i].owner = a;
}

void adminrun_done(struct adminrun *a)
{
    for (size_t i = 0; i < ADMINRUN_PENDING_MAX; i++) {
        if (a->pending[i].request != 0)
            pending_reset(&a->pending[i]);
    }
}

/* A revocation acts also without a database; the other token operations need it. */
static bool needs_store(enum adminreq_op op)
{
    return op == ADMINREQ_TOKEN_CREATE || op == ADMINREQ_TOKEN_LIST || op == ADMINREQ_TOKEN_SHOW;
}

void adminrun_line(struct adminrun *a, uint64_t conn, const char *line, size_t len, uint64_t now_ms)
{
    struct adminreq req;
    const char *problem = NULL;
    int rc = adminreq_parse(line, len, &req, &problem);
    if (rc < 0) {
        refuse(a, conn, "bad_request", problem);
        return;
    }
    if (needs_store(req.op) && !a->admission->store) {
        refuse_store(a, conn, -EIO);
        return;
    }
    switch (req.op) {
    case ADMINREQ_TOKEN_CREATE:
        create_token(a, conn, &req, now_ms);
        break;
    case ADMINREQ_TOKEN_LIST:
        list_tokens(a, conn, &req, now_ms);
        break;
    case ADMINREQ_TOKEN_SHOW:
        show_token(a, conn, &req, now_ms);
        break;
    case ADMINREQ_TOKEN_REVOKE:
        revoke_token(a, conn, &req, now_ms);
        break;
    default:
        ask_supervisor(a, conn, &req);
        break;
    }
}
