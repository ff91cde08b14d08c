/* Chooses codecs from a parsed offer and writes the answer of an ICE-lite, receive-only endpoint
 * (RFC 9429 5.3.1, RFC 9725; protocols.md 1.7 and 3.3).
 *
 * H.264 is taken before VP8, VP9, H.265 and AV1 (of those that the caller can take), Opus for
 * audio, RTX when its apt fits. All or nothing: one section that we cannot take refuses the offer
 * (WHIP-92), except m=application, which is answered with port 0. Simulcast layers are taken all
 * or, where the caller cannot, left out (WHIP-94, 95). */
#ifndef SLUICE_RTC_ANSWER_H
#define SLUICE_RTC_ANSWER_H

#include "gateway/rtc/sdp.h"
#include "lib/base/addr.h"
#include "lib/proto/stream.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ANSWER_SSRCS_MAX 8u
#define ANSWER_UFRAG_MAX 256u /* characters of a peer's ufrag or pwd, RFC 8839 5.4 */
#define ANSWER_SPROP_MAX 512u
#define ANSWER_LAYERS_MAX 4u /* as many as OBS can send */
#define ANSWER_CODECS_FIRST (1u << CODEC_H264 | 1u << CODEC_VP8 | 1u << CODEC_OPUS)
#define ANSWER_CODECS_ALL                                                                          \
    (ANSWER_CODECS_FIRST | 1u << CODEC_H265 | 1u << CODEC_VP9 | 1u << CODEC_AV1)

/* What our side brings. The strings and addresses are borrowed for the call. */
struct answer_local {
    const char *ufrag;                /* STREAM_UFRAG_LEN characters of [A-Za-z0-9] */
    const char *pwd;                  /* STREAM_PWD_LEN */
    struct fingerprint fingerprint;   /* SHA-256 of our certificate */
    const struct addr *addresses;     /* host candidates with their ports; IPv4 is written first */
    size_t address_count;             /* 1 to STREAM_ADDRESSES_MAX */
    const struct addr *tcp_addresses; /* ICE-TCP passive candidates, written after all others */
    size_t tcp_count;                 /* 0 to STREAM_ADDRESSES_MAX */
    uint64_t session_id;              /* for the o= line, below 2^63 */
    uint32_t start_bitrate_kbps;      /* x-google-start-bitrate of video; 0 leaves it out */
    uint32_t max_bitrate_kbps;        /* ceiling of video (b=AS, x-google-max-bitrate); 0: none */
    bool dtls_client;                 /* this process calls dtls_new_client and dtls_start */
    bool transport_cc;                /* this process sends transport-wide feedback (twcc.h) */
    bool simulcast;  /* this process takes layers apart; else one stream is asked for */
    uint32_t codecs; /* that this process can take, 1u << enum codec; 0: ANSWER_CODECS_FIRST */
};

/* One simulcast stream. */
struct answer_layer {
    char rid[SDP_RID_MAX + 1];
    bool paused; /* the publisher starts without it */
};

/* What was agreed for one track. codec CODEC_NONE: the offer has no such track. */
struct answer_track {
    enum codec codec;
    uint8_t pt;
    uint8_t rtx_pt;     /* 0: no RTX agreed */
    uint8_t mid_ext_id; /* header extensions; 0: not agreed */
    uint8_t rid_ext_id;
    uint8_t repaired_rid_ext_id; /* the rid that an RTX stream repairs (RFC 8852 3.2) */
    uint8_t transport_cc_ext_id; /* with SDP_FB_TRANSPORT_CC in feedback */
    uint8_t packetization_mode;  /* H.264 */
    uint32_t clock_rate;
    uint32_t feedback; /* enum sdp_feedback bits that the answer carries */
    char mid[SDP_MID_MAX + 1];
    size_t ssrc_count; /* media SSRCs that the offer announced; 0 with simulcast and some peers */
    uint32_t ssrcs[ANSWER_SSRCS_MAX];
    uint32_t rtx_ssrcs[ANSWER_SSRCS_MAX]; /* FID partner of ssrcs[i], 0: none announced */
    size_t layer_count; /* 0: one stream; else that many, told apart by rid, in the offer's order */
    struct answer_layer layers[ANSWER_LAYERS_MAX];
    /* Parameter sets as offered, in base64 with commas between, or empty (COD-06): H.264
     * sprop-parameter-sets, H.265 VPS, SPS and PPS. */
    char sprop[ANSWER_SPROP_MAX];
};

struct answer {
    struct answer_track tracks[TRACK_COUNT];
    enum track first;  /* of the first accepted section, which carries the candidates */
    bool dtls_client;  /* the publisher offered setup:passive: we start the handshake (WHIP-85) */
    bool rtcp_rsize;   /* reduced-size RTCP agreed in every section (RFC 5506) */
    bool receiver_rtt; /* the publisher answers reference times (RFC 3611 4.4) */
    char peer_ufrag[ANSWER_UFRAG_MAX + 1]; /* for ice_answer, icestate */
    char peer_pwd[ANSWER_UFRAG_MAX + 1];
    size_t fingerprint_count;
    struct fingerprint fingerprints[SDP_FINGERPRINTS_MAX]; /* for dtls_new; strong ones only */
    size_t text_len;
    char text[STREAM_ANSWER_MAX]; /* not NUL-terminated */
};

/* Makes the answer. 0; -EBADMSG when the offer lacks what every offer must have (WHIP-20), -ENOTSUP
 * when it asks for what we do not do (WHIP-26), -EMSGSIZE when the answer would exceed
 * STREAM_ANSWER_MAX; sdp_http_status maps them. On failure *out has undefined content and
 * *out_reason is one sentence for the publisher that lives for ever. */
int answer_make(const struct sdp *offer, const struct answer_local *local, struct answer *out,
                const char **out_reason);

#endif
