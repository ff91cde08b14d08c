/* The command line of sluicectl: one table of commands, one of options, parsed into one struct. */
#include "gateway/ctl/ctlargs.h"

#include "lib/base/text.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#define CREATE (1u << CTL_TOKEN_CREATE)
#define ANY_COMMAND UINT32_MAX
#define WORDS_MAX 3 /* noun, verb, subject */

struct command {
    const char *noun;
    const char *verb;    /* NULL: the noun stands alone */
    const char *subject; /* what must follow; NULL: nothing */
    const char *usage;
    const char *text;
};

static const struct command commands[CTL_COMMAND_COUNT] = {
    [CTL_TOKEN_CREATE] =
        {"token", "create", NULL,
         "token create --stream PATTERN [--max-duration TIME] [--expires TIME] "
         "[--max-sessions N] [--max-bitrate KBPS] [--on-clash refuse|take-over] [--label TEXT]",
         "Makes a token and shows it, this once. PATTERN is a stream name; * in it "
         "stands for any characters."},
    [CTL_TOKEN_LIST] = {"token", "list", NULL, "token list",
                        "Lists all tokens, without their secrets."},
    [CTL_TOKEN_SHOW] = {"token", "show", "ID", "token show ID", "Shows one token."},
    [CTL_TOKEN_REVOKE] = {"token", "revoke", "ID", "token revoke ID",
                          "Makes a token useless for ever and cuts its live streams at once."},
    [CTL_STREAM_LIST] = {"stream", "list", NULL, "stream list", "Lists the live streams."},
    [CTL_STREAM_SHOW] = {"stream", "show", "NAME", "stream show NAME",
                         "Shows one live stream: its publisher, network and media."},
    [CTL_STREAM_KICK] = {"stream", "kick", "NAME", "stream kick NAME",
                         "Cuts a live stream. Its token stays good; revoke that to keep it away."},
    [CTL_STATUS_SHOW] = {"status", NULL, NULL, "status",
                         "Lists the gateway's processes. The exit status is 0 when all are ready."},
};

enum kind { KIND_FLAG, KIND_TEXT, KIND_TIME, KIND_COUNT };

struct option {
    const char *name;
    enum kind kind;
    uint32_t commands; /* mask */
    size_t offset;     /* bool, const char *, uint64_t or uint32_t by kind */
    uint64_t max;
    const char *usage;
};

#define AT(field) offsetof(struct ctlargs, field)

static const struct option options[] = {
    {"state", KIND_TEXT, ANY_COMMAND, AT(state), 0,
     "--state DIR          the gateway's folder; else $SLUICE_STATE, else " CTLARGS_STATE_DEFAULT},
    {"json", KIND_FLAG, ANY_COMMAND, AT(json), 0,
     "--json               one JSON object instead of a table"},
    {"wait", KIND_COUNT, ANY_COMMAND, AT(wait_s), CTLARGS_WAIT_MAX_S,
     "--wait SECONDS       first wait until the gateway is ready"},
    {"help", KIND_FLAG, ANY_COMMAND, AT(help), 0, "--help               show this"},
    {"stream", KIND_TEXT, CREATE, AT(stream), 0,
     "--stream PATTERN     which streams the token may publish"},
    {"label", KIND_TEXT, CREATE, AT(label), 0, "--label TEXT         a note for people"},
    {"expires", KIND_TIME, CREATE, AT(expires_s), CTLARGS_TIME_MAX_S,
     "--expires TIME       from now on, for example 90s, 15m, 2h, 7d; default: never"},
    {"max-duration", KIND_TIME, CREATE, AT(max_duration_s), CTLARGS_TIME_MAX_S,
     "--max-duration TIME  the longest session; default: no limit"},
    {"max-sessions", KIND_COUNT, CREATE, AT(max_sessions), CTLARGS_SESSIONS_MAX,
     "--max-sessions N     streams at once, 0 = no limit; default: 1 for a name, 0 with *"},
    {"max-bitrate", KIND_COUNT, CREATE, AT(max_bitrate_kbps), CTLARGS_BITRATE_MAX_KBPS,
     "--max-bitrate KBPS   of a stream, kbit/s; default and upper bound: the gateway's limit"},
    {"on-clash", KIND_TEXT, CREATE, AT(on_clash), 0,
     "--on-clash WHAT      when its stream is already being published: refuse (default) or "
     "take-over"},
};
#define OPTION_COUNT (sizeof(options) / sizeof(options[0]))

