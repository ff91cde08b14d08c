/* Decoding and encoding pictures. */
#include "transcode/encoder.h"

#include "tests/unit/transcode/bitmake.h"
#include "tests/unit/transcode/media.h"
#include "transcode/avlib.h"
#include "transcode/decoder.h"

#include <errno.h>

static struct media_unit unit;

static int average_luma(const AVFrame *f)
{
    long sum = 0;
    for (int y = 0; y < f->height; y++) {
        for (int x = 0; x < f->width; x++)
            sum += f->data[0][y * f->linesize[0] + x];
    }
    return (int)(sum / (f->width * f->height));
}

static struct decoder *open_decoder(enum codec codec, int64_t max_pixels)
{
    struct decoder *d = NULL;
    struct decoder_config config = {.codec = codec, .max_pixels = max_pixels};
    assert_int_equal(decoder_new(&config, &d), 0);
    return d;
}

static struct decoder *open_decoder_for(struct encoder *e, int64_t max_pixels)
{
    uint8_t config[AVC_CONFIG_MAX];
    struct writer w;
    struct avc_sps sps;
    struct decoder *d = NULL;
    const struct avc_sets *sets = encoder_sets(e);
    assert_int_equal(avc_parse_sps(sets->sps.bytes, sets->sps.len, &sps), 0);
    writer_init(&w, config, sizeof config);
    assert_int_equal(avc_write_config(sets, &sps, &w), 0);
    struct decoder_config settings = {
        .codec = CODEC_H264, .max_pixels = max_pixels, .config = config, .config_len = w.len};
    assert_int_equal(decoder_new(&settings, &d), 0);
    return d;
}

static void one_in_one_out_without_delay(void **state)
{
    (void)state;
    struct encoder *e;
    const AVFrame *picture;
    assert_int_equal(encoder_new(320, 180, 500000, &e), 0);
    struct decoder *d = open_decoder_for(e, 320 * 180);
    for (int i = 0; i < 90; i++) {
        AVFrame *source = media_picture(320, 180, i);
        bool key = i == 0 || i == 37;
        media_h264(e, 320, 180, i, key, &unit);
        struct avc_sets sets = {0};
        struct avc_unit parsed;
        assert_int_equal(avc_strip(unit.data, unit.len, &sets, &parsed), 0);
        assert_int_equal(parsed.idr, key); /* key frames where we want them, nowhere else */
        assert_int_equal(decoder_push(d, unit.data, parsed.len, 0, &picture), 0);
        assert_int_equal(picture->width, 320);
        assert_int_equal(picture->height, 180);
        assert_true(abs(average_luma(picture) - average_luma(source)) <= 2);
        av_frame_free(&source);
    }
    decoder_free(d);
    encoder_free(e);
}

static void VP8_decodes_without_delay(void **state)
{
    (void)state;
    const AVFrame *picture;
    struct decoder *d = NULL;
    AVCodecContext *vp8 = media_open_vp8(176, 144);
    d = open_decoder(CODEC_VP8, 176 * 144);
    for (int i = 0; i < 30; i++) {
        media_coded(vp8, i, i == 0, &unit);
        assert_int_equal(decoder_push(d, unit.data, unit.len, 0, &picture), 0);
        assert_int_equal(picture->width, 176);
    }
    decoder_free(d);
    avcodec_free_context(&vp8);
}

static void M3_larger_pictures_than_allowed_are_refused(void **state)
{
    (void)state;
    const AVFrame *picture;
    struct decoder *d = NULL;
    AVCodecContext *vp8 = media_open_vp8(640, 480);
    media_coded(vp8, 0, true, &unit);
    d = open_decoder(CODEC_VP8, 64 * 64);
    assert_true(decoder_push(d, unit.data, unit.len, 0, &picture) < 0);
    decoder_free(d);
    avcodec_free_context(&vp8);
    struct encoder *e;
    assert_int_equal(encoder_new(640, 360, 500000, &e), 0);
    d = open_decoder_for(e, 64 * 64);
    media_h264(e, 640, 360, 0, true, &unit);
    assert_true(decoder_push(d, unit.data, unit.len, 0, &picture) < 0);
    decoder_free(d);
    encoder_free(e);
}

static void M9_broken_frames_are_errors_not_crashes(void **state)
{
    (void)state;
    const AVFrame *picture;
    struct decoder *d = NULL;
    AVCodecContext *vp8 = media_open_vp8(176, 144);
    d = open_decoder(CODEC_VP8, 176 * 144);
    srand(9);
    for (int i = 0; i < 300; i++) {
        media_coded(vp8, i, i % 10 == 0, &unit);
        for (int k = 0; k < 5; k++)
            unit.data[(size_t)rand() % unit.len] ^= (uint8_t)(1 << rand() % 8);
        int result = decoder_push(d, unit.data, i % 7 ? unit.len : unit.len / 2, 0, &picture);
        assert_true(result <= 0);
        if (result == 0)
            (void)average_luma(picture);
    }
    assert_int_equal(decoder_push(d, unit.data, 0, 0, &picture), -EBADMSG);
    decoder_free(d);
    avcodec_free_context(&vp8);
}

static void codecs_that_we_do_not_decode_are_refused(void **state)
{
    (void)state;
    struct decoder *d = NULL;
    assert_int_equal(
        decoder_new(&(struct decoder_config){.codec = CODEC_OPUS, .max_pixels = 100}, &d),
        -ENOTSUP);
    assert_int_equal(
        decoder_new(&(struct decoder_config){.codec = CODEC_NONE, .max_pixels = 100}, &d),
        -ENOTSUP);
    decoder_free(NULL);
    encoder_free(NULL);
}

