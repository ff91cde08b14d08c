#include "gateway/ingest/patience.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define BOUND_US 300000u
#define WAIT_US 15000u
#define REPEAT_US 90000u

/* 250 packets/s of which `per_mille` are lost. */
static void pass(struct patience *p, uint32_t per_mille, uint64_t *now_us, unsigned seconds)
{
    uint32_t debt = 0;
    for (unsigned i = 0; i < seconds * 250; i++) {
        debt += per_mille;
        uint32_t lost = debt / 1000;
        debt %= 1000;
        *now_us += 4000;
        if (lost == 0)
            patience_note(p, 1, 0, *now_us);
        else
            patience_note(p, 1 + lost, lost, *now_us);
    }
}

static uint64_t deadline(const struct patience *p)
{
    return patience_deadline_us(p, WAIT_US, REPEAT_US);
}

static void RTP_10_the_deadline_grows_with_the_loss(void **state)
{
    struct patience p;
    uint64_t now_us = 1000, before_us = BOUND_US;
    (void)state;
    patience_init(&p, BOUND_US);
    pass(&p, 0, &now_us, 10);
    assert_int_equal(patience_loss_permille(&p), 0);
    assert_int_equal(deadline(&p), BOUND_US);
    pass(&p, 10, &now_us, 20);
    assert_false(patience_is_heavy(&p));
    assert_int_equal(deadline(&p), BOUND_US);
    static const uint32_t losses[] = {50, 100, 200, 300};
    for (unsigned i = 0; i < 4; i++) {
        pass(&p, losses[i], &now_us, 20);
        assert_true(patience_is_heavy(&p));
        assert_in_range(patience_loss_permille(&p), losses[i] / 2, losses[i]);
        assert_true(deadline(&p) >= before_us);
        before_us = deadline(&p);
    }
    assert_int_equal(deadline(&p), 2 * BOUND_US); /* never more */
    pass(&p, 0, &now_us, 20);
    assert_int_equal(deadline(&p), BOUND_US);
}

static void heavy_loss_is_noticed_within_a_second(void **state)
{
    struct patience p;
    uint64_t now_us = 1000;
    (void)state;
    patience_init(&p, BOUND_US);
    pass(&p, 0, &now_us, 60);
    pass(&p, 300, &now_us, 1);
    assert_true(patience_is_heavy(&p));
}

static void RTP_10_bad_news_counts_at_once_and_good_news_slowly(void **state)
{
    struct patience p;
    uint64_t now_us = 1000;
    (void)state;
    patience_init(&p, BOUND_US);
    pass(&p, 0, &now_us, 60);
    pass(&p, 300, &now_us, 2); /* two whole windows at least */
    assert_in_range(patience_loss_permille(&p), 200, 300);
    pass(&p, 0, &now_us, 2);
    assert_in_range(patience_loss_permille(&p), 60, 200);
}

static void the_start_is_taken_to_be_bad(void **state)
{
    struct patience p;
    (void)state;
    patience_init(&p, BOUND_US);
    assert_true(patience_is_heavy(&p));
    assert_true(deadline(&p) >= BOUND_US);
}

static void a_longer_way_needs_more_time(void **state)
{
    struct patience p;
    uint64_t now_us = 1000;
    (void)state;
    patience_init(&p, BOUND_US);
    pass(&p, 60, &now_us, 20);
    assert_true(patience_deadline_us(&p, WAIT_US, 20000) == BOUND_US);
    assert_true(patience_deadline_us(&p, WAIT_US, 400000) == 2 * BOUND_US);
}

static void what_was_overtaken_is_no_loss(void **state)
{
    struct patience p;
    uint64_t now_us = 1000;
    (void)state;
    patience_init(&p, BOUND_US);
    for (unsigned i = 0; i < 10000; i++) {
        now_us += 4000;
        patience_note(&p, 2, 1, now_us);
        patience_overtaken(&p);
    }
    assert_true(patience_loss_permille(&p) < 10);
    for (unsigned i = 0; i < 100; i++)
        patience_overtaken(&p); /* of the window before: no harm */
    pass(&p, 0, &now_us, 10);
    assert_int_equal(patience_loss_permille(&p), 0);
}

static void few_packets_say_nothing(void **state)
{
    struct patience p;
    (void)state;
    patience_init(&p, BOUND_US);
    for (uint64_t i = 1; i < PATIENCE_WINDOW_MIN; i++)
        patience_note(&p, 1, i % 2, i * 10000000);
    assert_int_equal(patience_loss_permille(&p), PATIENCE_START);
    patience_note(&p, 65535, 65534, UINT64_MAX / 2); /* no overflow */
    patience_note(&p, 65535, 65534, UINT64_MAX - 1);
    assert_in_range(patience_loss_permille(&p), 0, 1000);
    assert_true(deadline(&p) <= 2 * BOUND_US);
}

static void stats_the_loss_shown_is_the_loss_seen(void **state)
{
    struct patience p;
    uint64_t now_us = 1000;
    (void)state;
    patience_init(&p, BOUND_US);
    assert_int_equal(patience_measured_permille(&p), 0); /* not the pessimism of the deadline */
    pass(&p, 0, &now_us, 3);
    assert_int_equal(patience_measured_permille(&p), 0);
    pass(&p, 20, &now_us, 20);
    assert_in_range(patience_measured_permille(&p), 15, 25);
    pass(&p, 0, &now_us, 30);
    assert_int_equal(patience_measured_permille(&p), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(RTP_10_the_deadline_grows_with_the_loss),
        cmocka_unit_test(heavy_loss_is_noticed_within_a_second),
        cmocka_unit_test(RTP_10_bad_news_counts_at_once_and_good_news_slowly),
        cmocka_unit_test(the_start_is_taken_to_be_bad),
        cmocka_unit_test(a_longer_way_needs_more_time),
        cmocka_unit_test(what_was_overtaken_is_no_loss),
        cmocka_unit_test(few_packets_say_nothing),
        cmocka_unit_test(stats_the_loss_shown_is_the_loss_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
