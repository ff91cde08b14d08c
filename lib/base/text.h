/* Slices of text that are not NUL-terminated, and strict number parsing. Nothing here allocates. */
#ifndef SLUICE_BASE_TEXT_H
#define SLUICE_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Borrowed characters; data may be NULL only if len is 0. */
struct slice {
    const char *data;
    size_t len;
};

struct slice
slice_of(const char *text); /* of a NUL-terminated string; NULL gives the empty slice */
struct slice slice_make(const void *data, size_t len);
bool slice_is(struct slice s, const char *text);        /* equal, byte for byte */
bool slice_is_nocase(struct slice s, const char *text); /* equal, ASCII letters in any case */
bool slice_equal(struct slice a, struct slice b);
bool slice_starts(struct slice s, const char *prefix);
bool slice_starts_nocase(struct slice s, const char *prefix);
struct slice slice_skip(struct slice s, size_t count); /* without the first count characters */
struct slice slice_trim(struct slice s);               /* without blanks and tabs at both ends */

/* Cuts the text before the first separator off *rest and returns it; *rest goes on behind the
 * separator, or becomes empty with data NULL when there was none. */
struct slice slice_cut(struct slice *rest, char separator);

/* Like slice_cut for lines that end in LF or CRLF; the line end is not part of the line. */
struct slice slice_line(struct slice *rest);

/* Copies s and a NUL into to[cap]. 0, or -EMSGSIZE when it does not fit, -EBADMSG when s contains a
 * NUL; then to is the empty string. */
int text_copy(char *to, size_t cap, struct slice s);

/* True when the NUL-terminated text ends inside field[cap]: for fixed fields of peers' messages. */
bool text_is_terminated(const char *field, size_t cap);

/* The whole slice is 1 or more decimal digits (no sign, no blank) with a value up to max. 0, or
 * -EBADMSG, or -EMSGSIZE when above max; *out is untouched on failure. */
int text_parse_u32(struct slice s, uint32_t max, uint32_t *out);
int text_parse_u64(struct slice s, uint64_t max, uint64_t *out);

/* A number with an optional unit: "90", "90s", "15m", "2h", "7d" in seconds. Same errors. */
int text_parse_duration_s(struct slice s, uint64_t max_s, uint64_t *out_s);

/* Lower-case hexadecimal of data into to, which has room for 2 * len + 1 characters. */
void text_hex(const void *data, size_t len, char *to);
/* Exactly 2 * len hexadecimal digits in s. 0 or -EBADMSG. */
int text_unhex(struct slice s, void *to, size_t len);

#endif
