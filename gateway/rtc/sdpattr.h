/* The attributes of an offer that mean something to us: a part of sdp.c, not for others. */
#ifndef SLUICE_RTC_SDPATTR_H
#define SLUICE_RTC_SDPATTR_H

#include "gateway/rtc/sdp.h"

/* Where the parser is. section is NULL above the first m= line; new sections start with
 * session_direction. reason is set with each error. */
struct sdp_parser {
    struct sdp *sdp;
    struct sdp_section *section;
    enum sdp_direction session_direction;
    size_t mixed_sections; /* sections with a=extmap-allow-mixed */
    const char *reason;
};

/* Takes the text behind `a=`. Unknown attributes and those at the wrong level are skipped. 0,
 * -EBADMSG or -EMSGSIZE. */
int sdpattr_parse(struct sdp_parser *p, struct slice line);

/* Sets the reason and returns error. */
int sdpattr_fail(struct sdp_parser *p, int error, const char *reason);

/* One or more visible ASCII characters: safe to repeat in an answer. */
bool sdpattr_is_printable(struct slice s);

/* The next word; runs of blanks count as one. Empty at the end. */
struct slice sdpattr_next_word(struct slice *rest);

#endif
