#include "gateway/supervisor/conf.h"

#include "gateway/supervisor/iceuri.h"
#include "lib/base/addr.h"
#include "lib/base/log.h"
#include "lib/base/secret.h"
#include "lib/proto/part.h"

#include <confuse.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* One whole-number key: where it goes, its default, and its range. */
struct number_key {
    const char *section; /* NULL: top level */
    const char *name;
    size_t offset; /* of a uint32_t in struct conf */
    uint32_t fallback;
    uint32_t min;
    uint32_t max;
};

#define NUMBER(section, name, fallback, min, max)                                                  \
    {                                                                                              \
        section, #name, offsetof(struct conf, name), fallback, min, max                            \
    }

static const struct number_key numbers[] = {
    NUMBER(NULL, uid_base, 64000, 1000, 65000),
    NUMBER(NULL, media_port_count, 1, 1, 8),
    NUMBER("web", web_processes, 1, 1, 4),
    NUMBER("web", connections, 4096, 16, 65536),
    NUMBER("web", per_address_connections, 64, 1, 65536),
    NUMBER("web", per_address_waiters, 32, 1, 65536),
    NUMBER("ingest", warm_ingest, 2, 1, 32),
    NUMBER("ingest", jitter_deadline_ms, 300, 20, 2000),
    NUMBER("ingest", coalesce_ms, 5, 0, 50),
    NUMBER("ingest", start_bitrate_kbps, 2500, 100, 100000),
    NUMBER("ingest", max_bitrate_kbps, 6000, 100, 100000),
    NUMBER("ingest", max_width, 1920, 64, 8192),
    NUMBER("ingest", max_height, 1920, 64, 8192),
    NUMBER("ingest", receive_buffer_bytes, 4194304, 65536, 67108864),
    NUMBER("ice", turn_ttl_s, 3600, 60, 86400),
    NUMBER("transcode", warm_transcode, 1, 1, 32),
    NUMBER("transcode", part_ms, 200, 100, 1000),
    NUMBER("transcode", segment_ms, 2000, 1000, 10000),
    NUMBER("transcode", window, 10, 6, PART_WINDOW_MAX - 4),
    NUMBER("transcode", audio_bitrate_kbps, 128, 32, 320),
    NUMBER("transcode", video_bitrate_kbps, 2500, 100, 50000),
    NUMBER("limits", max_streams, 64, 1, STREAM_MAX),
    NUMBER("limits", max_pending, 64, 1, 1024),
    NUMBER("limits", rejoin_window_s, 10, 0, 300),
    NUMBER("limits", ended_linger_s, 60, 1, 3600),
};
#define NUMBER_COUNT (sizeof(numbers) / sizeof(numbers[0]))

static uint32_t *number_at(struct conf *conf, const struct number_key *key)
{
    return (uint32_t *)(void *)((char *)conf + key->offset);
}

void conf_init(struct conf *conf)
{
    memset(conf, 0, sizeof(*conf));
    snprintf(conf->listen, sizeof(conf->listen), "127.0.0.1");
    conf->port = 8080;
    snprintf(conf->state, sizeof(conf->state), "state");
    snprintf(conf->cors_origins, sizeof(conf->cors_origins), "*");
    conf->log_level = LOG_INFO;
    conf->require_if_match = true;
    for (size_t i = 0; i < NUMBER_COUNT; i++)
        *number_at(conf, &numbers[i]) = numbers[i].fallback;
}

static const struct number_key *number_find(const char *name)
{
    for (size_t i = 0; i < NUMBER_COUNT; i++) {
        if (strcmp(numbers[i].name, name) == 0)
            return &numbers[i];
    }
    return NULL;
}

static int check_number(cfg_t *cfg, cfg_opt_t *opt)
{
    const struct number_key *key = number_find(cfg_opt_name(opt));
    long value = cfg_opt_getnint(opt, cfg_opt_size(opt) - 1);
    if (key && value >= (long)key->min && value <= (long)key->max)
        return 0;
    cfg_error(cfg, "%s = %ld is out of range: %u to %u", cfg_opt_name(opt), value,
              key ? key->min : 0, key ? key->max : 0);
    return -1;
}

