/* Keeps the segments of the playlist window in sealed memory and tells every consumer about them
 * (lib/proto/part.h): each gets the same messages in the same order, a late one those that are
 * still in the window first. A consumer that dies or does not read is dropped; nobody waits for it.
 */
#ifndef SLUICE_TRANSCODE_OUTLET_H
#define SLUICE_TRANSCODE_OUTLET_H

#include "lib/base/loop.h"
#include "lib/base/writer.h"
#include "lib/proto/part.h"

#include <stddef.h>
#include <stdint.h>

#define OUTLET_RENDITIONS 2u
#define OUTLET_CONSUMERS_MAX 8u
#define OUTLET_SPARE                                                                               \
    3u /* segments kept beyond the window, for players that are behind (HLS-08)                    \
        */
/* Capacity of a segment; pages are taken only when written. */
#define OUTLET_VIDEO_BYTES (16u << 20)
#define OUTLET_AUDIO_BYTES (1u << 20)

struct outlet;

/* The hello is copied; its window is at most PART_WINDOW_MAX. 0 or -ENOMEM. */
int outlet_new(struct loop *loop, const struct part_hello *hello, struct outlet **out);
void outlet_free(struct outlet *o); /* NULL allowed; drops all consumers */

/* Takes fd over in every case. One that bears the same number goes first: nobody has two. 0,
 * -ENOSPC for too many, or a negative errno. */
int outlet_add_consumer(struct outlet *o, uint64_t number, int fd);
size_t outlet_consumers(const struct outlet *o);

/* The header that segments with its rendition and init_id name; init_id grows by one per rendition.
 * len is at most PART_INIT_MAX. */
void outlet_put_init(struct outlet *o, const struct part_init *init, const uint8_t *data,
                     size_t len);

/* Opens a segment in new memory; the oldest of the rendition goes when there are too many. 0 or a
 * negative errno. */
int outlet_open_segment(struct outlet *o, const struct part_segment *segment);
/* Appends to the open segment of part->rendition and tells everybody; the offset is set here. 0, or
 * -ENOSPC when the memory is full. */
int outlet_put_part(struct outlet *o, const struct part_part *part, const struct writer *head,
                    const uint8_t *body, size_t body_len);
int outlet_close_segment(struct outlet *o, const struct part_segment_end *end);

/* The publication is over. Consumers stay, later ones are told too. */
void outlet_end(struct outlet *o, const struct part_end *end);

#endif
