/* Fuzzes the DTLS record filter in each of its states: what passes lies within the datagram and is
 * never a plaintext alert. The first byte of the input chooses the state. */
#include "gateway/rtc/dtlsfilter.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct dtlsfilter filter = {
        .keyed = data[0] & 1, .hello_seen = data[0] & 2, .from_server = data[0] & 4};
    struct reader datagram;
    const uint8_t *record = NULL;
    size_t len = 0;
    reader_init(&datagram, data + 1, size - 1);
    while (dtlsfilter_next(&filter, &datagram, &record, &len)) {
        if (record < data + 1 || len > (size_t)(data + size - record) || len < 14)
            abort();
        unsigned epoch = (unsigned)(record[3] << 8 | record[4]);
        if (epoch > 1 || (epoch == 0 && (record[0] == 21 || record[0] == 23 || filter.keyed)))
            abort();
    }
    return filter.early > DTLSFILTER_EARLY_MAX ? (abort(), 0) : 0;
}