static int check_port(cfg_t *cfg, cfg_opt_t *opt)
{
    long value = cfg_opt_getnint(opt, cfg_opt_size(opt) - 1);
    if (value >= 0 && value <= 65535)
        return 0;
    cfg_error(cfg, "%s = %ld is no port number", cfg_opt_name(opt), value);
    return -1;
}

static int check_address(cfg_t *cfg, cfg_opt_t *opt)
{
    struct addr parsed;
    const char *value = cfg_opt_getnstr(opt, cfg_opt_size(opt) - 1);
    if (addr_parse(slice_of(value), &parsed) == 0)
        return 0;
    cfg_error(cfg, "%s = \"%s\" is no address literal (such as 127.0.0.1 or ::1)",
              cfg_opt_name(opt), value);
    return -1;
}

/* An address literal with a port: "192.0.2.1:3478", "[2001:db8::1]:3478". */
static int parse_server(struct slice text, struct addr *out)
{
    struct addr server;
    uint32_t port = 0;
    bool ip6 = slice_starts(text, "[");
    struct slice rest = slice_skip(text, ip6 ? 1 : 0);
    struct slice host = slice_cut(&rest, ip6 ? ']' : ':');
    if (ip6 && !slice_starts(rest, ":"))
        return -EBADMSG;
    int rc = addr_parse(host, &server);
    if (rc == 0)
        rc = text_parse_u32(slice_skip(rest, ip6 ? 1 : 0), 65535, &port);
    if (rc || port == 0)
        return -EBADMSG;
    server.port = (uint16_t)port;
    *out = server;
    return 0;
}

static int check_server(cfg_t *cfg, cfg_opt_t *opt)
{
    struct addr parsed;
    const char *value = cfg_opt_getnstr(opt, cfg_opt_size(opt) - 1);
    if (!value || value[0] == '\0' || parse_server(slice_of(value), &parsed) == 0)
        return 0;
    cfg_error(cfg, "%s = \"%s\" is no address literal with port (such as 192.0.2.1:3478)",
              cfg_opt_name(opt), value);
    return -1;
}

static int check_ice_server(cfg_t *cfg, cfg_opt_t *opt)
{
    const char *value = cfg_opt_getnstr(opt, cfg_opt_size(opt) - 1);
    if (iceuri_valid(slice_of(value)))
        return 0;
    cfg_error(cfg,
              "%s: \"%s\" is no URI of an ICE server (such as stun:stun.example.org:3478 or "
              "turn:turn.example.org:3478?transport=udp)",
              cfg_opt_name(opt), value);
    return -1;
}

static int check_secret(cfg_t *cfg, cfg_opt_t *opt)
{
    const char *value = cfg_opt_getnstr(opt, cfg_opt_size(opt) - 1);
    size_t len = value ? strlen(value) : 0;
    if (len <= SETTINGS_TURN_SECRET_MAX)
        return 0;
    cfg_error(cfg, "%s is longer than %u characters", cfg_opt_name(opt), SETTINGS_TURN_SECRET_MAX);
    return -1;
}

static int check_log_level(cfg_t *cfg, cfg_opt_t *opt)
{
    const char *value = cfg_opt_getnstr(opt, cfg_opt_size(opt) - 1);
    for (enum log_level level = LOG_DEBUG; level <= LOG_ERROR; level++) {
        if (strcmp(value, log_level_name(level)) == 0)
            return 0;
    }
    cfg_error(cfg, "log_level = \"%s\" is none of debug, info, warn, error", value);
    return -1;
}

static int check_sandbox(cfg_t *cfg, cfg_opt_t *opt)
{
    const char *value = cfg_opt_getnstr(opt, cfg_opt_size(opt) - 1);
    if (strcmp(value, "required") == 0 || strcmp(value, "best-effort") == 0)
        return 0;
    cfg_error(cfg, "sandbox = \"%s\" is neither required nor best-effort", value);
    return -1;
}

