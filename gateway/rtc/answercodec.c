/* Which payload type of a section we want, and what its format parameters mean. */
#include "gateway/rtc/answercodec.h"

#include "gateway/rtc/sdprid.h"

#include <inttypes.h>

#define H264_MODE_MAX 1u /* interleaved mode 2 is for broadcast, not for WebRTC (RFC 7742 6.2) */
#define H265_MAIN 1u
#define NUMBER_MAX 65535u

/* ---- parameters ---- */

/* A numeric parameter; absent means otherwise. UINT32_MAX for nonsense. */
static uint32_t number_of(struct slice fmtp, const char *name, uint32_t otherwise)
{
    struct slice text = sdp_fmtp_get(fmtp, name);
    uint32_t value = otherwise;
    if (text.len > 0 && text_parse_u32(text, NUMBER_MAX, &value) < 0)
        return UINT32_MAX;
    return value;
}

uint32_t answercodec_h264_mode(struct slice fmtp)
{
    uint32_t mode = number_of(fmtp, "packetization-mode", 0);
    return mode <= H264_MODE_MAX ? mode : UINT32_MAX;
}

/* Baseline, Main and High; 4:4:4 and the like are not for viewers (COD-02). Absent means
 * Baseline 420010 (RFC 6184 8.1). */
static bool h264_is_ours(struct slice fmtp)
{
    struct slice text = sdp_fmtp_get(fmtp, "profile-level-id");
    uint8_t id[3] = {0x42};
    if (text.len > 0 && text_unhex(text, id, sizeof(id)) < 0)
        return false;
    return (id[0] == 0x42 || id[0] == 0x4d || id[0] == 0x64) &&
           answercodec_h264_mode(fmtp) != UINT32_MAX;
}

/* Main profile in one stream and in decoding order: with sprop-max-don-diff every payload would
 * carry an order number (RFC 7798 4.4, 7.1). */
static bool h265_is_ours(struct slice fmtp)
{
    struct slice mode = sdp_fmtp_get(fmtp, "tx-mode");
    return number_of(fmtp, "profile-space", 0) == 0 &&
           number_of(fmtp, "profile-id", H265_MAIN) == H265_MAIN &&
           number_of(fmtp, "sprop-max-don-diff", 0) == 0 &&
           (mode.len == 0 || slice_is_nocase(mode, "SRST"));
}

/* ---- choice ---- */

static const struct codec_row {
    enum codec codec;
    enum sdp_kind kind;
    const char *encoding;
    uint32_t clock_rate;
    uint8_t channels;
    unsigned rank; /* the highest wins, the first of equals */
} rows[] = {
    {CODEC_OPUS, SDP_AUDIO, "opus", 48000, 2, 1}, {CODEC_H264, SDP_VIDEO, "H264", 90000, 1, 5},
    {CODEC_VP8, SDP_VIDEO, "VP8", 90000, 1, 4},   {CODEC_VP9, SDP_VIDEO, "VP9", 90000, 1, 3},
    {CODEC_H265, SDP_VIDEO, "H265", 90000, 1, 2}, {CODEC_AV1, SDP_VIDEO, "AV1", 90000, 1, 1},
};

static const struct codec_row *row_of(const struct sdp_format *format)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (slice_is_nocase(format->encoding, rows[i].encoding))
            return &rows[i];
    }
    return NULL;
}

enum codec answercodec_of(const struct sdp_format *format)
{
    const struct codec_row *row = row_of(format);
    return row ? row->codec : CODEC_NONE;
}

static bool is_decodable(enum codec codec, struct slice fmtp)
{
    switch (codec) {
    case CODEC_H264:
        return h264_is_ours(fmtp);
    case CODEC_H265:
        return h265_is_ours(fmtp);
    case CODEC_VP9: /* profile 0 is 8 bit 4:2:0 (RFC 9628 6.1) */
        return number_of(fmtp, "profile-id", 0) == 0;
    case CODEC_AV1: /* Main */
        return number_of(fmtp, "profile", 0) == 0;
    default:
        return true;
    }
}

/* How much we want a format; 0: not at all. Doubled, so that a packetization-mode fits between. */
static unsigned rank_of(enum sdp_kind kind, const struct sdp_format *format, uint32_t codecs)
{
    const struct codec_row *row = row_of(format);
    if (!row || row->kind != kind || row->clock_rate != format->clock_rate ||
        row->channels != format->channels || !(codecs & 1u << row->codec) ||
        !is_decodable(row->codec, format->fmtp))
        return 0;
    bool mode_1 = row->codec == CODEC_H264 && answercodec_h264_mode(format->fmtp) == 1;
    return 2 * row->rank + mode_1;
}

