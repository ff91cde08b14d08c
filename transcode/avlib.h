/* FFmpeg's error codes and log lines in our terms. */
#ifndef SLUICE_TRANSCODE_AVLIB_H
#define SLUICE_TRANSCODE_AVLIB_H

/* A negative code of FFmpeg as a negative errno: AVERROR(x) is -x already; invalid data becomes
 * -EBADMSG, end of file and "need more" -EAGAIN, a feature that is missing -ENOTSUP, all other
 * tagged codes -EIO. Values >= 0 are passed through. */
int avlib_error(int code);

/* From now on FFmpeg writes nothing anywhere: its lines are made of hostile bytes and come once per
 * frame. What matters reaches us as an error code. */
void avlib_silence(void);

#endif
