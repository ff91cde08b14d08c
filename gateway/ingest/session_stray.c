/* Media from a tuple that no check came from yet (threats.md U17). */
#include "gateway/ingest/session_state.h"
#include "gateway/rtc/demux.h"
#include "gateway/rtc/rtp.h"
#include "lib/base/log.h"

#include <inttypes.h>

static bool is_on_its_way(const struct session *s, const struct msg_path *path, uint64_t now_us)
{
    return s->wanted_us > 0 && now_us - s->wanted_us < SESSION_WANT_US &&
           addr_equal(&s->wanted.remote, &path->remote) &&
           addr_equal(&s->wanted.local, &path->local);
}

static void want(struct session *s, const struct msg_path *path, uint64_t now_us)
{
    if (is_on_its_way(s, path, now_us) || s->wants_this_second >= SESSION_WANTS_PER_S)
        return;
    session_return_path(s, tuples_unchecked_spare(&s->tuples, now_us));
    session_return_path(s, tuples_spare(&s->tuples, now_us));
    if (!tuples_has_room(&s->tuples))
        return;
    s->wants_this_second++;
    s->wanted = *path;
    s->wanted_us = now_us;
    log_event(LOG_INFO, "path_wanted", "session=%" PRIu64, s->bind.session);
    s->io.want_path(s->ctx, path);
}

void session_stray(struct session *s, const struct msg_path *path, uint8_t *data, size_t len,
                   uint64_t now_us)
{
    struct rtp_packet clear;
    bool keyed = s->state == SESSION_KEYED || s->state == SESSION_LIVE;
    if (!keyed || demux_classify(data, len) != DEMUX_RTP ||
        rtp_parse_header(data, len, &clear) < 0 || !srtp_knows(s->srtp, clear.ssrc)) {
        s->dropped++;
        return;
    }
    if (session_take_rtp(s, data, len, now_us) && s->state != SESSION_ENDED)
        want(s, path, now_us);
}
