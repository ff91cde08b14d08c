#include "gateway/ingest/jitter.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define DEADLINE_US 300000u
#define SLOTS 64u

static int setup(void **state)
{
    struct jitter *j = NULL;
    assert_int_equal(jitter_new(SLOTS, DEADLINE_US, &j), 0);
    *state = j;
    return 0;
}

static int teardown(void **state)
{
    jitter_free(*state);
    return 0;
}

/* The payload is the sequence number itself. */
static enum jitter_verdict push_as(struct jitter *j, uint16_t sequence, uint64_t now_us,
                                   bool repair, struct jitter_missing *missing)
{
    static uint16_t number;
    number = sequence;
    struct depay_packet packet = {
        .data = (const uint8_t *)&number, .len = sizeof(number), .arrival_us = now_us};
    return jitter_push(j, sequence, &packet, repair, missing);
}

static enum jitter_verdict push(struct jitter *j, uint16_t sequence, uint64_t now_us)
{
    struct jitter_missing missing;
    return push_as(j, sequence, now_us, false, &missing);
}

static void expect_packet(struct jitter *j, uint64_t now_us, uint16_t sequence)
{
    struct depay_packet out;
    uint16_t number;
    assert_int_equal(jitter_pop(j, now_us, &out), JITTER_PACKET);
    assert_int_equal(out.len, sizeof(number));
    memcpy(&number, out.data, sizeof(number));
    assert_int_equal(number, sequence);
}

static void expect(struct jitter *j, uint64_t now_us, enum jitter_result result)
{
    struct depay_packet out;
    assert_int_equal(jitter_pop(j, now_us, &out), result);
}

static void in_order_packets_pass_at_once_and_wrap(void **state)
{
    struct jitter *j = *state;
    for (uint32_t i = 0; i < 200000; i++) {
        uint16_t sequence = (uint16_t)(i + 65000);
        assert_int_equal(push(j, sequence, i), JITTER_TAKEN);
        expect_packet(j, i, sequence);
        expect(j, i, JITTER_NONE);
        assert_true(jitter_due_us(j) == UINT64_MAX);
    }
    assert_int_equal(jitter_lost(j), 0);
}

static void RTP_06_reordered_packets_wait_for_their_place(void **state)
{
    struct jitter *j = *state;
    push(j, 65534, 1);
    expect_packet(j, 1, 65534);
    push(j, 0, 2); /* 65535 is missing */
    expect(j, 2, JITTER_NONE);
    push(j, 2, 3);
    expect(j, 3, JITTER_NONE);
    push(j, 65535, 4);
    expect_packet(j, 4, 65535);
    expect_packet(j, 4, 0);
    expect(j, 4, JITTER_NONE);
    push(j, 1, 5);
    expect_packet(j, 5, 1);
    expect_packet(j, 5, 2);
    expect(j, 5, JITTER_NONE);
    assert_int_equal(jitter_lost(j), 0);
}

static void missing_numbers_are_told_once(void **state)
{
    struct jitter *j = *state;
    struct jitter_missing missing;
    push_as(j, 10, 1, false, &missing);
    assert_int_equal(missing.count, 0);
    expect_packet(j, 1, 10);
    push_as(j, 14, 2, false, &missing);
    assert_int_equal(missing.first, 11);
    assert_int_equal(missing.count, 3);
    push_as(j, 15, 3, false, &missing);
    assert_int_equal(missing.count, 0);
    push_as(j, 12, 4, false, &missing);
    assert_int_equal(missing.count, 0);
}

static void RTP_10_a_hole_is_given_up_at_its_deadline(void **state)
{
    struct jitter *j = *state;
    push(j, 1, 0);
    expect_packet(j, 0, 1);
    push(j, 4, 1000);
    expect(j, 1000, JITTER_NONE);
    assert_int_equal(jitter_due_us(j), 1000 + DEADLINE_US);
    push(j, 5, 2000);
    expect(j, 1000 + DEADLINE_US - 1, JITTER_NONE);
    expect(j, 1000 + DEADLINE_US, JITTER_GAP);
    expect_packet(j, 1000 + DEADLINE_US, 4);
    expect_packet(j, 1000 + DEADLINE_US, 5);
    expect(j, 1000 + DEADLINE_US, JITTER_NONE);
    assert_int_equal(jitter_lost(j), 2);
    assert_int_equal(push(j, 3, 1000 + DEADLINE_US), JITTER_OLD); /* too late */
}

