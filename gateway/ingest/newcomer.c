/* Another SSRC on a track: tells whether it is the source from now on. */
#include "gateway/ingest/newcomer.h"

#include "lib/base/secret.h"

#include <string.h>

void newcomer_forget(struct newcomer *n)
{
    if (n->waits)
        secret_wipe(n->bytes, n->packet.payload_len);
    n->waits = false;
}

static void keep(struct newcomer *n, const struct rtp_packet *packet, uint64_t now_us)
{
    newcomer_forget(n);
    if (packet->payload_len > sizeof(n->bytes))
        return;
    n->waits = true;
    n->since_us = now_us;
    n->packet = *packet;
    n->packet.extension = NULL; /* borrowed from the datagram */
    n->packet.extension_len = 0;
    n->packet.payload = n->bytes;
    if (packet->payload_len > 0)
        memcpy(n->bytes, packet->payload, packet->payload_len);
}

static bool is_silent(const struct newcomer *n, uint64_t us, uint64_t now_us)
{
    return n->heard_us == 0 || now_us >= n->heard_us + us;
}

enum newcomer_verdict newcomer_judge(struct newcomer *n, const struct rtp_packet *packet,
                                     bool is_new, uint64_t now_us)
{
    bool waited = n->waits && n->packet.ssrc == packet->ssrc;
    if (waited && now_us < n->since_us + NEWCOMER_SECOND_US)
        return NEWCOMER_PROVED;
    if (is_silent(n, is_new || waited ? NEWCOMER_PAUSE_US : NEWCOMER_RETURN_US, now_us))
        return NEWCOMER_TAKES_OVER;
    if (is_new || waited)
        keep(n, packet, now_us);
    return NEWCOMER_IGNORED;
}

void newcomer_note_source(struct newcomer *n, uint64_t now_us)
{
    n->heard_us = now_us;
}

void newcomer_note_end(struct newcomer *n)
{
    n->heard_us = 0;
}
