/* H.264 parameter sets with mutations, in the stream and in the offer's base64. */
#include "gateway/ingest/h264_sets.h"
#include "gateway/ingest/sprop.h"
#include "gateway/ingest/sps.h"
#include "lib/proto/frame.h"
#include "tests/support/mutator.h"

#include <errno.h>

#define CORPUS "tests/fuzz/ingest/corpus/"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(M3_COD_03_mutated_sps),
        cmocka_unit_test(COD_06_mutated_sprop_parameter_sets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
