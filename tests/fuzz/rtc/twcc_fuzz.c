/* Fuzzes the reader of transport-wide feedback, and the recorder: what it writes it can read. */
#include "gateway/rtc/twcc.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool ok)
{
    if (!ok)
        abort();
}

static void read_report(const uint8_t *fci, size_t len)
{
    static struct twcc_report report;
    struct rtcp_feedback feedback = {.fci = fci, .fci_len = len};
    volatile int64_t sum = 0;
    if (twcc_parse(&feedback, &report) < 0)
        return;
    expect(report.count > 0 && report.count <= TWCC_REPORT_MAX);
    for (size_t i = 0; i < report.count; i++)
        sum = sum + report.arrivals[i].time_us + report.arrivals[i].sequence;
}

/* Every 4 bytes are a packet: its number and a step of time. */
static void record(const uint8_t *data, size_t size)
{
    static struct twcc twcc;
    static struct twcc_report report;
    uint64_t now_us = 1;
    uint8_t bytes[TWCC_REPORT_LEN];
    struct reader r;
    twcc_init(&twcc);
    reader_init(&r, data, size);
    while (reader_left(&r) >= 4) {
        uint16_t sequence = reader_u16(&r);
        uint64_t step = reader_u16(&r);
        now_us += step * step;
        twcc_record(&twcc, sequence, now_us);
    }
    for (unsigned i = 0; i < 3 + 2 * TWCC_WINDOW; i++) {
        struct writer w;
        writer_init(&w, bytes, sizeof(bytes));
        if (!twcc_write(&twcc, 1, 2, now_us, &w))
            return;
        struct rtcp_feedback feedback = {.fci = bytes + 12, .fci_len = w.len - 12};
        expect(writer_ok(&w) && twcc_parse(&feedback, &report) == 0);
        expect(report.arrivals[report.count - 1].received);
    }
    abort(); /* it never ends */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    read_report(data, size);
    record(data, size);
    return 0;
}