/* Copies a text key; 0 or -1 after an error naming the limit. */
static int take_text(cfg_t *cfg, const char *name, char *to, size_t cap)
{
    const char *value = cfg_getstr(cfg, name);
    if (!value)
        return 0;
    if (text_copy(to, cap, slice_of(value)) == 0)
        return 0;
    cfg_error(cfg, "%s is longer than %zu characters", name, cap - 1);
    return -1;
}

/* Joins a list with blanks; the same errors. */
static int take_list(cfg_t *cfg, const char *name, char *to, size_t cap)
{
    size_t len = 0;
    to[0] = '\0';
    for (unsigned i = 0; i < cfg_size(cfg, name); i++) {
        int n = snprintf(to + len, cap - len, "%s%s", i ? " " : "", cfg_getnstr(cfg, name, i));
        if (n < 0 || (size_t)n >= cap - len) {
            cfg_error(cfg, "%s: the list is longer than %zu characters", name, cap - 1);
            return -1;
        }
        len += (size_t)n;
    }
    return 0;
}

static int take_addresses(cfg_t *cfg, struct conf *conf)
{
    unsigned count = cfg_size(cfg, "media_address");
    if (count > STREAM_ADDRESSES_MAX) {
        cfg_error(cfg, "media_address: at most %d addresses", STREAM_ADDRESSES_MAX);
        return -1;
    }
    for (unsigned i = 0; i < count; i++) {
        int rc = text_copy(conf->media_address[i], sizeof(conf->media_address[i]),
                           slice_of(cfg_getnstr(cfg, "media_address", i)));
        if (rc)
            return -1;
    }
    conf->media_address_count = count;
    return 0;
}

/* The values were checked when they were read. */
static int take_public(cfg_t *cfg, struct conf *conf)
{
    unsigned count = cfg_size(cfg, "public_address");
    const char *server = cfg_getstr(cfg, "stun_server");
    if (count > STREAM_ADDRESSES_MAX) {
        cfg_error(cfg, "public_address: at most %d addresses", STREAM_ADDRESSES_MAX);
        return -1;
    }
    for (unsigned i = 0; i < count; i++)
        (void)addr_parse(slice_of(cfg_getnstr(cfg, "public_address", i)), &conf->public_address[i]);
    conf->public_address_count = count;
    if (server && server[0] != '\0')
        (void)parse_server(slice_of(server), &conf->stun_server);
    return 0;
}

static int take_ice(cfg_t *cfg, struct conf *conf)
{
    if (cfg_size(cfg, "servers") > CONF_ICE_SERVERS_MAX) {
        cfg_error(cfg, "servers: at most %d ICE servers", CONF_ICE_SERVERS_MAX);
        return -1;
    }
    return take_list(cfg, "servers", conf->ice_servers, sizeof(conf->ice_servers)) ||
                   take_text(cfg, "turn_secret", conf->turn_secret, sizeof(conf->turn_secret))
               ? -1
               : 0;
}

static int take_all(cfg_t *cfg, struct conf *conf)
{
    if (take_text(cfg, "listen", conf->listen, sizeof(conf->listen)) ||
        take_text(cfg, "state", conf->state, sizeof(conf->state)) ||
        take_text(cfg, "tls_certificate", conf->tls_certificate, sizeof(conf->tls_certificate)) ||
        take_text(cfg, "tls_key", conf->tls_key, sizeof(conf->tls_key)) ||
        take_list(cfg, "page_host", conf->page_host, sizeof(conf->page_host)) ||
        take_list(cfg, "cors_origins", conf->cors_origins, sizeof(conf->cors_origins)) ||
        take_addresses(cfg, conf) || take_public(cfg, conf) ||
        take_ice(cfg_getsec(cfg, "ice"), conf))
        return -1;
    conf->require_if_match = cfg_getbool(cfg_getsec(cfg, "whip"), "require_if_match") == cfg_true;
    conf->port = (uint16_t)cfg_getint(cfg, "port");
    conf->media_port = (uint16_t)cfg_getint(cfg, "media_port");
    conf->sandbox_required = strcmp(cfg_getstr(cfg, "sandbox"), "required") == 0;
    for (enum log_level level = LOG_DEBUG; level <= LOG_ERROR; level++) {
        if (strcmp(cfg_getstr(cfg, "log_level"), log_level_name(level)) == 0)
            conf->log_level = level;
    }
    for (size_t i = 0; i < NUMBER_COUNT; i++) {
        cfg_t *section = numbers[i].section ? cfg_getsec(cfg, numbers[i].section) : cfg;
        *number_at(conf, &numbers[i]) = (uint32_t)cfg_getint(section, numbers[i].name);
    }
    return 0;
}

