/* Reading offers: RFC 8866, RFC 8829, limits of threats.md W3. */
#include "gateway/rtc/sdp.h"

#include "lib/base/writer.h"
#include "tests/unit/rtc/fixture.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HEAD "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n"
#define AUDIO "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n"

static const char *const fixtures[] = {
    "chromium_av.sdp", "chromium_video.sdp", "chromium_audio.sdp",         "chromium_simulcast.sdp",
    "firefox_av.sdp",  "firefox_vp8.sdp",    "chromium_nostream_data.sdp", "obs.sdp",
    "gstreamer.sdp",   "ffmpeg_active.sdp",  "ffmpeg_passive.sdp",         "ffmpeg_video.sdp",
};
#define FIXTURE_COUNT (sizeof(fixtures) / sizeof(fixtures[0]))

/* Big things live here, not on the stack. */
struct bench {
    struct fixture fixture;
    struct sdp sdp;
    char text[SDP_TEXT_MAX + 64];
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

static int parse(struct bench *b, struct slice text)
{
    const char *reason = NULL;
    int err = sdp_parse(text, &b->sdp, &reason);
    if (err < 0) {
        assert_non_null(reason);
        assert_int_equal(reason[strlen(reason) - 1], '.');
    }
    return err;
}

static int parse_text(struct bench *b, const char *text)
{
    return parse(b, slice_of(text));
}

static void COD_16_every_fixture_is_read(void **state)
{
    struct bench *b = *state;
    for (size_t i = 0; i < FIXTURE_COUNT; i++) {
        struct slice text = fixture_read(&b->fixture, fixtures[i]);
        assert_true(text.len > 0);
        assert_int_equal(parse(b, text), 0);
    }
}

static void COD_16_chromium_offer(void **state)
{
    struct bench *b = *state;
    assert_int_equal(parse(b, fixture_read(&b->fixture, "chromium_av.sdp")), 0);
    const struct sdp *sdp = &b->sdp;
    assert_int_equal(sdp->section_count, 2);
    assert_true(sdp->has_bundle && sdp->extmap_allow_mixed);
    assert_int_equal(sdp->bundle_count, 2);
    const struct sdp_section *audio = &sdp->sections[0];
    const struct sdp_section *video = &sdp->sections[1];
    assert_int_equal(audio->kind, SDP_AUDIO);
    assert_int_equal(audio->direction, SDP_SENDONLY);
    assert_int_equal(audio->port, 44953);
    assert_true(audio->secure_profile && audio->rtcp_mux && audio->rtcp_rsize);
    assert_int_equal(audio->format_count, 8);
    const struct sdp_format *opus = sdp_find_format(audio, 111);
    assert_true(slice_is(opus->encoding, "opus"));
    assert_int_equal(opus->clock_rate, 48000);
    assert_int_equal(opus->channels, 2);
    assert_int_equal(opus->feedback, SDP_FB_TRANSPORT_CC);
    assert_true(slice_is(sdp_fmtp_get(opus->fmtp, "USEINBANDFEC"), "1"));
    assert_int_equal(sdp_find_format(audio, 0)->clock_rate, 8000);
    assert_int_equal(video->kind, SDP_VIDEO);
    assert_true(slice_is(video->mid, "1"));
    assert_int_equal(video->extmap_count, 11);
    const struct sdp_format *h264 = sdp_find_format(video, 108);
    assert_int_equal(h264->feedback,
                     SDP_FB_NACK | SDP_FB_PLI | SDP_FB_FIR | SDP_FB_REMB | SDP_FB_TRANSPORT_CC);
    assert_true(slice_is(sdp_fmtp_get(h264->fmtp, "profile-level-id"), "42e01f"));
    assert_int_equal(sdp_fmtp_get(h264->fmtp, "level").len, 0);
    assert_int_equal(video->ssrc_count, 2);
    assert_int_equal(video->fid_count, 1);
    assert_int_equal(video->fids[0].media_ssrc, video->ssrcs[0]);
    assert_int_equal(video->fids[0].rtx_ssrc, video->ssrcs[1]);
    assert_int_equal(video->msid_count, 1);
    assert_false(video->simulcast);
    struct sdp_transport t;
    sdp_get_transport(sdp, video, &t);
    assert_true(slice_is(t.ufrag, "/16x"));
    assert_int_equal(t.pwd.len, 24);
    assert_int_equal(t.setup, SDP_SETUP_ACTPASS);
    assert_int_equal(t.fingerprint_count, 1);
    assert_int_equal(t.fingerprints[0].algorithm, FINGERPRINT_SHA256);
    assert_int_equal(t.fingerprints[0].hash[31], 0x60);
}

static void RTP_02_simulcast_offer_has_no_sources(void **state)
{
    struct bench *b = *state;
    assert_int_equal(parse(b, fixture_read(&b->fixture, "chromium_simulcast.sdp")), 0);
    assert_true(b->sdp.sections[1].simulcast);
    assert_int_equal(b->sdp.sections[1].ssrc_count, 0);
}

static void SEC_03_firefox_fingerprint_at_session_level(void **state)
{
    struct bench *b = *state;
    assert_int_equal(parse(b, fixture_read(&b->fixture, "firefox_av.sdp")), 0);
    assert_int_equal(b->sdp.session.fingerprint_count, 1);
    assert_int_equal(b->sdp.sections[0].transport.fingerprint_count, 0);
    struct sdp_transport t;
    sdp_get_transport(&b->sdp, &b->sdp.sections[1], &t);
    assert_int_equal(t.fingerprint_count, 1);
    assert_true(slice_is(t.ufrag, "5c0e12ab"));
}

static void WHIP_79_bundle_only_with_port_0_is_alive(void **state)
{
    struct bench *b = *state;
    assert_int_equal(parse(b, fixture_read(&b->fixture, "firefox_av.sdp")), 0);
    assert_int_equal(b->sdp.sections[1].port, 0);
    assert_true(sdp_section_alive(&b->sdp.sections[1]));
    assert_int_equal(parse_text(b, HEAD "m=audio 0 UDP/TLS/RTP/SAVPF 111\r\n"), 0);
    assert_false(sdp_section_alive(&b->sdp.sections[0]));
}

static void WHIP_91_extmap_direction_suffix(void **state)
{
    struct bench *b = *state;
    assert_int_equal(parse(b, fixture_read(&b->fixture, "firefox_av.sdp")), 0);
    const struct sdp_extmap *e = b->sdp.sections[0].extmaps;
    assert_int_equal(e[0].direction, SDP_SENDRECV);
    assert_int_equal(e[1].id, 2);
    assert_int_equal(e[1].direction, SDP_RECVONLY);
    assert_true(slice_is(e[2].uri, "urn:ietf:params:rtp-hdrext:sdes:mid"));
}

static void COD_14_lf_lines_read_the_same(void **state)
{
    struct bench *b = *state;
    struct slice text = fixture_read(&b->fixture, "chromium_av.sdp");
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] != '\r')
            b->text[len++] = text.data[i];
    }
    assert_int_equal(parse(b, slice_make(b->text, len)), 0);
    assert_int_equal(b->sdp.sections[1].format_count, 23);
    assert_true(slice_is(b->sdp.sections[1].mid, "1"));
}

