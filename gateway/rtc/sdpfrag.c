/* SDP fragments of trickle ICE and ICE restarts (RFC 8840 9, RFC 9725 4.3). */
#include "gateway/rtc/sdpfrag.h"

#include "gateway/rtc/answertext.h"
#include "gateway/rtc/sdpattr.h"
#include "lib/base/addr.h"

#include <errno.h>
#include <string.h>

#define ICE_TEXT_MAX 256u

/* ---- parser ---- */

static int refuse(const char **reason, int error, const char *text)
{
    *reason = text;
    return error;
}

/* All sections of one bundle have one pair; a second value must be the same. */
static bool take_once(struct slice *field, struct slice value)
{
    if (!sdpattr_is_printable(value) || value.len > ICE_TEXT_MAX)
        return false;
    if (field->len > 0)
        return slice_equal(*field, value);
    *field = value;
    return true;
}

/* foundation component transport priority address port typ type [name value]... (RFC 8839 5.1) */
static bool candidate_is_usable(struct slice value)
{
    struct slice rest = value;
    struct addr address;
    uint32_t port = 0;
    (void)sdpattr_next_word(&rest);
    (void)sdpattr_next_word(&rest);
    struct slice transport = sdpattr_next_word(&rest);
    (void)sdpattr_next_word(&rest);
    struct slice host = sdpattr_next_word(&rest);
    struct slice port_text = sdpattr_next_word(&rest);
    bool known = slice_is_nocase(transport, "udp") || slice_is_nocase(transport, "tcp");
    return known && addr_parse(host, &address) == 0 &&
           text_parse_u32(port_text, UINT16_MAX, &port) == 0 && port > 0 &&
           slice_is(sdpattr_next_word(&rest), "typ");
}

static int take_attribute(struct sdpfrag *f, struct slice line, const char **reason)
{
    struct slice value = line;
    struct slice name = slice_cut(&value, ':');
    value = slice_trim(value);
    if (slice_is(name, "ice-ufrag") &&
        (!take_once(&f->ufrag, value) || memchr(value.data, ':', value.len)))
        return refuse(reason, -EBADMSG, "The fragment's a=ice-ufrag is malformed or not unique.");
    if (slice_is(name, "ice-pwd") && !take_once(&f->pwd, value))
        return refuse(reason, -EBADMSG, "The fragment's a=ice-pwd is malformed or not unique.");
    if (slice_is(name, "end-of-candidates"))
        f->end = true;
    if (slice_is(name, "candidate")) {
        if (candidate_is_usable(value))
            f->usable++;
        else
            f->dropped++;
    }
    return 0;
}

int sdpfrag_parse(struct slice text, struct sdpfrag *out, const char **out_reason)
{
    struct slice rest = text;
    unsigned lines = 0;
    memset(out, 0, sizeof(*out));
    if (text.len > SDPFRAG_TEXT_MAX)
        return refuse(out_reason, -EMSGSIZE, "The fragment is larger than 16 KiB.");
    while (rest.len > 0) {
        struct slice line = slice_line(&rest);
        if (++lines > SDPFRAG_LINES_MAX)
            return refuse(out_reason, -EMSGSIZE, "The fragment has more than 200 lines.");
        if (line.len == 0)
            continue;
        if (line.len < 2 || line.data[0] < 'a' || line.data[0] > 'z' || line.data[1] != '=')
            return refuse(out_reason, -EBADMSG, "A line is not of the form letter=text.");
        int err = line.data[0] == 'a' ? take_attribute(out, slice_skip(line, 2), out_reason) : 0;
        if (err < 0)
            return err;
    }
    if (out->ufrag.len == 0 || out->pwd.len == 0)
        return refuse(out_reason, -EBADMSG, "The fragment has no a=ice-ufrag or no a=ice-pwd.");
    return 0;
}

/* ---- writer ---- */

void sdpfrag_write(struct writer *w, const struct answer *answer, const struct answer_local *local)
{
    enum track other = answer->first == TRACK_VIDEO ? TRACK_AUDIO : TRACK_VIDEO;
    const struct answer_track *first = &answer->tracks[answer->first];
    const struct answer_track *second = &answer->tracks[other];
    writer_text(w, "a=ice-lite\r\n");
    if (first->mid[0] != '\0')
        writer_text(w, "a=group:BUNDLE %s%s%s\r\n", first->mid,
                    second->codec != CODEC_NONE ? " " : "", second->mid);
    writer_text(w, "m=%s 9 UDP/TLS/RTP/SAVPF %u\r\n",
                answer->first == TRACK_VIDEO ? "video" : "audio", (unsigned)first->pt);
    if (first->mid[0] != '\0')
        writer_text(w, "a=mid:%s\r\n", first->mid);
    writer_text(w, "a=ice-ufrag:%s\r\na=ice-pwd:%s\r\n", local->ufrag, local->pwd);
    answertext_write_candidates(w, local);
}
