/* Answers: protocols.md 1.7 and 3.3. */
#include "gateway/rtc/answer.h"

#include "lib/base/writer.h"
#include "tests/unit/rtc/answerbench.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void WHIP_85_passive_publisher_is_refused(void **state)
{
    struct bench *b = *state;
    assert_int_equal(answer_slice(b, fixture_read(&b->offer_file, "ffmpeg_passive.sdp")), -ENOTSUP);
    assert_non_null(strstr(b->reason, "setup"));
    assert_int_equal(sdp_http_status(-ENOTSUP), 422);
}

static void ICE_09_RFC6544_tcp_candidates_come_behind_all_udp_ones(void **state)
{
    struct bench *b = *state;
    b->local.tcp_addresses = b->addresses;
    b->local.tcp_count = 2;
    assert_int_equal(answer_text(b, HEAD AUDIO SENDS VIDEO SENDS), 0);
    assert_true(has(b,
                    "a=candidate:3 1 udp 2130705919 2001:db8::7 8189 typ host\r\n"
                    "a=candidate:4 1 tcp 1520434431 192.0.2.7 8189 typ host tcptype passive\r\n"
                    "a=candidate:5 1 tcp 1520434175 2001:db8::7 8189 typ host tcptype passive\r\n"
                    "a=end-of-candidates\r\n"));
    b->local.tcp_count = 0;
}

static void WHIP_88_ipv4_candidates_come_first(void **state)
{
    struct bench *b = *state;
    assert_int_equal(answer_text(b, HEAD AUDIO SENDS VIDEO SENDS), 0);
    assert_true(has(b, "a=candidate:1 1 udp 2130706431 192.0.2.7 8189 typ host\r\n"
                       "a=candidate:2 1 udp 2130706175 127.0.0.1 8189 typ host\r\n"
                       "a=candidate:3 1 udp 2130705919 2001:db8::7 8189 typ host\r\n"
                       "a=end-of-candidates\r\nm=video"));
}

static void WHIP_89_answer_starts_with_version_and_is_short(void **state)
{
    struct bench *b = *state;
    assert_int_equal(answer_text(b, HEAD AUDIO SENDS VIDEO SENDS), 0);
    assert_memory_equal(b->answer.text, "v=0\r\n", 5);
    assert_true(b->answer.text_len <= STREAM_ANSWER_MAX);
    for (size_t i = 0; i < b->answer.text_len; i++)
        assert_true(b->answer.text[i] != '\n' || b->answer.text[i - 1] == '\r');
}

static void WHIP_89_too_long_answer_is_refused(void **state)
{
    /* Seven refused sections, each repeating 1,200 bytes of protocol name. */
    struct bench *b = *state;
    struct writer w;
    char name[1200];
    memset(name, 'x', sizeof(name));
    writer_init(&w, b->offer_file.text, sizeof(b->offer_file.text));
    writer_text(&w, HEAD AUDIO SENDS);
    for (unsigned i = 0; i < 7; i++) {
        writer_text(&w, "m=application 9 ");
        writer_bytes(&w, name, sizeof(name));
        writer_text(&w, " y\r\na=mid:9%u\r\n", i);
    }
    assert_int_equal(answer_slice(b, slice_make(b->offer_file.text, w.len)), -EMSGSIZE);
}

struct refusal {
    const char *offer;
    int error;
};

static void expect_refusals(struct bench *b, const struct refusal *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int err = answer_text(b, list[i].offer);
        if (err != list[i].error)
            fail_msg("offer %zu gives %d (%s)", i, err, b->reason ? b->reason : "");
        assert_int_equal(b->reason[strlen(b->reason) - 1], '.');
        assert_true(strlen(b->reason) < STREAM_REASON_MAX);
    }
}

