/* Fuzzes RTCP compounds: every field of every packet is read. */
#include "gateway/rtc/rtcp.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_feedback(const struct rtcp_packet *p)
{
    struct rtcp_feedback f;
    uint16_t lost[RTCP_NACKS_MAX];
    uint32_t ssrc = 0;
    uint8_t sequence = 0;
    uint64_t bps = 0;
    if (rtcp_parse_feedback(p, &f) < 0)
        return;
    if (rtcp_nack_sequences(&f, lost, RTCP_NACKS_MAX) > RTCP_NACKS_MAX)
        abort();
    for (size_t i = 0; rtcp_parse_fir(&f, i, &ssrc, &sequence) == 0; i++)
        continue;
    (void)rtcp_parse_remb(&f, &bps);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rtcp_walk walk;
    struct rtcp_packet p;
    volatile size_t total = 0;
    rtcp_begin(&walk, data, size);
    while (rtcp_next(&walk, &p)) {
        struct rtcp_sender_info info;
        struct rtcp_report report;
        struct slice cname;
        uint32_t ssrc = 0;
        (void)rtcp_parse_sender_info(&p, &info);
        (void)rtcp_parse_sender(&p, &ssrc);
        struct rtcp_dlrr answers[4];
        uint64_t ntp = 0;
        if (rtcp_parse_dlrr(&p, answers, 4) > 4)
            abort();
        (void)rtcp_parse_rrtr(&p, &ntp);
        for (size_t i = 0; i < p.count; i++) {
            (void)rtcp_parse_report(&p, i, &report);
            (void)rtcp_parse_bye(&p, i, &ssrc);
            if (rtcp_parse_cname(&p, i, &ssrc, &cname) == 0) {
                for (size_t k = 0; k < cname.len; k++)
                    total = total + (unsigned char)cname.data[k];
            }
        }
        read_feedback(&p);
        for (size_t i = 0; i < p.len; i++)
            total = total + p.body[i];
    }
    return 0;
}
