/* The text of HLS playlists, built from what a stream holds. */
#include "web/playlist.h"

#include "lib/base/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#define PARTS_LISTED_TARGETS 3u /* parts older than 3 target durations are dropped (LL-09) */

void playlist_segment_name(char to[PLAYLIST_NAME_MAX], uint64_t epoch, uint64_t msn)
{
    (void)snprintf(to, PLAYLIST_NAME_MAX, "%016" PRIx64 "-%" PRIu64 ".m4s", epoch, msn);
}

void playlist_part_name(char to[PLAYLIST_NAME_MAX], uint64_t epoch, uint64_t msn, uint32_t part)
{
    (void)snprintf(to, PLAYLIST_NAME_MAX, "%016" PRIx64 "-%" PRIu64 ".%" PRIu32 ".m4s", epoch, msn,
                   part);
}

void playlist_init_name(char to[PLAYLIST_NAME_MAX], uint64_t epoch, uint64_t hash)
{
    (void)snprintf(to, PLAYLIST_NAME_MAX, "%016" PRIx64 "-%016" PRIx64 ".mp4", epoch, hash);
}

uint32_t playlist_part_limit(const struct part_hello *hello)
{
    if (hello->part_target_us >= CLOCK_SECOND_US)
        return 3;
    return (3u * CLOCK_SECOND_US + hello->part_target_us - 1) / hello->part_target_us;
}

/* Seconds with six decimals: exact, so that sums are, too (HLS-12). */
static void write_seconds(struct writer *w, uint64_t us)
{
    writer_text(w, "%" PRIu64 ".%06" PRIu64, us / CLOCK_SECOND_US, us % CLOCK_SECOND_US);
}

/* HLS-11: with milliseconds and zone. */
static void write_date(struct writer *w, int64_t wall_us)
{
    struct tm tm;
    time_t seconds = (time_t)(wall_us / CLOCK_SECOND_US);
    if (!gmtime_r(&seconds, &tm))
        return;
    writer_text(w, "#EXT-X-PROGRAM-DATE-TIME:%04d-%02d-%02dT%02d:%02d:%02d.%03dZ\n",
                tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
                (int)(wall_us % CLOCK_SECOND_US / CLOCK_MS_US));
}

static void write_head(struct writer *w, const struct part_hello *hello,
                       const struct media_segment *first)
{
    writer_text(w, "#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-TARGETDURATION:%" PRIu32 "\n",
                hello->target_duration_s);
    writer_text(w, "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=");
    write_seconds(w, (uint64_t)hello->part_target_us * PLAYLIST_HOLD_BACK_PARTS);
    writer_text(w, "\n#EXT-X-PART-INF:PART-TARGET=");
    write_seconds(w, hello->part_target_us);
    writer_text(w, "\n#EXT-X-MEDIA-SEQUENCE:%" PRIu64 "\n", first->msn);
    /* HLS-10: the tag counts what was removed, so not the discontinuity that the first one carries
     */
    writer_text(w, "#EXT-X-DISCONTINUITY-SEQUENCE:%" PRIu64 "\n",
                first->discontinuity_sequence - first->discontinuity);
}

static void write_parts(struct writer *w, const struct media_segment *s)
{
    char name[PLAYLIST_NAME_MAX];
    for (uint32_t i = 0; i < s->part_count; i++) {
        playlist_part_name(name, s->epoch, s->msn, i);
        writer_text(w, "#EXT-X-PART:DURATION=");
        write_seconds(w, s->parts[i].duration_us);
        writer_text(w, ",URI=\"%s\"%s\n", name, s->parts[i].independent ? ",INDEPENDENT=YES" : "");
    }
}

static void write_segment(struct writer *w, const struct media_segment *s,
                          const struct media_segment *before, bool with_parts)
{
    char name[PLAYLIST_NAME_MAX];
    if (s->discontinuity)
        writer_text(w, "#EXT-X-DISCONTINUITY\n");
    if (!before || before->init->hash != s->init->hash || before->init->epoch != s->init->epoch) {
        playlist_init_name(name, s->init->epoch, s->init->hash);
        writer_text(w, "#EXT-X-MAP:URI=\"%s\"\n", name);
    }
    write_date(w, s->wall_us);
    if (with_parts)
        write_parts(w, s);
    if (!s->complete)
        return;
    playlist_segment_name(name, s->epoch, s->msn);
    if (s->gap)
        writer_text(w, "#EXT-X-GAP\n");
    writer_text(w, "#EXTINF:");
    write_seconds(w, s->duration_us);
    writer_text(w, ",\n%s\n", name);
}

/* The index of the first segment whose parts are listed. */
static size_t first_with_parts(const struct rendition *r, size_t visible, uint64_t horizon_us)
{
    uint64_t behind_us = 0; /* from the end of the segment looked at to the live edge */
    size_t parts = 0;
    size_t i = visible;
    while (i > 0) {
        const struct media_segment *s = r->listed[i - 1];
        parts += s->part_count;
        if (behind_us >= horizon_us || parts > PLAYLIST_PARTS_MAX)
            break;
        behind_us += s->duration_us;
        i--;
    }
    return i;
}

static void write_hint(struct writer *w, const struct playlist_input *in, const struct rendition *r)
{
    char name[PLAYLIST_NAME_MAX];
    uint64_t msn;
    uint32_t part;
    if (!rendition_next_part(r, &msn, &part))
        return;
    playlist_part_name(name, in->hello->epoch, msn, part);
    writer_text(w, "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"%s\"\n", name);
}

