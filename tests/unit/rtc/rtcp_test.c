/* RTCP packets: RFC 3550 6, RFC 4585 6, RFC 5104 4.3, draft-alvestrand-rmcat-remb-03. */
#include "gateway/rtc/rtcp.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct buffer {
    uint8_t bytes[2048];
    struct writer w;
};

static void start(struct buffer *b)
{
    writer_init(&b->w, b->bytes, sizeof(b->bytes));
}

static struct rtcp_packet only_packet(const struct buffer *b)
{
    struct rtcp_walk walk;
    struct rtcp_packet p = {.type = 0};
    struct rtcp_packet more;
    assert_true(writer_ok(&b->w));
    rtcp_begin(&walk, b->bytes, b->w.len);
    assert_true(rtcp_next(&walk, &p));
    assert_false(rtcp_next(&walk, &more));
    assert_true(rtcp_ok(&walk));
    return p;
}

static void RTP_16_sender_report(void **state)
{
    struct buffer b;
    const struct rtcp_sender_info info = {.ssrc = 0x01020304,
                                          .ntp = 0x1122334455667788,
                                          .rtp_timestamp = 90000,
                                          .packets = 7,
                                          .octets = 800};
    struct rtcp_sender_info got;
    uint32_t ssrc = 0;
    (void)state;
    start(&b);
    rtcp_write_sr(&b.w, &info);
    assert_int_equal(b.w.len, 28);
    struct rtcp_packet p = only_packet(&b);
    assert_int_equal(rtcp_parse_sender_info(&p, &got), 0);
    assert_int_equal(got.ssrc, info.ssrc);
    assert_true(got.ntp == info.ntp);
    assert_int_equal(got.rtp_timestamp, info.rtp_timestamp);
    assert_int_equal(got.packets, info.packets);
    assert_int_equal(got.octets, info.octets);
    assert_int_equal(rtcp_parse_sender(&p, &ssrc), 0);
    assert_int_equal(ssrc, 0x01020304);
    p.type = RTCP_RR;
    assert_int_equal(rtcp_parse_sender_info(&p, &got), -EBADMSG);
}

static void RTP_13_receiver_report_and_cname(void **state)
{
    struct buffer b;
    const struct rtcp_report reports[2] = {
        {.ssrc = 5, .fraction_lost = 128, .cumulative_lost = -3, .highest_sequence = 0x10005},
        {.ssrc = 6, .cumulative_lost = 0x7fffff, .jitter = 9, .last_sr = 10, .delay_since_sr = 11}};
    (void)state;
    start(&b);
    rtcp_write_rr(&b.w, 77, reports, 2);
    rtcp_write_cname(&b.w, 77, slice_of("sluice"));
    assert_true(writer_ok(&b.w));
    assert_int_equal(b.w.len % 4, 0);
    struct rtcp_walk walk;
    struct rtcp_packet p;
    rtcp_begin(&walk, b.bytes, b.w.len);
    assert_true(rtcp_next(&walk, &p));
    assert_int_equal(p.type, RTCP_RR);
    assert_int_equal(p.count, 2);
    for (size_t i = 0; i < 2; i++) {
        struct rtcp_report got;
        assert_int_equal(rtcp_parse_report(&p, i, &got), 0);
        assert_int_equal(got.ssrc, reports[i].ssrc);
        assert_int_equal(got.fraction_lost, reports[i].fraction_lost);
        assert_int_equal(got.cumulative_lost, reports[i].cumulative_lost);
        assert_int_equal(got.highest_sequence, reports[i].highest_sequence);
        assert_int_equal(got.jitter, reports[i].jitter);
        assert_int_equal(got.last_sr, reports[i].last_sr);
        assert_int_equal(got.delay_since_sr, reports[i].delay_since_sr);
    }
    struct rtcp_report none;
    assert_int_equal(rtcp_parse_report(&p, 2, &none), -EBADMSG);
    assert_true(rtcp_next(&walk, &p));
    uint32_t ssrc = 0;
    struct slice cname;
    assert_int_equal(rtcp_parse_cname(&p, 0, &ssrc, &cname), 0);
    assert_int_equal(ssrc, 77);
    assert_true(slice_is(cname, "sluice"));
    assert_int_equal(rtcp_parse_cname(&p, 1, &ssrc, &cname), -EBADMSG);
    assert_false(rtcp_next(&walk, &p));
    assert_true(rtcp_ok(&walk));
}

