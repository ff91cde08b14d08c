/* Fuzzes the reader of SDP fragments: a pair that can be used, or a 4xx with a reason. */
#include "gateway/rtc/sdpfrag.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sdpfrag f;
    const char *reason = NULL;
    int err = sdpfrag_parse(slice_make(data, size), &f, &reason);
    if (err < 0) {
        if (!reason || sdp_http_status(err) / 100 != 4)
            abort();
        return 0;
    }
    if (f.ufrag.len == 0 || f.ufrag.len > 256 || f.pwd.len == 0 || f.pwd.len > 256 ||
        memchr(f.ufrag.data, '\n', f.ufrag.len) || memchr(f.pwd.data, '\r', f.pwd.len))
        abort();
    return 0;
}
