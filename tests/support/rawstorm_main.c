/* A stranger with a loud voice: datagrams that no gateway should answer, at a pace, from several
 * addresses, and a count of what came back. */
#include "lib/base/addr.h"
#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "lib/base/secret.h"
#include "lib/base/writer.h"
#include "tests/support/rawaddr.h"
#include "tests/support/rawstun.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SOURCES_MAX 64u
#define TEMPLATES_MAX 4096u
#define DATAGRAM_MAX 2048u
#define BATCH 32u
#define PASSWORD "wrongPasswordOf24Letters"

static const char usage[] =
    "usage: rawstorm --target IP:PORT --kinds NAME[,NAME...] [options]\n"
    "Sends datagrams of these kinds in turn, then prints one object: sent, errors, pps, replies,\n"
    "bytes (sent), reply_bytes.\n"
    "\n"
    "  --pps N       datagrams a second (default 1000)\n"
    "  --seconds S   how long (default 1; 0: until SIGINT)\n"
    "  --sources N   sockets, from 127.0.0.2 on, or on ::1 (default 4, at most 64)\n"
    "  --ufrag U     the gateway's, for those kinds that know one\n"
    "\n"
    "Kinds: STUN   bare (no attributes), user (no integrity), wrong (a wrong password),\n"
    "              unknown (of nobody's ufrag)\n"
    "       DTLS   hello, null (only a NULL cipher), alert, close, finished\n"
    "       other  rtp, rtcp, turn, lengths (0 to 2,000 bytes)\n";

struct template
{
    size_t len;
    uint8_t bytes[DATAGRAM_MAX];
};

/* The process's state. */
struct storm {
    struct addr target;
    const char *kinds;
    const char *ufrag;
    uint32_t pps;
    uint32_t seconds;
    uint32_t source_count;
    int sources[SOURCES_MAX];
    size_t template_count;
    struct template *templates;
    uint64_t sent;
    uint64_t bytes; /* of them */
    uint64_t errors;
    uint64_t replies;
    uint64_t reply_bytes;
};

static volatile sig_atomic_t stopped;

static void on_signal(int number)
{
    (void)number;
    stopped = 1;
}

/* ---- datagrams ---- */

static struct template *next_template(struct storm *s)
{
    return s->template_count < TEMPLATES_MAX ? &s->templates[s->template_count++] : NULL;
}

static void add_stun(struct storm *s, const char *ufrag, const char *password, bool bare)
{
    char username[64];
    uint8_t data[RAWSTUN_MAX];
    struct template *t = next_template(s);
    (void)snprintf(username, sizeof(username), "%s:peer", ufrag);
    struct rawstun_request request = {.username = bare ? NULL : username,
                                      .password = password,
                                      .tie_breaker = 7,
                                      .priority = 1845501695,
                                      .nominate = true};
    secret_random(request.txid, sizeof(request.txid));
    t->len = rawstun_request(&request, data);
    memcpy(t->bytes, data, t->len);
}

static void add_bytes(struct storm *s, const void *data, size_t len)
{
    struct template *t = next_template(s);
    t->len = len;
    memcpy(t->bytes, data, len);
}

/* A ClientHello in one record, with one cipher suite and use_srtp (RFC 6347 4.2, RFC 5764 4.1). */
static void add_hello(struct storm *s, uint16_t suite)
{
    static const uint8_t tail[] = {1, 0, 0, 9, 0, 14, 0, 5, 0, 2, 0, 7, 0};
    uint8_t body[64], record[128];
    struct writer w;
    writer_init(&w, body, sizeof(body));
    writer_u16(&w, 0xfefd);
    for (int i = 0; i < 32; i++)
        writer_u8(&w, (uint8_t)i);
    writer_u16(&w, 0); /* no session, no cookie */
    writer_u16(&w, 2);
    writer_u16(&w, suite);
    writer_bytes(&w, tail, sizeof(tail));
    size_t len = w.len;
    writer_init(&w, record, sizeof(record));
    writer_bytes(&w, (const uint8_t[]){22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0}, 11);
    writer_u16(&w, (uint16_t)(len + 12));
    writer_bytes(&w, (const uint8_t[]){1, 0, 0, (uint8_t)len, 0, 0, 0, 0, 0, 0, 0, (uint8_t)len},
                 12);
    writer_bytes(&w, body, len);
    add_bytes(s, record, w.len);
}

