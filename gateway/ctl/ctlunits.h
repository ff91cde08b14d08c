/* Numbers as people read them: times, durations, bit rates. */
#ifndef SLUICE_CTL_CTLUNITS_H
#define SLUICE_CTL_CTLUNITS_H

#include <stdint.h>

#define CTLUNITS_MAX 48 /* room for any text made here, NUL included */

/* "45s", "3m 20s", "2h", "2h 5m", "1d 3h": the two largest units. */
void ctlunits_duration(uint64_t seconds, char out[CTLUNITS_MAX]);
/* "2026-11-23 07:40:35Z" of milliseconds since 1970; "never" for a year above 9999. */
void ctlunits_time(uint64_t ms, char out[CTLUNITS_MAX]);
/* "950 bit/s", "640 kbit/s", "2.7 Mbit/s". */
void ctlunits_bitrate(uint64_t bps, char out[CTLUNITS_MAX]);

#endif
