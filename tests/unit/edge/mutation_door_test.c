/* The door with mutated datagrams: opened only by an authentic check, moved by nothing else. */
#include "gateway/edge/door.h"
#include "tests/support/mutator.h"
#include "tests/support/rawchecks.h"

#define COMPARE_EACH 4096u /* the door is large */
#define SECOND_US 1000000u

struct gate {
    struct door door;
    struct door before;
    uint64_t judged;
    uint64_t opened; /* verdicts; the door counts what door_add_path brings */
    uint64_t now_us;
};

static const struct addr local = {.family = 4, .port = 5000, .ip = {127, 0, 0, 1}};

/* Nothing but counters and rates. */
static void assert_unmoved(struct gate *g)
{
    g->before.counters = g->door.counters;
    g->before.rate = g->door.rate;
    assert_memory_equal(&g->before, &g->door, sizeof(g->door));
}

/* Each datagram has one fate. */
static void check_counters(const struct gate *g)
{
    const struct door_counters *c = &g->door.counters;
    assert_int_equal(c->full + c->limited + c->passed + c->opened, 0);
    assert_int_equal(c->odd + c->strange + c->malformed + c->unknown + c->forged + g->opened,
                     c->received);
}

static bool take_datagram(void *ctx, struct mutator *m, const uint8_t *data, size_t len)
{
    struct gate *g = ctx;
    const struct addr remote = {.family = 4,
                                .port = (uint16_t)(1 + mutator_draw(m, 65535)),
                                .ip = {10, 1, (uint8_t)mutator_draw(m, 256), 1}};
    uint64_t session = 0;
    g->now_us += mutator_draw(m, 100);
    enum door_verdict verdict =
        door_judge(&g->door, &local, &remote, data, len, g->now_us, &session);
    assert_int_not_equal(verdict, DOOR_PASS);
    assert_int_equal(verdict == DOOR_OPEN, mutator_is_seed(m, data, len));
    assert_true(verdict == DOOR_DROP ? session == 0 : session >= 11 && session <= 33);
    g->opened += verdict == DOOR_OPEN;
    assert_int_equal(g->door.counters.received, ++g->judged);
    if (g->judged % COMPARE_EACH == 0)
        assert_unmoved(g);
    return verdict == DOOR_OPEN;
}

static bool take_first_frame(void *ctx, struct mutator *m, const uint8_t *data, size_t len)
{
    struct gate *g = ctx;
    uint64_t session = 0;
    enum door_verdict verdict = door_judge_stream(&g->door, data, len, &session);
    assert_int_not_equal(verdict, DOOR_PASS);
    assert_int_equal(verdict == DOOR_OPEN, mutator_is_seed(m, data, len));
    if (++g->judged % COMPARE_EACH == 0)
        assert_unmoved(g);
    return verdict == DOOR_OPEN;
}

static struct mutator *mill(void)
{
    struct mutator *m = mutator_new();
    mutator_add(m, rawcheck_alpha, sizeof(rawcheck_alpha));
    mutator_add(m, rawcheck_beta, sizeof(rawcheck_beta));
    mutator_add(m, rawcheck_gamma, sizeof(rawcheck_gamma));
    return m;
}

static int setup(void **state)
{
    struct gate *g = calloc(1, sizeof(*g));
    if (!g)
        return -1;
    *state = g;
    g->now_us = SECOND_US;
    door_init(&g->door, 42, g->now_us);
    int err = door_expect(&g->door, 11, RAWCHECK_ALPHA_UFRAG, RAWCHECK_ALPHA_PWD);
    if (err == 0)
        err = door_expect(&g->door, 22, RAWCHECK_BETA_UFRAG, RAWCHECK_BETA_PWD);
    if (err == 0)
        err = door_expect(&g->door, 33, RAWCHECK_GAMMA_UFRAG, RAWCHECK_GAMMA_PWD);
    g->before = g->door;
    return err;
}

static int teardown(void **state)
{
    free(*state);
    return 0;
}

static void U1_U2_U18_mutated_datagrams(void **state)
{
    struct gate *g = *state;
    mutator_run(mill(), "door", take_datagram, g);
    assert_unmoved(g);
    check_counters(g);
}

static void U2_ICE_09_mutated_first_frames(void **state)
{
    struct gate *g = *state;
    mutator_run(mill(), "door-stream", take_first_frame, g);
    assert_unmoved(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(U1_U2_U18_mutated_datagrams, setup, teardown),
        cmocka_unit_test_setup_teardown(U2_ICE_09_mutated_first_frames, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
