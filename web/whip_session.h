/* The URL of a WHIP session: PATCH (RFC 9725 4.3), DELETE (4.2), and GET to ask whether it lives.
 */
#ifndef SLUICE_WEB_WHIP_SESSION_H
#define SLUICE_WEB_WHIP_SESSION_H

#include "web/request.h"
#include "web/route.h"
#include "web/whip.h"

#include <stdint.h>

/* A request of ROUTE_SESSION: answered now or when the supervisor has; its result comes to
 * whip_on_session_result. */
void whip_session_handle(struct whip *whip, struct request *request, const struct route *route,
                         uint64_t now_us);

#endif
