/* Each role's slice of the configuration: the body of the first message on its channel. */
#ifndef SLUICE_PROTO_SETTINGS_H
#define SLUICE_PROTO_SETTINGS_H

#include "lib/base/addr.h"
#include "lib/proto/stream.h"

#include <stdint.h>

/* What every role needs. */
struct settings_common {
    uint32_t uid;        /* to become; 0 = stay (ordinary user) */
    uint32_t log_level;  /* enum log_level */
    uint32_t namespaces; /* 1: enter empty namespaces as the role's row says */
    uint32_t test_hooks; /* 1: MSG_TEST is obeyed (tests only, never set by a configuration file) */
};

/* Sockets that edge listens on: media_port_count ports on each address. */
#define SETTINGS_UDP_MAX 24

/* edge: descriptors: udp_count UDP sockets bound to udp[i], then tcp_count listeners on tcp[i]. */
struct settings_edge {
    struct settings_common common;
    uint32_t udp_count;
    uint32_t tcp_count;
    uint32_t receive_buffer_bytes;
    struct addr udp[SETTINGS_UDP_MAX];
    struct addr tcp[STREAM_ADDRESSES_MAX];
    struct addr stun_server; /* asked once for the address that the world sees; family 0: none */
};

/* ingest: a warm worker knows this before it knows its stream. */
struct settings_ingest {
    struct settings_common common;
    uint32_t start_bitrate_kbps; /* x-google-start-bitrate in the answer */
    uint32_t jitter_deadline_us; /* how long a hole is waited for (RTP-10) */
    uint32_t coalesce_us;        /* pause after a wake-up before receiving again; 0 = none */
    uint32_t pad;
};

struct settings_transcode {
    struct settings_common common;
    uint32_t part_us;
    uint32_t segment_us;
    uint32_t window; /* segments in the playlist */
    uint32_t audio_bitrate_bps;
    uint32_t video_bitrate_bps; /* of an encoded rendition */
    uint32_t max_width;
    uint32_t max_height;
    uint32_t pad;
};

#define SETTINGS_PEPPER_LEN 32u
#define SETTINGS_TURN_SECRET_MAX 128u

/* auth: descriptors: 0 the database directory, 1 the listening control.sock. The blob is the token
 * pepper (SETTINGS_PEPPER_LEN bytes), then the secret shared with the TURN servers, if there is one
 * (1 to SETTINGS_TURN_SECRET_MAX bytes); wiped after use. */
struct settings_auth {
    struct settings_common common;
    uint32_t admin_uid;  /* besides root, who may use control.sock */
    uint32_t turn_ttl_s; /* life of TURN credentials; 0 = none are made */
};

/* web: descriptors: listener_count listening TCP sockets. The blob is the TLS certificate chain, a
 * NUL and the key in PEM (empty: plain HTTP). */
struct settings_web {
    struct settings_common common;
    uint32_t listener_count;
    uint32_t per_address_connections;
    uint32_t connections;
    uint32_t per_address_waiters;
    uint32_t ended_linger_s; /* how long an ended stream's playlist stays */
    uint32_t pad;
    char cors_origins[512]; /* blank-separated; "*" = any */
    char page_host[256];   /* accepted Host values besides address literals and localhost; blanks */
    char ice_servers[512]; /* stun: and turn: URIs for the Link headers of a 201; blanks */
};

#endif
