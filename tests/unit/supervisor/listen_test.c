/* The listening sockets, on loopback. */
#include "gateway/supervisor/listen.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define TRIES 50

static int option(int fd, int level, int name)
{
    int value = -1;
    socklen_t len = sizeof(value);
    assert_int_equal(getsockopt(fd, level, name, &value, &len), 0);
    return value;
}

static struct addr address_of(int fd)
{
    struct sockaddr_storage sa;
    socklen_t len = sizeof(sa);
    struct addr a = {0};
    assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
    assert_int_equal(addr_from_sockaddr((const struct sockaddr *)&sa, len, &a), 0);
    return a;
}

static void loopback(struct conf *conf)
{
    conf_init(conf);
    conf->media_address_count = 2;
    (void)snprintf(conf->media_address[0], sizeof(conf->media_address[0]), "127.0.0.1");
    (void)snprintf(conf->media_address[1], sizeof(conf->media_address[1]), "127.0.0.2");
}

/* Ports that are free: others run tests on this machine at the same time. */
static void open_somewhere(struct listeners *l, struct conf *conf)
{
    int rc = -EADDRINUSE;
    for (unsigned i = 0; i < TRIES && rc == -EADDRINUSE; i++) {
        conf->port = (uint16_t)(20000 + ((unsigned)getpid() * 31 + i * 97) % 12000);
        conf->media_port = (uint16_t)(conf->port + 1);
        rc = listeners_open(l, conf, 0);
        if (rc != 0)
            listeners_close(l);
    }
    assert_int_equal(rc, 0);
}

static void ICE_10_every_address_has_its_ports_in_a_row(void **state)
{
    struct listeners l;
    struct conf conf;
    (void)state;
    loopback(&conf);
    conf.media_port_count = 3;
    open_somewhere(&l, &conf);
    assert_int_equal(l.media_count, 2);
    assert_int_equal(l.udp_count, 6);
    for (size_t i = 0; i < l.udp_count; i++) {
        struct addr at = address_of(l.udp[i]);
        assert_true(addr_equal(&at, &l.udp_at[i]));
        assert_true(addr_same_host(&at, &l.media[i / 3]));
        assert_int_equal(at.port, conf.media_port + i % 3);
    }
    for (size_t i = 0; i < l.media_count; i++) {
        struct addr at = address_of(l.tcp[i]);
        assert_true(addr_equal(&at, &l.media[i]));
        assert_int_equal(option(l.tcp[i], SOL_SOCKET, SO_ACCEPTCONN), 1);
        assert_int_not_equal(option(l.tcp[i], IPPROTO_TCP, TCP_NODELAY), 0);
        assert_in_range(option(l.tcp[i], SOL_SOCKET, SO_SNDBUF), 1, 65536);
    }
    listeners_close(&l);
}

static void ICE_10_more_sockets_than_edge_takes_are_refused(void **state)
{
    struct listeners l;
    struct conf conf;
    (void)state;
    loopback(&conf);
    conf.media_port_count = 8;
    for (size_t i = 2; i < 4; i++)
        (void)snprintf(conf.media_address[i], sizeof(conf.media_address[i]), "127.0.0.%zu", i + 1);
    conf.media_address_count = 4;
    conf.port = 0; /* any */
    conf.media_port = 30000;
    assert_int_equal(listeners_open(&l, &conf, 0), -EINVAL);
    listeners_close(&l);
    conf.media_address_count = 1;
    conf.media_port = 65530;
    assert_int_equal(listeners_open(&l, &conf, 0), -EINVAL);
    listeners_close(&l);
}

static void the_granted_buffer_is_told(void **state)
{
    struct listeners l;
    struct conf conf;
    (void)state;
    loopback(&conf);
    conf.receive_buffer_bytes = 100000;
    open_somewhere(&l, &conf);
    assert_int_equal(l.receive_buffer, 100000);
    assert_int_equal(option(l.udp[0], SOL_SOCKET, SO_RCVBUF), 200000);
    listeners_close(&l);
    conf.receive_buffer_bytes = 1 << 30; /* more than any rmem_max, and as root all of it */
    open_somewhere(&l, &conf);
    assert_int_equal(l.receive_buffer, option(l.udp[0], SOL_SOCKET, SO_RCVBUF) / 2);
    listeners_close(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ICE_10_every_address_has_its_ports_in_a_row),
        cmocka_unit_test(ICE_10_more_sockets_than_edge_takes_are_refused),
        cmocka_unit_test(the_granted_buffer_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
