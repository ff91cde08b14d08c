/* SRTP and SRTCP of one session in both directions (RFC 3711, 7714) over libsrtp2. */
#include "gateway/rtc/srtp.h"

#include "lib/base/clock.h"
#include "lib/base/reader.h"
#include "lib/base/secret.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <srtp2/srtp.h>
#include <stdlib.h>
#include <string.h>

#define WINDOW 1024u
#define RTP_MIN 12u
#define RTCP_MIN 8u
#define PACKET_MAX 2048u
#define LOST_AFTER 50u          /* failures in a row before a rollover counter is searched */
#define SEARCH_EVERY_US 750000u /* three trials each: 4 a second (threats.md U11) */
#define SEARCH_AHEAD 2u

/* One source that was authentic before. */
struct source {
    uint32_t ssrc;
    unsigned failures; /* RTP packets in a row that were not authentic */
};

struct srtp {
    srtp_t in;
    srtp_t out;
    enum srtp_suite suite;
    uint8_t in_key[SRTP_KEY_MAX + SRTP_SALT_MAX]; /* key then salt; for the counter search */
    size_t source_count;
    struct source sources[SRTP_SSRCS_MAX];
    uint64_t next_search_us;
};

size_t srtp_key_len(enum srtp_suite suite)
{
    if (suite == SRTP_SUITE_AEAD_AES_256_GCM)
        return 32;
    return suite == SRTP_SUITE_NONE ? 0 : 16;
}

size_t srtp_salt_len(enum srtp_suite suite)
{
    if (suite == SRTP_SUITE_AES128_CM_SHA1_80)
        return 14;
    return suite == SRTP_SUITE_NONE ? 0 : 12;
}

static bool set_crypto(srtp_policy_t *policy, enum srtp_suite suite)
{
    switch (suite) {
    case SRTP_SUITE_AEAD_AES_128_GCM:
        srtp_crypto_policy_set_aes_gcm_128_16_auth(&policy->rtp);
        srtp_crypto_policy_set_aes_gcm_128_16_auth(&policy->rtcp);
        return true;
    case SRTP_SUITE_AEAD_AES_256_GCM:
        srtp_crypto_policy_set_aes_gcm_256_16_auth(&policy->rtp);
        srtp_crypto_policy_set_aes_gcm_256_16_auth(&policy->rtcp);
        return true;
    case SRTP_SUITE_AES128_CM_SHA1_80:
        srtp_crypto_policy_set_aes_cm_128_hmac_sha1_80(&policy->rtp);
        srtp_crypto_policy_set_aes_cm_128_hmac_sha1_80(&policy->rtcp);
        return true;
    case SRTP_SUITE_NONE:
    default:
        return false;
    }
}

/* A context for one direction, or for one SSRC when type is ssrc_specific. NULL on failure. */
static srtp_t make_context(enum srtp_suite suite, uint8_t *key, srtp_ssrc_type_t type,
                           uint32_t ssrc)
{
    srtp_policy_t policy;
    srtp_t context = NULL;
    memset(&policy, 0, sizeof(policy));
    if (!set_crypto(&policy, suite))
        return NULL;
    policy.ssrc.type = type;
    policy.ssrc.value = ssrc;
    policy.key = key;
    policy.window_size = WINDOW;
    return srtp_create(&context, &policy) == srtp_err_status_ok ? context : NULL;
}

static int make_session(enum srtp_suite suite, const uint8_t *in_key, const uint8_t *in_salt,
                        const uint8_t *out_key, const uint8_t *out_salt, struct srtp **out)
{
    size_t key_len = srtp_key_len(suite);
    size_t salt_len = srtp_salt_len(suite);
    uint8_t joined[SRTP_KEY_MAX + SRTP_SALT_MAX] = {0};
    if (suite != SRTP_SUITE_AEAD_AES_128_GCM && suite != SRTP_SUITE_AEAD_AES_256_GCM &&
        suite != SRTP_SUITE_AES128_CM_SHA1_80)
        return -EINVAL;
    struct srtp *s = calloc(1, sizeof(*s));
    if (!s)
        return -ENOMEM;
    s->suite = suite;
    memcpy(s->in_key, in_key, key_len);
    memcpy(s->in_key + key_len, in_salt, salt_len);
    memcpy(joined, out_key, key_len);
    memcpy(joined + key_len, out_salt, salt_len);
    s->in = make_context(suite, s->in_key, ssrc_any_inbound, 0);
    s->out = make_context(suite, joined, ssrc_any_outbound, 0);
    secret_wipe(joined, sizeof(joined));
    if (!s->in || !s->out) {
        srtp_free(s);
        return -EIO;
    }
    *out = s;
    return 0;
}

