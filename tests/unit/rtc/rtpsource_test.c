/* Which track and layer a packet belongs to: protocols.md 3.4. */
#include "gateway/rtc/rtpsource.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MID = 4, RID = 10, REPAIRED = 11, VIDEO_PT = 102, RTX_PT = 103, AUDIO_PT = 111 };

struct bench {
    struct answer answer;
    struct rtpsources sources;
    struct rtp_packet packet;
    uint8_t extension[64];
    struct rtpsource source;
    bool is_new;
};

static void reset(struct bench *b)
{
    struct answer_track *video = &b->answer.tracks[TRACK_VIDEO];
    memset(b, 0, sizeof(*b));
    *video = (struct answer_track){
        .codec = CODEC_H264, .pt = VIDEO_PT, .rtx_pt = RTX_PT, .mid_ext_id = MID, .mid = "1"};
    b->answer.tracks[TRACK_AUDIO] =
        (struct answer_track){.codec = CODEC_OPUS, .pt = AUDIO_PT, .mid_ext_id = MID, .mid = "0"};
}

static void reset_simulcast(struct bench *b)
{
    struct answer_track *video = &b->answer.tracks[TRACK_VIDEO];
    reset(b);
    video->rid_ext_id = RID;
    video->repaired_rid_ext_id = REPAIRED;
    video->layer_count = 3;
    memcpy(video->layers[0].rid, "l", 2);
    memcpy(video->layers[1].rid, "m", 2);
    memcpy(video->layers[2].rid, "h", 2);
}

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

static void add(struct bench *b, unsigned id, const char *text)
{
    struct rtp_packet *p = &b->packet;
    size_t len = strlen(text);
    p->has_extension = true;
    p->extension_profile = 0xbede;
    p->extension = b->extension;
    b->extension[p->extension_len++] = (uint8_t)(id << 4 | (len - 1));
    memcpy(b->extension + p->extension_len, text, len);
    p->extension_len += len;
}

static void packet(struct bench *b, uint32_t ssrc, uint8_t pt)
{
    b->packet = (struct rtp_packet){.ssrc = ssrc, .payload_type = pt};
}

static int find(struct bench *b)
{
    return rtpsource_find(&b->sources, &b->answer, &b->packet, &b->source, &b->is_new);
}

static int find_plain(struct bench *b, uint32_t ssrc, uint8_t pt)
{
    packet(b, ssrc, pt);
    return find(b);
}

static void expect_source(const struct bench *b, enum track track, unsigned layer, bool repair,
                          bool is_new)
{
    assert_int_equal(b->source.track, track);
    assert_int_equal(b->source.layer, layer);
    assert_int_equal(b->source.repair, repair);
    assert_int_equal(b->is_new, is_new);
}

static void RTP_01_mid_is_latched(void **state)
{
    struct bench *b = *state;
    reset(b);
    b->answer.tracks[TRACK_AUDIO].pt = VIDEO_PT; /* so that the payload type says nothing */
    packet(b, 7, VIDEO_PT);
    assert_int_equal(find(b), -EPROTO);
    add(b, MID, "0");
    assert_int_equal(find(b), 0);
    expect_source(b, TRACK_AUDIO, 0, false, true);
    assert_int_equal(find_plain(b, 7, VIDEO_PT), 0); /* without the extension */
    expect_source(b, TRACK_AUDIO, 0, false, false);
}

static void RTP_01_announced_ssrc_then_payload_type(void **state)
{
    struct bench *b = *state;
    reset(b);
    b->answer.tracks[TRACK_AUDIO].pt = VIDEO_PT;
    b->answer.tracks[TRACK_VIDEO].ssrc_count = 1;
    b->answer.tracks[TRACK_VIDEO].ssrcs[0] = 9;
    assert_int_equal(find_plain(b, 9, VIDEO_PT), 0);
    expect_source(b, TRACK_VIDEO, 0, false, true);
    assert_int_equal(find_plain(b, 10, VIDEO_PT), -EPROTO);
    reset(b);
    assert_int_equal(find_plain(b, 10, AUDIO_PT), 0);
    expect_source(b, TRACK_AUDIO, 0, false, true);
    assert_int_equal(find_plain(b, 11, 96), -EPROTO);
}

static void BUG_04_rtx_sources_are_known(void **state)
{
    struct bench *b = *state;
    reset(b);
    b->answer.tracks[TRACK_VIDEO].ssrc_count = 1;
    b->answer.tracks[TRACK_VIDEO].ssrcs[0] = 9;
    b->answer.tracks[TRACK_VIDEO].rtx_ssrcs[0] = 10;
    assert_int_equal(find_plain(b, 10, RTX_PT), 0);
    expect_source(b, TRACK_VIDEO, 0, true, true);
    assert_int_equal(find_plain(b, 10, AUDIO_PT), -EPROTO);
    assert_int_equal(find_plain(b, 77, RTX_PT), 0); /* not announced: by its payload type */
    expect_source(b, TRACK_VIDEO, 0, true, true);
    assert_int_equal(find_plain(b, 9, VIDEO_PT), 0);
    expect_source(b, TRACK_VIDEO, 0, false, true);
    assert_int_equal(find_plain(b, 9, RTX_PT), 0); /* RTX on the media's own SSRC */
    expect_source(b, TRACK_VIDEO, 0, true, false);
}

