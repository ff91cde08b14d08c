/* Addresses with ports as command lines of test programs give them. */
#ifndef SLUICE_SUPPORT_RAWADDR_H
#define SLUICE_SUPPORT_RAWADDR_H

#include "lib/base/addr.h"
#include "lib/base/text.h"

/* "127.0.0.1:5000", "[::1]:5000", or an address literal alone (then port 0). 0 or -EBADMSG. */
int rawaddr_parse(struct slice text, struct addr *out);

#endif
