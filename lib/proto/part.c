/* Field checks of the announcements between transcode and its consumers. */
#include "lib/proto/part.h"

#include <errno.h>

#define SEGMENT_TARGET_MAX_US 60000000u
#define TARGET_DURATION_MAX_S 60u
#define VIDEO_DIMENSION_MAX 8192u
#define AUDIO_CHANNELS_MAX 8u
#define AUDIO_RATE_MAX 192000u
#define WALL_MAX_US (INT64_C(1) << 60)

int part_check_hello(const struct part_hello *m)
{
    if (m->part_target_us < 1 || m->part_target_us > m->segment_target_us)
        return -EBADMSG;
    if (m->segment_target_us > SEGMENT_TARGET_MAX_US)
        return -EBADMSG;
    if (m->target_duration_s < 1 || m->target_duration_s > TARGET_DURATION_MAX_S)
        return -EBADMSG;
    if (m->window < 1 || m->window > PART_WINDOW_MAX)
        return -EBADMSG;
    if (m->continues > 1 || m->renditions == 0)
        return -EBADMSG;
    return 0;
}

/* RFC 6381 identifiers: what may stand between the quotes of CODECS. */
static bool codecs_are_sane(const char *codecs)
{
    if (!text_is_terminated(codecs, PART_CODECS_MAX) || codecs[0] == '\0')
        return false;
    for (const char *c = codecs; *c; c++) {
        bool letter = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z');
        if (!letter && !(*c >= '0' && *c <= '9') && *c != '.' && *c != ',' && *c != '-')
            return false;
    }
    return true;
}

int part_check_init(const struct part_init *m, size_t blob_len)
{
    if (m->rendition >= PART_RENDITIONS_MAX || m->kind >= TRACK_COUNT)
        return -EBADMSG;
    if (blob_len < 1 || blob_len > PART_INIT_MAX || !codecs_are_sane(m->codecs))
        return -EBADMSG;
    if (m->kind == TRACK_VIDEO) {
        if (m->width < 1 || m->width > VIDEO_DIMENSION_MAX)
            return -EBADMSG;
        if (m->height < 1 || m->height > VIDEO_DIMENSION_MAX)
            return -EBADMSG;
        return 0;
    }
    if (m->channels < 1 || m->channels > AUDIO_CHANNELS_MAX)
        return -EBADMSG;
    if (m->sample_rate < 1 || m->sample_rate > AUDIO_RATE_MAX)
        return -EBADMSG;
    return 0;
}

int part_check_segment(const struct part_segment *m)
{
    if (m->rendition >= PART_RENDITIONS_MAX || m->discontinuity > 1)
        return -EBADMSG;
    if (m->msn > PART_MSN_MAX || m->discontinuity_sequence > PART_MSN_MAX)
        return -EBADMSG;
    if (m->wall_us < 0 || m->wall_us > WALL_MAX_US)
        return -EBADMSG;
    return 0;
}

int part_check_part(const struct part_part *m, size_t capacity)
{
    if (m->rendition >= PART_RENDITIONS_MAX || m->part >= PART_PER_SEGMENT_MAX)
        return -EBADMSG;
    if (m->msn > PART_MSN_MAX || m->flags & ~(uint32_t)(PART_INDEPENDENT | PART_LAST))
        return -EBADMSG;
    if (m->len < 1 || m->offset > capacity || m->len > capacity - m->offset)
        return -EBADMSG;
    if (m->duration_us < 1 || m->duration_us > PART_DURATION_MAX_US)
        return -EBADMSG;
    return 0;
}
