/* Opus packets become AAC frames without holes: 48 kHz, stereo, 1024 samples each. */
#include "transcode/audio.h"

#include "transcode/avlib.h"

#include <assert.h>
#include <errno.h>
#include <libavcodec/avcodec.h>
#include <libavutil/opt.h>
#include <libswresample/swresample.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define FRAME 1024      /* samples of an AAC frame */
#define PACKET_MAX 5760 /* samples of an Opus packet: 120 ms */
#define PAYLOAD_MAX                                                                                \
    4096               /* bytes of an Opus packet that we look at; the format ends at 1275 x 48    \
                        */
#define LATE_MAX 7200  /* 150 ms: media older than this is dropped */
#define HOLE_MIN 720   /* 15 ms: a sudden step is a hole, not drift */
#define DRIFT_ON 144   /* 3 ms of lasting difference: correct it */
#define DRIFT_OFF 24   /* 0.5 ms: well again */
#define DRIFT_FAST 960 /* 20 ms: as fast as ingest slews (20 ms per second) */
#define RATE_SLOW 96   /* samples per second: 0.2 % */
#define RATE_FAST 960  /* 2 % */
#define SMOOTHING 32   /* packets */

struct audio {
    AVCodecContext *decoder;
    AVCodecContext *encoder;
    SwrContext *resampler; /* NULL until drift was seen */
    AVFrame *decoded;
    AVFrame *frame;
    AVPacket *packet;
    audio_frame_fn fn;
    void *ctx;
    int64_t start;
    int64_t position; /* of the next sample to be taken in */
    int64_t smooth;   /* lasting difference, samples times SMOOTHING */
    bool aligned;     /* false: the next packet is put where it belongs, without smoothing */
    bool correcting;
    size_t filled; /* samples waiting for a whole frame */
    float waiting[AUDIO_CHANNELS][FRAME];
    float stretched[AUDIO_CHANNELS][PACKET_MAX + 256];
};

static int open_decoder(struct audio *a)
{
    const AVCodec *codec = avcodec_find_decoder_by_name("opus"); /* native, not libopus */
    if (codec == NULL)
        return -ENOTSUP;
    a->decoder = avcodec_alloc_context3(codec);
    if (a->decoder == NULL)
        return -ENOMEM;
    a->decoder->thread_count = 1;
    a->decoder->sample_rate = AUDIO_RATE;
    a->decoder->ch_layout = (AVChannelLayout)AV_CHANNEL_LAYOUT_STEREO;
    return avlib_error(avcodec_open2(a->decoder, codec, NULL));
}

/* The fast coder without its stereo and noise tools: half the time, no audible loss at 64 kbit/s
 * per channel. */
static int open_encoder(struct audio *a, uint32_t bitrate_bps)
{
    static const char *const off[] = {"aac_is", "aac_ms", "aac_pns", "aac_tns"};
    const AVCodec *codec = avcodec_find_encoder_by_name("aac");
    if (codec == NULL)
        return -ENOTSUP;
    a->encoder = avcodec_alloc_context3(codec);
    if (a->encoder == NULL)
        return -ENOMEM;
    AVCodecContext *e = a->encoder;
    e->thread_count = 1;
    e->sample_rate = AUDIO_RATE;
    e->sample_fmt = AV_SAMPLE_FMT_FLTP;
    e->ch_layout = (AVChannelLayout)AV_CHANNEL_LAYOUT_STEREO;
    e->bit_rate = bitrate_bps;
    e->time_base = (AVRational){1, AUDIO_RATE};
    e->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
    int result = av_opt_set(e->priv_data, "aac_coder", "fast", 0);
    for (size_t i = 0; i < sizeof off / sizeof *off && result >= 0; i++)
        result = av_opt_set_int(e->priv_data, off[i], 0, 0);
    if (result >= 0)
        result = avcodec_open2(e, codec, NULL);
    return avlib_error(result);
}

