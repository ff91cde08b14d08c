/* Media over bad networks, simulated: what is asked for, and what arrives (RTP-08, RTP-10, and the
 * bars of design.md 7: RTT 50 ms, jitter 20 ms). */
#include "tests/unit/ingest/ingest_network.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define SPACING_US 65000u /* of a browser on such a way: its round trip */
#define SEEDS 4u

/* One of four publishers: repairs by the same SSRC at once, or by RTX as browsers do; the network
 * overtakes or not. */
static struct net_config config_of(uint32_t loss, unsigned kind, uint32_t seed)
{
    struct net_config config = net_lossy(loss, (kind & 1) != 0, (kind & 2) != 0);
    config.seed = seed;
    if (kind & 2)
        config.spacing_us = SPACING_US;
    return config;
}

static void print(const struct net_config *config, const struct net_result *result)
{
    char name[64];
    (void)snprintf(name, sizeof(name), "%u %%%s%s", config->up.loss / 10,
                   config->up.in_order ? ", in order" : "", config->rtx ? ", RTX" : "");
    net_print(name, result);
}

static struct net_result run(const struct net_config *config)
{
    struct network *n = net_new(config);
    net_run(n, 60);
    struct net_result result = net_end(n);
    print(config, &result);
    net_free(n);
    return result;
}

static void RTP_08_what_is_overtaken_is_hardly_asked_for(void **state)
{
    (void)state;
    const struct net_config config = config_of(0, 0, 1);
    struct net_result r = run(&config);
    assert_true(r.repeats <= r.video_sent / 100);
    assert_int_equal(r.audio_intact, r.audio_sent);
}

static void RTP_08_a_loss_is_asked_for_about_once(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < 4; kind++) {
        const struct net_config config = config_of(10, kind, 1);
        struct net_result r = run(&config);
        uint32_t packets = r.video_sent * (NET_PICTURE_PACKETS + 1) / 2;
        assert_in_range(r.repeats, packets / 120, packets / 50);
        assert_true(r.video_intact * 1000 >= r.video_sent * 999);
    }
}

static void RTP_10_at_10_per_cent_99_of_100_units_arrive(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < 4; kind++) {
        struct net_result sum = {0};
        for (uint32_t seed = 1; seed <= SEEDS; seed++) {
            const struct net_config config = config_of(100, kind, seed);
            struct net_result r = run(&config);
            sum.video_sent += r.video_sent;
            sum.video_intact += r.video_intact;
            assert_true(r.stall_us < 1000000);
            assert_true(r.delay_mean_us < 200000);
        }
        assert_true(sum.video_intact * 1000 >= sum.video_sent * 995);
    }
}

/* Half a minute of it, then the network is good again. */
static void RTP_10_at_30_per_cent_no_stall_above_2_s_and_clean_1_s_after(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < 4; kind++) {
        struct net_config config = config_of(300, kind, 1);
        struct network *n = net_new(&config);
        net_run(n, 30);
        n->config.up.loss = 0;
        n->config.down.loss = 0;
        net_run(n, 1);
        uint32_t clean_from = n->frames;
        net_run(n, 10);
        struct net_result r = net_end(n);
        print(&config, &r);
        for (uint32_t i = clean_from; i < n->frames; i++)
            assert_true(n->video[i].written_us != 0);
        assert_true(r.stall_us <= 2000000);
        assert_true(r.plis <= 2 * 31);
        net_free(n);
    }
}

/* U17: nothing arrives until the new address is known; all that is lost in between is too much to
 * ask for. */
static void U17_an_outage_is_not_asked_for_for_ever(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < 4; kind++) {
        const struct net_config config = config_of(0, kind, 1);
        struct network *n = net_new(&config);
        net_run(n, 10);
        uint32_t asked = n->result.asked;
        n->config.up.blocked = true;
        net_run(n, 2);
        n->config.up.blocked = false;
        net_run(n, 1);
        uint32_t clean_from = n->frames;
        uint64_t lost_us = n->last_frame_us;
        net_run(n, 10);
        assert_true(n->media->receivers[TRACK_VIDEO].nack.count < 10);
        assert_true(n->result.asked - asked < 40); /* and not hundreds of numbers ten times */
        assert_true(n->last_frame_us > lost_us);
        struct net_result r = net_end(n);
        print(&config, &r);
        for (uint32_t i = clean_from; i < n->frames; i++)
            assert_true(n->video[i].written_us != 0);
        assert_true(r.stall_us < 3000000);
        net_free(n);
    }
}

/* RTP-12, RTP-09: some publishers ignore PLI, some NACK too. */
static void RTP_12_without_answers_the_next_key_frame_ends_the_gap(void **state)
{
    (void)state;
    struct net_config config = config_of(10, 0, 1);
    config.obeys_pli = false;
    config.nack = false;
    struct net_result r = run(&config);
    assert_int_equal(r.asked, 0);
    assert_true(r.video_intact > 0);
    assert_true(r.plis <= 2 * 60 + 2);
    assert_true(r.delay_max_us < 250000);
}

static void repairs_do_not_hide_the_loss(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < 4; kind++) {
        const struct net_config config = config_of(100, kind, 1);
        struct network *n = net_new(&config);
        struct rtcp_report report;
        net_run(n, 30);
        struct receiver *r = &n->media->receivers[TRACK_VIDEO];
        reception_report(&r->reception, 1, n->now_us, &report);
        uint32_t sent = (uint16_t)(n->sequence - 65000);
        assert_in_range(report.cumulative_lost, sent * 8 / 100, sent * 12 / 100);
        assert_true(r->stats.lost < sent / 200);
        assert_in_range(r->stats.loss_permille, 50, 250);
        assert_int_equal(r->stats.recovered_rtx > 100, config.rtx);
        net_free(n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(RTP_08_what_is_overtaken_is_hardly_asked_for),
        cmocka_unit_test(RTP_08_a_loss_is_asked_for_about_once),
        cmocka_unit_test(RTP_10_at_10_per_cent_99_of_100_units_arrive),
        cmocka_unit_test(RTP_10_at_30_per_cent_no_stall_above_2_s_and_clean_1_s_after),
        cmocka_unit_test(U17_an_outage_is_not_asked_for_for_ever),
        cmocka_unit_test(RTP_12_without_answers_the_next_key_frame_ends_the_gap),
        cmocka_unit_test(repairs_do_not_hide_the_loss),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
