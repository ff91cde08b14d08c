/* One rendition of a stream: its segments and the rules by which announcements change them. */
#include "web/rendition.h"

#include "lib/base/clock.h"

#include <errno.h>
#include <string.h>

#define ADVANCE_SEGMENTS 2u /* how far ahead of the last segment may be asked for */

static struct media_segment *newest(const struct rendition *r)
{
    return r->listed_count > 0 ? r->listed[r->listed_count - 1] : NULL;
}

void rendition_done(struct rendition *r)
{
    for (size_t i = 0; i < r->listed_count; i++)
        media_segment_unref(r->listed[i]);
    for (size_t i = 0; i < r->retired_count; i++)
        media_segment_unref(r->retired[i]);
    rendition_forget_inits(r);
    *r = (struct rendition){0};
}

void rendition_forget_inits(struct rendition *r)
{
    for (size_t i = 0; i < RENDITION_INITS_MAX; i++) {
        media_init_unref(r->inits[i]);
        r->inits[i] = NULL;
    }
}

/* ---- leaving the playlist ---- */

static void drop_oldest_retired(struct rendition *r)
{
    media_segment_unref(r->retired[0]);
    r->retired_count--;
    memmove(&r->retired[0], &r->retired[1], r->retired_count * sizeof(r->retired[0]));
}

/* Takes over the reference. HLS-08: fetchable for its own duration plus that of the longest
 * playlist that listed it, counted from its first listing; one target duration more for requests
 * under way. */
static void retire(struct rendition *r, const struct rendition_rules *rules, uint64_t playlist_us,
                   struct media_segment *segment)
{
    if (segment->gap) {
        media_segment_unref(segment);
        return;
    }
    if (r->retired_count == RENDITION_RETIRED_MAX)
        drop_oldest_retired(r);
    uint64_t target_us = (uint64_t)rules->target_duration_s * CLOCK_SECOND_US;
    segment->expires_us = segment->listed_us + segment->duration_us + playlist_us;
    if (segment->expires_us < rules->now_us + target_us)
        segment->expires_us = rules->now_us + target_us;
    r->retired[r->retired_count++] = segment;
}

static uint64_t listed_duration_us(const struct rendition *r)
{
    uint64_t sum_us = 0;
    for (size_t i = 0; i < r->listed_count; i++)
        sum_us += r->listed[i]->duration_us;
    return sum_us;
}

static void retire_first(struct rendition *r, const struct rendition_rules *rules)
{
    retire(r, rules, listed_duration_us(r), r->listed[0]);
    r->listed_count--;
    memmove(&r->listed[0], &r->listed[1], r->listed_count * sizeof(r->listed[0]));
}

static void retire_all(struct rendition *r, const struct rendition_rules *rules)
{
    uint64_t playlist_us = listed_duration_us(r);
    for (size_t i = 0; i < r->listed_count; i++)
        retire(r, rules, playlist_us, r->listed[i]);
    r->listed_count = 0;
}

void rendition_restart(struct rendition *r, const struct rendition_rules *rules)
{
    rendition_finish(r);
    retire_all(r, rules);
    rendition_forget_inits(r);
}

void rendition_expire(struct rendition *r, uint64_t now_us)
{
    size_t kept = 0;
    for (size_t i = 0; i < r->retired_count; i++) {
        if (r->retired[i]->expires_us > now_us)
            r->retired[kept++] = r->retired[i];
        else
            media_segment_unref(r->retired[i]);
    }
    r->retired_count = kept;
}

/* ---- announcements ---- */

int rendition_on_init(struct rendition *r, uint64_t epoch, const struct part_init *info,
                      const void *data, size_t len)
{
    struct media_init *init = NULL;
    const struct media_init *last = r->inits[0];
    if (last && (info->init_id <= last->info.init_id || info->kind != last->info.kind))
        return -EPROTO;
    int rc = media_init_new(epoch, info, data, len, &init);
    if (rc)
        return rc;
    media_init_unref(r->inits[RENDITION_INITS_MAX - 1]);
    memmove(&r->inits[1], &r->inits[0], (RENDITION_INITS_MAX - 1) * sizeof(r->inits[0]));
    r->inits[0] = init;
    return 0;
}

