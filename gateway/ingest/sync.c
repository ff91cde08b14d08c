/* Puts the RTP clocks of one publisher's tracks on one timeline. */
#include "gateway/ingest/sync.h"

#include "lib/base/clock.h"

#include <string.h>

#define SECOND 1e6
#define SLEW 0.02          /* of the start-up correction, us per us */
#define OFFSET_SLEW 0.5e-3 /* of the session offset */
#define OFFSET_GAIN 0.1
#define STEP_US 250e3    /* above: the sender's wall clock was set */
#define SLOPE_MAX 1e-3   /* no oscillator is worse */
#define EARLY_REPORTS 8u /* until then phase only, with the larger gain */
#define PHASE_GAIN_EARLY 0.5
#define PHASE_GAIN 0.15
#define FREQUENCY_GAIN 0.01
#define FREQUENCY_STEP_MAX 1e-4
#define MONOTONIC_STEP_US 1e3
#define NO_SAMPLE 1e18

void sync_init(struct sync *s)
{
    memset(s, 0, sizeof(*s));
    s->least = NO_SAMPLE;
}

void sync_start_track(struct sync *s, unsigned track, uint32_t clock_rate)
{
    struct sync_track *t = &s->tracks[track];
    bool replaced = t->mapped || t->replaced;
    double newest_pts = t->newest_pts;
    memset(t, 0, sizeof(*t));
    t->replaced = replaced;
    t->newest_pts = newest_pts;
    t->clock_rate = clock_rate;
    t->slope = SECOND / clock_rate;
}

static double least(double a, double b)
{
    return a < b ? a : b;
}

static double greatest(double a, double b)
{
    return a > b ? a : b;
}

static double size_of(double value)
{
    return value < 0 ? -value : value;
}

static double clamp(double value, double limit)
{
    return greatest(-limit, least(limit, value));
}

/* Reordered packets do not move the reference. */
static int64_t unwrap(struct sync_track *t, uint32_t rtp_time)
{
    if (!t->started) {
        t->started = true;
        t->last_time = rtp_time;
        t->last_extended = (INT64_C(1) << 32) + rtp_time;
        return t->last_extended;
    }
    int64_t ahead = clock_diff32(rtp_time, t->last_time);
    int64_t extended = t->last_extended + ahead;
    if (ahead > 0) {
        t->last_time = rtp_time;
        t->last_extended = extended;
    }
    return extended;
}

static double on_line(const struct sync_track *t, int64_t extended)
{
    return t->line_time + (double)(extended - t->line_extended) * t->slope;
}

static double on_provisional(const struct sync_track *t, int64_t extended)
{
    return t->anchor_arrival +
           (double)(extended - t->anchor_extended) * SECOND / (double)t->clock_rate;
}

/* NTP time as microseconds since the first report of the session. */
static double sender_time(struct sync *s, uint64_t ntp)
{
    if (!s->has_ntp) {
        s->has_ntp = true;
        s->first_ntp = ntp;
    }
    int64_t units = (int64_t)(ntp - s->first_ntp);
    return (double)units / 4294967296.0 * SECOND;
}

static void first_report(struct sync *s, struct sync_track *t, double time, int64_t extended)
{
    t->line_time = time + t->shift;
    t->line_extended = extended;
    t->reports = 1;
    t->report_time = time;
    if (!s->has_offset) {
        s->has_offset = true;
        s->offset = on_provisional(t, extended) - t->line_time;
        s->least = NO_SAMPLE;
    }
    /* the output stays where it is, then slews */
    t->correction = on_provisional(t, extended) - (t->line_time + s->offset);
    t->slewing = false;
}

void sync_report(struct sync *s, unsigned track, uint64_t ntp, uint32_t rtp_time)
{
    struct sync_track *t = &s->tracks[track];
    if (!t->mapped)
        return; /* without media its epoch would be a guess */
    int64_t extended = t->last_extended + clock_diff32(rtp_time, t->last_time);
    double time = sender_time(s, ntp);
    if (t->reports == 0) {
        first_report(s, t, time, extended);
        return;
    }
    double predicted = on_line(t, extended);
    double error = time + t->shift - predicted;
    double passed = time - t->report_time;
    t->report_time = time;
    if (size_of(error) > STEP_US) {
        t->shift -= error;
        return;
    }
    if (passed <= 0)
        return;
    bool early = t->reports < EARLY_REPORTS;
    t->line_time = predicted + (early ? PHASE_GAIN_EARLY : PHASE_GAIN) * error;
    t->line_extended = extended;
    if (!early)
        t->slope *= 1 + clamp(FREQUENCY_GAIN * error / passed, FREQUENCY_STEP_MAX);
    double nominal = SECOND / t->clock_rate;
    t->slope = nominal * (1 + clamp(t->slope / nominal - 1, SLOPE_MAX));
    t->reports++;
}

