/* The supervisor's root: everything it knows. main.c owns the one instance. */
#ifndef SLUICE_SUPERVISOR_SUPERVISOR_H
#define SLUICE_SUPERVISOR_SUPERVISOR_H

#include "gateway/supervisor/conf.h"
#include "gateway/supervisor/listen.h"
#include "gateway/supervisor/logrelay.h"
#include "gateway/supervisor/playback.h"
#include "gateway/supervisor/process.h"
#include "gateway/supervisor/publication.h"
#include "gateway/supervisor/session_url.h"
#include "gateway/supervisor/statedir.h"
#include "lib/base/loop.h"

#include <stdbool.h>
#include <stdint.h>

struct supervisor {
    struct loop loop;
    struct conf conf;
    struct statedir state;
    struct listeners listeners;
    struct logrelay own_log;
    char libexec[CONF_PATH_MAX];
    char *tls; /* certificate, NUL, key; NULL without TLS */
    size_t tls_len;
    bool root; /* started as root: every role has its own uid */
    bool test_hooks;
    bool stopping;
    bool announced; /* "ready" was logged */
    uint32_t next_worker_uid;
    uint64_t next_number; /* sessions and requests */
    uint64_t media_turn;  /* counts publications: their media ports take turns */
    struct loop_timer heartbeat;
    struct process *processes[PROCESS_MAX];
    struct process_backoff backoff[PROCESS_KIND_COUNT];
    struct publication *publications[STREAM_MAX];
    struct session_urls urls;
    struct playback *playbacks[PLAYBACK_MAX];
};

#endif