static void COD_14_unknown_attributes_are_skipped(void **state)
{
    struct bench *b = *state;
    assert_int_equal(parse_text(b, HEAD "a=quux:1\r\na=\r\na=rtcp-xr:all\r\nb=AS:5\r\n" AUDIO
                                        "a=whatever\r\nk=clear:x\r\na=rtpmap:99 x/1\r\n\r\n"),
                     0);
    assert_int_equal(b->sdp.sections[0].format_count, 1);
}

static void COD_15_bundle_may_name_absent_mids(void **state)
{
    struct bench *b = *state;
    assert_int_equal(parse(b, fixture_read(&b->fixture, "ffmpeg_video.sdp")), 0);
    assert_int_equal(b->sdp.section_count, 1);
    assert_int_equal(b->sdp.bundle_count, 2);
}

static void COD_13_feedback_wildcard_is_spread(void **state)
{
    struct bench *b = *state;
    assert_int_equal(parse_text(b, HEAD "m=video 9 UDP/TLS/RTP/SAVPF 96 97\r\n"
                                        "a=rtcp-fb:* nack pli\r\na=rtcp-fb:97 nack\r\n"),
                     0);
    assert_int_equal(b->sdp.sections[0].formats[0].feedback, SDP_FB_PLI);
    assert_int_equal(b->sdp.sections[0].formats[1].feedback, SDP_FB_PLI | SDP_FB_NACK);
}