static void RTP_13_cname_of_any_length_is_padded(void **state)
{
    char name[RTCP_CNAME_MAX + 10];
    (void)state;
    memset(name, 'n', sizeof(name));
    for (size_t len = 0; len < sizeof(name); len++) {
        struct buffer b;
        uint32_t ssrc = 0;
        struct slice cname;
        start(&b);
        rtcp_write_cname(&b.w, 1, slice_make(name, len));
        struct rtcp_packet p = only_packet(&b);
        assert_int_equal(rtcp_parse_cname(&p, 0, &ssrc, &cname), 0);
        assert_int_equal(cname.len, len < RTCP_CNAME_MAX ? len : RTCP_CNAME_MAX);
    }
}

static void RTP_13_a_cname_is_in_an_sdes_and_in_its_count(void **state)
{
    struct buffer b;
    uint32_t ssrc = 0;
    struct slice cname;
    (void)state;
    start(&b);
    rtcp_write_cname(&b.w, 1, slice_of("sluice"));
    struct rtcp_packet p = only_packet(&b);
    p.count = 0;
    assert_int_equal(rtcp_parse_cname(&p, 0, &ssrc, &cname), -EBADMSG);
    p.count = 1;
    assert_int_equal(rtcp_parse_cname(&p, 0, &ssrc, &cname), 0);
    p.type = RTCP_BYE;
    assert_int_equal(rtcp_parse_cname(&p, 0, &ssrc, &cname), -EBADMSG);
}

static void RTP_13_cumulative_loss_saturates(void **state)
{
    struct buffer b;
    const struct rtcp_report reports[2] = {{.cumulative_lost = INT32_MAX},
                                           {.cumulative_lost = INT32_MIN}};
    struct rtcp_report got;
    (void)state;
    start(&b);
    rtcp_write_rr(&b.w, 1, reports, 2);
    struct rtcp_packet p = only_packet(&b);
    assert_int_equal(rtcp_parse_report(&p, 0, &got), 0);
    assert_int_equal(got.cumulative_lost, 0x7fffff);
    assert_int_equal(rtcp_parse_report(&p, 1, &got), 0);
    assert_int_equal(got.cumulative_lost, -0x800000);
}

static void RTP_08_nack_packs_and_unpacks(void **state)
{
    static const uint16_t lost[] = {65530, 65531, 65535, 0, 10, 11, 27, 28, 500};
    struct buffer b;
    struct rtcp_feedback f;
    uint16_t got[RTCP_NACKS_MAX];
    (void)state;
    start(&b);
    rtcp_write_nack(&b.w, 1, 2, lost, sizeof(lost) / sizeof(lost[0]));
    struct rtcp_packet p = only_packet(&b);
    assert_int_equal(p.type, RTCP_RTPFB);
    assert_int_equal(p.count, RTCP_FB_NACK);
    assert_int_equal(rtcp_parse_feedback(&p, &f), 0);
    assert_int_equal(f.sender_ssrc, 1);
    assert_int_equal(f.media_ssrc, 2);
    assert_int_equal(f.fci_len, 4 * 4); /* 65530 to 10, 11 to 27, 28, 500 */
    assert_int_equal(rtcp_nack_sequences(&f, got, RTCP_NACKS_MAX), 9);
    assert_memory_equal(got, lost, sizeof(lost));
    assert_int_equal(rtcp_nack_sequences(&f, got, 2), 2);
}

