/* The NAL units that a depacketiser puts together in its body. */
#include "gateway/depay/nalbody.h"

#include "gateway/depay/nalset.h"
#include "lib/base/writer.h"

int nalbody_open(struct nalbody *n, struct depay *d)
{
    static const uint8_t room[NALSET_PREFIX_LEN];
    n->at = d->len;
    n->open = true;
    return depay_put(d, room, sizeof(room));
}

const uint8_t *nalbody_get(const struct nalbody *n, struct depay *d, size_t *out_len)
{
    *out_len = d->len - n->at - NALSET_PREFIX_LEN;
    return depay_body(d) + n->at + NALSET_PREFIX_LEN;
}

void nalbody_close(struct nalbody *n, struct depay *d, bool keep)
{
    n->open = false;
    if (!keep) {
        d->len = n->at;
        return;
    }
    struct writer w;
    writer_init(&w, depay_body(d) + n->at, NALSET_PREFIX_LEN);
    writer_u32(&w, (uint32_t)(d->len - n->at - NALSET_PREFIX_LEN));
}
