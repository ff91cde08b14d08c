/* RTP and RTCP with mutations: what is accepted adds up, and lies within the packet. */
#include "gateway/rtc/demux.h"
#include "gateway/rtc/rtcp.h"
#include "gateway/rtc/rtpext.h"
#include "gateway/rtc/rtpsource.h"
#include "gateway/rtc/twcc.h"
#include "lib/base/reader.h"
#include "tests/support/mutator.h"

#include <errno.h>

#define CORPUS "tests/fuzz/rtc/corpus/"
#define SESSION_INPUTS 256u /* packets of one session, before its sources are forgotten */

/* The range lies inside the packet; reads it, so that sanitizers see it too. */
static void within(const void *part, size_t part_len, const uint8_t *data, size_t len)
{
    static volatile uint8_t sum;
    const uint8_t *bytes = part;
    if (part_len == 0)
        return;
    assert_true(bytes >= data && part_len <= len && bytes + part_len <= data + len);
    for (size_t i = 0; i < part_len; i++)
        sum = (uint8_t)(sum + bytes[i]);
}

static bool take_class(void *ctx, struct mutator *m, const uint8_t *data, size_t len)
{
    (void)ctx;
    (void)m;
    enum demux_class class = demux_classify(data, len);
    switch (class) {
    case DEMUX_STUN:
        assert_true(len >= 20 && data[0] <= 3);
        break;
    case DEMUX_DTLS:
        assert_true(len >= 13 && data[0] >= 20 && data[0] <= 63);
        break;
    case DEMUX_RTP:
        assert_true(len >= 12 && data[0] >> 6 == 2 && (data[1] < 192 || data[1] > 223));
        break;
    case DEMUX_RTCP:
        assert_true(len >= 8 && data[0] >> 6 == 2 && data[1] >= 192 && data[1] <= 223);
        break;
    default:
        return false;
    }
    return true;
}

static void ICE_01_ICE_02_mutated_classes(void **state)
{
    struct mutator *m = mutator_new();
    (void)state;
    mutator_read(m, CORPUS "demux", NULL);
    mutator_run(m, "demux", take_class, NULL);
}

static bool take_rtp(void *ctx, struct mutator *m, const uint8_t *data, size_t len)
{
    struct rtp_packet clear, p, original;
    (void)ctx;
    (void)m;
    int err = rtp_parse_header(data, len, &clear);
    if (err < 0) {
        assert_int_equal(err, -EBADMSG);
        assert_int_equal(rtp_parse(data, len, &p), -EBADMSG);
        return false;
    }
    assert_int_equal(clear.header_len + clear.payload_len, len);
    assert_true(data[0] >> 6 == 2 && clear.header_len >= RTP_HEADER_LEN + 4u * clear.csrc_count);
    if (rtp_parse(data, len, &p) < 0)
        return false;
    assert_int_equal(p.header_len + p.payload_len + p.padding_len, len);
    assert_int_equal(p.padded, p.padding_len > 0);
    within(p.payload, p.payload_len, data, len);
    within(p.extension, p.extension_len, data, len);
    if (rtp_unwrap_rtx(&p, 96, 1, &original) == 0) {
        assert_int_equal(original.payload_len + 2, p.payload_len);
        within(original.payload, original.payload_len, data, len);
    }
    return true;
}

static void M1_RTP_05_RTP_06_mutated_rtp(void **state)
{
    struct mutator *m = mutator_new();
    (void)state;
    mutator_read(m, CORPUS "rtp", NULL);
    mutator_read(m, CORPUS "rtpext", NULL);
    mutator_run(m, "rtp", take_rtp, NULL);
}

