/* Lines of control.sock: whatever is taken must be within every limit. */
#include "auth/adminreq.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct adminreq req;
    const char *problem = NULL;
    if (adminreq_parse((const char *)data, size, &req, &problem) < 0) {
        assert(problem && strlen(problem) > 0);
        return 0;
    }
    assert(size <= ADMINREQ_LINE_MAX);
    assert(req.op < ADMINREQ_OP_COUNT);
    assert(token_label_valid(slice_of(req.label)));
    assert(req.id[0] == '\0' || token_id_valid(slice_of(req.id)));
    assert(req.after_id[0] == '\0' || token_id_valid(slice_of(req.after_id)));
    assert(req.stream[0] == '\0' || stream_pattern_valid(slice_of(req.stream)));
    assert(req.expires_s <= TOKEN_TIME_MAX_S && req.max_duration_s <= TOKEN_TIME_MAX_S);
    assert(req.max_sessions <= TOKEN_SESSIONS_MAX && req.after_ms <= INT64_MAX);
    if (req.op == ADMINREQ_STREAM_KICK)
        assert(stream_name_valid(slice_of(req.stream)));
    return 0;
}
