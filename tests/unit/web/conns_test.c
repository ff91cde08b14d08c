/* The list of connections and its reaper. */
#include "web/conns.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define COUNT 3u

static bool is_listed(const struct conns *conns, const struct conn *conn)
{
    const struct conn *at = conns->first;
    while (at && at != conn)
        at = at->next;
    return at != NULL;
}

/* Adds all, removes two in the order given by the digits of `order`: one is left. */
static void leave_one(const size_t order[COUNT])
{
    struct conn list[COUNT] = {{.fd = -1}, {.fd = -1}, {.fd = -1}};
    struct conns conns = {.first = NULL};
    for (size_t i = 0; i < COUNT; i++)
        conns_add(&conns, &list[i], 0);
    conns_remove(&conns, &list[order[0]]);
    assert_true(is_listed(&conns, &list[order[1]]) && is_listed(&conns, &list[order[2]]));
    conns_remove(&conns, &list[order[1]]);
    assert_ptr_equal(conns.first, &list[order[2]]);
    assert_null(conns.first->next);
    assert_null(conns.first->prev);
    assert_int_equal(conns.count, 1);
    conns_sweep(&conns, CONNS_FIRST_US - 1);
    assert_int_equal(conns.reaped, 0);
    conns_sweep(&conns, CONNS_FIRST_US);
    assert_int_equal(conns.reaped, 1);
    assert_int_equal(list[order[2]].phase, CONN_SHUT);
}

static void H1_who_stays_is_reaped_whoever_left_before(void **state)
{
    static const size_t orders[][COUNT] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                           {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    (void)state;
    for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++)
        leave_one(orders[i]);
}

static void H1_tls_has_time_for_its_handshake(void **state)
{
    struct conn conn = {.fd = -1};
    struct conns conns = {.tls = true};
    (void)state;
    conns_add(&conns, &conn, 0);
    conns_sweep(&conns, CONNS_FIRST_US + CONNS_TLS_US - 1);
    assert_int_equal(conns.reaped, 0);
    conns_sweep(&conns, CONNS_FIRST_US + CONNS_TLS_US);
    assert_int_equal(conns.reaped, 1);
    conn_enter(&conn, CONN_WAIT, 0); /* what is shut stays shut */
    assert_int_equal(conn.phase, CONN_SHUT);
    conns_sweep(&conns, UINT64_MAX - 1);
    assert_int_equal(conns.reaped, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(H1_who_stays_is_reaped_whoever_left_before),
        cmocka_unit_test(H1_tls_has_time_for_its_handshake),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
