/* A TCP connection that looks like a datagram socket: packets in frames of RFC 4571, for publishers
 * that use ICE-TCP (RFC 6544). */
#ifndef SLUICE_SUPPORT_RAWTCP_H
#define SLUICE_SUPPORT_RAWTCP_H

#include "lib/base/addr.h"
#include "lib/base/loop.h"

#include <stddef.h>
#include <stdint.h>

#define RAWTCP_FRAME_MAX (2u + 65535u)

/* Pumps between the connection and its end of a socket pair, in the loop. */
struct rawtcp {
    struct loop *loop;
    struct loop_watch tcp;  /* owns the connection */
    struct loop_watch pair; /* owns our end */
    size_t in_len;
    size_t out_len;
    size_t out_sent;
    uint8_t in[RAWTCP_FRAME_MAX];
    uint8_t out[RAWTCP_FRAME_MAX];
};

/* Connects, waiting for it, and gives the end that behaves like a connected datagram socket (the
 * caller's; when the connection ends, so does it). source: to bind to; family 0: any. Large. 0 or a
 * negative errno. */
int rawtcp_open(struct rawtcp *t, struct loop *loop, const struct addr *to,
                const struct addr *source, int *out_fd);
void rawtcp_close(struct rawtcp *t); /* allowed twice, and after {0} with both fds -1 */

#endif
