/* Parameter sets and headers of pictures with mutations, in the stream and in the offer's base64.
 */
#include "gateway/depay/av1_obu.h"
#include "gateway/depay/av1_sequence.h"
#include "gateway/depay/h264_sets.h"
#include "gateway/depay/h265_sets.h"
#include "gateway/depay/h265_sps.h"
#include "gateway/depay/sprop.h"
#include "gateway/depay/sps.h"
#include "gateway/depay/vp9_header.h"
#include "gateway/depay/vp9_superframe.h"
#include "lib/proto/frame.h"
#include "tests/support/mutator.h"

#include <errno.h>

#define CORPUS "tests/fuzz/depay/corpus/"

static bool take_sps(void *ctx, struct mutator *m, const uint8_t *data, size_t len)
{
    struct sps sps;
    (void)ctx;
    (void)m;
    int err = sps_parse(data, len, &sps);
    if (err < 0) {
        assert_true(err == -EBADMSG || err == -ENOTSUP || err == -EMSGSIZE);
        return false;
    }
    assert_in_range(sps.width, 1, FRAME_DIMENSION_MAX);
    assert_in_range(sps.height, 1, FRAME_DIMENSION_MAX);
    assert_true(sps.id < SPS_IDS && len >= 4);
    return true;
}

static void M3_COD_03_mutated_sps(void **state)
{
    struct mutator *m = mutator_new();
    (void)state;
    mutator_read(m, CORPUS "sps", NULL);
    mutator_run(m, "sps", take_sps, NULL);
}

static bool take_sprop(void *ctx, struct mutator *m, const uint8_t *data, size_t len)
{
    struct h264_sets *sets = ctx;
    struct slice rest = slice_make(data, len);
    uint8_t nal[SPROP_NAL_MAX];
    size_t nal_len = 0, units = 0, sum = 0;
    bool accepted = false;
    (void)m;
    for (;;) {
        int err = sprop_next(&rest, nal, &nal_len);
        if (err == -ENOENT)
            break;
        assert_true(++units <= len + 1);
        if (err < 0) {
            assert_true(err == -EBADMSG || err == -EMSGSIZE);
            continue;
        }
        assert_in_range(nal_len, 1, SPROP_NAL_MAX);
        sum += nal_len;
        accepted |= h264_sets_add_sps(sets, nal, nal_len) == 0;
        accepted |= h264_sets_add_pps(sets, nal, nal_len) == 0;
    }
    assert_true(sum <= len);
    return accepted;
}

static void COD_06_mutated_sprop_parameter_sets(void **state)
{
    static struct h264_sets sets;
    struct mutator *m = mutator_new();
    (void)state;
    mutator_read(m, CORPUS "sprop", NULL);
    mutator_run(m, "sprop", take_sprop, &sets);
}

static bool take_h265(void *ctx, struct mutator *m, const uint8_t *data, size_t len)
{
    struct h265_sets *sets = ctx;
    struct h265_sps sps;
    struct h265_chain chain;
    (void)m;
    if (h265_sps_parse(data, len, &sps) == 0) {
        assert_true(sps.id < H265_SPS_IDS && sps.vps_id < H265_VPS_IDS);
        assert_in_range(sps.width, 1, FRAME_DIMENSION_MAX);
        assert_in_range(sps.height, 1, FRAME_DIMENSION_MAX);
    }
    bool accepted = h265_sets_add(sets, data, len) == 0;
    if (accepted && h265_sets_find(sets, 0, &chain) == 0)
        assert_true(chain.vps->len > 0 && chain.sps->width > 0 && chain.pps->id == 0);
    return accepted;
}

static void M3_COD_08_mutated_h265_sets(void **state)
{
    static struct h265_sets sets;
    struct mutator *m = mutator_new();
    (void)state;
    mutator_read(m, CORPUS "h265_sps", NULL);
    mutator_run(m, "h265_sets", take_h265, &sets);
}

static bool take_vp9(void *ctx, struct mutator *m, const uint8_t *data, size_t len)
{
    struct vp9_frames frames = {0};
    struct vp9_refs refs = {0};
    size_t body = 0, at = 0;
    bool accepted = false;
    (void)ctx;
    (void)m;
    if (vp9_superframe_split(data, len, &frames, &body) != 0)
        return false;
    assert_true(body <= len);
    for (size_t i = 0; i < frames.count; i++) {
        struct vp9_header h;
        assert_in_range(frames.sizes[i], 1, body - at);
        if (vp9_header_parse(data + at, frames.sizes[i], &refs, &h) == 0) {
            assert_in_range(h.size.width, 1, 65536);
            assert_in_range(h.size.height, 1, 65536);
            vp9_header_apply(&refs, &h);
            accepted = true;
        }
        at += frames.sizes[i];
    }
    assert_int_equal(at, body);
    return accepted;
}

static void M3_COD_08_mutated_vp9_headers(void **state)
{
    struct mutator *m = mutator_new();
    (void)state;
    mutator_read(m, CORPUS "vp9_header", NULL);
    mutator_run(m, "vp9_header", take_vp9, NULL);
}

static bool take_obu(void *ctx, struct mutator *m, const uint8_t *data, size_t len)
{
    struct av1_obu obu;
    struct av1_sequence sequence;
    (void)ctx;
    (void)m;
    if (av1_obu_parse(data, len, &obu) != 0)
        return false;
    assert_int_equal(obu.payload_at + obu.payload_len, len);
    assert_true(obu.head_len <= obu.payload_at);
    if (av1_sequence_parse(data + obu.payload_at, obu.payload_len, &sequence) != 0)
        return false;
    assert_in_range(sequence.width, 1, FRAME_DIMENSION_MAX);
    assert_in_range(sequence.height, 1, FRAME_DIMENSION_MAX);
    return true;
}

static void M3_COD_08_mutated_av1_sequences(void **state)
{
    struct mutator *m = mutator_new();
    (void)state;
    mutator_read(m, CORPUS "av1_sequence", NULL);
    mutator_run(m, "av1_sequence", take_obu, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(M3_COD_03_mutated_sps),
        cmocka_unit_test(COD_06_mutated_sprop_parameter_sets),
        cmocka_unit_test(M3_COD_08_mutated_h265_sets),
        cmocka_unit_test(M3_COD_08_mutated_vp9_headers),
        cmocka_unit_test(M3_COD_08_mutated_av1_sequences),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