static void WHIP_26_not_acceptable_offers(void **state)
{
    static const struct refusal list[] = {
        {HEAD AUDIO TRANSPORT "a=recvonly\r\n", -ENOTSUP},
        {HEAD AUDIO TRANSPORT "a=inactive\r\n", -ENOTSUP},
        {HEAD "a=inactive\r\n" AUDIO TRANSPORT, -ENOTSUP},
        {HEAD AUDIO SENDS "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:1\r\n"
                          "a=rtpmap:111 opus/48000/2\r\n" SENDS,
         -ENOTSUP},
        {HEAD "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\n" SENDS, -ENOTSUP},
        {HEAD "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\na=rtpmap:111 opus/48000\r\n" SENDS,
         -ENOTSUP},
        {HEAD VIDEO_LINE " 98\r\na=mid:1\r\na=rtpmap:98 VP9/90000\r\n" SENDS, -ENOTSUP},
        {HEAD AUDIO SENDS VIDEO_LINE " 98\r\na=mid:1\r\na=rtpmap:98 VP9/90000\r\n" SENDS, -ENOTSUP},
        {HEAD "m=text 9 UDP/TLS/RTP/SAVPF 99\r\na=mid:0\r\n" SENDS, -ENOTSUP},
        {HEAD "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:0\r\n" SENDS, -ENOTSUP},
        {HEAD "m=audio 0 UDP/TLS/RTP/SAVPF 111\r\n" AUDIO_LINES SENDS, -ENOTSUP},
        {HEAD AUDIO SENDS "a=setup:passive\r\n", -ENOTSUP},
        {HEAD AUDIO SENDS "a=setup:holdconn\r\n", -ENOTSUP},
    };
    expect_refusals(*state, list, sizeof(list) / sizeof(list[0]));
}

static void WHIP_20_missing_ice_or_fingerprint(void **state)
{
    static const struct refusal list[] = {
        {HEAD AUDIO "a=rtcp-mux\r\na=ice-pwd:0123456789012345678901\r\na=fingerprint:" FINGERPRINT
                    "\r\n",
         -EBADMSG},
        {HEAD AUDIO "a=rtcp-mux\r\na=ice-ufrag:abcd\r\na=fingerprint:" FINGERPRINT "\r\n",
         -EBADMSG},
        {HEAD AUDIO "a=rtcp-mux\r\na=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\n",
         -EBADMSG},
    };
    expect_refusals(*state, list, sizeof(list) / sizeof(list[0]));
}

static void W7_no_downgrade(void **state)
{
    static const struct refusal list[] = {
        {HEAD "m=audio 9 RTP/AVP 111\r\n" AUDIO_LINES SENDS, -ENOTSUP},
        {HEAD "m=audio 9 RTP/SAVPF 111\r\n" AUDIO_LINES SENDS, -ENOTSUP},
        {HEAD AUDIO SENDS "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x\r\n", -ENOTSUP},
        {HEAD AUDIO "a=rtcp-mux\r\na=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\n"
                    "a=fingerprint:sha-1 00:11\r\na=fingerprint:md5 22:33\r\n",
         -ENOTSUP},
    };
    expect_refusals(*state, list, sizeof(list) / sizeof(list[0]));
}

static void SEC_03_weak_fingerprints_are_ignored_beside_strong(void **state)
{
    struct bench *b = *state;
    assert_int_equal(answer_text(b, HEAD AUDIO "a=fingerprint:sha-1 00:11\r\n" SENDS), 0);
    assert_int_equal(b->answer.fingerprint_count, 1);
    assert_int_equal(b->answer.fingerprints[0].algorithm, FINGERPRINT_SHA256);
}

static void WHIP_82_one_bundle(void **state)
{
    static const struct refusal list[] = {
        {"v=0\r\n" AUDIO SENDS VIDEO SENDS, -ENOTSUP},
        {"v=0\r\na=group:BUNDLE 0\r\n" AUDIO SENDS VIDEO SENDS, -ENOTSUP},
        {"v=0\r\na=group:BUNDLE 0 1\r\n" AUDIO SENDS VIDEO_LINE
         " 96\r\na=rtpmap:96 VP8/90000\r\n" SENDS,
         -ENOTSUP},
        {"v=0\r\na=group:BUNDLE 0\r\n" AUDIO SENDS "m=video 0 UDP/TLS/RTP/SAVPF 96\r\n"
         "a=bundle-only\r\na=mid:1\r\na=rtpmap:96 VP8/90000\r\n" SENDS,
         -EBADMSG},
    };
    struct bench *b = *state;
    expect_refusals(b, list, sizeof(list) / sizeof(list[0]));
    assert_int_equal(answer_text(b, "v=0\r\n" AUDIO SENDS), 0); /* alone it needs no group */
    assert_false(has(b, "BUNDLE"));
}