/* libconfuse's error callback has no context and its sections do not know their file. Set only
 * while conf_load runs. */
static const char *loading = "configuration";

__attribute__((format(printf, 2, 0))) static void print_error(cfg_t *cfg, const char *format,
                                                              va_list args)
{
    fprintf(stderr, "%s:%d: ", loading, cfg ? cfg->line : 0);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
}

#define SECTION_KEYS_MAX (NUMBER_COUNT + 3)

/* libconfuse keeps pointers to these tables while the cfg lives. The first `count` keys are the
 * section's own. */
static void section_keys(cfg_opt_t *keys, const char *section, size_t count)
{
    for (size_t i = 0; i < NUMBER_COUNT; i++) {
        if (!numbers[i].section || strcmp(numbers[i].section, section) != 0)
            continue;
        cfg_opt_t key = CFG_INT(NULL, 0, CFGF_NONE);
        key.name = numbers[i].name;
        key.def.number = numbers[i].fallback;
        keys[count++] = key;
    }
    keys[count] = (cfg_opt_t)CFG_END();
}

static void set_checks(cfg_t *cfg)
{
    for (size_t i = 0; i < NUMBER_COUNT; i++) {
        char path[80];
        snprintf(path, sizeof(path), "%s%s%s", numbers[i].section ? numbers[i].section : "",
                 numbers[i].section ? "|" : "", numbers[i].name);
        cfg_set_validate_func(cfg, path, check_number);
    }
    cfg_set_validate_func(cfg, "port", check_port);
    cfg_set_validate_func(cfg, "media_port", check_port);
    cfg_set_validate_func(cfg, "listen", check_address);
    cfg_set_validate_func(cfg, "media_address", check_address);
    cfg_set_validate_func(cfg, "public_address", check_address);
    cfg_set_validate_func(cfg, "stun_server", check_server);
    cfg_set_validate_func(cfg, "ice|servers", check_ice_server);
    cfg_set_validate_func(cfg, "ice|turn_secret", check_secret);
    cfg_set_validate_func(cfg, "log_level", check_log_level);
    cfg_set_validate_func(cfg, "sandbox", check_sandbox);
}

/* The pepper's file would be refused; this one may have been there before it had a secret. */
static void warn_if_open(const struct conf *conf, const char *path)
{
    struct stat info;
    if (conf->turn_secret[0] != '\0' && stat(path, &info) == 0 && (info.st_mode & 0077) != 0)
        fprintf(stderr, "sluiced: warning: %s holds turn_secret and is open to others: chmod 600\n",
                path);
}

/* conf stays as it is unless all of the file is good. */
static int parse_file(cfg_t *cfg, const char *path, struct conf *conf)
{
    struct conf loaded = *conf;
    int rc = 0;
    cfg_set_error_function(cfg, print_error);
    set_checks(cfg);
    loading = path;
    int parsed = cfg_parse(cfg, path);
    if (parsed == CFG_FILE_ERROR) {
        rc = errno ? -errno : -ENOENT;
        fprintf(stderr, "sluiced: %s: %s\n", path, strerror(-rc));
    } else if (parsed != CFG_SUCCESS || take_all(cfg, &loaded) != 0) {
        rc = -EINVAL;
    }
    if (rc == 0) {
        *conf = loaded;
        warn_if_open(conf, path);
    }
    secret_wipe(loaded.turn_secret, sizeof(loaded.turn_secret));
    return rc;
}

