/* A raw publisher: WHIP, ICE, DTLS and SRTP of prepared media, many streams in one thread. The peer
 * of process tests and benches; shares no protocol code with the gateway. */
#include "lib/base/clock.h"
#include "lib/base/text.h"
#include "tests/support/rawaddr.h"
#include "tests/support/rawstream.h"

#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define TICK_US 5000u
#define STREAMS_MAX 256u
#define PENDING_MAX 4u /* sessions being set up at once: the gateway allows 8 to an address */
#define MAKE_MEDIA "tests/support/make-media.sh"

static const char usage[] =
    "usage: rawpub --url URL [--token T] [--media PREFIX] [--codec h264|vp8] [--streams N]\n"
    "  [--seconds S] [--marker HEX32] [--loss PERCENT] [--seed N] [--srtp gcm128|gcm256|cm80]\n"
    "  [--candidate IP|IP:PORT] [--bind IP] [--tcp] [--consent MS] [--spoof N] [--ignore-close] "
    "[--no-delete] "
    "[--close-notify] "
    "[--insecure]\n"
    "  [--wrong-password] [--wrong-fingerprint] [--json]\n"
    "Publishes PREFIX.h264 or PREFIX.ivf with PREFIX.opus (default $BUILD/media/test, made at "
    "first\n"
    "use) in a loop. --streams N appends -0 to -(N-1) to the URL. --seconds 0 (default) sends "
    "until\n"
    "SIGINT. Exit status 0: every stream connected and sent for the time asked.\n";

/* The process's state. */
struct rawpub {
    struct loop loop;
    struct loop_timer timer;
    struct rawwhip *whip;
    struct rawdtls_identity *identity;
    struct rawmedia media;
    struct rawstream_options options;
    struct rawstream *streams;
    size_t stream_count;
    size_t begun;
    bool json;
    bool stopping;
    const char *url;
    const char *media_prefix;
    enum rawmedia_codec codec;
    bool insecure;
    bool has_marker;
    uint8_t marker[RAWMEDIA_MARKER_LEN];
};

/* ---- reports ---- */

static double ms_of(uint64_t us)
{
    return (double)us / 1000.0;
}

/* One line; the object is consumed. */
static void print_object(const struct rawpub *pub, json_t *object)
{
    const char *key;
    json_t *value;
    if (object == NULL)
        return;
    if (pub->json) {
        (void)json_dumpf(object, stdout, JSON_COMPACT | JSON_REAL_PRECISION(6));
    } else {
        json_object_foreach(object, key, value)
        {
            (void)printf("%s=", key);
            (void)json_dumpf(value, stdout, JSON_ENCODE_ANY | JSON_REAL_PRECISION(6));
            (void)printf(" ");
        }
    }
    (void)printf("\n");
    (void)fflush(stdout);
    json_decref(object);
}

static json_t *final_object(const struct rawstream *stream)
{
    const struct rawstream_report *r = &stream->report;
    const struct rawsender_stats *s = &stream->sender.stats;
    json_t *object = json_pack("{s:s,s:s,s:s,s:b,s:s#,s:I,s:f,s:f,s:f}", "event", "done", "stream",
                               stream->name, "status", r->status, "ok", r->ok, "reason", r->reason,
                               (int)strnlen(r->reason, sizeof(r->reason)), "post_status",
                               (json_int_t)r->post_status, "post_ms", ms_of(r->post_us), "ice_ms",
                               ms_of(r->ice_us), "dtls_ms", ms_of(r->dtls_us));
    json_t *more =
        json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I}", "packets", (json_int_t)s->packets,
                  "dropped", (json_int_t)s->dropped, "retransmitted", (json_int_t)s->retransmitted,
                  "nacks", (json_int_t)s->nacks, "plis", (json_int_t)s->plis, "remb_bps",
                  (json_int_t)s->remb_bps, "lost", (json_int_t)s->lost, "reports",
                  (json_int_t)s->reports, "send_errors", (json_int_t)s->errors);
    json_t *frames = json_pack(
        "{s:I,s:I}", "video_frames", (json_int_t)stream->sender.tracks[RAWSENDER_VIDEO].frames,
        "audio_frames", (json_int_t)stream->sender.tracks[RAWSENDER_AUDIO].frames);
    json_t *times =
        json_pack("{s:I,s:I,s:I,s:I,s:I,s:I}", "consents", (json_int_t)r->consents, "posted_at",
                  (json_int_t)r->posted_at_us, "first_sent_at", (json_int_t)s->first_us,
                  "last_sent_at", (json_int_t)s->last_us, "closed_at", (json_int_t)r->closed_at_us,
                  "delete_status", (json_int_t)r->delete_status);
    if (object != NULL && more != NULL && frames != NULL && times != NULL) {
        (void)json_object_update(object, more);
        (void)json_object_update(object, frames);
        (void)json_object_update(object, times);
    }
    json_decref(more);
    json_decref(frames);
    json_decref(times);
    return object;
}

