/* The offers of real publishers: each answer is compared with the files beside it, in both modes of
 * tests/fixtures/offers/README.md. */
#include "tests/unit/rtc/answerbench.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* Everything that a process may be able to do. */
static void switch_all(struct bench *b, bool on)
{
    b->local.codecs = on ? ANSWER_CODECS_ALL : 0;
    b->local.transport_cc = b->local.simulcast = b->local.dtls_client = on;
    b->local.max_bitrate_kbps = on ? 6000 : 0;
}

/* With UPDATE_FIXTURES set the expected file is written instead; read the difference. */
static void expect_text(struct bench *b, const char *name, const char *kind)
{
    char expected[64];
    snprintf(expected, sizeof(expected), "%s.%s", name, kind);
    if (getenv("UPDATE_FIXTURES")) {
        char path[128];
        snprintf(path, sizeof(path), "tests/fixtures/offers/%s", expected);
        FILE *file = fopen(path, "wb");
        assert_non_null(file);
        fwrite(b->answer.text, 1, b->answer.text_len, file);
        fclose(file);
        return;
    }
    struct slice want = fixture_read(&b->expected_file, expected);
    if (!slice_equal(want, slice_make(b->answer.text, b->answer.text_len)))
        fail_msg("%s: the answer is now\n%.*s", expected, (int)b->answer.text_len, b->answer.text);
}

static int answer_file(struct bench *b, const char *name)
{
    char offer[64];
    snprintf(offer, sizeof(offer), "%s.sdp", name);
    return answer_slice(b, fixture_read(&b->offer_file, offer));
}

static void expect_answer(struct bench *b, const char *name)
{
    int err = answer_file(b, name);
    if (err < 0)
        fail_msg("%s: %d %s", name, err, b->reason);
}

/* ---- every offer, both modes ---- */

static const struct offer_row {
    const char *name;
    enum codec plain; /* of video by default; CODEC_COUNT: refused */
    enum codec full;  /* with every switch */
    size_t layers;
} offers[] = {
    {"chromium_av", CODEC_H264, CODEC_H264, 0},
    {"chromium_video", CODEC_H264, CODEC_H264, 0},
    {"chromium_audio", CODEC_NONE, CODEC_NONE, 0},
    {"chromium_simulcast", CODEC_H264, CODEC_H264, 3},
    {"chromium_nostream_data", CODEC_H264, CODEC_H264, 0},
    {"chromium_av1", CODEC_COUNT, CODEC_AV1, 0},
    {"chromium_vp9", CODEC_COUNT, CODEC_VP9, 0},
    {"chromium_vp9_simulcast", CODEC_COUNT, CODEC_VP9, 3},
    {"firefox_av", CODEC_H264, CODEC_H264, 0},
    {"firefox_vp8", CODEC_VP8, CODEC_VP8, 0},
    {"firefox_sendrecv", CODEC_VP8, CODEC_VP8, 0},
    {"firefox_simulcast", CODEC_VP8, CODEC_VP8, 3},
    {"aiortc_h264", CODEC_H264, CODEC_H264, 0},
    {"aiortc_vp8", CODEC_VP8, CODEC_VP8, 0},
    {"obs", CODEC_H264, CODEC_H264, 0},
    {"obs_simulcast", CODEC_H264, CODEC_H264, 4},
    {"obs_h265", CODEC_COUNT, CODEC_H265, 0},
    {"obs_av1", CODEC_COUNT, CODEC_AV1, 0},
    {"gstreamer", CODEC_H264, CODEC_H264, 0},
    {"gstreamer_vp8", CODEC_VP8, CODEC_VP8, 0},
    {"gstreamer_rtx_h264", CODEC_H264, CODEC_H264, 0},
    {"gstreamer_rtx_vp8", CODEC_VP8, CODEC_VP8, 0},
    {"gstreamer_many", CODEC_VP8, CODEC_VP8, 0},
    {"ffmpeg_active", CODEC_H264, CODEC_H264, 0},
    {"ffmpeg_passive", CODEC_COUNT, CODEC_H264, 0},
    {"ffmpeg_video", CODEC_H264, CODEC_H264, 0},
    {"safari", CODEC_H264, CODEC_H264, 0},
    {"safari_2020", CODEC_H264, CODEC_H264, 0},
    {"larix", CODEC_H264, CODEC_H264, 0},
};
#define OFFER_COUNT (sizeof(offers) / sizeof(offers[0]))

