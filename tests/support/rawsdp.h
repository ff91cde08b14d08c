/* The offer of a raw publisher and what it needs from the answer (RFC 8866, RFC 8829, RFC 9725). */
#ifndef SLUICE_SUPPORT_RAWSDP_H
#define SLUICE_SUPPORT_RAWSDP_H

#include "lib/base/addr.h"
#include "lib/base/text.h"
#include "tests/support/rawdtls.h"
#include "tests/support/rawmedia.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RAWSDP_OFFER_MAX 8192
#define RAWSDP_TEXT_MAX 256
#define RAWSDP_MID_URI "urn:ietf:params:rtp-hdrext:sdes:mid"
#define RAWSDP_MID_ID 4
#define RAWSDP_RID_URI "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id"
#define RAWSDP_RID_ID 5

struct rawsdp_offer {
    enum rawmedia_codec video; /* any but RAWMEDIA_OPUS */
    const char *ufrag;
    const char *pwd;
    const uint8_t *fingerprint; /* SHA-256 */
    const char *cname;
    uint32_t audio_ssrc;
    uint32_t video_ssrc;
    unsigned layers;   /* simulcast layers of video with RIDs "0" on, without SSRCs; 0: none */
    uint32_t rtx_ssrc; /* of repairs of video; 0: no RTX offered */
    bool passive;      /* setup:passive instead of actpass: we are the DTLS server */
};

/* Writes the offer with a final NUL to to[RAWSDP_OFFER_MAX]: audio as mid 0, video as mid 1,
 * bundled, sendonly. 0 or -EMSGSIZE. */
int rawsdp_write_offer(const struct rawsdp_offer *offer, char *to);

struct rawsdp_answer {
    char ufrag[RAWSDP_TEXT_MAX + 1];
    char pwd[RAWSDP_TEXT_MAX + 1];
    uint8_t fingerprint[RAWDTLS_FINGERPRINT_LEN];
    bool has_fingerprint;
    bool mid_extension; /* accepted under our number */
    bool active;        /* a=setup:active: they are the DTLS client */
    bool other_setup;   /* a=setup other than passive and active */
    uint8_t audio_type; /* payload types; 0 = section refused */
    uint8_t video_type;
    uint8_t rtx_type;      /* of video; 0: not agreed */
    struct addr candidate; /* the first UDP one, or the first on `preferred`; family 0: none */
    struct addr tcp;       /* the same of TCP ones, passive */
};

/* preferred: the host whose candidate is taken if there is one; family 0: the first. 0, -EBADMSG
 * without credentials, fingerprint, candidate or with a section missing, -ENOTSUP for
 * another a=setup than one of active and passive. */
int rawsdp_parse_answer(struct slice text, const struct addr *preferred, struct rawsdp_answer *out);

#endif