static struct media_init *init_by_id(const struct rendition *r, uint32_t id)
{
    for (size_t i = 0; i < RENDITION_INITS_MAX; i++) {
        if (r->inits[i] && r->inits[i]->info.init_id == id)
            return r->inits[i];
    }
    return NULL;
}

static void list(struct rendition *r, const struct rendition_rules *rules,
                 struct media_segment *segment)
{
    /* The window counts complete segments: the open one comes on top while there is room. */
    while (r->listed_count > rules->window || r->listed_count == PART_WINDOW_MAX)
        retire_first(r, rules);
    segment->listed_us = rules->now_us;
    r->listed[r->listed_count++] = segment;
    r->seen = true;
    r->next_msn = segment->msn + 1;
}

/* Does a segment go on where the list ends, gaps included? */
static bool follows(const struct rendition *r, const struct rendition_rules *rules,
                    const struct part_segment *info)
{
    const struct media_segment *last = newest(r);
    return last && info->msn - last->msn <= rules->window &&
           info->discontinuity_sequence == last->discontinuity_sequence + info->discontinuity;
}

/* Lists what is missing between the newest segment and the one that info announces. */
static int fill_gaps(struct rendition *r, const struct rendition_rules *rules,
                     const struct part_segment *info)
{
    const struct media_segment *last = newest(r);
    uint64_t missing = info->msn - last->msn - 1;
    int64_t start_us = last->wall_us + (int64_t)last->duration_us;
    int64_t most_us = (int64_t)rules->target_duration_s * CLOCK_SECOND_US;
    int64_t each_us = missing > 0 ? (info->wall_us - start_us) / (int64_t)missing : 0;
    if (each_us <= 0 || each_us > most_us)
        each_us = rules->segment_target_us;
    for (uint64_t i = 0; i < missing; i++) {
        struct media_segment *gap = NULL;
        struct part_segment hole = {
            .msn = newest(r)->msn + 1,
            .discontinuity_sequence = newest(r)->discontinuity_sequence,
            .wall_us = start_us + (int64_t)i * each_us,
        };
        int rc = media_segment_new(rules->epoch, &hole, newest(r)->init, NULL, &gap);
        if (rc)
            return rc;
        gap->duration_us = (uint64_t)each_us;
        gap->complete = true;
        list(r, rules, gap);
    }
    return 0;
}

int rendition_on_segment(struct rendition *r, const struct rendition_rules *rules,
                         const struct part_segment *info, struct segment_reader *map)
{
    struct media_segment *segment = NULL;
    struct media_init *init = init_by_id(r, info->init_id);
    const struct media_segment *last = newest(r);
    int rc = -EPROTO;
    if (!init || (last && !last->complete) || (r->seen && info->msn < r->next_msn)) {
        segment_reader_close(map);
        return rc;
    }
    rc = media_segment_new(rules->epoch, info, init, map, &segment);
    if (rc)
        return rc;
    if (follows(r, rules, info)) {
        rc = fill_gaps(r, rules, info);
        if (rc) {
            media_segment_unref(segment);
            return rc;
        }
    } else {
        retire_all(r, rules);
        /* Nothing is before it that it could differ from. */
        if (segment->discontinuity_sequence == 0)
            segment->discontinuity = false;
    }
    list(r, rules, segment);
    return 0;
}

int rendition_on_part(struct rendition *r, const struct part_part *part)
{
    struct media_segment *last = newest(r);
    if (!last || last->msn != part->msn)
        return -EPROTO;
    int rc = part_check_part(part, last->map.capacity);
    if (rc == 0)
        rc = media_segment_append(last, part);
    if (rc == 0 && part->flags & PART_LAST)
        last->complete = true;
    return rc;
}

int rendition_on_segment_end(struct rendition *r, const struct part_segment_end *end)
{
    struct media_segment *last = newest(r);
    if (!last || last->msn != end->msn || last->part_count == 0 || last->gap)
        return -EPROTO;
    last->complete = true;
    return 0;
}

