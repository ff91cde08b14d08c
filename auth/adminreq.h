/* One line of control.sock as a checked request.
 *
 * A request is one JSON object (RFC 8259) of at most ADMINREQ_LINE_MAX bytes: "op" and that
 * operation's keys, no others, none twice, nothing nested deeper than ADMINREQ_DEPTH_MAX.
 *   token.create stream [label expires_s max_duration_s max_sessions max_bitrate_kbps on_clash]
 *   token.list [after_ms after_id]    token.show id    token.revoke id
 *   stream.list    stream.kick stream    status */
#ifndef SLUICE_AUTH_ADMINREQ_H
#define SLUICE_AUTH_ADMINREQ_H

#include "auth/token.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ADMINREQ_LINE_MAX 16384u
#define ADMINREQ_DEPTH_MAX 4u

enum adminreq_op {
    ADMINREQ_TOKEN_CREATE,
    ADMINREQ_TOKEN_LIST,
    ADMINREQ_TOKEN_SHOW,
    ADMINREQ_TOKEN_REVOKE,
    ADMINREQ_STREAM_LIST,
    ADMINREQ_STREAM_KICK,
    ADMINREQ_STATUS,
    ADMINREQ_OP_COUNT,
};

/* Keys that were not given are 0 or empty. */
struct adminreq {
    enum adminreq_op op;
    bool sessions_given;
    char id[STREAM_TOKEN_ID_MAX + 8]; /* valid token id */
    char stream[STREAM_NAME_MAX + 8]; /* create: valid pattern; kick: valid name */
    char label[TOKEN_LABEL_MAX + 8];  /* valid label */
    char after_id[STREAM_TOKEN_ID_MAX + 8];
    char on_clash[16]; /* as token_clash_parse takes it, in clash afterwards */
    enum grant_clash clash;
    uint64_t after_ms;
    uint64_t expires_s;
    uint64_t max_duration_s;
    uint64_t max_sessions;
    uint64_t max_bitrate_kbps;
};

/* 0, or -EBADMSG with *out_problem a sentence for the administrator (a constant); *out is then
 * untouched. */
int adminreq_parse(const char *line, size_t len, struct adminreq *out, const char **out_problem);

const char *adminreq_op_name(enum adminreq_op op); /* "token.create" */

#endif
