#include "gateway/supervisor/settings_load.h"

#include "gateway/supervisor/supervisor.h"
#include "lib/base/secret.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define WORKER_UIDS 900u /* uids given to workers in turn, from uid_base + 16 */

static bool uid_in_use(const struct supervisor *sup, uint32_t uid)
{
    for (size_t i = 0; i < PROCESS_MAX; i++) {
        if (sup->processes[i] && sup->processes[i]->uid == uid)
            return true;
    }
    return false;
}

/* Every long-lived role has its own uid, every worker the next one of a range that is free. There
 * are more uids than processes. */
static uint32_t role_uid(struct supervisor *sup, enum process_kind kind)
{
    uint32_t uid = 0;
    if (!sup->root)
        return 0;
    if (kind < PROCESS_INGEST)
        return sup->conf.uid_base + 1 + (uint32_t)kind;
    do
        uid = sup->conf.uid_base + 16 + sup->next_worker_uid++ % WORKER_UIDS;
    while (uid_in_use(sup, uid));
    return uid;
}
_Static_assert(WORKER_UIDS > PROCESS_MAX, "role_uid finds a free one");

static struct settings_common common_of(struct process *p)
{
    struct supervisor *sup = p->sup;
    p->uid = role_uid(sup, p->kind);
    return (struct settings_common){.uid = p->uid,
                                    .log_level = sup->conf.log_level,
                                    .namespaces = 1,
                                    .test_hooks = sup->test_hooks};
}

static int send_edge(struct process *p)
{
    const struct listeners *l = &p->sup->listeners;
    struct settings_edge s = {.common = common_of(p),
                              .udp_count = (uint32_t)l->udp_count,
                              .tcp_count = (uint32_t)l->media_count,
                              .receive_buffer_bytes = p->sup->conf.receive_buffer_bytes,
                              .stun_server = p->sup->conf.stun_server};
    int fds[SETTINGS_UDP_MAX + STREAM_ADDRESSES_MAX];
    memcpy(s.udp, l->udp_at, sizeof(s.udp));
    memcpy(s.tcp, l->media, sizeof(s.tcp));
    memcpy(fds, l->udp, l->udp_count * sizeof(int));
    memcpy(fds + l->udp_count, l->tcp, l->media_count * sizeof(int));
    return chan_send(p->chan, MSG_SETTINGS, &s, sizeof(s), NULL, 0, fds,
                     l->udp_count + l->media_count);
}

static int send_auth(struct process *p)
{
    const struct statedir *state = &p->sup->state;
    const struct conf *conf = &p->sup->conf;
    size_t turn_len = strlen(conf->turn_secret);
    struct settings_auth s = {.common = common_of(p),
                              .admin_uid = (uint32_t)geteuid(),
                              .turn_ttl_s = turn_len > 0 ? conf->turn_ttl_s : 0};
    int fds[2] = {state->database_fd, state->control_fd};
    uint8_t secrets[SETTINGS_PEPPER_LEN + sizeof(conf->turn_secret)];
    memcpy(secrets, state->pepper, SETTINGS_PEPPER_LEN);
    memcpy(secrets + SETTINGS_PEPPER_LEN, conf->turn_secret, turn_len);
    int rc = chan_send(p->chan, MSG_SETTINGS, &s, sizeof(s), secrets,
                       SETTINGS_PEPPER_LEN + turn_len, fds, 2);
    secret_wipe(secrets, sizeof(secrets));
    return rc;
}
_Static_assert(sizeof(((struct statedir *)0)->pepper) == SETTINGS_PEPPER_LEN, "message layout");

static int send_web(struct process *p)
{
    const struct conf *conf = &p->sup->conf;
    struct settings_web s = {.common = common_of(p),
                             .listener_count = 1,
                             .per_address_connections = conf->per_address_connections,
                             .connections = conf->connections,
                             .per_address_waiters = conf->per_address_waiters,
                             .ended_linger_s = conf->ended_linger_s};
    memcpy(s.cors_origins, conf->cors_origins, sizeof(s.cors_origins));
    memcpy(s.page_host, conf->page_host, sizeof(s.page_host));
    memcpy(s.ice_servers, conf->ice_servers, sizeof(s.ice_servers));
    return chan_send(p->chan, MSG_SETTINGS, &s, sizeof(s), p->sup->tls, p->sup->tls_len,
                     &p->sup->listeners.http_fd, 1);
}

static int send_ingest(struct process *p)
{
    const struct conf *conf = &p->sup->conf;
    struct settings_ingest s = {.common = common_of(p),
                                .start_bitrate_kbps = conf->start_bitrate_kbps,
                                .jitter_deadline_us = conf->jitter_deadline_ms * 1000,
                                .coalesce_us = conf->coalesce_ms * 1000};
    return chan_send(p->chan, MSG_SETTINGS, &s, sizeof(s), NULL, 0, NULL, 0);
}

static int send_transcode(struct process *p)
{
    const struct conf *conf = &p->sup->conf;
    struct settings_transcode s = {.common = common_of(p),
                                   .part_us = conf->part_ms * 1000,
                                   .segment_us = conf->segment_ms * 1000,
                                   .window = conf->window,
                                   .audio_bitrate_bps = conf->audio_bitrate_kbps * 1000,
                                   .video_bitrate_bps = conf->video_bitrate_kbps * 1000,
                                   .max_width = conf->max_width,
                                   .max_height = conf->max_height};
    return chan_send(p->chan, MSG_SETTINGS, &s, sizeof(s), NULL, 0, NULL, 0);
}

int settings_send(struct process *p)
{
    static int (*const send[PROCESS_KIND_COUNT])(struct process *) = {
        [PROCESS_EDGE] = send_edge,
        [PROCESS_AUTH] = send_auth,
        [PROCESS_WEB] = send_web,
        [PROCESS_INGEST] = send_ingest,
        [PROCESS_TRANSCODE] = send_transcode,
    };
    return send[p->kind](p);
}