static void RTP_08_any_nack_set_survives(void **state)
{
    uint16_t lost[RTCP_NACKS_MAX];
    uint16_t got[RTCP_NACKS_MAX];
    unsigned seed = 1;
    (void)state;
    for (unsigned round = 0; round < 200; round++) {
        struct buffer b;
        struct rtcp_feedback f;
        uint16_t at = (uint16_t)(round * 331);
        for (size_t i = 0; i < RTCP_NACKS_MAX; i++) {
            seed = seed * 1103515245u + 12345u;
            at = (uint16_t)(at + 1 + (seed >> 16) % 24);
            lost[i] = at;
        }
        start(&b);
        rtcp_write_nack(&b.w, 1, 2, lost, RTCP_NACKS_MAX);
        struct rtcp_packet p = only_packet(&b);
        assert_int_equal(rtcp_parse_feedback(&p, &f), 0);
        assert_int_equal(rtcp_nack_sequences(&f, got, RTCP_NACKS_MAX), RTCP_NACKS_MAX);
        assert_memory_equal(got, lost, sizeof(lost));
    }
}

static void RTP_11_pli_and_fir(void **state)
{
    struct buffer b;
    struct rtcp_feedback f;
    uint32_t ssrc = 0;
    uint8_t sequence = 0;
    static const uint8_t pli[] = {0x81, 206, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2};
    (void)state;
    start(&b);
    rtcp_write_pli(&b.w, 1, 2);
    assert_int_equal(b.w.len, sizeof(pli));
    assert_memory_equal(b.bytes, pli, sizeof(pli));
    start(&b);
    rtcp_write_fir(&b.w, 1, 2, 200);
    struct rtcp_packet p = only_packet(&b);
    assert_int_equal(p.count, RTCP_FB_FIR);
    assert_int_equal(rtcp_parse_feedback(&p, &f), 0);
    assert_int_equal(f.media_ssrc, 0);
    assert_int_equal(rtcp_parse_fir(&f, 0, &ssrc, &sequence), 0);
    assert_int_equal(ssrc, 2);
    assert_int_equal(sequence, 200);
    assert_int_equal(rtcp_parse_fir(&f, 1, &ssrc, &sequence), -ENOENT);
}

static void RTP_14_remb_keeps_18_bits(void **state)
{
    static const uint64_t rates[] = {0,       1,        0x3ffff,    0x40000,
                                     2500000, 20000000, 1ull << 40, UINT64_MAX};
    static const uint32_t ssrcs[] = {5, 6};
    (void)state;
    for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
        struct buffer b;
        struct rtcp_feedback f;
        uint64_t got = 0;
        start(&b);
        rtcp_write_remb(&b.w, 1, rates[i], ssrcs, 2);
        assert_int_equal(b.w.len, 28);
        struct rtcp_packet p = only_packet(&b);
        assert_int_equal(p.count, RTCP_FB_AFB);
        assert_int_equal(rtcp_parse_feedback(&p, &f), 0);
        assert_int_equal(rtcp_parse_remb(&f, &got), 0);
        assert_true(got <= rates[i] && rates[i] - got <= rates[i] >> 17);
        f.fci_len -= 1;
        assert_int_equal(rtcp_parse_remb(&f, &got), -EBADMSG);
    }
}

static void RTP_19_bye_names_its_sources(void **state)
{
    static const uint8_t bye[] = {0x82, 203, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2};
    struct rtcp_walk walk;
    struct rtcp_packet p;
    uint32_t ssrc = 0;
    (void)state;
    rtcp_begin(&walk, bye, sizeof(bye));
    assert_true(rtcp_next(&walk, &p));
    assert_int_equal(rtcp_parse_bye(&p, 0, &ssrc), 0);
    assert_int_equal(ssrc, 1);
    assert_int_equal(rtcp_parse_bye(&p, 1, &ssrc), 0);
    assert_int_equal(ssrc, 2);
    assert_int_equal(rtcp_parse_bye(&p, 2, &ssrc), -EBADMSG);
    p.count = 1; /* what follows is the reason */
    assert_int_equal(rtcp_parse_bye(&p, 1, &ssrc), -EBADMSG);
    p.type = RTCP_SDES;
    assert_int_equal(rtcp_parse_bye(&p, 0, &ssrc), -EBADMSG);
    struct buffer b;
    start(&b);
    rtcp_write_bye(&b.w, 9);
    p = only_packet(&b);
    assert_int_equal(rtcp_parse_bye(&p, 0, &ssrc), 0);
    assert_int_equal(ssrc, 9);
}

