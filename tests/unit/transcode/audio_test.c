/* Opus to AAC: alignment, holes, drift. */
#include "transcode/audio.h"

#include "tests/unit/transcode/media.h"
#include "transcode/audio_queue.h"
#include "transcode/avlib.h"

#include <errno.h>

#define FRAMES_MAX 4096
#define DECODED_MAX (40 * AUDIO_RATE)

struct taken {
    struct audio *audio;
    AVCodecContext *opus;
    AVCodecContext *aac;
    size_t frames;
    int64_t first, last;
    int fail;
    float *decoded; /* left channel from `first` on */
    size_t decoded_len;
};

static struct media_unit unit;

static int take(void *ctx, const uint8_t *data, size_t len, int64_t dts)
{
    struct taken *t = ctx;
    if (t->fail != 0)
        return t->fail;
    AVPacket *packet = av_packet_alloc();
    AVFrame *frame = av_frame_alloc();
    if (t->frames == 0)
        t->first = dts;
    else
        assert_int_equal(dts, t->last + 1024); /* no hole, no overlap */
    t->last = dts;
    t->frames++;
    assert_int_equal(av_new_packet(packet, (int)len), 0);
    memcpy(packet->data, data, len);
    assert_int_equal(avcodec_send_packet(t->aac, packet), 0);
    assert_int_equal(avcodec_receive_frame(t->aac, frame), 0);
    assert_int_equal(frame->nb_samples, 1024);
    assert_true(t->decoded_len + 1024 <= DECODED_MAX);
    memcpy(t->decoded + t->decoded_len, frame->extended_data[0], 1024 * sizeof(float));
    t->decoded_len += 1024;
    av_frame_free(&frame);
    av_packet_free(&packet);
    return 0;
}

static int set_up(void **state)
{
    size_t len;
    struct taken *t = calloc(1, sizeof *t);
    t->decoded = malloc(DECODED_MAX * sizeof(float));
    assert_int_equal(audio_new(128000, take, t, &t->audio), 0);
    const uint8_t *config = audio_config(t->audio, &len);
    assert_true(len >= 2);
    assert_int_equal(config[0] >> 3, 2); /* AAC LC */
    const AVCodec *codec = avcodec_find_decoder_by_name("aac");
    t->aac = avcodec_alloc_context3(codec);
    t->aac->extradata = av_mallocz(len + AV_INPUT_BUFFER_PADDING_SIZE);
    memcpy(t->aac->extradata, config, len);
    t->aac->extradata_size = (int)len;
    assert_int_equal(avcodec_open2(t->aac, codec, NULL), 0);
    t->opus = media_open_opus();
    *state = t;
    return 0;
}

static int tear_down(void **state)
{
    struct taken *t = *state;
    audio_free(t->audio);
    avcodec_free_context(&t->opus);
    avcodec_free_context(&t->aac);
    free(t->decoded);
    free(t);
    return 0;
}

static int push(struct taken *t, int number, bool loud, int64_t pts)
{
    media_opus(t->opus, number, loud, &unit);
    return audio_push(t->audio, unit.data, unit.len, pts);
}

/* First sample whose neighbourhood is loud, as a time. */
static int64_t onset(const struct taken *t)
{
    for (size_t i = 0; i < t->decoded_len; i++) {
        if (t->decoded[i] > 0.1f || t->decoded[i] < -0.1f)
            return t->first + (int64_t)i;
    }
    return -1;
}

static void FMP_04_sound_is_where_its_packet_was(void **state)
{
    struct taken *t = *state;
    const int64_t start = 48000 * 5;
    audio_start(t->audio, start);
    for (int i = 0; i < 100; i++)
        assert_int_equal(push(t, i, i >= 50, start + i * 960), 0);
    assert_int_equal(t->first, start); /* the priming frame is not put out */
    int64_t error = onset(t) - (start + 50 * 960);
    /* libopus looks 312 samples ahead: 6.5 ms; nothing of AAC's 1024 is left */
    assert_true(error > -300 && error < 500);
    assert_int_equal(audio_position(t->audio), start + 100 * 960);
    assert_true(t->frames >= 100 * 960 / 1024 - 2);
}