static int fail(char problem[CTLARGS_PROBLEM_MAX], const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static int fail(char problem[CTLARGS_PROBLEM_MAX], const char *format, ...)
{
    va_list values;
    va_start(values, format);
    vsnprintf(problem, CTLARGS_PROBLEM_MAX, format, values);
    va_end(values);
    return -EINVAL;
}

static const struct option *find_option(struct slice name)
{
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if (slice_is(name, options[i].name))
            return &options[i];
    }
    return NULL;
}

/* What the parser has seen. given is a mask of option indices. */
struct parse {
    struct ctlargs args;
    const char *words[WORDS_MAX];
    size_t word_count;
    uint32_t given;
};

static int set_option(struct parse *p, const struct option *option, const char *value,
                      char problem[CTLARGS_PROBLEM_MAX])
{
    char *to = (char *)&p->args + option->offset;
    uint64_t time_s = 0;
    uint32_t count = 0;
    bool yes = true;
    int rc = 0;
    switch (option->kind) {
    case KIND_FLAG:
        memcpy(to, &yes, sizeof(yes));
        break;
    case KIND_TEXT:
        memcpy(to, &value, sizeof(value));
        break;
    case KIND_TIME:
        rc = text_parse_duration_s(slice_of(value), option->max, &time_s);
        if (rc < 0 || time_s == 0)
            return fail(problem,
                        "--%s: \"%.60s\" is not a time like 90s, 15m, 2h or 7d, at most %llu d",
                        option->name, value, (unsigned long long)(option->max / 86400));
        memcpy(to, &time_s, sizeof(time_s));
        break;
    case KIND_COUNT:
        rc = text_parse_u32(slice_of(value), (uint32_t)option->max, &count);
        if (rc < 0)
            return fail(problem, "--%s: \"%.60s\" is not a number from 0 to %llu", option->name,
                        value, (unsigned long long)option->max);
        memcpy(to, &count, sizeof(count));
        break;
    }
    p->given |= 1u << (option - options);
    return 0;
}

/* One argument that begins with --; *at moves on when its value is the next one. */
static int take_option(struct parse *p, int argc, char *const argv[], int *at,
                       char problem[CTLARGS_PROBLEM_MAX])
{
    struct slice value = slice_skip(slice_of(argv[*at]), 2);
    struct slice name = slice_cut(&value, '=');
    const struct option *option = find_option(name);
    if (!option)
        return fail(problem, "there is no option --%.*s", (int)(name.len > 60 ? 60 : name.len),
                    name.data ? name.data : "");
    const char *text = value.data; /* NULL without =; else NUL-terminated, as argv is */
    if (option->kind == KIND_FLAG) {
        if (text)
            return fail(problem, "--%s takes no value", option->name);
    } else if (!text) {
        if (*at + 1 >= argc)
            return fail(problem, "--%s needs a value", option->name);
        *at += 1;
        text = argv[*at];
    }
    return set_option(p, option, text, problem);
}

