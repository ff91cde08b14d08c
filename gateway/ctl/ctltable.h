/* A table of text for a terminal: columns as wide as their widest cell, control characters shown
 * as ?. */
#ifndef SLUICE_CTL_CTLTABLE_H
#define SLUICE_CTL_CTLTABLE_H

#include <stddef.h>
#include <stdio.h>

#define CTLTABLE_COLUMNS_MAX 12
#define CTLTABLE_CELL_MAX 128 /* bytes; longer cells are cut */

struct ctltable;

/* The titles are borrowed for the call. NULL when there is no memory. */
struct ctltable *ctltable_new(const char *const *titles, size_t columns);
void ctltable_free(struct ctltable *table); /* NULL allowed */

/* Adds a row of copied cells; NULL is shown as "-". 0 or -ENOMEM. */
int ctltable_add(struct ctltable *table, const char *const *cells);
void ctltable_print(const struct ctltable *table, FILE *to);

#endif
