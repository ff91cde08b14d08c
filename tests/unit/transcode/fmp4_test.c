/* The boxes that we write, read back. */
#include "transcode/fmp4.h"

#include "tests/unit/transcode/ledger.h"

#include <errno.h>

static const uint8_t config[] = {1, 0x42, 0xc0, 0x1f, 0xff, 0xe1, 0, 2, 0x67, 0x42, 1, 0, 1, 0x68};
static const uint8_t asc[] = {0x11, 0x90};

static const struct fmp4_track video = {
    .kind = TRACK_VIDEO,
    .timescale = 90000,
    .width = 1280,
    .height = 720,
    .config = config,
    .config_len = sizeof config,
};
static const struct fmp4_track audio = {
    .kind = TRACK_AUDIO,
    .timescale = 48000,
    .sample_rate = 48000,
    .channels = 2,
    .config = asc,
    .config_len = sizeof asc,
};

static struct reader init_box(const struct fmp4_track *track, uint8_t *data,
                              const char *const *path)
{
    struct writer w;
    struct reader r;
    writer_init(&w, data, PART_INIT_MAX);
    assert_int_equal(fmp4_write_init(&w, track), 0);
    reader_init(&r, data, w.len);
    for (; *path != NULL; path++)
        r = ledger_box(r, *path);
    assert_true(reader_ok(&r));
    return r;
}

#define BOX(track, data, ...) init_box(track, data, (const char *const[]){__VA_ARGS__, NULL})

static void FMP_01_brands_and_no_samples(void **state)
{
    (void)state;
    uint8_t data[PART_INIT_MAX];
    struct reader r = BOX(&video, data, "ftyp");
    assert_memory_equal(reader_bytes(&r, 4), "iso6", 4);
    reader_u32(&r);
    reader_bytes(&r, 8);
    assert_memory_equal(reader_bytes(&r, 4), "cmfc", 4);
    r = BOX(&video, data, "moov", "mvhd");
    reader_bytes(&r, 12);
    assert_int_equal(reader_u32(&r), 90000);
    assert_int_equal(reader_u32(&r), 0); /* zero duration */
    r = BOX(&video, data, "moov", "trak", "mdia", "mdhd");
    reader_bytes(&r, 12);
    assert_int_equal(reader_u32(&r), 90000);
    assert_int_equal(reader_u32(&r), 0);
    r = BOX(&video, data, "moov", "trak", "mdia", "minf", "stbl", "stsz");
    reader_bytes(&r, 8);
    assert_int_equal(reader_u32(&r), 0);
    r = BOX(&video, data, "moov", "mvex", "trex");
    reader_u32(&r);
    assert_int_equal(reader_u32(&r), 1);
    r = BOX(&audio, data, "moov", "trak", "mdia", "mdhd");
    reader_bytes(&r, 12);
    assert_int_equal(reader_u32(&r), 48000); /* FMP-05: the sample rate */
}

static void HLS_21_sample_entry_is_avc1_with_avcC(void **state)
{
    (void)state;
    uint8_t data[PART_INIT_MAX];
    struct reader r = BOX(&video, data, "moov", "trak", "mdia", "minf", "stbl", "stsd");
    reader_bytes(&r, 8);
    r = ledger_box(r, "avc1");
    reader_bytes(&r, 24);
    assert_int_equal(reader_u16(&r), 1280);
    assert_int_equal(reader_u16(&r), 720);
    reader_bytes(&r, 50);
    r = ledger_box(r, "avcC");
    assert_int_equal(reader_left(&r), sizeof config);
    assert_memory_equal(reader_bytes(&r, sizeof config), config, sizeof config);
}

