/* Who may publish: answers to the supervisor's lease questions, and revocation. */
#include "auth/admission.h"

#include "lib/base/log.h"

#include <errno.h>
#include <string.h>

/* ---- revocations that are not on disk yet ---- */

/* unsaved_count when it is not among them. */
static size_t find_unsaved(const struct admission *a, const char *id)
{
    size_t at = 0;
    while (at < a->unsaved_count && strcmp(a->unsaved[at].id, id) != 0)
        at++;
    return at;
}

static bool is_unsaved(const struct admission *a, const char *id)
{
    return find_unsaved(a, id) < a->unsaved_count;
}

static void add_unsaved(struct admission *a, const char *id, uint64_t now_ms)
{
    if (is_unsaved(a, id))
        return;
    if (a->unsaved_count == ADMISSION_UNSAVED_MAX) {
        a->shut = true;
        return;
    }
    struct admission_unsaved *entry = &a->unsaved[a->unsaved_count];
    if (text_copy(entry->id, sizeof(entry->id), slice_of(id)) < 0)
        return; /* no valid id is that long */
    entry->revoked_ms = now_ms;
    a->unsaved_count++;
}

static void remove_unsaved(struct admission *a, size_t at)
{
    a->unsaved_count--;
    a->unsaved[at] = a->unsaved[a->unsaved_count];
}

/* Writes one of them; a full disk is given the reserve. */
static int save(struct admission *a, const struct admission_unsaved *entry)
{
    if (!a->store)
        return -EIO;
    int rc = store_revoke_token(a->store, entry->id, entry->revoked_ms);
    if (rc == -ENOSPC && a->reserve && reserve_give(a->reserve))
        rc = store_revoke_token(a->store, entry->id, entry->revoked_ms);
    return rc;
}

int admission_save_unsaved(struct admission *a)
{
    int result = 0;
    size_t i = a->unsaved_count;
    while (i > 0) {
        i--;
        int rc = save(a, &a->unsaved[i]);
        if (rc == 0 || rc == -ENOENT)
            remove_unsaved(a, i); /* the entry that moves here was tried already */
        else
            result = rc;
    }
    return result;
}

enum token_state admission_token_state(const struct admission *a, const struct token *token,
                                       uint64_t now_ms)
{
    return is_unsaved(a, token->id) ? TOKEN_REVOKED : token_state(token, now_ms);
}

/* ---- questions ---- */

/* The token behind the text, or the verdict that it is refused with. */
static enum grant_verdict identify(struct admission *a, const struct msg_lease_ask *ask,
                                   const struct admission_time *time, struct token *out)
{
    if (!a->store || a->shut)
        return GRANT_UNAVAILABLE;
    uint8_t hash[TOKEN_HASH_LEN];
    int rc = token_hash(a->key, slice_of(ask->token), hash);
    if (rc == -EBADMSG)
        rc = -ENOENT; /* not even a token */
    else if (rc == 0)
        rc = store_find_valid(a->store, hash, time->now_ms, out);
    if (rc == 0 && is_unsaved(a, out->id))
        rc = -ENOENT;
    if (rc == 0)
        return GRANT_OK;
    if (rc != -ENOENT) {
        log_event(LOG_ERROR, "lookup-failed", "error=%s", strerrorname_np(-rc));
        return GRANT_UNAVAILABLE;
    }
    return penalty_fail(&a->penalty, &ask->peer, time->now_us) ? GRANT_BUSY : GRANT_UNKNOWN;
}

static enum grant_verdict admit(struct admission *a, const struct token *token, const char *stream,
                                uint64_t *out_lease_id)
{
    if (!stream_pattern_matches(slice_of(token->pattern), slice_of(stream)))
        return GRANT_WRONG_STREAM;
    if (token->max_sessions != 0 &&
        lease_count_others(&a->leases, token->id, stream) >= token->max_sessions)
        return GRANT_BUSY;
    int rc = lease_add(&a->leases, token->id, stream, out_lease_id);
    return rc == 0 ? GRANT_OK : GRANT_UNAVAILABLE;
}

static bool ask_valid(const struct msg_lease_ask *ask)
{
    if (!text_is_terminated(ask->stream, sizeof(ask->stream)) ||
        !text_is_terminated(ask->token, sizeof(ask->token)))
        return false;
    if (ask->purpose == LEASE_PUBLISH)
        return stream_name_valid(slice_of(ask->stream));
    return ask->purpose == LEASE_IDENTIFY;
}

int admission_ask(struct admission *a, const struct msg_lease_ask *ask,
                  const struct admission_time *time, struct grant *out)
{
    if (!ask_valid(ask))
        return -EBADMSG;
    struct grant grant = {0};
    struct token token;
    enum grant_verdict verdict = identify(a, ask, time, &token);
    if (verdict == GRANT_OK) {
        memcpy(grant.token_id, token.id, sizeof(grant.token_id));
        grant.remaining_us = token_remaining_us(&token, time->now_ms);
        if (ask->purpose == LEASE_PUBLISH)
            verdict = admit(a, &token, ask->stream, &grant.lease_id);
        grant.clash = (uint8_t)token.clash;
        grant.max_bitrate_bps = token.max_bitrate_kbps * UINT64_C(1000);
    }
    grant.verdict = (uint8_t)verdict;
    *out = grant;
    return 0;
}

void admission_release(struct admission *a, uint64_t lease_id)
{
    lease_release(&a->leases, lease_id);
}

/* Tells the supervisor about every lease of the token that it has not been told about. */
static unsigned end_leases(struct admission *a, const char *token_id)
{
    unsigned count = 0;
    struct lease *lease = lease_next_to_end(&a->leases, token_id);
    while (lease) {
        a->end(a->end_ctx, lease->id);
        count++;
        lease = lease_next_to_end(&a->leases, token_id);
    }
    return count;
}

int admission_restore(struct admission *a, const struct msg_lease_live *live)
{
    if (!text_is_terminated(live->token_id, sizeof(live->token_id)) ||
        !text_is_terminated(live->stream, sizeof(live->stream)) ||
        !stream_name_valid(slice_of(live->stream)) || live->lease_id == 0)
        return -EBADMSG;
    int rc = lease_restore(&a->leases, live->lease_id, live->token_id, live->stream);
    if (rc < 0) {
        log_event(LOG_WARN, "lease-not-restored", "stream=%s error=%s", live->stream,
                  strerrorname_np(-rc));
        return 0;
    }
    /* auth may have died between the commit of a revocation and its message. */
    struct token token;
    bool gone = is_unsaved(a, live->token_id);
    if (!gone && a->store) {
        rc = store_find_by_id(a->store, live->token_id, &token);
        gone = rc == -ENOENT || (rc == 0 && token.revoked_ms != 0);
    }
    if (gone)
        end_leases(a, live->token_id);
    return 0;
}

int admission_revoke(struct admission *a, const char *id, uint64_t now_ms,
                     struct admission_revoked *out)
{
    struct token token;
    int rc = a->store ? store_find_by_id(a->store, id, &token) : -EIO;
    if (rc == -ENOENT)
        return rc;
    /* Any other failure to read must not stop a revocation. */
    add_unsaved(a, id, now_ms);
    struct admission_revoked result = {.ended = end_leases(a, id)};
    size_t at = find_unsaved(a, id);
    result.saved = at < a->unsaved_count ? save(a, &a->unsaved[at]) : -ENOSPC;
    if (result.saved == 0)
        remove_unsaved(a, at);
    *out = result;
    return 0;
}
