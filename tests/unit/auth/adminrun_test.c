/* Administrators' requests and their answers. */
#include "auth/adminrun.h"

#include "tests/unit/auth/scratch.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define NOW_MS 1700000000000u
#define CONN 3u

static const struct token_key key = {.pepper = {5}};

struct fixture {
    struct scratch dir;
    struct store *store;
    struct loop loop;
    struct admission admission;
    struct adminrun run;
    json_t *answer; /* the last one */
    unsigned answers;
    uint64_t conn;
    struct msg_ctl ctl; /* the last one sent */
    unsigned ctls;
    int ctl_result;
    unsigned ended;
};

static void on_answer(void *ctx, uint64_t conn, const char *text, size_t len)
{
    struct fixture *f = ctx;
    json_decref(f->answer);
    f->answer = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(f->answer);
    assert_null(memchr(text, '\n', len));
    f->conn = conn;
    f->answers++;
}

static int on_ctl(void *ctx, const struct msg_ctl *ctl)
{
    struct fixture *f = ctx;
    f->ctl = *ctl;
    f->ctls++;
    return f->ctl_result;
}

static void on_end(void *ctx, uint64_t lease_id)
{
    struct fixture *f = ctx;
    (void)lease_id;
    f->ended++;
}

static int set_up(void **state)
{
    static struct fixture f;
    memset(&f, 0, sizeof(f));
    *state = &f;
    if (loop_init(&f.loop) < 0 || !scratch_open(&f.dir))
        return -1;
    int rc = store_open(f.dir.fd, 0, &f.store);
    if (rc < 0) {
        scratch_remove(&f.dir);
        return rc;
    }
    f.admission.store = f.store;
    f.admission.key = &key;
    f.admission.end = on_end;
    f.admission.end_ctx = &f;
    adminrun_init(&f.run, &f.admission, &f.loop, on_answer, on_ctl, &f);
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    adminrun_done(&f->run);
    json_decref(f->answer);
    loop_done(&f->loop);
    store_close(f->store);
    scratch_remove(&f->dir);
    return 0;
}

/* Sends a line that is answered at once. */
static const json_t *request(struct fixture *f, const char *line)
{
    unsigned before = f->answers;
    adminrun_line(&f->run, CONN, line, strlen(line), NOW_MS);
    assert_int_equal(f->answers, before + 1);
    assert_int_equal(f->conn, CONN);
    return f->answer;
}

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    assert_non_null(text);
    return text;
}

static void assert_error(const json_t *answer, const char *error)
{
    assert_true(json_is_false(json_object_get(answer, "ok")));
    assert_string_equal(text_of(answer, "error"), error);
    assert_true(strlen(text_of(answer, "message")) > 10);
}

static void assert_ok(const json_t *answer)
{
    assert_true(json_is_true(json_object_get(answer, "ok")));
}

/* Makes a token; out has room for its id. */
static void create(struct fixture *f, const char *stream, char *out_id)
{
    char line[200];
    snprintf(line, sizeof(line), "{\"op\":\"token.create\",\"stream\":\"%s\"}", stream);
    const json_t *answer = request(f, line);
    assert_ok(answer);
    memcpy(out_id, text_of(answer, "id"), TOKEN_ID_LEN + 1);
}

static void create_answers_with_id_and_token(void **state)
{
    struct fixture *f = *state;
    const json_t *answer =
        request(f, "{\"op\":\"token.create\",\"stream\":\"*\",\"expires_s\":7200,"
                   "\"max_duration_s\":3600,\"label\":\"x\","
                   "\"max_bitrate_kbps\":2500,\"on_clash\":\"take-over\"}");
    assert_ok(answer);
    assert_int_equal(strlen(text_of(answer, "token")), TOKEN_TEXT_LEN);
    assert_true(token_id_valid(slice_of(text_of(answer, "id"))));
    assert_string_equal(text_of(answer, "stream"), "*");
    assert_string_equal(text_of(answer, "state"), "active");
    assert_true(json_integer_value(json_object_get(answer, "expires_ms")) == NOW_MS + 7200000);
    assert_int_equal(json_integer_value(json_object_get(answer, "max_duration_s")), 3600);
    assert_true(json_is_null(json_object_get(answer, "max_sessions")));
    assert_int_equal(json_integer_value(json_object_get(answer, "max_bitrate_kbps")), 2500);
    assert_string_equal(text_of(answer, "on_clash"), "take-over");
    assert_true(json_is_null(json_object_get(answer, "revoked_ms")));

    uint8_t hash[TOKEN_HASH_LEN];
    struct token token;
    assert_int_equal(token_hash(&key, slice_of(text_of(answer, "token")), hash), 0);
    assert_int_equal(store_find_valid(f->store, hash, NOW_MS, &token), 0);
}

