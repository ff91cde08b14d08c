/* A raw publisher: WHIP, ICE, DTLS and SRTP of prepared media, many streams in one thread. The peer
 * of process tests and benches; shares no protocol code with the gateway. */
#include "lib/base/clock.h"
#include "lib/base/text.h"
#include "tests/support/rawargs.h"
#include "tests/support/rawstream.h"

#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define TICK_US 5000u
#define PENDING_MAX 4u /* sessions being set up at once: the gateway allows 8 to an address */
#define MAKE_MEDIA "tests/support/make-media.sh"

/* The process's state. */
struct rawpub {
    struct loop loop;
    struct loop_timer timer;
    struct rawwhip *whip;
    struct rawdtls_identity *identity;
    struct rawmedia media;
    struct rawargs args;
    struct rawstream *streams;
    size_t begun;
    bool stopping;
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
    if (pub->args.json) {
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
    json_t *bytes =
        json_pack("{s:I,s:I,s:I,s:I}", "check_bytes", (json_int_t)r->check_bytes, "reply_bytes",
                  (json_int_t)r->reply_bytes, "dtls_sent", (json_int_t)r->dtls_sent,
                  "dtls_received", (json_int_t)r->dtls_received);
    json_t *frames = json_pack(
        "{s:I,s:I}", "video_frames", (json_int_t)stream->sender.tracks[RAWSENDER_VIDEO].frames,
        "audio_frames", (json_int_t)stream->sender.tracks[RAWSENDER_AUDIO].frames);
    json_t *times =
        json_pack("{s:I,s:I,s:I,s:I,s:I,s:I}", "consents", (json_int_t)r->consents, "posted_at",
                  (json_int_t)r->posted_at_us, "first_sent_at", (json_int_t)s->first_us,
                  "last_sent_at", (json_int_t)s->last_us, "closed_at", (json_int_t)r->closed_at_us,
                  "delete_status", (json_int_t)r->delete_status);
    const uint64_t *extra = stream->sender.hostile.sent;
    json_t *hostile =
        json_pack("{s:I,s:I,s:I,s:I,s:I}", "forged", (json_int_t)extra[RAWHOSTILE_FORGE],
                  "replayed", (json_int_t)extra[RAWHOSTILE_REPLAY], "flooded",
                  (json_int_t)extra[RAWHOSTILE_FLOOD], "strangers",
                  (json_int_t)extra[RAWHOSTILE_SSRC], "rtcp", (json_int_t)extra[RAWHOSTILE_RTCP]);
    if (object != NULL && more != NULL && hostile != NULL && bytes != NULL && frames != NULL &&
        times != NULL) {
        (void)json_object_update(object, more);
        (void)json_object_update(object, hostile);
        (void)json_object_update(object, bytes);
        (void)json_object_update(object, frames);
        (void)json_object_update(object, times);
    }
    json_decref(more);
    json_decref(hostile);
    json_decref(bytes);
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
    if (!pub->stopping && pub->begun < pub->args.stream_count && pending < PENDING_MAX)
        rawstream_begin(&pub->streams[pub->begun++]);
    if (done == pub->begun && (pub->stopping || pub->begun == pub->args.stream_count)) {
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

static int make_media(const char *prefix, enum rawmedia_codec codec)
{
    extern char **environ;
    static char shell[] = "sh", script[] = MAKE_MEDIA, others[] = "others";
    bool first = codec == RAWMEDIA_H264 || codec == RAWMEDIA_VP8;
    char target[4096];
    pid_t pid = 0;
    int status = 0;
    int rc = text_copy(target, sizeof(target), slice_of(prefix));
    char *arguments[] = {shell, script, target, first ? NULL : others, NULL};
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
    const uint8_t *marker = pub->args.has_marker ? pub->args.marker : NULL;
    if (pub->args.media_prefix != NULL)
        return rawmedia_load(&pub->media, pub->args.media_prefix, pub->args.codec, marker);
    (void)snprintf(prefix, sizeof(prefix), "%s/media/test", build != NULL ? build : "build");
    int rc = rawmedia_load(&pub->media, prefix, pub->args.codec, marker);
    if (rc != -ENOENT)
        return rc;
    rc = make_media(prefix, pub->args.codec);
    return rc != 0 ? rc : rawmedia_load(&pub->media, prefix, pub->args.codec, marker);
}

static int init_streams(struct rawpub *pub)
{
    pub->streams = calloc(pub->args.stream_count, sizeof(*pub->streams));
    if (pub->streams == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < pub->args.stream_count; i++)
        pub->streams[i].watch.fd = -1;
    for (size_t i = 0; i < pub->args.stream_count; i++) {
        char url[RAWWHIP_URL_MAX];
        int len = pub->args.stream_count == 1
                      ? snprintf(url, sizeof(url), "%s", pub->args.url)
                      : snprintf(url, sizeof(url), "%s-%zu", pub->args.url, i);
        if (len >= (int)sizeof(url))
            return -EMSGSIZE;
        int rc = rawstream_init(&pub->streams[i], &pub->loop, pub->whip, pub->identity, &pub->media,
                                &pub->args.stream, url, (uint32_t)i, on_state, pub);
        if (rc != 0)
            return rc;
    }
    return 0;
}

/* Loopback URLs get the loopback candidate, unless one is named. */
static void prefer_host_of_url(struct rawpub *pub)
{
    struct slice rest = slice_of(pub->args.url);
    if (pub->args.stream.preferred.family != 0)
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
    (void)addr_parse(host, &pub->args.stream.preferred);
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
        rc = rawwhip_new(&pub->loop, pub->args.insecure, &pub->whip);
    if (rc == 0)
        rc = init_streams(pub);
    if (rc == 0)
        rc = loop_timer_set(&pub->loop, &pub->timer, clock_now_us(), on_tick, pub);
    return rc;
}

/* ---- the end ---- */

static void stop_all(struct rawpub *pub)
{
    for (size_t i = 0; pub->streams != NULL && i < pub->args.stream_count; i++) {
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
    struct rawpub pub = {0};
    bool ok = true;
    if (rawargs_parse(argc, argv, &pub.args) != 0) {
        rawargs_print_usage(stderr);
        return 2;
    }
    if (pub.args.help) {
        rawargs_print_usage(stdout);
        return EXIT_SUCCESS;
    }
    prefer_host_of_url(&pub);
    if (loop_init(&pub.loop) != 0)
        return 2;
    int rc = start(&pub);
    if (rc == 0)
        rc = loop_run(&pub.loop);
    if (rc != 0)
        (void)fprintf(stderr, "rawpub: %s\n", strerror(-rc));
    for (size_t i = 0; rc == 0 && i < pub.args.stream_count; i++)
        ok = ok && pub.streams[i].report.ok;
    stop_all(&pub);
    return rc == 0 && ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
