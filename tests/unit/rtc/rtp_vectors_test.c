/* One vector for each rule of the RTP header (RFC 3550 5.1, 5.3.1) and of its extensions' elements
 * (RFC 8285 4.1 to 4.3): threats.md M1. */
#include "gateway/rtc/rtpext.h"
#include "lib/base/writer.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HEAD 96, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3 /* behind the first byte */
#define CSRC 9, 9, 9, 9

struct header_vector {
    const char *rule;
    size_t len;
    uint8_t bytes[80];
    int error;
    size_t payload_len;
    size_t padding_len;
    size_t extension_len;
};

static const struct header_vector headers[] = {
    {"the fixed header alone is a packet", 12, {0x80, HEAD}, 0, 0, 0, 0},
    {"version 0", 13, {0x00, HEAD, 1}, -EBADMSG, 0, 0, 0},
    {"version 1", 13, {0x40, HEAD, 1}, -EBADMSG, 0, 0, 0},
    {"version 3", 13, {0xc0, HEAD, 1}, -EBADMSG, 0, 0, 0},
    {"no padding without P", 14, {0x80, HEAD, 1, 1}, 0, 2, 0, 0},
    {"padding counts itself", 15, {0xa0, HEAD, 7, 0, 2}, 0, 1, 2, 0},
    {"padding may be all", 14, {0xa0, HEAD, 0, 2}, 0, 0, 2, 0},
    {"padding of 0 is none", 14, {0xa0, HEAD, 1, 0}, -EBADMSG, 0, 0, 0},
    {"padding longer than the payload", 14, {0xa0, HEAD, 1, 3}, -EBADMSG, 0, 0, 0},
    {"P without a byte to count", 12, {0xa0, HEAD}, -EBADMSG, 0, 0, 0},
    {"padding never reaches the header", 16, {0xa1, HEAD, 9, 9, 9, 4}, -EBADMSG, 0, 0, 0},
    {"one contributing source", 17, {0x81, HEAD, CSRC, 1}, 0, 1, 0, 0},
    {"more sources than bytes", 16, {0x82, HEAD, CSRC}, -EBADMSG, 0, 0, 0},
    {"fifteen sources", 72, {0x8f, HEAD}, 0, 0, 0, 0},
    {"fifteen sources cut", 71, {0x8f, HEAD}, -EBADMSG, 0, 0, 0},
    {"an empty extension", 17, {0x90, HEAD, 0xbe, 0xde, 0, 0, 1}, 0, 1, 0, 0},
    {"length in words of 32 bits", 21, {0x90, HEAD, 0xbe, 0xde, 0, 1, 0, 0, 0, 0, 1}, 0, 1, 0, 4},
    {"extension longer than the packet", 17, {0x90, HEAD, 0xbe, 0xde, 0, 1, 0}, -EBADMSG, 0, 0, 0},
    {"extension of 256 KiB", 17, {0x90, HEAD, 0xbe, 0xde, 0xff, 0xff, 0}, -EBADMSG, 0, 0, 0},
    {"extension head cut", 15, {0x90, HEAD, 0xbe, 0xde, 0}, -EBADMSG, 0, 0, 0},
    {"extension behind the sources", 21, {0x91, HEAD, CSRC, 0xbe, 0xde, 0, 0, 1}, 0, 1, 0, 0},
    {"padding behind the extension", 18, {0xb0, HEAD, 0xbe, 0xde, 0, 0, 0, 2}, 0, 0, 2, 0},
};

static void M1_RTP_06_rules_of_rfc_3550(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        const struct header_vector *v = &headers[i];
        struct rtp_packet p;
        uint8_t *exact = malloc(v->len);
        assert_non_null(exact);
        memcpy(exact, v->bytes, v->len);
        int err = rtp_parse(exact, v->len, &p);
        if (err != v->error)
            fail_msg("%s: %d", v->rule, err);
        if (err == 0 && (p.payload_len != v->payload_len || p.padding_len != v->padding_len ||
                         p.extension_len != v->extension_len || p.payload_type != 96))
            fail_msg("%s: payload %zu padding %u extension %zu", v->rule, p.payload_len,
                     p.padding_len, p.extension_len);
        free(exact);
    }
}

/* The block's elements as id:length, and whether it was well-formed. */
struct block_vector {
    const char *rule;
    uint16_t profile;
    size_t len;
    uint8_t bytes[24];
    const char *elements;
    bool ok;
};

static const struct block_vector blocks[] = {
    {"one byte too few for the last one", 0xbede, 4, {0x10, 7, 0x21, 8}, "1:1", false},
    {"two elements", 0xbede, 4, {0x10, 7, 0x20, 8}, "1:1 2:1", true},
    {"sixteen bytes at most", 0xbede, 20, {0x1f}, "1:16", true},
    {"zero bytes are padding", 0xbede, 8, {0, 0, 0x10, 7, 0, 0x20, 8, 0}, "1:1 2:1", true},
    {"id 0 with a length is skipped", 0xbede, 8, {0x02, 1, 2, 3, 0x10, 7, 0, 0}, "1:1", true},
    {"id 15 ends the block", 0xbede, 8, {0x10, 7, 0xf0, 0, 0x20, 8, 0, 0}, "1:1", true},
    {"an element over the end", 0xbede, 4, {0x10, 7, 0x22, 8}, "1:1", false},
    {"id 14 is the last of the short form", 0xbede, 4, {0xe1, 7, 8, 0}, "14:2", true},
    {"length in full", 0x1000, 4, {1, 2, 7, 8}, "1:2", true},
    {"length 0 is allowed", 0x1000, 4, {1, 0, 2, 0}, "1:0 2:0", true},
    {"id 0 is one byte of padding", 0x1000, 8, {0, 1, 1, 7, 0, 0, 2, 0}, "1:1 2:0", true},
    {"id 15 is an id like others", 0x1000, 4, {15, 1, 7, 0}, "15:1", true},
    {"id 255", 0x1000, 4, {255, 1, 7, 0}, "255:1", true},
    {"application bits do not matter", 0x100f, 4, {1, 1, 7, 0}, "1:1", true},
    {"a long element over the end", 0x1000, 4, {1, 9, 7, 8}, "", false},
    {"an id without its length", 0x1000, 4, {1, 1, 7, 2}, "1:1", false},
    {"other profiles have none", 0x1010, 4, {0x10, 7, 0x20, 8}, "", true},
    {"nor has 0xbedf", 0xbedf, 4, {0x10, 7, 0x20, 8}, "", true},
};

static void M1_RTP_03_rules_of_rfc_8285(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++) {
        const struct block_vector *v = &blocks[i];
        uint8_t *exact = malloc(v->len);
        assert_non_null(exact);
        memcpy(exact, v->bytes, v->len);
        const struct rtp_packet p = {.has_extension = true,
                                     .extension_profile = v->profile,
                                     .extension = exact,
                                     .extension_len = v->len};
        struct rtpext_walk walk;
        struct rtpext_element e;
        char text[80];
        struct writer w;
        writer_init(&w, text, sizeof(text));
        rtpext_begin(&walk, &p);
        while (rtpext_next(&walk, &e))
            writer_text(&w, "%s%u:%zu", w.len > 0 ? " " : "", e.id, e.len);
        if (!slice_is(slice_make(text, w.len), v->elements) || rtpext_ok(&walk) != v->ok)
            fail_msg("%s: %.*s %d", v->rule, (int)w.len, text, rtpext_ok(&walk));
        free(exact);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(M1_RTP_06_rules_of_rfc_3550),
        cmocka_unit_test(M1_RTP_03_rules_of_rfc_8285),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
