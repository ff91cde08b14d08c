/* A bad network for tests: a seeded UDP relay that loses, delays, reorders, duplicates and damages
 * datagrams between clients and one target. */
#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "tests/support/rawaddr.h"
#include "tests/support/relay.h"
#include "tests/support/relayspec.h"

#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define LINE_MAX_LEN 256u
#define QUEUE_DEFAULT_US 200000u

static const char usage[] =
    "usage: relay --target IP:PORT [options]\n"
    "Relays UDP between its clients and the target, badly. The first line it prints is\n"
    "{\"event\":\"listening\",\"port\":N}; at the end of input, on SIGINT or SIGTERM it prints "
    "its\n"
    "statistics and ends. The same seed and the same order of a client's datagrams give the same\n"
    "fates.\n"
    "\n"
    "  --listen IP:PORT   default 127.0.0.1 and a free port\n"
    "  --seed N           default 1\n"
    "  --control          read commands, a line each: loss, burst, delay, jitter, reorder,\n"
    "                     duplicate, flip, rate, queue with a value; block MS (nothing passes);\n"
    "                     rebind (clients come from new ports); stats\n"
    "  --json             one JSON object a line\n"
    "\n"
    "Each direction by itself, unless --up-only or --down-only:\n"
    "  --loss PCT\n"
    "  --burst ENTER_PCT,LEAVE_PCT   chance of a burst to begin and to end; all of it is lost\n"
    "  --delay MS\n"
    "  --jitter MS        0 to MS more; datagrams overtake each other unless --in-order\n"
    "  --in-order\n"
    "  --reorder PCT      held back for 10 to 20 ms\n"
    "  --duplicate PCT\n"
    "  --flip PCT         one bit is changed\n"
    "  --rate KBPS        drops what would wait longer than --queue\n"
    "  --queue MS         default 200\n";

/* The process's state. */
struct relay_program {
    struct loop loop;
    struct relay relay;
    struct relaylink_config config; /* as the words say; used in the directions below */
    struct addr listen;
    struct addr target;
    bool affected[RELAY_DIRECTIONS];
    bool control;
    bool json;
    uint32_t seed;
    struct loop_watch input;
    char line[LINE_MAX_LEN];
    size_t line_len;
};

/* ---- output ---- */

/* One line; the object is consumed. */
static void print_object(json_t *object, bool json)
{
    const char *key;
    json_t *value;
    if (json) {
        (void)json_dumpf(object, stdout, JSON_COMPACT | JSON_REAL_PRECISION(6));
    } else {
        json_object_foreach(object, key, value)
        {
            (void)printf("%s=", key);
            (void)json_dumpf(value, stdout,
                             JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(6));
            (void)printf(" ");
        }
    }
    (void)printf("\n");
    (void)fflush(stdout);
    json_decref(object);
}

static json_t *count_object(const struct relay *relay, enum relay_direction direction)
{
    struct relay_counts c = relay_count(relay, direction);
    double mean_us = c.sent > 0 ? (double)c.late_us / (double)c.sent : 0;
    json_t *object =
        json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:I}", "received", (json_int_t)c.received, "sent",
                  (json_int_t)c.sent, "lost", (json_int_t)c.lost, "blocked", (json_int_t)c.blocked,
                  "duplicated", (json_int_t)c.duplicated, "reordered", (json_int_t)c.reordered,
                  "flipped", (json_int_t)c.flipped);
    json_t *more = json_pack("{s:I,s:I,s:I,s:I,s:f,s:I}", "queue_drops", (json_int_t)c.queue_drops,
                             "kernel_drops", (json_int_t)c.kernel_drops, "refused",
                             (json_int_t)c.refused, "send_errors", (json_int_t)c.send_errors,
                             "late_mean_us", mean_us, "late_max_us", (json_int_t)c.late_max_us);
    (void)json_object_update(object, more);
    json_decref(more);
    return object;
}

static void print_stats(const struct relay_program *program)
{
    const struct relay *relay = &program->relay;
    print_object(json_pack("{s:s,s:I,s:I,s:I,s:o,s:o}", "event", "stats", "at",
                           (json_int_t)clock_now_us(), "clients",
                           (json_int_t)relay_client_count(relay), "queued",
                           (json_int_t)relay->queue.count, "up", count_object(relay, RELAY_UP),
                           "down", count_object(relay, RELAY_DOWN)),
                 program->json);
}

/* ---- commands ---- */

static void configure(struct relay_program *program)
{
    for (unsigned d = 0; d < RELAY_DIRECTIONS; d++) {
        if (program->affected[d])
            program->relay.configs[d] = program->config;
    }
}

static int command_block(struct relay_program *program, struct slice value)
{
    uint32_t time_us = 0;
    int rc = relayspec_parse_ms(value, &time_us);
    if (rc == 0)
        program->config.block_until_us = clock_now_us() + time_us;
    return rc;
}

static int command_rebind(struct relay_program *program)
{
    uint16_t port = 0;
    int rc = relay_rebind(&program->relay, &port);
    if (rc == 0)
        print_object(json_pack("{s:s,s:I,s:I,s:i}", "event", "rebound", "at",
                               (json_int_t)clock_now_us(), "clients",
                               (json_int_t)relay_client_count(&program->relay), "port", port),
                     program->json);
    return rc;
}

