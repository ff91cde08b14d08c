/* What other servers got wrong with publishers (protocols.md 5), and rules of 1.7 that hold for
 * every recorded offer. */
#include "gateway/rtc/dtls.h"
#include "gateway/rtc/ice.h"
#include "gateway/rtc/rtpsource.h"
#include "gateway/rtc/twcc.h"
#include "tests/unit/rtc/answerbench.h"
#include "tests/unit/rtc/stunmake.h"

#include <errno.h>
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define HALF_OPEN 64u
#define HALF_OPEN_BYTES ((size_t)20 << 20)
#define FLIGHT_MAX 8u
#define WARM_UP_ROUNDS 3u /* then libraries have made what they keep */
#define LEFT_OVER_BYTES ((size_t)16 << 10)
#define H264 VIDEO_LINE " 96\r\na=mid:1\r\na=rtpmap:96 H264/90000\r\n"

static const char *const offers[] = {
    "chromium_av.sdp",   "chromium_simulcast.sdp", "firefox_av.sdp",    "safari.sdp", "obs.sdp",
    "obs_simulcast.sdp", "gstreamer.sdp",          "ffmpeg_active.sdp", "larix.sdp"};
#define OFFER_COUNT (sizeof(offers) / sizeof(offers[0]))

static void answer_fixture(struct bench *b, size_t index)
{
    int err = answer_slice(b, fixture_read(&b->offer_file, offers[index]));
    if (err < 0)
        fail_msg("%s: %d %s", offers[index], err, b->reason ? b->reason : "");
}

static size_t count_lines(const struct bench *b, const char *start)
{
    struct slice rest = slice_make(b->answer.text, b->answer.text_len);
    size_t count = 0;
    while (rest.len > 0)
        count += slice_starts(slice_line(&rest), start);
    return count;
}

/* ---- answers ---- */

static void WHIP_84_accepted_sections_have_port_9_and_are_not_bundle_only(void **state)
{
    struct bench *b = *state;
    for (size_t i = 0; i < OFFER_COUNT; i++) {
        answer_fixture(b, i);
        assert_int_equal(count_lines(b, "m=audio 9 ") + count_lines(b, "m=video 9 "),
                         count_lines(b, "m="));
        assert_int_equal(count_lines(b, "a=bundle-only"), 0);
    }
}

static void WHIP_87_our_certificate_and_pair_are_named(void **state)
{
    struct bench *b = *state;
    for (size_t i = 0; i < OFFER_COUNT; i++) {
        answer_fixture(b, i);
        assert_true(count_lines(b, "a=fingerprint:" FINGERPRINT) >= 1);
        assert_int_equal(count_lines(b, "a=fingerprint:"),
                         count_lines(b, "a=fingerprint:sha-256 "));
        assert_true(count_lines(b, "a=ice-ufrag:UfragAbc") >= 1);
        assert_int_equal(count_lines(b, "a=ice-ufrag:"), count_lines(b, "a=ice-pwd:Pwd"));
    }
}

static void WHIP_90_only_payload_types_of_the_offer_are_answered(void **state)
{
    struct bench *b = *state;
    struct sdp *again = calloc(1, sizeof(*again));
    const char *reason;
    assert_non_null(again);
    for (size_t i = 0; i < OFFER_COUNT; i++) {
        answer_fixture(b, i);
        assert_int_equal(sdp_parse(slice_make(b->answer.text, b->answer.text_len), again, &reason),
                         0);
        for (size_t s = 0; s < again->section_count; s++) {
            for (size_t f = 0; f < again->sections[s].format_count; f++)
                assert_non_null(
                    sdp_find_format(&b->sdp.sections[s], again->sections[s].formats[f].pt));
        }
    }
    free(again);
}

static void WHIP_66_all_candidates_stand_in_the_answer(void **state)
{
    struct bench *b = *state;
    for (size_t i = 0; i < OFFER_COUNT; i++) {
        answer_fixture(b, i);
        assert_int_equal(count_lines(b, "a=candidate:"), b->local.address_count);
        assert_int_equal(count_lines(b, "a=end-of-candidates"), 1);
        assert_int_equal(count_lines(b, "a=ice-options:"), count_lines(b, "a=ice-options:ice2"));
    }
}

