/* Bounded writing of wire bytes with a sticky error. */
#include "lib/base/writer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void writer_init(struct writer *w, void *data, size_t cap)
{
    *w = (struct writer){.data = data, .cap = data ? cap : 0};
}

bool writer_ok(const struct writer *w)
{
    return !w->failed;
}

/* Room for len bytes at the end, counted as written; NULL when there is none. */
static uint8_t *claim(struct writer *w, size_t len)
{
    if (w->failed || len > w->cap - w->len) {
        w->failed = true;
        return NULL;
    }
    if (len == 0)
        return NULL;
    uint8_t *at = w->data + w->len;
    w->len += len;
    return at;
}

static void put_big_endian(uint8_t *at, uint64_t value, size_t size)
{
    for (size_t i = 0; i < size; i++)
        at[i] = (uint8_t)(value >> (8 * (size - 1 - i)));
}

static void write_big_endian(struct writer *w, uint64_t value, size_t size)
{
    uint8_t *at = claim(w, size);
    if (at)
        put_big_endian(at, value, size);
}

void writer_u8(struct writer *w, uint8_t value)
{
    write_big_endian(w, value, 1);
}

void writer_u16(struct writer *w, uint16_t value)
{
    write_big_endian(w, value, 2);
}

void writer_u24(struct writer *w, uint32_t value)
{
    write_big_endian(w, value, 3);
}

void writer_u32(struct writer *w, uint32_t value)
{
    write_big_endian(w, value, 4);
}

void writer_u64(struct writer *w, uint64_t value)
{
    write_big_endian(w, value, 8);
}

void writer_bytes(struct writer *w, const void *data, size_t len)
{
    uint8_t *at = claim(w, len);
    if (at)
        memcpy(at, data, len);
}

void writer_zeros(struct writer *w, size_t len)
{
    uint8_t *at = claim(w, len);
    if (at)
        memset(at, 0, len);
}

void writer_text(struct writer *w, const char *format, ...)
{
    if (w->failed)
        return;
    size_t room = w->cap - w->len;
    char *whole = NULL;
    char nothing[1];
    va_list args;
    va_list again;
    va_start(args, format);
    va_copy(again, args);
    int made = vsnprintf(room ? (char *)w->data + w->len : nothing, room, format, args);
    size_t len = made < 0 ? SIZE_MAX : (size_t)made;
    /* Text that fits exactly: vsnprintf had no room for its NUL and left out the last character. */
    if (len == room)
        whole = malloc(len + 1);
    if (whole) {
        (void)vsnprintf(whole, len + 1, format, again);
        writer_bytes(w, whole, len);
    } else if (len < room) {
        w->len += len;
    } else {
        w->failed = true;
    }
    va_end(args);
    va_end(again);
    free(whole);
}

static void patch(struct writer *w, size_t at, uint64_t value, size_t size)
{
    if (w->failed || at > w->len || size > w->len - at) {
        w->failed = true;
        return;
    }
    put_big_endian(w->data + at, value, size);
}

void writer_patch_u16(struct writer *w, size_t at, uint16_t value)
{
    patch(w, at, value, 2);
}

void writer_patch_u32(struct writer *w, size_t at, uint32_t value)
{
    patch(w, at, value, 4);
}
