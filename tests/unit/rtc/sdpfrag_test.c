/* Fragments of trickle ICE: RFC 8840, protocols.md 1.5. */
#include "gateway/rtc/sdpfrag.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PAIR "a=ice-ufrag:EsAw\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\n"

static int parse(const char *text, struct sdpfrag *out)
{
    const char *reason = NULL;
    int err = sdpfrag_parse(slice_of(text), out, &reason);
    if (err < 0) {
        assert_non_null(reason);
        assert_int_equal(reason[strlen(reason) - 1], '.');
    }
    return err;
}

static void WHIP_57_example_of_rfc_9725(void **state)
{
    struct sdpfrag f;
    (void)state;
    assert_int_equal(
        parse("a=group:BUNDLE 0 1\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\n" PAIR
              "a=candidate:1387637174 1 udp 2122260223 192.0.2.1 61764 typ host generation 0 "
              "ufrag EsAw network-id 1\r\n"
              "a=candidate:3471623853 1 udp 2122194687 198.51.100.2 61765 typ host generation 0\r\n"
              "a=candidate:473322822 1 tcp 1518280447 192.0.2.1 9 typ host tcptype active\r\n"
              "a=candidate:2154773085 1 udp 1686052607 2001:db8::1 61766 typ srflx raddr :: rport "
              "0\r\na=end-of-candidates\r\n",
              &f),
        0);
    assert_true(slice_is(f.ufrag, "EsAw"));
    assert_true(slice_is(f.pwd, "P2uYro0UCOQ4zxjKXaWCBui1"));
    assert_int_equal(f.usable, 4);
    assert_int_equal(f.dropped, 0);
    assert_true(f.end);
}

static void WHIP_64_unusable_candidates_are_dropped(void **state)
{
    struct sdpfrag f;
    (void)state;
    assert_int_equal(parse(PAIR "m=audio 9 RTP/AVP 0\na=mid:0\n"
                                "a=candidate:1 1 udp 1 2c0f1d2e-1.local 61764 typ host\n"
                                "a=candidate:1 1 sctp 1 192.0.2.1 61764 typ host\n"
                                "a=candidate:1 1 udp 1 host.example 61764 typ host\n"
                                "a=candidate:1 1 udp 1 192.0.2.1 0 typ host\n"
                                "a=candidate:1 1 udp 1 192.0.2.1 99999 typ host\n"
                                "a=candidate:\n"
                                "a=candidate:1 1 udp 1 192.0.2.1 5000 host\n"
                                "a=candidate:1 1 UDP 1 192.0.2.1 5000 typ host\n",
                           &f),
                     0);
    assert_int_equal(f.usable, 1);
    assert_int_equal(f.dropped, 7);
    assert_false(f.end);
}

static void WHIP_65_one_pair_for_all_sections(void **state)
{
    struct sdpfrag f;
    (void)state;
    assert_int_equal(parse("m=audio 9 RTP/AVP 0\r\na=mid:zero\r\n" PAIR
                           "m=video 9 RTP/AVP 0\r\na=mid:unknown\r\n" PAIR,
                           &f),
                     0);
    assert_int_equal(parse(PAIR "m=video 9 RTP/AVP 0\r\na=ice-ufrag:other\r\n", &f), -EBADMSG);
    assert_int_equal(parse(PAIR "m=video 9 RTP/AVP 0\r\na=ice-pwd:other\r\n", &f), -EBADMSG);
}

static void WHIP_20_malformed_fragments(void **state)
{
    static const char *const bad[] = {
        "",
        "\r\n",
        "a=ice-ufrag:EsAw\r\n",
        "a=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\n",
        "a=ice-ufrag:\r\na=ice-pwd:x\r\n",
        "a=ice-ufrag:a b\r\na=ice-pwd:x\r\n",
        "a=ice-ufrag:a:b\r\na=ice-pwd:x\r\n",
        PAIR "nonsense\r\n",
        PAIR "A=x\r\n",
        "{\"candidate\":\"x\"}",
    };
    struct sdpfrag f;
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(parse(bad[i], &f), -EBADMSG);
    assert_int_equal(parse(PAIR "v=0\r\nx=unknown line\r\na=unknown\r\n", &f), 0);
}

