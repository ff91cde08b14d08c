/* Fuzzes the way from an offer to an answer: always an answer within its limits, or a 4xx with a
 * reason, and nothing of the offer can break a line of the answer (threats.md W3). */
#include "gateway/rtc/answer.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool ok)
{
    if (!ok)
        abort();
}

static void check_text(const struct answer *answer)
{
    expect(answer->text_len <= STREAM_ANSWER_MAX);
    struct slice rest = slice_make(answer->text, answer->text_len);
    expect(slice_starts(rest, "v=0\r\n"));
    while (rest.len > 0) {
        struct slice line = slice_cut(&rest, '\n');
        expect(line.len >= 3 && line.data[1] == '=' && line.data[line.len - 1] == '\r');
        for (size_t i = 0; i + 1 < line.len; i++)
            expect((unsigned char)line.data[i] >= ' ' || line.data[i] == '\t');
    }
}

static void check_track(const struct answer_track *track, enum codec codec)
{
    expect(track->codec == CODEC_NONE || track->codec == codec || codec == CODEC_H264);
    expect(track->pt < 128 && track->rtx_pt < 128 && track->mid_ext_id <= 14);
    expect(track->rid_ext_id <= 14 && track->transport_cc_ext_id <= 14);
    expect(track->layer_count <= ANSWER_LAYERS_MAX);
    for (size_t i = 0; i < track->layer_count; i++)
        expect(track->rid_ext_id > 0 && strlen(track->layers[i].rid) > 0);
    expect(track->ssrc_count <= ANSWER_SSRCS_MAX);
    expect(strlen(track->mid) <= SDP_MID_MAX && strlen(track->sprop) < ANSWER_SPROP_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct sdp sdp;
    static struct answer answer;
    static const struct addr addresses[2] = {{.family = 6, .port = 8189, .ip = {0x20, 1}},
                                             {.family = 4, .port = 8189, .ip = {192, 0, 2, 1}}};
    const struct answer_local local = {
        .ufrag = "Ufrag123",
        .pwd = "PwdAbcdefghijklmnopqrstu",
        .fingerprint = {.algorithm = FINGERPRINT_SHA256, .len = 32},
        .addresses = addresses,
        .address_count = 2,
        .session_id = 1,
        .start_bitrate_kbps = size & 1 ? 2000 : 0,
        .max_bitrate_kbps = size & 32 ? 6000 : 0,
        .dtls_client = size & 16,
        .transport_cc = size & 2,
        .simulcast = size & 4,
        .codecs = size & 8 ? ANSWER_CODECS_ALL : 0,
    };
    const char *reason = NULL;
    int err = sdp_parse(slice_make(data, size), &sdp, &reason);
    if (err == 0)
        err = answer_make(&sdp, &local, &answer, &reason);
    if (err < 0) {
        expect(reason != NULL && sdp_http_status(err) / 100 == 4);
        return 0;
    }
    check_text(&answer);
    check_track(&answer.tracks[TRACK_VIDEO], CODEC_H264);
    check_track(&answer.tracks[TRACK_AUDIO], CODEC_OPUS);
    expect(answer.fingerprint_count > 0 && answer.peer_ufrag[0] != '\0');
    for (size_t i = 0; i < answer.fingerprint_count; i++)
        expect(answer.fingerprints[i].algorithm > FINGERPRINT_WEAK);
    return 0;
}
