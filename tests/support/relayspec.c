/* The words that describe a link. */
#include "tests/support/relayspec.h"

#include <errno.h>

#define DECIMALS_MAX 4u

/* "12.5" with up to `decimals` decimals as 12500 for three; at most max units before the point. */
static int parse_decimal(struct slice text, unsigned decimals, uint32_t max, uint32_t *out)
{
    static const uint32_t powers[DECIMALS_MAX + 1] = {1, 10, 100, 1000, 10000};
    uint32_t whole = 0, part = 0;
    struct slice fraction = text;
    struct slice units = slice_cut(&fraction, '.');
    int rc = text_parse_u32(units, max, &whole);
    if (rc == 0 && fraction.data != NULL)
        rc = fraction.len > decimals ? -EBADMSG
                                     : text_parse_u32(fraction, powers[DECIMALS_MAX], &part);
    if (rc != 0)
        return -EBADMSG;
    uint32_t value = whole * powers[decimals] + part * powers[decimals - fraction.len];
    if (value > max * powers[decimals])
        return -EBADMSG;
    *out = value;
    return 0;
}

static int parse_percent(struct slice text, uint32_t *out_millionths)
{
    return parse_decimal(text, 4, 100, out_millionths);
}

int relayspec_parse_ms(struct slice text, uint32_t *out_us)
{
    return parse_decimal(text, 3, RELAYSPEC_TIME_MAX_MS, out_us);
}

static int set_burst(struct relaylink_config *config, struct slice value)
{
    uint32_t enter = 0, leave = 0;
    struct slice rest = value;
    int rc = parse_percent(slice_cut(&rest, ','), &enter);
    if (rc == 0)
        rc = parse_percent(rest, &leave);
    if (rc == 0) {
        config->burst_enter = enter;
        config->burst_leave = leave;
    }
    return rc;
}

int relayspec_set(struct relaylink_config *config, struct slice name, struct slice value)
{
    if (slice_is(name, "loss"))
        return parse_percent(value, &config->loss);
    if (slice_is(name, "burst"))
        return set_burst(config, value);
    if (slice_is(name, "duplicate"))
        return parse_percent(value, &config->duplicate);
    if (slice_is(name, "reorder"))
        return parse_percent(value, &config->reorder);
    if (slice_is(name, "flip"))
        return parse_percent(value, &config->flip);
    if (slice_is(name, "delay"))
        return relayspec_parse_ms(value, &config->delay_us);
    if (slice_is(name, "jitter"))
        return relayspec_parse_ms(value, &config->jitter_us);
    if (slice_is(name, "queue"))
        return relayspec_parse_ms(value, &config->queue_us);
    if (slice_is(name, "rate"))
        return text_parse_u32(value, RELAYSPEC_RATE_MAX_KBPS, &config->rate_kbps) == 0 ? 0
                                                                                       : -EBADMSG;
    return -ENOENT;
}
