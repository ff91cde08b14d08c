/* Reading the TLS certificate and key while the supervisor still may. */
#ifndef SLUICE_SUPERVISOR_TLS_FILES_H
#define SLUICE_SUPERVISOR_TLS_FILES_H

#include <stddef.h>

/* The certificate chain, a NUL, the key, a NUL: the blob of settings_web. *out_data is the caller's
 * (wipe before free). A key that others may read is refused (S7). Prints a sentence on failure.
 * 0 or a negative errno; -EMSGSIZE above 60 KiB. */
int tls_files_read(const char *certificate, const char *key, char **out_data, size_t *out_len);

#endif
