/* Opus from RTP (RFC 7587): each payload is one Opus packet. */
#include "gateway/depay/depay.h"

#include <errno.h>

#define FRAMES_120MS 48u /* 120 ms in units of 2.5 ms: the longest Opus packet, RFC 6716 3.2.5 */

/* Duration of one frame in units of 2.5 ms by the TOC's configuration number, RFC 6716 table 2. */
static unsigned frame_units(uint8_t toc)
{
    static const uint8_t silk[] = {4, 8, 16, 24};
    static const uint8_t hybrid[] = {4, 8};
    static const uint8_t celt[] = {1, 2, 4, 8};
    unsigned config = toc >> 3;
    if (config < 12)
        return silk[config % 4];
    if (config < 16)
        return hybrid[config % 2];
    return celt[config % 4];
}

/* RFC 6716 3.4: R1, R5 and the presence of the frame count byte. */
static int check_packet(const uint8_t *payload, size_t len)
{
    if (len == 0)
        return -EBADMSG;
    unsigned code = payload[0] & 3;
    if (code != 3)
        return 0;
    if (len < 2)
        return -EBADMSG;
    unsigned count = payload[1] & 0x3f;
    if (count == 0 || count * frame_units(payload[0]) > FRAMES_120MS)
        return -EBADMSG;
    return 0;
}

static bool opus_begins(const uint8_t *payload, size_t len)
{
    (void)payload;
    (void)len;
    return true;
}

static void opus_start(struct depay *d)
{
    (void)d;
}

static int opus_append(struct depay *d, const uint8_t *payload, size_t len)
{
    int rc = check_packet(payload, len);
    if (rc < 0)
        return rc;
    return depay_put(d, payload, len);
}

static int opus_finish(struct depay *d, struct depay_unit *unit)
{
    unit->data = depay_body(d);
    unit->len = d->len;
    return 0;
}

const struct depay_ops depay_opus_ops = {
    .state_len = 1,
    .has_keys = false,
    .single = true,
    .begins = opus_begins,
    .start = opus_start,
    .append = opus_append,
    .finish = opus_finish,
};