static void on_state(void *ctx, const struct rawstream *stream, enum rawstream_state state)
{
    struct rawpub *pub = ctx;
    if (state == RAWSTREAM_DONE) {
        print_object(pub, final_object(stream));
    } else if (state == RAWSTREAM_SENDING) {
        bool closed = stream->report.closed_at_us != 0;
        uint64_t at_us = closed ? stream->report.closed_at_us : stream->report.keyed_at_us;
        print_object(pub, json_pack("{s:s,s:s,s:I,s:s}", "event", closed ? "closed" : "sending",
                                    "stream", stream->name, "at", (json_int_t)at_us, "ufrag",
                                    stream->answer.ufrag));
    }
}

/* ---- time ---- */

static void on_tick(void *ctx)
{
    struct rawpub *pub = ctx;
    uint64_t now_us = clock_now_us();
    size_t pending = 0, done = 0;
    for (size_t i = 0; i < pub->begun; i++) {
        rawstream_tick(&pub->streams[i], now_us);
        pending += pub->streams[i].state < RAWSTREAM_SENDING;
        done += pub->streams[i].state == RAWSTREAM_DONE;
    }
    if (!pub->stopping && pub->begun < pub->stream_count && pending < PENDING_MAX)
        rawstream_begin(&pub->streams[pub->begun++]);
    if (done == pub->begun && (pub->stopping || pub->begun == pub->stream_count)) {
        loop_stop(&pub->loop);
        return;
    }
    uint64_t due_us = pub->timer.due_us + TICK_US;
    if (due_us < now_us) /* after a stall: not all the ticks that were missed */
        due_us = now_us + TICK_US;
    (void)loop_timer_set(&pub->loop, &pub->timer, due_us, on_tick, pub);
}

static void on_signal(void *ctx, const struct signalfd_siginfo *info)
{
    struct rawpub *pub = ctx;
    (void)info;
    pub->stopping = true;
    for (size_t i = 0; i < pub->begun; i++)
        rawstream_stop(&pub->streams[i]);
}

/* ---- start ---- */

static int make_media(const char *prefix)
{
    extern char **environ;
    static char shell[] = "sh", script[] = MAKE_MEDIA;
    char target[4096];
    pid_t pid = 0;
    int status = 0;
    int rc = text_copy(target, sizeof(target), slice_of(prefix));
    char *arguments[] = {shell, script, target, NULL};
    if (rc == 0)
        rc = -posix_spawnp(&pid, shell, NULL, NULL, arguments, environ);
    if (rc == 0 && waitpid(pid, &status, 0) < 0)
        rc = -errno;
    return rc != 0 ? rc : (status == 0 ? 0 : -EIO);
}

static int load_media(struct rawpub *pub)
{
    char prefix[4096];
    const char *build = getenv("BUILD");
    const uint8_t *marker = pub->has_marker ? pub->marker : NULL;
    if (pub->media_prefix != NULL)
        return rawmedia_load(&pub->media, pub->media_prefix, pub->codec, marker);
    (void)snprintf(prefix, sizeof(prefix), "%s/media/test", build != NULL ? build : "build");
    int rc = rawmedia_load(&pub->media, prefix, pub->codec, marker);
    if (rc != -ENOENT)
        return rc;
    rc = make_media(prefix);
    return rc != 0 ? rc : rawmedia_load(&pub->media, prefix, pub->codec, marker);
}

