/* Tokens, streams and processes as JSON for the answers of control.sock.
 *
 * Times are milliseconds since 1970 or seconds, as the key says; null means none or no limit. */
#ifndef SLUICE_AUTH_ADMINJSON_H
#define SLUICE_AUTH_ADMINJSON_H

#include "auth/token.h"
#include "lib/proto/msg.h"

#include <jansson.h>
#include <stddef.h>

/* New references; NULL when there is no memory. A row must have been checked by adminjson_row_ok.
 */
json_t *adminjson_token(const struct token *token, enum token_state state, size_t live);
json_t *adminjson_stream(const struct msg_ctl_row *row);
json_t *adminjson_process(const struct msg_ctl_row *row);

/* {"ok":false,"error":error,"message":message} */
json_t *adminjson_error(const char *error, const char *message);

/* False when a text field of a peer's row does not end or is not a name. */
bool adminjson_row_ok(const struct msg_ctl_row *row);

#endif
