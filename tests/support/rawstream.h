/* One published stream of rawpub: POST, connectivity check, DTLS, media, DELETE. */
#ifndef SLUICE_SUPPORT_RAWSTREAM_H
#define SLUICE_SUPPORT_RAWSTREAM_H

#include "lib/base/loop.h"
#include "tests/support/rawdtls.h"
#include "tests/support/rawmedia.h"
#include "tests/support/rawsdp.h"
#include "tests/support/rawsender.h"
#include "tests/support/rawtcp.h"
#include "tests/support/rawwhip.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RAWSTREAM_NAME_MAX 128

/* The same for all streams; borrowed for their lives. */
struct rawstream_options {
    const char *token;     /* NULL: none */
    const char *profiles;  /* SRTP, for rawdtls_new */
    struct addr preferred; /* host whose candidate is taken; family 0: the first; with a port:
                            * taken instead of the answer's candidates, to go through a relay */
    struct addr source;    /* to bind to; family 0: any */
    uint32_t spoof;        /* plaintext records of an attacker on our tuple, in the handshake */
    uint32_t consent_ms;   /* between checks while sending; 0: 2.5 s, as Chromium */
    struct addr copies[RAWSENDER_COPIES]; /* that get every media packet too, the nth stream's at
                                           * the port + n; family 0: none */
    bool tcp;                             /* the answer's TCP candidate instead of the UDP one */
    uint32_t seconds;                     /* to send; 0: until rawstream_stop */
    uint32_t linger;                      /* seconds after that in which losses are repaired */
    bool rtx;                             /* repairs of video on a source of their own */
    uint32_t frames;                      /* or so many of video, if that is sooner; 0: no limit */
    uint32_t loss_millionths;
    uint32_t seed;
    bool ignore_close;      /* keep sending after close_notify */
    bool no_delete;         /* vanish at the end */
    bool close_notify;      /* at the end, instead of DELETE */
    bool no_integrity;      /* in connectivity checks */
    bool wrong_password;    /* in connectivity checks */
    bool wrong_fingerprint; /* in the offer */
    bool passive;           /* the DTLS server */
    struct rawhostile_config hostile;
};

enum rawstream_state {
    RAWSTREAM_IDLE,
    RAWSTREAM_POSTING,
    RAWSTREAM_CHECKING,
    RAWSTREAM_HANDSHAKING,
    RAWSTREAM_SENDING,
    RAWSTREAM_DELETING,
    RAWSTREAM_DONE,
};

/* How it went; times are microseconds of CLOCK_MONOTONIC, 0 = never. */
struct rawstream_report {
    const char *status; /* "ok", or what failed */
    bool ok;            /* connected and sent for the time asked */
    char reason[200];   /* of a refusal or failure */
    long post_status;
    uint64_t post_us;      /* duration */
    uint64_t ice_us;       /* first check to its answer */
    uint64_t dtls_us;      /* first flight to keys */
    uint64_t posted_at_us; /* when the POST began */
    uint64_t keyed_at_us;
    uint64_t closed_at_us; /* close_notify */
    uint64_t check_bytes;  /* sent as connectivity checks */
    uint64_t reply_bytes;  /* received as STUN */
    uint64_t dtls_sent;    /* bytes of records, without spoofed ones */
    uint64_t dtls_received;
    uint64_t consents; /* answers to checks after the first */
    long delete_status;
};

struct rawstream;

/* Called at each change of state, with the new one and the report so far. */
typedef void (*rawstream_fn)(void *ctx, const struct rawstream *stream, enum rawstream_state state);

struct rawstream {
    struct loop *loop;
    struct rawwhip *whip;
    struct rawdtls_identity *identity;
    const struct rawstream_options *options;
    rawstream_fn fn;
    void *ctx;
    enum rawstream_state state;
    char name[RAWSTREAM_NAME_MAX];
    char url[RAWWHIP_URL_MAX];
    char location[RAWWHIP_URL_MAX];
    char ufrag[9];
    char pwd[25];
    struct rawsdp_answer answer;
    uint8_t txid[12];
    uint32_t index; /* among the streams of the process */
    uint64_t tie_breaker;
    uint64_t since_us; /* when the state began */
    uint64_t next_check_us;
    uint64_t check_gap_us;
    struct loop_watch watch; /* owns the socket */
    struct rawtcp *tcp;      /* behind it, with options->tcp */
    struct rawdtls *dtls;
    uint32_t spoofed;
    uint32_t flights;
    struct rawsrtp *srtp;
    struct rawsender sender;
    struct rawstream_report report;
};

/* Makes an idle stream that will publish media to url. 0 or a negative errno. Large. */
int rawstream_init(struct rawstream *stream, struct loop *loop, struct rawwhip *whip,
                   struct rawdtls_identity *identity, const struct rawmedia *media,
                   const struct rawstream_options *options, const char *url, uint32_t index,
                   rawstream_fn fn, void *ctx);
void rawstream_done(struct rawstream *stream);

void rawstream_begin(struct rawstream *stream);                 /* POSTs */
void rawstream_tick(struct rawstream *stream, uint64_t now_us); /* every few milliseconds */
/* Ends it as at its time; "ok" if no time was asked for. */
void rawstream_stop(struct rawstream *stream);

#endif