static void WHIP_83_rtcp_mux_is_answered_and_needed(void **state)
{
    struct bench *b = *state;
    assert_int_equal(answer_text(b, HEAD AUDIO SENDS), 0);
    assert_true(has(b, "a=rtcp-mux\r\na=rtcp-mux-only\r\n"));
    assert_false(has(b, "rtcp-rsize"));
    assert_int_equal(answer_text(b,
                                 HEAD AUDIO "a=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901"
                                            "\r\na=fingerprint:" FINGERPRINT "\r\n"),
                     -ENOTSUP);
}

static void WHIP_80_refused_sections_keep_their_place(void **state)
{
    struct bench *b = *state;
    assert_int_equal(answer_text(b, HEAD "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n"
                                         "a=mid:7\r\n" TRANSPORT VIDEO SENDS AUDIO SENDS),
                     0);
    const char *application = memmem(b->answer.text, b->answer.text_len, "m=application 0 ", 16);
    const char *video = memmem(b->answer.text, b->answer.text_len, "m=video 9 ", 10);
    const char *audio = memmem(b->answer.text, b->answer.text_len, "m=audio 9 ", 10);
    assert_true(application && application < video && video < audio);
    assert_true(has(b, "a=group:BUNDLE 1 0\r\n"));
    const char *candidate = memmem(b->answer.text, b->answer.text_len, "a=candidate", 11);
    assert_true(candidate > video && candidate < audio);
}

static void WHIP_81_sendrecv_is_answered_recvonly(void **state)
{
    struct bench *b = *state;
    assert_int_equal(answer_text(b, HEAD AUDIO TRANSPORT), 0);
    assert_true(has(b, "a=recvonly\r\n"));
    assert_false(has(b, "a=sendrecv"));
}

static void WHIP_93_one_stream(void **state)
{
    struct bench *b = *state;
    assert_int_equal(answer_text(b, HEAD AUDIO SENDS "a=msid:- x\r\n" VIDEO SENDS "a=msid:s y\r\n"),
                     0);
    assert_int_equal(answer_text(b, HEAD AUDIO SENDS "a=msid:s x\r\n" VIDEO SENDS "a=msid:s y\r\n"),
                     0);
    assert_int_equal(answer_text(b, HEAD AUDIO SENDS "a=msid:s x\r\n" VIDEO SENDS "a=msid:t y\r\n"),
                     -ENOTSUP);
}

static void COD_01_mode_1_is_preferred(void **state)
{
    struct bench *b = *state;
    assert_int_equal(
        answer_text(b, HEAD VIDEO_LINE
                    " 96 97 98 99\r\na=mid:1\r\na=rtpmap:96 VP8/90000\r\n"
                    "a=rtpmap:97 H264/90000\r\na=rtpmap:98 h264/90000\r\n"
                    "a=fmtp:98 packetization-mode=1;profile-level-id=42e01f\r\n"
                    "a=rtpmap:99 H264/90000\r\n"
                    "a=fmtp:99 packetization-mode=1;profile-level-id=640c1f\r\n" SENDS),
        0);
    assert_int_equal(b->answer.tracks[TRACK_VIDEO].pt, 98);
    assert_int_equal(answer_text(b, HEAD VIDEO_LINE " 96 97\r\na=mid:1\r\na=rtpmap:96 VP8/90000\r\n"
                                                    "a=rtpmap:97 H264/90000\r\n" SENDS),
                     0);
    assert_int_equal(b->answer.tracks[TRACK_VIDEO].pt, 97);
    assert_int_equal(b->answer.tracks[TRACK_VIDEO].packetization_mode, 0);
    assert_true(has(b, "a=fmtp:97 packetization-mode=0;x-google-start-bitrate=2000\r\n"));
}