static int init_streams(struct rawpub *pub)
{
    pub->streams = calloc(pub->stream_count, sizeof(*pub->streams));
    if (pub->streams == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < pub->stream_count; i++)
        pub->streams[i].watch.fd = -1;
    for (size_t i = 0; i < pub->stream_count; i++) {
        char url[RAWWHIP_URL_MAX];
        int len = pub->stream_count == 1 ? snprintf(url, sizeof(url), "%s", pub->url)
                                         : snprintf(url, sizeof(url), "%s-%zu", pub->url, i);
        if (len >= (int)sizeof(url))
            return -EMSGSIZE;
        int rc = rawstream_init(&pub->streams[i], &pub->loop, pub->whip, pub->identity, &pub->media,
                                &pub->options, url, pub->options.seed + i, on_state, pub);
        if (rc != 0)
            return rc;
    }
    return 0;
}

/* Loopback URLs get the loopback candidate, unless one is named. */
static void prefer_host_of_url(struct rawpub *pub)
{
    struct slice rest = slice_of(pub->url);
    if (pub->options.preferred.family != 0)
        return;
    slice_cut(&rest, '/');
    slice_cut(&rest, '/');
    struct slice host = slice_cut(&rest, '/');
    if (slice_starts(host, "[")) {
        host = slice_skip(host, 1);
        host = slice_cut(&host, ']');
    } else {
        host = slice_cut(&host, ':');
    }
    if (slice_is(host, "localhost"))
        host = slice_of("127.0.0.1");
    (void)addr_parse(host, &pub->options.preferred);
}

static int start(struct rawpub *pub)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    int rc = load_media(pub); /* before signals are blocked: it may run a program */
    if (rc == 0)
        rc = loop_signals(&pub->loop, &set, on_signal, pub);
    if (rc == 0)
        rc = rawsrtp_setup();
    if (rc == 0)
        rc = rawdtls_identity_new(&pub->identity);
    if (rc == 0)
        rc = rawwhip_new(&pub->loop, pub->insecure, &pub->whip);
    if (rc == 0)
        rc = init_streams(pub);
    if (rc == 0)
        rc = loop_timer_set(&pub->loop, &pub->timer, clock_now_us(), on_tick, pub);
    return rc;
}

/* ---- arguments ---- */

static int parse_count(const char *text, uint32_t max, uint32_t *out)
{
    return text_parse_u32(slice_of(text), max, out);
}

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

static int parse_profile(const char *text, struct rawstream_options *options)
{
    static const char *const names[RAWSRTP_PROFILE_COUNT] = {
        [RAWSRTP_CM80] = "cm80", [RAWSRTP_GCM128] = "gcm128", [RAWSRTP_GCM256] = "gcm256"};
    for (unsigned i = 0; i < RAWSRTP_PROFILE_COUNT; i++) {
        if (strcmp(text, names[i]) == 0) {
            options->profiles = rawsrtp_profile_name((enum rawsrtp_profile)i);
            return 0;
        }
    }
    return -EBADMSG;
}

static int parse_codec(const char *text, struct rawpub *pub)
{
    if (strcmp(text, "h264") != 0 && strcmp(text, "vp8") != 0)
        return -EBADMSG;
    pub->codec = text[0] == 'v' ? RAWMEDIA_VP8 : RAWMEDIA_H264;
    return 0;
}

static int parse_value(struct rawpub *pub, int option, const char *text)
{
    uint32_t number = 0;
    int rc = 0;
    switch (option) {
    case 'u':
        pub->url = text;
        return 0;
    case 't':
        pub->options.token = text;
        return 0;
    case 'm':
        pub->media_prefix = text;
        return 0;
    case 'c':
        return parse_codec(text, pub);
    case 'n':
        rc = parse_count(text, STREAMS_MAX, &number);
        pub->stream_count = number;
        return number == 0 ? -EBADMSG : rc;
    case 's':
        return parse_count(text, 1000000, &pub->options.seconds);
    case 'k':
        pub->has_marker = true;
        return text_unhex(slice_of(text), pub->marker, sizeof(pub->marker));
    case 'l':
        return parse_percent(text, &pub->options.loss_millionths);
    case 'e':
        rc = parse_count(text, UINT32_MAX, &number);
        pub->options.seed = number;
        return rc;
    case 'p':
        return parse_profile(text, &pub->options);
    case 'S':
        return parse_count(text, 1000, &pub->options.spoof);
    case 'o':
        rc = parse_count(text, 60000, &number);
        pub->options.consent_us = number * CLOCK_MS_US;
        return rc;
    case 'a':
        return rawaddr_parse(slice_of(text), &pub->options.preferred);
    case 'b':
        return addr_parse(slice_of(text), &pub->options.source);
    default:
        return -EBADMSG;
    }
}

