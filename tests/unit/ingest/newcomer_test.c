/* When another SSRC is the source from now on. */
#include "gateway/ingest/newcomer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define START_US 5000000u

static struct rtp_packet packet_of(uint32_t ssrc, const char *payload)
{
    return (struct rtp_packet){
        .ssrc = ssrc, .payload = (const uint8_t *)payload, .payload_len = strlen(payload)};
}

static enum newcomer_verdict judge(struct newcomer *n, uint32_t ssrc, bool is_new, uint64_t now_us)
{
    struct rtp_packet packet = packet_of(ssrc, "x");
    return newcomer_judge(n, &packet, is_new, now_us);
}

static void RTP_06_the_first_source_needs_no_proof(void **state)
{
    struct newcomer n = {0};
    (void)state;
    assert_int_equal(judge(&n, 1, true, START_US), NEWCOMER_TAKES_OVER);
    assert_int_equal(judge(&n, 1, true, 0), NEWCOMER_TAKES_OVER);
}

static void RTP_06_the_second_packet_takes_over_with_the_first(void **state)
{
    struct newcomer n = {0};
    char bytes[] = "key";
    (void)state;
    newcomer_note_source(&n, START_US);
    struct rtp_packet first = packet_of(2, bytes);
    first.sequence = 7;
    assert_int_equal(newcomer_judge(&n, &first, true, START_US + 1), NEWCOMER_IGNORED);
    memset(bytes, 0, sizeof(bytes)); /* the datagram is gone */
    newcomer_note_source(&n, START_US + 2);
    assert_int_equal(judge(&n, 2, false, START_US + 3), NEWCOMER_PROVED);
    assert_int_equal(n.packet.sequence, 7);
    assert_int_equal(n.packet.payload_len, 3);
    assert_memory_equal(n.packet.payload, "key", 3);
    newcomer_forget(&n);
    assert_false(n.waits);
    assert_memory_equal(n.bytes, "\0\0\0", 3);
}

static void RTP_06_a_second_packet_that_comes_late_is_a_first_one(void **state)
{
    struct newcomer n = {0};
    (void)state;
    newcomer_note_source(&n, START_US);
    assert_int_equal(judge(&n, 2, true, START_US), NEWCOMER_IGNORED);
    uint64_t later = START_US + NEWCOMER_SECOND_US;
    newcomer_note_source(&n, later);
    assert_int_equal(judge(&n, 2, false, later), NEWCOMER_IGNORED);
    assert_int_equal(judge(&n, 2, false, later + NEWCOMER_SECOND_US - 1), NEWCOMER_PROVED);
}

static void RTP_06_U12_only_the_newest_stranger_waits(void **state)
{
    struct newcomer n = {0};
    (void)state;
    newcomer_note_source(&n, START_US);
    for (uint32_t ssrc = 2; ssrc < 100; ssrc++)
        assert_int_equal(judge(&n, ssrc, true, START_US), NEWCOMER_IGNORED);
    assert_int_equal(judge(&n, 50, false, START_US), NEWCOMER_IGNORED);
    assert_int_equal(judge(&n, 99, false, START_US), NEWCOMER_PROVED);
}

static void RTP_06_into_silence_one_packet_is_enough(void **state)
{
    struct newcomer n = {0};
    uint64_t now_us = START_US + NEWCOMER_PAUSE_US;
    (void)state;
    newcomer_note_source(&n, START_US);
    assert_int_equal(judge(&n, 2, true, now_us - 1), NEWCOMER_IGNORED);
    assert_int_equal(judge(&n, 3, true, now_us), NEWCOMER_TAKES_OVER);
    newcomer_note_source(&n, now_us);
    newcomer_note_end(&n);
    assert_int_equal(judge(&n, 4, true, now_us), NEWCOMER_TAKES_OVER);
}

static void RTP_06_one_that_was_replaced_waits_for_a_longer_silence(void **state)
{
    struct newcomer n = {0};
    (void)state;
    newcomer_note_source(&n, START_US);
    for (unsigned i = 0; i < 10; i++) /* what the network delayed: never enough */
        assert_int_equal(judge(&n, 1, false, START_US + NEWCOMER_RETURN_US - 1), NEWCOMER_IGNORED);
    assert_int_equal(judge(&n, 1, false, START_US + NEWCOMER_RETURN_US), NEWCOMER_TAKES_OVER);
}

static void a_packet_larger_than_a_datagram_is_not_kept(void **state)
{
    struct newcomer n = {0};
    static const uint8_t large[STREAM_DATAGRAM_MAX + 1];
    struct rtp_packet packet = {.ssrc = 2, .payload = large, .payload_len = sizeof(large)};
    (void)state;
    newcomer_note_source(&n, START_US);
    assert_int_equal(newcomer_judge(&n, &packet, true, START_US), NEWCOMER_IGNORED);
    assert_false(n.waits);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(RTP_06_the_first_source_needs_no_proof),
        cmocka_unit_test(RTP_06_the_second_packet_takes_over_with_the_first),
        cmocka_unit_test(RTP_06_a_second_packet_that_comes_late_is_a_first_one),
        cmocka_unit_test(RTP_06_U12_only_the_newest_stranger_waits),
        cmocka_unit_test(RTP_06_into_silence_one_packet_is_enough),
        cmocka_unit_test(RTP_06_one_that_was_replaced_waits_for_a_longer_silence),
        cmocka_unit_test(a_packet_larger_than_a_datagram_is_not_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
