/* The time after which a token's session is over, whatever else happens (threats.md T1). */
#ifndef SLUICE_SUPERVISOR_DEADLINE_H
#define SLUICE_SUPERVISOR_DEADLINE_H

struct publication;

/* Ends p with END_LIMIT when what its grant leaves it is over; p->deadline is its timer, whose
 * descriptor p owns. CLOCK_BOOTTIME: time asleep counts, a changed wall clock does not (T4). 0 or a
 * negative errno. */
int deadline_arm(struct publication *p);

#endif
