/* A running sluice-auth for process tests: a state folder with its control.sock, a scripted
 * supervisor, and a client. Whatever fails fails the test that runs. */
#ifndef SLUICE_TESTS_AUTHRIG_H
#define SLUICE_TESTS_AUTHRIG_H

#include "tests/support/peer.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#define AUTHRIG_ROLE "sluice-auth"
#define AUTHRIG_WAIT_MS 10000
#define AUTHRIG_UID 64321u
#define AUTHRIG_PEPPER_LEN 32
#define AUTHRIG_ID_MAX 40
#define AUTHRIG_ANSWER_MAX 65536

/* A state folder with its listening control.sock, as the supervisor keeps it, and a running auth.
 */
struct authrig {
    char path[64];
    int dir_fd;
    int listen_fd;
    struct peer peer;
    struct msg_ready ready;
};

struct authrig_token {
    char id[AUTHRIG_ID_MAX];
    char token[STREAM_TOKEN_MAX + 8];
};

/* cmocka's setup and teardown: state becomes a struct authrig with a ready role in an empty folder.
 */
int authrig_set_up(void **state);
int authrig_tear_down(void **state);

/* Starts the role (again) with pepper bytes of that value; authrig_start: always the same ones. */
void authrig_start_with(struct authrig *r, uint8_t pepper_byte, bool hooks);
void authrig_start(struct authrig *r);
void authrig_kill(struct authrig *r);           /* kill -9, reaped */
void authrig_listen(struct authrig *r);         /* opens the folder, binds control.sock */
void authrig_stop_and_empty(struct authrig *r); /* ends the role, removes and closes everything */

/* ---- control.sock; lines without their end ---- */
int authrig_dial(const struct authrig *r);
void authrig_say(int fd, const char *line);
json_t *authrig_hear(int fd); /* a new reference; NULL for the end */
json_t *authrig_request(const struct authrig *r, const char *line);
const char *authrig_text_of(const json_t *object, const char *name);
bool authrig_is_true(const json_t *object, const char *name);
struct authrig_token authrig_create(const struct authrig *r, const char *stream);
json_t *authrig_revoke(const struct authrig *r, const char *id);

/* ---- leases ---- */
struct grant authrig_ask(struct authrig *r, uint32_t purpose, const char *stream,
                         const char *token);
void authrig_expect_end(struct authrig *r, uint64_t lease_id);

#endif
