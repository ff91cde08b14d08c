/* Opus packets that wait to be coded together.
 *
 * Coding a packet at each arrival costs twice the processor time of coding ten in a row, because
 * every time the codecs' code and tables come from memory again. Nobody sees audio before its part
 * is complete, so nothing is later for it. */
#ifndef SLUICE_TRANSCODE_AUDIO_QUEUE_H
#define SLUICE_TRANSCODE_AUDIO_QUEUE_H

#include "transcode/audio.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AUDIO_QUEUE_PACKETS 32u
#define AUDIO_QUEUE_BYTES (32u << 10)

struct audio_queue_packet {
    int64_t pts; /* 48 kHz */
    size_t len;
};

/* Invariant: the packets lie in data one behind the other. end: where the last one probably ends.
 */
struct audio_queue {
    size_t count;
    size_t len;
    int64_t last_pts;
    int64_t end;
    struct audio_queue_packet packets[AUDIO_QUEUE_PACKETS];
    uint8_t data[AUDIO_QUEUE_BYTES];
};

/* Takes a copy. False when there is no room: run first. */
bool audio_queue_add(struct audio_queue *q, const uint8_t *data, size_t len, int64_t pts);

/* Gives all packets to audio_push and is empty then. Packets that can not be decoded are counted in
 * *bad. 0, or what else audio_push returned. */
int audio_queue_run(struct audio_queue *q, struct audio *audio, uint64_t *bad);

#endif
