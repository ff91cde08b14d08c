/* Real parameter sets (x264 through ffmpeg) and a collector of access units. */
#ifndef SLUICE_TESTS_DEPAY_VECTORS_H
#define SLUICE_TESTS_DEPAY_VECTORS_H

#include "gateway/depay/depay.h"
#include "lib/base/text.h"

#include <assert.h>
#include <string.h>

#define SPS_1280X720 "6742c01fd9005005bb0110000003001000000303c0f1832480"
#define SPS_1920X1080 "6742c028d900780227e5c044000003000400000300f03c60c920"
#define SPS_322X182 "6742c00dd901519e226c0440000003004000000f03c50a92"
#define SPS_HIGH_1920X1080 "67640028acd940780227e5c044000003000400000300f03c60c658"
#define SPS_HIGH_SCALING "6764000dacd94141fb0110000003001000000303c0f1429960"
#define SPS_INTERLACED "67640015acd941410fcb8088000003000800000301e0f8a14cb0"
#define SPS_444 "67f4000d919b28283f6022000003000200000300781e28532c"
#define PPS_BASELINE "68cb83cb20"

#define VECTOR_MAX 4096u

static inline size_t vector_bytes(const char *hex, uint8_t *to)
{
    size_t len = strlen(hex) / 2;
    assert(len <= VECTOR_MAX);
    int rc = text_unhex(slice_of(hex), to, len);
    assert(rc == 0);
    (void)rc;
    return len;
}

/* The last unit that a depacketiser emitted, and how many there were. */
struct collected {
    size_t count;
    struct depay_unit unit;
    uint8_t data[FRAME_PAYLOAD_MAX];
};

static inline void collect_unit(void *ctx, const struct depay_unit *unit)
{
    struct collected *c = ctx;
    c->count++;
    c->unit = *unit;
    memcpy(c->data, unit->data, unit->len);
}

#endif
