/* Opus packets become AAC frames without holes: 48 kHz, stereo, 1024 samples each.
 *
 * The output is counted in samples from the start. Packets' times are compared with that count
 * (findings/transcode.md 5): a small lasting difference (clock drift) is taken out by resampling a
 * little slower or faster, missing media becomes silence, media that comes too late is dropped. The
 * encoder's priming of 1024 samples is compensated in the decode times, and its first frame, which
 * lies before the start, is not put out (FMP-04). */
#ifndef SLUICE_TRANSCODE_AUDIO_H
#define SLUICE_TRANSCODE_AUDIO_H

#include <stddef.h>
#include <stdint.h>

#define AUDIO_RATE 48000
#define AUDIO_CHANNELS 2
#define AUDIO_SILENCE_MAX (20 * AUDIO_RATE) /* samples filled in one call */

/* One AAC frame whose first sample is at dts (48 kHz). 0, or a negative errno that the caller of
 * audio_push and audio_fill gets. */
typedef int (*audio_frame_fn)(void *ctx, const uint8_t *data, size_t len, int64_t dts);

struct audio;

/* Opens decoder and encoder. 0 or a negative errno. */
int audio_new(uint32_t bitrate_bps, audio_frame_fn fn, void *ctx, struct audio **out);
void audio_free(struct audio *a); /* NULL allowed */

/* The AudioSpecificConfig; valid as long as a. */
const uint8_t *audio_config(const struct audio *a, size_t *out_len);

/* The first sample put out will be that at `at`. Once. */
void audio_start(struct audio *a, int64_t at);

/* One Opus packet that begins at pts (48 kHz). 0; -EBADMSG when it can not be decoded (its time
 * becomes silence); or what fn returned. */
int audio_push(struct audio *a, const uint8_t *data, size_t len, int64_t pts);

/* Silence until the count reaches `until`, at most AUDIO_SILENCE_MAX. Later packets are aligned
 * anew. */
int audio_fill(struct audio *a, int64_t until);

/* The count: position behind the last sample taken in. */
int64_t audio_position(const struct audio *a);

#endif