static bool take_extensions(void *ctx, struct mutator *m, const uint8_t *data, size_t len)
{
    struct rtp_packet p;
    struct rtpext_walk walk;
    struct rtpext_element e;
    size_t sum = 0;
    (void)ctx;
    (void)m;
    if (rtp_parse_header(data, len, &p) < 0)
        return false;
    rtpext_begin(&walk, &p);
    while (rtpext_next(&walk, &e)) {
        struct slice found;
        int err = rtpext_find(&p, e.id, &found);
        assert_true(e.id != 0 && (walk.two_byte || (e.id < 15 && e.len > 0 && e.len <= 16)));
        assert_true(err == 0 || err == -EBADMSG);
        within(e.data, e.len, p.extension, p.extension_len);
        sum += e.len + (walk.two_byte ? 2 : 1);
    }
    assert_true(sum <= p.extension_len);
    return rtpext_ok(&walk);
}

static void M1_RTP_03_mutated_extensions(void **state)
{
    struct mutator *m = mutator_new();
    (void)state;
    mutator_read(m, CORPUS "rtpext", NULL);
    mutator_run(m, "rtpext", take_extensions, NULL);
}

struct session {
    struct rtpsources sources;
    unsigned inputs;
};

static const struct answer answer = {
    .tracks = {[TRACK_VIDEO] = {.codec = CODEC_VP8,
                                .pt = 96,
                                .rtx_pt = 97,
                                .mid_ext_id = 1,
                                .rid_ext_id = 2,
                                .repaired_rid_ext_id = 3,
                                .mid = "1",
                                .layer_count = 3,
                                .layers = {{.rid = "l"}, {.rid = "m"}, {.rid = "h"}}},
               [TRACK_AUDIO] = {.codec = CODEC_OPUS, .pt = 111, .mid_ext_id = 1, .mid = "0"}}};

static bool take_source(void *ctx, struct mutator *m, const uint8_t *data, size_t len)
{
    struct session *s = ctx;
    struct rtp_packet p;
    struct rtpsource source = {.ssrc = 0};
    bool is_new = false;
    (void)m;
    if (++s->inputs % SESSION_INPUTS == 0)
        s->sources.count = 0;
    if (rtp_parse(data, len, &p) < 0)
        return false;
    const size_t before = s->sources.count;
    int err = rtpsource_find(&s->sources, &answer, &p, &source, &is_new);
    assert_true(s->sources.count <= RTPSOURCE_MAX);
    if (err < 0) {
        assert_true(err == -EBADMSG || err == -EPROTO || err == -EAGAIN || err == -EDQUOT);
        assert_int_equal(s->sources.count, before);
        return false;
    }
    const struct answer_track *t = &answer.tracks[source.track];
    assert_int_equal(s->sources.count, before + is_new);
    assert_true(source.ssrc == p.ssrc && rtpsource_expects(&answer, p.payload_type));
    assert_true(source.layer == 0 || source.layer < t->layer_count);
    assert_int_equal(source.repair, p.payload_type == 97);
    return true;
}

static void add_short_records(struct mutator *m, const uint8_t *data, size_t len)
{
    struct reader r;
    reader_init(&r, data, len);
    while (reader_left(&r) > 0) {
        size_t record_len = reader_u8(&r);
        const uint8_t *record = reader_bytes(&r, record_len);
        if (record)
            mutator_add(m, record, record_len);
    }
}

static void U12_RTP_01_RTP_20_mutated_sources(void **state)
{
    struct mutator *m = mutator_new();
    struct session s = {.inputs = 0};
    (void)state;
    mutator_read(m, CORPUS "rtpsource", add_short_records);
    mutator_run(m, "rtpsource", take_source, &s);
}

static void take_feedback(const struct rtcp_packet *p)
{
    static struct twcc_report report;
    struct rtcp_feedback f;
    uint16_t lost[RTCP_NACKS_MAX];
    uint32_t ssrc = 0;
    uint8_t sequence = 0;
    uint64_t bps = 0;
    size_t firs = 0;
    if (rtcp_parse_feedback(p, &f) < 0)
        return;
    assert_int_equal(f.fci_len + 8, p->len);
    assert_true(rtcp_nack_sequences(&f, lost, RTCP_NACKS_MAX) <= RTCP_NACKS_MAX);
    assert_true(rtcp_nack_sequences(&f, lost, 3) <= 3);
    while (rtcp_parse_fir(&f, firs, &ssrc, &sequence) == 0)
        firs++;
    assert_true(firs <= f.fci_len / 8);
    (void)rtcp_parse_remb(&f, &bps);
    if (twcc_parse(&f, &report) == 0)
        assert_in_range(report.count, 1, TWCC_REPORT_MAX);
}

