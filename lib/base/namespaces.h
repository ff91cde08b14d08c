/* Empty namespaces: no network interface, no file. */
#ifndef SLUICE_BASE_NAMESPACES_H
#define SLUICE_BASE_NAMESPACES_H

#include "lib/base/sandbox.h"

/* Enters what spec asks for and the kernel allows; out->user_namespace, empty_network, empty_files
 * say what is active. An ordinary user gets a user namespace first. Never fails: what is refused
 * is reported as 0. */
void namespaces_enter(const struct sandbox_spec *spec, struct sandbox_report *out);

#endif
