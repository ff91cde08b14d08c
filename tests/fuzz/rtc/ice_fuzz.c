/* Fuzzes the STUN pre-parser, and libnice behind it with a password that never fits by chance. */
#include "gateway/rtc/ice.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char ufrag[ICE_UFRAG_MAX + 1];
    struct ice_info info;
    uint8_t out[ICE_REPLY_MAX];
    size_t out_len = 0;
    bool nominated = false;
    const struct addr from = {.family = 4, .port = 9, .ip = {192, 0, 2, 1}};
    if (ice_precheck(data, size, &info) < 0)
        return 0;
    if (text_copy(ufrag, sizeof(ufrag), info.local_ufrag) < 0)
        return 0;
    /* The right name and the password of the seeds, so that replies are made too. */
    const struct ice_credentials credentials = {.ufrag = ufrag, .pwd = "VOkJxbRl1RmTxUk/WvJxBt"};
    enum ice_verdict verdict =
        ice_answer(data, size, &credentials, &from, out, sizeof(out), &out_len, &nominated);
    if ((verdict == ICE_DROP) != (out_len == 0) || out_len > sizeof(out))
        abort();
    if (nominated && verdict != ICE_ACCEPT)
        abort();
    if (ice_verify(data, size, &credentials) != (verdict != ICE_DROP))
        abort();
    return 0;
}
