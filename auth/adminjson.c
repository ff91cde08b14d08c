/* Tokens, streams and processes as JSON for the answers of control.sock. */
#include "auth/adminjson.h"

#include <stdint.h>

#define ADMINJSON_US_PER_S 1000000u
#define ADMINJSON_US_PER_MS 1000.0

/* jansson's integers are signed. */
static json_t *number(uint64_t value)
{
    return json_integer(value > INT64_MAX ? INT64_MAX : (json_int_t)value);
}

/* null for the value that means none. */
static json_t *number_or_null(uint64_t value, uint64_t none)
{
    return value == none ? json_null() : number(value);
}

json_t *adminjson_token(const struct token *token, enum token_state state, size_t live)
{
    return json_pack(
        "{s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:s, s:o, s:o}", "id", token->id, "stream",
        token->pattern, "label", token->label, "state", token_state_name(state), "created_ms",
        number(token->created_ms), "expires_ms", number_or_null(token->expires_ms, 0),
        "max_duration_s", number_or_null(token->max_duration_ms / 1000, 0), "max_sessions",
        number_or_null(token->max_sessions, 0), "max_bitrate_kbps",
        number_or_null(token->max_bitrate_kbps, 0), "on_clash", token_clash_name(token->clash),
        "revoked_ms", number_or_null(token->revoked_ms, 0), "live", number(live));
}

static const char *state_name(uint32_t state)
{
    static const char *const names[STREAM_STATE_COUNT] = {
        [STREAM_LIVE] = "live",
        [STREAM_REJOIN] = "rejoin",
        [STREAM_ENDED] = "ended",
        [STREAM_GONE] = "gone",
    };
    return state < STREAM_STATE_COUNT ? names[state] : "unknown";
}

static const char *codec_text(uint8_t codec)
{
    return codec < CODEC_COUNT ? codec_name((enum codec)codec) : "unknown";
}

/* Adds the members of `more`, which is consumed, to `object`; NULL when memory ran out. */
static json_t *joined(json_t *object, json_t *more)
{
    if (!object || !more || json_object_update(object, more) < 0) {
        json_decref(object);
        object = NULL;
    }
    json_decref(more);
    return object;
}

/* Frames that did not come out, by reason (stats.h). */
static json_t *frames_dropped(const struct stats_track *t)
{
    return json_pack("{s:o, s:o, s:o, s:o}", "damaged", number(t->damaged), "held", number(t->held),
                     "too_large", number(t->too_large), "too_many", number(t->too_many));
}

static json_t *track(const struct stats_track *t)
{
    json_t *object = json_pack(
        "{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "codec", codec_text(t->codec), "packets",
        number(t->packets), "bytes", number(t->bytes), "frames", number(t->frames), "key_frames",
        number(t->key_frames), "lost", number(t->lost), "overtaken", number(t->overtaken), "layers",
        number(t->layers), "frames_dropped", frames_dropped(t));
    json_t *repair =
        json_pack("{s:o, s:o, s:o, s:o, s:o}", "recovered_rtx", number(t->recovered_rtx),
                  "recovered_same", number(t->recovered_same), "nacked", number(t->nacked), "plis",
                  number(t->plis), "firs", number(t->firs));
    json_t *way = json_pack(
        "{s:o, s:o, s:f, s:f, s:f, s:f}", "bitrate_bps", number(t->bitrate_bps), "loss_permille",
        number(t->loss_permille), "jitter_ms", t->jitter_us / ADMINJSON_US_PER_MS, "hold_ms",
        t->hold_us / ADMINJSON_US_PER_MS, "hold_max_ms", t->hold_max_us / ADMINJSON_US_PER_MS,
        "deadline_ms", t->deadline_us / ADMINJSON_US_PER_MS);
    json_t *picture = json_pack("{s:o, s:o, s:f, s:f}", "width", number(t->width), "height",
                                number(t->height), "frame_rate", t->frame_rate_milli / 1000.0,
                                "pause_ms", t->pause_us / ADMINJSON_US_PER_MS);
    return joined(joined(joined(object, repair), way), picture);
}