int srtp_new(const struct srtp_keys *keys, struct srtp **out)
{
    return make_session(keys->suite, keys->client_key, keys->client_salt, keys->server_key,
                        keys->server_salt, out);
}

int srtp_new_client(const struct srtp_keys *keys, struct srtp **out)
{
    return make_session(keys->suite, keys->server_key, keys->server_salt, keys->client_key,
                        keys->client_salt, out);
}

void srtp_free(struct srtp *s)
{
    if (!s)
        return;
    if (s->in)
        srtp_dealloc(s->in);
    if (s->out)
        srtp_dealloc(s->out);
    secret_wipe(s, sizeof(*s));
    free(s);
}

/* ---- sources ---- */

static struct source *find_source(struct srtp *s, uint32_t ssrc)
{
    for (size_t i = 0; i < s->source_count; i++) {
        if (s->sources[i].ssrc == ssrc)
            return &s->sources[i];
    }
    return NULL;
}

/* The gate before libsrtp: it would learn any number of authentic sources (threats.md U12). */
static bool may_decrypt(const struct srtp *s, const struct source *known)
{
    return known || s->source_count < SRTP_SSRCS_MAX;
}

static void learn(struct srtp *s, uint32_t ssrc)
{
    assert(s->source_count < SRTP_SSRCS_MAX); /* may_decrypt was asked */
    s->sources[s->source_count++] = (struct source){.ssrc = ssrc};
}

bool srtp_knows(const struct srtp *s, uint32_t ssrc)
{
    for (size_t i = 0; i < s->source_count; i++) {
        if (s->sources[i].ssrc == ssrc)
            return true;
    }
    return false;
}

size_t srtp_known_count(const struct srtp *s)
{
    return s->source_count;
}

void srtp_forget(struct srtp *s, uint32_t ssrc)
{
    struct source *known = find_source(s, ssrc);
    if (!known)
        return;
    *known = s->sources[--s->source_count];
    (void)srtp_remove_stream(s->in, htonl(ssrc)); /* gone or was never there: both fine */
}

static int translate(srtp_err_status_t status)
{
    switch (status) {
    case srtp_err_status_ok:
        return 0;
    case srtp_err_status_auth_fail:
        return -EACCES;
    case srtp_err_status_replay_fail:
    case srtp_err_status_replay_old:
        return -EALREADY;
    case srtp_err_status_bad_param:
    case srtp_err_status_parse_err:
        return -EBADMSG;
    default:
        return -EIO;
    }
}

/* ---- rollover counter after a long outage ---- */

/* Tries one counter on a copy in a context of its own, so that the live replay window stays as it
 * is when the guess is wrong. */
static bool counter_fits(struct srtp *s, uint32_t ssrc, uint32_t counter, const uint8_t *packet,
                         size_t len)
{
    uint8_t copy[PACKET_MAX];
    int copy_len = (int)len;
    bool fits = false;
    srtp_t trial = make_context(s->suite, s->in_key, ssrc_specific, ssrc);
    if (!trial)
        return false;
    memcpy(copy, packet, len);
    if (srtp_set_stream_roc(trial, ssrc, counter) == srtp_err_status_ok)
        fits = srtp_unprotect(trial, copy, &copy_len) == srtp_err_status_ok;
    srtp_dealloc(trial);
    secret_wipe(copy, sizeof(copy));
    return fits;
}

static bool find_counter(struct srtp *s, uint32_t ssrc, const uint8_t *packet, size_t len)
{
    uint32_t counter = 0;
    if (srtp_get_stream_roc(s->in, ssrc, &counter) != srtp_err_status_ok)
        return false;
    /* Not even the present one is certain: the estimate of RFC 3711 3.3.1 may have gone back. */
    for (uint32_t ahead = 0; ahead <= SEARCH_AHEAD; ahead++) {
        if (counter_fits(s, ssrc, counter + ahead, packet, len))
            return srtp_set_stream_roc(s->in, ssrc, counter + ahead) == srtp_err_status_ok;
    }
    return false;
}

static bool is_lost(const struct srtp *s, const struct source *known, uint64_t now_us)
{
    return known && known->failures >= LOST_AFTER && now_us >= s->next_search_us;
}

/* ---- packets ---- */

