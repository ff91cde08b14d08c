/* The words that describe a link, the same on relay's command line and in its commands. */
#ifndef SLUICE_SUPPORT_RELAYSPEC_H
#define SLUICE_SUPPORT_RELAYSPEC_H

#include "lib/base/text.h"
#include "tests/support/relaylink.h"

#include <stdint.h>

#define RELAYSPEC_TIME_MAX_MS 5000u
#define RELAYSPEC_RATE_MAX_KBPS 10000000u

/* Times in milliseconds, up to RELAYSPEC_TIME_MAX_MS and with up to three decimals, as
 * microseconds. 0 or -EBADMSG. */
int relayspec_parse_ms(struct slice text, uint32_t *out_us);

/* loss, duplicate, reorder, flip: per cent, "2" or "0.25". burst: "ENTER,LEAVE" in per cent. delay,
 * jitter, queue: milliseconds. rate: kbit/s. 0, -ENOENT for another name, -EBADMSG for a bad value;
 * the configuration is untouched then. */
int relayspec_set(struct relaylink_config *config, struct slice name, struct slice value);

#endif
