/* The command line of sluicectl: one table of commands, one of options, parsed into one struct.
 *
 * Options may stand anywhere, as `--name value` or `--name=value`; `--` ends them. */
#ifndef SLUICE_CTL_CTLARGS_H
#define SLUICE_CTL_CTLARGS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define CTLARGS_PROBLEM_MAX 200
#define CTLARGS_STATE_DEFAULT "./state"
#define CTLARGS_WAIT_MAX_S 3600u
#define CTLARGS_TIME_MAX_S (10ull * 366 * 86400)
#define CTLARGS_SESSIONS_MAX 65535u
#define CTLARGS_BITRATE_MAX_KBPS 1000000u

enum ctl_command {
    CTL_TOKEN_CREATE,
    CTL_TOKEN_LIST,
    CTL_TOKEN_SHOW,
    CTL_TOKEN_REVOKE,
    CTL_STREAM_LIST,
    CTL_STREAM_SHOW,
    CTL_STREAM_KICK,
    CTL_STATUS_SHOW,
    CTL_COMMAND_COUNT,
};

/* Texts are borrowed from argv or the environment; NULL and 0 stand for options not given. */
struct ctlargs {
    enum ctl_command command;
    bool help; /* usage was asked for: of command, or of everything if all_help */
    bool all_help;
    bool json;
    uint32_t wait_s;
    const char *state;   /* never NULL */
    const char *subject; /* ID or NAME of the command */
    const char *stream;
    const char *label;
    uint64_t expires_s;
    uint64_t max_duration_s;
    bool sessions_given;
    uint32_t max_sessions;
    uint32_t max_bitrate_kbps; /* 0: the gateway's limit */
    const char *on_clash;      /* "refuse" or "take-over" */
};

/* environment_state: $SLUICE_STATE or NULL. 0, or -EINVAL with a sentence in problem. */
int ctlargs_parse(int argc, char *const argv[], const char *environment_state, struct ctlargs *out,
                  char problem[CTLARGS_PROBLEM_MAX]);

/* The page that --help shows: of one command, or of all. */
void ctlargs_print_usage(FILE *to, const struct ctlargs *args);

const char *ctlargs_command_name(enum ctl_command command); /* "token create" */

#endif
