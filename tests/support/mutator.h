/* A mill for parsers: inputs made from valid ones by seeded mutations (threats.md W3, U2, M1, M2).
 *
 * SLUICE_MUTATIONS sets how many inputs each parser gets (default MUTATOR_INPUTS), SLUICE_SEED the
 * seed. `make mutations` gives each a million in a sanitizer build and prints the table. */
#ifndef SLUICE_SUPPORT_MUTATOR_H
#define SLUICE_SUPPORT_MUTATOR_H

#include "lib/base/text.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MUTATOR_INPUTS 5000u
#define MUTATOR_SEEDS_MAX 64u
#define MUTATOR_SEED_LEN_MAX 2048u
#define MUTATOR_INPUT_MAX 4096u

struct mutator_seed {
    size_t len;
    uint8_t bytes[MUTATOR_SEED_LEN_MAX];
};

/* The current input is bytes[len]. Invariant: len <= MUTATOR_INPUT_MAX. */
struct mutator {
    uint64_t random;
    size_t seed_count;
    size_t len;
    uint8_t bytes[MUTATOR_INPUT_MAX];
    uint8_t scratch[MUTATOR_INPUT_MAX];
    struct mutator_seed seeds[MUTATOR_SEEDS_MAX];
};

/* Gives one input to a parser and checks what the parser promises; true when it was accepted. */
typedef bool (*mutator_take_fn)(void *ctx, struct mutator *m, const uint8_t *data, size_t len);

static inline uint32_t mutator_draw(struct mutator *m, uint32_t below)
{
    m->random ^= m->random << 13; /* xorshift64 */
    m->random ^= m->random >> 7;
    m->random ^= m->random << 17;
    return (uint32_t)(m->random >> 32) % below;
}

static inline uint32_t mutator_setting(const char *name, uint32_t otherwise)
{
    uint32_t value = otherwise;
    const char *text = getenv(name);
    if (text)
        assert_int_equal(text_parse_u32(slice_of(text), UINT32_MAX, &value), 0);
    return value;
}

static inline struct mutator *mutator_new(void)
{
    struct mutator *m = calloc(1, sizeof(*m));
    assert_non_null(m);
    m->random = UINT64_C(0x9e3779b97f4a7c15) ^ mutator_setting("SLUICE_SEED", 1);
    return m;
}

static inline void mutator_add(struct mutator *m, const void *data, size_t len)
{
    assert_true(m->seed_count < MUTATOR_SEEDS_MAX && len <= MUTATOR_SEED_LEN_MAX);
    struct mutator_seed *seed = &m->seeds[m->seed_count++];
    memcpy(seed->bytes, data, len);
    seed->len = len;
}

/* Reads the seed files of a fuzzer, given as tests/fuzz/<area>/corpus/<module>, with `each`. Tests
 * run in the root of the tree. */
static inline void mutator_read(struct mutator *m, const char *folder,
                                void (*each)(struct mutator *, const uint8_t *, size_t))
{
    struct dirent **entries = NULL;
    static uint8_t bytes[65536];
    int count = scandir(folder, &entries, NULL, alphasort);
    for (int i = 0; i < count; i++) {
        char path[512];
        (void)snprintf(path, sizeof(path), "%s/%s", folder, entries[i]->d_name);
        FILE *file = entries[i]->d_name[0] == '.' ? NULL : fopen(path, "rb");
        free(entries[i]);
        if (!file)
            continue;
        size_t len = fread(bytes, 1, sizeof(bytes), file);
        (void)fclose(file);
        if (each)
            each(m, bytes, len);
        else
            mutator_add(m, bytes, len);
    }
    free(entries);
    if (m->seed_count == 0)
        fail_msg("no seeds in %s", folder);
}

/* Replaces cut bytes at `at` by len others; too long results are left as they were. */
static inline void mutator_splice(struct mutator *m, size_t at, size_t cut, const uint8_t *with,
                                  size_t len)
{
    size_t rest = m->len - at - cut;
    if (at + len + rest > sizeof(m->bytes))
        return;
    memcpy(m->scratch, m->bytes + at + cut, rest);
    if (len > 0)
        memcpy(m->bytes + at, with, len);
    memcpy(m->bytes + at + len, m->scratch, rest);
    m->len = at + len + rest;
}

