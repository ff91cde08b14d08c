/* What is kept of parameter sets. */
#include "gateway/depay/h264_sets.h"
#include "tests/unit/depay/depay_vectors.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* Whatever follows what we read of a set is kept with it, as far as it fits. */
static void M2_a_set_above_the_limit_is_refused(void **state)
{
    static const uint8_t pps[] = {0x68, 0xce, 0x3c, 0x80};
    struct h264_sets sets;
    uint8_t nal[VECTOR_MAX + NALSET_LEN_MAX + 1] = {0};
    (void)state;
    memset(&sets, 0, sizeof(sets));
    size_t len = vector_bytes(SPS_1280X720, nal);
    memset(nal + len, 0x55, sizeof(nal) - len);
    assert_int_equal(h264_sets_add_sps(&sets, nal, NALSET_LEN_MAX + 1), -EMSGSIZE);
    assert_null(h264_sets_find_sps(&sets, 0));
    assert_int_equal(h264_sets_add_sps(&sets, nal, NALSET_LEN_MAX), 0);
    assert_int_equal(h264_sets_find_sps(&sets, 0)->len, NALSET_LEN_MAX);
    memcpy(nal, pps, sizeof(pps));
    assert_int_equal(h264_sets_add_pps(&sets, nal, NALSET_LEN_MAX + 1), -EMSGSIZE);
    assert_int_equal(h264_sets_add_pps(&sets, nal, 1), -EBADMSG);
    assert_null(h264_sets_find_pps(&sets, 0));
    assert_int_equal(h264_sets_add_pps(&sets, nal, NALSET_LEN_MAX), 0);
    assert_int_equal(h264_sets_find_pps(&sets, 0)->len, NALSET_LEN_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(M2_a_set_above_the_limit_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