static int open_frames(struct audio *a)
{
    a->decoded = av_frame_alloc();
    a->frame = av_frame_alloc();
    a->packet = av_packet_alloc();
    if (a->decoded == NULL || a->frame == NULL || a->packet == NULL)
        return -ENOMEM;
    a->frame->nb_samples = FRAME;
    a->frame->format = AV_SAMPLE_FMT_FLTP;
    a->frame->sample_rate = AUDIO_RATE;
    a->frame->ch_layout = (AVChannelLayout)AV_CHANNEL_LAYOUT_STEREO;
    return avlib_error(av_frame_get_buffer(a->frame, 0));
}

int audio_new(uint32_t bitrate_bps, audio_frame_fn fn, void *ctx, struct audio **out)
{
    struct audio *a = calloc(1, sizeof *a);
    if (a == NULL)
        return -ENOMEM;
    a->fn = fn;
    a->ctx = ctx;
    int result = open_decoder(a);
    if (result == 0)
        result = open_encoder(a, bitrate_bps);
    if (result == 0)
        result = open_frames(a);
    if (result == 0 && (a->encoder->frame_size != FRAME || a->encoder->extradata_size < 2))
        result = -ENOTSUP;
    if (result != 0) {
        audio_free(a);
        return result;
    }
    *out = a;
    return 0;
}

void audio_free(struct audio *a)
{
    if (a == NULL)
        return;
    avcodec_free_context(&a->decoder);
    avcodec_free_context(&a->encoder);
    swr_free(&a->resampler);
    av_frame_free(&a->decoded);
    av_frame_free(&a->frame);
    av_packet_free(&a->packet);
    free(a);
}

const uint8_t *audio_config(const struct audio *a, size_t *out_len)
{
    *out_len = (size_t)a->encoder->extradata_size;
    return a->encoder->extradata;
}

void audio_start(struct audio *a, int64_t at)
{
    a->start = at;
    a->position = at;
}

int64_t audio_position(const struct audio *a)
{
    return a->position;
}

static int put_frames(struct audio *a)
{
    for (;;) {
        int result = avcodec_receive_packet(a->encoder, a->packet);
        if (result == AVERROR(EAGAIN))
            return 0;
        if (result < 0)
            return avlib_error(result);
        if (a->packet->pts >= a->start)
            result = a->fn(a->ctx, a->packet->data, (size_t)a->packet->size, a->packet->pts);
        av_packet_unref(a->packet);
        if (result != 0)
            return result;
    }
}

/* Encodes what waits: exactly one frame, which ends at a->position. */
static int encode_waiting(struct audio *a)
{
    int result = av_frame_make_writable(a->frame);
    if (result < 0)
        return avlib_error(result);
    for (int c = 0; c < AUDIO_CHANNELS; c++)
        memcpy(a->frame->extended_data[c], a->waiting[c], sizeof a->waiting[c]);
    a->frame->pts = a->position - FRAME;
    a->filled = 0;
    result = avcodec_send_frame(a->encoder, a->frame);
    if (result < 0)
        return avlib_error(result);
    return put_frames(a);
}

/* Takes count samples per channel; NULL channels are silence. */
static int take_samples(struct audio *a, const float *const channels[AUDIO_CHANNELS], int64_t count)
{
    int64_t done = 0;
    while (done < count) {
        int64_t room = FRAME - (int64_t)a->filled;
        size_t part = (size_t)(count - done < room ? count - done : room);
        for (int c = 0; c < AUDIO_CHANNELS; c++) {
            if (channels != NULL)
                memcpy(a->waiting[c] + a->filled, channels[c] + done, part * sizeof(float));
            else
                memset(a->waiting[c] + a->filled, 0, part * sizeof(float));
        }
        a->filled += part;
        a->position += (int64_t)part;
        done += (int64_t)part;
        if (a->filled == FRAME) {
            int result = encode_waiting(a);
            if (result != 0)
                return result;
        }
    }
    return 0;
}

int audio_fill(struct audio *a, int64_t until)
{
    int64_t count = until - a->position;
    a->aligned = false;
    if (count <= 0)
        return 0;
    return take_samples(a, NULL, count < AUDIO_SILENCE_MAX ? count : AUDIO_SILENCE_MAX);
}

