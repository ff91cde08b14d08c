/* Bearer tokens: how they look, what is stored of them, and the limits they carry. */
#include "auth/token.h"

#include "lib/base/secret.h"

#include <errno.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

#define TOKEN_US_PER_MS 1000u
#define TOKEN_MS_PER_S 1000u

static bool alphanumeric(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* b64token of RFC 6750 2.1, with = anywhere: the hash decides the rest. */
static bool text_valid(struct slice text)
{
    if (text.len == 0 || text.len > STREAM_TOKEN_MAX)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        if (c == '\0' || (!alphanumeric(c) && !strchr("-._~+/=", c)))
            return false;
    }
    return true;
}

bool token_id_valid(struct slice id)
{
    size_t prefix_len = sizeof(TOKEN_ID_PREFIX) - 1;
    if (id.len != TOKEN_ID_LEN || !slice_starts(id, TOKEN_ID_PREFIX))
        return false;
    for (size_t i = prefix_len; i < id.len; i++) {
        if (!alphanumeric(id.data[i]))
            return false;
    }
    return true;
}

bool token_label_valid(struct slice label)
{
    if (label.len > TOKEN_LABEL_MAX)
        return false;
    for (size_t i = 0; i < label.len; i++) {
        unsigned char c = (unsigned char)label.data[i];
        unsigned char next = i + 1 < label.len ? (unsigned char)label.data[i + 1] : 0;
        bool c1 = c == 0xc2 && next >= 0x80 && next < 0xa0; /* U+0080 to U+009F in UTF-8 */
        if (c < 0x20 || c == 0x7f || c1)
            return false;
    }
    return true;
}

static bool wish_valid(const struct token_wish *wish)
{
    return stream_pattern_valid(wish->pattern) && token_label_valid(wish->label) &&
           wish->expires_s <= TOKEN_TIME_MAX_S && wish->max_duration_s <= TOKEN_TIME_MAX_S &&
           wish->max_sessions <= TOKEN_SESSIONS_MAX &&
           wish->max_bitrate_kbps <= TOKEN_BITRATE_MAX_KBPS;
}

int token_make(const struct token_key *key, const struct token_wish *wish, uint64_t now_ms,
               char out_text[TOKEN_TEXT_LEN + 1], struct token *out)
{
    if (!wish_valid(wish))
        return -EINVAL;

    struct token t = {
        .created_ms = now_ms,
        .expires_ms = wish->expires_s == 0 ? 0 : now_ms + wish->expires_s * TOKEN_MS_PER_S,
        .max_duration_ms = wish->max_duration_s * TOKEN_MS_PER_S,
        .max_sessions = wish->max_sessions,
        .max_bitrate_kbps = wish->max_bitrate_kbps,
        .clash = wish->clash,
    };
    if (!wish->sessions_given)
        t.max_sessions = stream_name_valid(wish->pattern) ? 1 : 0;
    int rc = text_copy(t.pattern, sizeof(t.pattern), wish->pattern);
    if (rc == 0)
        rc = text_copy(t.label, sizeof(t.label), wish->label);
    if (rc < 0)
        return -EINVAL;

    char text[TOKEN_TEXT_LEN + 1] = TOKEN_PREFIX;
    secret_random_text(text + sizeof(TOKEN_PREFIX) - 1, TOKEN_RANDOM_LEN);
    memcpy(t.id, TOKEN_ID_PREFIX, sizeof(TOKEN_ID_PREFIX) - 1);
    secret_random_text(t.id + sizeof(TOKEN_ID_PREFIX) - 1,
                       TOKEN_ID_LEN - (sizeof(TOKEN_ID_PREFIX) - 1));
    rc = token_hash(key, slice_make(text, TOKEN_TEXT_LEN), t.hash);
    if (rc == 0) {
        memcpy(out_text, text, sizeof(text));
        *out = t;
    }
    secret_wipe(text, sizeof(text));
    return rc;
}

int token_hash(const struct token_key *key, struct slice text, uint8_t out[TOKEN_HASH_LEN])
{
    if (!text_valid(text))
        return -EBADMSG;
    unsigned char hash[EVP_MAX_MD_SIZE];
    unsigned int len = 0;
    const unsigned char *done = HMAC(EVP_sha256(), key->pepper, TOKEN_PEPPER_LEN,
                                     (const unsigned char *)text.data, text.len, hash, &len);
    if (!done || len != TOKEN_HASH_LEN)
        return -ENOMEM;
    memcpy(out, hash, TOKEN_HASH_LEN);
    secret_wipe(hash, sizeof(hash));
    return 0;
}

enum token_state token_state(const struct token *t, uint64_t now_ms)
{
    if (t->revoked_ms != 0)
        return TOKEN_REVOKED;
    if (t->expires_ms != 0 && t->expires_ms <= now_ms)
        return TOKEN_EXPIRED;
    return TOKEN_ACTIVE;
}

const char *token_state_name(enum token_state state)
{
    static const char *const names[] = {
        [TOKEN_ACTIVE] = "active",
        [TOKEN_EXPIRED] = "expired",
        [TOKEN_REVOKED] = "revoked",
    };
    return names[state];
}

const char *token_clash_name(enum grant_clash clash)
{
    static const char *const names[CLASH_COUNT] = {
        [CLASH_REFUSE] = "refuse",
        [CLASH_TAKE_OVER] = "take-over",
    };
    return names[clash];
}

int token_clash_parse(struct slice name, enum grant_clash *out)
{
    for (unsigned i = 0; i < CLASH_COUNT; i++) {
        if (slice_is(name, token_clash_name((enum grant_clash)i))) {
            *out = (enum grant_clash)i;
            return 0;
        }
    }
    return -EBADMSG;
}

uint64_t token_remaining_us(const struct token *t, uint64_t now_ms)
{
    uint64_t remaining_us = UINT64_MAX;
    if (t->max_duration_ms != 0)
        remaining_us = t->max_duration_ms * TOKEN_US_PER_MS;
    if (t->expires_ms != 0) {
        uint64_t left_ms = t->expires_ms > now_ms ? t->expires_ms - now_ms : 0;
        if (left_ms * TOKEN_US_PER_MS < remaining_us)
            remaining_us = left_ms * TOKEN_US_PER_MS;
    }
    return remaining_us;
}
