/* What software publishes, as far as its offer tells: for statistics only, nothing depends on it.
 */
#ifndef SLUICE_INGEST_CLIENT_H
#define SLUICE_INGEST_CLIENT_H

#include "lib/base/text.h"
#include "lib/proto/stats.h"

#define CLIENT_LOOK_MAX 2048u /* bytes of the offer that are looked at: the session's part */

enum stats_client client_guess(struct slice offer);

#endif
