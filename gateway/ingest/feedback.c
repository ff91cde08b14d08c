/* What we tell the publisher by RTCP, and when. */
#include "gateway/ingest/feedback.h"

#include "gateway/rtc/rtcp.h"

#include <string.h>

#define FOLLOWING_MAX 128u /* bytes: heads of NACK, PLI and FIR of the other sources */

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

/* Reports, NACK and PLI. */
static uint64_t report_due_us(const struct feedback *f, const struct media *m)
{
    if (m->new_source)
        return 0;
    uint64_t due_us = f->report_due_us;
    for (size_t i = 0; i < MEDIA_RECEIVERS_MAX; i++) {
        const struct receiver *r = &m->receivers[i];
        if (receiver_may_ask(r, SDP_FB_NACK) && nack_due_us(&r->nack) < due_us)
            due_us = nack_due_us(&r->nack);
        if (receiver_may_ask(r, SDP_FB_PLI | SDP_FB_FIR) && keyframe_due_us(&r->keyframe) < due_us)
            due_us = keyframe_due_us(&r->keyframe);
    }
    return due_us;
}

uint64_t feedback_due_us(const struct feedback *f, const struct media *m)
{
    if (!f->started)
        return UINT64_MAX;
    uint64_t due_us = report_due_us(f, m);
    uint64_t arrivals_us = twcc_due_us(&m->twcc);
    return arrivals_us < due_us ? arrivals_us : due_us;
}

/* RR with a block for each source that was heard, then SDES: what begins every compound. */
static void write_report(struct feedback *f, struct media *m, uint64_t now_us, struct writer *w)
{
    struct rtcp_report reports[MEDIA_RECEIVERS_MAX];
    size_t count = 0;
    for (size_t i = 0; i < MEDIA_RECEIVERS_MAX; i++) {
        struct receiver *r = &m->receivers[i];
        if (r->active && r->has_ssrc)
            reception_report(&r->reception, r->ssrc, now_us, &reports[count++]);
    }
    rtcp_write_rr(w, f->ssrc, reports, count);
    rtcp_write_cname(w, f->ssrc, slice_of(f->cname));
}

static void write_remb(struct feedback *f, const struct media *m, struct writer *w)
{
    uint32_t ssrcs[MEDIA_RECEIVERS_MAX];
    size_t count = 0;
    if (!f->remb)
        return;
    for (size_t i = 0; i < MEDIA_RECEIVERS_MAX; i++) {
        const struct receiver *r = &m->receivers[i];
        if (r->active && r->has_ssrc)
            ssrcs[count++] = r->ssrc;
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

static bool write_keyframe(struct feedback *f, struct receiver *r, uint64_t now_us,
                           struct writer *w)
{
    bool pli = receiver_may_ask(r, SDP_FB_PLI), fir = receiver_may_ask(r, SDP_FB_FIR);
    enum keyframe_request request = KEYFRAME_NOTHING;
    if (pli || fir)
        request = keyframe_take(&r->keyframe, fir, now_us);
    if (request == KEYFRAME_NOTHING)
        return false;
    if (request == KEYFRAME_ORDER || !pli) {
        rtcp_write_fir(w, f->ssrc, r->ssrc, keyframe_number(&r->keyframe));
        r->stats.firs++;
    } else {
        rtcp_write_pli(w, f->ssrc, r->ssrc);
        r->stats.plis++;
    }
    return true;
}

/* What is asked of one source; true when something was written. */
static bool write_requests(struct feedback *f, struct receiver *r, struct stats *stats,
                           uint64_t now_us, struct writer *w)
{
    uint16_t missing[NACK_LIST_MAX];
    bool any = false;
    if (receiver_may_ask(r, SDP_FB_NACK)) {
        size_t count = nack_take(&r->nack, now_us, missing, nack_room(w));
        if (count > 0) {
            rtcp_write_nack(w, f->ssrc, r->ssrc, missing, count);
            r->stats.nacked += count;
            stats->nacks++;
            any = true;
        }
    }
    return write_keyframe(f, r, now_us, w) || any;
}

static bool write_arrivals(struct feedback *f, struct media *m, uint64_t now_us, struct writer *w)
{
    const struct receiver *r = m->shown ? m->shown : &m->receivers[TRACK_VIDEO];
    if (!r->has_ssrc)
        r = &m->receivers[TRACK_AUDIO];
    if (!f->reduced_size)
        write_report(f, m, now_us, w);
    return twcc_write(&m->twcc, f->ssrc, r->ssrc, now_us, w) && writer_ok(w);
}

bool feedback_write(struct feedback *f, struct media *m, uint64_t now_us, struct writer *w)
{
    if (!f->started)
        return false;
    if (report_due_us(f, m) > now_us)
        return twcc_due_us(&m->twcc) <= now_us && write_arrivals(f, m, now_us, w);
    bool report = now_us >= f->report_due_us || m->new_source;
    size_t before = w->len;
    if (report || !f->reduced_size)
        write_report(f, m, now_us, w);
    bool any = report;
    if (report) {
        if (m->roundtrip.enabled)
            rtcp_write_rrtr(w, f->ssrc, roundtrip_refer(&m->roundtrip, f->ssrc, now_us));
        write_remb(f, m, w);
        m->new_source = false;
        f->report_due_us = now_us + FEEDBACK_INTERVAL_US;
    }
    for (size_t i = 0; i < MEDIA_RECEIVERS_MAX; i++)
        any |= write_requests(f, &m->receivers[i], &m->stats, now_us, w);
    return any && writer_ok(w) && w->len > before;
}
