/* ICE-lite responder: authenticates Binding requests and answers them (RFC 8445 7.3, RFC 8489). */
#include "gateway/rtc/ice.h"

#include "lib/base/reader.h"
#include "lib/base/secret.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <stun/stunagent.h>
#include <stun/usages/ice.h>

#define STUN_HEAD_LEN 20u
#define BINDING_REQUEST 0x0001u
#define STUN_COOKIE 0x2112a442u
#define ATTRIBUTES_MAX 24u
#define USERNAME_MAX 513u /* RFC 8489 14.3 */
#define PWD_MAX 256u

enum attribute {
    USERNAME = 0x0006,
    MESSAGE_INTEGRITY = 0x0008,
    PRIORITY = 0x0024,
    USE_CANDIDATE = 0x0025,
    FINGERPRINT = 0x8028,
    ICE_CONTROLLED = 0x8029,
    ICE_CONTROLLING = 0x802a
};

/* ---- pre-parser ---- */

struct seen {
    bool username;
    bool integrity;
    bool fingerprint;
};

static bool split_username(const uint8_t *value, size_t len, struct ice_info *info)
{
    struct slice rest = slice_make(value, len);
    info->local_ufrag = slice_cut(&rest, ':');
    info->remote_ufrag = rest;
    return rest.len > 0 && info->local_ufrag.len > 0 && len <= USERNAME_MAX &&
           info->local_ufrag.len <= ICE_UFRAG_MAX && info->remote_ufrag.len <= ICE_UFRAG_MAX;
}

/* libnice compares 20 bytes of MESSAGE-INTEGRITY whatever its length says: lengths are ours to
 * check. Attributes that we do not know are left to it. */
static bool check_attribute(struct seen *seen, unsigned type, const uint8_t *value, size_t len,
                            struct ice_info *info)
{
    switch (type) {
    case USERNAME:
        if (seen->username)
            return false;
        seen->username = true;
        return split_username(value, len, info);
    case MESSAGE_INTEGRITY:
        seen->integrity = true;
        return len == 20;
    case FINGERPRINT:
        seen->fingerprint = true;
        return len == 4;
    case PRIORITY:
        return len == 4;
    case USE_CANDIDATE:
        return len == 0;
    case ICE_CONTROLLED:
    case ICE_CONTROLLING:
        return len == 8;
    default:
        return true;
    }
}

static bool check_attributes(struct reader *r, struct ice_info *info)
{
    struct seen seen = {.username = false};
    unsigned count = 0;
    while (reader_left(r) > 0) {
        unsigned type = reader_u16(r);
        size_t len = reader_u16(r);
        const uint8_t *value = reader_bytes(r, len);
        reader_bytes(r, (4 - len % 4) % 4);
        if (!reader_ok(r) || ++count > ATTRIBUTES_MAX || seen.fingerprint)
            return false;
        if (seen.integrity && type != FINGERPRINT)
            return false;
        if (!check_attribute(&seen, type, value, len, info))
            return false;
    }
    return seen.username && seen.integrity && seen.fingerprint;
}

int ice_precheck(const uint8_t *data, size_t len, struct ice_info *out)
{
    struct reader r;
    struct ice_info info = {.local_ufrag = {.data = NULL}};
    if (len < STUN_HEAD_LEN || len > ICE_REQUEST_MAX)
        return -EBADMSG;
    reader_init(&r, data, len);
    uint16_t type = reader_u16(&r);
    uint16_t body = reader_u16(&r);
    uint32_t cookie = reader_u32(&r);
    reader_bytes(&r, 12); /* transaction */
    if (type != BINDING_REQUEST || cookie != STUN_COOKIE || body % 4 != 0 ||
        body != len - STUN_HEAD_LEN || !check_attributes(&r, &info))
        return -EBADMSG;
    *out = info;
    return 0;
}

/* ---- libnice ---- */

/* One request in libnice's terms. request points into pwd for the key of the reply, so the whole
 * must stay in place; wiped by exchange_done. */
struct exchange {
    StunAgent agent;
    StunMessage request;
    uint8_t pwd[PWD_MAX];
    size_t pwd_len;
};

/* The user name was compared before: the password is always the session's. */
static bool give_pwd(StunAgent *agent, StunMessage *message, uint8_t *username,
                     uint16_t username_len, uint8_t **password, size_t *password_len, void *ctx)
{
    struct exchange *x = ctx;
    (void)agent;
    (void)message;
    (void)username;
    (void)username_len;
    *password = x->pwd;
    *password_len = x->pwd_len;
    return true;
}

static void exchange_done(struct exchange *x)
{
    secret_wipe(x, sizeof(*x));
}

static bool names_match(const struct ice_info *info, const struct ice_credentials *credentials)
{
    if (!slice_is(info->local_ufrag, credentials->ufrag))
        return false;
    return !credentials->peer_ufrag || slice_is(info->remote_ufrag, credentials->peer_ufrag);
}

static void start_agent(StunAgent *agent)
{
    static const uint16_t known[] = {USERNAME,    MESSAGE_INTEGRITY, PRIORITY,        USE_CANDIDATE,
                                     FINGERPRINT, ICE_CONTROLLED,    ICE_CONTROLLING, 0};
    stun_agent_init(agent, known, STUN_COMPATIBILITY_RFC5389,
                    STUN_AGENT_USAGE_SHORT_TERM_CREDENTIALS | STUN_AGENT_USAGE_USE_FINGERPRINT);
}

