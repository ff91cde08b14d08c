#include "tests/support/rawmedia.h"

#include "lib/base/fd.h"
#include "lib/base/reader.h"
#include "lib/base/writer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAL_SLICE 1
#define NAL_IDR 5
#define NAL_SEI 6
#define NAL_SPS 7
#define NAL_PPS 8
#define NAL_AUD 9
#define MARKER_REPEATS 4
#define OGG_PACKET_MAX 65536u
#define OPUS_PACKET_MAX 1500u

static int track_reserve(struct rawmedia_track *track, size_t more)
{
    if (track->cap - track->len >= more)
        return 0;
    size_t cap = (track->len + more) * 2;
    uint8_t *data = realloc(track->data, cap);
    if (data == NULL)
        return -ENOMEM;
    track->data = data;
    track->cap = cap;
    return 0;
}

static int track_append(struct rawmedia_track *track, const void *data, size_t len)
{
    int rc = track_reserve(track, len);
    if (rc == 0 && len > 0) {
        memcpy(track->data + track->len, data, len);
        track->len += len;
    }
    return rc;
}

/* Closes a frame that began at start. */
static int track_frame(struct rawmedia_track *track, size_t start, bool key)
{
    if (track->count == track->frame_cap) {
        size_t cap = track->frame_cap == 0 ? 1024 : track->frame_cap * 2;
        struct rawmedia_frame *frames = realloc(track->frames, cap * sizeof(*frames));
        if (frames == NULL)
            return -ENOMEM;
        track->frames = frames;
        track->frame_cap = cap;
    }
    track->frames[track->count++] =
        (struct rawmedia_frame){.offset = start, .len = track->len - start, .key = key};
    return 0;
}

/* ---- H.264 Annex B (ITU-T H.264 annex B) ---- */

static int nal_append(struct rawmedia_track *track, const uint8_t *nal, size_t len)
{
    uint8_t prefix[4];
    struct writer w;
    writer_init(&w, prefix, sizeof(prefix));
    writer_u32(&w, (uint32_t)len);
    int rc = track_append(track, prefix, sizeof(prefix));
    return rc != 0 ? rc : track_append(track, nal, len);
}

/* SEI user_data_unregistered (H.264 D.1.6) whose UUID and text both are the marker. */
static int nal_append_marker(struct rawmedia_track *track, const uint8_t *marker)
{
    uint8_t nal[8 + 2 * RAWMEDIA_MARKER_LEN * (MARKER_REPEATS + 1)];
    struct writer w;
    writer_init(&w, nal, sizeof(nal));
    writer_u8(&w, NAL_SEI);
    writer_u8(&w, 5);
    writer_u8(&w, RAWMEDIA_MARKER_LEN * (MARKER_REPEATS + 1));
    unsigned zeros = 0;
    for (size_t i = 0; i < RAWMEDIA_MARKER_LEN * (MARKER_REPEATS + 1u); i++) {
        uint8_t byte = marker[i % RAWMEDIA_MARKER_LEN];
        if (zeros >= 2 && byte <= 3) { /* emulation prevention, 7.4.1 */
            writer_u8(&w, 3);
            zeros = 0;
        }
        zeros = byte == 0 ? zeros + 1 : 0;
        writer_u8(&w, byte);
    }
    writer_u8(&w, 0x80);
    return nal_append(track, nal, w.len);
}

/* The offset behind the next start code at or after from, or len; *out_end is where the code, with
 * its zeros, begins. */
static size_t annexb_next(const uint8_t *data, size_t len, size_t from, size_t *out_end)
{
    for (size_t i = from; i + 3 <= len; i++) {
        if (data[i] != 0 || data[i + 1] != 0 || data[i + 2] != 1)
            continue;
        size_t end = i;
        while (end > from && data[end - 1] == 0)
            end--;
        *out_end = end;
        return i + 3;
    }
    *out_end = len;
    return len;
}

struct h264_state {
    size_t start;     /* of the open access unit in the track */
    bool has_picture; /* it has a slice */
    bool key;
};

/* True when nal begins a new access unit (7.4.1.2.3, for streams without redundant pictures). */
static bool h264_begins_unit(const struct h264_state *s, const uint8_t *nal, size_t len)
{
    unsigned type = nal[0] & 0x1f;
    if (!s->has_picture)
        return false;
    if (type >= NAL_SEI && type <= NAL_AUD)
        return true;
    bool first_slice = len > 1 && (nal[1] & 0x80) != 0; /* first_mb_in_slice, ue(v) 0 */
    return (type == NAL_SLICE || type == NAL_IDR) && first_slice;
}

