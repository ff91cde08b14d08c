/* The command line of rawpub. */
#include "tests/support/rawargs.h"

#include "lib/base/clock.h"
#include "lib/base/text.h"
#include "tests/support/rawaddr.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: rawpub --url URL [options]\n"
    "Publishes prepared media by WHIP, ICE, DTLS and SRTP until its time is over or SIGINT.\n"
    "Exit status 0: every stream connected and sent for the time asked.\n"
    "\n"
    "  --url URL            the WHIP endpoint, as http://127.0.0.1:8080/whip/show\n"
    "  --token T            bearer token\n"
    "  --seconds S          how long to send (default 0: until SIGINT)\n"
    "  --frames N           stop after that many pictures\n"
    "  --linger S           after that time, repair what was lost (default 0)\n"
    "  --streams N          that many, to URL-0 ... URL-(N-1); four are set up at a time\n"
    "  --media PREFIX       PREFIX.h264 (or .h265, .ivf, .vp9.ivf, .av1.ivf) and PREFIX.opus, in a "
    "loop\n"
    "                       (default $BUILD/media/test, made at first use)\n"
    "  --codec h264|vp8|h265|vp9|av1   which of them\n"
    "  --marker HEX32       16 bytes that every H.264 access unit and Opus packet carries\n"
    "  --srtp gcm128|gcm256|cm80   the only profile offered\n"
    "  --candidate IP[:PORT]   take the answer's candidate of this host; with a port: go there\n"
    "  --bind IP[:PORT]     local address\n"
    "  --rtx                repairs by RTX (RFC 4588) instead of the same packet again\n"
    "  --tcp                ICE-TCP instead of UDP\n"
    "  --passive            offer setup:passive: the gateway is the DTLS client\n"
    "  --consent MS         time between checks while sending (default 2500)\n"
    "  --copy IP:PORT       every media packet goes there too, stream n's to PORT+n; up to twice\n"
    "  --insecure           take any TLS certificate\n"
    "  --json               one JSON object a line\n"
    "  --seed N             decides what is lost, flipped, replayed and forged\n"
    "\n"
    "Ends:\n"
    "  --no-delete          vanish\n"
    "  --close-notify       DTLS close_notify instead of DELETE\n"
    "  --ignore-close       keep sending after the server's close_notify\n"
    "\n"
    "Set-up of somebody hostile:\n"
    "  --no-integrity       checks without MESSAGE-INTEGRITY (U2)\n"
    "  --wrong-password     checks with a wrong one (U2)\n"
    "  --wrong-fingerprint  in the offer (U7)\n"
    "  --spoof N            N plaintext DTLS records in the handshake, on our own path (U4)\n"
    "\n"
    "Media of somebody hostile, from --at on (seconds after the first packet, default 3); rates\n"
    "are packets a second, each packet comes on top of the media:\n"
    "  --at S\n"
    "  --loss PERCENT       packets left out, from the first on\n"
    "  --forge PPS          RTP and RTCP with our headers and wrong tags (U10)\n"
    "  --replay PPS         packets that were sent before (U10)\n"
    "  --flood PPS          authentic filler in the video's own numbering (U15)\n"
    "  --ssrc-storm PPS     authentic packets, each of a new SSRC (U12)\n"
    "  --rtcp PPS           authentic compound RTCP: reports, items, BYE of a stranger (U14)\n"
    "  --gap PACKETS        skip so many sequence numbers once, with their rollovers (U11)\n"
    "  --flip PERCENT       packets with one bit of the payload changed before encryption (M9)\n"
    "  --times TABLE        RTP times: back or forward an hour, alternating between both frame\n"
    "                       by frame, or wrap (2^32 is passed at --at) (M7)\n"
    "  --fps N              so many pictures a second, cut to keep the bitrate, from the first\n"
    "                       on (M8)\n"
    "  --sps-change         only key frames, cut to keep the bitrate, each with another SPS than\n"
    "                       the one before (M8)\n";

void rawargs_print_usage(FILE *to)
{
    (void)fputs(usage, to);
}

/* ---- values that are more than a number ---- */

/* "2" or "2.5" per cent into millionths. */
static int parse_percent(const char *text, uint32_t *out)
{
    char *end = NULL;
    double value = strtod(text, &end);
    if (end == text || *end != 0 || !(value >= 0 && value <= 100))
        return -EBADMSG;
    *out = (uint32_t)(value * 10000.0 + 0.5);
    return 0;
}

