/* Text that claims to be a token, an id or a label. */
#include "auth/token.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct token_key key = {.pepper = {1}};
    struct slice text = slice_make(data, size);
    uint8_t hash[TOKEN_HASH_LEN];
    int rc = token_hash(&key, text, hash);
    assert(rc == 0 || rc == -EBADMSG);
    if (rc == 0)
        assert(size > 0 && size <= STREAM_TOKEN_MAX);
    if (token_id_valid(text))
        assert(size == TOKEN_ID_LEN && rc == 0);
    if (token_label_valid(text))
        assert(size <= TOKEN_LABEL_MAX);
    struct token_wish wish = {.pattern = text, .label = text};
    char made[TOKEN_TEXT_LEN + 1];
    struct token token;
    rc = token_make(&key, &wish, 1, made, &token);
    assert(rc == 0 || rc == -EINVAL);
    if (rc == 0)
        assert(stream_pattern_valid(slice_of(token.pattern)) && token_remaining_us(&token, 1) > 0);
    return 0;
}