static bool takes_profile(struct bench *b, const char *fmtp)
{
    char offer[1024];
    snprintf(offer, sizeof(offer),
             HEAD VIDEO_LINE " 97\r\na=mid:1\r\na=rtpmap:97 H264/90000\r\na=fmtp:97 %s\r\n" SENDS,
             fmtp);
    return answer_text(b, offer) == 0;
}

static void COD_02_profiles(void **state)
{
    struct bench *b = *state;
    static const char *const good[] = {"42001f", "42e01f", "4d001f", "64001f", "640c1f", "42C01F"};
    static const char *const bad[] = {"f4001f", "6e001f", "7a001f",  "58001f",
                                      "42e0",   "zzzzzz", "42e01f00"};
    char fmtp[64];
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        snprintf(fmtp, sizeof(fmtp), "packetization-mode=1;profile-level-id=%s", good[i]);
        assert_true(takes_profile(b, fmtp));
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        snprintf(fmtp, sizeof(fmtp), "packetization-mode=1;profile-level-id=%s", bad[i]);
        assert_false(takes_profile(b, fmtp));
    }
    assert_false(takes_profile(b, "packetization-mode=2;profile-level-id=42e01f"));
    assert_false(takes_profile(b, "packetization-mode=x"));
}

static void COD_12_rtx_must_belong_to_the_codec(void **state)
{
    struct bench *b = *state;
    assert_int_equal(answer_text(b, HEAD VIDEO_LINE
                                 " 96 97\r\na=mid:1\r\na=rtpmap:96 VP8/90000\r\n"
                                 "a=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=95\r\n" SENDS),
                     0);
    assert_int_equal(b->answer.tracks[TRACK_VIDEO].rtx_pt, 0);
    assert_false(has(b, "rtx"));
}

static void RTP_04_only_mid_is_taken_of_the_extensions(void **state)
{
    struct bench *b = *state;
    assert_int_equal(answer_slice(b, fixture_read(&b->offer_file, "chromium_av.sdp")), 0);
    assert_false(has(b, "video-orientation"));
    assert_false(has(b, "transport-wide"));
    assert_false(has(b, "transport-cc"));
    assert_int_equal(answer_text(b, HEAD AUDIO SENDS
                                 "a=extmap:2/recvonly urn:ietf:params:rtp-hdrext:sdes:mid\r\n"),
                     0);
    assert_int_equal(b->answer.tracks[TRACK_AUDIO].mid_ext_id, 0);
}

static void COD_13_transport_cc_needs_extension_and_line(void **state)
{
    static const char extension[] =
        "a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01\r\n";
    static const char line[] = "a=rtcp-fb:96 transport-cc\r\na=rtcp-fb:96 goog-remb\r\n";
    struct bench *b = *state;
    const struct answer_track *video = &b->answer.tracks[TRACK_VIDEO];
    for (unsigned i = 0; i < 8; i++) {
        char offer[2048];
        snprintf(offer, sizeof(offer), HEAD VIDEO SENDS "%s%s", i & 1 ? extension : "",
                 i & 2 ? line : "");
        b->local.transport_cc = i & 4;
        assert_int_equal(answer_text(b, offer), 0);
        assert_int_equal(video->transport_cc_ext_id, i == 7 ? 3 : 0);
        assert_int_equal(has(b, extension), i == 7);
        assert_int_equal(has(b, "a=rtcp-fb:96 transport-cc\r\n"), i == 7);
        assert_int_equal(has(b, "goog-remb"), (i & 2) != 0); /* stays beside it */
        assert_int_equal(video->feedback & SDP_FB_TRANSPORT_CC, i == 7 ? SDP_FB_TRANSPORT_CC : 0);
    }
    b->local.transport_cc = false;
}

#define RIDS                                                                                       \
    "a=extmap:10 urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id\r\n"                                \
    "a=extmap:11 urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id\r\n"                       \
    "a=rid:l send\r\na=rid:h send max-width=1280;pt=96,97\r\n"
