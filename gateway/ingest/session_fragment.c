/* Trickle ICE and ICE restarts of a session (RFC 9725 4.3). */
#include "gateway/ingest/session_state.h"
#include "gateway/rtc/sdp.h"
#include "gateway/rtc/sdpfrag.h"
#include "lib/base/log.h"
#include "lib/base/writer.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

static unsigned refuse(struct msg_fragment_result *out, unsigned status, const char *reason)
{
    (void)text_copy(out->reason, sizeof(out->reason), slice_of(reason));
    return status;
}

/* Both pairs count from now on, until the first check on the new one (icestate.h). The fragment is
 * written before, so that one that does not fit changes nothing. */
static unsigned restart(struct session *s, const struct sdpfrag *fragment,
                        struct msg_fragment_result *out, struct writer *w)
{
    struct icestate before = s->ice;
    int rc = icestate_restart(&s->ice, fragment->ufrag, fragment->pwd);
    if (rc == 0) {
        struct answer_local local = session_local(s);
        sdpfrag_write(w, s->answer, &local);
        if (!writer_ok(w))
            s->ice = before;
    }
    icestate_done(&before);
    if (rc < 0)
        return refuse(out, 400, "The fragment's a=ice-ufrag or a=ice-pwd is too long.");
    if (!writer_ok(w))
        return refuse(out, 422, "The answer to this restart would be too long.");
    const struct icestate_pair *pair = icestate_newest(&s->ice);
    memcpy(out->ufrag, pair->ufrag, sizeof(pair->ufrag));
    memcpy(out->pwd, pair->pwd, sizeof(pair->pwd));
    s->restarts_this_second++;
    return 200;
}

static unsigned answer(struct session *s, bool may_restart, struct slice body,
                       struct msg_fragment_result *out, struct writer *w)
{
    struct sdpfrag fragment;
    const char *reason = NULL;
    if (s->state == SESSION_BOUND || s->state == SESSION_ENDED)
        return refuse(out, 404, "The session has ended.");
    int rc = sdpfrag_parse(body, &fragment, &reason);
    if (rc < 0)
        return refuse(out, rc == -EMSGSIZE ? 413 : sdp_http_status(rc), reason);
    if (icestate_knows(&s->ice, fragment.ufrag, fragment.pwd))
        return 204; /* we are lite: nothing is done with candidates (W8) */
    if (!may_restart)
        return refuse(out, 428, "An ICE restart needs the header If-Match with an asterisk.");
    if (s->restarts_this_second >= SESSION_RESTARTS_PER_S)
        return refuse(out, 429, "Too many ICE restarts: try again in a second.");
    return restart(s, &fragment, out, w);
}

void session_fragment(struct session *s, const struct msg_fragment *fragment, struct slice body,
                      struct msg_fragment_result *out, char *text, size_t cap, size_t *out_len)
{
    struct writer w;
    writer_init(&w, text, cap);
    memset(out, 0, sizeof(*out));
    out->session = fragment->session;
    out->request = fragment->request;
    unsigned status = answer(s, fragment->may_restart != 0, body, out, &w);
    out->status = (uint16_t)status;
    *out_len = status == 200 ? w.len : 0;
    if (status != 204)
        log_event(LOG_INFO, "ice_restart", "session=%" PRIu64 " status=%u generation=%" PRIu32,
                  s->bind.session, status, s->ice.generation);
}
