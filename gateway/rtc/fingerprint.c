/* Hashes that certificates are recognised by (RFC 8122 5). */
#include "gateway/rtc/fingerprint.h"

#include <errno.h>
#include <string.h>

struct algorithm_row {
    const char *name;
    enum fingerprint_algorithm algorithm;
    size_t len;
};

static const struct algorithm_row algorithms[] = {
    {"sha-256", FINGERPRINT_SHA256, 32}, {"sha-384", FINGERPRINT_SHA384, 48},
    {"sha-512", FINGERPRINT_SHA512, 64}, {"sha-224", FINGERPRINT_WEAK, 0},
    {"sha-1", FINGERPRINT_WEAK, 0},      {"md5", FINGERPRINT_WEAK, 0},
    {"md2", FINGERPRINT_WEAK, 0},
};
#define ALGORITHM_COUNT (sizeof(algorithms) / sizeof(algorithms[0]))

static int parse_digits(struct slice digits, size_t len, uint8_t *out)
{
    if (digits.len != 3 * len - 1)
        return -EBADMSG;
    for (size_t i = 0; i < len; i++) {
        int err = text_unhex(slice_make(digits.data + 3 * i, 2), out + i, 1);
        if (err < 0)
            return err;
        if (i + 1 < len && digits.data[3 * i + 2] != ':')
            return -EBADMSG;
    }
    return 0;
}

int fingerprint_parse(struct slice text, struct fingerprint *out)
{
    struct slice rest = slice_trim(text);
    struct slice name = slice_cut(&rest, ' ');
    struct fingerprint parsed = {.algorithm = FINGERPRINT_UNKNOWN};
    for (size_t i = 0; i < ALGORITHM_COUNT; i++) {
        if (!slice_is_nocase(name, algorithms[i].name))
            continue;
        parsed.algorithm = algorithms[i].algorithm;
        parsed.len = algorithms[i].len;
    }
    if (parsed.len > 0) {
        int err = parse_digits(slice_trim(rest), parsed.len, parsed.hash);
        if (err < 0)
            return err;
    }
    *out = parsed;
    return 0;
}

void fingerprint_format(const struct fingerprint *f, char out[FINGERPRINT_TEXT_MAX])
{
    static const char digits[] = "0123456789ABCDEF";
    size_t at = 0;
    for (size_t i = 0; i < ALGORITHM_COUNT; i++) {
        if (algorithms[i].algorithm == f->algorithm && algorithms[i].len > 0) {
            at = strlen(algorithms[i].name);
            memcpy(out, algorithms[i].name, at);
        }
    }
    for (size_t i = 0; i < f->len; i++) {
        out[at++] = i == 0 ? ' ' : ':';
        out[at++] = digits[f->hash[i] >> 4];
        out[at++] = digits[f->hash[i] & 15];
    }
    out[at] = '\0';
}

bool fingerprint_matches(const struct fingerprint *list, size_t count, fingerprint_hash_fn hash_of,
                         void *ctx)
{
    enum fingerprint_algorithm best = FINGERPRINT_WEAK;
    for (size_t i = 0; i < count; i++) {
        if (list[i].algorithm > best)
            best = list[i].algorithm;
    }
    struct fingerprint actual = {.len = 0};
    if (best == FINGERPRINT_WEAK || !hash_of(ctx, best, &actual) || actual.len == 0)
        return false;
    for (size_t i = 0; i < count; i++) {
        /* Fingerprints are public: no need for a compare in constant time. */
        if (list[i].algorithm == best && list[i].len == actual.len &&
            memcmp(list[i].hash, actual.hash, actual.len) == 0)
            return true;
    }
    return false;
}