static void the_bitrate_is_kept(void **state)
{
    (void)state;
    struct encoder *e;
    size_t bytes = 0;
    const uint8_t *data;
    size_t len;
    srand(4);
    assert_int_equal(encoder_new(320, 180, 400000, &e), 0);
    for (int i = 0; i < 300; i++) {
        AVFrame *noise = media_picture(320, 180, i);
        for (int k = 0; k < noise->linesize[0] * 180; k++)
            noise->data[0][k] = (uint8_t)(rand() >> 8);
        assert_int_equal(encoder_push(e, noise, i * 3000, i % 60 == 0, &data, &len), 0);
        bytes += len;
        av_frame_free(&noise);
    }
    assert_true(bytes * 8 / 10 < 400000 * 5 / 4); /* HLS-20: peaks at most 125 % */
    encoder_free(e);
}

static void odd_pictures_are_cropped(void **state)
{
    (void)state;
    struct encoder *e;
    const AVFrame *picture;
    const uint8_t *data;
    size_t len;
    AVFrame *source = media_picture(101, 75, 1);
    assert_int_equal(encoder_new(100, 74, 200000, &e), 0);
    struct decoder *d = open_decoder_for(e, 100 * 80);
    assert_int_equal(encoder_push(e, source, 0, true, &data, &len), 0);
    assert_int_equal(decoder_push(d, data, len, 0, &picture), 0);
    assert_int_equal(picture->width, 100);
    assert_int_equal(picture->height, 74);
    av_frame_free(&source);
    decoder_free(d);
    encoder_free(e);
}

/* A Baseline SPS of 2048x2048, of which 64x64 are shown when cropped. */
static struct bit_writer made_sps(bool cropped)
{
    struct bit_writer w = {.data = {0x67, 66, 0xc0, 40}, .bits = 32};
    static const uint8_t front[] = {0, 0, 2, 1}; /* id, frame_num, order, references */
    for (size_t i = 0; i < sizeof front; i++)
        put_ue(&w, front[i]);
    put_bits(&w, 0, 1);
    put_ue(&w, 127);
    put_ue(&w, 127);
    put_bits(&w, 3, 2);
    put_bits(&w, cropped, 1);
    for (int i = 0; i < 4 && cropped; i++)
        put_ue(&w, i % 2 == 0 ? 0 : (2048 - 64) / 2);
    put_bits(&w, 1, 2);
    return w;
}

static struct decoder *open_made(bool cropped, int64_t max_pixels)
{
    static const uint8_t pps[] = {0x68, 0xce, 0x38, 0x80};
    struct bit_writer sps = made_sps(cropped);
    uint8_t config[64];
    struct decoder *d = NULL;
    struct writer w;
    writer_init(&w, config, sizeof config);
    writer_bytes(&w, (const uint8_t[]){1, 66, 0xc0, 40, 0xff, 0xe1}, 6);
    writer_u16(&w, (uint16_t)bit_len(&sps));
    writer_bytes(&w, sps.data, bit_len(&sps));
    writer_u8(&w, 1);
    writer_u16(&w, sizeof pps);
    writer_bytes(&w, pps, sizeof pps);
    assert_true(writer_ok(&w));
    struct decoder_config settings = {
        .codec = CODEC_H264, .max_pixels = max_pixels, .config = config, .config_len = w.len};
    assert_int_equal(decoder_new(&settings, &d), 0);
    return d;
}

/* An IDR slice whose only macroblock is raw; the decoder conceals the others. */
static int push_made_idr(struct decoder *d)
{
    uint8_t data[512];
    const AVFrame *picture;
    struct bit_writer head = {.data = {0, 0, 0, 0, 0x65}, .bits = 40};
    put_ue(&head, 0);      /* first macroblock */
    put_ue(&head, 7);      /* I */
    put_ue(&head, 0);      /* PPS */
    put_bits(&head, 0, 4); /* frame_num */
    put_ue(&head, 0);      /* idr_pic_id */
    put_bits(&head, 0, 2); /* reference marking */
    put_ue(&head, 0);      /* quantiser */
    put_ue(&head, 0);      /* deblocking */
    put_ue(&head, 25);     /* I_PCM */
    memset(data, 0x55, sizeof data);
    memcpy(data, head.data, bit_len(&head));
    size_t len = bit_len(&head) + 384;
    data[len++] = 0x80;
    data[2] = (uint8_t)((len - 4) >> 8);
    data[3] = (uint8_t)(len - 4);
    return decoder_push(d, data, len, 0, &picture);
}

/* The second line behind avc_parse_sps. */
static void M3_what_is_cropped_counts_too(void **state)
{
    (void)state;
    static const int64_t enough = 2048 * 2048;
    for (int cropped = 0; cropped < 2; cropped++) {
        struct decoder *d = open_made(cropped == 1, enough);
        assert_int_equal(push_made_idr(d), 0);
        decoder_free(d);
        d = open_made(cropped == 1, enough / 4);
        assert_true(push_made_idr(d) < 0);
        decoder_free(d);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_in_one_out_without_delay),
        cmocka_unit_test(VP8_decodes_without_delay),
        cmocka_unit_test(M3_larger_pictures_than_allowed_are_refused),
        cmocka_unit_test(M9_broken_frames_are_errors_not_crashes),
        cmocka_unit_test(codecs_that_we_do_not_decode_are_refused),
        cmocka_unit_test(the_bitrate_is_kept),
        cmocka_unit_test(odd_pictures_are_cropped),
        cmocka_unit_test(M3_what_is_cropped_counts_too),
    };
    avlib_silence();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