static void D1_list_and_show_have_no_secret(void **state)
{
    struct fixture *f = *state;
    char id[TOKEN_ID_LEN + 1];
    create(f, "demo", id);
    const json_t *answer = request(f, "{\"op\":\"token.list\"}");
    assert_ok(answer);
    assert_true(json_is_false(json_object_get(answer, "more")));
    const json_t *rows = json_object_get(answer, "tokens");
    assert_int_equal(json_array_size(rows), 1);
    const json_t *row = json_array_get(rows, 0);
    assert_string_equal(text_of(row, "id"), id);
    assert_null(json_object_get(row, "token"));
    assert_null(json_object_get(row, "secret_hash"));

    char line[80];
    snprintf(line, sizeof(line), "{\"op\":\"token.show\",\"id\":\"%s\"}", id);
    answer = request(f, line);
    assert_ok(answer);
    assert_string_equal(text_of(answer, "stream"), "demo");
    assert_null(json_object_get(answer, "token"));
    assert_error(request(f, "{\"op\":\"token.show\",\"id\":\"t_0000000000\"}"), "not_found");
}

static void list_goes_on_after_a_page(void **state)
{
    struct fixture *f = *state;
    char id[TOKEN_ID_LEN + 1];
    for (unsigned i = 0; i < STORE_PAGE_TOKENS + 1; i++)
        create(f, "demo", id);
    const json_t *answer = request(f, "{\"op\":\"token.list\"}");
    assert_true(json_is_true(json_object_get(answer, "more")));
    const json_t *rows = json_object_get(answer, "tokens");
    assert_int_equal(json_array_size(rows), STORE_PAGE_TOKENS);
    const json_t *last = json_array_get(rows, STORE_PAGE_TOKENS - 1);
    char line[200];
    snprintf(line, sizeof(line),
             "{\"op\":\"token.list\",\"after_ms\":%" JSON_INTEGER_FORMAT ",\"after_id\":\"%s\"}",
             json_integer_value(json_object_get(last, "created_ms")), text_of(last, "id"));
    answer = request(f, line);
    assert_int_equal(json_array_size(json_object_get(answer, "tokens")), 1);
    assert_true(json_is_false(json_object_get(answer, "more")));
}

static void T5_revoke_says_what_it_cut(void **state)
{
    struct fixture *f = *state;
    char id[TOKEN_ID_LEN + 1];
    create(f, "demo", id);
    assert_int_equal(lease_restore(&f->admission.leases, 9, id, "demo"), 0);
    char line[80];
    snprintf(line, sizeof(line), "{\"op\":\"token.revoke\",\"id\":\"%s\"}", id);
    const json_t *answer = request(f, line);
    assert_ok(answer);
    assert_int_equal(json_integer_value(json_object_get(answer, "ended")), 1);
    assert_true(json_is_true(json_object_get(answer, "durable")));
    assert_int_equal(f->ended, 1);
    snprintf(line, sizeof(line), "{\"op\":\"token.show\",\"id\":\"%s\"}", id);
    answer = request(f, line);
    assert_string_equal(text_of(answer, "state"), "revoked");
    assert_error(request(f, "{\"op\":\"token.revoke\",\"id\":\"t_0000000000\"}"), "not_found");
}

static void D3_revoke_without_disk_is_not_durable(void **state)
{
    struct fixture *f = *state;
    char id[TOKEN_ID_LEN + 1];
    char line[80];
    create(f, "demo", id);
    f->admission.store = NULL;
    snprintf(line, sizeof(line), "{\"op\":\"token.revoke\",\"id\":\"%s\"}", id);
    const json_t *answer = request(f, line);
    assert_ok(answer);
    assert_true(json_is_false(json_object_get(answer, "durable")));
    assert_non_null(strstr(text_of(answer, "message"), "disk"));
    assert_error(request(f, "{\"op\":\"token.list\"}"), "unavailable");
    assert_error(request(f, "{\"op\":\"token.create\",\"stream\":\"a\"}"), "unavailable");
}

static void D3_create_on_a_full_disk_says_so(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(store_limit_pages(f->store, 1), 0);
    const json_t *answer = NULL;
    bool ok = true;
    for (int i = 0; ok && i < 200; i++) {
        answer = request(f, "{\"op\":\"token.create\",\"stream\":\"demo\"}");
        ok = json_is_true(json_object_get(answer, "ok"));
    }
    assert_error(answer, "disk_full");
}

