/* Transport-wide congestion control feedback (draft-holmer-rmcat-transport-wide-cc-extensions-01).
 */
#include "gateway/rtc/twcc.h"

#include "gateway/rtc/rtp.h"

#include <errno.h>
#include <string.h>

#define TICK_US 250
#define REFERENCE_TICKS 256 /* 64 ms */
#define RUN_MAX 8191u
#define ONE_BIT_SYMBOLS 14u
#define TWO_BIT_SYMBOLS 7u
#define HEAD_LEN 20u /* RTCP head, two SSRCs, fixed part */

enum symbol { MISSING = 0, SMALL = 1, LARGE = 2, RESERVED = 3 };

/* ---- recorder ---- */

void twcc_init(struct twcc *twcc)
{
    memset(twcc, 0, sizeof(*twcc));
}

static uint64_t *slot(struct twcc *twcc, int64_t number)
{
    return &twcc->arrivals_us[(uint64_t)number % TWCC_WINDOW];
}

/* Makes number the newest; the numbers passed over are missing so far. */
static void advance(struct twcc *twcc, int64_t number)
{
    int64_t from = twcc->newest + 1;
    if (number - from >= (int64_t)TWCC_WINDOW)
        from = number - (int64_t)TWCC_WINDOW + 1;
    for (int64_t n = from; n <= number; n++)
        *slot(twcc, n) = 0;
    twcc->newest = number;
    if (number - twcc->first >= (int64_t)TWCC_WINDOW)
        twcc->first = number - (int64_t)TWCC_WINDOW + 1;
}

void twcc_record(struct twcc *twcc, uint16_t sequence, uint64_t now_us)
{
    int64_t number = sequence;
    if (!twcc->started) {
        twcc->started = true;
        twcc->newest = number - 1;
        twcc->first = number;
        twcc->reported_us = now_us;
    } else {
        number = rtp_extend_sequence(twcc->newest, sequence);
    }
    if (number > twcc->newest)
        advance(twcc, number);
    else if (twcc->newest - number >= (int64_t)TWCC_WINDOW || *slot(twcc, number) != 0)
        return; /* too old, or a duplicate */
    *slot(twcc, number) = now_us > 0 ? now_us : 1;
    if (number < twcc->first)
        twcc->first = number;
    twcc->pending++;
}

void twcc_record_extension(struct twcc *twcc, struct slice extension, uint64_t now_us)
{
    struct reader r;
    reader_init(&r, extension.data, extension.len);
    uint16_t sequence = reader_u16(&r);
    if (reader_ok(&r) && extension.len == 2)
        twcc_record(twcc, sequence, now_us);
}

uint64_t twcc_due_us(const struct twcc *twcc)
{
    if (twcc->pending == 0)
        return UINT64_MAX;
    return twcc->pending >= TWCC_PENDING_MAX ? 0 : twcc->reported_us + TWCC_INTERVAL_US;
}

/* ---- builder ---- */

struct draft {
    int64_t first;
    int64_t reference; /* in ticks, a multiple of REFERENCE_TICKS */
    size_t count;      /* statuses, the last of a received packet */
    uint8_t symbols[TWCC_REPORT_MAX];
    size_t delta_count;
    int16_t deltas[TWCC_REPORT_MAX];
};

static enum symbol symbol_of(int64_t delta)
{
    if (delta >= 0 && delta <= UINT8_MAX)
        return SMALL;
    return delta >= INT16_MIN && delta <= INT16_MAX ? LARGE : RESERVED;
}

/* Absolute ticks are rounded, not differences, so that nothing adds up. */
static void fill(struct twcc *twcc, struct draft *d)
{
    int64_t last_tick = 0;
    size_t at = 0;
    d->first = twcc->first;
    for (; at < TWCC_REPORT_MAX && d->first + (int64_t)at <= twcc->newest; at++) {
        uint64_t arrival_us = *slot(twcc, d->first + (int64_t)at);
        d->symbols[at] = MISSING;
        if (arrival_us == 0)
            continue;
        int64_t tick = (int64_t)(arrival_us / TICK_US);
        if (d->delta_count == 0) {
            d->reference = tick - tick % REFERENCE_TICKS;
            last_tick = d->reference;
        }
        int64_t delta = tick - last_tick;
        enum symbol symbol = symbol_of(delta);
        if (symbol == RESERVED)
            break; /* the next report starts with this packet */
        d->symbols[at] = (uint8_t)symbol;
        d->deltas[d->delta_count++] = (int16_t)delta;
        d->count = at + 1;
        last_tick = tick;
    }
}

static size_t run_at(const struct draft *d, size_t at)
{
    size_t end = at + 1;
    while (end < d->count && d->symbols[end] == d->symbols[at] && end - at < RUN_MAX)
        end++;
    return end - at;
}

/* The symbols from `at` on as one vector; those behind the end stay 0. */
static uint16_t vector_at(const struct draft *d, size_t at, size_t symbols, unsigned bits)
{
    unsigned value = 0;
    for (size_t i = 0; i < symbols; i++)
        value = value << bits | (at + i < d->count ? d->symbols[at + i] : 0u);
    return (uint16_t)value;
}

static bool fits_one_bit(const struct draft *d, size_t at)
{
    for (size_t i = at; i < at + ONE_BIT_SYMBOLS && i < d->count; i++) {
        if (d->symbols[i] == LARGE)
            return false;
    }
    return true;
}