static void COD_16_every_offer_by_default(void **state)
{
    struct bench *b = *state;
    for (size_t i = 0; i < OFFER_COUNT; i++) {
        if (offers[i].plain == CODEC_COUNT) {
            assert_int_equal(answer_file(b, offers[i].name), -ENOTSUP);
            continue;
        }
        expect_answer(b, offers[i].name);
        assert_int_equal(b->answer.tracks[TRACK_VIDEO].codec, offers[i].plain);
        assert_int_equal(b->answer.tracks[TRACK_VIDEO].layer_count, 0);
        expect_text(b, offers[i].name, "answer");
    }
}

static void COD_16_every_offer_with_every_switch(void **state)
{
    struct bench *b = *state;
    switch_all(b, true);
    for (size_t i = 0; i < OFFER_COUNT; i++) {
        expect_answer(b, offers[i].name);
        assert_int_equal(b->answer.tracks[TRACK_VIDEO].codec, offers[i].full);
        assert_int_equal(b->answer.tracks[TRACK_VIDEO].layer_count, offers[i].layers);
        expect_text(b, offers[i].name, "full");
    }
    switch_all(b, false);
}

/* ---- rules that hold for each pair of offer and answer ---- */

static const struct sdp_extmap *find_extmap(const struct sdp_section *s, uint8_t id)
{
    for (size_t i = 0; i < s->extmap_count; i++) {
        if (s->extmaps[i].id == id)
            return &s->extmaps[i];
    }
    return NULL;
}

static void check_formats(const struct sdp_section *offered, const struct sdp_section *answered)
{
    for (size_t i = 0; i < answered->format_count; i++) {
        const struct sdp_format *got = &answered->formats[i];
        const struct sdp_format *given = sdp_find_format(offered, got->pt);
        assert_non_null(given);
        assert_true(slice_equal(given->encoding, got->encoding) || slice_is(got->encoding, "rtx"));
        assert_int_equal(given->clock_rate, got->clock_rate);
        assert_int_equal(got->feedback & ~given->feedback, 0); /* COD-13 */
    }
    for (size_t i = 0; i < answered->extmap_count; i++) { /* WHIP-91 */
        const struct sdp_extmap *given = find_extmap(offered, answered->extmaps[i].id);
        assert_non_null(given);
        assert_true(slice_equal(given->uri, answered->extmaps[i].uri));
    }
    assert_true(slice_equal(offered->mid, answered->mid));
}

static void check_section(const struct sdp_section *offered, const struct sdp_section *answered)
{
    assert_int_equal(offered->kind, answered->kind);
    assert_true(slice_equal(offered->proto, answered->proto));
    if (answered->port == 0) { /* WHIP-92: data channels only */
        assert_int_equal(offered->kind, SDP_APPLICATION);
        assert_int_equal(answered->direction, SDP_INACTIVE);
        return;
    }
    assert_int_equal(answered->port, 9);                 /* WHIP-84 */
    assert_int_equal(answered->direction, SDP_RECVONLY); /* WHIP-81 */
    assert_true(answered->rtcp_mux);                     /* WHIP-83 */
    assert_false(answered->bundle_only);
    assert_true(!answered->rtcp_rsize || offered->rtcp_rsize);
    assert_in_range(answered->format_count, 1, 2);
    check_formats(offered, answered);
}

