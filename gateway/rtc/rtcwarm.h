/* Uses each library of this folder once, so that nothing is loaded or opened inside the sandbox. */
#ifndef SLUICE_RTC_RTCWARM_H
#define SLUICE_RTC_RTCWARM_H

struct rtcwarm;

/* Runs ICE, a whole DTLS handshake and SRTP with themselves. Call it once before the sandbox and
 * hold the result until exit. Takes 15 to 90 ms. 0 or a negative errno: do not start.
 * A role that links ice alone calls ice_warm instead. */
int rtcwarm_new(struct rtcwarm **out);
void rtcwarm_free(struct rtcwarm *warm); /* only at exit; NULL allowed */

#endif
