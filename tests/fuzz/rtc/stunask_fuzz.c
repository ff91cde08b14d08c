/* Fuzzes what a STUN server may answer. */
#include "gateway/rtc/stunask.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t zero[STUNASK_ID_LEN] = {0};
    const uint8_t *id = size >= 20 ? data + 8 : zero; /* so that it is always the right one */
    struct addr seen;
    if (stunask_parse(data, size, id, &seen) == 0 &&
        ((seen.family != 4 && seen.family != 6) || seen.port == 0))
        abort();
    return 0;
}
