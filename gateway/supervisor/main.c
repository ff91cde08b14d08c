/* sluiced: the privileged parent. It starts the roles, carries their messages, keeps the session
 * table and the deadlines, and reads no byte of network or media. */
#include "gateway/supervisor/privilege.h"
#include "gateway/supervisor/supervisor.h"
#include "gateway/supervisor/tls_files.h"
#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "lib/base/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char usage[] =
    "usage: sluiced [--config FILE] [--check] [--state DIR] [--listen ADDR] [--port N]\n"
    "               [--tls-certificate FILE --tls-key FILE] [--help]\n"
    "  --config FILE  read FILE (see gateway.conf.example); options override it\n"
    "  --check        check the configuration and exit\n"
    "  --state DIR    folder for tokens, pepper and control.sock (default ./state)\n"
    "  --listen ADDR  address for HTTP; other than loopback needs a certificate\n"
    "  --port N       TCP port for HTTP (default 8080)\n";

struct options {
    const char *config;
    bool check;
    bool help;
    bool test_hooks;
};

enum {
    OPT_CONFIG = 1,
    OPT_CHECK,
    OPT_STATE,
    OPT_LISTEN,
    OPT_PORT,
    OPT_CERT,
    OPT_KEY,
    OPT_HOOKS,
    OPT_HELP
};

static const struct option long_options[] = {
    {"config", required_argument, NULL, OPT_CONFIG},
    {"check", no_argument, NULL, OPT_CHECK},
    {"state", required_argument, NULL, OPT_STATE},
    {"listen", required_argument, NULL, OPT_LISTEN},
    {"port", required_argument, NULL, OPT_PORT},
    {"tls-certificate", required_argument, NULL, OPT_CERT},
    {"tls-key", required_argument, NULL, OPT_KEY},
    {"test-hooks", no_argument, NULL, OPT_HOOKS}, /* lets tests try to escape; not documented */
    {"help", no_argument, NULL, OPT_HELP},
    {NULL, 0, NULL, 0},
};

static int take_port(const char *text, struct conf *conf)
{
    uint32_t port = 0;
    int rc = text_parse_u32(slice_of(text), 65535, &port);
    if (rc == 0 && port > 0)
        conf->port = (uint16_t)port;
    return rc == 0 && port > 0 ? 0 : -EINVAL;
}

static int take_option(int option, const char *value, struct conf *conf, struct options *options)
{
    switch (option) {
    case OPT_CONFIG:
        options->config = value;
        return 0;
    case OPT_CHECK:
        options->check = true;
        return 0;
    case OPT_HOOKS:
        options->test_hooks = true;
        return 0;
    case OPT_HELP:
        options->help = true;
        return 0;
    case OPT_STATE:
        return text_copy(conf->state, sizeof(conf->state), slice_of(value));
    case OPT_LISTEN:
        return text_copy(conf->listen, sizeof(conf->listen), slice_of(value));
    case OPT_PORT:
        return take_port(value, conf);
    case OPT_CERT:
        return text_copy(conf->tls_certificate, sizeof(conf->tls_certificate), slice_of(value));
    case OPT_KEY:
        return text_copy(conf->tls_key, sizeof(conf->tls_key), slice_of(value));
    default:
        return -EINVAL;
    }
}

/* Twice over the arguments: the file first, then what overrides it. */
static int read_arguments(int argc, char **argv, struct conf *conf, struct options *options)
{
    for (int pass = 0; pass < 2; pass++) {
        int option;
        optind = 1;
        opterr = pass == 0;
        while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
            if (take_option(option, optarg, conf, options)) {
                fprintf(stderr, "sluiced: bad option or value\n%s", usage);
                return -EINVAL;
            }
        }
        if (optind < argc) {
            fprintf(stderr, "sluiced: unexpected argument: %s\n%s", argv[optind], usage);
            return -EINVAL;
        }
        if (pass == 0 && options->config) {
            conf_init(conf);
            int rc = conf_load(conf, options->config);
            if (rc)
                return rc;
        }
    }
    return options->help ? 0 : conf_check(conf);
}

static void on_heartbeat(void *ctx)
{
    struct supervisor *sup = ctx;
    process_heartbeat(sup);
    loop_timer_set(&sup->loop, &sup->heartbeat, clock_now_us() + PROCESS_HEARTBEAT_US, on_heartbeat,
                   sup);
}

static void on_signal(void *ctx, const struct signalfd_siginfo *info)
{
    struct supervisor *sup = ctx;
    if (info->ssi_signo == SIGHUP) {
        log_event(LOG_WARN, "reload_refused", "why=\"restart to apply a changed configuration\"");
        return;
    }
    if (sup->stopping) /* a second Ctrl-C: we are at it, and the loop must go on serving exits */
        return;
    log_event(LOG_INFO, "stop", "signal=%u", info->ssi_signo);
    loop_stop(&sup->loop);
}