static const char *transport_text(uint8_t transport)
{
    static const char *const names[TRANSPORT_COUNT] = {
        [TRANSPORT_UDP] = "udp", [TRANSPORT_TCP] = "tcp"};
    return transport < TRANSPORT_COUNT ? names[transport] : "unknown";
}

static const char *family_text(uint8_t family)
{
    if (family == 4)
        return "ipv4";
    return family == 6 ? "ipv6" : "none";
}

/* Of the way between publisher and gateway. */
static json_t *way(const struct stats *stats)
{
    return json_pack("{s:f, s:s, s:s, s:s, s:s, s:s}", "round_trip_ms",
                     stats->round_trip_us / ADMINJSON_US_PER_MS, "round_trip_from",
                     stats_round_trip_name(stats->round_trip), "feedback",
                     stats_feedback_name(stats->feedback), "client",
                     stats_client_name(stats->client), "transport",
                     transport_text(stats->transport), "family", family_text(stats->family));
}

/* Packets that were refused, by reason. */
static json_t *refused(const struct stats *stats)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "bad_srtp", number(stats->bad_srtp),
                     "replayed", number(stats->replayed), "malformed", number(stats->malformed),
                     "unexpected", number(stats->unexpected), "over_limit",
                     number(stats->over_limit), "dropped", number(stats->dropped));
}

/* The worker's figures are as hostile as the worker: each is bounded by its type, and what names
 * something is looked up. */
static json_t *media(const struct stats *stats)
{
    json_t *object = json_pack(
        "{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:s, s:s}", "packets", number(stats->packets),
        "bytes", number(stats->bytes), "frames", number(stats->frames), "lost", number(stats->lost),
        "recovered", number(stats->recovered), "bitrate_bps", number(stats->bitrate_bps), "width",
        number(stats->width), "height", number(stats->height), "video_codec",
        codec_text(stats->video_codec), "audio_codec", codec_text(stats->audio_codec));
    json_t *asked =
        json_pack("{s:o, s:o, s:o, s:o}", "key_frames", number(stats->key_frames), "nacks",
                  number(stats->nacks), "plis", number(stats->plis), "firs", number(stats->firs));
    json_t *tracks = json_pack("{s:o, s:o}", "video", track(&stats->tracks[TRACK_VIDEO]), "audio",
                               track(&stats->tracks[TRACK_AUDIO]));
    return joined(joined(joined(joined(object, asked), refused(stats)), way(stats)), tracks);
}

json_t *adminjson_stream(const struct msg_ctl_row *row)
{
    uint64_t remaining = row->remaining_us;
    if (remaining != UINT64_MAX)
        remaining /= ADMINJSON_US_PER_S;
    return json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o}", "stream", row->name, "state",
                     state_name(row->state), "token", row->token_id, "session",
                     number(row->session), "age_s", number(row->age_us / ADMINJSON_US_PER_S),
                     "remaining_s", number_or_null(remaining, UINT64_MAX), "pid_ingest",
                     number_or_null(row->pid_ingest, 0), "pid_transcode",
                     number_or_null(row->pid_transcode, 0), "media", media(&row->stats));
}

json_t *adminjson_process(const struct msg_ctl_row *row)
{
    return json_pack("{s:s, s:o, s:b}", "name", row->name, "pid", number(row->pid_ingest), "ready",
                     row->state == 1);
}

json_t *adminjson_error(const char *error, const char *message)
{
    return json_pack("{s:b, s:s, s:s}", "ok", 0, "error", error, "message", message);
}

bool adminjson_row_ok(const struct msg_ctl_row *row)
{
    return text_is_terminated(row->name, sizeof(row->name)) &&
           text_is_terminated(row->token_id, sizeof(row->token_id)) &&
           stream_name_valid(slice_of(row->name)) &&
           (row->token_id[0] == '\0' || stream_name_valid(slice_of(row->token_id)));
}