static void bad_lines_are_answered(void **state)
{
    struct fixture *f = *state;
    assert_error(request(f, "nonsense"), "bad_request");
    assert_error(request(f, "{\"op\":\"token.create\"}"), "bad_request");
}

static struct msg_ctl_row row_of(uint64_t request_number, const char *name)
{
    struct msg_ctl_row row = {.request = request_number,
                              .session = 7,
                              .age_us = 65000000,
                              .remaining_us = UINT64_MAX,
                              .pid_ingest = 100,
                              .state = 1,
                              .token_id = "t_0123456789"};
    snprintf(row.name, sizeof(row.name), "%s", name);
    return row;
}

static void streams_come_from_the_supervisor(void **state)
{
    struct fixture *f = *state;
    static const char line[] = "{\"op\":\"stream.list\"}";
    adminrun_line(&f->run, CONN, line, strlen(line), NOW_MS);
    assert_int_equal(f->answers, 0);
    assert_int_equal(f->ctl.op, CTL_STREAMS);
    struct msg_ctl_row row = row_of(f->ctl.request, "demo");
    row.state = STREAM_LIVE;
    row.stats.bitrate_bps = 2500000;
    row.stats.video_codec = CODEC_H264;
    row.stats.audio_codec = 250;
    row.stats.round_trip_us = 52500;
    row.stats.replayed = 7;
    row.stats.client = CLIENT_FIREFOX;
    row.stats.feedback = FEEDBACK_REMB;
    row.stats.tracks[TRACK_VIDEO].recovered_rtx = 11;
    row.stats.tracks[TRACK_VIDEO].lost = 12;
    row.stats.tracks[TRACK_AUDIO].lost = 13;
    row.stats.tracks[TRACK_AUDIO].jitter_us = 1500;
    assert_int_equal(adminrun_row(&f->run, &row), 0);
    struct msg_ctl_row late = row_of(f->ctl.request + 99, "late");
    assert_int_equal(adminrun_row(&f->run, &late), 0);
    struct msg_ctl_done done = {.request = f->ctl.request};
    adminrun_finish(&f->run, &done);
    assert_int_equal(f->answers, 1);
    assert_ok(f->answer);
    const json_t *rows = json_object_get(f->answer, "streams");
    assert_int_equal(json_array_size(rows), 1);
    const json_t *stream = json_array_get(rows, 0);
    assert_string_equal(text_of(stream, "stream"), "demo");
    assert_string_equal(text_of(stream, "state"), "live");
    assert_int_equal(json_integer_value(json_object_get(stream, "age_s")), 65);
    assert_true(json_is_null(json_object_get(stream, "remaining_s")));
    const json_t *media = json_object_get(stream, "media");
    assert_string_equal(text_of(media, "audio_codec"), "unknown");
    assert_string_equal(text_of(media, "client"), "Firefox");
    assert_string_equal(text_of(media, "feedback"), "remb");
    assert_true(json_real_value(json_object_get(media, "round_trip_ms")) == 52.5);
    assert_int_equal(json_integer_value(json_object_get(media, "replayed")), 7);
    const json_t *video = json_object_get(media, "video"), *audio = json_object_get(media, "audio");
    assert_int_equal(json_integer_value(json_object_get(video, "recovered_rtx")), 11);
    assert_int_equal(json_integer_value(json_object_get(video, "lost")), 12);
    assert_int_equal(json_integer_value(json_object_get(audio, "lost")), 13);
    assert_true(json_real_value(json_object_get(audio, "jitter_ms")) == 1.5);
    adminrun_finish(&f->run, &done); /* twice: ignored */
    assert_int_equal(f->answers, 1);
}

static void kick_of_an_unknown_stream(void **state)
{
    struct fixture *f = *state;
    static const char line[] = "{\"op\":\"stream.kick\",\"stream\":\"demo\"}";
    adminrun_line(&f->run, CONN, line, strlen(line), NOW_MS);
    assert_int_equal(f->ctl.op, CTL_KICK);
    assert_string_equal(f->ctl.stream, "demo");
    struct msg_ctl_done done = {.request = f->ctl.request, .result = -ENOENT};
    adminrun_finish(&f->run, &done);
    assert_error(f->answer, "not_found");
    adminrun_line(&f->run, CONN, line, strlen(line), NOW_MS);
    done = (struct msg_ctl_done){.request = f->ctl.request};
    adminrun_finish(&f->run, &done);
    assert_ok(f->answer);
}

