/* How long a hole is worth waiting for, from the loss on the way. */
#include "gateway/ingest/patience.h"

#define MILLION 1000000u
#define TRIES_MAX 16u
#define ANSWERED_PERCENT 80u /* of the requests that arrive */

void patience_init(struct patience *p, uint64_t bound_us)
{
    *p = (struct patience){.bound_us = bound_us, .loss_permille = PATIENCE_START};
}

/* Bad news at once, good news slowly: the next burst is not far. */
static void close_window(struct patience *p)
{
    uint32_t sample = p->missing * 1000u / p->expected;
    if (sample > p->loss_permille)
        p->loss_permille = (p->loss_permille + sample + 1) / 2;
    else
        p->loss_permille = (p->loss_permille * 3 + sample) / 4;
    uint64_t ppm = (uint64_t)p->missing * MILLION / p->expected;
    p->measured_ppm = (uint32_t)(p->measured ? (p->measured_ppm * UINT64_C(3) + ppm) / 4 : ppm);
    p->measured = true;
}

void patience_note(struct patience *p, uint32_t advance, uint32_t missing, uint64_t now_us)
{
    bool over = p->window_us != 0 && now_us - p->window_us >= PATIENCE_WINDOW_US;
    if (over && p->expected >= PATIENCE_WINDOW_MIN)
        close_window(p);
    if (p->window_us == 0 || (over && p->expected >= PATIENCE_WINDOW_MIN)) {
        p->window_us = now_us;
        p->expected = 0;
        p->missing = 0;
    }
    p->expected += advance;
    p->missing += missing;
}

void patience_overtaken(struct patience *p)
{
    if (p->missing > 0)
        p->missing--;
}

uint32_t patience_loss_permille(const struct patience *p)
{
    return p->loss_permille;
}

uint32_t patience_measured_permille(const struct patience *p)
{
    return (p->measured_ppm + 500) / 1000;
}

uint64_t patience_bound_us(const struct patience *p)
{
    return p->bound_us;
}

bool patience_is_heavy(const struct patience *p)
{
    return p->loss_permille >= PATIENCE_HEAVY;
}

/* Requests go out twice under heavy loss; their answer mostly comes once, because browsers refuse
 * to repeat a packet again within a round trip, now and then also when it is just over. The way
 * back is taken to be as bad. */
static unsigned tries_needed(uint32_t loss_permille)
{
    uint64_t loss = loss_permille * 1000u; /* per million */
    uint64_t asked = (MILLION - loss * loss / MILLION) * ANSWERED_PERCENT / 100;
    uint64_t failure = MILLION - asked * (MILLION - loss) / MILLION;
    uint64_t left = loss;
    unsigned tries = 0;
    for (; left > PATIENCE_LEFT_PPM && tries < TRIES_MAX; tries++)
        left = left * failure / MILLION;
    return tries;
}

uint64_t patience_deadline_us(const struct patience *p, uint64_t wait_us, uint64_t repeat_us)
{
    if (!patience_is_heavy(p))
        return p->bound_us;
    uint64_t needed_us = wait_us + tries_needed(p->loss_permille) * repeat_us;
    if (needed_us < p->bound_us)
        return p->bound_us;
    return needed_us < 2 * p->bound_us ? needed_us : 2 * p->bound_us;
}
