/* A table of text for a terminal. */
#include "gateway/ctl/ctltable.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct row {
    char cells[CTLTABLE_COLUMNS_MAX][CTLTABLE_CELL_MAX];
};

/* Row 0 holds the titles. */
struct ctltable {
    size_t columns;
    size_t count;
    size_t cap;
    struct row *rows;
};

/* Copies what fits, cut between characters, and makes control bytes visible. */
static void copy_cell(char *to, const char *from)
{
    size_t len = strnlen(from, CTLTABLE_CELL_MAX - 1);
    while (from[len] != '\0' && len > 0 && ((unsigned char)from[len] & 0xc0) == 0x80)
        len--;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)from[i];
        to[i] = c < 0x20 || c == 0x7f ? '?' : from[i];
    }
    to[len] = '\0';
}

/* Characters of UTF-8 text. */
static size_t width_of(const char *text)
{
    size_t width = 0;
    for (; *text != '\0'; text++)
        width += ((unsigned char)*text & 0xc0) != 0x80;
    return width;
}

struct ctltable *ctltable_new(const char *const *titles, size_t columns)
{
    struct ctltable *table = calloc(1, sizeof(*table));
    if (!table)
        return NULL;
    table->columns = columns < CTLTABLE_COLUMNS_MAX ? columns : CTLTABLE_COLUMNS_MAX;
    int rc = ctltable_add(table, titles);
    if (rc < 0) {
        ctltable_free(table);
        return NULL;
    }
    return table;
}

void ctltable_free(struct ctltable *table)
{
    if (!table)
        return;
    free(table->rows);
    free(table);
}

int ctltable_add(struct ctltable *table, const char *const *cells)
{
    if (table->count == table->cap) {
        size_t cap = table->cap == 0 ? 16 : table->cap * 2;
        struct row *rows = reallocarray(table->rows, cap, sizeof(*rows));
        if (!rows)
            return -ENOMEM;
        table->rows = rows;
        table->cap = cap;
    }
    struct row *row = &table->rows[table->count];
    for (size_t i = 0; i < table->columns; i++)
        copy_cell(row->cells[i], cells[i] ? cells[i] : "-");
    table->count++;
    return 0;
}

void ctltable_print(const struct ctltable *table, FILE *to)
{
    size_t widths[CTLTABLE_COLUMNS_MAX] = {0};
    for (size_t r = 0; r < table->count; r++) {
        for (size_t i = 0; i < table->columns; i++) {
            size_t width = width_of(table->rows[r].cells[i]);
            widths[i] = width > widths[i] ? width : widths[i];
        }
    }
    for (size_t r = 0; r < table->count; r++) {
        for (size_t i = 0; i < table->columns; i++) {
            const char *cell = table->rows[r].cells[i];
            bool last = i + 1 == table->columns;
            int pad = last ? 0 : (int)(widths[i] - width_of(cell) + 2);
            fprintf(to, "%s%*s", cell, pad, "");
        }
        fputc('\n', to);
    }
}