static void take_reports(const struct rtcp_packet *p)
{
    struct rtcp_sender_info info;
    struct rtcp_report report;
    struct slice cname = {.data = NULL};
    uint32_t ssrc = 0;
    assert_true(rtcp_parse_sender_info(p, &info) < 0 || p->type == RTCP_SR);
    (void)rtcp_parse_sender(p, &ssrc);
    for (size_t i = 0; i < p->count; i++) {
        assert_true(rtcp_parse_report(p, i, &report) < 0 ||
                    (p->type <= RTCP_RR && p->len >= 24 * (i + 1) + 4));
        assert_true(rtcp_parse_bye(p, i, &ssrc) < 0 || p->len >= 4 * (i + 1));
        if (rtcp_parse_cname(p, i, &ssrc, &cname) == 0)
            within(cname.data, cname.len, p->body, p->len);
    }
}

static bool take_rtcp(void *ctx, struct mutator *m, const uint8_t *data, size_t len)
{
    struct rtcp_walk walk;
    struct rtcp_packet p;
    size_t sum = 0, packets = 0;
    (void)ctx;
    (void)m;
    rtcp_begin(&walk, data, len);
    while (rtcp_next(&walk, &p)) {
        within(p.body, p.len, data, len);
        take_reports(&p);
        take_feedback(&p);
        sum += p.len + 4;
        packets++;
    }
    assert_true(sum <= len && packets <= len / 4);
    return rtcp_ok(&walk) && packets > 0;
}

static void U14_RTP_13_mutated_rtcp(void **state)
{
    struct mutator *m = mutator_new();
    (void)state;
    mutator_read(m, CORPUS "rtcp", NULL);
    mutator_run(m, "rtcp", take_rtcp, NULL);
}

static bool take_report(void *ctx, struct mutator *m, const uint8_t *data, size_t len)
{
    static struct twcc_report report;
    const struct rtcp_feedback feedback = {.fci = data, .fci_len = len};
    (void)ctx;
    (void)m;
    int err = twcc_parse(&feedback, &report);
    if (err < 0) {
        assert_true(err == -EBADMSG || err == -EMSGSIZE);
        return false;
    }
    assert_in_range(report.count, 1, TWCC_REPORT_MAX);
    for (size_t i = 0; i < report.count; i++)
        assert_int_equal((uint16_t)(report.arrivals[i].sequence - report.arrivals[0].sequence), i);
    return true;
}

static void RTP_14_mutated_transport_feedback(void **state)
{
    static struct twcc twcc;
    struct mutator *m = mutator_new();
    uint8_t bytes[TWCC_REPORT_LEN];
    (void)state;
    mutator_read(m, CORPUS "twcc", NULL);
    twcc_init(&twcc);
    for (unsigned i = 0; i < 120; i++) { /* late ones and losses: all kinds of chunks */
        twcc_record(&twcc, (uint16_t)(65500 + i + (i > 60 ? i / 7 : 0)), 1000000 + i * i * 90u);
        if (i % 20 != 19)
            continue;
        struct writer w;
        writer_init(&w, bytes, sizeof(bytes));
        assert_true(twcc_write(&twcc, 1, 2, 2000000, &w));
        mutator_add(m, bytes + 12, w.len - 12);
    }
    mutator_run(m, "twcc", take_report, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ICE_01_ICE_02_mutated_classes),
        cmocka_unit_test(M1_RTP_05_RTP_06_mutated_rtp),
        cmocka_unit_test(M1_RTP_03_mutated_extensions),
        cmocka_unit_test(U12_RTP_01_RTP_20_mutated_sources),
        cmocka_unit_test(U14_RTP_13_mutated_rtcp),
        cmocka_unit_test(RTP_14_mutated_transport_feedback),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