static void HLS_21_audio_entry_carries_the_specific_config(void **state)
{
    (void)state;
    uint8_t data[PART_INIT_MAX];
    struct reader r = BOX(&audio, data, "moov", "trak", "mdia", "minf", "stbl", "stsd");
    reader_bytes(&r, 8);
    r = ledger_box(r, "mp4a");
    reader_bytes(&r, 16);
    assert_int_equal(reader_u16(&r), 2);
    reader_bytes(&r, 6);
    assert_int_equal(reader_u32(&r), 48000u << 16);
    r = ledger_box(r, "esds");
    reader_u32(&r);
    assert_int_equal(reader_u8(&r), 3);
    uint8_t len = reader_u8(&r);
    assert_int_equal(len, reader_left(&r));
    reader_bytes(&r, 3);
    assert_int_equal(reader_u8(&r), 4);
    assert_int_equal(reader_u8(&r), 13 + 2 + sizeof asc);
    reader_bytes(&r, 13);
    assert_int_equal(reader_u8(&r), 5);
    assert_int_equal(reader_u8(&r), sizeof asc);
    assert_memory_equal(reader_bytes(&r, sizeof asc), asc, sizeof asc);
}

static void an_init_that_does_not_fit_is_refused(void **state)
{
    (void)state;
    uint8_t data[PART_INIT_MAX];
    struct writer w;
    writer_init(&w, data, sizeof data);
    assert_int_equal(fmp4_write_init(&w, &video), 0);
    for (size_t cap = 0, len = w.len; cap < len; cap++) {
        writer_init(&w, data, cap);
        assert_int_equal(fmp4_write_init(&w, &video), -ENOSPC);
    }
    struct fmp4_track bad = audio;
    bad.config_len = 0;
    writer_init(&w, data, sizeof data);
    assert_int_equal(fmp4_write_init(&w, &bad), -EINVAL);
    bad.config_len = 65;
    assert_int_equal(fmp4_write_init(&w, &bad), -EINVAL);
}

static size_t chunk(uint8_t *data, size_t cap, struct fmp4_chunk *c)
{
    struct writer w;
    writer_init(&w, data, cap);
    assert_int_equal(fmp4_write_chunk_head(&w, c), 0);
    return w.len;
}

static void FMP_02_chunk_has_64_bit_time_and_moof_relative_data(void **state)
{
    (void)state;
    uint8_t data[4096];
    struct ledger_part part;
    struct fmp4_sample samples[] = {{.size = 100, .duration = 3000, .key = true},
                                    {.size = 20, .duration = 3010}};
    struct fmp4_chunk c = {.kind = TRACK_VIDEO,
                           .sequence = 9,
                           .segment_start = true,
                           .base_dts = INT64_C(90000) * 86400 * 365,
                           .wall_us = 1700000000500000,
                           .samples = samples,
                           .count = 2};
    size_t head = chunk(data, sizeof data, &c);
    memset(data + head, 0x55, 120);
    ledger_parse_chunk(data, head + 120, true, &part);
    assert_int_equal(part.base, c.base_dts);
    assert_int_equal(part.samples, 2);
    assert_int_equal(part.ticks, 6010);
    assert_true(part.key);
    struct reader all, prft;
    reader_init(&all, data, head + 120);
    prft = ledger_box(all, "prft");
    reader_bytes(&prft, 8);
    uint64_t ntp = reader_u64(&prft);
    assert_int_equal(ntp >> 32, UINT64_C(1700000000) + 2208988800u);
    assert_int_equal((uint32_t)ntp, 0x80000000u);
    assert_int_equal(reader_u64(&prft), c.base_dts);
    assert_true(reader_ok(&prft));
    assert_memory_equal(data + 4, "styp", 4);
    c.segment_start = false;
    chunk(data, sizeof data, &c);
    assert_memory_equal(data + 4, "prft", 4);
}

static void sample_flags_tell_key_frames(void **state)
{
    (void)state;
    uint8_t data[4096];
    struct ledger_part part;
    struct fmp4_sample samples[] = {{.size = 1, .duration = 1}, {.size = 1, .duration = 1}};
    struct fmp4_chunk c = {.kind = TRACK_VIDEO, .sequence = 1, .samples = samples, .count = 2};
    for (int mask = 0; mask < 4; mask++) {
        samples[0].key = mask & 1;
        samples[1].key = mask & 2;
        size_t head = chunk(data, sizeof data, &c);
        ledger_parse_chunk(data, head + 2, true, &part);
        assert_int_equal(part.key, mask & 1);
    }
    c.kind = TRACK_AUDIO;
    ledger_parse_chunk(data, chunk(data, sizeof data, &c) + 2, false, &part);
    assert_true(part.key);
}