static int find_libexec(struct supervisor *sup)
{
    ssize_t n = readlink("/proc/self/exe", sup->libexec, sizeof(sup->libexec) - 1);
    if (n < 0)
        return -errno;
    sup->libexec[n] = '\0';
    char *slash = strrchr(sup->libexec, '/');
    if (slash)
        *slash = '\0';
    for (enum process_kind kind = 0; kind < PROCESS_KIND_COUNT; kind++) {
        char program[CONF_PATH_MAX + 32];
        snprintf(program, sizeof(program), "%s/sluice-%s", sup->libexec, process_name(kind));
        if (access(program, X_OK) < 0) {
            fprintf(stderr, "sluiced: %s: %s: build or install it beside sluiced\n", program,
                    strerror(errno));
            return -ENOENT;
        }
    }
    return 0;
}

/* The supervisor's own lines take the same way as the roles'. */
static int open_log(struct supervisor *sup, int *out_write_fd)
{
    int fds[2];
    if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
        return -errno;
    log_open(fds[1], "supervisor", sup->conf.log_level);
    *out_write_fd = fds[1];
    return logrelay_open(&sup->own_log, &sup->loop, fds[0], 0);
}

static void report_layers(const struct supervisor *sup)
{
    if (sup->root)
        log_event(LOG_INFO, "start", "user=root uid_base=%u media_port=%u addresses=%zu",
                  sup->conf.uid_base, sup->listeners.media[0].port, sup->listeners.media_count);
    else
        log_event(LOG_INFO, "start",
                  "user=ordinary media_port=%u addresses=%zu absent=\"own uid per role, locked "
                  "segments, larger receive buffers: start as root to have them\"",
                  sup->listeners.media[0].port, sup->listeners.media_count);
}

static int start(struct supervisor *sup, int *log_fd)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    signal(SIGPIPE, SIG_IGN);
    privilege_raise_limits();
    uid_t base = sup->root ? sup->conf.uid_base : 0;
    int rc = find_libexec(sup);
    if (rc == 0 && sup->conf.tls_certificate[0])
        rc = tls_files_read(sup->conf.tls_certificate, sup->conf.tls_key, &sup->tls, &sup->tls_len);
    if (rc == 0)
        rc = statedir_open(&sup->state, sup->conf.state, base ? base + 1 + PROCESS_AUTH : 0);
    if (rc == 0)
        rc = listeners_open(&sup->listeners, &sup->conf, base ? base + 1 + PROCESS_EDGE : 0);
    if (rc == 0)
        rc = privilege_reduce();
    if (rc == 0)
        rc = open_log(sup, log_fd);
    if (rc == 0)
        rc = loop_signals(&sup->loop, &set, on_signal, sup);
    if (rc)
        return rc;
    report_layers(sup);
    process_fill(sup);
    on_heartbeat(sup);
    return 0;
}

static void stop(struct supervisor *sup, int *log_fd)
{
    sup->stopping = true;
    publication_end_all(sup, END_SHUTDOWN);
    playback_free_all(sup);
    session_url_free_all(sup);
    process_stop_all(sup);
    publication_end_all(sup, END_SHUTDOWN);
    logrelay_close(&sup->own_log);
    fd_close(log_fd);
    listeners_close(&sup->listeners);
    statedir_close(&sup->state);
    if (sup->tls)
        secret_wipe(sup->tls, sup->tls_len);
    free(sup->tls);
    secret_wipe(sup->conf.turn_secret, sizeof(sup->conf.turn_secret));
    loop_done(&sup->loop);
}

int main(int argc, char **argv)
{
    struct options options = {0};
    int log_fd = -1;
    struct supervisor *sup = calloc(1, sizeof(*sup));
    if (!sup)
        return 1;
    conf_init(&sup->conf);
    sup->own_log.watch.fd = -1;
    sup->state =
        (struct statedir){.dir_fd = -1, .lock_fd = -1, .database_fd = -1, .control_fd = -1};
    int rc = read_arguments(argc, argv, &sup->conf, &options);
    if (rc || options.help || options.check) {
        if (rc == 0)
            fputs(options.help ? usage : "sluiced: the configuration is valid\n", stdout);
        free(sup);
        return rc ? 2 : 0;
    }
    sup->root = geteuid() == 0;
    sup->test_hooks = options.test_hooks;
    listeners_init(&sup->listeners);
    rc = loop_init(&sup->loop);
    if (rc) {
        fprintf(stderr, "sluiced: not started: %s\n", strerror(-rc));
        free(sup);
        return 1;
    }
    rc = start(sup, &log_fd);
    if (rc == 0)
        rc = loop_run(&sup->loop);
    else
        fprintf(stderr, "sluiced: not started: %s\n", strerror(-rc));
    stop(sup, &log_fd);
    free(sup);
    return rc ? 1 : 0;
}
