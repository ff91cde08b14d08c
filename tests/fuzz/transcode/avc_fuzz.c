/* H.264 access units and parameter sets of any shape. */
#include "transcode/avc.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static unsigned sum(const uint8_t *data, size_t len)
{
    unsigned total = 0;
    for (size_t i = 0; i < len; i++)
        total += data[i];
    return total;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct avc_sps sps;
    struct avc_unit unit;
    struct avc_sets sets = {0};
    volatile unsigned used = 0;
    if (avc_parse_sps(data, len, &sps) == 0)
        assert(sps.width >= AVC_DIMENSION_MIN && sps.height >= AVC_DIMENSION_MIN);
    uint8_t *copy = malloc(len + 1); /* exactly as long as told, for the sanitizer */
    if (copy == NULL)
        return 0;
    memcpy(copy, data, len);
    if (avc_strip(copy, len, &sets, &unit) == 0) {
        assert(unit.len <= len);
        used = sum(copy, unit.len);
        if (avc_parse_sps(sets.sps.bytes, sets.sps.len, &sps) == 0) {
            uint8_t config[AVC_CONFIG_MAX];
            char codecs[AVC_CODECS_MAX];
            struct writer w;
            writer_init(&w, config, sizeof config);
            if (avc_write_config(&sets, &sps, &w) == 0)
                used = used + sum(config, w.len);
            avc_format_codecs(&sps, codecs);
            assert(strlen(codecs) == 11);
        }
    }
    free(copy);
    return 0;
}
