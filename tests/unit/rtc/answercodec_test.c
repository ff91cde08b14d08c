/* Choice of codecs: protocols.md 3.3. */
#include "gateway/rtc/answercodec.h"

#include "gateway/rtc/answer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct bench {
    struct sdp sdp;
    char offer[4096];
};

static int setup(void **state)
{
    *state = calloc(1, sizeof(struct bench));
    return *state ? 0 : -1;
}

static int teardown(void **state)
{
    free(*state);
    return 0;
}

/* A video section with these payload types and lines. */
static const struct sdp_section *parse(struct bench *b, const char *pts, const char *lines)
{
    const char *reason = "";
    snprintf(b->offer, sizeof(b->offer), "v=0\r\nm=video 9 UDP/TLS/RTP/SAVPF %s\r\n%s", pts, lines);
    if (sdp_parse(slice_of(b->offer), &b->sdp, &reason) < 0)
        fail_msg("%s", reason);
    return &b->sdp.sections[0];
}

/* The payload type chosen among all codecs; 0 for none. */
static unsigned choose(struct bench *b, const char *pts, const char *lines)
{
    const struct sdp_format *f = answercodec_choose(parse(b, pts, lines), ANSWER_CODECS_ALL);
    return f ? f->pt : 0;
}

static unsigned choose_one(struct bench *b, const char *encoding, const char *fmtp)
{
    char lines[512];
    snprintf(lines, sizeof(lines), "a=rtpmap:96 %s/90000\r\n%s%s%s", encoding,
             fmtp[0] ? "a=fmtp:96 " : "", fmtp, fmtp[0] ? "\r\n" : "");
    return choose(b, "96", lines);
}