static int h264_nal(struct rawmedia_track *track, struct h264_state *s, const uint8_t *nal,
                    size_t len, const uint8_t *marker)
{
    unsigned type = nal[0] & 0x1f;
    int rc = 0;
    if (h264_begins_unit(s, nal, len)) {
        rc = track_frame(track, s->start, s->key);
        *s = (struct h264_state){.start = track->len};
    }
    bool slice = type == NAL_SLICE || type == NAL_IDR;
    if (rc == 0 && slice && !s->has_picture && marker != NULL)
        rc = nal_append_marker(track, marker);
    s->has_picture = s->has_picture || slice;
    s->key = s->key || type == NAL_IDR;
    return rc != 0 ? rc : nal_append(track, nal, len);
}

int rawmedia_parse_h264(struct rawmedia_track *track, const uint8_t *data, size_t len,
                        const uint8_t *marker)
{
    struct h264_state s = {.start = track->len};
    size_t end = 0;
    size_t at = annexb_next(data, len, 0, &end);
    track->codec = RAWMEDIA_H264;
    track->clock_hz = 90000;
    track->frame_ticks = 3000;
    while (at < len) {
        size_t next = annexb_next(data, len, at, &end);
        if (end > at) {
            int rc = h264_nal(track, &s, data + at, end - at, marker);
            if (rc != 0)
                return rc;
        }
        at = next;
    }
    if (!s.has_picture)
        return -EBADMSG;
    int rc = track_frame(track, s.start, s.key);
    return rc != 0 ? rc : (track->frames[0].key ? 0 : -EBADMSG);
}

/* ---- H.265 Annex B ---- */

static bool h265_is_picture(unsigned type)
{
    return type < 32;
}

/* True when nal begins a new access unit (ITU-T H.265 7.4.2.4.4). */
static bool h265_begins_unit(const struct h264_state *s, const uint8_t *nal, size_t len)
{
    unsigned type = nal[0] >> 1 & 0x3f;
    if (!s->has_picture)
        return false;
    return h265_is_picture(type) ? len > 2 && (nal[2] & 0x80) != 0 : type <= 35 || type == 39;
}

int rawmedia_parse_h265(struct rawmedia_track *track, const uint8_t *data, size_t len)
{
    struct h264_state s = {.start = track->len};
    size_t end = 0;
    int rc = 0;
    track->codec = RAWMEDIA_H265;
    track->clock_hz = 90000;
    track->frame_ticks = 3000;
    for (size_t at = annexb_next(data, len, 0, &end); rc == 0 && at < len;) {
        const uint8_t *nal = data + at;
        at = annexb_next(data, len, at, &end);
        if (data + end <= nal)
            continue;
        size_t nal_len = (size_t)(data + end - nal);
        unsigned type = nal[0] >> 1 & 0x3f;
        if (h265_begins_unit(&s, nal, nal_len)) {
            rc = track_frame(track, s.start, s.key);
            s = (struct h264_state){.start = track->len};
        }
        s.has_picture = s.has_picture || h265_is_picture(type);
        s.key = s.key || (type >= 16 && type <= 23);
        if (rc == 0)
            rc = nal_append(track, nal, nal_len);
    }
    if (rc == 0)
        rc = s.has_picture ? track_frame(track, s.start, s.key) : -EBADMSG;
    return rc != 0 ? rc : (track->frames[0].key ? 0 : -EBADMSG);
}

/* ---- IVF: 32 bytes of header, then 12 bytes before each frame, all little-endian ---- */

static uint32_t little_u32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static const char *ivf_name(enum rawmedia_codec codec)
{
    return codec == RAWMEDIA_VP8 ? "VP80" : codec == RAWMEDIA_VP9 ? "VP90" : "AV01";
}

/* VP8: RFC 6386 9.1. VP9: neither a frame shown again nor one that refers to others. AV1: the
 * sequence header stands behind the temporal delimiter. */
static bool ivf_is_key(enum rawmedia_codec codec, const uint8_t *frame, size_t len)
{
    if (codec == RAWMEDIA_VP8)
        return (frame[0] & 1) == 0;
    if (codec == RAWMEDIA_VP9)
        return (frame[0] & 0x0c) == 0;
    return len > 2 && frame[2] >> 3 == 1;
}