static void write_reports(struct writer *w, const struct playlist_input *in, uint32_t rendition)
{
    for (uint32_t i = 0; i < PART_RENDITIONS_MAX; i++) {
        const struct media_segment *last = rendition_last(&in->renditions[i]);
        if (i == rendition || !last)
            continue;
        writer_text(w,
                    "#EXT-X-RENDITION-REPORT:URI=\"../%" PRIu32 "/media.m3u8\",LAST-MSN=%" PRIu64,
                    i, last->msn);
        if (last->part_count > 0)
            writer_text(w, ",LAST-PART=%" PRIu32, last->part_count - 1);
        writer_text(w, "\n");
    }
}

void playlist_write_media(struct writer *w, const struct playlist_input *in, uint32_t rendition)
{
    const struct rendition *r = &in->renditions[rendition];
    size_t visible = rendition_visible(r);
    if (visible == 0)
        return;
    uint64_t horizon_us =
        (uint64_t)in->hello->target_duration_s * CLOCK_SECOND_US * PARTS_LISTED_TARGETS;
    size_t parts_from = first_with_parts(r, visible, horizon_us);
    write_head(w, in->hello, r->listed[0]);
    for (size_t i = 0; i < visible; i++)
        write_segment(w, r->listed[i], i > 0 ? r->listed[i - 1] : NULL, i >= parts_from);
    if (in->ended) {
        writer_text(w, "#EXT-X-ENDLIST\n");
        return;
    }
    write_hint(w, in, r);
    write_reports(w, in, rendition);
}

/* ---- multivariant ---- */

static const struct media_init *current_init(const struct rendition *r)
{
    const struct media_segment *last = rendition_last(r);
    return last ? last->init : NULL;
}

/* The rates of one rendition: at least what was announced, at least what was measured (HLS-20). */
struct rate {
    uint64_t peak_bps;
    uint64_t average_bps;
};

static struct rate rate_of(const struct rendition *r)
{
    const struct media_init *init = current_init(r);
    struct rate rate;
    rendition_measure(r, &rate.peak_bps, &rate.average_bps);
    if (rate.peak_bps < init->info.bandwidth_bps)
        rate.peak_bps = init->info.bandwidth_bps;
    if (rate.peak_bps == 0)
        rate.peak_bps = 1;
    if (rate.average_bps == 0)
        rate.average_bps = rate.peak_bps;
    return rate;
}

/* The first rendition of that kind with something to play; PART_RENDITIONS_MAX when there is none.
 */
static uint32_t first_of(const struct playlist_input *in, enum track kind)
{
    uint32_t i = 0;
    for (; i < PART_RENDITIONS_MAX; i++) {
        const struct media_init *init = current_init(&in->renditions[i]);
        if (init && init->info.kind == kind)
            break;
    }
    return i;
}

static void write_audio_group(struct writer *w, const struct playlist_input *in)
{
    bool first = true;
    for (uint32_t i = 0; i < PART_RENDITIONS_MAX; i++) {
        const struct media_init *init = current_init(&in->renditions[i]);
        if (!init || init->info.kind != TRACK_AUDIO)
            continue;
        writer_text(w,
                    "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"audio\",NAME=\"Audio %" PRIu32
                    "\",DEFAULT=%s,AUTOSELECT=YES,CHANNELS=\"%u\",URI=\"%" PRIu32 "/media.m3u8\"\n",
                    i, first ? "YES" : "NO", init->info.channels, i);
        first = false;
    }
}

static void write_variant(struct writer *w, const struct playlist_input *in, uint32_t rendition,
                          uint32_t audio)
{
    const struct rendition *r = &in->renditions[rendition];
    const struct part_init *info = &current_init(r)->info;
    struct rate rate = rate_of(r);
    const struct part_init *sound = NULL;
    if (audio < PART_RENDITIONS_MAX && audio != rendition) {
        struct rate more = rate_of(&in->renditions[audio]);
        rate.peak_bps += more.peak_bps;
        rate.average_bps += more.average_bps;
        sound = &current_init(&in->renditions[audio])->info;
    }
    writer_text(w,
                "#EXT-X-STREAM-INF:BANDWIDTH=%" PRIu64 ",AVERAGE-BANDWIDTH=%" PRIu64 ",CODECS=\"%s",
                rate.peak_bps, rate.average_bps, info->codecs);
    writer_text(w, "%s%s\"", sound ? "," : "", sound ? sound->codecs : "");
    if (info->kind == TRACK_VIDEO)
        writer_text(w, ",RESOLUTION=%ux%u", info->width, info->height);
    if (sound)
        writer_text(w, ",AUDIO=\"audio\"");
    writer_text(w, "\n%" PRIu32 "/media.m3u8\n", rendition);
}

void playlist_write_multivariant(struct writer *w, const struct playlist_input *in)
{
    uint32_t audio = first_of(in, TRACK_AUDIO);
    bool has_video = first_of(in, TRACK_VIDEO) < PART_RENDITIONS_MAX;
    writer_text(w, "#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-INDEPENDENT-SEGMENTS\n");
    if (!has_video) {
        if (audio < PART_RENDITIONS_MAX)
            write_variant(w, in, audio, audio);
        return;
    }
    write_audio_group(w, in);
    for (uint32_t i = 0; i < PART_RENDITIONS_MAX; i++) {
        const struct media_init *init = current_init(&in->renditions[i]);
        if (init && init->info.kind == TRACK_VIDEO)
            write_variant(w, in, i, audio);
    }
}

bool playlist_is_whole(const struct playlist_input *in)
{
    for (uint32_t i = 0; i < PART_RENDITIONS_MAX; i++) {
        if (in->hello->renditions >> i & 1 && !rendition_last(&in->renditions[i]))
            return false;
    }
    return true;
}
