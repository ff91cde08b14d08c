/* Numbers as people read them: times, durations, bit rates. */
#include "gateway/ctl/ctlunits.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <time.h>

#define YEAR_9999_S 253402300799u

void ctlunits_duration(uint64_t seconds, char out[CTLUNITS_MAX])
{
    static const struct {
        uint64_t seconds;
        char name;
    } units[] = {{86400, 'd'}, {3600, 'h'}, {60, 'm'}, {1, 's'}};
    size_t i = 0;
    while (i < 3 && seconds < units[i].seconds)
        i++;
    uint64_t first = seconds / units[i].seconds;
    uint64_t rest = seconds % units[i].seconds;
    uint64_t second = i < 3 ? rest / units[i + 1].seconds : 0;
    if (second == 0)
        snprintf(out, CTLUNITS_MAX, "%" PRIu64 "%c", first, units[i].name);
    else
        snprintf(out, CTLUNITS_MAX, "%" PRIu64 "%c %" PRIu64 "%c", first, units[i].name, second,
                 units[i + 1].name);
}

void ctlunits_time(uint64_t ms, char out[CTLUNITS_MAX])
{
    time_t seconds = (time_t)(ms / 1000);
    struct tm parts;
    if (ms / 1000 > YEAR_9999_S || !gmtime_r(&seconds, &parts) ||
        strftime(out, CTLUNITS_MAX, "%Y-%m-%d %H:%M:%SZ", &parts) == 0)
        snprintf(out, CTLUNITS_MAX, "never");
}

void ctlunits_bitrate(uint64_t bps, char out[CTLUNITS_MAX])
{
    if (bps < 1000)
        snprintf(out, CTLUNITS_MAX, "%" PRIu64 " bit/s", bps);
    else if (bps < 1000000)
        snprintf(out, CTLUNITS_MAX, "%" PRIu64 " kbit/s", bps / 1000);
    else
        snprintf(out, CTLUNITS_MAX, "%" PRIu64 ".%" PRIu64 " Mbit/s", bps / 1000000,
                 bps / 100000 % 10);
}
