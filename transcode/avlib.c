/* FFmpeg's error codes and log lines in our terms. */
#include "transcode/avlib.h"

#include <errno.h>
#include <libavutil/error.h>
#include <libavutil/log.h>
#include <stdarg.h>

_Static_assert(AVERROR(ENOMEM) == -ENOMEM && AVERROR(EAGAIN) == -EAGAIN,
               "errno codes pass through FFmpeg unchanged");

static void discard(void *ctx, int level, const char *format, va_list args)
{
    (void)ctx;
    (void)level;
    (void)format;
    (void)args;
}

int avlib_error(int code)
{
    if (code >= -4095) /* 0, a count, or the negated errno of a POSIX call */
        return code;
    if (code == AVERROR_EOF)
        return -EAGAIN;
    if (code == AVERROR_INVALIDDATA)
        return -EBADMSG;
    if (code == AVERROR_PATCHWELCOME || code == AVERROR_DECODER_NOT_FOUND ||
        code == AVERROR_ENCODER_NOT_FOUND)
        return -ENOTSUP;
    return -EIO;
}

void avlib_silence(void)
{
    av_log_set_callback(discard);
}