static void a_second_hole_waits_from_its_own_packets(void **state)
{
    struct jitter *j = *state;
    push(j, 1, 0);
    expect_packet(j, 0, 1);
    push(j, 3, 1000); /* 2 missing */
    expect(j, 1000, JITTER_NONE);
    push(j, 5, 200000); /* 4 missing */
    expect(j, 1000 + DEADLINE_US, JITTER_GAP);
    expect_packet(j, 1000 + DEADLINE_US, 3);
    expect(j, 1000 + DEADLINE_US, JITTER_NONE);
    assert_int_equal(jitter_due_us(j), 200000 + DEADLINE_US);
    expect(j, 200000 + DEADLINE_US, JITTER_GAP);
    expect_packet(j, 200000 + DEADLINE_US, 5);
}

static void RTP_06_duplicates_are_dropped(void **state)
{
    struct jitter *j = *state;
    push(j, 1, 0);
    expect_packet(j, 0, 1);
    assert_int_equal(push(j, 1, 0), JITTER_OLD);
    push(j, 3, 1);
    expect(j, 1, JITTER_NONE);
    assert_int_equal(push(j, 3, 2), JITTER_OLD);
}

static void a_jump_beyond_the_window_flushes(void **state)
{
    struct jitter *j = *state;
    push(j, 1, 0);
    expect_packet(j, 0, 1);
    push(j, 3, 1);
    expect(j, 1, JITTER_NONE);
    assert_int_equal(push(j, 1000, 2), JITTER_TAKEN);
    expect(j, 2, JITTER_GAP);
    expect_packet(j, 2, 3);
    expect(j, 2, JITTER_GAP);
    expect_packet(j, 2, 1000);
    expect(j, 2, JITTER_NONE);
    push(j, 1001, 3);
    expect_packet(j, 3, 1001);
}

static void U11_a_source_goes_on_after_a_long_outage(void **state)
{
    struct jitter *j = *state;
    push(j, 1, 0);
    expect_packet(j, 0, 1);
    assert_int_equal(push(j, 40000, 2), JITTER_TAKEN); /* looks like the past */
    expect(j, 2, JITTER_GAP);
    expect_packet(j, 2, 40000);
    assert_int_equal(push(j, 39990, 2), JITTER_OLD);
}

static void RTP_07_repairs_never_move_the_window(void **state)
{
    struct jitter *j = *state;
    struct jitter_missing missing;
    assert_int_equal(push_as(j, 7, 0, true, &missing), JITTER_OLD); /* before any media */
    push(j, 5000, 0);
    expect_packet(j, 0, 5000);
    assert_int_equal(push_as(j, 10, 1, true, &missing), JITTER_OLD); /* a probe */
    assert_int_equal(push_as(j, 20000, 1, true, &missing), JITTER_OLD);
    push(j, 5002, 2);
    assert_int_equal(push_as(j, 5001, 3, true, &missing), JITTER_TAKEN);
    expect_packet(j, 3, 5001);
    expect_packet(j, 3, 5002);
}

static void RTP_05_padding_only_packets_fill_their_place(void **state)
{
    struct jitter *j = *state;
    struct jitter_missing missing;
    struct depay_packet nothing = {.data = NULL, .len = 0}, out;
    push(j, 1, 0);
    expect_packet(j, 0, 1);
    push(j, 3, 0);
    assert_int_equal(jitter_push(j, 2, &nothing, false, &missing), JITTER_TAKEN);
    assert_int_equal(jitter_pop(j, 0, &out), JITTER_PACKET);
    assert_int_equal(out.len, 0);
    expect_packet(j, 0, 3);
}

static void giving_up_ends_all_waiting(void **state)
{
    struct jitter *j = *state;
    push(j, 1, 0);
    expect_packet(j, 0, 1);
    push(j, 3, 0);
    push(j, 5, 0);
    expect(j, 0, JITTER_NONE);
    jitter_give_up(j);
    expect(j, 0, JITTER_GAP);
    expect_packet(j, 0, 3);
    expect(j, 0, JITTER_GAP);
    expect_packet(j, 0, 5);
    expect(j, 0, JITTER_NONE);
    push(j, 7, 0); /* later holes wait again */
    expect(j, 0, JITTER_NONE);
}

static void a_reset_forgets_the_source(void **state)
{
    struct jitter *j = *state;
    push(j, 1, 0);
    expect_packet(j, 0, 1);
    for (uint16_t i = 3; i < 40; i++)
        push(j, i, 0);
    jitter_reset(j);
    assert_true(jitter_due_us(j) == UINT64_MAX);
    push(j, 500, 0);
    expect_packet(j, 0, 500);
    expect(j, 0, JITTER_NONE);
}