static void ICE_05_candidates_of_the_offer_change_nothing(void **state)
{
    static const char named[] = "a=candidate:1 1 udp 2113937151 "
                                "7d2a3b4c-0001-4f00-9000-0123456789ab.local 50000 typ host\r\n"
                                "a=end-of-candidates\r\n";
    struct bench *b = *state;
    char text[STREAM_ANSWER_MAX];
    assert_int_equal(answer_text(b, HEAD AUDIO SENDS VIDEO SENDS), 0);
    size_t len = b->answer.text_len;
    memcpy(text, b->answer.text, len);
    struct writer w;
    writer_init(&w, b->offer_file.text, sizeof(b->offer_file.text));
    writer_text(&w, "%s%s", HEAD AUDIO SENDS, named);
    writer_text(&w, "%s", VIDEO SENDS);
    assert_int_equal(answer_slice(b, slice_make(w.data, w.len)), 0);
    assert_int_equal(b->answer.text_len, len);
    assert_memory_equal(b->answer.text, text, len);
}

static void BUG_16_a_role_nobody_can_play_is_refused_at_once(void **state)
{
    struct bench *b = *state;
    assert_int_equal(answer_text(b, HEAD AUDIO SENDS "a=setup:holdconn\r\n"), -ENOTSUP);
    assert_int_equal(sdp_http_status(-ENOTSUP), 422);
    assert_non_null(strstr(b->reason, "setup"));
}

static void BUG_21_any_profile_that_decoders_know_is_taken(void **state)
{
    static const char *const profiles[] = {"42001f", "42e01f", "42e034", "4d001f",
                                           "64001f", "640c1f", "640032", "64002a"};
    struct bench *b = *state;
    for (size_t i = 0; i < sizeof(profiles) / sizeof(profiles[0]); i++) {
        struct writer w;
        writer_init(&w, b->offer_file.text, sizeof(b->offer_file.text));
        writer_text(&w, "%s", HEAD AUDIO SENDS);
        writer_text(&w, "%sa=fmtp:96 packetization-mode=1;profile-level-id=%s\r\n", H264 SENDS,
                    profiles[i]);
        assert_int_equal(answer_slice(b, slice_make(w.data, w.len)), 0);
        assert_int_equal(b->answer.tracks[TRACK_VIDEO].codec, CODEC_H264);
    }
}

static void BUG_34_WHIP_92_one_track_without_codec_refuses_all(void **state)
{
    struct bench *b = *state;
    assert_int_equal(answer_text(b, HEAD AUDIO SENDS VIDEO_LINE " 97\r\na=mid:1\r\n"
                                                                "a=rtpmap:97 none/90000\r\n" SENDS),
                     -ENOTSUP);
    assert_int_equal(
        answer_text(b, HEAD "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\n" SENDS VIDEO SENDS),
        -ENOTSUP);
}

/* ---- checks, packets, feedback ---- */

static void BUG_20_checks_without_nomination_are_answered(void **state)
{
    const struct ice_credentials credentials = {.ufrag = UFRAG, .pwd = PWD, .peer_ufrag = PEER};
    const struct addr from = {.family = 4, .port = 9, .ip = {192, 0, 2, 1}};
    uint8_t out[ICE_REPLY_MAX];
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        const struct recipe recipe = {.use_candidate = i == 1};
        const struct request request = make(&recipe);
        size_t len = 0;
        bool nominated = i == 0;
        assert_int_equal(ice_answer(request.bytes, request.len, &credentials, &from, out,
                                    sizeof(out), &len, &nominated),
                         ICE_ACCEPT);
        assert_true(len > 0);
        assert_int_equal(nominated, i == 1);
    }
}

static void BUG_26_other_versions_of_rtp_are_refused(void **state)
{
    uint8_t bytes[20] = {0x80, 97, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0x12, 0x34, 9};
    struct rtp_packet p, original;
    (void)state;
    for (unsigned version = 0; version < 4; version++) {
        bytes[0] = (uint8_t)(version << 6);
        assert_int_equal(rtp_parse(bytes, sizeof(bytes), &p), version == 2 ? 0 : -EBADMSG);
    }
    bytes[0] = 0x80;
    assert_int_equal(rtp_parse(bytes, sizeof(bytes), &p), 0);
    assert_int_equal(rtp_unwrap_rtx(&p, 96, 1, &original), 0);
    assert_int_equal(original.sequence, 0x1234);
}