static bool well_formed(const uint8_t *data, size_t len)
{
    struct rtcp_walk walk;
    struct rtcp_packet p;
    rtcp_begin(&walk, data, len);
    while (rtcp_next(&walk, &p))
        continue;
    return rtcp_ok(&walk);
}

static void RFC3611_reference_times_and_answers(void **state)
{
    struct buffer b;
    struct rtcp_walk walk;
    struct rtcp_packet packet;
    struct rtcp_dlrr answers[2];
    uint64_t ntp = 0;
    (void)state;
    start(&b);
    rtcp_write_rrtr(&b.w, 7, UINT64_C(0x0000000180000000));
    rtcp_write_dlrr(&b.w, 8, &(struct rtcp_dlrr){7, 0x00018000, 655});
    rtcp_begin(&walk, b.bytes, b.w.len);
    assert_true(rtcp_next(&walk, &packet));
    assert_int_equal(packet.type, RTCP_XR);
    assert_int_equal(packet.len, 16);
    assert_int_equal(rtcp_parse_rrtr(&packet, &ntp), 0);
    assert_true(ntp == UINT64_C(0x0000000180000000));
    assert_int_equal(rtcp_parse_dlrr(&packet, answers, 2), 0);
    assert_true(rtcp_next(&walk, &packet));
    assert_int_equal(rtcp_parse_rrtr(&packet, &ntp), -EBADMSG);
    assert_int_equal(rtcp_parse_dlrr(&packet, answers, 2), 1);
    assert_int_equal(answers[0].ssrc, 7);
    assert_int_equal(answers[0].reference, 0x00018000);
    assert_int_equal(answers[0].delay, 655);
    assert_false(rtcp_next(&walk, &packet));
    assert_true(rtcp_ok(&walk));
}

/* Blocks whose length is a lie, and more entries than room. */
static void U14_extended_reports_are_bounded(void **state)
{
    static const uint8_t longer[] = {0x80, 207, 0, 3, 0, 0, 0, 1, 5, 0, 0, 9, 0, 0, 0, 2};
    static const uint8_t three[] = {0x80, 207, 0, 11, 0, 0, 0, 1, 5, 0, 0, 9, 0, 0, 0, 1,
                                    0,    0,   0, 1,  0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 2,
                                    0,    0,   0, 2,  0, 0, 0, 3, 0, 0, 0, 3, 0, 0, 0, 3};
    struct rtcp_walk walk;
    struct rtcp_packet packet;
    struct rtcp_dlrr answers[2];
    (void)state;
    rtcp_begin(&walk, longer, sizeof(longer));
    assert_true(rtcp_next(&walk, &packet));
    assert_int_equal(rtcp_parse_dlrr(&packet, answers, 2), 0);
    rtcp_begin(&walk, three, sizeof(three));
    assert_true(rtcp_next(&walk, &packet));
    assert_int_equal(rtcp_parse_dlrr(&packet, answers, 2), 2);
    assert_int_equal(answers[1].ssrc, 2);
}

