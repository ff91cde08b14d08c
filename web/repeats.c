/* What of a worker's announcements a rendition has already. */
#include "web/repeats.h"

static const struct media_segment *newest(const struct rendition *r)
{
    return r->listed_count > 0 ? r->listed[r->listed_count - 1] : NULL;
}

bool repeats_init(const struct rendition *r, const struct part_init *m)
{
    return r->inits[0] && m->init_id <= r->inits[0]->info.init_id;
}

bool repeats_segment(struct rendition *r, const struct part_segment *m)
{
    if (r->seen && m->msn < r->next_msn)
        return true;
    rendition_finish(r);
    return false;
}

bool repeats_part(const struct rendition *r, const struct part_part *m)
{
    const struct media_segment *last = newest(r);
    if (!last || m->msn > last->msn)
        return false;
    return m->msn < last->msn || last->complete || m->part < last->part_count;
}

bool repeats_segment_end(const struct rendition *r, const struct part_segment_end *m)
{
    const struct media_segment *last = newest(r);
    return last && (m->msn < last->msn || (m->msn == last->msn && last->complete));
}