static void on_command(struct relay_program *program, struct slice line)
{
    struct slice value = slice_trim(line);
    struct slice name = slice_cut(&value, ' ');
    int rc = 0;
    if (slice_is(name, "stats") && value.len == 0) {
        print_stats(program);
        return;
    }
    if (slice_is(name, "rebind") && value.len == 0) {
        rc = command_rebind(program);
        if (rc == 0)
            return;
    } else if (slice_is(name, "block")) {
        rc = command_block(program, value);
    } else {
        rc = relayspec_set(&program->config, name, value);
    }
    if (rc != 0) {
        print_object(json_pack("{s:s,s:s}", "event", "error", "reason",
                               rc == -ENOENT ? "no such command" : strerror(-rc)),
                     program->json);
        return;
    }
    configure(program);
    print_object(json_pack("{s:s,s:I}", "event", "set", "at", (json_int_t)clock_now_us()),
                 program->json);
}

static void on_input(void *ctx, uint32_t events)
{
    struct relay_program *program = ctx;
    (void)events;
    ssize_t len = read(STDIN_FILENO, program->line + program->line_len,
                       sizeof(program->line) - program->line_len);
    if (len < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (len <= 0) {
        loop_stop(&program->loop);
        return;
    }
    program->line_len += (size_t)len;
    struct slice rest = slice_make(program->line, program->line_len);
    while (rest.len > 0 && memchr(rest.data, '\n', rest.len) != NULL)
        on_command(program, slice_line(&rest));
    if (rest.len == sizeof(program->line)) { /* no command is this long */
        loop_stop(&program->loop);
        return;
    }
    memmove(program->line, rest.data != NULL ? rest.data : program->line, rest.len);
    program->line_len = rest.len;
}

static void on_signal(void *ctx, const struct signalfd_siginfo *info)
{
    struct relay_program *program = ctx;
    (void)info;
    loop_stop(&program->loop);
}

/* ---- start ---- */

static int parse_option(struct relay_program *program, const char *name, const char *text)
{
    struct slice value = slice_of(text);
    if (strcmp(name, "listen") == 0)
        return rawaddr_parse(value, &program->listen);
    if (strcmp(name, "target") == 0)
        return rawaddr_parse(value, &program->target);
    if (strcmp(name, "seed") == 0)
        return text_parse_u32(value, UINT32_MAX, &program->seed);
    if (strcmp(name, "in-order") == 0)
        program->config.in_order = true;
    else if (strcmp(name, "up-only") == 0)
        program->affected[RELAY_DOWN] = false;
    else if (strcmp(name, "down-only") == 0)
        program->affected[RELAY_UP] = false;
    else if (strcmp(name, "control") == 0)
        program->control = true;
    else if (strcmp(name, "json") == 0)
        program->json = true;
    else
        return relayspec_set(&program->config, slice_of(name), value);
    return 0;
}

static int parse_arguments(struct relay_program *program, int argc, char **argv)
{
    static const struct option options[] = {
        {"listen", required_argument, NULL, 0},
        {"target", required_argument, NULL, 0},
        {"seed", required_argument, NULL, 0},
        {"loss", required_argument, NULL, 0},
        {"burst", required_argument, NULL, 0},
        {"delay", required_argument, NULL, 0},
        {"jitter", required_argument, NULL, 0},
        {"reorder", required_argument, NULL, 0},
        {"duplicate", required_argument, NULL, 0},
        {"flip", required_argument, NULL, 0},
        {"rate", required_argument, NULL, 0},
        {"queue", required_argument, NULL, 0},
        {"in-order", no_argument, NULL, 0},
        {"up-only", no_argument, NULL, 0},
        {"down-only", no_argument, NULL, 0},
        {"control", no_argument, NULL, 0},
        {"json", no_argument, NULL, 0},
        {NULL, 0, NULL, 0},
    };
    int found = 0;
    int option;
    while ((option = getopt_long(argc, argv, "", options, &found)) != -1) {
        if (option != 0 || parse_option(program, options[found].name, optarg) != 0)
            return -EBADMSG;
    }
    bool any = program->affected[RELAY_UP] || program->affected[RELAY_DOWN];
    return program->target.port != 0 && any && optind == argc ? 0 : -EBADMSG;
}

/* A busy machine is no part of the network that is played: ahead of the others where root may. */
static void hurry(void)
{
    const struct sched_param lowest = {.sched_priority = 1};
    (void)sched_setscheduler(0, SCHED_RR, &lowest);
    (void)prctl(PR_SET_TIMERSLACK, 1UL); /* nanosecond */
}

static int start(struct relay_program *program)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    hurry();
    configure(program);
    int rc = loop_signals(&program->loop, &set, on_signal, program);
    if (rc == 0)
        rc = relay_open(&program->relay, &program->loop, &program->listen, &program->target,
                        program->seed);
    if (rc == 0 && program->control)
        rc = fd_nonblock(STDIN_FILENO);
    if (rc == 0 && program->control)
        rc = loop_add(&program->loop, &program->input, STDIN_FILENO, EPOLLIN, on_input, program);
    if (rc == 0)
        print_object(
            json_pack("{s:s,s:i}", "event", "listening", "port", relay_port(&program->relay)),
            true);
    return rc;
}

int main(int argc, char **argv)
{
    struct relay_program program = {
        .config = {.queue_us = QUEUE_DEFAULT_US},
        .affected = {true, true},
        .seed = 1,
        .input = {.fd = -1},
    };
    (void)addr_parse(slice_of("127.0.0.1"), &program.listen);
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        (void)fputs(usage, stdout);
        return EXIT_SUCCESS;
    }
    if (parse_arguments(&program, argc, argv) != 0) {
        (void)fputs(usage, stderr);
        return 2;
    }
    int rc = loop_init(&program.loop);
    if (rc == 0)
        rc = start(&program);
    if (rc == 0)
        rc = loop_run(&program.loop);
    if (rc == 0)
        print_stats(&program);
    else
        (void)fprintf(stderr, "relay: %s\n", strerror(-rc));
    loop_remove(&program.loop, &program.input);
    if (program.relay.loop != NULL)
        relay_close(&program.relay);
    loop_done(&program.loop);
    return rc == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