static int parse_loss(struct rawargs *args, const char *text)
{
    return parse_percent(text, &args->stream.loss_millionths);
}

static int parse_flip(struct rawargs *args, const char *text)
{
    return parse_percent(text, &args->stream.hostile.flip_millionths);
}

static int parse_profile(struct rawargs *args, const char *text)
{
    static const char *const names[RAWSRTP_PROFILE_COUNT] = {
        [RAWSRTP_CM80] = "cm80", [RAWSRTP_GCM128] = "gcm128", [RAWSRTP_GCM256] = "gcm256"};
    for (unsigned i = 0; i < RAWSRTP_PROFILE_COUNT; i++) {
        if (strcmp(text, names[i]) == 0) {
            args->stream.profiles = rawsrtp_profile_name((enum rawsrtp_profile)i);
            return 0;
        }
    }
    return -EBADMSG;
}

static int parse_codec(struct rawargs *args, const char *text)
{
    static const char *const names[RAWMEDIA_OPUS] = {
        [RAWMEDIA_H264] = "h264", [RAWMEDIA_VP8] = "vp8", [RAWMEDIA_H265] = "h265",
        [RAWMEDIA_VP9] = "vp9",   [RAWMEDIA_AV1] = "av1",
    };
    for (unsigned i = 0; i < RAWMEDIA_OPUS; i++) {
        if (strcmp(text, names[i]) == 0) {
            args->codec = (enum rawmedia_codec)i;
            return 0;
        }
    }
    return -EBADMSG;
}

static int parse_times(struct rawargs *args, const char *text)
{
    static const char *const names[RAWHOSTILE_TIMES_COUNT] = {
        [RAWHOSTILE_TIMES_TRUE] = "true",       [RAWHOSTILE_TIMES_BACK] = "back",
        [RAWHOSTILE_TIMES_FORWARD] = "forward", [RAWHOSTILE_TIMES_ALTERNATING] = "alternating",
        [RAWHOSTILE_TIMES_WRAP] = "wrap",
    };
    for (unsigned i = 0; i < RAWHOSTILE_TIMES_COUNT; i++) {
        if (strcmp(text, names[i]) == 0) {
            args->stream.hostile.times = (enum rawhostile_times)i;
            return 0;
        }
    }
    return -EBADMSG;
}

static int parse_marker(struct rawargs *args, const char *text)
{
    args->has_marker = true;
    return text_unhex(slice_of(text), args->marker, sizeof(args->marker));
}

static int parse_candidate(struct rawargs *args, const char *text)
{
    return rawaddr_parse(slice_of(text), &args->stream.preferred);
}

static int parse_bind(struct rawargs *args, const char *text)
{
    return rawaddr_parse(slice_of(text), &args->stream.source);
}

static int parse_copy(struct rawargs *args, const char *text)
{
    size_t i = 0;
    while (i < RAWSENDER_COPIES && args->stream.copies[i].family != 0)
        i++;
    if (i == RAWSENDER_COPIES)
        return -EBADMSG;
    return rawaddr_parse(slice_of(text), &args->stream.copies[i]);
}

/* ---- the table ---- */

/* Exactly one of text, flag, number and custom says where the value goes; offsets are into struct
 * rawargs, 0 for none (url is first, and required). */
enum kind { TEXT, FLAG, NUMBER, CUSTOM };
struct rule {
    const char *name;
    enum kind kind;
    size_t offset;
    uint32_t max;
    int (*parse)(struct rawargs *args, const char *text);
};