int srtp_decrypt_rtp(struct srtp *s, uint8_t *data, size_t *len, uint64_t now_us)
{
    struct reader r;
    if (*len < RTP_MIN || *len > PACKET_MAX)
        return -EBADMSG;
    reader_init(&r, data + 8, 4);
    uint32_t ssrc = reader_u32(&r);
    struct source *known = find_source(s, ssrc);
    if (!may_decrypt(s, known))
        return -EDQUOT;
    if (is_lost(s, known, now_us)) {
        s->next_search_us = now_us + SEARCH_EVERY_US;
        (void)find_counter(s, ssrc, data, *len); /* either way the packet decides below */
    }
    int plain_len = (int)*len;
    int err = translate(srtp_unprotect(s->in, data, &plain_len));
    if (known)
        known->failures = err == -EACCES || err == -EALREADY ? known->failures + 1 : 0;
    if (err < 0)
        return err;
    if (!known)
        learn(s, ssrc);
    *len = (size_t)plain_len;
    return 0;
}

int srtp_decrypt_rtcp(struct srtp *s, uint8_t *data, size_t *len)
{
    struct reader r;
    if (*len < RTCP_MIN || *len > PACKET_MAX)
        return -EBADMSG;
    reader_init(&r, data + 4, 4);
    uint32_t ssrc = reader_u32(&r);
    const struct source *known = find_source(s, ssrc);
    if (!may_decrypt(s, known))
        return -EDQUOT;
    int plain_len = (int)*len;
    int err = translate(srtp_unprotect_rtcp(s->in, data, &plain_len));
    if (err < 0)
        return err;
    if (!known)
        learn(s, ssrc);
    *len = (size_t)plain_len;
    return 0;
}

static int check_room(size_t len, size_t least, size_t cap)
{
    if (len < least || len > PACKET_MAX)
        return -EBADMSG;
    return cap < len + SRTP_TRAILER_MAX ? -EMSGSIZE : 0;
}

int srtp_encrypt_rtp(struct srtp *s, uint8_t *data, size_t *len, size_t cap)
{
    int err = check_room(*len, RTP_MIN, cap);
    if (err < 0)
        return err;
    int sealed_len = (int)*len;
    err = translate(srtp_protect(s->out, data, &sealed_len));
    if (err < 0)
        return err;
    *len = (size_t)sealed_len;
    return 0;
}

int srtp_encrypt_rtcp(struct srtp *s, uint8_t *data, size_t *len, size_t cap)
{
    int err = check_room(*len, RTCP_MIN, cap);
    if (err < 0)
        return err;
    int sealed_len = (int)*len;
    err = translate(srtp_protect_rtcp(s->out, data, &sealed_len));
    if (err < 0)
        return err;
    *len = (size_t)sealed_len;
    return 0;
}

/* ---- warmth ---- */

static const enum srtp_suite suites[] = {SRTP_SUITE_AEAD_AES_128_GCM, SRTP_SUITE_AEAD_AES_256_GCM,
                                         SRTP_SUITE_AES128_CM_SHA1_80};
#define SUITE_COUNT (sizeof(suites) / sizeof(suites[0]))

struct srtp_warmth {
    struct srtp *held[SUITE_COUNT];
};

/* One packet each way, so that every cipher and hash has run. */
static int use_once(struct srtp *s)
{
    uint8_t rtp[64] = {0x80, 96};
    uint8_t rtcp[64] = {0x80, 201, 0, 1};
    size_t rtp_len = 20;
    size_t rtcp_len = 8;
    int err = srtp_encrypt_rtp(s, rtp, &rtp_len, sizeof(rtp));
    if (err == 0)
        err = srtp_encrypt_rtcp(s, rtcp, &rtcp_len, sizeof(rtcp));
    if (err == 0)
        err = srtp_decrypt_rtp(s, rtp, &rtp_len, 0);
    if (err == 0)
        err = srtp_decrypt_rtcp(s, rtcp, &rtcp_len);
    return err;
}

int srtp_warm(struct srtp_warmth **out)
{
    struct srtp_keys keys; /* both directions alike, so that a session reads what it wrote */
    memset(&keys, 7, sizeof(keys));
    if (srtp_init() != srtp_err_status_ok)
        return -EIO;
    struct srtp_warmth *warmth = calloc(1, sizeof(*warmth));
    if (!warmth)
        return -ENOMEM;
    int err = 0;
    for (size_t i = 0; i < SUITE_COUNT && err == 0; i++) {
        keys.suite = suites[i];
        err = srtp_new(&keys, &warmth->held[i]);
        if (err == 0)
            err = use_once(warmth->held[i]);
    }
    if (err < 0) {
        srtp_warmth_free(warmth);
        return err;
    }
    *out = warmth;
    return 0;
}

void srtp_warmth_free(struct srtp_warmth *warmth)
{
    if (!warmth)
        return;
    for (size_t i = 0; i < SUITE_COUNT; i++)
        srtp_free(warmth->held[i]);
    free(warmth);
}