static void COD_08_order_of_preference(void **state)
{
    static const char lines[] = "a=rtpmap:96 VP8/90000\r\na=rtpmap:97 AV1/90000\r\n"
                                "a=rtpmap:98 VP9/90000\r\na=rtpmap:99 H265/90000\r\n"
                                "a=rtpmap:100 H264/90000\r\na=rtpmap:101 H264/90000\r\n"
                                "a=fmtp:101 packetization-mode=1\r\n";
    struct bench *b = *state;
    static const struct {
        const char *pts;
        unsigned chosen;
    } rows[] = {{"96 97 98 99 100 101", 101},
                {"96 97 98 99 100", 100},
                {"96 97 98 99", 96},
                {"97 98 99", 98},
                {"97 99", 99},
                {"97", 97}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(choose(b, rows[i].pts, lines), rows[i].chosen);
}

static void COD_08_only_codecs_of_the_set(void **state)
{
    static const char lines[] = "a=rtpmap:96 VP8/90000\r\na=rtpmap:97 AV1/90000\r\n"
                                "a=rtpmap:98 VP9/90000\r\na=rtpmap:99 H265/90000\r\n";
    struct bench *b = *state;
    const struct sdp_section *s = parse(b, "99 98 97 96", lines);
    assert_int_equal(answercodec_choose(s, ANSWER_CODECS_FIRST)->pt, 96);
    assert_int_equal(answercodec_choose(s, 1u << CODEC_AV1 | 1u << CODEC_H265)->pt, 99);
    assert_int_equal(answercodec_choose(s, 1u << CODEC_VP9 | 1u << CODEC_AV1)->pt, 98);
    assert_null(answercodec_choose(s, 1u << CODEC_H264 | 1u << CODEC_OPUS));
    assert_null(answercodec_choose(s, 0));
}

static void COD_08_vp9_profile_0_only(void **state)
{
    struct bench *b = *state;
    assert_int_equal(choose_one(b, "VP9", ""), 96);
    assert_int_equal(choose_one(b, "vp9", "profile-id=0"), 96);
    assert_int_equal(choose_one(b, "VP9", "profile-id=2"), 0);
    assert_int_equal(choose_one(b, "VP9", "profile-id=1"), 0);
    assert_int_equal(choose_one(b, "VP9", "profile-id=x"), 0);
}

static void COD_08_av1_main_profile_only(void **state)
{
    struct bench *b = *state;
    assert_int_equal(choose_one(b, "AV1", ""), 96);
    assert_int_equal(choose_one(b, "AV1", "level-idx=5;profile=0;tier=0"), 96);
    assert_int_equal(choose_one(b, "AV1", "level-idx=5;profile=1;tier=0"), 0);
    assert_int_equal(choose_one(b, "AV1X", ""), 0);
}

static void COD_08_h265_main_in_decoding_order(void **state)
{
    struct bench *b = *state;
    assert_int_equal(choose_one(b, "H265", ""), 96);
    assert_int_equal(choose_one(b, "H265", "level-id=93;profile-id=1;tier-flag=0;tx-mode=SRST"),
                     96);
    assert_int_equal(choose_one(b, "H265", "profile-id=2"), 0);
    assert_int_equal(choose_one(b, "H265", "profile-space=1"), 0);
    assert_int_equal(choose_one(b, "H265", "tx-mode=MRST"), 0);
    assert_int_equal(choose_one(b, "H265", "sprop-max-don-diff=2"), 0);
    assert_int_equal(choose_one(b, "H265", "sprop-max-don-diff=0"), 96);
}

static void COD_01_clock_rate_must_fit(void **state)
{
    struct bench *b = *state;
    assert_int_equal(choose(b, "96", "a=rtpmap:96 H264/48000\r\n"), 0);
    assert_int_equal(choose(b, "96", "a=rtpmap:96 opus/48000/2\r\n"), 0); /* in a video section */
    assert_int_equal(choose(b, "96", "a=rtpmap:96 H264/90000/2\r\n"), 0);
    assert_int_equal(choose(b, "96", ""), 0); /* no rtpmap at all */
}

static void COD_11_repair_formats_are_no_media(void **state)
{
    struct bench *b = *state;
    assert_int_equal(choose_one(b, "red", ""), 0);
    assert_int_equal(choose_one(b, "ulpfec", ""), 0);
    assert_int_equal(choose_one(b, "flexfec-03", ""), 0);
    assert_int_equal(choose_one(b, "rtx", "apt=96"), 0);
}

static void COD_12_rtx_follows_the_format(void **state)
{
    struct bench *b = *state;
    const struct sdp_section *s =
        parse(b, "96 97 98 99 100",
              "a=rtpmap:96 VP8/90000\r\na=rtpmap:97 rtx/48000\r\na=fmtp:97 apt=96\r\n"
              "a=rtpmap:98 rtx/90000\r\na=fmtp:98 apt=100\r\n"
              "a=rtpmap:99 RTX/90000\r\na=fmtp:99 rtx-time=3000;apt=96\r\n"
              "a=rtpmap:100 VP9/90000\r\n");
    assert_int_equal(answercodec_find_rtx(s, sdp_find_format(s, 96))->pt, 99);
    assert_int_equal(answercodec_find_rtx(s, sdp_find_format(s, 100))->pt, 98);
    assert_null(answercodec_find_rtx(s, sdp_find_format(s, 97)));
}

static void expect_parameters(struct bench *b, const char *encoding, const char *fmtp,
                              const char *expected)
{
    char lines[512];
    char text[256];
    struct writer w;
    snprintf(lines, sizeof(lines), "a=rtpmap:96 %s/90000\r\na=fmtp:96 %s\r\n", encoding, fmtp);
    writer_init(&w, text, sizeof(text));
    answercodec_write_parameters(&w, &parse(b, "96", lines)->formats[0]);
    if (!slice_is(slice_make(text, w.len), expected))
        fail_msg("%s %s gives %.*s", encoding, fmtp, (int)w.len, text);
}

static void COD_01_parameters_are_repeated(void **state)
{
    struct bench *b = *state;
    expect_parameters(b, "H264", "profile-level-id=42e01f; packetization-mode=1",
                      "packetization-mode=1;profile-level-id=42e01f");
    expect_parameters(b, "H264", "x=y", "packetization-mode=0");
    expect_parameters(b, "H265", "level-id=93;profile-id=1;tier-flag=0;tx-mode=SRST",
                      "tx-mode=SRST;level-id=93;profile-id=1;tier-flag=0");
    expect_parameters(b, "H265", "profile-id=1", "profile-id=1");
    expect_parameters(b, "VP9", "profile-id=0", "profile-id=0");
    expect_parameters(b, "VP9", "max-fs=12288;max-fr=60", "");
    expect_parameters(b, "AV1", "level-idx=5;profile=0;tier=0", "level-idx=5;profile=0;tier=0");
    expect_parameters(b, "AV1", "tier=bad;profile=0", "profile=0");
    expect_parameters(b, "VP8", "max-fs=12288", "");
}

static void COD_06_parameter_sets_of_h265_are_joined(void **state)
{
    static const char rtpmap[] = "a=rtpmap:96 H265/90000\r\na=fmtp:96 ";
    struct bench *b = *state;
    char lines[256];
    char sprop[16];
    snprintf(lines, sizeof(lines), "%ssprop-pps=RAHA;sprop-vps=QAEM;sprop-sps=QgEB\r\n", rtpmap);
    const struct sdp_format *f = &parse(b, "96", lines)->formats[0];
    answercodec_copy_sprop(f, sprop, sizeof(sprop));
    assert_string_equal(sprop, "QAEM,QgEB,RAHA");
    answercodec_copy_sprop(f, sprop, 14); /* no room for the end */
    assert_string_equal(sprop, "");
    snprintf(lines, sizeof(lines), "%sprofile-id=1\r\n", rtpmap);
    answercodec_copy_sprop(&parse(b, "96", lines)->formats[0], sprop, sizeof(sprop));
    assert_string_equal(sprop, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(COD_08_order_of_preference),
        cmocka_unit_test(COD_08_only_codecs_of_the_set),
        cmocka_unit_test(COD_08_vp9_profile_0_only),
        cmocka_unit_test(COD_08_av1_main_profile_only),
        cmocka_unit_test(COD_08_h265_main_in_decoding_order),
        cmocka_unit_test(COD_01_clock_rate_must_fit),
        cmocka_unit_test(COD_11_repair_formats_are_no_media),
        cmocka_unit_test(COD_12_rtx_follows_the_format),
        cmocka_unit_test(COD_01_parameters_are_repeated),
        cmocka_unit_test(COD_06_parameter_sets_of_h265_are_joined),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