/* The least delayed packet of the last windows teaches the session offset. */
static void learn_offset(struct sync *s, double sample, double arrival)
{
    s->least = least(s->least, sample);
    if (s->window_start == 0) {
        s->window_start = arrival;
        s->adjusted_at = arrival;
    }
    if (arrival - s->window_start < SYNC_WINDOW_US)
        return;
    s->window_least[s->window_next++ % SYNC_WINDOWS] = s->least;
    if (s->window_count < SYNC_WINDOWS)
        s->window_count++;
    s->least = NO_SAMPLE;
    s->window_start = arrival;
    double delay = NO_SAMPLE;
    for (unsigned i = 0; i < s->window_count; i++)
        delay = least(delay, s->window_least[i]);
    double limit = OFFSET_SLEW * (arrival - s->adjusted_at);
    s->adjusted_at = arrival;
    s->offset += clamp((delay - s->offset) * OFFSET_GAIN, limit);
}

static void slew_correction(struct sync_track *t, double arrival)
{
    if (t->correction == 0)
        return;
    if (t->slewing) {
        double step = greatest(0, SLEW * (arrival - t->slewed_at));
        t->correction -= clamp(t->correction, step);
    }
    t->slewing = true;
    t->slewed_at = arrival;
}

/* RTP time moved against arrival in a way that no network delay explains. A frame that is merely
 * late (a stalled network) keeps its place unless it is SYNC_AWAY_US late. */
static bool has_jumped(const struct sync_track *t, int64_t extended, double arrival)
{
    double moved = (double)(extended - t->previous) * SECOND / t->clock_rate;
    double passed = arrival - t->previous_arrival;
    if (moved - passed > SYNC_JUMP_US || moved < -SYNC_JUMP_US)
        return true;
    return passed - moved > SYNC_AWAY_US;
}

static void restart(struct sync_track *t, int64_t extended, double arrival)
{
    t->reports = 0;
    t->correction = 0;
    t->anchor_extended = extended;
    t->anchor_arrival = arrival;
    t->last_extended = extended;
    t->last_time = (uint32_t)extended;
}

static double map_time(struct sync *s, struct sync_track *t, int64_t extended, double arrival)
{
    if (t->reports == 0)
        return on_provisional(t, extended);
    double sender = on_line(t, extended);
    learn_offset(s, arrival - sender, arrival);
    slew_correction(t, arrival);
    return sender + s->offset + t->correction;
}

/* Discontinuities that follow each other closely are told once: the result stays near arrival in
 * any case. */
static bool may_flag(struct sync_track *t, double arrival)
{
    if (t->flagged && arrival - t->flagged_at < SYNC_FLAG_SPACING_US)
        return false;
    t->flagged = true;
    t->flagged_at = arrival;
    return true;
}

/* Times grow where timestamps grow; B-frames, whose timestamps go back, keep their place. */
static double keep_order(struct sync_track *t, int64_t extended, double pts)
{
    bool newer = extended >= t->newest;
    if (newer)
        pts = greatest(pts, t->newest_pts + MONOTONIC_STEP_US);
    if (newer || !t->mapped) {
        t->newest = extended;
        t->newest_pts = pts;
    }
    return pts;
}

bool sync_map(struct sync *s, unsigned track, uint32_t rtp_time, uint64_t arrival_us,
              int64_t *out_pts_us)
{
    struct sync_track *t = &s->tracks[track];
    double arrival = (double)arrival_us;
    bool jumped = t->replaced;
    int64_t extended = unwrap(t, rtp_time);
    t->replaced = false;
    if (!t->mapped) {
        restart(t, extended, arrival);
        t->newest = extended;
    } else if (has_jumped(t, extended, arrival)) {
        jumped = true;
    }
    double pts = map_time(s, t, extended, arrival);
    if (jumped || size_of(pts - arrival) > SYNC_AWAY_US) {
        restart(t, extended, arrival);
        pts = arrival;
        t->newest = extended; /* timestamps begin anew, times still grow */
        jumped = true;
    }
    pts = keep_order(t, extended, pts);
    t->mapped = true;
    t->previous = extended;
    t->previous_arrival = arrival;
    *out_pts_us = (int64_t)(pts + 0.5); /* positive: it is near arrival */
    return jumped && may_flag(t, arrival);
}