static void status_tells_whether_all_is_ready(void **state)
{
    struct fixture *f = *state;
    static const char line[] = "{\"op\":\"status\"}";
    adminrun_line(&f->run, CONN, line, strlen(line), NOW_MS);
    assert_int_equal(f->ctl.op, CTL_STATUS);
    struct msg_ctl_row row = row_of(f->ctl.request, "web");
    row.token_id[0] = '\0';
    assert_int_equal(adminrun_row(&f->run, &row), 0);
    struct msg_ctl_done done = {.request = f->ctl.request, .ready = 1};
    adminrun_finish(&f->run, &done);
    assert_ok(f->answer);
    assert_true(json_is_true(json_object_get(f->answer, "ready")));
    const json_t *process = json_array_get(json_object_get(f->answer, "processes"), 0);
    assert_string_equal(text_of(process, "name"), "web");
    assert_int_equal(json_integer_value(json_object_get(process, "pid")), 100);
}

static void I5_hostile_rows(void **state)
{
    struct fixture *f = *state;
    struct msg_ctl_row row = row_of(1, "demo");
    memset(row.name, 'x', sizeof(row.name));
    assert_int_equal(adminrun_row(&f->run, &row), -EBADMSG);
    row = row_of(1, "a b");
    assert_int_equal(adminrun_row(&f->run, &row), -EBADMSG);
    row = row_of(1, "demo");
    memset(row.token_id, 'x', sizeof(row.token_id));
    assert_int_equal(adminrun_row(&f->run, &row), -EBADMSG);
    row = row_of(0, "demo"); /* 0 marks a free entry */
    assert_int_equal(adminrun_row(&f->run, &row), -EBADMSG);
    struct msg_ctl_done done = {.request = 0};
    adminrun_finish(&f->run, &done);
    assert_int_equal(f->answers, 0);
}

static void rows_and_open_questions_are_bounded(void **state)
{
    struct fixture *f = *state;
    static const char line[] = "{\"op\":\"stream.list\"}";
    for (unsigned i = 0; i < ADMINRUN_PENDING_MAX; i++)
        adminrun_line(&f->run, CONN, line, strlen(line), NOW_MS);
    assert_int_equal(f->answers, 0);
    assert_error(request(f, line), "busy");
    struct msg_ctl_row row = row_of(f->ctl.request, "demo");
    for (unsigned i = 0; i < ADMINRUN_ROWS_MAX + 10; i++)
        assert_int_equal(adminrun_row(&f->run, &row), 0);
    struct msg_ctl_done done = {.request = f->ctl.request};
    adminrun_finish(&f->run, &done);
    assert_int_equal(json_array_size(json_object_get(f->answer, "streams")), ADMINRUN_ROWS_MAX);
}

static void supervisor_that_cannot_be_asked(void **state)
{
    struct fixture *f = *state;
    f->ctl_result = -EPIPE;
    assert_error(request(f, "{\"op\":\"status\"}"), "unavailable");
}

static void supervisor_that_does_not_answer(void **state)
{
    struct fixture *f = *state;
    static const char line[] = "{\"op\":\"status\"}";
    adminrun_line(&f->run, CONN, line, strlen(line), NOW_MS);
    /* the timer's time has come */
    struct adminrun_pending *p = &f->run.pending[0];
    assert_int_equal(loop_timer_set(&f->loop, &p->patience, 0, p->patience.fn, p->patience.ctx), 0);
    assert_int_equal(loop_turn(&f->loop, 0), 0);
    assert_error(f->answer, "timeout");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(create_answers_with_id_and_token),
        TEST(D1_list_and_show_have_no_secret),
        TEST(list_goes_on_after_a_page),
        TEST(T5_revoke_says_what_it_cut),
        TEST(D3_revoke_without_disk_is_not_durable),
        TEST(D3_create_on_a_full_disk_says_so),
        TEST(bad_lines_are_answered),
        TEST(streams_come_from_the_supervisor),
        TEST(kick_of_an_unknown_stream),
        TEST(status_tells_whether_all_is_ready),
        TEST(I5_hostile_rows),
        TEST(rows_and_open_questions_are_bounded),
        TEST(supervisor_that_cannot_be_asked),
        TEST(supervisor_that_does_not_answer),
    };
    return cmocka_run_group_tests_name("adminrun", tests, NULL, NULL);
}
