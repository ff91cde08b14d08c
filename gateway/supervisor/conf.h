/* gateway.conf: parsing with libconfuse, defaults, and the checks of single values.
 *
 * An unknown key, a bad value or a value out of range is refused as `file:line: message`. */
#ifndef SLUICE_SUPERVISOR_CONF_H
#define SLUICE_SUPERVISOR_CONF_H

#include "lib/base/addr.h"
#include "lib/proto/settings.h"
#include "lib/proto/stream.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONF_PATH_MAX 1024
#define CONF_LIST_MAX 512
#define CONF_ICE_SERVERS_MAX 8

/* The configuration as plain values; units in the names. Filled by conf_init and conf_load. */
struct conf {
    char listen[64]; /* address literal for HTTP(S) */
    uint16_t port;
    char state[CONF_PATH_MAX];           /* state folder */
    char tls_certificate[CONF_PATH_MAX]; /* PEM files; both or neither */
    char tls_key[CONF_PATH_MAX];
    char page_host[256]; /* blank-separated */
    char cors_origins[CONF_LIST_MAX];
    uint16_t media_port;        /* 0: the same number as port */
    size_t media_address_count; /* 0: every local address */
    char media_address[STREAM_ADDRESSES_MAX][64];
    uint32_t media_port_count; /* UDP ports on each of them */
    size_t public_address_count;
    struct addr public_address[STREAM_ADDRESSES_MAX]; /* what a 1:1 NAT shows, without port */
    struct addr stun_server;                          /* family 0: none */
    char ice_servers[CONF_LIST_MAX]; /* stun:, turn: and turns: URIs for publishers; blanks */
    char turn_secret[SETTINGS_TURN_SECRET_MAX + 8]; /* empty: no TURN servers */
    uint32_t turn_ttl_s;
    bool require_if_match; /* a PATCH without If-Match gets 428 (BUG-24) */
    uint32_t uid_base;
    bool sandbox_required;
    uint32_t log_level;
    uint32_t web_processes;
    uint32_t warm_ingest;
    uint32_t warm_transcode;
    uint32_t jitter_deadline_ms;
    uint32_t coalesce_ms;
    uint32_t start_bitrate_kbps;
    uint32_t max_bitrate_kbps;
    uint32_t max_width;
    uint32_t max_height;
    uint32_t receive_buffer_bytes;
    uint32_t part_ms;
    uint32_t segment_ms;
    uint32_t window;
    uint32_t audio_bitrate_kbps;
    uint32_t video_bitrate_kbps;
    uint32_t max_streams;
    uint32_t max_pending;
    uint32_t rejoin_window_s;
    uint32_t ended_linger_s;
    uint32_t connections;
    uint32_t per_address_connections;
    uint32_t per_address_waiters;
};

/* The defaults of gateway.conf.example. */
void conf_init(struct conf *conf);

/* Reads path over *conf; warns when it holds a secret and others may read it. 0; -EINVAL after an
 * error was printed to standard error; -ENOENT and others when the file cannot be read (also
 * printed). *conf is untouched on failure. */
int conf_load(struct conf *conf, const char *path);

/* Checks that span several keys; prints what is wrong and where to change it. 0 or -EINVAL. */
int conf_check(const struct conf *conf);

#endif
