/* CMAF files written in memory: the header, and chunks of one moof and one mdat. */
#include "transcode/fmp4.h"

#include <errno.h>

#define TRACK_ID 1
#define UNITY 0x00010000u /* 16.16 */
#define NTP_UNIX_OFFSET UINT64_C(2208988800)
#define MDAT_HEAD 8u

#define FLAGS_SYNC 0x02000000u     /* sample_depends_on = 2 */
#define FLAGS_NON_SYNC 0x01010000u /* depends on others, is no sync sample */

#define TFHD_DEFAULT_BASE_IS_MOOF 0x020000u
#define TFHD_DEFAULT_FLAGS 0x000020u
#define TRUN_DATA_OFFSET 0x000001u
#define TRUN_FIRST_FLAGS 0x000004u
#define TRUN_DURATION 0x000100u
#define TRUN_SIZE 0x000200u
#define TRUN_FLAGS 0x000400u
#define TRUN_OFFSETS 0x000800u

#define PRFT_CAPTURE 24u /* the wall clock is that of the capture */

static size_t open_box(struct writer *w, const char *type)
{
    size_t at = w->len;
    writer_u32(w, 0);
    writer_bytes(w, type, 4);
    return at;
}

static size_t open_full_box(struct writer *w, const char *type, uint8_t version, uint32_t flags)
{
    size_t at = open_box(w, type);
    writer_u8(w, version);
    writer_u24(w, flags);
    return at;
}

static void close_box(struct writer *w, size_t at)
{
    writer_patch_u32(w, at, (uint32_t)(w->len - at));
}

static void write_matrix(struct writer *w)
{
    static const uint32_t identity[9] = {UNITY, 0, 0, 0, UNITY, 0, 0, 0, 0x40000000};
    for (size_t i = 0; i < 9; i++)
        writer_u32(w, identity[i]);
}

static void write_brands(struct writer *w, const char *type, const char *major, const char *other)
{
    size_t box = open_box(w, type);
    writer_bytes(w, major, 4);
    writer_u32(w, 0);
    writer_bytes(w, major, 4);
    writer_bytes(w, other, 4);
    writer_bytes(w, "cmfc", 4);
    close_box(w, box);
}

static void write_visual_entry(struct writer *w, const struct fmp4_track *t)
{
    size_t entry = open_box(w, "avc1");
    writer_zeros(w, 6);
    writer_u16(w, 1); /* data_reference_index */
    writer_zeros(w, 16);
    writer_u16(w, t->width);
    writer_u16(w, t->height);
    writer_u32(w, 72u << 16); /* 72 dpi */
    writer_u32(w, 72u << 16);
    writer_u32(w, 0);
    writer_u16(w, 1);      /* frame_count */
    writer_zeros(w, 32);   /* compressorname */
    writer_u16(w, 24);     /* depth */
    writer_u16(w, 0xffff); /* pre_defined = -1 */
    size_t box = open_box(w, "avcC");
    writer_bytes(w, t->config, t->config_len);
    close_box(w, box);
    box = open_box(w, "pasp");
    writer_u32(w, 1);
    writer_u32(w, 1);
    close_box(w, box);
    close_box(w, entry);
}

/* ISO 14496-1 7.2.6: descriptors with one-byte lengths. */
static void write_esds(struct writer *w, const struct fmp4_track *t)
{
    uint8_t config = (uint8_t)t->config_len;
    size_t box = open_full_box(w, "esds", 0, 0);
    writer_u8(w, 3); /* ES_Descriptor */
    writer_u8(w, (uint8_t)(3 + 2 + 13 + 2 + config + 3));
    writer_u16(w, TRACK_ID);
    writer_u8(w, 0);
    writer_u8(w, 4); /* DecoderConfigDescriptor */
    writer_u8(w, (uint8_t)(13 + 2 + config));
    writer_u8(w, 0x40); /* ISO 14496-3 audio */
    writer_u8(w, 0x15); /* audio stream */
    writer_zeros(w, 3 + 4 + 4);
    writer_u8(w, 5); /* DecoderSpecificInfo */
    writer_u8(w, config);
    writer_bytes(w, t->config, t->config_len);
    writer_u8(w, 6); /* SLConfigDescriptor */
    writer_u8(w, 1);
    writer_u8(w, 2);
    close_box(w, box);
}