static void add_alert(struct storm *s, uint8_t level, uint8_t description)
{
    const uint8_t alert[] = {21, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 9, 0, 2, level, description};
    add_bytes(s, alert, sizeof(alert));
}

static void add_filled(struct storm *s, const uint8_t *head, size_t head_len, size_t len)
{
    uint8_t data[DATAGRAM_MAX];
    memset(data, 0x41, sizeof(data));
    memcpy(data, head, head_len < len ? head_len : len);
    add_bytes(s, data, len);
}

static void add_lengths(struct storm *s)
{
    static const uint8_t firsts[] = {0, 20, 22, 128, 200};
    for (size_t i = 0; i < sizeof(firsts); i++) {
        for (size_t len = 0; len <= 2000; len += len < 64 || len > 1390 ? 3 : 29)
            add_filled(s, (const uint8_t[]){firsts[i], 1}, 2, len);
    }
}

static int add_kind(struct storm *s, struct slice kind)
{
    static const uint8_t finished[] = {22, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 0, 0, 0, 48};
    if (slice_is(kind, "bare"))
        add_stun(s, s->ufrag, NULL, true);
    else if (slice_is(kind, "user"))
        add_stun(s, s->ufrag, NULL, false);
    else if (slice_is(kind, "wrong"))
        add_stun(s, s->ufrag, PASSWORD, false);
    else if (slice_is(kind, "unknown"))
        add_stun(s, "nobody99", PASSWORD, false);
    else if (slice_is(kind, "hello"))
        add_hello(s, 0xc02b);
    else if (slice_is(kind, "null"))
        add_hello(s, 0xc006);
    else if (slice_is(kind, "alert"))
        add_alert(s, 2, 40);
    else if (slice_is(kind, "close"))
        add_alert(s, 1, 0);
    else if (slice_is(kind, "finished"))
        add_filled(s, finished, sizeof(finished), sizeof(finished) + 48);
    else if (slice_is(kind, "rtp"))
        add_filled(s, (const uint8_t[]){0x80, 102, 0, 1}, 4, 1150);
    else if (slice_is(kind, "rtcp"))
        add_filled(s, (const uint8_t[]){0x80, 200, 0, 6}, 4, 60);
    else if (slice_is(kind, "turn"))
        add_filled(s, (const uint8_t[]){0x40, 0, 0, 60}, 4, 64);
    else if (slice_is(kind, "lengths"))
        add_lengths(s);
    else
        return -EINVAL;
    return 0;
}

static int make_templates(struct storm *s)
{
    struct slice rest = slice_of(s->kinds);
    int rc = 0;
    s->templates = calloc(TEMPLATES_MAX, sizeof(*s->templates));
    if (s->templates == NULL)
        return -ENOMEM;
    while (rest.len > 0 && rc == 0)
        rc = add_kind(s, slice_cut(&rest, ','));
    return s->template_count > 0 ? rc : -EINVAL;
}

/* ---- sockets ---- */

