/* SRTP of the publishing side with libsrtp2: one context out, one in. */
#ifndef SLUICE_SUPPORT_RAWSRTP_H
#define SLUICE_SUPPORT_RAWSRTP_H

#include <stddef.h>
#include <stdint.h>

#define RAWSRTP_TRAILER_MAX 64 /* room that protection needs behind the packet */
#define RAWSRTP_MATERIAL_MAX 128

enum rawsrtp_profile { RAWSRTP_CM80, RAWSRTP_GCM128, RAWSRTP_GCM256, RAWSRTP_PROFILE_COUNT };

const char *rawsrtp_profile_name(enum rawsrtp_profile profile); /* as OpenSSL spells it */
/* Bytes of DTLS key material: both keys, then both salts (RFC 5764 4.2). */
size_t rawsrtp_material_len(enum rawsrtp_profile profile);

struct rawsrtp;

int rawsrtp_setup(void); /* once per process; 0 or -EIO */
/* material as exported from DTLS by the client. 0, -ENOMEM or -EIO. */
int rawsrtp_new(enum rawsrtp_profile profile, const uint8_t *material, struct rawsrtp **out);
void rawsrtp_free(struct rawsrtp *srtp);

/* In place; the new length, or -EBADMSG. */
int rawsrtp_protect(struct rawsrtp *srtp, uint8_t *packet, size_t len);
/* Forgets an outgoing SSRC: sources that come once would be searched through for ever. */
void rawsrtp_forget(struct rawsrtp *srtp, uint32_t ssrc);
int rawsrtp_protect_rtcp(struct rawsrtp *srtp, uint8_t *packet, size_t len);
int rawsrtp_unprotect_rtcp(struct rawsrtp *srtp, uint8_t *packet, size_t len);

#endif
