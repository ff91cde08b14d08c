#include "tests/support/rawstream.h"

#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "lib/base/secret.h"
#include "tests/support/rawstun.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define CNAME "rawpub"
#define CHECK_FIRST_GAP_US 50000u
#define CHECK_MAX_GAP_US 800000u
#define CONSENT_GAP_US 2500000u
#define ICE_LIMIT_US 8000000u
#define DTLS_LIMIT_US 8000000u
#define CHECK_PRIORITY 1845501695u
#define DATAGRAMS_PER_TURN 64
#define SOCKET_BUFFER (1 << 20)

static void enter(struct rawstream *stream, enum rawstream_state state)
{
    stream->state = state;
    stream->since_us = clock_now_us();
    stream->fn(stream->ctx, stream, state);
}

/* ---- the end ---- */

static void close_socket(struct rawstream *stream)
{
    int fd = stream->watch.fd;
    loop_remove(stream->loop, &stream->watch);
    fd_close(&fd);
    if (stream->tcp != NULL)
        rawtcp_close(stream->tcp);
    free(stream->tcp);
    stream->tcp = NULL;
}

static void on_deleted(void *ctx, const struct rawwhip_result *result)
{
    struct rawstream *stream = ctx;
    stream->report.delete_status = result->status;
    enter(stream, RAWSTREAM_DONE);
}

/* The only way to the end. reason may be NULL. */
static void finish(struct rawstream *stream, const char *status, bool ok, const char *reason)
{
    const struct rawstream_options *options = stream->options;
    bool closed = stream->report.closed_at_us != 0;
    if (stream->state >= RAWSTREAM_DELETING)
        return;
    stream->report.status = status;
    stream->report.ok = ok;
    if (reason != NULL)
        (void)snprintf(stream->report.reason, sizeof(stream->report.reason), "%s", reason);
    if (options->close_notify && !closed && stream->dtls != NULL)
        rawdtls_shutdown(stream->dtls);
    close_socket(stream);
    bool remove = stream->location[0] != 0 && !options->no_delete && !options->close_notify;
    if (remove && (!closed || options->ignore_close)) {
        enter(stream, RAWSTREAM_DELETING);
        if (rawwhip_delete(stream->whip, stream->location, options->token, on_deleted, stream) == 0)
            return;
    }
    enter(stream, RAWSTREAM_DONE);
}

static void fail(struct rawstream *stream, const char *status, const char *reason)
{
    finish(stream, status, false, reason);
}

/* ---- connectivity checks ---- */

static void send_check(struct rawstream *stream, uint64_t now_us)
{
    uint8_t data[RAWSTUN_MAX];
    char username[2 * RAWSDP_TEXT_MAX];
    const char *password = stream->answer.pwd;
    (void)snprintf(username, sizeof(username), "%s:%s", stream->answer.ufrag, stream->ufrag);
    secret_random(stream->txid, sizeof(stream->txid));
    struct rawstun_request request = {
        .username = username,
        .password = stream->options->no_integrity ? NULL : password,
        .tie_breaker = stream->tie_breaker,
        .priority = CHECK_PRIORITY,
        .nominate = true,
    };
    memcpy(request.txid, stream->txid, sizeof(request.txid));
    if (stream->options->wrong_password)
        request.password = "wrongPasswordOf24Letters";
    size_t len = rawstun_request(&request, data);
    (void)send(stream->watch.fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL); /* repeated anyway */
    stream->report.check_bytes += len;
    stream->next_check_us = now_us + stream->check_gap_us;
    if (stream->state != RAWSTREAM_SENDING && stream->check_gap_us < CHECK_MAX_GAP_US)
        stream->check_gap_us *= 2;
}

static void on_dtls_event(struct rawstream *stream, enum rawdtls_event event);

/* What somebody who can write our source address might send before the handshake is done (U4): the
 * 15-byte alert that ends OpenSSL's, a close_notify, a change of cipher, other people's flights, a
 * fragment that claims much, a certificate and a key exchange with the numbers of the true ones,
 * data, nothing, early ciphertext. */