static int ivf_head(struct rawmedia_track *track, enum rawmedia_codec codec, struct reader *r)
{
    const uint8_t *head = reader_bytes(r, 32);
    if (head == NULL || memcmp(head, "DKIF", 4) != 0 || memcmp(head + 8, ivf_name(codec), 4) != 0)
        return -EBADMSG;
    uint32_t rate = little_u32(head + 16), scale = little_u32(head + 20);
    if (rate == 0 || scale == 0 || rate / scale == 0 || rate / scale > 240)
        return -EBADMSG;
    track->codec = codec;
    track->clock_hz = 90000;
    track->frame_ticks = (uint32_t)(90000ull * scale / rate);
    return 0;
}

int rawmedia_parse_ivf(struct rawmedia_track *track, enum rawmedia_codec codec, const uint8_t *data,
                       size_t len)
{
    struct reader r;
    reader_init(&r, data, len);
    int rc = ivf_head(track, codec, &r);
    while (rc == 0 && reader_left(&r) > 0) {
        const uint8_t *prefix = reader_bytes(&r, 12);
        size_t start = track->len, size = prefix == NULL ? 0 : little_u32(prefix);
        const uint8_t *frame = reader_bytes(&r, size);
        if (!reader_ok(&r) || size == 0)
            return -EBADMSG;
        rc = track_append(track, frame, size);
        if (rc == 0)
            rc = track_frame(track, start, ivf_is_key(codec, frame, size));
    }
    if (rc == 0 && (track->count == 0 || !track->frames[0].key))
        rc = -EBADMSG;
    return rc;
}

/* ---- Ogg (RFC 3533) and Opus (RFC 6716, RFC 7845) ---- */

/* Ticks of 1/48000 s in one packet (RFC 6716 3.1); 0 for a malformed one. */
static uint32_t opus_ticks(const uint8_t *packet, size_t len)
{
    static const uint32_t silk[] = {480, 960, 1920, 2880}, celt[] = {120, 240, 480, 960};
    if (len == 0)
        return 0;
    unsigned config = packet[0] >> 3, code = packet[0] & 3;
    uint32_t frame = config >= 16   ? celt[config & 3]
                     : config >= 12 ? silk[config & 1]
                                    : silk[config & 3];
    uint32_t count = code == 0 ? 1 : 2;
    if (code == 3)
        count = len > 1 ? packet[1] & 0x3f : 0;
    return frame * count;
}

/* Rewrites a packet as code 3 with the marker as padding (RFC 6716 3.2.5). */
static int opus_append_marked(struct rawmedia_track *track, const uint8_t *packet, size_t len,
                              const uint8_t *marker)
{
    uint8_t to[OPUS_PACKET_MAX];
    uint8_t code = packet[0] & 3;
    size_t skip = code == 3 ? 2 : 1; /* TOC, and the frame count byte that code 3 has already */
    struct writer w;
    if (len < skip)
        return -EBADMSG;
    if (code == 3 && (packet[1] & 0x40) != 0)
        return track_append(track, packet, len); /* padded already: left alone */
    writer_init(&w, to, sizeof(to));
    writer_u8(&w, packet[0] | 3);
    switch (code) {
    case 0:
        writer_u8(&w, 0x41); /* padding, one frame */
        break;
    case 1:
        writer_u8(&w, 0x42); /* padding, two frames of equal size */
        break;
    case 2:
        writer_u8(&w, 0xc2); /* padding, two frames, the first one's length in front */
        break;
    default:
        writer_u8(&w, packet[1] | 0x40);
        break;
    }
    writer_u8(&w, 2 * RAWMEDIA_MARKER_LEN);
    writer_bytes(&w, packet + skip, len - skip);
    writer_bytes(&w, marker, RAWMEDIA_MARKER_LEN);
    writer_bytes(&w, marker, RAWMEDIA_MARKER_LEN);
    return writer_ok(&w) ? track_append(track, to, w.len) : -EBADMSG;
}

static int opus_packet(struct rawmedia_track *track, const uint8_t *packet, size_t len,
                       const uint8_t *marker)
{
    uint32_t ticks = opus_ticks(packet, len);
    if (ticks == 0)
        return -EBADMSG;
    if (track->count == 0)
        track->frame_ticks = ticks;
    if (ticks != track->frame_ticks)
        return 0; /* a shorter last packet would break the even pace */
    size_t start = track->len;
    int rc = marker == NULL ? track_append(track, packet, len)
                            : opus_append_marked(track, packet, len, marker);
    return rc != 0 ? rc : track_frame(track, start, true);
}

struct ogg_state {
    uint8_t packet[OGG_PACKET_MAX];
    size_t len;
    size_t index; /* of the packet in the stream: 0 and 1 are headers */
};

