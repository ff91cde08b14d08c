/* One media segment of a rendition, and the CMAF headers that segments need: counted objects. */
#include "web/media.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PARTS_STEP 16u

/* FNV-1a: names bytes; whoever makes two headers collide harms only his own stream. */
static uint64_t hash_of(const uint8_t *data, size_t len)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < len; i++) {
        hash ^= data[i];
        hash *= UINT64_C(0x100000001b3);
    }
    return hash;
}

int media_init_new(uint64_t epoch, const struct part_init *info, const void *data, size_t len,
                   struct media_init **out)
{
    struct media_init *init = malloc(sizeof(*init) + len);
    if (!init)
        return -ENOMEM;
    init->refs = 1;
    init->epoch = epoch;
    init->info = *info;
    init->len = len;
    memcpy(init->data, data, len);
    init->hash = hash_of(init->data, len);
    *out = init;
    return 0;
}

struct media_init *media_init_ref(struct media_init *init)
{
    if (init)
        init->refs++;
    return init;
}

void media_init_unref(void *init)
{
    struct media_init *i = init;
    if (i && --i->refs == 0)
        free(i);
}

int media_segment_new(uint64_t epoch, const struct part_segment *info, struct media_init *init,
                      struct segment_reader *map, struct media_segment **out)
{
    struct media_segment *segment = calloc(1, sizeof(*segment));
    if (!segment) {
        if (map)
            segment_reader_close(map);
        return -ENOMEM;
    }
    segment->refs = 1;
    segment->epoch = epoch;
    segment->msn = info->msn;
    segment->discontinuity_sequence = info->discontinuity_sequence;
    segment->wall_us = info->wall_us;
    segment->discontinuity = info->discontinuity;
    segment->init = media_init_ref(init);
    if (map)
        segment->map = *map;
    segment->gap = !map;
    *out = segment;
    return 0;
}

struct media_segment *media_segment_ref(struct media_segment *segment)
{
    segment->refs++;
    return segment;
}

void media_segment_unref(void *segment)
{
    struct media_segment *s = segment;
    if (!s || --s->refs > 0)
        return;
    if (s->map.data)
        segment_reader_close(&s->map);
    media_init_unref(s->init);
    free(s->parts);
    free(s);
}

int media_segment_append(struct media_segment *segment, const struct part_part *part)
{
    if (segment->complete)
        return -EPROTO;
    if (part->part != segment->part_count || part->offset != segment->len)
        return -EBADMSG;
    if (part->len > segment->map.capacity - segment->len)
        return -EBADMSG;
    if (segment->part_count == segment->part_cap) {
        size_t cap = segment->part_cap + PARTS_STEP;
        struct media_part *grown = realloc(segment->parts, cap * sizeof(*grown));
        if (!grown)
            return -ENOMEM;
        segment->parts = grown;
        segment->part_cap = (uint32_t)cap;
    }
    segment->parts[segment->part_count++] =
        (struct media_part){.offset = part->offset,
                            .len = part->len,
                            .duration_us = part->duration_us,
                            .independent = part->flags & PART_INDEPENDENT};
    segment->len += part->len;
    segment->duration_us += part->duration_us;
    return 0;
}