static void check_answer(struct bench *b, struct sdp *answered)
{
    const char *reason = "";
    struct sdp_transport t;
    const struct sdp *offer = &b->sdp;
    struct slice text = slice_make(b->answer.text, b->answer.text_len);
    assert_int_equal(sdp_parse(text, answered, &reason), 0);
    assert_int_equal(answered->section_count, offer->section_count); /* WHIP-80 */
    assert_int_equal(answered->has_bundle, offer->has_bundle);       /* WHIP-82 */
    for (size_t i = 0; i < offer->section_count; i++) {
        check_section(&offer->sections[i], &answered->sections[i]);
        sdp_get_transport(answered, &answered->sections[i], &t);
        if (answered->sections[i].port == 0)
            continue;
        assert_true(slice_is(t.ufrag, b->local.ufrag) && slice_is(t.pwd, b->local.pwd));
        assert_int_equal(t.fingerprint_count, 1);
        assert_int_equal(t.setup, b->answer.dtls_client ? SDP_SETUP_ACTIVE : SDP_SETUP_PASSIVE);
    }
}

static void WHIP_80_every_answer_fits_its_offer(void **state)
{
    struct bench *b = *state;
    struct sdp *answered = calloc(1, sizeof(*answered));
    assert_non_null(answered);
    for (unsigned mode = 0; mode < 2; mode++) {
        switch_all(b, mode);
        for (size_t i = 0; i < OFFER_COUNT; i++) {
            if (mode == 0 && offers[i].plain == CODEC_COUNT)
                continue;
            expect_answer(b, offers[i].name);
            check_answer(b, answered);
        }
    }
    switch_all(b, false);
    free(answered);
}

/* ---- single offers ---- */

static void COD_16_chromium_audio_and_video(void **state)
{
    struct bench *b = *state;
    expect_answer(b, "chromium_av");
    const struct answer_track *video = &b->answer.tracks[TRACK_VIDEO];
    const struct answer_track *audio = &b->answer.tracks[TRACK_AUDIO];
    assert_int_equal(video->codec, CODEC_H264);
    assert_int_equal(video->pt, 102);
    assert_int_equal(video->rtx_pt, 103);
    assert_int_equal(video->packetization_mode, 1);
    assert_int_equal(video->clock_rate, 90000);
    assert_int_equal(video->mid_ext_id, 4);
    assert_string_equal(video->mid, "1");
    assert_int_equal(video->feedback, SDP_FB_NACK | SDP_FB_PLI | SDP_FB_FIR | SDP_FB_REMB);
    assert_int_equal(video->ssrc_count, 1);
    assert_int_equal(video->ssrcs[0], 2282477213);
    assert_int_equal(video->rtx_ssrcs[0], 2875724269);
    assert_int_equal(audio->codec, CODEC_OPUS);
    assert_int_equal(audio->pt, 111);
    assert_int_equal(audio->rtx_pt, 0);
    assert_int_equal(audio->ssrc_count, 1);
    assert_int_equal(audio->rtx_ssrcs[0], 0);
    assert_true(b->answer.rtcp_rsize);
    assert_string_equal(b->answer.peer_ufrag, "/16x");
    assert_int_equal(b->answer.fingerprint_count, 1);
    assert_int_equal(b->answer.fingerprints[0].hash[0], 0xdc);
}

static void COD_16_chromium_video_only(void **state)
{
    struct bench *b = *state;
    expect_answer(b, "chromium_video");
    assert_int_equal(b->answer.tracks[TRACK_AUDIO].codec, CODEC_NONE);
    assert_int_equal(b->answer.tracks[TRACK_VIDEO].codec, CODEC_H264);
}

static void BUG_30_chromium_audio_only(void **state)
{
    struct bench *b = *state;
    expect_answer(b, "chromium_audio");
    assert_int_equal(b->answer.tracks[TRACK_VIDEO].codec, CODEC_NONE);
    assert_int_equal(b->answer.tracks[TRACK_AUDIO].codec, CODEC_OPUS);
}

