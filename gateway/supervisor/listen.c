#include "gateway/supervisor/listen.h"

#include "lib/base/fd.h"

#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define HTTP_BACKLOG 511
#define MEDIA_TCP_BACKLOG 128
#define MEDIA_TCP_SEND_BUFFER 32768 /* bytes of reports and answers that may be under way */
#define MEDIA_PORT_DISTANCE 10000   /* media_port = 0: this far from the HTTP port */

static uint16_t media_port(const struct conf *conf)
{
    if (conf->media_port)
        return conf->media_port;
    uint32_t up = (uint32_t)conf->port + MEDIA_PORT_DISTANCE;
    return (uint16_t)(up <= 65535 ? up : (uint32_t)conf->port - MEDIA_PORT_DISTANCE);
}

static int complain(const char *what, const struct addr *a, int error)
{
    char text[ADDR_TEXT_MAX];
    addr_format_ip(a, text);
    fprintf(stderr, "sluiced: cannot listen on %s %s port %u: %s%s\n", what, text, a->port,
            strerror(-error),
            error == -EADDRINUSE ? " (another program uses it: stop it or set another port)" : "");
    return error;
}

static int open_socket(const struct addr *a, int type, int option, int backlog)
{
    struct sockaddr_storage sa;
    int on = 1, rc = 0;
    socklen_t len = addr_to_sockaddr(a, &sa);
    int fd = socket(sa.ss_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    if (setsockopt(fd, SOL_SOCKET, option, &on, sizeof(on)) < 0 ||
        (a->family == 6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) < 0) ||
        bind(fd, (const struct sockaddr *)&sa, len) < 0 || (backlog && listen(fd, backlog) < 0)) {
        rc = -errno;
        fd_close(&fd);
    }
    return rc ? rc : fd;
}

int listen_set_receive_buffer(int fd, int bytes)
{
    int granted = 0;
    socklen_t len = sizeof(granted);
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) < 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
    if (getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &granted, &len) < 0)
        return 0;
    return granted / 2; /* the kernel reports twice what was asked, for its own bookkeeping */
}

static bool has(const struct listeners *l, const struct addr *a)
{
    for (size_t i = 0; i < l->media_count; i++) {
        if (addr_same_host(&l->media[i], a))
            return true;
    }
    return false;
}

static void add(struct listeners *l, struct addr a, uint16_t port)
{
    if (l->media_count == STREAM_ADDRESSES_MAX || has(l, &a))
        return;
    a.port = port;
    l->media[l->media_count++] = a;
}

/* Every address of an interface that is up, without the link-local ones. */
static void add_local(struct listeners *l, const struct ifaddrs *list, int family, bool loopback,
                      uint16_t port)
{
    for (const struct ifaddrs *i = list; i; i = i->ifa_next) {
        struct addr a;
        if (!i->ifa_addr || !(i->ifa_flags & IFF_UP))
            continue;
        if (addr_from_sockaddr(i->ifa_addr, sizeof(struct sockaddr_in6), &a) || a.family != family)
            continue;
        bool link_local = a.family == 6 && a.ip[0] == 0xfe && (a.ip[1] & 0xc0) == 0x80;
        if (!link_local && addr_is_loopback(&a) == loopback)
            add(l, a, port);
    }
}

/* IPv4 first, then IPv6, loopback last (design.md 6). */
static int find_addresses(struct listeners *l, const struct conf *conf)
{
    uint16_t port = media_port(conf);
    for (size_t i = 0; i < conf->media_address_count; i++) {
        struct addr a;
        int rc = addr_parse(slice_of(conf->media_address[i]), &a);
        if (rc)
            return rc;
        add(l, a, port);
    }
    if (l->media_count > 0)
        return 0;
    struct ifaddrs *list = NULL;
    if (getifaddrs(&list) < 0)
        return -errno;
    add_local(l, list, 4, false, port);
    add_local(l, list, 6, false, port);
    add_local(l, list, 4, true, port);
    add_local(l, list, 6, true, port);
    freeifaddrs(list);
    return l->media_count ? 0 : -EADDRNOTAVAIL;
}