static void U14_truncation_at_every_length(void **state)
{
    struct buffer b;
    const struct rtcp_report report = {.ssrc = 5};
    (void)state;
    start(&b);
    rtcp_write_rr(&b.w, 1, &report, 1);
    rtcp_write_cname(&b.w, 1, slice_of("c"));
    rtcp_write_pli(&b.w, 1, 2);
    for (size_t len = 0; len <= b.w.len; len++) {
        uint8_t *exact = malloc(len > 0 ? len : 1);
        assert_non_null(exact);
        memcpy(exact, b.bytes, len);
        bool boundary = len == 32 || len == 44 || len == b.w.len;
        assert_int_equal(well_formed(exact, len), boundary);
        free(exact);
    }
}

static void U14_counts_above_the_body_are_refused(void **state)
{
    static const uint8_t rr[] = {0x9f, 201, 0, 1, 0, 0, 0, 1};
    static const uint8_t sdes[] = {0x9f, 202, 0, 1, 0, 0, 0, 1};
    struct rtcp_walk walk;
    struct rtcp_packet p;
    struct rtcp_report report;
    struct slice cname;
    uint32_t ssrc = 0;
    (void)state;
    rtcp_begin(&walk, rr, sizeof(rr));
    assert_true(rtcp_next(&walk, &p));
    for (size_t i = 0; i < 40; i++)
        assert_int_equal(rtcp_parse_report(&p, i, &report), -EBADMSG);
    rtcp_begin(&walk, sdes, sizeof(sdes));
    assert_true(rtcp_next(&walk, &p));
    for (size_t i = 0; i < 40; i++)
        assert_int_equal(rtcp_parse_cname(&p, i, &ssrc, &cname), -EBADMSG);
}

static void U14_padding_only_in_the_last_packet(void **state)
{
    uint8_t last[] = {0xa1, 206, 0, 3, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 4};
    uint8_t first[] = {0xa1, 206, 0, 3, 0,    0,   0, 1, 0, 0, 0, 2,
                       0,    0,   0, 4, 0x80, 201, 0, 1, 0, 0, 0, 1};
    struct rtcp_walk walk;
    struct rtcp_packet p;
    (void)state;
    rtcp_begin(&walk, last, sizeof(last));
    assert_true(rtcp_next(&walk, &p));
    assert_int_equal(p.len, 8);
    assert_true(rtcp_ok(&walk));
    assert_false(well_formed(first, sizeof(first)));
    last[15] = 3; /* not a multiple of 4 */
    assert_false(well_formed(last, sizeof(last)));
    last[15] = 16; /* more than the body */
    assert_false(well_formed(last, sizeof(last)));
    last[15] = 0;
    assert_false(well_formed(last, sizeof(last)));
    last[0] = 0x41; /* version 1 */
    assert_false(well_formed(last, sizeof(last)));
}

static void RTP_13_builders_respect_the_room(void **state)
{
    uint8_t bytes[11];
    struct writer w;
    (void)state;
    writer_init(&w, bytes, sizeof(bytes));
    rtcp_write_pli(&w, 1, 2);
    assert_false(writer_ok(&w));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(RTP_16_sender_report),
        cmocka_unit_test(RTP_13_receiver_report_and_cname),
        cmocka_unit_test(RTP_13_cname_of_any_length_is_padded),
        cmocka_unit_test(RTP_13_a_cname_is_in_an_sdes_and_in_its_count),
        cmocka_unit_test(RTP_13_cumulative_loss_saturates),
        cmocka_unit_test(RTP_08_nack_packs_and_unpacks),
        cmocka_unit_test(RTP_08_any_nack_set_survives),
        cmocka_unit_test(RTP_11_pli_and_fir),
        cmocka_unit_test(RTP_14_remb_keeps_18_bits),
        cmocka_unit_test(RTP_19_bye_names_its_sources),
        cmocka_unit_test(RFC3611_reference_times_and_answers),
        cmocka_unit_test(U14_extended_reports_are_bounded),
        cmocka_unit_test(U14_truncation_at_every_length),
        cmocka_unit_test(U14_counts_above_the_body_are_refused),
        cmocka_unit_test(U14_padding_only_in_the_last_packet),
        cmocka_unit_test(RTP_13_builders_respect_the_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
