/* Parses an AV1 sequence header as far as the sample format (AV1 bitstream specification 5.5). */
#ifndef SLUICE_DEPAY_AV1_SEQUENCE_H
#define SLUICE_DEPAY_AV1_SEQUENCE_H

#include <stddef.h>
#include <stdint.h>

/* The largest picture of the sequence. */
struct av1_sequence {
    uint16_t width;
    uint16_t height;
};

/* payload is that of the OBU. 0; -EBADMSG when it is malformed; -ENOTSUP for other profiles than 0,
 * more than 8 bits, monochrome or still pictures; -EMSGSIZE for a side above FRAME_DIMENSION_MAX
 * (M3). */
int av1_sequence_parse(const uint8_t *payload, size_t len, struct av1_sequence *out);

#endif
