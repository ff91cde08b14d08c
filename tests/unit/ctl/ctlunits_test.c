/* Times, durations and bit rates in words. */
#include "gateway/ctl/ctlunits.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void durations(void **state)
{
    (void)state;
    static const struct {
        uint64_t seconds;
        const char *text;
    } cases[] = {{0, "0s"},        {59, "59s"},        {60, "1m"},      {61, "1m 1s"},
                 {3600, "1h"},     {3601, "1h"},       {7260, "2h 1m"}, {86400, "1d"},
                 {90000, "1d 1h"}, {86399, "23h 59m"}, {864000, "10d"}};
    char text[CTLUNITS_MAX];
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        ctlunits_duration(cases[i].seconds, text);
        assert_string_equal(text, cases[i].text);
    }
    ctlunits_duration(UINT64_MAX, text);
    assert_true(strlen(text) > 10);
}

static void times(void **state)
{
    (void)state;
    char text[CTLUNITS_MAX];
    ctlunits_time(0, text);
    assert_string_equal(text, "1970-01-01 00:00:00Z");
    ctlunits_time(1700000000999, text);
    assert_string_equal(text, "2023-11-14 22:13:20Z");
    ctlunits_time(UINT64_MAX, text);
    assert_string_equal(text, "never");
}

static void bitrates(void **state)
{
    (void)state;
    char text[CTLUNITS_MAX];
    ctlunits_bitrate(0, text);
    assert_string_equal(text, "0 bit/s");
    ctlunits_bitrate(999, text);
    assert_string_equal(text, "999 bit/s");
    ctlunits_bitrate(640999, text);
    assert_string_equal(text, "640 kbit/s");
    ctlunits_bitrate(2760000, text);
    assert_string_equal(text, "2.7 Mbit/s");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations),
        cmocka_unit_test(times),
        cmocka_unit_test(bitrates),
    };
    return cmocka_run_group_tests_name("ctlunits", tests, NULL, NULL);
}
