/* What a coded frame says about itself before anything is decoded. */
#include "transcode/codedhead.h"

#include "lib/proto/frame.h"
#include "transcode/av1head.h"
#include "transcode/hevchead.h"
#include "transcode/vp8head.h"
#include "transcode/vp9head.h"

#include <errno.h>

static int parse(enum codec codec, const uint8_t *data, size_t len, struct codedhead *out)
{
    switch (codec) {
    case CODEC_VP8:
        return vp8head_parse(data, len, out);
    case CODEC_VP9:
        return vp9head_parse(data, len, out);
    case CODEC_AV1:
        return av1head_parse(data, len, out);
    case CODEC_H265:
        return hevchead_parse(data, len, out);
    default:
        return -ENOTSUP;
    }
}

int codedhead_parse(enum codec codec, const uint8_t *data, size_t len, struct codedhead *out)
{
    struct codedhead head = {0};
    int result = parse(codec, data, len, &head);
    if (result == 0 && (head.width > FRAME_DIMENSION_MAX || head.height > FRAME_DIMENSION_MAX))
        result = -ENOTSUP;
    if (result == 0)
        *out = head;
    return result;
}
