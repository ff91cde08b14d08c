/* Puts the plaintext handshake messages of a DTLS client together from hostile fragments. */
#include "gateway/rtc/dtlsflight.h"

#include <assert.h>
#include <string.h>

static bool has_byte(const struct dtlsflight_copy *copy, size_t at)
{
    return copy->map[at / 8] >> at % 8 & 1;
}

/* True when no byte of the fragment contradicts the copy. */
static bool agrees(const struct dtlsflight_copy *copy, const struct dtlsflight_fragment *f)
{
    if (copy->len != f->len)
        return false;
    for (size_t i = 0; i < f->part; i++) {
        if (has_byte(copy, f->offset + i) && copy->bytes[f->offset + i] != f->bytes[i])
            return false;
    }
    return true;
}

/* True when the copy became whole. */
static bool merge(struct dtlsflight_copy *copy, const struct dtlsflight_fragment *f)
{
    for (size_t i = 0; i < f->part; i++) {
        size_t at = f->offset + i;
        if (has_byte(copy, at))
            continue;
        copy->map[at / 8] |= (uint8_t)(1u << at % 8);
        copy->bytes[at] = f->bytes[i];
        copy->have++;
    }
    bool now = !copy->whole && copy->have == copy->len;
    copy->whole = copy->whole || now;
    return now;
}

static size_t take_place(struct dtlsflight *flight, enum dtlsflight_kind kind)
{
    for (size_t i = 0; i < DTLSFLIGHT_COPIES; i++) {
        if (flight->copies[kind][i].len == 0)
            return i;
    }
    size_t place = flight->oldest[kind];
    flight->oldest[kind] = (place + 1) % DTLSFLIGHT_COPIES;
    return place;
}

/* A fragment joins every unfinished copy that it fits, so that a forged one spoils only copies it
 * came into first. A message in one piece needs no company. */
unsigned dtlsflight_add(struct dtlsflight *flight, const struct dtlsflight_fragment *fragment)
{
    struct dtlsflight_copy *copies = flight->copies[fragment->kind];
    bool alone = fragment->part == fragment->len;
    bool placed = false;
    unsigned done = 0;
    assert(fragment->part > 0 && fragment->len <= DTLSFLIGHT_MESSAGE_MAX &&
           fragment->offset + fragment->part <= fragment->len);
    for (size_t i = 0; i < DTLSFLIGHT_COPIES; i++) {
        if (copies[i].len == 0 || (alone && !copies[i].whole) || !agrees(&copies[i], fragment))
            continue;
        placed = true;
        if (merge(&copies[i], fragment))
            done |= 1u << i;
    }
    if (!placed) {
        size_t place = take_place(flight, fragment->kind);
        memset(&copies[place], 0, sizeof(copies[place]));
        copies[place].len = fragment->len;
        if (merge(&copies[place], fragment))
            done |= 1u << place;
    }
    return done;
}

void dtlsflight_drop(struct dtlsflight *flight, enum dtlsflight_kind kind, size_t copy)
{
    flight->copies[kind][copy].len = 0;
    flight->copies[kind][copy].whole = false;
}
