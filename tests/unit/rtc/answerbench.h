/* From an offer to an answer, for the tests of answer.c. */
#ifndef SLUICE_TESTS_RTC_ANSWERBENCH_H
#define SLUICE_TESTS_RTC_ANSWERBENCH_H

#include "gateway/rtc/answer.h"
#include "tests/unit/rtc/fixture.h"

#include <stdlib.h>
#include <string.h>

#define FINGERPRINT                                                                                \
    "sha-256 AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:" \
    "66:77:88:99"
#define HEAD "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1\r\n"
#define TRANSPORT                                                                                  \
    "a=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\na=fingerprint:" FINGERPRINT           \
    "\r\na=setup:actpass\r\na=rtcp-mux\r\n"
#define SENDS TRANSPORT "a=sendonly\r\n"
#define AUDIO_LINES "a=mid:0\r\na=rtpmap:111 opus/48000/2\r\n"
#define AUDIO "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n" AUDIO_LINES
#define VIDEO_LINE "m=video 9 UDP/TLS/RTP/SAVPF"
#define VIDEO VIDEO_LINE " 96\r\na=mid:1\r\na=rtpmap:96 VP8/90000\r\n"

struct bench {
    struct fixture offer_file;
    struct fixture expected_file;
    struct sdp sdp;
    struct answer answer;
    struct answer_local local;
    struct addr addresses[3];
    const char *reason;
};

static inline int setup(void **state)
{
    struct bench *b = calloc(1, sizeof(*b));
    if (!b)
        return -1;
    if (addr_parse(slice_of("2001:db8::7"), &b->addresses[0]) < 0 ||
        addr_parse(slice_of("192.0.2.7"), &b->addresses[1]) < 0 ||
        addr_parse(slice_of("127.0.0.1"), &b->addresses[2]) < 0)
        return -1;
    for (size_t i = 0; i < 3; i++)
        b->addresses[i].port = 8189;
    b->local = (struct answer_local){.ufrag = "UfragAbc",
                                     .pwd = "PwdAbcdefghijklmnopqrstu",
                                     .addresses = b->addresses,
                                     .address_count = 3,
                                     .session_id = 1234567890123456789,
                                     .start_bitrate_kbps = 2000};
    *state = b;
    return fingerprint_parse(slice_of(FINGERPRINT), &b->local.fingerprint);
}

static inline int teardown(void **state)
{
    free(*state);
    return 0;
}

static inline int answer_slice(struct bench *b, struct slice offer)
{
    b->reason = NULL;
    int err = sdp_parse(offer, &b->sdp, &b->reason);
    if (err == 0)
        err = answer_make(&b->sdp, &b->local, &b->answer, &b->reason);
    return err;
}

static inline int answer_text(struct bench *b, const char *offer)
{
    return answer_slice(b, slice_of(offer));
}

static inline bool has(const struct bench *b, const char *text)
{
    return memmem(b->answer.text, b->answer.text_len, text, strlen(text)) != NULL;
}

#endif
