/* The STUN and TURN servers that a publisher is told of: one Link header line each (RFC 9725 4.6;
 * protocols.md WHIP-49, 50). */
#ifndef SLUICE_WEB_ICE_LINKS_H
#define SLUICE_WEB_ICE_LINKS_H

#include "lib/proto/grant.h"
#include "lib/proto/settings.h"
#include "web/reply.h"

#include <stdbool.h>

#define ICE_LINKS_MAX 8u
/* Room that the lines of all servers need in a reply: each has, besides its URI, at most 96
 * characters of ours and a credential. */
#define ICE_LINKS_TEXT_MAX                                                                         \
    (sizeof(((struct settings_web *)0)->ice_servers) +                                             \
     ICE_LINKS_MAX * (96u + sizeof(struct turn_credential)))

/* servers: blank-separated URIs. True when there are at most ICE_LINKS_MAX, each is stun:, stuns:,
 * turn: or turns: with a host and none of the characters that would end a header's parts. */
bool ice_links_valid(const char *servers);

/* True when both texts of a credential end inside their fields and can stand in a quoted string
 * that clients cut at commas and semicolons (OBS); also when there is none. */
bool ice_links_credential_valid(const struct turn_credential *turn);

/* Adds a line for each server of a valid list. TURN servers are left out when there is no
 * credential, because they are of no use then. */
void ice_links_add(struct reply *reply, const char *servers, const struct turn_credential *turn);

#endif