static void WHIP_95_chromium_simulcast_lines_are_left_out(void **state)
{
    struct bench *b = *state;
    expect_answer(b, "chromium_simulcast");
    assert_false(has(b, "simulcast"));
    assert_false(has(b, "a=rid"));
    assert_int_equal(b->answer.tracks[TRACK_VIDEO].ssrc_count, 0);
}

static void WHIP_92_data_channel_is_answered_with_port_0(void **state)
{
    struct bench *b = *state;
    expect_answer(b, "chromium_nostream_data");
    assert_true(has(b, "m=application 0 UDP/DTLS/SCTP webrtc-datachannel\r\n"));
    assert_true(has(b, "a=group:BUNDLE 0 1\r\n"));
}

static void WHIP_79_firefox_audio_and_video(void **state)
{
    struct bench *b = *state;
    expect_answer(b, "firefox_av");
    assert_int_equal(b->answer.tracks[TRACK_VIDEO].pt, 126);
    assert_int_equal(b->answer.tracks[TRACK_VIDEO].rtx_pt, 127);
    assert_int_equal(b->answer.tracks[TRACK_VIDEO].mid_ext_id, 3);
    assert_false(has(b, "m=video 0"));
    assert_false(has(b, "bundle-only"));
}

static void COD_17_firefox_without_h264(void **state)
{
    struct bench *b = *state;
    expect_answer(b, "firefox_vp8");
    assert_int_equal(b->answer.tracks[TRACK_VIDEO].codec, CODEC_VP8);
    assert_int_equal(b->answer.tracks[TRACK_VIDEO].pt, 120);
    assert_int_equal(b->answer.tracks[TRACK_VIDEO].rtx_pt, 124);
    assert_true(has(b, "a=extmap:3 urn:ietf:params:rtp-hdrext:sdes:mid\r\n"));
    assert_false(b->answer.rtcp_rsize); /* only of video */
    switch_all(b, true);
    expect_answer(b, "firefox_simulcast");
    assert_true(has(b, "a=extmap:9/recvonly urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id\r\n"));
    switch_all(b, false);
}

static void COD_16_obs(void **state)
{
    struct bench *b = *state;
    expect_answer(b, "obs");
    assert_int_equal(b->answer.tracks[TRACK_VIDEO].ssrcs[0], 1873002);
    assert_int_equal(b->answer.tracks[TRACK_VIDEO].rtx_pt, 0);
    assert_int_equal(b->answer.tracks[TRACK_VIDEO].feedback,
                     SDP_FB_NACK | SDP_FB_PLI | SDP_FB_REMB);
}

static void COD_16_gstreamer(void **state)
{
    struct bench *b = *state;
    expect_answer(b, "gstreamer");
    assert_string_equal(b->answer.tracks[TRACK_VIDEO].mid, "video0");
    assert_string_equal(b->answer.tracks[TRACK_VIDEO].sprop,
                        "Z0LADdoFB+wFqDAwNSgAAAMACAAAAwHkeKFV,aM48gA==");
    assert_int_equal(b->answer.tracks[TRACK_AUDIO].pt, 100);
    assert_false(has(b, "m=audio 0")); /* although it was offered so: WHIP-79 */
    expect_answer(b, "gstreamer_rtx_h264");
    assert_int_equal(b->answer.tracks[TRACK_VIDEO].rtx_ssrcs[0], 2175112508);
}

static void COD_16_ffmpeg(void **state)
{
    struct bench *b = *state;
    expect_answer(b, "ffmpeg_active");
    assert_int_equal(b->answer.tracks[TRACK_VIDEO].pt, 106);
    assert_int_equal(b->answer.tracks[TRACK_VIDEO].feedback, 0);
    assert_false(b->answer.rtcp_rsize); /* only in one of the sections */
    expect_answer(b, "ffmpeg_video");
    assert_true(has(b, "a=group:BUNDLE 1\r\n"));
}

