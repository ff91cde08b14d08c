/* The text of an answer: a part of answer.c, not for others. */
#ifndef SLUICE_RTC_ANSWERTEXT_H
#define SLUICE_RTC_ANSWERTEXT_H

#include "gateway/rtc/answer.h"
#include "lib/base/writer.h"

/* A header extension that may be agreed, and the field of struct answer_track for its id. */
struct answertext_extension {
    const char *uri;
    size_t id;
};
#define ANSWERTEXT_EXTENSIONS 4u
extern const struct answertext_extension answertext_extensions[ANSWERTEXT_EXTENSIONS];

uint8_t answertext_extension_id(const struct answer_track *track, size_t extension);

/* What was decided. formats[i] is the format of section i, NULL when the section gets port 0. */
struct answer_plan {
    size_t accepted; /* sections with a format, at least 1 */
    size_t first;    /* index of the first of them: carries the candidates */
    const struct sdp_format *formats[SDP_SECTIONS_MAX];
};

/* Fills out->text and out->text_len from the plan and out->tracks. 0, or -EMSGSIZE. */
int answertext_write(const struct sdp *offer, const struct answer_plan *plan,
                     const struct answer_local *local, struct answer *out);

/* The a=candidate lines and a=end-of-candidates. */
void answertext_write_candidates(struct writer *w, const struct answer_local *local);

#endif
