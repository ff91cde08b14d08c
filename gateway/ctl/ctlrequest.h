/* A parsed command line as the request that the gateway understands. */
#ifndef SLUICE_CTL_CTLREQUEST_H
#define SLUICE_CTL_CTLREQUEST_H

#include "gateway/ctl/ctlargs.h"

#include <jansson.h>

/* A new reference; NULL when there is no memory or a text is not UTF-8. */
json_t *ctlrequest_make(const struct ctlargs *args);

/* The request for the tokens behind the last one of page, an answer to token list; NULL when the
 * page is the last one. */
json_t *ctlrequest_next_page(const json_t *page);

#endif
