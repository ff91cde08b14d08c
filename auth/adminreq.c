/* One line of control.sock as a checked request. */
#include "auth/adminreq.h"

#include "lib/base/text.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

#define OP(op) (1u << ADMINREQ_##op)

static const char *const op_names[ADMINREQ_OP_COUNT] = {
    [ADMINREQ_TOKEN_CREATE] = "token.create",
    [ADMINREQ_TOKEN_LIST] = "token.list",
    [ADMINREQ_TOKEN_SHOW] = "token.show",
    [ADMINREQ_TOKEN_REVOKE] = "token.revoke",
    [ADMINREQ_STREAM_LIST] = "stream.list",
    [ADMINREQ_STREAM_KICK] = "stream.kick",
    [ADMINREQ_STATUS] = "status",
};

/* Where a key's value goes. cap is 0 for a number, which max bounds. */
struct field {
    const char *key;
    unsigned required; /* operations, as a mask */
    unsigned allowed;
    size_t offset;
    size_t cap;
    uint64_t max;
};

#define TEXT_FIELD(name) offsetof(struct adminreq, name), sizeof(((struct adminreq *)0)->name), 0
#define NUMBER_FIELD(name, max) offsetof(struct adminreq, name), 0, max

static const struct field fields[] = {
    {"stream", OP(TOKEN_CREATE) | OP(STREAM_KICK), 0, TEXT_FIELD(stream)},
    {"id", OP(TOKEN_SHOW) | OP(TOKEN_REVOKE), 0, TEXT_FIELD(id)},
    {"label", 0, OP(TOKEN_CREATE), TEXT_FIELD(label)},
    {"expires_s", 0, OP(TOKEN_CREATE), NUMBER_FIELD(expires_s, TOKEN_TIME_MAX_S)},
    {"max_duration_s", 0, OP(TOKEN_CREATE), NUMBER_FIELD(max_duration_s, TOKEN_TIME_MAX_S)},
    {"max_sessions", 0, OP(TOKEN_CREATE), NUMBER_FIELD(max_sessions, TOKEN_SESSIONS_MAX)},
    {"max_bitrate_kbps", 0, OP(TOKEN_CREATE),
     NUMBER_FIELD(max_bitrate_kbps, TOKEN_BITRATE_MAX_KBPS)},
    {"on_clash", 0, OP(TOKEN_CREATE), TEXT_FIELD(on_clash)},
    {"after_ms", 0, OP(TOKEN_LIST), NUMBER_FIELD(after_ms, INT64_MAX)},
    {"after_id", 0, OP(TOKEN_LIST), TEXT_FIELD(after_id)},
};
#define FIELD_COUNT (sizeof(fields) / sizeof(fields[0]))

/* jansson's parser recurses: the depth is counted before it sees the line. */
static bool depth_ok(const char *line, size_t len)
{
    size_t depth = 0;
    bool in_text = false;
    for (size_t i = 0; i < len; i++) {
        char c = line[i];
        if (in_text && c == '\\')
            i++;
        else if (c == '"')
            in_text = !in_text;
        else if (!in_text && (c == '{' || c == '['))
            depth++;
        else if (!in_text && (c == '}' || c == ']') && depth > 0)
            depth--;
        if (depth > ADMINREQ_DEPTH_MAX)
            return false;
    }
    return true;
}

static const struct field *find_field(const char *key)
{
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        if (strcmp(fields[i].key, key) == 0)
            return &fields[i];
    }
    return NULL;
}

static bool find_op(const json_t *value, enum adminreq_op *out)
{
    const char *text = json_string_value(value);
    for (unsigned i = 0; text && i < ADMINREQ_OP_COUNT; i++) {
        if (strcmp(text, op_names[i]) == 0) {
            *out = (enum adminreq_op)i;
            return true;
        }
    }
    return false;
}

/* Stores one value; a sentence when it does not fit. */
static const char *set_field(const struct field *field, const json_t *value, struct adminreq *out)
{
    char *to = (char *)out + field->offset;
    if (field->cap != 0) {
        if (!json_is_string(value))
            return "a value that must be text is not";
        struct slice text = slice_make(json_string_value(value), json_string_length(value));
        return text_copy(to, field->cap, text) < 0 ? "a text is too long" : NULL;
    }
    json_int_t number = json_integer_value(value);
    if (!json_is_integer(value) || number < 0)
        return "a value that must be a whole number, zero or more, is not";
    uint64_t unsigned_number = (uint64_t)number;
    if (unsigned_number > field->max)
        return "a number is too large";
    memcpy(to, &unsigned_number, sizeof(unsigned_number));
    return NULL;
}

static const char *set_fields(json_t *object, struct adminreq *out)
{
    unsigned op = 1u << out->op;
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value)
    {
        if (strcmp(key, "op") == 0)
            continue;
        const struct field *field = find_field(key);
        if (!field || ((field->required | field->allowed) & op) == 0)
            return "the operation does not know one of the keys";
        const char *problem = set_field(field, value, out);
        if (problem)
            return problem;
    }
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        if ((fields[i].required & op) != 0 && !json_object_get(object, fields[i].key))
            return "a key that the operation needs is missing";
    }
    out->sessions_given = json_object_get(object, "max_sessions") != NULL;
    return NULL;
}

/* What the fields must mean, beyond their types; words become values. */
static const char *check(struct adminreq *req)
{
    struct slice stream = slice_of(req->stream);
    if (req->op == ADMINREQ_TOKEN_CREATE && !stream_pattern_valid(stream))
        return "the stream pattern must be 1 to 64 characters of A-Z, a-z, 0-9, _, - and *";
    if (req->op == ADMINREQ_STREAM_KICK && !stream_name_valid(stream))
        return "a stream name is 1 to 64 characters of A-Z, a-z, 0-9, _ and -";
    if (!token_label_valid(slice_of(req->label)))
        return "a label is at most 80 bytes without control characters";
    if (req->on_clash[0] != '\0' && token_clash_parse(slice_of(req->on_clash), &req->clash) < 0)
        return "on_clash is neither refuse nor take-over";
    if (req->id[0] != '\0' && !token_id_valid(slice_of(req->id)))
        return "that is not a token id; an id looks like t_ and ten letters or digits";
    if (req->after_id[0] != '\0' && !token_id_valid(slice_of(req->after_id)))
        return "after_id is not a token id";
    if ((OP(TOKEN_SHOW) | OP(TOKEN_REVOKE)) & (1u << req->op) && req->id[0] == '\0')
        return "the token id is empty";
    return NULL;
}

int adminreq_parse(const char *line, size_t len, struct adminreq *out, const char **out_problem)
{
    json_t *object = NULL;
    struct adminreq req = {0};
    const char *problem = NULL;
    if (len > ADMINREQ_LINE_MAX || !depth_ok(line, len)) {
        problem = "the request is too long or nested too deep";
        goto out;
    }
    object = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_object(object)) {
        problem = "the request is not one JSON object with each key once";
        goto out;
    }
    if (!find_op(json_object_get(object, "op"), &req.op)) {
        problem = "unknown operation";
        goto out;
    }
    problem = set_fields(object, &req);
    if (!problem)
        problem = check(&req);
out:
    json_decref(object);
    if (problem) {
        *out_problem = problem;
        return -EBADMSG;
    }
    *out = req;
    return 0;
}

const char *adminreq_op_name(enum adminreq_op op)
{
    return op < ADMINREQ_OP_COUNT ? op_names[op] : "unknown";
}
