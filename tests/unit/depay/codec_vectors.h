/* Real streams of H.265, VP9 and AV1 for the tests of their depacketisers: made with FFmpeg's
 * wrappers of x265, libvpx and libaom from 64x48 gradients. */
#ifndef SLUICE_TESTS_CODEC_VECTORS_H
#define SLUICE_TESTS_CODEC_VECTORS_H

#include "lib/base/reader.h"
#include "lib/base/writer.h"
#include "lib/proto/stream.h"
#include "tests/unit/depay/depay_vectors.h"

#define CODED_MAX 1024u
#define CODED_UNITS_MAX 8u
#define CODED_WIDTH 64
#define CODED_HEIGHT 48

/* VPS, SPS, PPS, IDR, then four pictures of one slice each, two of them B */
static const char *const h265_nals[] = {
    "40010c01ffff01600000030090000003000003001e913024",
    ("42010101600000030090000003000003001ea020831659134a4c2f016808000003000800000300f0"
     "40"),
    "4401c073c089",
    "2801ac146038cbfb64d45e955a95921b18bd23",
    "0201d0115620284021a0",
    "0001e024be080b301ef0",
    "0201d021d562028c601348",
    "0001e066b5e080b11ef0",
};

/* a key frame; a superframe with a hidden frame; then one frame each */
static const char *const vp9_frames[] = {
    ("824983420003f002f61038241c18c40000306000002473eeba3e4d393c0719719ffd793fad370e43"
     "0c954bd1b586515e1f661323c26898bc8ffffffc906a942688f0db85ae0f6ffffff8fec20e0a1d50"
     "bb01eae000"),
    ("84008049569026b000018060000076d7151326c3d46a06ddb579dfce57c1d19baee17c060f7e0086"
     "0040961c20590000032000005470c1270fc1"),
    "860040961c20590000032000005470",
    "860040961c20590000032000005470",
    "860040961c20590000032270006170",
    "860040961c20590000032000005470",
};

/* temporal units: the first with a key frame, the second with hidden frames */
static const char *const av1_units[] = {
    ("12000a0a00000002aff79b5f2008321b14002d80000090008008a6fcc7ce44717be1e6e1377874d6"
     "7bcef8"),
    ("120032232906f020000001b1a00000a000880000a9cbdbd3d6c83aba15aff6ab9692a5db7c37e032"
     "1a29037040000041b5600000a2eb14008252259621e853b6c973b332152901c080002041b7400000"
     "a2eb94007986d7bc88b832113201e20000688372000001600010009910"),
    "120032113202040800688372000001600028009d74",
    "12001a01b8",
    "120032113204280760408372000001600010009080",
    "120032113205100ce8508372000001600028009ed0",
};

/* One access unit: what a publisher puts into packets (NAL units with their lengths, a VP9 frame,
 * OBUs with their sizes), and what has to be in the ring. The first one is a key frame. */
struct coded {
    uint8_t wire[CODED_MAX];
    size_t wire_len;
    uint8_t ring[CODED_MAX];
    size_t ring_len;
};

struct coded_stream {
    size_t count;
    struct coded units[CODED_UNITS_MAX];
};

static inline void coded_add_nal(struct coded *c, const char *hex)
{
    struct writer w;
    uint8_t nal[VECTOR_MAX];
    size_t len = vector_bytes(hex, nal);
    writer_init(&w, c->wire + c->wire_len, CODED_MAX - c->wire_len);
    writer_u32(&w, (uint32_t)len);
    writer_bytes(&w, nal, len);
    assert(writer_ok(&w));
    c->wire_len += w.len;
}

static inline void coded_h265(struct coded_stream *s)
{
    for (size_t i = 0; i < 4; i++)
        coded_add_nal(&s->units[0], h265_nals[i]);
    for (size_t i = 4; i < sizeof(h265_nals) / sizeof(h265_nals[0]); i++)
        coded_add_nal(&s->units[i - 3], h265_nals[i]);
    s->count = sizeof(h265_nals) / sizeof(h265_nals[0]) - 3;
}

static inline void coded_open(struct coded_stream *s, enum codec codec)
{
    const char *const *hex = codec == CODEC_VP9 ? vp9_frames : av1_units;
    memset(s, 0, sizeof(*s));
    if (codec == CODEC_H265)
        coded_h265(s);
    else
        s->count = 6;
    for (size_t i = 0; i < s->count; i++) {
        struct coded *c = &s->units[i];
        size_t skipped = codec == CODEC_AV1 ? 2 : 0; /* the temporal delimiter */
        if (codec != CODEC_H265)
            c->wire_len = vector_bytes(hex[i], c->wire);
        c->ring_len = c->wire_len - skipped;
        memcpy(c->ring, c->wire + skipped, c->ring_len);
    }
}

#endif
