/* What we tell the publisher by RTCP, and when. */
#include "gateway/ingest/feedback.h"

#include "gateway/rtc/rtcp.h"

#include <string.h>

#define FOLLOWING_MAX 64u /* bytes: NACK head, PLI, and the other track's */

void feedback_init(struct feedback *f, const struct answer *answer, uint64_t max_bitrate_bps,
                   uint32_t ssrc, const char *cname)
{
    memset(f, 0, sizeof(*f));
    f->ssrc = ssrc;
    (void)text_copy(f->cname, sizeof(f->cname), slice_of(cname));
    f->max_bitrate_bps = max_bitrate_bps != 0 ? max_bitrate_bps : FEEDBACK_DEFAULT_BPS;
    f->reduced_size = answer->rtcp_rsize;
    for (unsigned track = 0; track < TRACK_COUNT; track++)
        if (answer->tracks[track].feedback & SDP_FB_REMB)
            f->remb = true;
}

void feedback_start(struct feedback *f, uint64_t now_us)
{
    f->started = true;
    f->report_due_us = now_us;
}

static bool has_feedback(const struct media_track *t, uint32_t kind)
{
    return t->active && t->has_ssrc && (t->agreed.feedback & kind) != 0;
}

uint64_t feedback_due_us(const struct feedback *f, const struct media *m)
{
    if (!f->started)
        return UINT64_MAX;
    if (m->new_source)
        return 0;
    uint64_t due_us = f->report_due_us;
    for (unsigned track = 0; track < TRACK_COUNT; track++) {
        const struct media_track *t = &m->tracks[track];
        if (has_feedback(t, SDP_FB_NACK) && nack_due_us(&t->nack) < due_us)
            due_us = nack_due_us(&t->nack);
        if (has_feedback(t, SDP_FB_PLI) && keyframe_due_us(&t->keyframe) < due_us)
            due_us = keyframe_due_us(&t->keyframe);
    }
    return due_us;
}

/* RR with a block for each source that was heard, then SDES: what begins every compound. */
static void write_report(struct feedback *f, struct media *m, uint64_t now_us, struct writer *w)
{
    struct rtcp_report reports[TRACK_COUNT];
    size_t count = 0;
    for (unsigned track = 0; track < TRACK_COUNT; track++) {
        struct media_track *t = &m->tracks[track];
        if (t->active && t->has_ssrc)
            reception_report(&t->reception, t->ssrc, now_us, &reports[count++]);
    }
    rtcp_write_rr(w, f->ssrc, reports, count);
    rtcp_write_cname(w, f->ssrc, slice_of(f->cname));
}

/* Names the sources that are known, else those that the offer announced. */
static void write_remb(struct feedback *f, const struct media *m, struct writer *w)
{
    uint32_t ssrcs[TRACK_COUNT];
    size_t count = 0;
    if (!f->remb)
        return;
    for (unsigned track = 0; track < TRACK_COUNT; track++) {
        const struct media_track *t = &m->tracks[track];
        if (t->has_ssrc)
            ssrcs[count++] = t->ssrc;
        else if (t->agreed.ssrc_count > 0)
            ssrcs[count++] = t->agreed.ssrcs[0];
    }
    rtcp_write_remb(w, f->ssrc, f->max_bitrate_bps, ssrcs, count);
}

/* Numbers that certainly fit, with room left for what may follow; at worst each takes four bytes.
 */
static size_t nack_room(const struct writer *w)
{
    size_t left = w->cap - w->len;
    size_t room = left > FOLLOWING_MAX ? (left - FOLLOWING_MAX) / 4 : 0;
    return room < NACK_LIST_MAX ? room : NACK_LIST_MAX;
}

/* NACK and PLI of one track; true when something was written. */
static bool write_requests(struct feedback *f, struct media_track *t, struct stats *stats,
                           uint64_t now_us, struct writer *w)
{
    uint16_t missing[NACK_LIST_MAX];
    bool any = false;
    if (has_feedback(t, SDP_FB_NACK)) {
        size_t count = nack_take(&t->nack, now_us, missing, nack_room(w));
        if (count > 0) {
            rtcp_write_nack(w, f->ssrc, t->ssrc, missing, count);
            stats->nacks++;
            any = true;
        }
    }
    if (has_feedback(t, SDP_FB_PLI) && keyframe_take(&t->keyframe, now_us)) {
        rtcp_write_pli(w, f->ssrc, t->ssrc);
        stats->plis++;
        any = true;
    }
    return any;
}

bool feedback_write(struct feedback *f, struct media *m, uint64_t now_us, struct writer *w)
{
    if (!f->started || feedback_due_us(f, m) > now_us)
        return false;
    bool report = now_us >= f->report_due_us || m->new_source;
    size_t before = w->len;
    if (report || !f->reduced_size)
        write_report(f, m, now_us, w);
    bool any = report;
    if (report) {
        write_remb(f, m, w);
        m->new_source = false;
        f->report_due_us = now_us + FEEDBACK_INTERVAL_US;
    }
    for (unsigned track = 0; track < TRACK_COUNT; track++)
        any |= write_requests(f, &m->tracks[track], &m->stats, now_us, w);
    return any && writer_ok(w) && w->len > before;
}