#define VIDEO_RTX                                                                                  \
    VIDEO_LINE " 96 97\r\na=mid:1\r\na=rtpmap:96 VP8/90000\r\na=rtpmap:97 rtx/90000\r\n"           \
               "a=fmtp:97 apt=96\r\n"

static void WHIP_94_all_layers_are_accepted(void **state)
{
    struct bench *b = *state;
    const struct answer_track *video = &b->answer.tracks[TRACK_VIDEO];
    b->local.simulcast = true;
    assert_int_equal(answer_text(b, HEAD VIDEO_RTX SENDS RIDS "a=simulcast:send h;~l\r\n"), 0);
    assert_int_equal(video->layer_count, 2);
    assert_string_equal(video->layers[0].rid, "h");
    assert_string_equal(video->layers[1].rid, "l");
    assert_false(video->layers[0].paused);
    assert_true(video->layers[1].paused);
    assert_int_equal(video->rid_ext_id, 10);
    assert_int_equal(video->repaired_rid_ext_id, 11);
    assert_true(has(b, "a=extmap:10 urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id\r\n"));
    assert_true(has(b, "a=extmap:11 urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id\r\n"));
    assert_true(has(b, "a=rid:h recv max-width=1280;pt=96\r\na=rid:l recv\r\n"
                       "a=simulcast:recv h;~l\r\n"));
    /* without RTX there is nothing to repair */
    assert_int_equal(answer_text(b, HEAD VIDEO SENDS RIDS "a=simulcast:send h;l\r\n"), 0);
    assert_int_equal(video->repaired_rid_ext_id, 0);
    b->local.simulcast = false;
    assert_int_equal(answer_text(b, HEAD VIDEO_RTX SENDS RIDS "a=simulcast:send h;~l\r\n"), 0);
    assert_int_equal(video->layer_count, 0);
    assert_int_equal(video->rid_ext_id, 0);
    assert_false(has(b, "a=rid") || has(b, "stream-id"));
}

static void WHIP_94_layers_need_the_rid_extension(void **state)
{
    struct bench *b = *state;
    b->local.simulcast = true;
    assert_int_equal(
        answer_text(b, HEAD VIDEO SENDS "a=rid:l send\r\na=rid:h send\r\na=simulcast:send h;l\r\n"),
        0);
    assert_int_equal(b->answer.tracks[TRACK_VIDEO].layer_count, 0);
    assert_false(has(b, "a=rid") || has(b, "simulcast"));
    b->local.simulcast = false;
}

static void WHIP_94_four_layers_at_most(void **state)
{
    struct bench *b = *state;
    static const char rids[] = "a=rid:a send\r\na=rid:b send\r\na=rid:c send\r\na=rid:d send\r\n"
                               "a=extmap:10 urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id\r\n";
    char offer[2048];
    b->local.simulcast = true;
    snprintf(offer, sizeof(offer), HEAD VIDEO SENDS "%sa=simulcast:send a;b;c;d\r\n", rids);
    assert_int_equal(answer_text(b, offer), 0);
    assert_int_equal(b->answer.tracks[TRACK_VIDEO].layer_count, 4);
    snprintf(offer, sizeof(offer),
             HEAD VIDEO SENDS "%sa=rid:e send\r\na=simulcast:send a;b;c;d;e\r\n", rids);
    assert_int_equal(answer_text(b, offer), -ENOTSUP);
    b->local.simulcast = false;
}

static void WHIP_94_layers_restricted_to_another_codec(void **state)
{
    struct bench *b = *state;
    assert_int_equal(answer_text(b,
                                 HEAD VIDEO_LINE " 96 97\r\na=mid:1\r\na=rtpmap:96 H264/90000\r\n"
                                                 "a=rtpmap:97 VP8/90000\r\na=rid:l send pt=97\r\n"
                                                 "a=simulcast:send l\r\n" SENDS),
                     0);
    assert_int_equal(b->answer.tracks[TRACK_VIDEO].pt, 97);
}

