/* Random bytes, comparison in constant time, and wiping. */
#ifndef SLUICE_BASE_SECRET_H
#define SLUICE_BASE_SECRET_H

#include <stdbool.h>
#include <stddef.h>

/* Fills data from getrandom(2); ends the process when the kernel cannot, because no caller may go
 * on with guessable bytes. */
void secret_random(void *data, size_t len);
/* len characters of [A-Za-z0-9] (5.95 bits each) and a NUL. */
void secret_random_text(char *to, size_t len);
bool secret_equal(const void *a, const void *b, size_t len); /* time depends on len only */
void secret_wipe(void *data, size_t len);

#endif