static void WHIP_12_limits(void **state)
{
    static char text[SDPFRAG_TEXT_MAX + 2];
    struct sdpfrag f;
    struct writer w;
    (void)state;
    for (unsigned extra = 0; extra < 2; extra++) {
        memset(text, 'x', sizeof(text));
        memcpy(text, PAIR "a=", sizeof(PAIR "a=") - 1);
        text[SDPFRAG_TEXT_MAX + extra] = '\0';
        assert_int_equal(parse(text, &f), extra ? -EMSGSIZE : 0);
        writer_init(&w, text, sizeof(text));
        writer_text(&w, PAIR);
        for (unsigned i = 2; i < SDPFRAG_LINES_MAX + extra; i++)
            writer_text(&w, "a=x\n");
        writer_u8(&w, 0);
        assert_int_equal(parse(text, &f), extra ? -EMSGSIZE : 0);
    }
}

static void W3_truncation_at_every_length(void **state)
{
    static const char whole[] = PAIR "a=candidate:1 1 udp 1 192.0.2.1 5000 typ host\r\n";
    struct sdpfrag f;
    const char *reason = NULL;
    (void)state;
    for (size_t len = 0; len < sizeof(whole); len++) {
        char *exact = malloc(len + 1);
        assert_non_null(exact);
        memcpy(exact, whole, len);
        int err = sdpfrag_parse(slice_make(exact, len), &f, &reason);
        assert_true(err == 0 || err == -EBADMSG);
        free(exact);
    }
}

/* ---- writer ---- */

static void WHIP_61_answer_to_a_restart(void **state)
{
    struct addr addresses[2] = {{.family = 6, .port = 8189, .ip = {0x20, 1, 0x0d, 0xb8}},
                                {.family = 4, .port = 8189, .ip = {192, 0, 2, 7}}};
    const struct answer_local local = {
        .ufrag = "UfragNew", .pwd = "PwdNew", .addresses = addresses, .address_count = 2};
    struct answer *answer = calloc(1, sizeof(*answer));
    char text[1024];
    struct writer w;
    struct sdpfrag f;
    (void)state;
    assert_non_null(answer);
    answer->first = TRACK_VIDEO;
    answer->tracks[TRACK_VIDEO] = (struct answer_track){.codec = CODEC_VP8, .pt = 96, .mid = "v"};
    answer->tracks[TRACK_AUDIO] = (struct answer_track){.codec = CODEC_OPUS, .pt = 111, .mid = "a"};
    writer_init(&w, text, sizeof(text) - 1);
    sdpfrag_write(&w, answer, &local);
    assert_true(writer_ok(&w));
    text[w.len] = '\0';
    assert_string_equal(text, "a=ice-lite\r\na=group:BUNDLE v a\r\n"
                              "m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:v\r\n"
                              "a=ice-ufrag:UfragNew\r\na=ice-pwd:PwdNew\r\n"
                              "a=candidate:1 1 udp 2130706431 192.0.2.7 8189 typ host\r\n"
                              "a=candidate:2 1 udp 2130706175 2001:db8:: 8189 typ host\r\n"
                              "a=end-of-candidates\r\n");
    assert_int_equal(parse(text, &f), 0); /* what we write we can read */
    assert_int_equal(f.usable, 2);
    assert_true(slice_is(f.ufrag, "UfragNew"));
    /* one section without a mid: there is no bundle */
    answer->first = TRACK_AUDIO;
    answer->tracks[TRACK_VIDEO] = (struct answer_track){.codec = CODEC_NONE};
    answer->tracks[TRACK_AUDIO].mid[0] = '\0';
    writer_init(&w, text, sizeof(text) - 1);
    sdpfrag_write(&w, answer, &local);
    text[w.len] = '\0';
    assert_non_null(strstr(text, "a=ice-lite\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=ice-ufrag:"));
    free(answer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(WHIP_57_example_of_rfc_9725),
        cmocka_unit_test(WHIP_64_unusable_candidates_are_dropped),
        cmocka_unit_test(WHIP_65_one_pair_for_all_sections),
        cmocka_unit_test(WHIP_20_malformed_fragments),
        cmocka_unit_test(WHIP_12_limits),
        cmocka_unit_test(W3_truncation_at_every_length),
        cmocka_unit_test(WHIP_61_answer_to_a_restart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