static void write_audio_entry(struct writer *w, const struct fmp4_track *t)
{
    size_t entry = open_box(w, "mp4a");
    writer_zeros(w, 6);
    writer_u16(w, 1);
    writer_zeros(w, 8);
    writer_u16(w, t->channels);
    writer_u16(w, 16);
    writer_u32(w, 0);
    writer_u32(w, t->sample_rate << 16);
    write_esds(w, t);
    close_box(w, entry);
}

static void write_sample_table(struct writer *w, const struct fmp4_track *t)
{
    static const char *const empty[] = {"stts", "stsc", "stco"};
    size_t table = open_box(w, "stbl");
    size_t box = open_full_box(w, "stsd", 0, 0);
    writer_u32(w, 1);
    if (t->kind == TRACK_VIDEO)
        write_visual_entry(w, t);
    else
        write_audio_entry(w, t);
    close_box(w, box);
    for (size_t i = 0; i < sizeof empty / sizeof *empty; i++) {
        box = open_full_box(w, empty[i], 0, 0);
        writer_u32(w, 0);
        close_box(w, box);
    }
    box = open_full_box(w, "stsz", 0, 0);
    writer_u32(w, 0);
    writer_u32(w, 0);
    close_box(w, box);
    close_box(w, table);
}

static void write_media_info(struct writer *w, const struct fmp4_track *t)
{
    size_t info = open_box(w, "minf"), box;
    if (t->kind == TRACK_VIDEO) {
        box = open_full_box(w, "vmhd", 0, 1);
        writer_zeros(w, 8);
    } else {
        box = open_full_box(w, "smhd", 0, 0);
        writer_zeros(w, 4);
    }
    close_box(w, box);
    box = open_box(w, "dinf");
    size_t reference = open_full_box(w, "dref", 0, 0);
    writer_u32(w, 1);
    close_box(w, open_full_box(w, "url ", 0, 1)); /* in this file */
    close_box(w, reference);
    close_box(w, box);
    write_sample_table(w, t);
    close_box(w, info);
}

static void write_media(struct writer *w, const struct fmp4_track *t)
{
    size_t media = open_box(w, "mdia");
    size_t box = open_full_box(w, "mdhd", 0, 0);
    writer_zeros(w, 8);
    writer_u32(w, t->timescale);
    writer_u32(w, 0);
    writer_u16(w, 0x55c4); /* "und" */
    writer_u16(w, 0);
    close_box(w, box);
    box = open_full_box(w, "hdlr", 0, 0);
    writer_u32(w, 0);
    writer_bytes(w, t->kind == TRACK_VIDEO ? "vide" : "soun", 4);
    writer_zeros(w, 13);
    close_box(w, box);
    write_media_info(w, t);
    close_box(w, media);
}

static void write_track(struct writer *w, const struct fmp4_track *t)
{
    size_t track = open_box(w, "trak");
    size_t box = open_full_box(w, "tkhd", 0, 3); /* enabled, in movie */
    writer_zeros(w, 8);
    writer_u32(w, TRACK_ID);
    writer_zeros(w, 4 + 4 + 8);
    writer_u16(w, 0);
    writer_u16(w, t->kind == TRACK_AUDIO ? 1 : 0);
    writer_u16(w, t->kind == TRACK_AUDIO ? 0x100 : 0);
    writer_u16(w, 0);
    write_matrix(w);
    writer_u32(w, (uint32_t)t->width << 16);
    writer_u32(w, (uint32_t)t->height << 16);
    close_box(w, box);
    write_media(w, t);
    close_box(w, track);
}

int fmp4_write_init(struct writer *w, const struct fmp4_track *track)
{
    size_t limit = track->kind == TRACK_VIDEO ? FMP4_CONFIG_MAX : 64;
    if (track->config_len < 1 || track->config_len > limit)
        return -EINVAL;
    write_brands(w, "ftyp", "iso6", "mp41");
    size_t movie = open_box(w, "moov");
    size_t box = open_full_box(w, "mvhd", 0, 0);
    writer_zeros(w, 8);
    writer_u32(w, track->timescale);
    writer_u32(w, 0); /* duration: unknown, live */
    writer_u32(w, UNITY);
    writer_u16(w, 0x100);
    writer_zeros(w, 10);
    write_matrix(w);
    writer_zeros(w, 24);
    writer_u32(w, TRACK_ID + 1);
    close_box(w, box);
    write_track(w, track);
    box = open_box(w, "mvex");
    size_t defaults = open_full_box(w, "trex", 0, 0);
    writer_u32(w, TRACK_ID);
    writer_u32(w, 1);
    writer_zeros(w, 12);
    close_box(w, defaults);
    close_box(w, box);
    close_box(w, movie);
    return writer_ok(w) ? 0 : -ENOSPC;
}