static void BUG_33_no_numbers_no_feedback(void **state)
{
    struct twcc *twcc = calloc(1, sizeof(*twcc));
    uint8_t bytes[TWCC_REPORT_LEN];
    struct writer w;
    (void)state;
    assert_non_null(twcc);
    twcc_init(twcc);
    writer_init(&w, bytes, sizeof(bytes));
    assert_true(twcc_due_us(twcc) == UINT64_MAX);
    assert_false(twcc_write(twcc, 1, 2, 1000000, &w));
    assert_int_equal(w.len, 0);
    free(twcc);
}

/* ---- handshakes that never go on ---- */

struct flight {
    uint8_t data[FLIGHT_MAX][DTLS_MTU];
    size_t len[FLIGHT_MAX];
    size_t count;
};

static void keep(void *ctx, const uint8_t *data, size_t len)
{
    struct flight *flight = ctx;
    assert_true(flight->count < FLIGHT_MAX && len <= DTLS_MTU);
    memcpy(flight->data[flight->count], data, len);
    flight->len[flight->count++] = len;
}

static void deliver(struct flight *flight, struct dtls *to)
{
    for (size_t i = 0; i < flight->count; i++)
        assert_int_equal(dtls_receive(to, flight->data[i], flight->len[i], 1), DTLS_NONE);
    flight->count = 0;
}

/* A server that has sent its certificate and waits for that of a client which is gone. */
static void open_half(struct cert **out_cert, struct dtls **out_dtls)
{
    static struct flight ours, theirs;
    const struct fingerprint peer = {.algorithm = FINGERPRINT_SHA256, .len = 32};
    struct dtls *client;
    ours.count = theirs.count = 0;
    assert_int_equal(cert_new(out_cert), 0);
    assert_int_equal(dtls_new(*out_cert, &peer, 1, keep, &ours, out_dtls), 0);
    assert_int_equal(dtls_new_client(*out_cert, &peer, 1, keep, &theirs, &client), 0);
    assert_int_equal(dtls_start(client, 1), DTLS_NONE);
    deliver(&theirs, *out_dtls);
    deliver(&ours, client); /* the cookie */
    assert_true(dtls_deadline_us(*out_dtls, 1) == UINT64_MAX);
    deliver(&theirs, *out_dtls);
    assert_true(ours.count > 0);
    assert_true(dtls_deadline_us(*out_dtls, 1) <= 1 + DTLS_HANDSHAKE_US);
    dtls_free(client);
}

/* Bytes in use while HALF_OPEN handshakes stand still. */
static size_t hold_half_open(void)
{
    struct dtls *all[HALF_OPEN] = {NULL};
    struct cert *certs[HALF_OPEN] = {NULL};
    for (size_t i = 0; i < HALF_OPEN; i++)
        open_half(&certs[i], &all[i]);
    size_t held = mallinfo2().uordblks; /* 0 under a sanitizer */
    for (size_t i = 0; i < HALF_OPEN; i++) {
        dtls_free(all[i]);
        cert_free(certs[i]);
    }
    return held;
}

static void U5_half_open_handshakes_are_small(void **state)
{
    (void)state;
    for (unsigned round = 0; round < WARM_UP_ROUNDS; round++)
        (void)hold_half_open();
    size_t before = mallinfo2().uordblks;
    size_t held = hold_half_open();
    size_t after = mallinfo2().uordblks;
    print_message("%zu KiB each, %zu bytes are left\n", (held - before) / HALF_OPEN >> 10,
                  after - before);
    assert_true(held - before <= HALF_OPEN_BYTES);
    assert_true(after <= before + LEFT_OVER_BYTES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(WHIP_84_accepted_sections_have_port_9_and_are_not_bundle_only),
        cmocka_unit_test(WHIP_87_our_certificate_and_pair_are_named),
        cmocka_unit_test(WHIP_90_only_payload_types_of_the_offer_are_answered),
        cmocka_unit_test(WHIP_66_all_candidates_stand_in_the_answer),
        cmocka_unit_test(ICE_05_candidates_of_the_offer_change_nothing),
        cmocka_unit_test(BUG_16_a_role_nobody_can_play_is_refused_at_once),
        cmocka_unit_test(BUG_21_any_profile_that_decoders_know_is_taken),
        cmocka_unit_test(BUG_34_WHIP_92_one_track_without_codec_refuses_all),
        cmocka_unit_test(BUG_20_checks_without_nomination_are_answered),
        cmocka_unit_test(BUG_26_other_versions_of_rtp_are_refused),
        cmocka_unit_test(BUG_33_no_numbers_no_feedback),
        cmocka_unit_test(U5_half_open_handshakes_are_small),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
