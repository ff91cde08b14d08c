/* How many sessions may be set up and live at once, and what those beyond are told (threats.md W2,
 * WHIP-28, WHIP-29). */
#ifndef SLUICE_SUPERVISOR_INTAKE_H
#define SLUICE_SUPERVISOR_INTAKE_H

#include "lib/proto/msg.h"

#include <stdbool.h>
#include <stdint.h>

#define INTAKE_PER_ADDRESS 8u /* sessions without keys from one address */

struct supervisor;
struct publication;

/* What a publisher gets instead of a 201: a constant. */
struct intake_refusal {
    uint16_t status;
    uint16_t retry_after_s; /* 0: trying again changes nothing */
    const char *reason;
};

/* A POST, before auth is asked and anything is allocated. NULL: go on. */
const struct intake_refusal *intake_check_post(struct supervisor *sup, const struct addr *peer);

/* What auth's answer means for p. NULL for GRANT_OK. */
const struct intake_refusal *intake_check_grant(const struct publication *p,
                                                const struct grant *grant);

/* auth has not looked at the token: too many wrong ones came from its sender's address (H8). */
bool intake_is_guessing(const struct grant *grant);

/* A publication with a grant, whose replaces is set: is there room for one more? NULL: yes. */
const struct intake_refusal *intake_check_room(const struct publication *p);

#endif
