/* Reads the bit fields of codec headers. */
#include "gateway/depay/rbsp.h"

#include <string.h>

void rbsp_init(struct rbsp *r, const uint8_t *data, size_t len)
{
    memset(r, 0, sizeof(*r));
    r->data = data;
    r->len = len;
}

void rbsp_init_plain(struct rbsp *r, const uint8_t *data, size_t len)
{
    rbsp_init(r, data, len);
    r->plain = true;
}

bool rbsp_ok(const struct rbsp *r)
{
    return !r->failed;
}

static void next_byte(struct rbsp *r)
{
    if (!r->plain && r->zeros >= 2 && r->pos < r->len && r->data[r->pos] == 3) {
        r->pos++;
        r->zeros = 0;
    }
    if (r->pos >= r->len) {
        r->failed = true;
        return;
    }
    r->current = r->data[r->pos++];
    r->zeros = r->current == 0 ? r->zeros + 1 : 0;
    r->left = 8;
}

bool rbsp_flag(struct rbsp *r)
{
    if (r->left == 0 && !r->failed)
        next_byte(r);
    if (r->failed)
        return false;
    r->left--;
    return (r->current >> r->left) & 1;
}

uint32_t rbsp_bits(struct rbsp *r, unsigned count)
{
    uint32_t value = 0;
    for (unsigned i = 0; i < count; i++)
        value = value << 1 | (rbsp_flag(r) ? 1u : 0u);
    return r->failed ? 0 : value;
}

void rbsp_skip(struct rbsp *r, unsigned count)
{
    for (unsigned i = 0; i < count && !r->failed; i++)
        rbsp_flag(r);
}

uint32_t rbsp_ue(struct rbsp *r)
{
    unsigned zeros = 0;
    while (!r->failed && !rbsp_flag(r)) {
        zeros++;
        if (zeros > 31)
            r->failed = true; /* the largest ue(v) that H.264 uses has 31 leading zeros */
    }
    uint32_t rest = rbsp_bits(r, zeros);
    if (r->failed)
        return 0;
    return (uint32_t)((UINT64_C(1) << zeros) - 1 + rest);
}

int32_t rbsp_se(struct rbsp *r)
{
    uint32_t code = rbsp_ue(r);
    int64_t half = ((int64_t)code + 1) / 2;
    return (int32_t)(code % 2 == 1 ? half : -half);
}
