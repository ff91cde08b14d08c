/* The attributes a=rid and a=simulcast of an offer (RFC 8851, RFC 8853): a part of sdp.c.
 *
 *   a=rid:<id> send [pt=<list>;<name>=<value>;...]
 *   a=simulcast:send <id>[,<id>][;<id>[,<id>]] [recv ...]     "~" before an id: paused at first
 *
 * Of alternatives (comma) the first counts. A malformed line is skipped as if it were not there
 * (RFC 8851 4). */
#ifndef SLUICE_RTC_SDPRID_H
#define SLUICE_RTC_SDPRID_H

#include "gateway/rtc/sdpattr.h"
#include "lib/base/writer.h"

/* Handlers of sdpattr.c: the text behind the colon. 0 or -EMSGSIZE. */
int sdprid_on_rid(struct sdp_parser *p, struct slice value);
int sdprid_on_simulcast(struct sdp_parser *p, struct slice value);

/* Drops layers without a rid that sends, when a section is complete. */
void sdprid_finish(struct sdp_section *section);

/* False when a layer's rid is restricted to other payload types. */
bool sdprid_allows(const struct sdp_section *section, uint8_t pt);

/* Writes the restrictions of a layer for an answer: as offered, but of payload types only pt.
 * Begins with a blank unless there are none. */
void sdprid_write_restrictions(struct writer *w, const struct sdp_section *section,
                               struct slice rid, uint8_t pt);

#endif