void rendition_finish(struct rendition *r)
{
    struct media_segment *last = newest(r);
    if (!last || last->complete)
        return;
    last->complete = true;
    if (last->part_count > 0)
        return;
    /* Nobody has seen it: the number is free again. */
    r->next_msn = last->msn;
    r->listed_count--;
    media_segment_unref(last);
}

/* ---- questions ---- */

size_t rendition_visible(const struct rendition *r)
{
    const struct media_segment *last = newest(r);
    return last && !last->complete && last->part_count == 0 ? r->listed_count - 1 : r->listed_count;
}

struct media_segment *rendition_last(const struct rendition *r)
{
    size_t visible = rendition_visible(r);
    return visible > 0 ? r->listed[visible - 1] : NULL;
}

bool rendition_next_part(const struct rendition *r, uint64_t *out_msn, uint32_t *out_part)
{
    const struct media_segment *last = newest(r);
    if (!last)
        return false;
    *out_msn = last->complete ? last->msn + 1 : last->msn;
    *out_part = last->complete ? 0 : last->part_count;
    return true;
}

enum rendition_have rendition_have(const struct rendition *r, uint64_t msn, int64_t part,
                                   uint32_t part_limit)
{
    const struct media_segment *last = rendition_last(r);
    if (!last)
        return RENDITION_WAIT;
    if (msn < last->msn)
        return RENDITION_HAVE;
    if (msn - last->msn > ADVANCE_SEGMENTS)
        return RENDITION_TOO_FAR;
    if (msn > last->msn)
        return part > part_limit ? RENDITION_TOO_FAR : RENDITION_WAIT;
    if (part < 0)
        return last->complete ? RENDITION_HAVE : RENDITION_WAIT;
    if (part < last->part_count)
        return RENDITION_HAVE;
    if (last->complete)
        return RENDITION_WAIT; /* LL-11: it is part 0 of the next */
    return part >= (int64_t)last->part_count + part_limit ? RENDITION_TOO_FAR : RENDITION_WAIT;
}

struct media_segment *rendition_find(const struct rendition *r, uint64_t epoch, uint64_t msn)
{
    for (size_t i = r->listed_count; i > 0; i--) {
        struct media_segment *s = r->listed[i - 1];
        if (s->msn == msn && s->epoch == epoch && !s->gap)
            return s;
    }
    for (size_t i = r->retired_count; i > 0; i--) {
        struct media_segment *s = r->retired[i - 1];
        if (s->msn == msn && s->epoch == epoch)
            return s;
    }
    return NULL;
}

static bool is_named(const struct media_init *init, uint64_t epoch, uint64_t hash)
{
    return init && init->epoch == epoch && init->hash == hash;
}

struct media_init *rendition_find_init(const struct rendition *r, uint64_t epoch, uint64_t hash)
{
    for (size_t i = 0; i < RENDITION_INITS_MAX; i++) {
        if (is_named(r->inits[i], epoch, hash))
            return r->inits[i];
    }
    for (size_t i = 0; i < r->listed_count; i++) {
        if (is_named(r->listed[i]->init, epoch, hash))
            return r->listed[i]->init;
    }
    for (size_t i = 0; i < r->retired_count; i++) {
        if (is_named(r->retired[i]->init, epoch, hash))
            return r->retired[i]->init;
    }
    return NULL;
}

void rendition_measure(const struct rendition *r, uint64_t *out_peak_bps, uint64_t *out_average_bps)
{
    uint64_t peak_bps = 0, bits = 0, duration_us = 0;
    for (size_t i = 0; i < r->listed_count; i++) {
        const struct media_segment *s = r->listed[i];
        if (!s->complete || s->gap || s->duration_us == 0)
            continue;
        uint64_t segment_bits = (uint64_t)s->len * 8;
        uint64_t bps = segment_bits * CLOCK_SECOND_US / s->duration_us;
        if (bps > peak_bps)
            peak_bps = bps;
        bits += segment_bits;
        duration_us += s->duration_us;
    }
    *out_peak_bps = peak_bps;
    *out_average_bps = duration_us > 0 ? bits * CLOCK_SECOND_US / duration_us : 0;
}
