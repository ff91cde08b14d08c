/* The DTLS 1.2 end of a publisher, client or server, with use_srtp (RFC 5764), one datagram in,
 * datagrams out. */
#ifndef SLUICE_SUPPORT_RAWDTLS_H
#define SLUICE_SUPPORT_RAWDTLS_H

#include "tests/support/rawsrtp.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RAWDTLS_FINGERPRINT_LEN 32 /* SHA-256 */

/* One certificate for all streams of the process. */
struct rawdtls_identity;
int rawdtls_identity_new(struct rawdtls_identity **out);
void rawdtls_identity_free(struct rawdtls_identity *identity);
const uint8_t *rawdtls_identity_fingerprint(const struct rawdtls_identity *identity);

typedef void (*rawdtls_send_fn)(void *ctx, const uint8_t *data, size_t len);

enum rawdtls_event {
    RAWDTLS_NOTHING,
    RAWDTLS_KEYED,  /* the handshake is done and the certificate is the expected one: once */
    RAWDTLS_CLOSED, /* close_notify from the server */
    RAWDTLS_FAILED,
};

struct rawdtls;

/* profiles: names of rawsrtp_profile_name joined by colons. expected: the server's fingerprint. */
int rawdtls_new(struct rawdtls_identity *identity, const char *profiles, const uint8_t *expected,
                rawdtls_send_fn send, void *ctx, struct rawdtls **out);
/* The same as server, for a publisher that is passive; rawdtls_start then sends nothing, and
 * rawdtls_export has the material as if it were the client's. */
int rawdtls_new_server(struct rawdtls_identity *identity, const char *profiles,
                       const uint8_t *expected, rawdtls_send_fn send, void *ctx,
                       struct rawdtls **out);
void rawdtls_free(struct rawdtls *dtls);

enum rawdtls_event rawdtls_start(struct rawdtls *dtls);
enum rawdtls_event rawdtls_receive(struct rawdtls *dtls, const uint8_t *data, size_t len);
enum rawdtls_event rawdtls_tick(struct rawdtls *dtls); /* retransmits what is due */

/* After RAWDTLS_KEYED: the profile and its material (rawsrtp_material_len). 0 or -EPROTO. */
int rawdtls_export(struct rawdtls *dtls, enum rawsrtp_profile *out_profile, uint8_t *out_material);
void rawdtls_shutdown(struct rawdtls *dtls); /* sends close_notify */
const char *rawdtls_error(const struct rawdtls *dtls);

#endif