/* The first packets overtake each other as others do. */
static void RTP_06_what_is_older_than_the_first_is_waited_for(void **state)
{
    struct jitter *j = *state;
    struct jitter_missing missing;
    jitter_expect_older(j, 30000);
    assert_int_equal(push(j, 2, 1000), JITTER_TAKEN);
    expect(j, 1000, JITTER_NONE);
    assert_int_equal(jitter_due_us(j), 31000);
    assert_int_equal(push_as(j, 65534, 5000, false, &missing), JITTER_TAKEN);
    assert_int_equal(missing.first, 65535);
    assert_int_equal(missing.count, 3);
    assert_int_equal(missing.advance, 0); /* no loss that was measured */
    assert_int_equal(push(j, 0, 6000), JITTER_TAKEN);
    assert_int_equal(push(j, 1, 7000), JITTER_TAKEN);
    assert_int_equal(push(j, 65535, 8000), JITTER_TAKEN);
    assert_int_equal(push(j, 65535, 8500), JITTER_OLD);
    expect(j, 30999, JITTER_NONE);
    for (uint16_t i = 65534; i != 3; i++)
        expect_packet(j, 31000, i);
    expect(j, 31000, JITTER_NONE);
    assert_int_equal(push(j, 65533, 32000), JITTER_OLD); /* not for ever */
    assert_int_equal(push(j, 3, 33000), JITTER_TAKEN);
    expect_packet(j, 33000, 3); /* and at once from here on */
    assert_int_equal(jitter_lost(j), 0);
}

static void a_far_packet_ends_the_wait_for_older_ones(void **state)
{
    struct jitter *j = *state;
    jitter_expect_older(j, 30000);
    assert_int_equal(push(j, 1000, 1000), JITTER_TAKEN);
    assert_int_equal(push(j, 999 - JITTER_OLDER_MAX, 1500), JITTER_OLD);
    expect(j, 1500, JITTER_NONE);
    assert_int_equal(push(j, 1000 + SLOTS, 2000), JITTER_TAKEN);
    expect_packet(j, 2000, 1000);
    expect(j, 2000, JITTER_GAP);
    expect_packet(j, 2000, 1000 + SLOTS);
    assert_true(jitter_due_us(j) == UINT64_MAX);
}

static void the_whole_window_can_wait(void **state)
{
    struct jitter *j = *state;
    for (unsigned round = 0; round < 3; round++) {
        uint16_t base = (uint16_t)(round * 1000);
        push(j, base, 0);
        while (true) {
            struct depay_packet out;
            if (jitter_pop(j, 0, &out) == JITTER_NONE)
                break;
        }
        for (uint16_t i = 2; i <= SLOTS; i++)
            assert_int_equal(push(j, (uint16_t)(base + i), 0), JITTER_TAKEN);
        expect(j, 0, JITTER_NONE);
        push(j, (uint16_t)(base + 1), 0);
        for (uint16_t i = 1; i <= SLOTS; i++)
            expect_packet(j, 0, (uint16_t)(base + i));
        expect(j, 0, JITTER_NONE);
    }
}

static void wrong_sizes_are_refused(void **state)
{
    struct jitter *j = NULL;
    (void)state;
    assert_int_equal(jitter_new(0, 1, &j), -EINVAL);
    assert_int_equal(jitter_new(65, 1, &j), -EINVAL);
    assert_int_equal(jitter_new(JITTER_SLOTS_MAX * 2, 1, &j), -EINVAL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(in_order_packets_pass_at_once_and_wrap),
        TEST(RTP_06_reordered_packets_wait_for_their_place),
        TEST(missing_numbers_are_told_once),
        TEST(RTP_10_a_hole_is_given_up_at_its_deadline),
        TEST(a_second_hole_waits_from_its_own_packets),
        TEST(RTP_06_duplicates_are_dropped),
        TEST(a_jump_beyond_the_window_flushes),
        TEST(U11_a_source_goes_on_after_a_long_outage),
        TEST(RTP_07_repairs_never_move_the_window),
        TEST(RTP_05_padding_only_packets_fill_their_place),
        TEST(giving_up_ends_all_waiting),
        TEST(a_reset_forgets_the_source),
        TEST(RTP_06_what_is_older_than_the_first_is_waited_for),
        TEST(a_far_packet_ends_the_wait_for_older_ones),
        TEST(the_whole_window_can_wait),
        cmocka_unit_test(wrong_sizes_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
