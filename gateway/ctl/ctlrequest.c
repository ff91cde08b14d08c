/* A parsed command line as the request that the gateway understands. */
#include "gateway/ctl/ctlrequest.h"

static json_t *token_create(const struct ctlargs *args)
{
    json_t *request = json_pack("{s:s, s:s, s:s}", "op", "token.create", "stream", args->stream,
                                "label", args->label ? args->label : "");
    if (request && args->expires_s != 0)
        json_object_set_new(request, "expires_s", json_integer((json_int_t)args->expires_s));
    if (request && args->max_duration_s != 0)
        json_object_set_new(request, "max_duration_s",
                            json_integer((json_int_t)args->max_duration_s));
    if (request && args->sessions_given)
        json_object_set_new(request, "max_sessions", json_integer(args->max_sessions));
    if (request && args->max_bitrate_kbps != 0)
        json_object_set_new(request, "max_bitrate_kbps", json_integer(args->max_bitrate_kbps));
    if (request && args->on_clash)
        json_object_set_new(request, "on_clash", json_string(args->on_clash));
    return request;
}

json_t *ctlrequest_make(const struct ctlargs *args)
{
    switch (args->command) {
    case CTL_TOKEN_CREATE:
        return token_create(args);
    case CTL_TOKEN_LIST:
        return json_pack("{s:s}", "op", "token.list");
    case CTL_TOKEN_SHOW:
        return json_pack("{s:s, s:s}", "op", "token.show", "id", args->subject);
    case CTL_TOKEN_REVOKE:
        return json_pack("{s:s, s:s}", "op", "token.revoke", "id", args->subject);
    case CTL_STREAM_LIST:
    case CTL_STREAM_SHOW: /* ctlstream_pick takes the one out */
        return json_pack("{s:s}", "op", "stream.list");
    case CTL_STREAM_KICK:
        return json_pack("{s:s, s:s}", "op", "stream.kick", "stream", args->subject);
    case CTL_STATUS_SHOW:
        return json_pack("{s:s}", "op", "status");
    default:
        return NULL;
    }
}

json_t *ctlrequest_next_page(const json_t *page)
{
    const json_t *tokens = json_object_get(page, "tokens");
    size_t count = json_array_size(tokens);
    if (!json_is_true(json_object_get(page, "more")) || count == 0)
        return NULL;
    const json_t *last = json_array_get(tokens, count - 1);
    json_int_t created_ms = json_integer_value(json_object_get(last, "created_ms"));
    const char *id = json_string_value(json_object_get(last, "id"));
    if (!id)
        return NULL;
    return json_pack("{s:s, s:I, s:s}", "op", "token.list", "after_ms", created_ms, "after_id", id);
}
