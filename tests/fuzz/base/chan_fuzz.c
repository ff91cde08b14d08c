/* A packet from a hostile peer against a table of rules. The first byte is the phase, the second
 * the number of descriptors that came along. */
#include "lib/base/chan.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int handle(void *ctx, const struct chan_message *message)
{
    (void)ctx;
    (void)message;
    return 0;
}

static const struct chan_rule rules[] = {
    {1, CHAN_ANY_PHASE, 8, 0, 0, handle},
    {2, 1u << 1, 16, CHAN_BLOB_MAX, 2, handle},
    {3, CHAN_ANY_PHASE, 0, 100, CHAN_FDS_ANY, handle},
    {4, 1u << 31, CHAN_BODY_MAX, 0, 1, handle},
    {1, 1u << 2, 24, 10, 0, handle},
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct chan_rule *rule = NULL;
    struct chan_message message;
    if (size < 2)
        return 0;
    unsigned phase = data[0] % 40;
    size_t fd_count = data[1];
    size_t len = size - 2;
    uint8_t *packet = malloc(len ? len : 1); /* aligned as the receiver's, and exactly as long */
    if (!packet)
        return 0;
    memcpy(packet, data + 2, len);
    int rc = chan_match(rules, sizeof(rules) / sizeof(rules[0]), phase, packet, len, fd_count,
                        &rule, &message);
    assert(rc == 0 || rc == -EBADMSG || rc == -EPROTO);
    if (rc == 0) {
        const uint8_t *body = message.body;
        unsigned sum = 0;
        assert(phase < 32 && rule->phases >> phase & 1);
        assert(rule->type == message.type && message.blob_len <= rule->blob_max);
        assert(rule->fd_count == CHAN_FDS_ANY || rule->fd_count == fd_count);
        assert(fd_count <= CHAN_FDS_MAX);
        for (size_t i = 0; i < rule->body_len; i++)
            sum += body[i];
        for (size_t i = 0; i < message.blob_len; i++)
            sum += message.blob[i];
        assert(body + rule->body_len + message.blob_len == packet + len);
        (void)sum;
    }
    free(packet);
    return 0;
}