static void WHIP_86_passive_publisher_with_our_client_role(void **state)
{
    struct bench *b = *state;
    b->local.dtls_client = true;
    expect_answer(b, "ffmpeg_passive");
    assert_true(b->answer.dtls_client);
    assert_true(has(b, "a=setup:active\r\n"));
    assert_false(has(b, "a=setup:passive"));
    expect_answer(b, "ffmpeg_active"); /* everybody else stays the client */
    assert_false(b->answer.dtls_client);
    b->local.dtls_client = false;
}

static void COD_18_payload_types_are_the_publishers(void **state)
{
    struct bench *b = *state;
    switch_all(b, true);
    expect_answer(b, "chromium_av1");
    assert_int_equal(b->answer.tracks[TRACK_VIDEO].pt, 45);
    assert_int_equal(b->answer.tracks[TRACK_VIDEO].rtx_pt, 46);
    expect_answer(b, "chromium_vp9_simulcast");
    assert_int_equal(b->answer.tracks[TRACK_VIDEO].pt, 98);
    assert_string_equal(b->answer.tracks[TRACK_VIDEO].layers[2].rid, "h");
    assert_int_equal(b->answer.tracks[TRACK_VIDEO].repaired_rid_ext_id, 11);
    assert_int_equal(b->answer.tracks[TRACK_VIDEO].transport_cc_ext_id, 3);
    assert_int_equal(b->answer.tracks[TRACK_AUDIO].transport_cc_ext_id, 3);
    expect_answer(b, "gstreamer_many");
    assert_int_equal(b->answer.tracks[TRACK_VIDEO].pt, 101);
    assert_int_equal(b->answer.tracks[TRACK_VIDEO].rtx_pt, 102);
    switch_all(b, false);
}

static void WHIP_94_obs_gets_all_its_layers(void **state)
{
    struct bench *b = *state;
    switch_all(b, true);
    expect_answer(b, "obs_simulcast");
    assert_true(has(b, "a=rid:0 recv\r\na=rid:1 recv\r\na=rid:2 recv\r\na=rid:3 recv\r\n"
                       "a=simulcast:recv 0;1;2;3\r\n"));
    assert_int_equal(b->answer.tracks[TRACK_VIDEO].repaired_rid_ext_id, 0);
    switch_all(b, false);
}

static void BUG_22_safari_sends_and_receives(void **state)
{
    struct bench *b = *state;
    expect_answer(b, "safari");
    assert_int_equal(b->answer.tracks[TRACK_VIDEO].pt, 96);
    assert_true(has(b, "profile-level-id=640c1f"));
    assert_true(has(b, "a=recvonly\r\n"));
    assert_false(has(b, "video-orientation")); /* RTP-04 */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(COD_16_every_offer_by_default),
        cmocka_unit_test(COD_16_every_offer_with_every_switch),
        cmocka_unit_test(WHIP_80_every_answer_fits_its_offer),
        cmocka_unit_test(COD_16_chromium_audio_and_video),
        cmocka_unit_test(COD_16_chromium_video_only),
        cmocka_unit_test(BUG_30_chromium_audio_only),
        cmocka_unit_test(WHIP_95_chromium_simulcast_lines_are_left_out),
        cmocka_unit_test(WHIP_92_data_channel_is_answered_with_port_0),
        cmocka_unit_test(WHIP_79_firefox_audio_and_video),
        cmocka_unit_test(COD_17_firefox_without_h264),
        cmocka_unit_test(COD_16_obs),
        cmocka_unit_test(COD_16_gstreamer),
        cmocka_unit_test(COD_16_ffmpeg),
        cmocka_unit_test(WHIP_86_passive_publisher_with_our_client_role),
        cmocka_unit_test(COD_18_payload_types_are_the_publishers),
        cmocka_unit_test(WHIP_94_obs_gets_all_its_layers),
        cmocka_unit_test(BUG_22_safari_sends_and_receives),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
