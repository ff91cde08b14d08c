/* URIs of STUN and TURN servers as the configuration names them (RFC 7064 3.1, RFC 7065 3.1). */
#ifndef SLUICE_SUPERVISOR_ICEURI_H
#define SLUICE_SUPERVISOR_ICEURI_H

#include "lib/base/text.h"

#include <stdbool.h>

#define ICEURI_MAX 255 /* characters */

/* stun:HOST[:PORT], turn:HOST[:PORT][?transport=udp|tcp], turns: alike. HOST is a name, an IPv4
 * literal or an IPv6 literal in brackets. */
bool iceuri_valid(struct slice uri);

/* One of these URIs, separated by blanks, is turn: or turns:. */
bool iceuri_has_turn(struct slice uris);

#endif
