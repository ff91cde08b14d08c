/* The listening sockets: HTTP, and the media ports on explicit local addresses (findings/ingest.md
 * 1: never a wildcard). The supervisor keeps them, so that restarted roles get them back. */
#ifndef SLUICE_SUPERVISOR_LISTEN_H
#define SLUICE_SUPERVISOR_LISTEN_H

#include "gateway/supervisor/conf.h"
#include "lib/base/addr.h"
#include "lib/proto/settings.h"

#include <stddef.h>
#include <sys/types.h>

/* Invariant: the first media_count entries of media, seen and tcp belong together, and so do the
 * first udp_count of udp_at and udp: every address with media_port_count ports in a row. */
struct listeners {
    struct addr http;
    int http_fd;
    size_t media_count;
    struct addr media[STREAM_ADDRESSES_MAX]; /* with the first port */
    struct addr seen[STREAM_ADDRESSES_MAX];  /* by a STUN server; family 0: not known */
    int tcp[STREAM_ADDRESSES_MAX];
    size_t udp_count;
    struct addr udp_at[SETTINGS_UDP_MAX];
    int udp[SETTINGS_UDP_MAX];
    int receive_buffer; /* bytes that the kernel granted */
};

void listeners_init(struct listeners *l); /* nothing is open */

/* Opens all of them; the media sockets are given to edge_uid, because SO_REUSEPORT joins by uid
 * (0: keep). Prints a sentence on failure, and a warning when the receive buffer is smaller than
 * configured. 0 or a negative errno. */
int listeners_open(struct listeners *l, const struct conf *conf, uid_t edge_uid);
void listeners_close(struct listeners *l);

/* Sets a socket's receive buffer, over net.core.rmem_max where privileges allow; returns the bytes
 * granted. */
int listen_set_receive_buffer(int fd, int bytes);

#endif