static void a_late_first_packet_is_preceded_by_silence(void **state)
{
    struct taken *t = *state;
    audio_start(t->audio, 0);
    for (int i = 0; i < 60; i++)
        assert_int_equal(push(t, i, true, 24000 + i * 960), 0);
    assert_int_equal(t->first, 0);
    assert_true(onset(t) > 24000 - 600 && onset(t) < 24000 + 600);
}

static void packets_before_the_start_are_dropped(void **state)
{
    struct taken *t = *state;
    audio_start(t->audio, 0);
    for (int i = 0; i < 60; i++)
        assert_int_equal(push(t, i, i < 10, -9600 + i * 960), 0);
    assert_int_equal(audio_position(t->audio), 50 * 960);
    int64_t loud = onset(t);
    assert_true(loud == -1 || loud < 960);
}

static void RTP_18_a_hole_becomes_silence(void **state)
{
    struct taken *t = *state;
    audio_start(t->audio, 0);
    int64_t pts = 0;
    for (int i = 0; i < 200; i++, pts += 960) {
        if (i == 100)
            pts += 960 * 25; /* half a second is missing */
        if (i == 150)
            pts += 960; /* one packet is missing */
        assert_int_equal(push(t, i, true, pts), 0);
    }
    assert_int_equal(audio_position(t->audio), pts);
    size_t quiet = 0;
    for (size_t i = 0; i < t->decoded_len; i++)
        quiet += t->decoded[i] > -0.0005f && t->decoded[i] < 0.0005f;
    assert_true(quiet > 960 * 24 && quiet < 960 * 28);
}

static void DTX_pauses_of_400_ms_are_silence(void **state)
{
    struct taken *t = *state;
    audio_start(t->audio, 0);
    for (int i = 0; i < 20; i++)
        assert_int_equal(push(t, i, false, i * 19200), 0);
    assert_int_equal(audio_position(t->audio), 19 * 19200 + 960);
}

static void too_late_media_is_dropped_after_a_fill(void **state)
{
    struct taken *t = *state;
    audio_start(t->audio, 0);
    for (int i = 0; i < 20; i++)
        assert_int_equal(push(t, i, true, i * 960), 0);
    assert_int_equal(audio_fill(t->audio, 40 * 960), 0);
    for (int i = 20; i < 60; i++)
        assert_int_equal(push(t, i, true, i * 960), 0);
    assert_int_equal(audio_position(t->audio), 60 * 960); /* 20 to 39 were dropped */
}

static int64_t drift_error(struct taken *t, double rate, int packets)
{
    audio_start(t->audio, 0);
    int64_t worst = 0;
    for (int i = 0; i < packets; i++) {
        int64_t pts = (int64_t)(i * 960 * rate);
        assert_int_equal(push(t, i, true, pts), 0);
        int64_t error = audio_position(t->audio) - (pts + 960);
        if (i > packets / 4 && llabs(error) > worst)
            worst = llabs(error);
    }
    return worst;
}

static void clock_drift_is_followed_within_5_ms(void **state)
{
    assert_true(drift_error(*state, 1.0003, 1800) < 240); /* 300 ppm fast sender clock */
}

static void clock_drift_the_other_way(void **state)
{
    assert_true(drift_error(*state, 0.9997, 1800) < 240);
}

static void a_slew_of_20_ms_per_second_is_followed(void **state)
{
    assert_true(drift_error(*state, 1.015, 400) < 1440); /* lip sync moves at the start */
}

static void jitter_alone_changes_nothing(void **state)
{
    struct taken *t = *state;
    audio_start(t->audio, 0);
    for (int i = 0; i < 500; i++)
        assert_int_equal(push(t, i, true, i * 960 + (i * 7919) % 200 - 100), 0);
    assert_true(llabs(audio_position(t->audio) - 500 * 960) < 150);
}