/* Two bytes, as most length fields are: near zero, near what is left, near the type's ends. */
static inline void mutator_change_length(struct mutator *m)
{
    if (m->len < 2)
        return;
    size_t at = mutator_draw(m, (uint32_t)m->len - 1);
    uint32_t left = (uint32_t)(m->len - at);
    const uint32_t values[] = {
        0, 1, left - 2, left, left / 4, left / 4 - 1, 0x7fff, 0xffff, mutator_draw(m, 65536)};
    uint32_t value = values[mutator_draw(m, sizeof(values) / sizeof(values[0]))];
    m->bytes[at] = (uint8_t)(value >> 8);
    m->bytes[at + 1] = (uint8_t)value;
}

static inline void mutator_extend(struct mutator *m)
{
    uint8_t junk[64];
    size_t len = 1 + mutator_draw(m, sizeof(junk));
    uint8_t fill = (uint8_t)mutator_draw(m, 256);
    bool random = mutator_draw(m, 2);
    for (size_t i = 0; i < len; i++)
        junk[i] = random ? (uint8_t)mutator_draw(m, 256) : fill;
    mutator_splice(m, mutator_draw(m, 2) ? m->len : mutator_draw(m, (uint32_t)m->len + 1), 0, junk,
                   len);
}

/* A piece of some seed, put in or over what is there. */
static inline void mutator_graft(struct mutator *m)
{
    const struct mutator_seed *other = &m->seeds[mutator_draw(m, (uint32_t)m->seed_count)];
    if (other->len == 0)
        return;
    size_t from = mutator_draw(m, (uint32_t)other->len);
    size_t len = 1 + mutator_draw(m, (uint32_t)(other->len - from));
    size_t at = mutator_draw(m, (uint32_t)m->len + 1);
    size_t cut = mutator_draw(m, 2) ? 0 : len < m->len - at ? len : m->len - at;
    mutator_splice(m, at, cut, other->bytes + from, len);
}

static inline void mutator_mutate(struct mutator *m)
{
    static const uint8_t edges[] = {0, 1, 0x7f, 0x80, 0xbe, 0xde, 0xfe, 0xff};
    size_t at = m->len > 0 ? mutator_draw(m, (uint32_t)m->len) : 0;
    uint32_t kind = m->len > 0 ? mutator_draw(m, 8) : 4;
    switch (kind) {
    case 0:
    case 1:
        m->bytes[at] ^= (uint8_t)(1u << mutator_draw(m, 8));
        break;
    case 2:
        m->bytes[at] = edges[mutator_draw(m, sizeof(edges))];
        break;
    case 3:
        mutator_change_length(m);
        break;
    case 4:
        mutator_extend(m);
        break;
    case 5:
        mutator_graft(m);
        break;
    case 6:
        mutator_splice(m, at, 1 + mutator_draw(m, (uint32_t)(m->len - at)), NULL, 0);
        break;
    default:
        m->len = mutator_draw(m, 4) ? at + (m->len - at) * 3 / 4 : at;
        break;
    }
}

/* Makes the next input; one of sixteen is a seed as it is. */
static inline void mutator_next(struct mutator *m)
{
    const struct mutator_seed *seed = &m->seeds[mutator_draw(m, (uint32_t)m->seed_count)];
    uint32_t times = mutator_draw(m, 16) == 0 ? 0 : 1 + mutator_draw(m, 4);
    memcpy(m->bytes, seed->bytes, seed->len);
    m->len = seed->len;
    for (uint32_t i = 0; i < times; i++)
        mutator_mutate(m);
}

/* Whether the input is one of the seeds, byte for byte. */
static inline bool mutator_is_seed(const struct mutator *m, const uint8_t *data, size_t len)
{
    for (size_t i = 0; i < m->seed_count; i++) {
        if (m->seeds[i].len == len && memcmp(m->seeds[i].bytes, data, len) == 0)
            return true;
    }
    return false;
}

/* Runs the inputs, each in memory of exactly its length so that sanitizers see an overrun. The line
 * it prints is what `make mutations` reads. Frees m. */
static inline void mutator_run(struct mutator *m, const char *parser, mutator_take_fn take,
                               void *ctx)
{
    uint32_t count = mutator_setting("SLUICE_MUTATIONS", MUTATOR_INPUTS);
    uint32_t accepted = 0;
    for (uint32_t i = 0; i < count; i++) {
        mutator_next(m);
        uint8_t *exact = malloc(m->len > 0 ? m->len : 1);
        assert_non_null(exact);
        memcpy(exact, m->bytes, m->len);
        accepted += take(ctx, m, exact, m->len);
        free(exact);
    }
    print_message("mutations: %s %u inputs %u accepted\n", parser, count, accepted);
    assert_true(accepted > count / 100 && accepted < count - count / 100);
    free(m);
}

#endif