static void COD_07_offsets_are_signed(void **state)
{
    (void)state;
    uint8_t head[FMP4_HEAD_FIXED + 3 * FMP4_HEAD_PER_SAMPLE];
    const struct fmp4_sample samples[] = {{.size = 1, .duration = 5, .offset = 10, .key = true},
                                          {.size = 2, .duration = 6, .offset = -3},
                                          {.size = 3, .duration = 7}};
    struct fmp4_chunk chunk = {
        .kind = TRACK_VIDEO, .sequence = 1, .base_dts = 100, .samples = samples, .count = 3};
    struct writer w;
    struct reader r;
    writer_init(&w, head, sizeof head);
    assert_int_equal(fmp4_write_chunk_head(&w, &chunk), 0);
    reader_init(&r, head, w.len);
    struct reader moof = ledger_box(r, "moof");
    struct reader traf = ledger_box(moof, "traf");
    struct reader trun = ledger_box(traf, "trun");
    assert_int_equal(reader_u32(&trun), 1u << 24 | 0x1 | 0x4 | 0x100 | 0x200 | 0x800);
    reader_bytes(&trun, 12);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(reader_u32(&trun), samples[i].duration);
        assert_int_equal(reader_u32(&trun), samples[i].size);
        assert_int_equal((int32_t)reader_u32(&trun), samples[i].offset);
    }
    assert_true(reader_ok(&trun) && reader_left(&trun) == 0);
}

static void heads_fit_the_promised_room(void **state)
{
    (void)state;
    static struct fmp4_sample samples[CHUNKER_SAMPLES_MAX];
    uint8_t data[FMP4_HEAD_FIXED + CHUNKER_SAMPLES_MAX * FMP4_HEAD_PER_SAMPLE];
    struct fmp4_chunk c = {.kind = TRACK_VIDEO,
                           .segment_start = true,
                           .samples = samples,
                           .count = CHUNKER_SAMPLES_MAX};
    struct writer w;
    for (size_t i = 0; i < CHUNKER_SAMPLES_MAX; i++)
        samples[i] = (struct fmp4_sample){.size = 1, .duration = 1, .key = true};
    size_t len = chunk(data, sizeof data, &c);
    for (size_t cap = 0; cap < len; cap += 7) {
        writer_init(&w, data, cap);
        assert_int_equal(fmp4_write_chunk_head(&w, &c), -ENOSPC);
    }
    c.count = 1;
    chunk(data, FMP4_HEAD_FIXED + FMP4_HEAD_PER_SAMPLE, &c);
    c.count = 0;
    writer_init(&w, data, sizeof data);
    assert_int_equal(fmp4_write_chunk_head(&w, &c), -EINVAL);
    c.count = 2;
    samples[0].size = samples[1].size = UINT32_MAX;
    assert_int_equal(fmp4_write_chunk_head(&w, &c), -EINVAL);
    samples[0].size = samples[1].size = 1;
    c.base_dts = -1;
    assert_int_equal(fmp4_write_chunk_head(&w, &c), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(FMP_01_brands_and_no_samples),
        cmocka_unit_test(HLS_21_sample_entry_is_avc1_with_avcC),
        cmocka_unit_test(HLS_21_audio_entry_carries_the_specific_config),
        cmocka_unit_test(an_init_that_does_not_fit_is_refused),
        cmocka_unit_test(FMP_02_chunk_has_64_bit_time_and_moof_relative_data),
        cmocka_unit_test(sample_flags_tell_key_frames),
        cmocka_unit_test(COD_07_offsets_are_signed),
        cmocka_unit_test(heads_fit_the_promised_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
