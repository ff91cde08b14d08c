/* Short-lived credentials for TURN servers that share a secret with us (WHIP-50). */
#include "auth/turn.h"

#include "lib/base/secret.h"

#include <errno.h>
#include <limits.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <string.h>

#define SHA1_LEN 20u
_Static_assert(SHA1_LEN * 4 / 3 + 3 <= TURN_PASSWORD_MAX, "the password fits");

int turn_make(struct slice secret, uint64_t expiry_s, const char *token_id,
              struct turn_credential *out)
{
    struct turn_credential made = {0};
    unsigned char hash[EVP_MAX_MD_SIZE];
    unsigned char base64[4 * ((EVP_MAX_MD_SIZE + 2) / 3) + 1];
    unsigned int len = 0;
    int n = snprintf(made.username, sizeof(made.username), "%llu:%s", (unsigned long long)expiry_s,
                     token_id);
    if (n < 0 || n > TURN_USERNAME_MAX || secret.len == 0 || secret.len > INT_MAX)
        return -EINVAL;
    const unsigned char *done = HMAC(EVP_sha1(), secret.data, (int)secret.len,
                                     (const unsigned char *)made.username, (size_t)n, hash, &len);
    if (!done || len != SHA1_LEN)
        return -ENOMEM;
    int chars = EVP_EncodeBlock(base64, hash, (int)len);
    memcpy(made.password, base64, (size_t)chars + 1);
    *out = made;
    secret_wipe(&made, sizeof(made));
    secret_wipe(hash, sizeof(hash));
    secret_wipe(base64, sizeof(base64));
    return 0;
}