static void send_spoofed(struct rawstream *stream, uint32_t until)
{
    static const struct {
        uint8_t len;
        uint8_t bytes[48];
    } records[] = {
        {15, {21, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 9, 0, 2, 2, 40}},
        {15, {21, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 8, 0, 2, 1, 0}},
        {14, {20, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 7, 0, 1, 1}},
        {25, {22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 6, 0, 12, 2, 0, 0, 80}},
        {26, {22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 5, 0, 13, 1, 0xff, 0xff, 0xff, 0, 0, 0, 0, 1}},
        {29, {22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 4, 0, 16, 11, 0, 0, 4, 0, 2, 0, 0, 0, 0, 0, 4}},
        {33, {22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 3, 0, 20, 16, 0, 0, 8, 0, 3, 0, 0, 0, 0, 0, 8}},
        {20, {23, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 2, 0, 7, 1, 2, 3, 4}},
        {13, {22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0}},
        {13, {22, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 0, 0, 0, 40}},
    };
    const size_t count = sizeof(records) / sizeof(records[0]);
    for (; stream->spoofed < until; stream->spoofed++)
        (void)send(stream->watch.fd, records[stream->spoofed % count].bytes,
                   records[stream->spoofed % count].len, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void dtls_send(void *ctx, const uint8_t *data, size_t len)
{
    struct rawstream *stream = ctx;
    uint32_t spoof = stream->state == RAWSTREAM_HANDSHAKING ? stream->options->spoof : 0;
    if (stream->flights > 0)
        send_spoofed(stream, spoof); /* before the second flight */
    (void)send(stream->watch.fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);
    stream->report.dtls_sent += len;
    if (stream->flights++ == 0)
        send_spoofed(stream, spoof / 2); /* behind our hello */
}

static void on_stun(struct rawstream *stream, const uint8_t *data, size_t len)
{
    struct rawstun_response response;
    int rc = rawstun_parse_response(data, len, stream->txid, stream->answer.pwd, &response);
    if (rc == -EACCES && stream->state == RAWSTREAM_CHECKING)
        fail(stream, "ice-forged", "the answer's integrity or fingerprint is wrong");
    if (rc != 0)
        return;
    stream->report.consents += stream->state == RAWSTREAM_SENDING;
    if (stream->state != RAWSTREAM_CHECKING)
        return;
    if (!response.success || response.seen.family == 0) {
        fail(stream, "ice-refused", response.success ? "no mapped address" : "error response");
        return;
    }
    stream->report.ice_us = clock_now_us() - stream->since_us;
    uint64_t consent_us = stream->options->consent_ms * CLOCK_MS_US;
    stream->check_gap_us = consent_us != 0 ? consent_us : CONSENT_GAP_US;
    stream->next_check_us = clock_now_us() + stream->check_gap_us;
    int (*make_dtls)(struct rawdtls_identity *, const char *, const uint8_t *, rawdtls_send_fn,
                     void *, struct rawdtls **) =
        stream->options->passive ? rawdtls_new_server : rawdtls_new;
    rc = make_dtls(stream->identity, stream->options->profiles, stream->answer.fingerprint,
                   dtls_send, stream, &stream->dtls);
    if (rc != 0) {
        fail(stream, "dtls-failed", strerror(-rc));
        return;
    }
    enter(stream, RAWSTREAM_HANDSHAKING);
    on_dtls_event(stream, rawdtls_start(stream->dtls));
}

/* ---- DTLS ---- */

static void on_keyed(struct rawstream *stream)
{
    uint8_t material[RAWSRTP_MATERIAL_MAX];
    enum rawsrtp_profile profile;
    uint64_t now_us = clock_now_us();
    int rc = rawdtls_export(stream->dtls, &profile, material);
    if (rc == 0)
        rc = rawsrtp_new(profile, material, &stream->srtp);
    secret_wipe(material, sizeof(material));
    if (rc != 0) {
        fail(stream, "srtp-failed", strerror(-rc));
        return;
    }
    stream->report.dtls_us = now_us - stream->since_us;
    stream->report.keyed_at_us = now_us;
    if (rawsender_use_rtx(&stream->sender, stream->answer.rtx_type) != 0) {
        fail(stream, "out-of-memory", NULL);
        return;
    }
    rawsender_start(&stream->sender, stream->watch.fd, stream->srtp, stream->answer.audio_type,
                    stream->answer.video_type, stream->answer.mid_extension, now_us);
    enter(stream, RAWSTREAM_SENDING);
}

static void on_dtls_event(struct rawstream *stream, enum rawdtls_event event)
{
    switch (event) {
    case RAWDTLS_NOTHING:
        break;
    case RAWDTLS_KEYED:
        on_keyed(stream);
        break;
    case RAWDTLS_CLOSED:
        if (stream->report.closed_at_us != 0)
            break;
        stream->report.closed_at_us = clock_now_us();
        if (!stream->options->ignore_close)
            fail(stream, "closed", "close_notify by the server");
        else
            stream->fn(stream->ctx, stream, stream->state);
        break;
    case RAWDTLS_FAILED: /* while sending: a fatal alert */
        if (stream->state == RAWSTREAM_SENDING && stream->options->ignore_close)
            break;
        fail(stream, "dtls-failed", rawdtls_error(stream->dtls));
        break;
    }
}

/* ---- datagrams ---- */

static void on_datagram(struct rawstream *stream, uint8_t *data, size_t len)
{
    if (len == 0)
        return;
    bool stun = data[0] < 4, dtls = data[0] >= 20 && data[0] < 64;
    stream->report.reply_bytes += stun ? len : 0;
    stream->report.dtls_received += dtls ? len : 0;
    if (stun)
        on_stun(stream, data, len);
    else if (dtls && stream->dtls != NULL)
        on_dtls_event(stream, rawdtls_receive(stream->dtls, data, len));
    else if (data[0] >= 128 && data[0] < 192 && stream->state == RAWSTREAM_SENDING)
        rawsender_feedback(&stream->sender, data, len, clock_now_us());
}

static void on_readable(void *ctx, uint32_t events)
{
    struct rawstream *stream = ctx;
    _Alignas(4) uint8_t data[2048];
    (void)events;
    for (int i = 0; i < DATAGRAMS_PER_TURN && stream->watch.fd >= 0; i++) {
        ssize_t len = recv(stream->watch.fd, data, sizeof(data), MSG_DONTWAIT);
        if (len < 0 && errno == EAGAIN)
            return;
        if (len == 0 && stream->tcp != NULL) { /* the connection ended */
            fail(stream, "tcp-closed", "the server closed the connection");
            return;
        }
        if (len > 0) /* else an ICMP error, which is nothing */
            on_datagram(stream, data, (size_t)len);
    }
}

static int open_tcp(struct rawstream *stream)
{
    const struct addr *to = &stream->answer.tcp;
    int fd = -1;
    if (to->family == 0)
        return -EADDRNOTAVAIL;
    stream->tcp = calloc(1, sizeof(*stream->tcp));
    if (stream->tcp == NULL)
        return -ENOMEM;
    int rc = rawtcp_open(stream->tcp, stream->loop, to, &stream->options->source, &fd);
    if (rc == 0)
        rc = loop_add(stream->loop, &stream->watch, fd, EPOLLIN, on_readable, stream);
    if (rc != 0)
        fd_close(&fd);
    return rc;
}

static int open_socket(struct rawstream *stream)
{
    struct sockaddr_storage to, from;
    const struct addr *source = &stream->options->source;
    int size = SOCKET_BUFFER;
    socklen_t to_len = addr_to_sockaddr(&stream->answer.candidate, &to);
    int family = stream->answer.candidate.family == 6 ? AF_INET6 : AF_INET;
    int fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
    int rc = 0;
    if (source->family != 0 &&
        bind(fd, (const struct sockaddr *)&from, addr_to_sockaddr(source, &from)) < 0)
        rc = -errno;
    if (rc == 0 && connect(fd, (const struct sockaddr *)&to, to_len) < 0)
        rc = -errno;
    if (rc == 0)
        rc = loop_add(stream->loop, &stream->watch, fd, EPOLLIN, on_readable, stream);
    if (rc != 0)
        fd_close(&fd);
    return rc;
}

/* ---- WHIP ---- */

static void on_posted(void *ctx, const struct rawwhip_result *result)
{
    struct rawstream *stream = ctx;
    stream->report.post_status = result->status;
    stream->report.post_us = result->took_us;
    if (result->status != 201) {
        fail(stream, "refused", result->status == 0 ? result->error : result->body);
        return;
    }
    (void)text_copy(stream->location, sizeof(stream->location), slice_of(result->location));
    int rc = rawsdp_parse_answer(slice_make(result->body, result->body_len),
                                 &stream->options->preferred, &stream->answer);
    if (rc == 0 && stream->answer.active != stream->options->passive)
        rc = -ENOTSUP;
    if (rc != 0) {
        fail(stream, "answer-unusable", strerror(-rc));
        return;
    }
    if (stream->options->preferred.port != 0)
        stream->answer.candidate = stream->options->preferred;
    rc = stream->options->tcp ? open_tcp(stream) : open_socket(stream);
    if (rc != 0) {
        fail(stream, "socket-failed", strerror(-rc));
        return;
    }
    stream->check_gap_us = CHECK_FIRST_GAP_US;
    enter(stream, RAWSTREAM_CHECKING);
    send_check(stream, clock_now_us());
}

void rawstream_begin(struct rawstream *stream)
{
    char offer[RAWSDP_OFFER_MAX];
    uint8_t fingerprint[RAWDTLS_FINGERPRINT_LEN];
    memcpy(fingerprint, rawdtls_identity_fingerprint(stream->identity), sizeof(fingerprint));
    if (stream->options->wrong_fingerprint)
        fingerprint[0] ^= 1;
    const struct rawsender_track *video = &stream->sender.tracks[RAWSENDER_VIDEO];
    const struct rawsdp_offer params = {
        .video = video->media->codec,
        .ufrag = stream->ufrag,
        .pwd = stream->pwd,
        .fingerprint = fingerprint,
        .cname = CNAME,
        .audio_ssrc = stream->sender.tracks[RAWSENDER_AUDIO].ssrc,
        .video_ssrc = video->ssrc,
        .rtx_ssrc = stream->options->rtx ? video->rtx_ssrc : 0,
        .passive = stream->options->passive,
    };
    int rc = rawsdp_write_offer(&params, offer);
    stream->report.posted_at_us = clock_now_us();
    enter(stream, RAWSTREAM_POSTING);
    if (rc == 0)
        rc = rawwhip_post(stream->whip, stream->url, stream->options->token, offer, on_posted,
                          stream);
    if (rc != 0)
        fail(stream, "post-failed", strerror(-rc));
}

/* ---- time ---- */

static void tick_sending(struct rawstream *stream, uint64_t now_us)
{
    uint64_t limit_us = (uint64_t)stream->options->seconds * CLOCK_SECOND_US;
    bool over = limit_us > 0 && now_us - stream->since_us >= limit_us;
    if (over)
        rawsender_linger(&stream->sender, now_us);
    else
        rawsender_tick(&stream->sender, now_us);
    if (now_us >= stream->next_check_us)
        send_check(stream, now_us);
    limit_us += (uint64_t)stream->options->linger * CLOCK_SECOND_US;
    uint64_t frames = stream->sender.tracks[RAWSENDER_VIDEO].frames;
    bool enough = stream->options->frames > 0 && frames >= stream->options->frames;
    if (enough || (over && now_us - stream->since_us >= limit_us))
        finish(stream, "ok", true, NULL);
}

void rawstream_tick(struct rawstream *stream, uint64_t now_us)
{
    uint64_t passed_us = now_us > stream->since_us ? now_us - stream->since_us : 0;
    switch (stream->state) {
    case RAWSTREAM_CHECKING:
        if (passed_us > ICE_LIMIT_US)
            fail(stream, "ice-timeout", NULL);
        else if (now_us >= stream->next_check_us)
            send_check(stream, now_us);
        break;
    case RAWSTREAM_HANDSHAKING:
        if (passed_us > DTLS_LIMIT_US)
            fail(stream, "dtls-timeout", NULL);
        else
            on_dtls_event(stream, rawdtls_tick(stream->dtls));
        break;
    case RAWSTREAM_SENDING:
        tick_sending(stream, now_us);
        break;
    default:
        break;
    }
}

void rawstream_stop(struct rawstream *stream)
{
    bool sending = stream->state == RAWSTREAM_SENDING && stream->options->seconds == 0;
    finish(stream, sending ? "ok" : "interrupted", sending, NULL);
}

/* ---- life ---- */

static int open_copies(struct rawstream *stream)
{
    int rc = 0;
    for (size_t i = 0; i < RAWSENDER_COPIES && stream->options->copies[i].family != 0; i++) {
        struct addr to = stream->options->copies[i];
        struct sockaddr_storage there;
        to.port = (uint16_t)(to.port + stream->index);
        socklen_t len = addr_to_sockaddr(&to, &there);
        int fd = socket(there.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        stream->sender.copies[i] = fd;
        if (fd < 0 || connect(fd, (const struct sockaddr *)&there, len) < 0)
            rc = -errno;
    }
    return rc;
}

int rawstream_init(struct rawstream *stream, struct loop *loop, struct rawwhip *whip,
                   struct rawdtls_identity *identity, const struct rawmedia *media,
                   const struct rawstream_options *options, const char *url, uint32_t index,
                   rawstream_fn fn, void *ctx)
{
    *stream = (struct rawstream){.loop = loop,
                                 .whip = whip,
                                 .identity = identity,
                                 .options = options,
                                 .fn = fn,
                                 .ctx = ctx,
                                 .index = index,
                                 .watch = {.fd = -1},
                                 .sender = {.copies = {-1, -1}},
                                 .report = {.status = "idle"}};
    const char *slash = strrchr(url, '/');
    secret_random_text(stream->ufrag, sizeof(stream->ufrag) - 1);
    secret_random_text(stream->pwd, sizeof(stream->pwd) - 1);
    secret_random(&stream->tie_breaker, sizeof(stream->tie_breaker));
    int rc = text_copy(stream->url, sizeof(stream->url), slice_of(url));
    if (rc == 0)
        rc = text_copy(stream->name, sizeof(stream->name),
                       slice_of(slash != NULL ? slash + 1 : url));
    if (rc == 0)
        rc = rawsender_init(&stream->sender, media, CNAME, options->loss_millionths,
                            (uint64_t)options->seed + index);
    if (rc == 0)
        stream->sender.hostile.config = &options->hostile;
    if (rc == 0)
        rc = open_copies(stream);
    return rc;
}

void rawstream_done(struct rawstream *stream)
{
    close_socket(stream);
    rawdtls_free(stream->dtls);
    rawsrtp_free(stream->srtp);
    fd_close_all(stream->sender.copies, RAWSENDER_COPIES);
    rawsender_done(&stream->sender);
}