static bool set_pwd(struct exchange *x, const char *pwd)
{
    x->pwd_len = strlen(pwd);
    if (x->pwd_len == 0 || x->pwd_len > sizeof(x->pwd))
        return false;
    memcpy(x->pwd, pwd, x->pwd_len);
    return true;
}

/* Only SUCCESS and UNKNOWN_REQUEST_ATTRIBUTE mean that the request is authentic. The agent is small
 * and has no state that outlives a request, so it is made for each. */
static StunValidationStatus validate(struct exchange *x, const uint8_t *data, size_t len,
                                     const struct ice_credentials *credentials)
{
    struct ice_info info;
    if (ice_precheck(data, len, &info) < 0 || !names_match(&info, credentials) ||
        !set_pwd(x, credentials->pwd))
        return STUN_VALIDATION_UNAUTHORIZED;
    start_agent(&x->agent);
    return stun_agent_validate(&x->agent, &x->request, data, len, give_pwd, x);
}

bool ice_verify(const uint8_t *data, size_t len, const struct ice_credentials *credentials)
{
    struct exchange x;
    StunValidationStatus status = validate(&x, data, len, credentials);
    exchange_done(&x);
    return status == STUN_VALIDATION_SUCCESS || status == STUN_VALIDATION_UNKNOWN_REQUEST_ATTRIBUTE;
}

/* We are lite and controlled: with tie-breaker 0 a peer that claims to be controlled too gets 487
 * and must switch (RFC 8445 7.3.1.1). */
static enum ice_verdict build_reply(struct exchange *x, const struct addr *from, uint8_t *out,
                                    size_t cap, size_t *out_len, bool *out_use_candidate)
{
    StunMessage reply;
    struct sockaddr_storage source;
    bool controlling = false;
    size_t len = cap;
    memset(&source, 0, sizeof(source));
    socklen_t source_len = addr_to_sockaddr(from, &source);
    StunUsageIceReturn result = stun_usage_ice_conncheck_create_reply(
        &x->agent, &x->request, &reply, out, &len, &source, source_len, &controlling, 0,
        STUN_USAGE_ICE_COMPATIBILITY_RFC5245);
    if (len == 0)
        return ICE_DROP;
    *out_len = len;
    if (result != STUN_USAGE_ICE_RETURN_SUCCESS)
        return ICE_REFUSE;
    *out_use_candidate = stun_usage_ice_conncheck_use_candidate(&x->request);
    return ICE_ACCEPT;
}

static enum ice_verdict refuse_unknown(struct exchange *x, uint8_t *out, size_t cap,
                                       size_t *out_len)
{
    StunMessage reply;
    *out_len = stun_agent_build_unknown_attributes_error(&x->agent, &reply, out, cap, &x->request);
    return *out_len > 0 ? ICE_REFUSE : ICE_DROP;
}

enum ice_verdict ice_answer(const uint8_t *data, size_t len,
                            const struct ice_credentials *credentials, const struct addr *from,
                            uint8_t *out, size_t cap, size_t *out_len, bool *out_use_candidate)
{
    struct exchange x;
    enum ice_verdict verdict = ICE_DROP;
    *out_len = 0;
    *out_use_candidate = false;
    /* libnice aborts the process when a reply does not fit or the family is unknown. */
    if (cap < ICE_REPLY_MAX || (from->family != 4 && from->family != 6))
        return ICE_DROP;
    StunValidationStatus status = validate(&x, data, len, credentials);
    if (status == STUN_VALIDATION_SUCCESS)
        verdict = build_reply(&x, from, out, cap, out_len, out_use_candidate);
    else if (status == STUN_VALIDATION_UNKNOWN_REQUEST_ATTRIBUTE)
        verdict = refuse_unknown(&x, out, cap, out_len);
    exchange_done(&x);
    return verdict;
}

/* A request to ourselves; its length, 0 on failure. */
static size_t make_request(uint8_t *out, size_t cap, const char *pwd)
{
    struct exchange x;
    uint8_t name[] = "ours:theirs";
    size_t len = 0;
    start_agent(&x.agent);
    if (set_pwd(&x, pwd))
        len = stun_usage_ice_conncheck_create(&x.agent, &x.request, out, cap, name,
                                              sizeof(name) - 1, x.pwd, x.pwd_len, true, true, 1, 1,
                                              NULL, STUN_USAGE_ICE_COMPATIBILITY_RFC5245);
    exchange_done(&x);
    return len;
}

int ice_warm(void)
{
    const struct ice_credentials credentials = {
        .ufrag = "ours", .pwd = "only-for-the-warm-up", .peer_ufrag = "theirs"};
    struct addr from = {.family = 4, .port = 9, .ip = {127, 0, 0, 1}};
    uint8_t request[ICE_REPLY_MAX];
    uint8_t reply[ICE_REPLY_MAX];
    size_t reply_len = 0;
    bool nominated = false;
    size_t len = make_request(request, sizeof(request), credentials.pwd);
    enum ice_verdict verdict =
        ice_answer(request, len, &credentials, &from, reply, sizeof(reply), &reply_len, &nominated);
    return verdict == ICE_ACCEPT && nominated ? 0 : -ENOTSUP;
}
