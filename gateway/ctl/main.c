/* sluicectl: the administrator's command. Asks the running gateway and prints what it says. */
#include "gateway/ctl/ctlargs.h"
#include "gateway/ctl/ctlclient.h"
#include "gateway/ctl/ctlprint.h"
#include "gateway/ctl/ctlrequest.h"
#include "gateway/ctl/ctlstream.h"
#include "lib/base/clock.h"
#include "lib/base/fd.h"

#include <errno.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define RETRY_NS 50000000 /* between two looks while waiting */
#define PAGES_MAX 1000

enum exit_status { EXIT_DONE, EXIT_REFUSED, EXIT_USAGE, EXIT_UNREACHABLE };

static bool is_ok(const json_t *answer)
{
    return json_is_true(json_object_get(answer, "ok"));
}

/* Connects and asks for the status. 0 when the gateway is ready; else a negative errno and why. */
static int look(const struct ctlargs *args, char problem[CTLCLIENT_PROBLEM_MAX])
{
    int fd = -1;
    json_t *answer = NULL;
    json_t *request = json_pack("{s:s}", "op", "status");
    int rc = request ? 0 : -ENOMEM;
    if (rc == 0)
        rc = ctlclient_open(args->state, args->wait_s, &fd, problem);
    if (rc == 0)
        rc = ctlclient_ask(fd, request, &answer, problem);
    if (rc == 0 && !(is_ok(answer) && json_is_true(json_object_get(answer, "ready")))) {
        snprintf(problem, CTLCLIENT_PROBLEM_MAX,
                 "the gateway did not become ready in %u s; sluicectl status and its log say more",
                 args->wait_s);
        rc = -EAGAIN;
    }
    json_decref(answer);
    json_decref(request);
    fd_close(&fd);
    return rc;
}

static int wait_until_ready(const struct ctlargs *args, char problem[CTLCLIENT_PROBLEM_MAX])
{
    uint64_t end_us = clock_now_us() + (uint64_t)args->wait_s * CLOCK_SECOND_US;
    int rc = look(args, problem);
    while (rc < 0 && rc != -EACCES && rc != -EPERM && clock_now_us() < end_us) {
        struct timespec pause = {.tv_nsec = RETRY_NS};
        nanosleep(&pause, NULL);
        rc = look(args, problem);
    }
    return rc;
}

/* Asks for the further pages of a list and puts their tokens behind those of the first. */
static int add_pages(int fd, json_t *first, char problem[CTLCLIENT_PROBLEM_MAX])
{
    json_t *all = json_object_get(first, "tokens");
    json_t *request = ctlrequest_next_page(first);
    int rc = 0;
    for (unsigned i = 0; rc == 0 && request && i < PAGES_MAX; i++) {
        json_t *page = NULL;
        rc = ctlclient_ask(fd, request, &page, problem);
        json_decref(request);
        request = NULL;
        if (rc == 0) {
            json_array_extend(all, json_object_get(page, "tokens"));
            request = ctlrequest_next_page(page);
        }
        json_decref(page);
    }
    json_decref(request);
    json_object_del(first, "more");
    return rc;
}

static enum exit_status print_answer(const struct ctlargs *args, const json_t *answer)
{
    if (!is_ok(answer)) {
        const char *message = json_string_value(json_object_get(answer, "message"));
        fprintf(stderr, "sluicectl: %s: %s\n", ctlargs_command_name(args->command),
                message ? message : "refused without a reason");
        return EXIT_REFUSED;
    }
    int rc = args->json
                 ? ctlprint_json(stdout, answer)
                 : ctlprint_answer(stdout, args->command, answer, clock_wall_us() / CLOCK_MS_US);
    if (rc < 0 || fflush(stdout) != 0) {
        fprintf(stderr, "sluicectl: the answer could not be printed\n");
        return EXIT_REFUSED;
    }
    if (args->command == CTL_STATUS_SHOW && !json_is_true(json_object_get(answer, "ready")))
        return EXIT_REFUSED;
    return EXIT_DONE;
}

static enum exit_status run(const struct ctlargs *args)
{
    enum exit_status status = EXIT_UNREACHABLE;
    char problem[CTLCLIENT_PROBLEM_MAX] = "out of memory";
    int fd = -1;
    json_t *answer = NULL;
    json_t *request = ctlrequest_make(args);
    int rc = 0;
    if (!request) {
        fprintf(stderr, "sluicectl: a value is not UTF-8 text\n");
        return EXIT_USAGE;
    }
    if (args->wait_s > 0)
        rc = wait_until_ready(args, problem);
    if (rc == 0)
        rc = ctlclient_open(args->state, CTLCLIENT_PATIENCE_S, &fd, problem);
    if (rc == 0)
        rc = ctlclient_ask(fd, request, &answer, problem);
    if (rc == 0 && args->command == CTL_TOKEN_LIST && is_ok(answer))
        rc = add_pages(fd, answer, problem);
    if (rc == 0 && args->command == CTL_STREAM_SHOW && is_ok(answer))
        rc = ctlstream_pick(&answer, args->subject);
    if (rc == 0)
        status = print_answer(args, answer);
    else
        fprintf(stderr, "sluicectl: %s\n", problem);
    json_decref(answer);
    json_decref(request);
    fd_close(&fd);
    return status;
}

int main(int argc, char *argv[])
{
    struct ctlargs args;
    char problem[CTLARGS_PROBLEM_MAX];
    int rc = ctlargs_parse(argc, argv, getenv("SLUICE_STATE"), &args, problem);
    if (rc < 0) {
        fprintf(stderr, "sluicectl: %s; sluicectl --help shows all commands\n", problem);
        return EXIT_USAGE;
    }
    if (args.help) {
        ctlargs_print_usage(stdout, &args);
        return EXIT_DONE;
    }
    return (int)run(&args);
}
