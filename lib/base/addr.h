/* Internet addresses as plain data: fixed layout, comparable, IPv4-mapped IPv6 folded to IPv4. */
#ifndef SLUICE_BASE_ADDR_H
#define SLUICE_BASE_ADDR_H

#include "lib/base/text.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#define ADDR_TEXT_MAX 64 /* room for any text made here, NUL included */

/* family is 4, 6 or 0 (none); port in host order; an IPv4 address lies in ip[0..3], rest zero. */
struct addr {
    uint8_t family;
    uint8_t pad;
    uint16_t port;
    uint8_t ip[16];
};
_Static_assert(sizeof(struct addr) == 20, "addr travels in control messages");

/* 0, or -EAFNOSUPPORT for another family or a short length. */
int addr_from_sockaddr(const struct sockaddr *sa, socklen_t len, struct addr *out);
/* Length to use with bind or connect; 0 when a->family is neither 4 nor 6. */
socklen_t addr_to_sockaddr(const struct addr *a, struct sockaddr_storage *out);
bool addr_equal(const struct addr *a, const struct addr *b);     /* address and port */
bool addr_same_host(const struct addr *a, const struct addr *b); /* address only */
bool addr_same_site(const struct addr *a,
                    const struct addr *b); /* IPv6: the same /64; IPv4: same host */
bool addr_is_loopback(const struct addr *a);
/* An address literal without port; -EBADMSG otherwise. Sets port to 0. */
int addr_parse(struct slice s, struct addr *out);
/* The address literal without port. */
void addr_format_ip(const struct addr *a, char out[ADDR_TEXT_MAX]);
/* For logs: IPv4 cut to /24, IPv6 to /48, no port (threats.md S5). */
void addr_format_private(const struct addr *a, char out[ADDR_TEXT_MAX]);

#endif