static void broken_packets_are_refused_and_become_silence(void **state)
{
    struct taken *t = *state;
    static uint8_t junk[5000];
    audio_start(t->audio, 0);
    assert_int_equal(audio_push(t->audio, junk, 0, 0), -EBADMSG);
    assert_int_equal(audio_push(t->audio, junk, sizeof junk, 0), -EBADMSG);
    srand(3);
    for (int i = 0; i < 1500; i++) {
        size_t len = 1 + (size_t)(rand() % 200);
        for (size_t k = 0; k < len; k++)
            junk[k] = (uint8_t)(rand() >> 6);
        int result = audio_push(t->audio, junk, len, i * 960);
        assert_true(result == 0 || result == -EBADMSG);
    }
    for (int i = 1500; i < 1550; i++)
        assert_int_equal(push(t, i, true, i * 960), 0);
    assert_true(llabs(audio_position(t->audio) - 1550 * 960) < 7200);
}

static void a_fill_is_bounded(void **state)
{
    struct taken *t = *state;
    audio_start(t->audio, 0);
    assert_int_equal(audio_fill(t->audio, INT64_MAX / 2), 0);
    assert_int_equal(audio_position(t->audio), AUDIO_SILENCE_MAX);
    assert_int_equal(audio_fill(t->audio, 0), 0);
    assert_int_equal(audio_position(t->audio), AUDIO_SILENCE_MAX);
}

static void errors_of_the_taker_come_back(void **state)
{
    struct taken *t = *state;
    audio_start(t->audio, 0);
    t->fail = -ENOSPC;
    assert_int_equal(audio_fill(t->audio, 48000), -ENOSPC);
}

static void a_queue_gives_all_packets_in_order(void **state)
{
    struct taken *t = *state;
    struct audio_queue q = {0};
    uint64_t bad = 0;
    audio_start(t->audio, 0);
    for (int i = 0; i < 10; i++) {
        media_opus(t->opus, i, true, &unit);
        assert_true(audio_queue_add(&q, unit.data, unit.len, i * 960));
        assert_int_equal(q.end, (i + 1) * 960);
    }
    assert_true(audio_queue_add(&q, (const uint8_t *)"\xff", 1, 9600));
    assert_int_equal(t->frames, 0);
    assert_int_equal(audio_queue_run(&q, t->audio, &bad), 0);
    assert_int_equal(audio_position(t->audio), 9600);
    assert_int_equal(bad, 1);
    assert_int_equal(q.count + q.len, 0);
}

static void a_queue_that_is_full_says_so(void **state)
{
    (void)state;
    static struct audio_queue q;
    static uint8_t data[AUDIO_QUEUE_BYTES];
    assert_false(audio_queue_add(&q, data, sizeof data + 1, 0));
    assert_true(audio_queue_add(&q, data, sizeof data, 0));
    assert_false(audio_queue_add(&q, data, 1, 960));
    q.count = q.len = 0;
    for (unsigned i = 0; i < AUDIO_QUEUE_PACKETS; i++)
        assert_true(audio_queue_add(&q, data, 1, i * 960));
    assert_false(audio_queue_add(&q, data, 1, 99 * 960));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(FMP_04_sound_is_where_its_packet_was),
        TEST(a_late_first_packet_is_preceded_by_silence),
        TEST(packets_before_the_start_are_dropped),
        TEST(RTP_18_a_hole_becomes_silence),
        TEST(DTX_pauses_of_400_ms_are_silence),
        TEST(too_late_media_is_dropped_after_a_fill),
        TEST(clock_drift_is_followed_within_5_ms),
        TEST(clock_drift_the_other_way),
        TEST(a_slew_of_20_ms_per_second_is_followed),
        TEST(jitter_alone_changes_nothing),
        TEST(broken_packets_are_refused_and_become_silence),
        TEST(a_fill_is_bounded),
        TEST(errors_of_the_taker_come_back),
        TEST(a_queue_gives_all_packets_in_order),
        TEST(a_queue_that_is_full_says_so),
    };
    avlib_silence();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