/* NTP format: seconds since 1900 and a 32-bit fraction. */
static uint64_t ntp_time(int64_t wall_us)
{
    uint64_t us = wall_us > 0 ? (uint64_t)wall_us : 0;
    uint64_t fraction = ((us % 1000000) << 32) / 1000000;
    return ((us / 1000000 + NTP_UNIX_OFFSET) << 32) | fraction;
}

/* Video: the first sample's flags stand apart when it alone is a key frame; any other mixture puts
 * flags on each sample. Audio: every sample is a sync sample. */
static uint32_t choose_flags(const struct fmp4_chunk *c)
{
    if (c->kind == TRACK_AUDIO)
        return 0;
    for (size_t i = 1; i < c->count; i++) {
        if (c->samples[i].key)
            return TRUN_FLAGS;
    }
    return c->samples[0].key ? TRUN_FIRST_FLAGS : 0;
}

static uint32_t choose_offsets(const struct fmp4_chunk *c)
{
    for (size_t i = 0; i < c->count; i++) {
        if (c->samples[i].offset != 0)
            return TRUN_OFFSETS;
    }
    return 0;
}

/* Returns where the data offset has to be patched in. */
static size_t write_run(struct writer *w, const struct fmp4_chunk *c)
{
    uint32_t flags = choose_flags(c) | choose_offsets(c);
    uint8_t version = flags & TRUN_OFFSETS ? 1 : 0; /* 1: offsets may be negative */
    size_t box =
        open_full_box(w, "trun", version, TRUN_DATA_OFFSET | TRUN_DURATION | TRUN_SIZE | flags);
    writer_u32(w, (uint32_t)c->count);
    size_t offset_at = w->len;
    writer_u32(w, 0);
    if (flags & TRUN_FIRST_FLAGS)
        writer_u32(w, FLAGS_SYNC);
    for (size_t i = 0; i < c->count; i++) {
        writer_u32(w, c->samples[i].duration);
        writer_u32(w, c->samples[i].size);
        if (flags & TRUN_FLAGS)
            writer_u32(w, c->samples[i].key ? FLAGS_SYNC : FLAGS_NON_SYNC);
        if (flags & TRUN_OFFSETS)
            writer_u32(w, (uint32_t)c->samples[i].offset);
    }
    close_box(w, box);
    return offset_at;
}

int fmp4_write_chunk_head(struct writer *w, const struct fmp4_chunk *chunk)
{
    uint64_t bytes = MDAT_HEAD;
    for (size_t i = 0; i < chunk->count; i++)
        bytes += chunk->samples[i].size;
    if (chunk->count == 0 || bytes > UINT32_MAX || chunk->base_dts < 0)
        return -EINVAL;
    if (chunk->segment_start)
        write_brands(w, "styp", "msdh", "cmfs");
    size_t box = open_full_box(w, "prft", 1, PRFT_CAPTURE);
    writer_u32(w, TRACK_ID);
    writer_u64(w, ntp_time(chunk->wall_us));
    writer_u64(w, (uint64_t)chunk->base_dts);
    close_box(w, box);
    size_t moof = open_box(w, "moof");
    box = open_full_box(w, "mfhd", 0, 0);
    writer_u32(w, chunk->sequence);
    close_box(w, box);
    size_t traf = open_box(w, "traf");
    box = open_full_box(w, "tfhd", 0, TFHD_DEFAULT_BASE_IS_MOOF | TFHD_DEFAULT_FLAGS);
    writer_u32(w, TRACK_ID);
    writer_u32(w, chunk->kind == TRACK_VIDEO ? FLAGS_NON_SYNC : FLAGS_SYNC);
    close_box(w, box);
    box = open_full_box(w, "tfdt", 1, 0);
    writer_u64(w, (uint64_t)chunk->base_dts);
    close_box(w, box);
    size_t offset_at = write_run(w, chunk);
    close_box(w, traf);
    close_box(w, moof);
    writer_patch_u32(w, offset_at, (uint32_t)(w->len - moof + MDAT_HEAD));
    writer_u32(w, (uint32_t)bytes);
    writer_bytes(w, "mdat", 4);
    return writer_ok(w) ? 0 : -ENOSPC;
}