const struct sdp_format *answercodec_choose(const struct sdp_section *section, uint32_t codecs)
{
    const struct sdp_format *best = NULL;
    unsigned best_rank = 0;
    for (size_t i = 0; i < section->format_count; i++) {
        unsigned rank = rank_of(section->kind, &section->formats[i], codecs);
        if (rank > best_rank && sdprid_allows(section, section->formats[i].pt)) {
            best = &section->formats[i];
            best_rank = rank;
        }
    }
    return best;
}

const struct sdp_format *answercodec_find_rtx(const struct sdp_section *section,
                                              const struct sdp_format *format)
{
    for (size_t i = 0; i < section->format_count; i++) {
        const struct sdp_format *f = &section->formats[i];
        uint32_t apt = 0;
        if (slice_is_nocase(f->encoding, "rtx") && f->clock_rate == format->clock_rate &&
            text_parse_u32(sdp_fmtp_get(f->fmtp, "apt"), 127, &apt) == 0 && apt == format->pt)
            return f;
    }
    return NULL;
}

/* ---- text ---- */

void answercodec_copy_sprop(const struct sdp_format *format, char *to, size_t cap)
{
    static const char *const h264[] = {"sprop-parameter-sets"};
    static const char *const h265[] = {"sprop-vps", "sprop-sps", "sprop-pps"};
    bool is_265 = answercodec_of(format) == CODEC_H265;
    const char *const *names = is_265 ? h265 : h264;
    size_t count = is_265 ? 3 : 1;
    struct writer w;
    writer_init(&w, to, cap);
    for (size_t i = 0; i < count; i++) {
        struct slice value = sdp_fmtp_get(format->fmtp, names[i]);
        if (value.len > 0 && w.len > 0)
            writer_u8(&w, ',');
        writer_bytes(&w, value.data, value.len);
    }
    writer_u8(&w, 0);
    if (!writer_ok(&w))
        to[0] = '\0';
}

static void write_number(struct writer *w, const char *name, uint32_t value, size_t start)
{
    writer_text(w, "%s%s=%" PRIu32, w->len > start ? ";" : "", name, value);
}

/* Repeats each of the numeric parameters that the offer has; nonsense is left out. */
static void write_numbers(struct writer *w, struct slice fmtp, const char *const *names,
                          size_t count, size_t start)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t value = number_of(fmtp, names[i], UINT32_MAX);
        if (value != UINT32_MAX)
            write_number(w, names[i], value, start);
    }
}

/* Asymmetry, mode and profile (RFC 6184 8.2.2). */
static void write_h264(struct writer *w, struct slice fmtp)
{
    struct slice profile = sdp_fmtp_get(fmtp, "profile-level-id");
    size_t start = w->len;
    if (slice_is(sdp_fmtp_get(fmtp, "level-asymmetry-allowed"), "1"))
        write_number(w, "level-asymmetry-allowed", 1, start);
    write_number(w, "packetization-mode", answercodec_h264_mode(fmtp), start);
    if (profile.len > 0) {
        writer_text(w, ";profile-level-id=");
        writer_bytes(w, profile.data, profile.len);
    }
}

void answercodec_write_parameters(struct writer *w, const struct sdp_format *format)
{
    static const char *const h265[] = {"level-id", "profile-id", "tier-flag"};
    static const char *const vp9[] = {"profile-id"};
    static const char *const av1[] = {"level-idx", "profile", "tier"};
    size_t start = w->len;
    switch (answercodec_of(format)) {
    case CODEC_H264:
        write_h264(w, format->fmtp);
        break;
    case CODEC_H265:
        if (sdp_fmtp_get(format->fmtp, "tx-mode").len > 0)
            writer_text(w, "tx-mode=SRST");
        write_numbers(w, format->fmtp, h265, 3, start);
        break;
    case CODEC_VP9:
        write_numbers(w, format->fmtp, vp9, 1, start);
        break;
    case CODEC_AV1:
        write_numbers(w, format->fmtp, av1, 3, start);
        break;
    case CODEC_OPUS:
        writer_text(w, "minptime=10;useinbandfec=1;stereo=1");
        break;
    default:
        break;
    }
}
