/* Internet addresses as plain data. */
#include "lib/base/addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static void set_ip4(struct addr *a, const void *ip, uint16_t port)
{
    *a = (struct addr){.family = 4, .port = port};
    memcpy(a->ip, ip, 4);
}

static void set_ip6(struct addr *a, const struct in6_addr *ip, uint16_t port)
{
    if (IN6_IS_ADDR_V4MAPPED(ip)) {
        set_ip4(a, &ip->s6_addr[12], port);
        return;
    }
    *a = (struct addr){.family = 6, .port = port};
    memcpy(a->ip, ip, 16);
}

int addr_from_sockaddr(const struct sockaddr *sa, socklen_t len, struct addr *out)
{
    sa_family_t family;
    if (len < sizeof(family))
        return -EAFNOSUPPORT;
    memcpy(&family, sa, sizeof(family)); /* copied: callers' buffers need not be aligned */
    if (family == AF_INET && len >= sizeof(struct sockaddr_in)) {
        struct sockaddr_in in;
        memcpy(&in, sa, sizeof(in));
        set_ip4(out, &in.sin_addr, ntohs(in.sin_port));
        return 0;
    }
    if (family == AF_INET6 && len >= sizeof(struct sockaddr_in6)) {
        struct sockaddr_in6 in6;
        memcpy(&in6, sa, sizeof(in6));
        set_ip6(out, &in6.sin6_addr, ntohs(in6.sin6_port));
        return 0;
    }
    return -EAFNOSUPPORT;
}

socklen_t addr_to_sockaddr(const struct addr *a, struct sockaddr_storage *out)
{
    if (a->family == 4) {
        struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(a->port)};
        memcpy(&in.sin_addr, a->ip, 4);
        memset(out, 0, sizeof(*out));
        memcpy(out, &in, sizeof(in));
        return sizeof(in);
    }
    if (a->family == 6) {
        struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(a->port)};
        memcpy(&in6.sin6_addr, a->ip, 16);
        memset(out, 0, sizeof(*out));
        memcpy(out, &in6, sizeof(in6));
        return sizeof(in6);
    }
    return 0;
}

bool addr_same_host(const struct addr *a, const struct addr *b)
{
    return a->family == b->family && memcmp(a->ip, b->ip, sizeof(a->ip)) == 0;
}

bool addr_equal(const struct addr *a, const struct addr *b)
{
    return a->port == b->port && addr_same_host(a, b);
}

bool addr_same_site(const struct addr *a, const struct addr *b)
{
    if (a->family != 6 || b->family != 6)
        return addr_same_host(a, b);
    return memcmp(a->ip, b->ip, 8) == 0;
}

bool addr_is_loopback(const struct addr *a)
{
    static const uint8_t one[16] = {[15] = 1};
    if (a->family == 4)
        return a->ip[0] == 127;
    return a->family == 6 && memcmp(a->ip, one, sizeof(one)) == 0;
}

int addr_parse(struct slice s, struct addr *out)
{
    char text[ADDR_TEXT_MAX];
    struct in_addr ip4;
    struct in6_addr ip6;
    if (text_copy(text, sizeof(text), s))
        return -EBADMSG;
    if (inet_pton(AF_INET, text, &ip4) == 1) {
        set_ip4(out, &ip4, 0);
        return 0;
    }
    if (inet_pton(AF_INET6, text, &ip6) == 1) {
        set_ip6(out, &ip6, 0);
        return 0;
    }
    return -EBADMSG;
}

void addr_format_ip(const struct addr *a, char out[ADDR_TEXT_MAX])
{
    const char *made = NULL;
    if (a->family == 4)
        made = inet_ntop(AF_INET, a->ip, out, ADDR_TEXT_MAX);
    else if (a->family == 6)
        made = inet_ntop(AF_INET6, a->ip, out, ADDR_TEXT_MAX);
    if (!made)
        snprintf(out, ADDR_TEXT_MAX, "none");
}

void addr_format_private(const struct addr *a, char out[ADDR_TEXT_MAX])
{
    struct addr cut = *a;
    if (a->family == 4)
        cut.ip[3] = 0;
    else
        memset(cut.ip + 6, 0, sizeof(cut.ip) - 6);
    char ip[ADDR_TEXT_MAX];
    addr_format_ip(&cut, ip);
    snprintf(out, ADDR_TEXT_MAX, "%.48s%s", ip,
             a->family == 4   ? "/24"
             : a->family == 6 ? "/48"
                              : "");
}
