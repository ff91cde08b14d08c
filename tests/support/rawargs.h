/* The command line of rawpub. */
#ifndef SLUICE_SUPPORT_RAWARGS_H
#define SLUICE_SUPPORT_RAWARGS_H

#include "tests/support/rawmedia.h"
#include "tests/support/rawstream.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define RAWARGS_STREAMS_MAX 256u

struct rawargs {
    const char *url;
    const char *media_prefix; /* NULL: the default */
    enum rawmedia_codec codec;
    uint32_t stream_count;
    bool json;
    bool insecure;
    bool help;
    bool has_marker;
    uint8_t marker[RAWMEDIA_MARKER_LEN];
    struct rawstream_options stream;
};

/* Borrows argv. 0, also with help set and nothing else read; -EBADMSG for anything that the usage
 * does not say. */
int rawargs_parse(int argc, char **argv, struct rawargs *out);
void rawargs_print_usage(FILE *to);

#endif
