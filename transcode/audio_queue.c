/* Opus packets that wait to be coded together. */
#include "transcode/audio_queue.h"

#include <errno.h>
#include <string.h>

#define PACKET_USUAL 960 /* 20 ms */
#define PACKET_MAX 5760

bool audio_queue_add(struct audio_queue *q, const uint8_t *data, size_t len, int64_t pts)
{
    int64_t lasts = pts - q->last_pts;
    if (q->count == AUDIO_QUEUE_PACKETS || len > AUDIO_QUEUE_BYTES - q->len)
        return false;
    if (lasts <= 0 || lasts > PACKET_MAX)
        lasts = PACKET_USUAL;
    memcpy(q->data + q->len, data, len);
    q->packets[q->count++] = (struct audio_queue_packet){.pts = pts, .len = len};
    q->len += len;
    q->last_pts = pts;
    q->end = pts + lasts;
    return true;
}

int audio_queue_run(struct audio_queue *q, struct audio *audio, uint64_t *bad)
{
    size_t at = 0;
    int result = 0;
    for (size_t i = 0; i < q->count && result == 0; at += q->packets[i++].len) {
        result = audio_push(audio, q->data + at, q->packets[i].len, q->packets[i].pts);
        if (result == -EBADMSG) {
            ++*bad;
            result = 0;
        }
    }
    q->count = 0;
    q->len = 0;
    return result;
}
