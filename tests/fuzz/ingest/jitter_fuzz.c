/* The reorder window against what it promises: numbers come out in order, none twice, each with its
 * own bytes, and never more than went in. Input: three bytes per step. */
#include "gateway/ingest/jitter.h"
#include "lib/base/clock.h"
#include "lib/base/reader.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS 64u

struct model {
    uint64_t now_us;
    bool any;
    uint16_t last;
    bool gap; /* declared since the last packet */
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void drain(struct jitter *j, struct model *m)
{
    struct depay_packet out;
    for (;;) {
        enum jitter_result result = jitter_pop(j, m->now_us, &out);
        if (result == JITTER_NONE)
            return;
        if (result == JITTER_GAP) {
            assert(!m->gap);
            m->gap = true;
            continue;
        }
        uint16_t number;
        assert(out.len == sizeof(number));
        memcpy(&number, out.data, sizeof(number));
        if (m->any && !m->gap)
            assert(number == (uint16_t)(m->last + 1));
        if (m->any && m->gap)
            assert(number != m->last);
        m->any = true;
        m->last = number;
        m->gap = false;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct jitter *j = NULL;
    struct model m = {0};
    struct reader r;
    if (jitter_new(SLOTS, 5000, &j) != 0)
        abort();
    reader_init(&r, data, size);
    while (reader_left(&r) >= 3) {
        uint8_t op = reader_u8(&r);
        uint16_t number = reader_u16(&r);
        struct jitter_missing missing;
        m.now_us += op >> 4;
        if ((op & 15) == 0) {
            m.now_us += number;
        } else if ((op & 15) == 1) {
            jitter_give_up(j);
        } else if ((op & 15) == 2) {
            jitter_reset(j);
            jitter_expect_older(j, number & 63);
            m.any = false;
            m.gap = false;
        } else {
            if ((op & 15) > 6) /* mostly near what is expected */
                number = (uint16_t)(jitter_next(j) + (number & 0x7f) - 32);
            struct depay_packet packet = {
                .data = (const uint8_t *)&number, .len = sizeof(number), .arrival_us = m.now_us};
            (void)jitter_push(j, number, &packet, (op & 15) == 3, &missing);
        }
        drain(j, &m);
        assert(jitter_due_us(j) > m.now_us);
    }
    jitter_free(j);
    return 0;
}