static int open_sources(struct storm *s)
{
    for (uint32_t i = 0; i < s->source_count; i++) {
        struct addr from = {.family = s->target.family};
        struct sockaddr_storage here, there;
        if (from.family == 4)
            memcpy(from.ip, (const uint8_t[]){127, 0, 0, (uint8_t)(2 + i)}, 4);
        else
            from.ip[15] = 1;
        socklen_t here_len = addr_to_sockaddr(&from, &here);
        socklen_t there_len = addr_to_sockaddr(&s->target, &there);
        int fd = socket(here.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        s->sources[i] = fd;
        if (fd < 0 || bind(fd, (const struct sockaddr *)&here, here_len) < 0 ||
            connect(fd, (const struct sockaddr *)&there, there_len) < 0)
            return -errno;
    }
    return 0;
}

static void send_batch(struct storm *s, int fd, size_t count)
{
    struct mmsghdr headers[BATCH];
    struct iovec parts[BATCH];
    memset(headers, 0, sizeof(headers));
    for (size_t i = 0; i < count; i++) {
        struct template *t = &s->templates[(s->sent + i) % s->template_count];
        parts[i] = (struct iovec){t->bytes, t->len};
        headers[i].msg_hdr.msg_iov = &parts[i];
        headers[i].msg_hdr.msg_iovlen = 1;
    }
    int n = sendmmsg(fd, headers, (unsigned)count, MSG_DONTWAIT | MSG_NOSIGNAL);
    s->errors += n < 0;
    for (int i = 0; i < n; i++)
        s->bytes += headers[i].msg_len;
    s->sent += n < 0 ? 0 : (uint64_t)n;
}

static void count_replies(struct storm *s)
{
    uint8_t data[DATAGRAM_MAX];
    for (uint32_t i = 0; i < s->source_count; i++) {
        ssize_t len;
        while ((len = recv(s->sources[i], data, sizeof(data), MSG_DONTWAIT)) >= 0) {
            s->replies++;
            s->reply_bytes += (uint64_t)len;
        }
    }
}

static void run(struct storm *s)
{
    uint64_t start_us = clock_now_us(), passed_us = 0;
    uint64_t limit_us = (uint64_t)s->seconds * CLOCK_SECOND_US;
    for (uint32_t turn = 0; !stopped && (limit_us == 0 || passed_us < limit_us); turn++) {
        uint64_t due = passed_us * s->pps / CLOCK_SECOND_US;
        uint64_t tried = 0;
        for (; s->sent < due && tried < s->pps / 100 + BATCH; tried += BATCH) {
            uint64_t left = due - s->sent;
            send_batch(s, s->sources[(turn + tried / BATCH) % s->source_count],
                       left < BATCH ? (size_t)left : BATCH);
        }
        count_replies(s);
        struct timespec pause = {.tv_nsec = 1000000};
        (void)nanosleep(&pause, NULL);
        passed_us = clock_now_us() - start_us;
    }
    count_replies(s);
    (void)printf("{\"sent\":%llu,\"errors\":%llu,\"pps\":%.0f,\"bytes\":%llu,\"replies\":%llu,"
                 "\"reply_bytes\":%llu}\n",
                 (unsigned long long)s->sent, (unsigned long long)s->errors,
                 (double)s->sent * 1e6 / (double)(passed_us > 0 ? passed_us : 1),
                 (unsigned long long)s->bytes, (unsigned long long)s->replies,
                 (unsigned long long)s->reply_bytes);
}

/* ---- arguments ---- */

static int parse_option(struct storm *s, int option, const char *text)
{
    switch (option) {
    case 't':
        return rawaddr_parse(slice_of(text), &s->target);
    case 'k':
        s->kinds = text;
        return 0;
    case 'u':
        s->ufrag = text;
        return 0;
    case 'p':
        return text_parse_u32(slice_of(text), 10000000, &s->pps);
    case 's':
        return text_parse_u32(slice_of(text), 100000, &s->seconds);
    case 'n':
        return text_parse_u32(slice_of(text), SOURCES_MAX, &s->source_count);
    default:
        return -EINVAL;
    }
}

static int parse_arguments(struct storm *s, int argc, char **argv)
{
    static const struct option options[] = {
        {"target", required_argument, NULL, 't'},
        {"kinds", required_argument, NULL, 'k'},
        {"ufrag", required_argument, NULL, 'u'},
        {"pps", required_argument, NULL, 'p'},
        {"seconds", required_argument, NULL, 's'},
        {"sources", required_argument, NULL, 'n'},
        {NULL, 0, NULL, 0},
    };
    int option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (parse_option(s, option, optarg) != 0)
            return -EINVAL;
    }
    bool whole = s->target.family != 0 && s->target.port != 0 && s->kinds != NULL;
    return whole && s->source_count > 0 && optind == argc ? 0 : -EINVAL;
}

int main(int argc, char **argv)
{
    struct storm s = {.ufrag = "nobody98", .pps = 1000, .seconds = 1, .source_count = 4};
    for (size_t i = 0; i < SOURCES_MAX; i++)
        s.sources[i] = -1;
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        (void)fputs(usage, stdout);
        return EXIT_SUCCESS;
    }
    if (parse_arguments(&s, argc, argv) != 0) {
        (void)fputs(usage, stderr);
        return 2;
    }
    const struct sigaction action = {.sa_handler = on_signal};
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    int rc = make_templates(&s);
    if (rc == 0)
        rc = open_sources(&s);
    if (rc == 0)
        run(&s);
    else
        (void)fprintf(stderr, "rawstorm: %s\n", strerror(-rc));
    fd_close_all(s.sources, SOURCES_MAX);
    free(s.templates);
    return rc == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
