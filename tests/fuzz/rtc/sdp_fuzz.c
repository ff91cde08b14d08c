/* Fuzzes sdp_parse: every value that an offer fills is read. */
#include "gateway/rtc/sdp.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t sum(struct slice s)
{
    size_t total = s.len;
    for (size_t i = 0; i < s.len; i++)
        total += (unsigned char)s.data[i];
    return total;
}

static size_t read_section(const struct sdp_section *s)
{
    size_t total = sum(s->mid) + sum(s->media) + sum(s->proto) + sum(s->formats_text);
    for (size_t i = 0; i < s->format_count; i++) {
        total += sum(s->formats[i].encoding) + sum(sdp_fmtp_get(s->formats[i].fmtp, "apt"));
        total += sdp_find_format(s, s->formats[i].pt)->feedback;
    }
    for (size_t i = 0; i < s->extmap_count; i++)
        total += sum(s->extmaps[i].uri);
    for (size_t i = 0; i < s->msid_count; i++)
        total += sum(s->msids[i]);
    for (size_t i = 0; i < s->ssrc_count; i++)
        total += s->ssrcs[i];
    for (size_t i = 0; i < s->rid_count; i++)
        total += sum(s->rids[i].id) + sum(s->rids[i].restrictions);
    for (size_t i = 0; i < s->layer_count; i++)
        total += sum(s->layers[i].rid) + s->layers[i].paused;
    for (size_t i = 0; i < s->fid_count; i++)
        total += s->fids[i].rtx_ssrc;
    return total;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct sdp sdp;
    const char *reason = NULL;
    volatile size_t total = 0;
    int err = sdp_parse(slice_make(data, size), &sdp, &reason);
    if (err < 0) {
        if (!reason || sdp_http_status(err) / 100 != 4)
            abort();
        return 0;
    }
    for (size_t i = 0; i < sdp.bundle_count; i++)
        total = total + sum(sdp.bundle[i]);
    for (size_t i = 0; i < sdp.section_count; i++) {
        struct sdp_transport t;
        total = total + read_section(&sdp.sections[i]);
        sdp_get_transport(&sdp, &sdp.sections[i], &t);
        total = total + sum(t.ufrag) + sum(t.pwd) + t.fingerprint_count;
    }
    return 0;
}
