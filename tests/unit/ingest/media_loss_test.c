/* Media over bad networks, simulated: what is asked for, and what arrives (RTP-08, RTP-10). */
#include "tests/unit/ingest/ingest_network.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct net_result run(const char *what, const struct net_config *config)
{
    struct network *n = net_new(config);
    net_run(n, 60);
    struct net_result result = net_end(n);
    net_print(what, &result);
    net_free(n);
    return result;
}

static void RTP_08_what_is_overtaken_is_hardly_asked_for(void **state)
{
    (void)state;
    const struct net_config config = net_lossy(0, false, false);
    struct net_result r = run("no loss, 20 ms jitter", &config);
    assert_true(r.repeats <= r.video_sent / 100);
    assert_int_equal(r.audio_intact, r.audio_sent);
}

static void RTP_08_a_loss_is_asked_for_about_once(void **state)
{
    (void)state;
    for (unsigned in_order = 0; in_order < 2; in_order++) {
        const struct net_config config = net_lossy(10, in_order, false);
        struct net_result r = run("1 % loss", &config);
        uint32_t packets = r.video_sent * (NET_PICTURE_PACKETS + 1) / 2;
        assert_in_range(r.repeats, packets / 120, packets / 60);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(RTP_08_what_is_overtaken_is_hardly_asked_for),
        cmocka_unit_test(RTP_08_a_loss_is_asked_for_about_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