/* Every chunk covers 7 symbols at least, or all that are left. */
static void write_chunks(struct writer *w, const struct draft *d)
{
    size_t at = 0;
    while (at < d->count) {
        size_t run = run_at(d, at);
        bool one_bit = fits_one_bit(d, at);
        if (run >= (one_bit ? ONE_BIT_SYMBOLS : TWO_BIT_SYMBOLS) || at + run == d->count) {
            writer_u16(w, (uint16_t)((unsigned)d->symbols[at] << 13 | run));
            at += run;
        } else if (one_bit) {
            writer_u16(w, (uint16_t)(0x8000u | vector_at(d, at, ONE_BIT_SYMBOLS, 1)));
            at += ONE_BIT_SYMBOLS;
        } else {
            writer_u16(w, (uint16_t)(0xc000u | vector_at(d, at, TWO_BIT_SYMBOLS, 2)));
            at += TWO_BIT_SYMBOLS;
        }
    }
}

static void write_deltas(struct writer *w, const struct draft *d)
{
    for (size_t i = 0; i < d->delta_count; i++) {
        if (symbol_of(d->deltas[i]) == SMALL)
            writer_u8(w, (uint8_t)d->deltas[i]);
        else
            writer_u16(w, (uint16_t)d->deltas[i]);
    }
}

bool twcc_write(struct twcc *twcc, uint32_t ssrc, uint32_t media_ssrc, uint64_t now_us,
                struct writer *w)
{
    struct draft d = {.count = 0};
    if (!writer_ok(w) || w->cap - w->len < TWCC_REPORT_LEN)
        return false;
    /* Missing numbers alone do not make a report: its reference is an arrival. */
    while (twcc->started && twcc->first <= twcc->newest) {
        fill(twcc, &d);
        if (d.count > 0)
            break;
        twcc->first += TWCC_REPORT_MAX;
    }
    if (d.count == 0)
        return false;
    size_t start = w->len;
    writer_u8(w, 0x80u | RTCP_FB_TRANSPORT_CC);
    writer_u8(w, RTCP_RTPFB);
    writer_u16(w, 0);
    writer_u32(w, ssrc);
    writer_u32(w, media_ssrc);
    writer_u16(w, (uint16_t)d.first);
    writer_u16(w, (uint16_t)d.count);
    writer_u24(w, (uint32_t)(d.reference / REFERENCE_TICKS) & 0xffffffu);
    writer_u8(w, twcc->feedback_count);
    write_chunks(w, &d);
    write_deltas(w, &d);
    writer_zeros(w, (4 - (w->len - start) % 4) % 4);
    writer_patch_u16(w, start + 2, (uint16_t)((w->len - start) / 4 - 1));
    twcc->feedback_count++;
    twcc->first = d.first + (int64_t)d.count;
    twcc->pending = 0;
    twcc->reported_us = now_us;
    return true;
}

/* ---- parser ---- */

/* Appends one chunk's symbols, never more than count in all. False for the reserved symbol. */
static bool read_chunk(struct reader *r, uint8_t *symbols, size_t count, size_t *at)
{
    unsigned chunk = reader_u16(r);
    if (!reader_ok(r))
        return false;
    bool vector = chunk & 0x8000u;
    unsigned bits = chunk & 0x4000u ? 2 : 1;
    size_t len = chunk & 0x1fffu;
    if (vector)
        len = bits == 2 ? TWO_BIT_SYMBOLS : ONE_BIT_SYMBOLS;
    for (size_t i = 0; i < len && *at < count; i++) {
        unsigned symbol = chunk >> 13 & 3u;
        if (vector)
            symbol = chunk >> (bits * (len - 1 - i)) & (bits == 2 ? 3u : 1u);
        if (symbol == RESERVED)
            return false;
        symbols[(*at)++] = (uint8_t)symbol;
    }
    return len > 0;
}

static int32_t sign_extend(uint32_t value, unsigned bits)
{
    uint32_t top = 1u << (bits - 1);
    return (int32_t)(value ^ top) - (int32_t)top;
}

int twcc_parse(const struct rtcp_feedback *feedback, struct twcc_report *out)
{
    uint8_t symbols[TWCC_REPORT_MAX];
    struct reader r;
    size_t at = 0;
    reader_init(&r, feedback->fci, feedback->fci_len);
    uint16_t base = reader_u16(&r);
    size_t count = reader_u16(&r);
    int64_t tick = (int64_t)sign_extend(reader_u24(&r), 24) * REFERENCE_TICKS;
    uint8_t feedback_count = reader_u8(&r);
    if (!reader_ok(&r) || count == 0)
        return -EBADMSG;
    if (count > TWCC_REPORT_MAX)
        return -EMSGSIZE;
    while (at < count) {
        if (!read_chunk(&r, symbols, count, &at))
            return -EBADMSG;
    }
    for (size_t i = 0; i < count; i++) {
        struct twcc_arrival arrival = {.sequence = (uint16_t)(base + i)};
        if (symbols[i] != MISSING) {
            tick += symbols[i] == SMALL ? (int32_t)reader_u8(&r) : sign_extend(reader_u16(&r), 16);
            arrival.received = true;
            arrival.time_us = tick * TICK_US;
        }
        out->arrivals[i] = arrival;
    }
    out->count = count;
    out->feedback_count = feedback_count;
    return reader_ok(&r) ? 0 : -EBADMSG;
}
