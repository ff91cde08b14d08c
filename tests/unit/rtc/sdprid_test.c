/* a=rid and a=simulcast: protocols.md WHIP-94, RFC 8851, RFC 8853. */
#include "gateway/rtc/sdprid.h"

#include <errno.h>
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

static int parse(struct bench *b, const char *lines)
{
    const char *reason = "";
    snprintf(b->offer, sizeof(b->offer), "v=0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\n%s", lines);
    return sdp_parse(slice_of(b->offer), &b->sdp, &reason);
}

/* The layers joined with blanks, paused ones with "~". */
static void expect_layers(struct bench *b, const char *lines, const char *expected)
{
    char text[256];
    struct writer w;
    assert_int_equal(parse(b, lines), 0);
    const struct sdp_section *s = &b->sdp.sections[0];
    writer_init(&w, text, sizeof(text));
    for (size_t i = 0; i < s->layer_count; i++) {
        writer_text(&w, "%s%s", i > 0 ? " " : "", s->layers[i].paused ? "~" : "");
        writer_bytes(&w, s->layers[i].rid.data, s->layers[i].rid.len);
    }
    if (!slice_is(slice_make(text, w.len), expected))
        fail_msg("%s gives %.*s", lines, (int)w.len, text);
    assert_true(s->simulcast);
}

#define THREE "a=rid:l send\r\na=rid:m send\r\na=rid:h send\r\n"

static void WHIP_94_layers_in_the_offers_order(void **state)
{
    struct bench *b = *state;
    expect_layers(b, THREE "a=simulcast:send l;m;h\r\n", "l m h");
    expect_layers(b, "a=simulcast:send h;l\r\n" THREE, "h l"); /* in any order of lines */
    expect_layers(b, THREE "a=simulcast:send h;~m;l recv x;y\r\n", "h ~m l");
    expect_layers(b, THREE "a=simulcast:recv x;y send h\r\n", "h");
    expect_layers(b, THREE "a=simulcast: send rid=h;m\r\n", "h m"); /* Firefox below 60 */
    expect_layers(b, "a=rid:a_b-1 send pt=96;max-width=640\r\na=simulcast:send a_b-1\r\n", "a_b-1");
}

static void WHIP_94_of_alternatives_the_first_counts(void **state)
{
    struct bench *b = *state;
    expect_layers(b, THREE "a=simulcast:send h,l;m\r\n", "h m");
    expect_layers(b, THREE "a=simulcast:send ~h,l;m\r\n", "~h m");
}

static void WHIP_94_layers_need_a_rid_that_sends(void **state)
{
    struct bench *b = *state;
    expect_layers(b, "a=rid:l recv\r\na=rid:h send\r\na=simulcast:send l;h\r\n", "h");
    expect_layers(b, "a=simulcast:send l;h\r\n", "");
    expect_layers(b, THREE "a=simulcast:send l;l;h\r\n", "l h");
    expect_layers(b, THREE, "");
}

static void WHIP_94_malformed_lines_are_skipped(void **state)
{
    struct bench *b = *state;
    expect_layers(b, THREE "a=simulcast:send\r\n", "");
    expect_layers(b, THREE "a=simulcast:\r\n", "");
    expect_layers(b, THREE "a=simulcast:send l;;h\r\n", "");
    expect_layers(b, THREE "a=simulcast:send l;h!\r\n", "");
    expect_layers(b, "a=rid:h\r\na=rid:! send\r\na=rid: send\r\na=simulcast:send h\r\n", "");
    expect_layers(b,
                  "a=rid:abcdefghijklmnopqrstuvwxyz0123456789 send\r\n"
                  "a=simulcast:send abcdefghijklmnopqrstuvwxyz0123456789\r\n",
                  "");
}

static void W3_limits_hold(void **state)
{
    struct bench *b = *state;
    char lines[2048];
    for (unsigned extra = 0; extra < 2; extra++) {
        struct writer w;
        writer_init(&w, lines, sizeof(lines));
        for (unsigned i = 0; i < SDP_RIDS_MAX + extra; i++)
            writer_text(&w, "a=rid:r%u send\r\n", i);
        writer_u8(&w, 0);
        assert_int_equal(parse(b, lines), extra > 0 ? -EMSGSIZE : 0);
        writer_init(&w, lines, sizeof(lines));
        writer_text(&w, "a=simulcast:send r");
        for (unsigned i = 1; i < SDP_LAYERS_MAX + extra; i++)
            writer_text(&w, ";r%u", i);
        writer_text(&w, "\r\n");
        writer_u8(&w, 0);
        assert_int_equal(parse(b, lines), extra > 0 ? -EMSGSIZE : 0);
    }
}

static void WHIP_94_payload_type_restrictions(void **state)
{
    struct bench *b = *state;
    assert_int_equal(parse(b, "a=rid:l send\r\na=rid:h send max-fps=30;pt=96,98\r\n"
                              "a=simulcast:send l;h\r\n"),
                     0);
    assert_true(sdprid_allows(&b->sdp.sections[0], 96));
    assert_true(sdprid_allows(&b->sdp.sections[0], 98));
    assert_false(sdprid_allows(&b->sdp.sections[0], 9));
    assert_false(sdprid_allows(&b->sdp.sections[0], 97));
    assert_int_equal(parse(b, "a=rid:h send pt=97\r\n"), 0); /* no layer */
    assert_true(sdprid_allows(&b->sdp.sections[0], 96));
}

static void WHIP_94_restrictions_are_repeated(void **state)
{
    static const struct {
        const char *offered;
        const char *written;
    } rows[] = {{"", ""},
                {"max-width=1280;max-height=720", " max-width=1280;max-height=720"},
                {"pt=96,97; max-br=1000", " pt=96;max-br=1000"},
                {"max-br=1000;PT=97", " max-br=1000;pt=96"},
                {"a\tb;max-fps=30;\xc3\xa4", " max-fps=30"}};
    struct bench *b = *state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char lines[128];
        char text[128];
        struct writer w;
        snprintf(lines, sizeof(lines), "a=rid:h send %s\r\n", rows[i].offered);
        assert_int_equal(parse(b, lines), 0);
        writer_init(&w, text, sizeof(text));
        sdprid_write_restrictions(&w, &b->sdp.sections[0], slice_of("h"), 96);
        if (!slice_is(slice_make(text, w.len), rows[i].written))
            fail_msg("%s gives %.*s", rows[i].offered, (int)w.len, text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(WHIP_94_layers_in_the_offers_order),
        cmocka_unit_test(WHIP_94_of_alternatives_the_first_counts),
        cmocka_unit_test(WHIP_94_layers_need_a_rid_that_sends),
        cmocka_unit_test(WHIP_94_malformed_lines_are_skipped),
        cmocka_unit_test(W3_limits_hold),
        cmocka_unit_test(WHIP_94_payload_type_restrictions),
        cmocka_unit_test(WHIP_94_restrictions_are_repeated),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
