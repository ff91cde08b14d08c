/* The STUN and TURN servers that a publisher is told of: one Link header line each. */
#include "web/ice_links.h"

#include "lib/base/text.h"

#include <stdio.h>
#include <string.h>

#define LINE_MAX                                                                                   \
    (sizeof(((struct settings_web *)0)->ice_servers) + 96u + sizeof(struct turn_credential))

/* Of RFC 3986: what a host, a port and ?transport= are written with. */
static bool is_uri_text(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.data[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!letter && !(c >= '0' && c <= '9') && (c == '\0' || !strchr("-._~:[]?=%", c)))
            return false;
    }
    return s.len > 0;
}

static bool is_turn(struct slice uri)
{
    return slice_starts_nocase(uri, "turn:") || slice_starts_nocase(uri, "turns:");
}

static bool is_stun(struct slice uri)
{
    return slice_starts_nocase(uri, "stun:") || slice_starts_nocase(uri, "stuns:");
}

bool ice_links_valid(const char *servers)
{
    struct slice rest = slice_of(servers);
    size_t count = 0;
    while (rest.len > 0) {
        struct slice uri = slice_cut(&rest, ' ');
        if (uri.len == 0)
            continue;
        struct slice host = uri;
        (void)slice_cut(&host, ':');
        if (++count > ICE_LINKS_MAX || !(is_turn(uri) || is_stun(uri)) || !is_uri_text(host))
            return false;
    }
    return true;
}

static bool is_quotable(const char *text)
{
    for (const char *c = text; *c; c++) {
        if (*c <= ' ' || *c >= 0x7f || strchr("\"\\,;", *c))
            return false;
    }
    return true;
}

bool ice_links_credential_valid(const struct turn_credential *turn)
{
    return text_is_terminated(turn->username, sizeof(turn->username)) &&
           text_is_terminated(turn->password, sizeof(turn->password)) &&
           is_quotable(turn->username) && is_quotable(turn->password);
}

void ice_links_add(struct reply *reply, const char *servers, const struct turn_credential *turn)
{
    struct slice rest = slice_of(servers);
    bool has_credential = turn->username[0] != '\0' && turn->password[0] != '\0';
    while (rest.len > 0) {
        char line[LINE_MAX];
        struct slice uri = slice_cut(&rest, ' ');
        if (uri.len == 0 || (is_turn(uri) && !has_credential))
            continue;
        int len =
            snprintf(line, sizeof(line), "<%.*s>; rel=\"ice-server\"", (int)uri.len, uri.data);
        if (is_turn(uri))
            (void)snprintf(line + len, sizeof(line) - (size_t)len,
                           "; username=\"%s\"; credential=\"%s\"; credential-type=\"password\"",
                           turn->username, turn->password);
        reply_header(reply, "Link", line);
    }
}
