/* Requests for key frames. */
#include "transcode/keyask.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define T UINT64_C(100000000)

static void asks_before_the_boundary_by_the_reaction(void **state)
{
    (void)state;
    struct keyask k;
    keyask_init(&k);
    assert_int_equal(keyask_due(&k, T), T - KEYASK_REACTION_US);
    for (int i = 0; i < 100; i++) { /* this one answers after 30 ms */
        keyask_on_sent(&k, T);
        keyask_on_key(&k, T + 30000);
    }
    assert_true(k.reaction_us < 31000 && k.reaction_us >= 30000);
    assert_int_equal(keyask_due(&k, T + 2000000), T + 2000000 - (uint64_t)k.reaction_us);
}

static void RTP_11_never_within_350_ms_after_a_key_frame(void **state)
{
    (void)state;
    struct keyask k;
    keyask_init(&k);
    keyask_on_key(&k, T);
    assert_int_equal(keyask_due(&k, T), T + KEYASK_AFTER_KEY_US);
    assert_int_equal(keyask_due(&k, T + 100000), T + KEYASK_AFTER_KEY_US);
}

static void RTP_11_at_most_two_per_second(void **state)
{
    (void)state;
    struct keyask k;
    keyask_init(&k);
    keyask_on_sent(&k, T);
    assert_int_equal(keyask_due(&k, T), T + KEYASK_REPEAT_US);
}

static void a_key_frame_nobody_asked_for_teaches_nothing(void **state)
{
    (void)state;
    struct keyask k;
    keyask_init(&k);
    keyask_on_key(&k, T);
    assert_int_equal(k.reaction_us, KEYASK_REACTION_US);
    keyask_on_sent(&k, T);
    keyask_on_key(&k, T + 5000000); /* nor does a very late answer */
    assert_int_equal(k.reaction_us, KEYASK_REACTION_US);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(asks_before_the_boundary_by_the_reaction),
        cmocka_unit_test(RTP_11_never_within_350_ms_after_a_key_frame),
        cmocka_unit_test(RTP_11_at_most_two_per_second),
        cmocka_unit_test(a_key_frame_nobody_asked_for_teaches_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