static int start_resampler(struct audio *a)
{
    AVChannelLayout stereo = AV_CHANNEL_LAYOUT_STEREO;
    int result = swr_alloc_set_opts2(&a->resampler, &stereo, AV_SAMPLE_FMT_FLTP, AUDIO_RATE,
                                     &stereo, AV_SAMPLE_FMT_FLTP, AUDIO_RATE, 0, NULL);
    if (result >= 0)
        result = swr_init(a->resampler);
    return avlib_error(result);
}

/* Follows the lasting difference with hysteresis; a->smooth is positive when samples are missing.
 */
static int correct_drift(struct audio *a)
{
    int64_t size = llabs(a->smooth) / SMOOTHING;
    if (!a->correcting && size < DRIFT_ON)
        return 0;
    a->correcting = size >= DRIFT_OFF;
    if (a->resampler == NULL) {
        int result = start_resampler(a);
        if (result != 0)
            return result;
    }
    int rate = size >= DRIFT_FAST ? RATE_FAST : RATE_SLOW;
    if (!a->correcting)
        rate = 0;
    return avlib_error(swr_set_compensation(a->resampler, a->smooth > 0 ? rate : -rate,
                                            rate > 0 ? AUDIO_RATE : 0));
}

static int take_decoded(struct audio *a)
{
    int count = a->decoded->nb_samples;
    const float *in[AUDIO_CHANNELS];
    for (int c = 0; c < AUDIO_CHANNELS; c++)
        in[c] = (const float *)(const void *)a->decoded->extended_data[c];
    int result = correct_drift(a);
    if (result != 0 || a->resampler == NULL)
        return result != 0 ? result : take_samples(a, in, count);
    uint8_t *out[AUDIO_CHANNELS];
    const uint8_t *bytes[AUDIO_CHANNELS];
    for (int c = 0; c < AUDIO_CHANNELS; c++) {
        out[c] = (uint8_t *)a->stretched[c];
        bytes[c] = a->decoded->extended_data[c];
        in[c] = a->stretched[c];
    }
    count = swr_convert(a->resampler, out, PACKET_MAX + 256, bytes, count);
    return count < 0 ? avlib_error(count) : take_samples(a, in, count);
}

/* Where the packet belongs, compared with the count: fills a hole; *out_late tells that the packet
 * must not be used. */
static int align(struct audio *a, int64_t pts, bool *out_late)
{
    int64_t error = pts - a->position;
    int64_t lasting = a->smooth / SMOOTHING;
    int result = 0;
    *out_late = false;
    if (!a->aligned) {
        *out_late = error < -(int64_t)a->decoded->nb_samples / 2;
        if (!*out_late && error > 0)
            result = audio_fill(a, pts);
        if (!*out_late) {
            a->aligned = true;
            a->smooth = (pts - a->position) * SMOOTHING;
        }
        return result;
    }
    if (error - lasting > HOLE_MIN) {
        result = audio_fill(a, pts - lasting);
        a->aligned = true;
        error = pts - a->position;
    } else if (error < -LATE_MAX) {
        *out_late = true;
        return 0;
    }
    a->smooth += error - lasting;
    return result;
}

static int decode(struct audio *a, const uint8_t *data, size_t len)
{
    int result = av_new_packet(a->packet, (int)len); /* zeroes the padding behind it */
    if (result < 0)
        return avlib_error(result);
    memcpy(a->packet->data, data, len);
    result = avcodec_send_packet(a->decoder, a->packet);
    av_packet_unref(a->packet);
    if (result >= 0)
        result = avcodec_receive_frame(a->decoder, a->decoded);
    if (result < 0)
        return -EBADMSG;
    if (a->decoded->format != AV_SAMPLE_FMT_FLTP || a->decoded->sample_rate != AUDIO_RATE ||
        a->decoded->ch_layout.nb_channels != AUDIO_CHANNELS || a->decoded->nb_samples > PACKET_MAX)
        return -EBADMSG;
    return 0;
}

int audio_push(struct audio *a, const uint8_t *data, size_t len, int64_t pts)
{
    bool late;
    if (len < 1 || len > PAYLOAD_MAX)
        return -EBADMSG;
    int result = decode(a, data, len);
    if (result != 0)
        return result;
    result = align(a, pts, &late);
    if (result == 0 && !late)
        result = take_decoded(a);
    return result;
}