static int open_udp(struct listeners *l, const struct addr *at, const struct conf *conf,
                    uid_t edge_uid)
{
    size_t i = l->udp_count;
    int fd = open_socket(at, SOCK_DGRAM, SO_REUSEPORT, 0);
    if (fd < 0)
        return complain("UDP", at, fd);
    l->udp_at[i] = *at;
    l->udp[i] = fd;
    l->udp_count++;
    if (edge_uid && fchown(fd, edge_uid, edge_uid) < 0)
        return complain("UDP", at, -errno);
    int granted = listen_set_receive_buffer(fd, (int)conf->receive_buffer_bytes);
    if (i == 0 || granted < l->receive_buffer)
        l->receive_buffer = granted;
    return 0;
}

/* Publishers' TCP paths inherit what is set here: small frames do not wait for each other, and a
 * publisher that does not read is not sent old reports for minutes. */
static int open_tcp(struct listeners *l, size_t i)
{
    int on = 1, room = MEDIA_TCP_SEND_BUFFER;
    l->tcp[i] = open_socket(&l->media[i], SOCK_STREAM, SO_REUSEADDR, MEDIA_TCP_BACKLOG);
    if (l->tcp[i] < 0)
        return complain("TCP", &l->media[i], l->tcp[i]);
    if (setsockopt(l->tcp[i], IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) < 0 ||
        setsockopt(l->tcp[i], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room)) < 0)
        return -errno;
    return 0;
}

static int open_media(struct listeners *l, size_t i, const struct conf *conf, uid_t edge_uid)
{
    int rc = 0;
    for (uint32_t n = 0; n < conf->media_port_count && rc == 0; n++) {
        struct addr at = l->media[i];
        at.port = (uint16_t)(at.port + n);
        rc = open_udp(l, &at, conf, edge_uid);
    }
    return rc ? rc : open_tcp(l, i);
}

/* Before anything is opened: does the range fit? */
static int check_ports(const struct listeners *l, const struct conf *conf)
{
    if (l->media[0].port + conf->media_port_count > 65536) {
        fprintf(stderr, "sluiced: media_port_count = %u: there are no such ports above %u\n",
                conf->media_port_count, l->media[0].port);
        return -EINVAL;
    }
    if (l->media_count * conf->media_port_count > SETTINGS_UDP_MAX) {
        fprintf(stderr,
                "sluiced: media_port_count = %u on %zu addresses are more than %d sockets: name "
                "fewer addresses with media_address\n",
                conf->media_port_count, l->media_count, SETTINGS_UDP_MAX);
        return -EINVAL;
    }
    return 0;
}

void listeners_init(struct listeners *l)
{
    memset(l, 0, sizeof(*l));
    l->http_fd = -1;
    for (size_t i = 0; i < STREAM_ADDRESSES_MAX; i++)
        l->tcp[i] = -1;
    for (size_t i = 0; i < SETTINGS_UDP_MAX; i++)
        l->udp[i] = -1;
}

int listeners_open(struct listeners *l, const struct conf *conf, uid_t edge_uid)
{
    listeners_init(l);
    int rc = addr_parse(slice_of(conf->listen), &l->http);
    if (rc)
        return rc;
    l->http.port = conf->port;
    l->http_fd = open_socket(&l->http, SOCK_STREAM, SO_REUSEADDR, HTTP_BACKLOG);
    if (l->http_fd < 0)
        return complain("TCP", &l->http, l->http_fd);
    rc = find_addresses(l, conf);
    if (rc) {
        fprintf(stderr, "sluiced: no local address for media: set media_address\n");
        return rc;
    }
    rc = check_ports(l, conf);
    for (size_t i = 0; i < l->media_count && rc == 0; i++)
        rc = open_media(l, i, conf, edge_uid);
    if (rc == 0 && l->receive_buffer < (int)conf->receive_buffer_bytes)
        fprintf(
            stderr,
            "sluiced: warning: UDP receive buffer is %d bytes, not %u: a burst of one key frame "
            "may be lost on a busy machine; run as root or set net.core.rmem_max=%u\n",
            l->receive_buffer, conf->receive_buffer_bytes, conf->receive_buffer_bytes);
    return rc;
}

void listeners_close(struct listeners *l)
{
    fd_close(&l->http_fd);
    fd_close_all(l->udp, SETTINGS_UDP_MAX);
    fd_close_all(l->tcp, STREAM_ADDRESSES_MAX);
}
