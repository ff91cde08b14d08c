/* The attributes a=rid and a=simulcast of an offer (RFC 8851, RFC 8853). */
#include "gateway/rtc/sdprid.h"

#include <errno.h>

/* Letters, digits, - and _: safe in an answer and in a header extension. */
static bool is_rid(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.data[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!letter && !(c >= '0' && c <= '9') && c != '-' && c != '_')
            return false;
    }
    return s.len > 0 && s.len <= SDP_RID_MAX;
}

static const struct sdp_rid *find_rid(const struct sdp_section *s, struct slice id)
{
    for (size_t i = 0; i < s->rid_count; i++) {
        if (slice_equal(s->rids[i].id, id))
            return &s->rids[i];
    }
    return NULL;
}

int sdprid_on_rid(struct sdp_parser *p, struct slice value)
{
    struct sdp_section *s = p->section;
    struct slice rest = value;
    struct slice id = sdpattr_next_word(&rest);
    struct slice direction = sdpattr_next_word(&rest);
    s->simulcast = true;
    if (!is_rid(id) || !slice_is(direction, "send") || find_rid(s, id))
        return 0;
    if (s->rid_count == SDP_RIDS_MAX)
        return sdpattr_fail(p, -EMSGSIZE, "A section has more than 8 a=rid lines.");
    s->rids[s->rid_count++] = (struct sdp_rid){.id = id, .restrictions = slice_trim(rest)};
    return 0;
}

/* One list: streams with semicolons between, each of one or more alternatives. An early draft wrote
 * `rid=` before it. */
static int read_list(struct sdp_parser *p, struct slice list)
{
    struct sdp_section *s = p->section;
    struct slice rest = slice_starts(list, "rid=") ? slice_skip(list, 4) : list;
    while (rest.len > 0) {
        struct slice stream = slice_cut(&rest, ';');
        struct slice rid = slice_cut(&stream, ',');
        bool paused = slice_starts(rid, "~");
        if (paused)
            rid = slice_skip(rid, 1);
        if (!is_rid(rid)) {
            s->layer_count = 0;
            return 0;
        }
        if (s->layer_count == SDP_LAYERS_MAX)
            return sdpattr_fail(p, -EMSGSIZE, "A section has more than 8 simulcast layers.");
        s->layers[s->layer_count++] = (struct sdp_layer){.rid = rid, .paused = paused};
    }
    return 0;
}

int sdprid_on_simulcast(struct sdp_parser *p, struct slice value)
{
    struct slice rest = value;
    p->section->simulcast = true;
    p->section->layer_count = 0; /* one line at most, RFC 8853 5.1 */
    for (;;) {
        struct slice direction = sdpattr_next_word(&rest);
        struct slice list = sdpattr_next_word(&rest);
        if (list.len == 0)
            return 0;
        if (slice_is(direction, "send"))
            return read_list(p, list);
    }
}

void sdprid_finish(struct sdp_section *section)
{
    size_t kept = 0;
    for (size_t i = 0; i < section->layer_count; i++) {
        bool repeated = false;
        for (size_t k = 0; k < kept; k++)
            repeated = repeated || slice_equal(section->layers[k].rid, section->layers[i].rid);
        if (!repeated && find_rid(section, section->layers[i].rid))
            section->layers[kept++] = section->layers[i];
    }
    section->layer_count = kept;
}

/* ---- restrictions ---- */

static bool list_has(struct slice list, uint8_t pt)
{
    struct slice rest = list;
    while (rest.len > 0) {
        uint32_t number = 0;
        if (text_parse_u32(slice_cut(&rest, ','), UINT8_MAX, &number) == 0 && number == pt)
            return true;
    }
    return false;
}

bool sdprid_allows(const struct sdp_section *section, uint8_t pt)
{
    for (size_t i = 0; i < section->layer_count; i++) {
        const struct sdp_rid *rid = find_rid(section, section->layers[i].rid);
        struct slice list = rid ? sdp_fmtp_get(rid->restrictions, "pt") : slice_of(NULL);
        if (list.len > 0 && !list_has(list, pt))
            return false;
    }
    return true;
}

void sdprid_write_restrictions(struct writer *w, const struct sdp_section *section,
                               struct slice rid, uint8_t pt)
{
    const struct sdp_rid *offered = find_rid(section, rid);
    struct slice rest = offered ? offered->restrictions : slice_of(NULL);
    const char *separator = " ";
    while (rest.len > 0) {
        struct slice one = slice_trim(slice_cut(&rest, ';'));
        if (!sdpattr_is_printable(one))
            continue;
        writer_text(w, "%s", separator);
        separator = ";";
        if (slice_starts_nocase(one, "pt="))
            writer_text(w, "pt=%u", (unsigned)pt);
        else
            writer_bytes(w, one.data, one.len);
    }
}