static void U15_ceiling_is_told_in_the_video_section(void **state)
{
    struct bench *b = *state;
    b->local.max_bitrate_kbps = 1500;
    assert_int_equal(answer_text(b, HEAD AUDIO SENDS VIDEO SENDS), 0);
    assert_true(has(b, "m=video 9 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\n"
                       "b=AS:1500\r\nb=TIAS:1500000\r\na=mid:1\r\n"));
    /* The start is not above the ceiling. */
    assert_true(has(b, "a=fmtp:96 x-google-start-bitrate=1500;x-google-max-bitrate=1500\r\n"));
    const char *first = memmem(b->answer.text, b->answer.text_len, "b=AS", 4);
    const char *video = memmem(b->answer.text, b->answer.text_len, "m=video", 7);
    assert_true(first > video);
    b->local.max_bitrate_kbps = UINT32_MAX;
    assert_int_equal(answer_text(b, HEAD VIDEO SENDS), 0);
    assert_true(has(b, "b=AS:4294967295\r\nb=TIAS:4294967295000\r\n"));
    assert_true(has(b, "x-google-start-bitrate=2000;"));
    b->local.max_bitrate_kbps = 0;
    assert_int_equal(answer_text(b, HEAD VIDEO SENDS), 0);
    assert_false(has(b, "\nb=") || has(b, "max-bitrate"));
}

static void WHIP_11_reasons_name_the_cause(void **state)
{
    static const struct {
        const char *offer;
        const char *word;
    } rows[] = {
        {HEAD VIDEO_LINE " 97\r\na=mid:1\r\na=rtpmap:97 H264/90000\r\n"
                         "a=fmtp:97 profile-level-id=f4001f\r\n" SENDS,
         "profiles"},
        {HEAD VIDEO_LINE " 97\r\na=mid:1\r\na=rtpmap:97 VP9/90000\r\n" SENDS, "VP8"},
        {HEAD "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\n" SENDS, "Opus"},
        {HEAD AUDIO TRANSPORT "a=recvonly\r\n", "sendonly"},
    };
    struct bench *b = *state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(answer_text(b, rows[i].offer), -ENOTSUP);
        assert_non_null(strstr(b->reason, rows[i].word));
        assert_true(strlen(b->reason) < STREAM_REASON_MAX);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(WHIP_85_passive_publisher_is_refused),
        cmocka_unit_test(ICE_09_RFC6544_tcp_candidates_come_behind_all_udp_ones),
        cmocka_unit_test(WHIP_88_ipv4_candidates_come_first),
        cmocka_unit_test(WHIP_89_answer_starts_with_version_and_is_short),
        cmocka_unit_test(WHIP_89_too_long_answer_is_refused),
        cmocka_unit_test(WHIP_26_not_acceptable_offers),
        cmocka_unit_test(WHIP_20_missing_ice_or_fingerprint),
        cmocka_unit_test(W7_no_downgrade),
        cmocka_unit_test(SEC_03_weak_fingerprints_are_ignored_beside_strong),
        cmocka_unit_test(WHIP_82_one_bundle),
        cmocka_unit_test(WHIP_83_rtcp_mux_is_answered_and_needed),
        cmocka_unit_test(WHIP_80_refused_sections_keep_their_place),
        cmocka_unit_test(WHIP_81_sendrecv_is_answered_recvonly),
        cmocka_unit_test(WHIP_93_one_stream),
        cmocka_unit_test(COD_01_mode_1_is_preferred),
        cmocka_unit_test(COD_02_profiles),
        cmocka_unit_test(COD_12_rtx_must_belong_to_the_codec),
        cmocka_unit_test(COD_13_transport_cc_needs_extension_and_line),
        cmocka_unit_test(WHIP_94_all_layers_are_accepted),
        cmocka_unit_test(WHIP_94_layers_need_the_rid_extension),
        cmocka_unit_test(WHIP_94_four_layers_at_most),
        cmocka_unit_test(WHIP_94_layers_restricted_to_another_codec),
        cmocka_unit_test(U15_ceiling_is_told_in_the_video_section),
        cmocka_unit_test(WHIP_11_reasons_name_the_cause),
        cmocka_unit_test(RTP_04_only_mid_is_taken_of_the_extensions),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
