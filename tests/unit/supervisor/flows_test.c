/* The paths of a session, in the supervisor. */
#include "gateway/supervisor/flows.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct msg_path path_to(uint16_t port, enum transport transport)
{
    return (struct msg_path){.session = 7,
                             .local = {.family = 4, .ip = {192, 0, 2, 1}, .port = 8189},
                             .remote = {.family = 4, .ip = {198, 51, 100, 1}, .port = port},
                             .transport = (uint32_t)transport};
}

static void a_tuple_is_kept_once_until_it_is_gone(void **state)
{
    struct flows flows = {0};
    const struct msg_path udp = path_to(1, TRANSPORT_UDP), tcp = path_to(1, TRANSPORT_TCP);
    const struct msg_path other = path_to(2, TRANSPORT_UDP);
    (void)state;
    flows_add(&flows, &udp);
    flows_add(&flows, &udp);
    assert_int_equal(flows.count, 1);
    flows_remove(&flows, &tcp); /* not the same */
    flows_remove(&flows, &other);
    assert_int_equal(flows.count, 1);
    flows_add(&flows, &tcp);
    flows_remove(&flows, &udp);
    assert_int_equal(flows.count, 1);
    assert_int_equal(flows.list[0].transport, TRANSPORT_TCP);
}

static void U3_no_more_than_a_session_may_have(void **state)
{
    struct flows flows = {0};
    (void)state;
    for (uint16_t port = 1; port <= 2 * STREAM_PATHS_MAX; port++) {
        const struct msg_path path = path_to(port, TRANSPORT_UDP);
        flows_add(&flows, &path);
    }
    assert_int_equal(flows.count, STREAM_PATHS_MAX);
    for (uint16_t port = 1; port <= 2 * STREAM_PATHS_MAX; port++) {
        const struct msg_path path = path_to(port, TRANSPORT_UDP);
        flows_remove(&flows, &path);
    }
    assert_int_equal(flows.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tuple_is_kept_once_until_it_is_gone),
        cmocka_unit_test(U3_no_more_than_a_session_may_have),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
