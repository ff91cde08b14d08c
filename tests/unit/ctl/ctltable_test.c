/* Tables for a terminal. */
#include "gateway/ctl/ctltable.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static char *printed(const struct ctltable *table)
{
    char *text = NULL;
    size_t len = 0;
    FILE *to = open_memstream(&text, &len);
    assert_non_null(to);
    ctltable_print(table, to);
    assert_int_equal(fclose(to), 0);
    return text;
}

static void columns_are_aligned(void **state)
{
    (void)state;
    struct ctltable *t = ctltable_new((const char *const[]){"A", "LONG", "C"}, 3);
    assert_int_equal(ctltable_add(t, (const char *const[]){"wide cell", "x", "y"}), 0);
    assert_int_equal(ctltable_add(t, (const char *const[]){"Bühne", NULL, ""}), 0);
    char *text = printed(t);
    assert_string_equal(text, "A          LONG  C\n"
                              "wide cell  x     y\n"
                              "Bühne      -     \n");
    free(text);
    ctltable_free(t);
}

static void control_characters_do_not_reach_the_terminal(void **state)
{
    (void)state;
    struct ctltable *t = ctltable_new((const char *const[]){"A"}, 1);
    assert_int_equal(ctltable_add(t, (const char *const[]){"\033[31mred\n\x7f"}), 0);
    char *text = printed(t);
    assert_string_equal(text, "A\n?[31mred??\n");
    free(text);
    ctltable_free(t);
}

static void long_cells_are_cut_between_characters(void **state)
{
    (void)state;
    char cell[CTLTABLE_CELL_MAX + 10] = "";
    for (size_t i = 0; i + 2 < sizeof(cell); i += 2)
        memcpy(cell + i, "\xc3\xbc", 3);
    struct ctltable *t = ctltable_new((const char *const[]){"A"}, 1);
    assert_int_equal(ctltable_add(t, (const char *const[]){cell}), 0);
    char *text = printed(t);
    assert_int_equal(strlen(text), 2 + CTLTABLE_CELL_MAX - 2 + 1);
    assert_int_equal((unsigned char)text[strlen(text) - 2], 0xbc);
    free(text);
    ctltable_free(t);
}

static void many_rows(void **state)
{
    (void)state;
    struct ctltable *t = ctltable_new((const char *const[]){"A", "B"}, 2);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(ctltable_add(t, (const char *const[]){"1", "2"}), 0);
    char *text = printed(t);
    assert_int_equal(strlen(text), 1001 * 5);
    free(text);
    ctltable_free(t);
    ctltable_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_are_aligned),
        cmocka_unit_test(control_characters_do_not_reach_the_terminal),
        cmocka_unit_test(long_cells_are_cut_between_characters),
        cmocka_unit_test(many_rows),
    };
    return cmocka_run_group_tests_name("ctltable", tests, NULL, NULL);
}
