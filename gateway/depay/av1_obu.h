/* Reads the frame of one AV1 OBU: its header, its optional size field, its payload (AV1 bitstream
 * specification 5.3, 4.10.5). */
#ifndef SLUICE_DEPAY_AV1_OBU_H
#define SLUICE_DEPAY_AV1_OBU_H

#include "lib/base/reader.h"

#include <stddef.h>
#include <stdint.h>

#define AV1_LEB128_MAX 8u /* bytes of the longest coding */

enum av1_obu_type {
    AV1_SEQUENCE_HEADER = 1,
    AV1_TEMPORAL_DELIMITER = 2,
    AV1_FRAME_HEADER = 3,
    AV1_TILE_GROUP = 4,
    AV1_METADATA = 5,
    AV1_FRAME = 6,
    AV1_REDUNDANT_FRAME_HEADER = 7,
    AV1_TILE_LIST = 8,
    AV1_PADDING = 15,
};

/* Invariant: payload_at + payload_len is the length of the parsed bytes. */
struct av1_obu {
    uint8_t type;
    uint8_t head_len;  /* 1, or 2 with the extension for layers */
    size_t payload_at; /* behind header and size field */
    size_t payload_len;
};

/* A length of up to 32 bits; a longer one fails the reader. */
uint32_t av1_read_leb128(struct reader *r);
/* Writes value in as few bytes as possible; their number. */
size_t av1_write_leb128(uint32_t value, uint8_t to[AV1_LEB128_MAX]);

/* data is one whole OBU with or without its size field. 0; -EBADMSG when it is malformed or its
 * size field is not that of the bytes. */
int av1_obu_parse(const uint8_t *data, size_t len, struct av1_obu *out);

#endif