static void RTP_01_rid_and_repaired_rid(void **state)
{
    struct bench *b = *state;
    static const char *const rids[] = {"l", "m", "h"};
    reset_simulcast(b);
    for (unsigned i = 0; i < 3; i++) {
        packet(b, 20 + i, VIDEO_PT);
        add(b, MID, "1");
        add(b, RID, rids[i]);
        assert_int_equal(find(b), 0);
        expect_source(b, TRACK_VIDEO, i, false, true);
        packet(b, 30 + i, RTX_PT);
        add(b, MID, "1");
        add(b, REPAIRED, rids[i]);
        assert_int_equal(find(b), 0);
        expect_source(b, TRACK_VIDEO, i, true, true);
    }
    assert_int_equal(find_plain(b, 31, RTX_PT), 0);
    expect_source(b, TRACK_VIDEO, 1, true, false);
}

static void RTP_01_layers_without_rid_wait(void **state)
{
    struct bench *b = *state;
    reset_simulcast(b);
    assert_int_equal(find_plain(b, 20, VIDEO_PT), -EAGAIN);
    assert_int_equal(b->sources.count, 0);
    packet(b, 20, VIDEO_PT);
    add(b, RID, "x");
    assert_int_equal(find(b), -EPROTO);
    packet(b, 20, VIDEO_PT);
    add(b, REPAIRED, "l"); /* of no use on media */
    assert_int_equal(find(b), -EAGAIN);
    packet(b, 20, VIDEO_PT);
    add(b, RID, "m");
    assert_int_equal(find(b), 0);
    expect_source(b, TRACK_VIDEO, 1, false, true);
    assert_int_equal(find_plain(b, 5, AUDIO_PT), 0); /* audio has no layers */
}

static void RTP_01_layers_by_announced_order(void **state)
{
    struct bench *b = *state;
    struct answer_track *video = &b->answer.tracks[TRACK_VIDEO];
    reset_simulcast(b);
    video->ssrc_count = 3;
    for (unsigned i = 0; i < 3; i++) {
        video->ssrcs[i] = 20 + i;
        video->rtx_ssrcs[i] = 30 + i;
    }
    assert_int_equal(find_plain(b, 22, VIDEO_PT), 0);
    expect_source(b, TRACK_VIDEO, 2, false, true);
    assert_int_equal(find_plain(b, 31, RTX_PT), 0);
    expect_source(b, TRACK_VIDEO, 1, true, true);
}

static void RTP_03_malformed_extensions(void **state)
{
    struct bench *b = *state;
    reset(b);
    packet(b, 7, VIDEO_PT);
    add(b, MID, "1");
    b->extension[0] |= 15;
    assert_int_equal(find(b), -EBADMSG);
    assert_int_equal(b->sources.count, 0);
}

static void RTP_20_eight_sources_at_most(void **state)
{
    struct bench *b = *state;
    reset(b);
    for (unsigned i = 0; i < RTPSOURCE_MAX; i++)
        assert_int_equal(find_plain(b, 100 + i, VIDEO_PT), 0);
    assert_int_equal(find_plain(b, 99, VIDEO_PT), -EDQUOT);
    assert_int_equal(find_plain(b, 103, VIDEO_PT), 0);
    rtpsource_end(&b->sources, 103);
    rtpsource_end(&b->sources, 103);
    assert_int_equal(find_plain(b, 99, AUDIO_PT), 0);
    expect_source(b, TRACK_AUDIO, 0, false, true);
    assert_int_equal(find_plain(b, 107, VIDEO_PT), 0);
    assert_false(b->is_new);
}

static void U12_expected_payload_types(void **state)
{
    struct bench *b = *state;
    reset(b);
    for (unsigned pt = 0; pt < 128; pt++)
        assert_int_equal(rtpsource_expects(&b->answer, (uint8_t)pt),
                         pt == VIDEO_PT || pt == RTX_PT || pt == AUDIO_PT);
    b->answer.tracks[TRACK_AUDIO].codec = CODEC_NONE;
    assert_false(rtpsource_expects(&b->answer, AUDIO_PT));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(RTP_01_mid_is_latched),
        cmocka_unit_test(RTP_01_announced_ssrc_then_payload_type),
        cmocka_unit_test(BUG_04_rtx_sources_are_known),
        cmocka_unit_test(RTP_01_rid_and_repaired_rid),
        cmocka_unit_test(RTP_01_layers_without_rid_wait),
        cmocka_unit_test(RTP_01_layers_by_announced_order),
        cmocka_unit_test(RTP_03_malformed_extensions),
        cmocka_unit_test(RTP_20_eight_sources_at_most),
        cmocka_unit_test(U12_expected_payload_types),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
