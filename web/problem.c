/* Error answers: application/problem+json (RFC 9457) with the reason in words. */
#include "web/problem.h"

#include <stdint.h>

#define PROBLEM_TEXT_MAX 1536

const char *problem_title(unsigned status)
{
    static const struct {
        unsigned status;
        const char *title;
    } titles[] = {
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {409, "Conflict"},
        {412, "Precondition Failed"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {415, "Unsupported Media Type"},
        {416, "Range Not Satisfiable"},
        {421, "Misdirected Request"},
        {422, "Unprocessable Content"},
        {428, "Precondition Required"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {503, "Service Unavailable"},
    };
    for (size_t i = 0; i < sizeof(titles) / sizeof(titles[0]); i++) {
        if (titles[i].status == status)
            return titles[i].title;
    }
    return "Error";
}

void problem_escape(struct writer *w, const char *text)
{
    for (const char *c = text; *c; c++) {
        if (*c == '"' || *c == '\\')
            writer_text(w, "\\%c", *c);
        else if ((unsigned char)*c < 0x20)
            writer_text(w, "\\u%04x", (unsigned)(unsigned char)*c);
        else
            writer_u8(w, (unsigned char)*c < 0x7f ? (uint8_t)*c : (uint8_t)'?');
    }
}

struct reply *problem_reply(unsigned status, const char *detail, const char *end)
{
    char text[PROBLEM_TEXT_MAX];
    struct writer w;
    writer_init(&w, text, sizeof(text));
    writer_text(&w, "{\"type\":\"about:blank\",\"title\":\"%s\",\"status\":%u",
                problem_title(status), status);
    if (detail) {
        writer_text(&w, ",\"detail\":\"");
        problem_escape(&w, detail);
        writer_text(&w, "\"");
    }
    if (end) {
        writer_text(&w, ",\"end\":\"");
        problem_escape(&w, end);
        writer_text(&w, "\"");
    }
    writer_text(&w, "}");
    if (!writer_ok(&w)) /* a detail that long is nobody's reason */
        return problem_reply(status, NULL, NULL);
    struct reply *reply = reply_new(status);
    reply_header(reply, "Content-Type", "application/problem+json");
    return reply_body_copy(reply, text, w.len);
}
