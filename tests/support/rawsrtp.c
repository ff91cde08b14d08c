#include "tests/support/rawsrtp.h"

#include "lib/base/secret.h"

#include <arpa/inet.h>
#include <errno.h>
#include <srtp2/srtp.h>
#include <stdlib.h>
#include <string.h>

struct rawsrtp {
    srtp_t out;
    srtp_t in;
};

struct profile {
    const char *name;
    size_t key_len;
    size_t salt_len;
};

static const struct profile profiles[RAWSRTP_PROFILE_COUNT] = {
    [RAWSRTP_CM80] = {"SRTP_AES128_CM_SHA1_80", 16, 14},
    [RAWSRTP_GCM128] = {"SRTP_AEAD_AES_128_GCM", 16, 12},
    [RAWSRTP_GCM256] = {"SRTP_AEAD_AES_256_GCM", 32, 12},
};

const char *rawsrtp_profile_name(enum rawsrtp_profile profile)
{
    return profiles[profile].name;
}

size_t rawsrtp_material_len(enum rawsrtp_profile profile)
{
    return 2 * (profiles[profile].key_len + profiles[profile].salt_len);
}

int rawsrtp_setup(void)
{
    return srtp_init() == srtp_err_status_ok ? 0 : -EIO;
}

static void set_profile(srtp_crypto_policy_t *policy, enum rawsrtp_profile profile)
{
    if (profile == RAWSRTP_GCM128)
        srtp_crypto_policy_set_aes_gcm_128_16_auth(policy);
    else if (profile == RAWSRTP_GCM256)
        srtp_crypto_policy_set_aes_gcm_256_16_auth(policy);
    else
        srtp_crypto_policy_set_aes_cm_128_hmac_sha1_80(policy);
}

/* which: 0 the client's half of the material, 1 the server's. */
static int make_context(enum rawsrtp_profile profile, const uint8_t *material, size_t which,
                        srtp_ssrc_type_t direction, srtp_t *out)
{
    const struct profile *p = &profiles[profile];
    uint8_t key[64] = {0};
    srtp_policy_t policy;
    memset(&policy, 0, sizeof(policy));
    memcpy(key, material + which * p->key_len, p->key_len);
    memcpy(key + p->key_len, material + 2 * p->key_len + which * p->salt_len, p->salt_len);
    set_profile(&policy.rtp, profile);
    set_profile(&policy.rtcp, profile);
    policy.ssrc.type = direction;
    policy.key = key;
    policy.window_size = 1024;
    policy.allow_repeat_tx = 1;
    srtp_err_status_t status = srtp_create(out, &policy);
    secret_wipe(key, sizeof(key));
    return status == srtp_err_status_ok ? 0 : -EIO;
}

int rawsrtp_new(enum rawsrtp_profile profile, const uint8_t *material, struct rawsrtp **out)
{
    struct rawsrtp *srtp = calloc(1, sizeof(*srtp));
    if (srtp == NULL)
        return -ENOMEM;
    int rc = make_context(profile, material, 0, ssrc_any_outbound, &srtp->out);
    if (rc == 0)
        rc = make_context(profile, material, 1, ssrc_any_inbound, &srtp->in);
    if (rc != 0) {
        rawsrtp_free(srtp);
        return rc;
    }
    *out = srtp;
    return 0;
}

void rawsrtp_free(struct rawsrtp *srtp)
{
    if (srtp == NULL)
        return;
    if (srtp->out != NULL)
        srtp_dealloc(srtp->out);
    if (srtp->in != NULL)
        srtp_dealloc(srtp->in);
    free(srtp);
}

int rawsrtp_protect(struct rawsrtp *srtp, uint8_t *packet, size_t len)
{
    int size = (int)len;
    return srtp_protect(srtp->out, packet, &size) == srtp_err_status_ok ? size : -EBADMSG;
}

void rawsrtp_forget(struct rawsrtp *srtp, uint32_t ssrc)
{
    (void)srtp_remove_stream(srtp->out, htonl(ssrc));
}

int rawsrtp_protect_rtcp(struct rawsrtp *srtp, uint8_t *packet, size_t len)
{
    int size = (int)len;
    return srtp_protect_rtcp(srtp->out, packet, &size) == srtp_err_status_ok ? size : -EBADMSG;
}

int rawsrtp_unprotect_rtcp(struct rawsrtp *srtp, uint8_t *packet, size_t len)
{
    int size = (int)len;
    return srtp_unprotect_rtcp(srtp->in, packet, &size) == srtp_err_status_ok ? size : -EBADMSG;
}