static int parse_flag(struct rawpub *pub, int option)
{
    switch (option) {
    case 'I':
        pub->options.ignore_close = true;
        return 0;
    case 'D':
        pub->options.no_delete = true;
        return 0;
    case 'C':
        pub->options.close_notify = true;
        return 0;
    case 'W':
        pub->options.wrong_password = true;
        return 0;
    case 'F':
        pub->options.wrong_fingerprint = true;
        return 0;
    case 'T':
        pub->options.tcp = true;
        return 0;
    case 'K':
        pub->insecure = true;
        return 0;
    case 'J':
        pub->json = true;
        return 0;
    default:
        return -EBADMSG;
    }
}

static int parse_arguments(struct rawpub *pub, int argc, char **argv)
{
    static const struct option options[] = {
        {"url", required_argument, NULL, 'u'},
        {"token", required_argument, NULL, 't'},
        {"media", required_argument, NULL, 'm'},
        {"codec", required_argument, NULL, 'c'},
        {"streams", required_argument, NULL, 'n'},
        {"seconds", required_argument, NULL, 's'},
        {"marker", required_argument, NULL, 'k'},
        {"loss", required_argument, NULL, 'l'},
        {"seed", required_argument, NULL, 'e'},
        {"srtp", required_argument, NULL, 'p'},
        {"candidate", required_argument, NULL, 'a'},
        {"bind", required_argument, NULL, 'b'},
        {"ignore-close", no_argument, NULL, 'I'},
        {"no-delete", no_argument, NULL, 'D'},
        {"close-notify", no_argument, NULL, 'C'},
        {"wrong-password", no_argument, NULL, 'W'},
        {"wrong-fingerprint", no_argument, NULL, 'F'},
        {"tcp", no_argument, NULL, 'T'},
        {"spoof", required_argument, NULL, 'S'},
        {"consent", required_argument, NULL, 'o'},
        {"insecure", no_argument, NULL, 'K'},
        {"json", no_argument, NULL, 'J'},
        {NULL, 0, NULL, 0},
    };
    int option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        int rc = optarg != NULL ? parse_value(pub, option, optarg) : parse_flag(pub, option);
        if (rc != 0)
            return rc;
    }
    return pub->url != NULL && optind == argc ? 0 : -EBADMSG;
}

static void stop_all(struct rawpub *pub)
{
    for (size_t i = 0; pub->streams != NULL && i < pub->stream_count; i++) {
        if (pub->streams[i].loop != NULL)
            rawstream_done(&pub->streams[i]);
    }
    free(pub->streams);
    rawwhip_free(pub->whip);
    rawdtls_identity_free(pub->identity);
    rawmedia_done(&pub->media);
    loop_done(&pub->loop);
}

int main(int argc, char **argv)
{
    struct rawpub pub = {.stream_count = 1, .options = {.seed = 1}};
    bool ok = true;
    pub.options.profiles = "SRTP_AEAD_AES_128_GCM:SRTP_AEAD_AES_256_GCM:SRTP_AES128_CM_SHA1_80";
    if (parse_arguments(&pub, argc, argv) != 0) {
        (void)fputs(usage, stderr);
        return 2;
    }
    prefer_host_of_url(&pub);
    if (loop_init(&pub.loop) != 0)
        return 2;
    int rc = start(&pub);
    if (rc == 0)
        rc = loop_run(&pub.loop);
    if (rc != 0)
        (void)fprintf(stderr, "rawpub: %s\n", strerror(-rc));
    for (size_t i = 0; rc == 0 && i < pub.stream_count; i++)
        ok = ok && pub.streams[i].report.ok;
    stop_all(&pub);
    return rc == 0 && ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
