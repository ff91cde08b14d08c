/* Names, limits and vocabulary that all roles share about a stream. */
#ifndef SLUICE_PROTO_STREAM_H
#define SLUICE_PROTO_STREAM_H

#include "lib/base/text.h"

#include <stdbool.h>
#include <stdint.h>

#define STREAM_NAME_MAX 64   /* characters of [A-Za-z0-9_-] */
#define STREAM_TOKEN_MAX 128 /* characters of a bearer token */
#define STREAM_URL_ID_LEN 32 /* hexadecimal characters: 128 random bits */
#define STREAM_ETAG_LEN 16
#define STREAM_TOKEN_ID_MAX 32
#define STREAM_REASON_MAX 160
#define STREAM_MAX 256     /* live streams of one gateway */
#define STREAM_PATHS_MAX 8 /* validated tuples of one session (threats.md U3) */
#define STREAM_UFRAG_LEN 8
#define STREAM_PWD_LEN 24
#define STREAM_ADDRESSES_MAX 8 /* local media addresses */
#define STREAM_DATAGRAM_MAX 1500
#define STREAM_OFFER_MAX 65536
#define STREAM_ANSWER_MAX 8192
#define STREAM_FRAGMENT_MAX 16384 /* of trickle ICE, from the publisher */

enum codec {
    CODEC_NONE,
    CODEC_H264,
    CODEC_VP8,
    CODEC_OPUS,
    CODEC_AAC,
    CODEC_H265,
    CODEC_VP9,
    CODEC_AV1,
    CODEC_COUNT
};
enum track { TRACK_VIDEO, TRACK_AUDIO, TRACK_COUNT };
enum transport { TRANSPORT_UDP, TRANSPORT_TCP, TRANSPORT_COUNT }; /* of a publisher's path */

/* Why a session ended; decides ENDLIST and what the page says. */
enum end_reason {
    END_NONE,
    END_DELETED,     /* DELETE by the publisher */
    END_CLOSED,      /* DTLS close_notify by the publisher */
    END_KICKED,      /* sluicectl stream kick */
    END_REVOKED,     /* its token was revoked */
    END_LIMIT,       /* maximum session duration or the token's expiry reached */
    END_SHUTDOWN,    /* the gateway stops */
    END_SILENT,      /* 30 s without authenticated traffic (WHIP-72) */
    END_NOT_STARTED, /* no keys within 10 s of 201 (WHIP-70) */
    END_REFUSED,     /* DTLS or certificate not acceptable */
    END_CRASHED,     /* the worker died */
    END_BROKEN,      /* the stream can not be transcoded */
    END_OVER_LIMIT,  /* more than the grant's bitrate for too long (threats.md U15) */
    END_REPLACED,    /* its publisher, or another one allowed to, has taken the stream over */
    END_REASON_COUNT,
};

/* True for the reasons after which the playlist gets ENDLIST at once; the others leave it open for
 * rejoin_window (design.md 2). */
bool end_reason_is_final(enum end_reason reason);
const char *end_reason_name(enum end_reason reason); /* one lower-case word, for logs and JSON */
const char *end_reason_text(enum end_reason reason); /* one sentence for the publisher's page */
const char *codec_name(enum codec codec);

/* 1 to STREAM_NAME_MAX characters of [A-Za-z0-9_-]. */
bool stream_name_valid(struct slice name);
/* Like a name, but `*` stands for any run of characters: a token's stream pattern. */
bool stream_pattern_valid(struct slice pattern);
bool stream_pattern_matches(struct slice pattern, struct slice name);

/* Credentials of ours for ICE (RFC 8839 5.4): ice-chars, at least 4 and 22 of them, and what the
 * lengths above allow. */
bool stream_pair_valid(const char *ufrag, const char *pwd);

#endif