int conf_load(struct conf *conf, const char *path)
{
    cfg_opt_t web[SECTION_KEYS_MAX], ingest[SECTION_KEYS_MAX];
    cfg_opt_t transcode[SECTION_KEYS_MAX], limits[SECTION_KEYS_MAX];
    /* libconfuse wants the defaults of lists writable. */
    char no_hosts[] = "{}", no_addresses[] = "{}", any_origin[] = "{\"*\"}";
    char no_public[] = "{}", no_servers[] = "{}";
    cfg_opt_t ice[SECTION_KEYS_MAX] = {CFG_STR_LIST("servers", no_servers, CFGF_NONE),
                                       CFG_STR("turn_secret", NULL, CFGF_NONE)};
    cfg_opt_t whip[] = {CFG_BOOL("require_if_match", cfg_true, CFGF_NONE), CFG_END()};
    section_keys(web, "web", 0);
    section_keys(ingest, "ingest", 0);
    section_keys(transcode, "transcode", 0);
    section_keys(limits, "limits", 0);
    section_keys(ice, "ice", 2);
    cfg_opt_t top[] = {
        CFG_STR("listen", conf->listen, CFGF_NONE),
        CFG_INT("port", conf->port, CFGF_NONE),
        CFG_STR("state", conf->state, CFGF_NONE),
        CFG_STR("tls_certificate", NULL, CFGF_NONE),
        CFG_STR("tls_key", NULL, CFGF_NONE),
        CFG_STR_LIST("page_host", no_hosts, CFGF_NONE),
        CFG_STR_LIST("cors_origins", any_origin, CFGF_NONE),
        CFG_INT("media_port", conf->media_port, CFGF_NONE),
        CFG_STR_LIST("media_address", no_addresses, CFGF_NONE),
        CFG_INT("media_port_count", conf->media_port_count, CFGF_NONE),
        CFG_STR_LIST("public_address", no_public, CFGF_NONE),
        CFG_STR("stun_server", NULL, CFGF_NONE),
        CFG_INT("uid_base", conf->uid_base, CFGF_NONE),
        CFG_STR("sandbox", "best-effort", CFGF_NONE),
        CFG_STR("log_level", "info", CFGF_NONE),
        CFG_SEC("web", web, CFGF_NONE),
        CFG_SEC("whip", whip, CFGF_NONE),
        CFG_SEC("ice", ice, CFGF_NONE),
        CFG_SEC("ingest", ingest, CFGF_NONE),
        CFG_SEC("transcode", transcode, CFGF_NONE),
        CFG_SEC("limits", limits, CFGF_NONE),
        CFG_END(),
    };
    cfg_t *cfg = cfg_init(top, CFGF_NONE);
    if (!cfg)
        return -ENOMEM;
    int rc = parse_file(cfg, path, conf);
    cfg_free(cfg);
    return rc;
}

int conf_check(const struct conf *conf)
{
    struct addr listen;
    bool tls = conf->tls_certificate[0] != '\0';
    if (tls != (conf->tls_key[0] != '\0')) {
        fprintf(stderr, "sluiced: tls_certificate and tls_key belong together: set both or neither "
                        "in the configuration\n");
        return -EINVAL;
    }
    if (addr_parse(slice_of(conf->listen), &listen) != 0) {
        fprintf(stderr, "sluiced: listen = \"%s\" is no address literal\n", conf->listen);
        return -EINVAL;
    }
    if (!tls && !addr_is_loopback(&listen)) {
        fprintf(stderr,
                "sluiced: plain HTTP is served on loopback only, because bearer tokens travel in "
                "it: set tls_certificate and tls_key, or listen = \"127.0.0.1\" (is \"%s\")\n",
                conf->listen);
        return -EINVAL;
    }
    if (iceuri_has_turn(slice_of(conf->ice_servers)) != (conf->turn_secret[0] != '\0')) {
        fprintf(stderr, "sluiced: turn: and turns: servers need turn_secret, and it needs one of "
                        "them: set both or neither in the section ice\n");
        return -EINVAL;
    }
    if (conf->segment_ms < 4 * conf->part_ms) {
        fprintf(stderr, "sluiced: segment_ms = %u must be at least four parts (part_ms = %u)\n",
                conf->segment_ms, conf->part_ms);
        return -EINVAL;
    }
    return 0;
}