static void WHIP_20_malformed_offers(void **state)
{
    static const char *const bad[] = {
        "",
        "hello",
        "v=1\r\n" AUDIO,
        "o=- 1 1 IN IP4 0.0.0.0\r\nv=0\r\n" AUDIO,
        HEAD,
        HEAD "x\r\n" AUDIO,
        HEAD "X=1\r\n" AUDIO,
        HEAD "m=audio\r\n",
        HEAD "m=audio 9\r\n",
        HEAD "m=audio 9 UDP/TLS/RTP/SAVPF\r\n",
        HEAD "m=audio 65536 UDP/TLS/RTP/SAVPF 111\r\n",
        HEAD "m=audio -1 UDP/TLS/RTP/SAVPF 111\r\n",
        HEAD "m=audio 9 UDP/TLS/RTP/SAVPF 128\r\n",
        HEAD "m=audio 9 UDP/TLS/RTP/SAVPF 111 111\r\n",
        HEAD "m=audio 9 UDP/TLS/RTP/SAVPF opus\r\n",
        HEAD AUDIO "a=mid:0\r\n"
                   "m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:0\r\n",
        HEAD AUDIO "a=mid:\r\n",
        HEAD AUDIO "a=mid:a b\r\n",
        HEAD AUDIO "a=mid:a\rb\r\n",
        HEAD AUDIO "a=x:\x01\r\n",
        HEAD AUDIO "a=x:\x7f\r\n",
        HEAD AUDIO "a=rtpmap:111\r\n",
        HEAD AUDIO "a=rtpmap:111 opus\r\n",
        HEAD AUDIO "a=rtpmap:111 opus/x\r\n",
        HEAD AUDIO "a=rtpmap:111 opus/48000/999\r\n",
        HEAD AUDIO "a=rtpmap:300 opus/48000/2\r\n",
        HEAD AUDIO "a=fmtp:x y=1\r\n",
        HEAD AUDIO "a=rtcp-fb:x nack\r\n",
        HEAD AUDIO "a=extmap:0 urn:x\r\n",
        HEAD AUDIO "a=extmap:x urn:x\r\n",
        HEAD AUDIO "a=extmap:5\r\n",
        HEAD AUDIO "a=ssrc:4294967296 cname:x\r\n",
        HEAD AUDIO "a=ssrc-group:FID 1\r\n",
        HEAD AUDIO "a=fingerprint:sha-256 00:11\r\n",
        HEAD AUDIO "a=ice-ufrag:\r\n",
        HEAD AUDIO "a=ice-ufrag:a:b\r\n",
        HEAD AUDIO "a=ice-pwd:\r\n",
    };
    struct bench *b = *state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        int err = parse_text(b, bad[i]);
        if (err != -EBADMSG)
            fail_msg("offer %zu gives %d", i, err);
        assert_int_equal(sdp_http_status(err), 400);
    }
    static const char nul[] = HEAD AUDIO "a=mid:a\0b\r\n";
    assert_int_equal(parse(b, slice_make(nul, sizeof(nul) - 1)), -EBADMSG);
}

/* Writes line count times with the round's number in place of #. */
static void repeat(struct writer *w, size_t count, const char *line)
{
    for (size_t i = 0; i < count; i++) {
        struct slice rest = slice_of(line);
        bool numbered = memchr(line, '#', rest.len) != NULL;
        struct slice before = slice_cut(&rest, '#');
        writer_bytes(w, before.data, before.len);
        if (numbered)
            writer_text(w, "%zu", i);
        writer_bytes(w, rest.data, rest.len);
    }
}

/* One kind of line, `most` of which are allowed behind `head`. */
struct limit {
    const char *head;
    const char *line;
    const char *tail;
    size_t most;
};

