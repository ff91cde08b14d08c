/* Random bytes, comparison in constant time, and wiping. */
#include "lib/base/secret.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

void secret_random(void *data, size_t len)
{
    uint8_t *at = data;
    while (len > 0) {
        ssize_t got = getrandom(at, len, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            abort();
        at += got;
        len -= (size_t)got;
    }
}

void secret_random_text(char *to, size_t len)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    uint8_t bytes[64];
    size_t done = 0;
    while (done < len) {
        secret_random(bytes, sizeof(bytes));
        for (size_t i = 0; i < sizeof(bytes) && done < len; i++) {
            /* 248 = 4 * 62: values above would make the first letters more likely */
            if (bytes[i] < 248)
                to[done++] = letters[bytes[i] % 62];
        }
    }
    to[len] = '\0';
    secret_wipe(bytes, sizeof(bytes));
}

bool secret_equal(const void *a, const void *b, size_t len)
{
    const volatile uint8_t *left = a;
    const volatile uint8_t *right = b;
    uint8_t differs = 0;
    for (size_t i = 0; i < len; i++)
        differs = (uint8_t)(differs | (left[i] ^ right[i]));
    return differs == 0;
}

void secret_wipe(void *data, size_t len)
{
    if (len > 0)
        explicit_bzero(data, len);
}