static int ogg_page(struct rawmedia_track *track, struct ogg_state *s, struct reader *r,
                    const uint8_t *marker)
{
    const uint8_t *head = reader_bytes(r, 27);
    if (head == NULL || memcmp(head, "OggS", 4) != 0)
        return -EBADMSG;
    size_t segments = head[26];
    const uint8_t *lacing = reader_bytes(r, segments);
    for (size_t i = 0; i < segments && lacing != NULL; i++) {
        const uint8_t *part = reader_bytes(r, lacing[i]);
        if (part == NULL || s->len + lacing[i] > sizeof(s->packet))
            return -EBADMSG;
        memcpy(s->packet + s->len, part, lacing[i]);
        s->len += lacing[i];
        if (lacing[i] == 255)
            continue; /* the packet goes on */
        int rc = 0;
        if (s->index == 0 && (s->len < 8 || memcmp(s->packet, "OpusHead", 8) != 0))
            rc = -EBADMSG;
        else if (s->index >= 2)
            rc = opus_packet(track, s->packet, s->len, marker);
        if (rc != 0)
            return rc;
        s->index++;
        s->len = 0;
    }
    return reader_ok(r) ? 0 : -EBADMSG;
}

int rawmedia_parse_ogg(struct rawmedia_track *track, const uint8_t *data, size_t len,
                       const uint8_t *marker)
{
    struct reader r;
    int rc = 0;
    struct ogg_state *s = calloc(1, sizeof(*s));
    if (s == NULL)
        return -ENOMEM;
    track->codec = RAWMEDIA_OPUS;
    track->clock_hz = 48000;
    reader_init(&r, data, len);
    while (rc == 0 && reader_left(&r) > 0)
        rc = ogg_page(track, s, &r, marker);
    if (rc == 0 && track->count == 0)
        rc = -EBADMSG;
    free(s);
    return rc;
}

/* ---- files ---- */

static int file_read(const char *prefix, const char *suffix, uint8_t **out_data, size_t *out_len)
{
    char path[4096];
    struct stat st;
    uint8_t *data = NULL;
    int rc = 0;
    if (snprintf(path, sizeof(path), "%s.%s", prefix, suffix) >= (int)sizeof(path))
        return -ENAMETOOLONG;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    if (fstat(fd, &st) != 0 || st.st_size <= 0 || st.st_size > RAWMEDIA_FILE_MAX) {
        rc = -EBADMSG;
        goto out;
    }
    size_t len = (size_t)st.st_size, have = 0;
    data = malloc(len);
    if (data == NULL) {
        rc = -ENOMEM;
        goto out;
    }
    while (have < len) {
        ssize_t n = read(fd, data + have, len - have);
        if (n <= 0) {
            rc = n == 0 ? -EBADMSG : -errno;
            goto out;
        }
        have += (size_t)n;
    }
    *out_data = data;
    *out_len = len;
    data = NULL;
out:
    free(data);
    fd_close(&fd);
    return rc;
}

static int parse_video(struct rawmedia_track *track, enum rawmedia_codec codec, const uint8_t *data,
                       size_t len, const uint8_t *marker)
{
    if (codec == RAWMEDIA_H264)
        return rawmedia_parse_h264(track, data, len, marker);
    if (codec == RAWMEDIA_H265)
        return rawmedia_parse_h265(track, data, len);
    return rawmedia_parse_ivf(track, codec, data, len);
}

int rawmedia_load(struct rawmedia *media, const char *prefix, enum rawmedia_codec video,
                  const uint8_t *marker)
{
    static const char *const suffixes[RAWMEDIA_CODEC_COUNT] = {
        [RAWMEDIA_H264] = "h264",   [RAWMEDIA_VP8] = "ivf",     [RAWMEDIA_H265] = "h265",
        [RAWMEDIA_VP9] = "vp9.ivf", [RAWMEDIA_AV1] = "av1.ivf", [RAWMEDIA_OPUS] = "opus"};
    uint8_t *data = NULL;
    size_t len = 0;
    *media = (struct rawmedia){0};
    int rc = file_read(prefix, suffixes[video], &data, &len);
    if (rc == 0)
        rc = parse_video(&media->video, video, data, len, marker);
    free(data);
    data = NULL;
    if (rc == 0)
        rc = file_read(prefix, "opus", &data, &len);
    if (rc == 0)
        rc = rawmedia_parse_ogg(&media->audio, data, len, marker);
    free(data);
    if (rc != 0)
        rawmedia_done(media);
    return rc;
}

static void track_done(struct rawmedia_track *track)
{
    free(track->data);
    free(track->frames);
    *track = (struct rawmedia_track){0};
}

void rawmedia_done(struct rawmedia *media)
{
    track_done(&media->video);
    track_done(&media->audio);
}
