/* SRTP and SRTCP of one session in both directions (RFC 3711, 7714) over libsrtp2.
 *
 * Inbound SSRCs are learned from packets that authenticate, at most SRTP_SSRCS_MAX of them: a
 * forged packet never takes a place (threats.md U10, U12). Replay window 1,024 packets (SEC-12).
 * Packets that fail are dropped and counted by the caller, never a reason to end. The functions
 * work in place. Only srtp.c includes libsrtp2. */
#ifndef SLUICE_RTC_SRTP_H
#define SLUICE_RTC_SRTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SRTP_SSRCS_MAX 8u
#define SRTP_TRAILER_MAX 20u /* bytes that encrypting adds at most: GCM tag and SRTCP index */
#define SRTP_KEY_MAX 32u
#define SRTP_SALT_MAX 14u

/* Values are the DTLS-SRTP protection profiles of RFC 5764 and 7714. */
enum srtp_suite {
    SRTP_SUITE_NONE = 0,
    SRTP_SUITE_AES128_CM_SHA1_80 = 1,
    SRTP_SUITE_AEAD_AES_128_GCM = 7,
    SRTP_SUITE_AEAD_AES_256_GCM = 8,
};

/* Master keys; the client is the publisher. Wipe with secret_wipe after use. */
struct srtp_keys {
    enum srtp_suite suite;
    uint8_t client_key[SRTP_KEY_MAX];
    uint8_t client_salt[SRTP_SALT_MAX];
    uint8_t server_key[SRTP_KEY_MAX];
    uint8_t server_salt[SRTP_SALT_MAX];
};

/* Lengths in bytes; 0 for SRTP_SUITE_NONE. */
size_t srtp_key_len(enum srtp_suite suite);
size_t srtp_salt_len(enum srtp_suite suite);

struct srtp;

/* The server's end: decrypts with the client's keys, encrypts with the server's. 0, -EINVAL for a
 * suite that we do not have, -ENOMEM, -EIO. */
int srtp_new(const struct srtp_keys *keys, struct srtp **out);
/* The client's end: for tests and for senders. Same errors. */
int srtp_new_client(const struct srtp_keys *keys, struct srtp **out);
void srtp_free(struct srtp *srtp); /* wipes all keys; NULL allowed */

/* Decrypts one packet; *len becomes the length of the plain packet. Look at the clear header first
 * (rtp_parse_header): packets of unknown payload types need not come here.
 * 0; -EBADMSG too short or not RTP; -EACCES not authentic; -EALREADY a replay or too old;
 * -EDQUOT authenticity not checked: the SSRC is new and SRTP_SSRCS_MAX are known.
 * now_us paces the search for a lost rollover counter after a long outage (threats.md U11). */
int srtp_decrypt_rtp(struct srtp *srtp, uint8_t *data, size_t *len, uint64_t now_us);
int srtp_decrypt_rtcp(struct srtp *srtp, uint8_t *data, size_t *len);

/* Encrypts one packet; cap is the room in data, at least *len + SRTP_TRAILER_MAX. 0, -EMSGSIZE when
 * cap is too small, -EBADMSG when data is no packet, -EIO. */
int srtp_encrypt_rtp(struct srtp *srtp, uint8_t *data, size_t *len, size_t cap);
int srtp_encrypt_rtcp(struct srtp *srtp, uint8_t *data, size_t *len, size_t cap);

/* True when packets of this SSRC were authentic before. */
bool srtp_knows(const struct srtp *srtp, uint32_t ssrc);
size_t srtp_known_count(const struct srtp *srtp);
/* Frees the place of an SSRC that ended (BYE). Its packets could be replayed afterwards, as a new
 * SSRC: the caller must not take them for new media. */
void srtp_forget(struct srtp *srtp, uint32_t ssrc);

/* One live context per cipher. libsrtp2 unloads its crypto library (NSS) when the last context goes
 * and could not load it again inside a sandbox, so a process that will use srtp holds this from
 * before its sandbox until it exits (findings/ingest.md 4). 0, -ENOMEM or -EIO. */
struct srtp_warmth;
int srtp_warm(struct srtp_warmth **out);
void srtp_warmth_free(struct srtp_warmth *warmth); /* only at exit; NULL allowed */

#endif
