/* Fuzzes the guard of DTLS handshakes with fragments, two bytes of length before each: it never
 * takes a flight for proven, and what it gives out lies within its limits. The first byte's low bit
 * puts the right cookie into fragments that have room for it. */
#include "gateway/rtc/dtlsguard.h"

#include "lib/base/reader.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_hello(const struct dtlsguard *guard)
{
    uint8_t primer[DTLSFLIGHT_MESSAGE_MAX];
    struct writer w;
    struct dtlsguard_message m = dtlsguard_hello(guard);
    writer_init(&w, primer, sizeof(primer));
    dtlsguard_write_primer(guard, &w);
    if (!writer_ok(&w) || w.len != m.len - DTLSGUARD_COOKIE_LEN)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct fingerprint peer = {.algorithm = FINGERPRINT_SHA256, .len = 32};
    struct dtlsguard *guard = NULL;
    struct reader r;
    if (size == 0 || dtlsguard_new(&peer, 1, &guard) < 0)
        return 0;
    reader_init(&r, data + 1, size - 1);
    dtlsguard_note_sent(guard, data, size);
    while (reader_left(&r) > 2) {
        uint8_t copy[1500];
        size_t len = reader_u16(&r) % sizeof(copy);
        if (len > reader_left(&r))
            len = reader_left(&r);
        if (len > 0)
            memcpy(copy, reader_bytes(&r, len), len);
        if ((data[0] & 1) && len > 80) { /* behind an empty session id */
            copy[46] = 0;
            copy[47] = DTLSGUARD_COOKIE_LEN;
            memcpy(copy + 48, dtlsguard_cookie(guard), DTLSGUARD_COOKIE_LEN);
        }
        enum dtlsguard_event event = dtlsguard_take(guard, copy, len, 1);
        if (event == DTLSGUARD_PROVEN)
            abort();
        if (event == DTLSGUARD_HELLO)
            check_hello(guard);
    }
    dtlsguard_free(guard);
    return 0;
}