#define AT(member) offsetof(struct rawargs, member)
static const struct rule rules[] = {
    {"url", TEXT, AT(url), 0, NULL},
    {"token", TEXT, AT(stream.token), 0, NULL},
    {"media", TEXT, AT(media_prefix), 0, NULL},
    {"seconds", NUMBER, AT(stream.seconds), 1000000, NULL},
    {"frames", NUMBER, AT(stream.frames), 1000000, NULL},
    {"linger", NUMBER, AT(stream.linger), 60, NULL},
    {"streams", NUMBER, AT(stream_count), RAWARGS_STREAMS_MAX, NULL},
    {"seed", NUMBER, AT(stream.seed), UINT32_MAX, NULL},
    {"consent", NUMBER, AT(stream.consent_ms), 60000, NULL},
    {"spoof", NUMBER, AT(stream.spoof), 1000, NULL},
    {"at", NUMBER, AT(stream.hostile.at_s), 1000000, NULL},
    {"forge", NUMBER, AT(stream.hostile.pps[RAWHOSTILE_FORGE]), RAWHOSTILE_PPS_MAX, NULL},
    {"replay", NUMBER, AT(stream.hostile.pps[RAWHOSTILE_REPLAY]), RAWHOSTILE_PPS_MAX, NULL},
    {"flood", NUMBER, AT(stream.hostile.pps[RAWHOSTILE_FLOOD]), RAWHOSTILE_PPS_MAX, NULL},
    {"ssrc-storm", NUMBER, AT(stream.hostile.pps[RAWHOSTILE_SSRC]), RAWHOSTILE_PPS_MAX, NULL},
    {"rtcp", NUMBER, AT(stream.hostile.pps[RAWHOSTILE_RTCP]), RAWHOSTILE_PPS_MAX, NULL},
    {"gap", NUMBER, AT(stream.hostile.gap), 10000000, NULL},
    {"fps", NUMBER, AT(stream.hostile.fps), RAWHOSTILE_FPS_MAX, NULL},
    {"codec", CUSTOM, 0, 0, parse_codec},
    {"marker", CUSTOM, 0, 0, parse_marker},
    {"srtp", CUSTOM, 0, 0, parse_profile},
    {"candidate", CUSTOM, 0, 0, parse_candidate},
    {"bind", CUSTOM, 0, 0, parse_bind},
    {"copy", CUSTOM, 0, 0, parse_copy},
    {"loss", CUSTOM, 0, 0, parse_loss},
    {"flip", CUSTOM, 0, 0, parse_flip},
    {"times", CUSTOM, 0, 0, parse_times},
    {"rtx", FLAG, AT(stream.rtx), 0, NULL},
    {"tcp", FLAG, AT(stream.tcp), 0, NULL},
    {"passive", FLAG, AT(stream.passive), 0, NULL},
    {"insecure", FLAG, AT(insecure), 0, NULL},
    {"json", FLAG, AT(json), 0, NULL},
    {"no-delete", FLAG, AT(stream.no_delete), 0, NULL},
    {"close-notify", FLAG, AT(stream.close_notify), 0, NULL},
    {"ignore-close", FLAG, AT(stream.ignore_close), 0, NULL},
    {"no-integrity", FLAG, AT(stream.no_integrity), 0, NULL},
    {"wrong-password", FLAG, AT(stream.wrong_password), 0, NULL},
    {"wrong-fingerprint", FLAG, AT(stream.wrong_fingerprint), 0, NULL},
    {"sps-change", FLAG, AT(stream.hostile.sps_change), 0, NULL},
    {"help", FLAG, AT(help), 0, NULL},
};
#define RULE_COUNT (sizeof(rules) / sizeof(rules[0]))

static int apply(struct rawargs *args, const struct rule *rule, const char *text)
{
    uint8_t *at = (uint8_t *)args + rule->offset;
    bool yes = true;
    uint32_t number = 0;
    int rc = 0;
    switch (rule->kind) {
    case TEXT:
        memcpy(at, &text, sizeof(text));
        break;
    case FLAG:
        memcpy(at, &yes, sizeof(yes));
        break;
    case NUMBER:
        rc = text_parse_u32(slice_of(text), rule->max, &number);
        if (rc == 0)
            memcpy(at, &number, sizeof(number));
        break;
    case CUSTOM:
        rc = rule->parse(args, text);
        break;
    }
    return rc;
}

int rawargs_parse(int argc, char **argv, struct rawargs *out)
{
    struct option options[RULE_COUNT + 1] = {0};
    int found = 0, option = 0;
    *out = (struct rawargs){.stream_count = 1, .stream = {.seed = 1, .hostile = {.at_s = 3}}};
    out->stream.profiles = "SRTP_AEAD_AES_128_GCM:SRTP_AEAD_AES_256_GCM:SRTP_AES128_CM_SHA1_80";
    for (size_t i = 0; i < RULE_COUNT; i++)
        options[i] = (struct option){
            rules[i].name, rules[i].kind == FLAG ? no_argument : required_argument, NULL, 0};
    while ((option = getopt_long(argc, argv, "", options, &found)) != -1) {
        if (option != 0 || apply(out, &rules[found], optarg) != 0)
            return -EBADMSG;
        if (out->help)
            return 0;
    }
    bool whole = out->url != NULL && out->stream_count > 0 && optind == argc;
    return whole ? 0 : -EBADMSG;
}
