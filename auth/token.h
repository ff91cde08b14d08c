/* Bearer tokens: how they look, what is stored of them, and the limits they carry.
 *
 * The secret text is seen twice: when it is made, and when a publisher sends it. What is stored is
 * HMAC-SHA-256 of the text under a pepper that lies outside the database (threats.md D1). People
 * name a token by its id, which is no secret. */
#ifndef SLUICE_AUTH_TOKEN_H
#define SLUICE_AUTH_TOKEN_H

#include "lib/base/text.h"
#include "lib/proto/grant.h"
#include "lib/proto/stream.h"

#include <stdbool.h>
#include <stdint.h>

#define TOKEN_PREFIX "sluice_" /* lets secret scanners find a leaked one */
#define TOKEN_RANDOM_LEN 43    /* characters of 62 kinds: 256 bits */
#define TOKEN_TEXT_LEN (sizeof(TOKEN_PREFIX) - 1 + TOKEN_RANDOM_LEN)
#define TOKEN_ID_PREFIX "t_"
#define TOKEN_ID_LEN 12
#define TOKEN_LABEL_MAX 80 /* bytes */
#define TOKEN_HASH_LEN 32
#define TOKEN_PEPPER_LEN 32
#define TOKEN_TIME_MAX_S (10ull * 366 * 86400) /* longest expiry and session */
#define TOKEN_SESSIONS_MAX 65535u
#define TOKEN_BITRATE_MAX_KBPS 1000000u

_Static_assert(TOKEN_TEXT_LEN <= STREAM_TOKEN_MAX, "a token fits its message field");
_Static_assert(TOKEN_ID_LEN <= STREAM_TOKEN_ID_MAX, "an id fits its message field");

struct token_key {
    uint8_t pepper[TOKEN_PEPPER_LEN];
};

/* A token as stored. Times are milliseconds since 1970 by the store's clock (timekeep.h). */
struct token {
    char id[STREAM_TOKEN_ID_MAX + 8];
    char pattern[STREAM_NAME_MAX + 8];
    char label[TOKEN_LABEL_MAX + 8];
    uint8_t hash[TOKEN_HASH_LEN];
    uint64_t created_ms;
    uint64_t expires_ms;       /* 0 = never */
    uint64_t max_duration_ms;  /* of one session; 0 = no limit */
    uint64_t revoked_ms;       /* 0 = not revoked */
    uint32_t max_sessions;     /* streams at once; 0 = no limit */
    uint32_t max_bitrate_kbps; /* of one stream; 0 = the gateway's limit, which it never exceeds */
    enum grant_clash clash;
};

/* What an administrator asks for. */
struct token_wish {
    struct slice pattern;
    struct slice label;
    uint64_t expires_s;      /* from now; 0 = never */
    uint64_t max_duration_s; /* 0 = no limit */
    bool sessions_given;     /* false: 1 for a plain name, no limit for a pattern (W2) */
    uint32_t max_sessions;
    uint32_t max_bitrate_kbps; /* 0 = the gateway's */
    enum grant_clash clash;
};

enum token_state { TOKEN_ACTIVE, TOKEN_EXPIRED, TOKEN_REVOKED };

/* Makes a fresh token with random id and text. *out and out_text are set together.
 * 0, -EINVAL for a pattern, label, time or count outside its limits. */
int token_make(const struct token_key *key, const struct token_wish *wish, uint64_t now_ms,
               char out_text[TOKEN_TEXT_LEN + 1], struct token *out);

/* The stored form of a text. 0, -EBADMSG when the text cannot be a token (RFC 6750 2.1 characters,
 * 1 to STREAM_TOKEN_MAX of them), -ENOMEM. */
int token_hash(const struct token_key *key, struct slice text, uint8_t out[TOKEN_HASH_LEN]);

/* "t_" and 10 characters of [A-Za-z0-9]. */
bool token_id_valid(struct slice id);
/* UTF-8 is the JSON parser's duty; control characters are refused, because labels reach terminals.
 */
bool token_label_valid(struct slice label);

enum token_state token_state(const struct token *t, uint64_t now_ms);
const char *token_state_name(enum token_state state);
const char *token_clash_name(enum grant_clash clash); /* "refuse", "take-over" */
/* 0, or -EBADMSG for a name that is none. */
int token_clash_parse(struct slice name, enum grant_clash *out);

/* Microseconds a session that starts now may last: the earlier of expiry and max_duration,
 * UINT64_MAX = no limit. */
uint64_t token_remaining_us(const struct token *t, uint64_t now_ms);

#endif