static void W3_limits_hold(void **state)
{
    static const struct limit limits[] = {
        {HEAD AUDIO, "a=x#\r\n", "", SDP_LINES_MAX - 5},
        {HEAD, "m=audio 9 RTP/SAVPF 1#\r\n", "", SDP_SECTIONS_MAX},
        {HEAD AUDIO, "a=extmap:1# urn:x\r\n", "", SDP_EXTMAPS_MAX},
        {HEAD AUDIO, "a=ssrc:# cname:x\r\n", "", SDP_SSRCS_MAX},
        {HEAD AUDIO, "a=ssrc-group:FID 1 #\r\n", "", SDP_FID_MAX},
        {HEAD AUDIO, "a=msid:# x\r\n", "", SDP_MSIDS_MAX},
        {HEAD AUDIO, "a=fingerprint:md5 #\r\n", "", SDP_FINGERPRINTS_MAX},
        {HEAD, "a=fingerprint:md5 #\r\n", AUDIO, SDP_FINGERPRINTS_MAX},
        {HEAD "m=audio 9 UDP/TLS/RTP/SAVPF", " #", "\r\n", SDP_FORMATS_MAX},
        {HEAD AUDIO "a=mid:", "x", "\r\n", SDP_MID_MAX},
    };
    struct bench *b = *state;
    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        const struct limit *limit = &limits[i];
        for (size_t extra = 0; extra < 2; extra++) {
            struct writer w;
            writer_init(&w, b->text, sizeof(b->text));
            writer_bytes(&w, limit->head, strlen(limit->head));
            repeat(&w, limit->most + extra, limit->line);
            writer_bytes(&w, limit->tail, strlen(limit->tail));
            assert_true(writer_ok(&w));
            int err = parse(b, slice_make(b->text, w.len));
            if (err != (extra > 0 ? -EMSGSIZE : 0))
                fail_msg("limit %zu + %zu gives %d", i, extra, err);
        }
    }
    assert_int_equal(sdp_http_status(-EMSGSIZE), 422);
}

static void WHIP_93_a_stream_named_again_is_one(void **state)
{
    struct bench *b = *state;
    struct writer w;
    writer_init(&w, b->text, sizeof(b->text));
    writer_text(&w, HEAD AUDIO);
    repeat(&w, SDP_MSIDS_MAX + 1, "a=msid:s t#\r\n");
    assert_int_equal(parse(b, slice_make(b->text, w.len)), 0);
    assert_int_equal(b->sdp.sections[0].msid_count, 1);
}

static void W3_bundle_group_is_bounded(void **state)
{
    struct bench *b = *state;
    struct writer w;
    writer_init(&w, b->text, sizeof(b->text));
    writer_text(&w, HEAD "a=group:BUNDLE");
    repeat(&w, SDP_SECTIONS_MAX + 1, " #");
    writer_text(&w, "\r\n" AUDIO);
    assert_int_equal(parse(b, slice_make(b->text, w.len)), -EMSGSIZE);
}

static void W3_64_kib_and_no_more(void **state)
{
    struct bench *b = *state;
    static const char head[] = HEAD AUDIO "a=x:";
    memset(b->text, 'y', sizeof(b->text));
    memcpy(b->text, head, sizeof(head) - 1);
    assert_int_equal(parse(b, slice_make(b->text, SDP_TEXT_MAX)), 0);
    assert_int_equal(parse(b, slice_make(b->text, SDP_TEXT_MAX + 1)), -EMSGSIZE);
}

static void W3_truncation_at_every_length_is_safe(void **state)
{
    struct bench *b = *state;
    struct slice text = fixture_read(&b->fixture, "gstreamer.sdp");
    for (size_t len = 0; len <= text.len; len++) {
        char *exact = malloc(len > 0 ? len : 1);
        assert_non_null(exact);
        memcpy(exact, text.data, len);
        int err = parse(b, slice_make(exact, len));
        assert_true(err == 0 || err == -EBADMSG);
        free(exact);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(COD_16_every_fixture_is_read),
        cmocka_unit_test(COD_16_chromium_offer),
        cmocka_unit_test(RTP_02_simulcast_offer_has_no_sources),
        cmocka_unit_test(SEC_03_firefox_fingerprint_at_session_level),
        cmocka_unit_test(WHIP_79_bundle_only_with_port_0_is_alive),
        cmocka_unit_test(WHIP_91_extmap_direction_suffix),
        cmocka_unit_test(COD_14_lf_lines_read_the_same),
        cmocka_unit_test(COD_14_unknown_attributes_are_skipped),
        cmocka_unit_test(COD_15_bundle_may_name_absent_mids),
        cmocka_unit_test(COD_13_feedback_wildcard_is_spread),
        cmocka_unit_test(WHIP_20_malformed_offers),
        cmocka_unit_test(W3_limits_hold),
        cmocka_unit_test(WHIP_93_a_stream_named_again_is_one),
        cmocka_unit_test(W3_bundle_group_is_bounded),
        cmocka_unit_test(W3_64_kib_and_no_more),
        cmocka_unit_test(W3_truncation_at_every_length_is_safe),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
