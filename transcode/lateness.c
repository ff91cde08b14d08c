/* How late the frames of one track arrive behind their time. */
#include "transcode/lateness.h"

#define USUAL_WEIGHT 32

void lateness_init(struct lateness *l)
{
    *l = (struct lateness){0};
    for (unsigned i = 0; i < LATENESS_WINDOWS; i++) {
        l->most_us[i] = -1;
        l->least_us[i] = INT64_MAX;
    }
}

/* Windows in which nothing came do not count: what is known stays known while a track is silent. */
static void open_window(struct lateness *l, uint64_t now_us)
{
    if (l->window_us != 0 && now_us < l->window_us + LATENESS_WINDOW_US)
        return;
    l->at = (l->at + 1) % LATENESS_WINDOWS;
    l->most_us[l->at] = -1;
    l->least_us[l->at] = INT64_MAX;
    l->window_us = now_us;
}

void lateness_add(struct lateness *l, int64_t late_us, uint64_t now_us)
{
    int64_t late = late_us < 0 ? 0 : late_us > LATENESS_MAX_US ? LATENESS_MAX_US : late_us;
    if (l->window_us == 0)
        l->usual_us = late;
    open_window(l, now_us);
    l->usual_us += (late - l->usual_us) / USUAL_WEIGHT;
    if (late > l->most_us[l->at])
        l->most_us[l->at] = late;
    if (late_us < l->least_us[l->at])
        l->least_us[l->at] = late_us < -LATENESS_MAX_US ? -LATENESS_MAX_US : late_us;
}

int64_t lateness_us(const struct lateness *l)
{
    int64_t most = 0;
    for (unsigned i = 0; i < LATENESS_WINDOWS; i++)
        most = l->most_us[i] > most ? l->most_us[i] : most;
    int64_t limit = l->usual_us + LATENESS_REPAIR_US;
    return most < limit ? most : limit;
}

int64_t lateness_least_us(const struct lateness *l)
{
    int64_t least = INT64_MAX;
    for (unsigned i = 0; i < LATENESS_WINDOWS; i++)
        least = l->least_us[i] < least ? l->least_us[i] : least;
    return least == INT64_MAX ? 0 : least;
}