static int collect(struct parse *p, int argc, char *const argv[], char problem[CTLARGS_PROBLEM_MAX])
{
    bool options_ended = false;
    for (int i = 1; i < argc; i++) {
        struct slice text = slice_of(argv[i]);
        int rc = 0;
        if (!options_ended && slice_is(text, "--")) {
            options_ended = true;
        } else if (!options_ended && slice_is(text, "-h")) {
            p->args.help = true;
        } else if (!options_ended && slice_starts(text, "--")) {
            rc = take_option(p, argc, argv, &i, problem);
        } else if (!options_ended && text.len > 1 && text.data[0] == '-') {
            rc = fail(problem, "there is no option %.60s", argv[i]);
        } else if (p->word_count == WORDS_MAX) {
            rc = fail(problem, "\"%.60s\" is one word too many", argv[i]);
        } else {
            p->words[p->word_count] = argv[i];
            p->word_count++;
        }
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* Finds the command that the words begin with and takes its subject. */
static int match_command(struct parse *p, char problem[CTLARGS_PROBLEM_MAX])
{
    for (unsigned i = 0; i < CTL_COMMAND_COUNT; i++) {
        const struct command *c = &commands[i];
        size_t used = c->verb ? 2 : 1;
        if (p->word_count < used || strcmp(p->words[0], c->noun) != 0 ||
            (c->verb && strcmp(p->words[1], c->verb) != 0))
            continue;
        p->args.command = (enum ctl_command)i;
        if (p->args.help)
            return 0;
        if (c->subject && p->word_count == used)
            return fail(problem, "%s is missing: sluicectl %s", c->subject, c->usage);
        if (p->word_count > used + (c->subject ? 1 : 0))
            return fail(problem, "\"%.60s\" is one word too many: sluicectl %s",
                        p->words[p->word_count - 1], c->usage);
        p->args.subject = c->subject ? p->words[used] : NULL;
        return 0;
    }
    if (p->word_count > 1)
        return fail(problem, "there is no command \"%.40s %.40s\"", p->words[0], p->words[1]);
    return fail(problem, "there is no command \"%.40s\"", p->words[0]);
}

/* Options of other commands, and options that the command cannot do without. */
static int check_options(const struct parse *p, char problem[CTLARGS_PROBLEM_MAX])
{
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if ((p->given >> i & 1) != 0 && (options[i].commands >> p->args.command & 1) == 0)
            return fail(problem, "--%s is not an option of %s", options[i].name,
                        ctlargs_command_name(p->args.command));
    }
    if (p->args.command == CTL_TOKEN_CREATE && !p->args.stream)
        return fail(problem, "--stream is missing; '*' is every stream");
    if (p->args.on_clash && strcmp(p->args.on_clash, "refuse") != 0 &&
        strcmp(p->args.on_clash, "take-over") != 0)
        return fail(problem, "--on-clash: \"%.60s\" is neither refuse nor take-over",
                    p->args.on_clash);
    return 0;
}

int ctlargs_parse(int argc, char *const argv[], const char *environment_state, struct ctlargs *out,
                  char problem[CTLARGS_PROBLEM_MAX])
{
    struct parse p = {0};
    bool from_environment = environment_state && environment_state[0] != '\0';
    p.args.state = from_environment ? environment_state : CTLARGS_STATE_DEFAULT;
    int rc = collect(&p, argc, argv, problem);
    if (rc < 0)
        return rc;
    if (p.word_count == 0 ||
        (p.word_count == 1 && p.args.help && strcmp(p.words[0], "status") != 0)) {
        if (!p.args.help)
            return fail(problem, "a command is missing");
        p.args.all_help = true;
        *out = p.args;
        return 0;
    }
    rc = match_command(&p, problem);
    if (rc == 0 && !p.args.help)
        rc = check_options(&p, problem);
    if (rc < 0)
        return rc;
    p.args.sessions_given = (p.given >> (find_option(slice_of("max-sessions")) - options) & 1) != 0;
    *out = p.args;
    return 0;
}

void ctlargs_print_usage(FILE *to, const struct ctlargs *args)
{
    uint32_t mask = args->all_help ? ANY_COMMAND : 1u << args->command;
    fputs("sluicectl talks to a running gateway.\n\n", to);
    for (unsigned i = 0; i < CTL_COMMAND_COUNT; i++) {
        if ((mask >> i & 1) != 0)
            fprintf(to, "  sluicectl %s\n      %s\n", commands[i].usage, commands[i].text);
    }
    fputs("\nOptions:\n", to);
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if ((options[i].commands & mask) != 0)
            fprintf(to, "  %s\n", options[i].usage);
    }
    fputs("\nExit status: 0 done, 1 refused or failed, 2 wrong usage, 3 gateway not reachable.\n",
          to);
}

const char *ctlargs_command_name(enum ctl_command command)
{
    static const char *const names[CTL_COMMAND_COUNT] = {
        [CTL_TOKEN_CREATE] = "token create", [CTL_TOKEN_LIST] = "token list",
        [CTL_TOKEN_SHOW] = "token show",     [CTL_TOKEN_REVOKE] = "token revoke",
        [CTL_STREAM_LIST] = "stream list",   [CTL_STREAM_KICK] = "stream kick",
        [CTL_STREAM_SHOW] = "stream show",   [CTL_STATUS_SHOW] = "status",
    };
    return names[command];
}
