/* The table of leases: bounded, counted by token and stream. */
#include "auth/lease.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <stdio.h>

static void add_and_release(void **state)
{
    (void)state;
    static struct lease_table table;
    uint64_t a = 0;
    uint64_t b = 0;
    assert_int_equal(lease_add(&table, "t_1", "demo", &a), 0);
    assert_int_equal(lease_add(&table, "t_1", "demo", &b), 0);
    assert_true(a != 0 && b != 0 && a != b);
    assert_int_equal(lease_count(&table, "t_1"), 2);
    assert_int_equal(lease_count(&table, "t_2"), 0);
    assert_true(lease_release(&table, a));
    assert_false(lease_release(&table, a));
    assert_false(lease_release(&table, 0));
    assert_int_equal(lease_count(&table, "t_1"), 1);
    assert_int_equal(table.count, 1);
}

static void W2_table_is_bounded(void **state)
{
    (void)state;
    static struct lease_table table;
    uint64_t id = 0;
    for (unsigned i = 0; i < LEASE_MAX; i++) {
        char stream[32];
        snprintf(stream, sizeof(stream), "s%u", i);
        assert_int_equal(lease_add(&table, "t_1", stream, &id), 0);
    }
    uint64_t last = id;
    assert_int_equal(lease_add(&table, "t_1", "more", &id), -ENOSPC);
    assert_true(id == last);
    assert_int_equal(lease_restore(&table, 77, "t_1", "more"), -ENOSPC);
    assert_true(lease_release(&table, last));
    assert_int_equal(lease_add(&table, "t_1", "more", &id), 0);
    assert_int_equal(table.count, LEASE_MAX);
}

static void counts_each_other_stream_once(void **state)
{
    (void)state;
    static struct lease_table table;
    uint64_t id;
    assert_int_equal(lease_add(&table, "t_1", "a", &id), 0);
    assert_int_equal(lease_add(&table, "t_1", "a", &id), 0);
    assert_int_equal(lease_add(&table, "t_2", "c", &id), 0);
    assert_int_equal(lease_count_others(&table, "t_1", "a"), 0);
    assert_int_equal(lease_count_others(&table, "t_1", "b"), 1);
    assert_int_equal(lease_add(&table, "t_1", "b", &id), 0);
    assert_int_equal(lease_count_others(&table, "t_1", "c"), 2);
    assert_int_equal(lease_count_others(&table, "t_3", "c"), 0);
}

static void restore_keeps_ids(void **state)
{
    (void)state;
    static struct lease_table table;
    assert_int_equal(lease_restore(&table, 42, "t_1", "a"), 0);
    assert_int_equal(lease_restore(&table, 42, "t_1", "a"), 0);
    assert_int_equal(lease_restore(&table, 0, "t_1", "a"), -EINVAL);
    assert_int_equal(table.count, 1);
    assert_true(lease_release(&table, 42));
}

static void each_lease_is_ended_once(void **state)
{
    (void)state;
    static struct lease_table table;
    assert_int_equal(lease_restore(&table, 1, "t_1", "a"), 0);
    assert_int_equal(lease_restore(&table, 2, "t_2", "b"), 0);
    assert_int_equal(lease_restore(&table, 3, "t_1", "c"), 0);
    assert_true(lease_next_to_end(&table, "t_1")->id == 1);
    assert_true(lease_next_to_end(&table, "t_1")->id == 3);
    assert_null(lease_next_to_end(&table, "t_1"));
    assert_int_equal(lease_count(&table, "t_1"), 2); /* until the supervisor releases them */
}

static void names_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    static struct lease_table table;
    char name[200];
    uint64_t id;
    memset(name, 'a', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    assert_int_equal(lease_add(&table, "t_1", name, &id), -EMSGSIZE);
    assert_int_equal(lease_add(&table, name, "a", &id), -EMSGSIZE);
    assert_int_equal(table.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(add_and_release),
        cmocka_unit_test(W2_table_is_bounded),
        cmocka_unit_test(counts_each_other_stream_once),
        cmocka_unit_test(restore_keeps_ids),
        cmocka_unit_test(each_lease_is_ended_once),
        cmocka_unit_test(names_that_do_not_fit_are_refused),
    };
    return cmocka_run_group_tests_name("lease", tests, NULL, NULL);
}
