/* Checks of ring records that claim to be frames. */
#include "lib/proto/frame.h"

#include <errno.h>
#include <string.h>

#define TIME_MAX_US (INT64_C(1) << 60)

static int time_is_sane(int64_t us)
{
    return us >= -TIME_MAX_US && us <= TIME_MAX_US;
}

static int codec_fits_track(uint8_t codec, uint8_t track)
{
    if (track == TRACK_VIDEO)
        return codec == CODEC_H264 || codec == CODEC_H265 || codec == CODEC_VP8 ||
               codec == CODEC_VP9 || codec == CODEC_AV1;
    return track == TRACK_AUDIO && (codec == CODEC_OPUS || codec == CODEC_AAC);
}

int frame_parse(const void *record, size_t len, struct frame *out, const uint8_t **out_payload)
{
    struct frame head;
    if (len < sizeof(head))
        return -EBADMSG;
    memcpy(&head, record, sizeof(head));
    if (head.len < 1 || head.len > FRAME_PAYLOAD_MAX || head.len != len - sizeof(head))
        return -EBADMSG;
    if (!codec_fits_track(head.codec, head.track))
        return -EBADMSG;
    if (head.layer >= FRAME_LAYERS_MAX || (head.track != TRACK_VIDEO && head.layer != 0))
        return -EBADMSG;
    if (head.flags & ~(FRAME_KEY | FRAME_GAP | FRAME_JUMP))
        return -EBADMSG;
    if (!time_is_sane(head.pts_us) || !time_is_sane(head.wall_us) || !time_is_sane(head.arrival_us))
        return -EBADMSG;
    if (head.width > FRAME_DIMENSION_MAX || head.height > FRAME_DIMENSION_MAX)
        return -EBADMSG;
    *out = head;
    *out_payload = (const uint8_t *)record + sizeof(head);
    return 0;
}
