/* The real web process: WHIP over real HTTP, by rule id (protocols.md 1). */
#include "lib/base/clock.h"
#include "tests/support/webrig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define ID "0123456789abcdef0123456789abcdef"
#define TAG "0123456789abcdef"
#define URL "/whip/session/" ID
#define TOKEN "Authorization: Bearer secret\r\n"
#define SDP "Content-Type: application/sdp\r\n"
#define FRAGMENT_TYPE "application/trickle-ice-sdpfrag"
#define FRAGMENT "a=ice-ufrag:abcd\r\na=ice-pwd:0123456789abcdefghijkl\r\n"

/* One request with a body by length. */
static void say_request(int fd, const char *line, const char *headers, const char *body)
{
    char text[8192];
    int len = snprintf(text, sizeof(text),
                       "%s HTTP/1.1\r\n" WEBRIG_HOST "%sContent-Length: %zu\r\n\r\n%s", line,
                       headers, strlen(body), body);
    assert_true(len > 0 && (size_t)len < sizeof(text));
    webrig_say(fd, text, (size_t)len);
}

static const struct msg_session *session_asked(struct webrig *rig, enum msg_session_op op,
                                               struct slice *out_blob)
{
    const struct chan_message *m = peer_wait(&rig->peer, MSG_SESSION, WEBRIG_WAIT_MS);
    assert_non_null(m);
    const struct msg_session *s = m->body;
    assert_int_equal(s->op, op);
    assert_string_equal(s->url_id, ID);
    if (out_blob)
        *out_blob = slice_make(m->blob, m->blob_len);
    return s;
}

static void session_answer(struct webrig *rig, uint64_t request, uint16_t status, const char *etag,
                           const char *blob)
{
    struct msg_session_result m = {.request = request, .status = status};
    (void)text_copy(m.etag, sizeof(m.etag), slice_of(etag));
    assert_int_equal(peer_send(&rig->peer, MSG_SESSION_RESULT, &m, blob, strlen(blob), NULL), 0);
}

/* How many header lines of that name there are. */
static size_t count_lines(const struct webrig_answer *a, const char *name)
{
    size_t count = 0, len = strlen(name);
    for (const char *line = strstr(a->text, "\r\n"); line && line < a->text + a->head_len;
         line = strstr(line + 2, "\r\n"))
        count += strncasecmp(line + 2, name, len) == 0 && line[2 + len] == ':';
    return count;
}

static void WHIP_49_links_are_lines_of_their_own(void **state)
{
    struct webrig *rig = *state;
    struct webrig_answer a;
    int fd = webrig_dial(rig);
    say_request(fd, "POST /whip/demo", TOKEN SDP, "v=0\r\n");
    const struct chan_message *m = peer_wait(&rig->peer, MSG_PUBLISH, WEBRIG_WAIT_MS);
    assert_non_null(m);
    const struct msg_publish *p = m->body;
    struct msg_publish_result result = {
        .request = p->request, .status = 201, .url_id = ID, .etag = TAG};
    (void)text_copy(result.turn.username, sizeof(result.turn.username), slice_of("1750000000:t"));
    (void)text_copy(result.turn.password, sizeof(result.turn.password), slice_of("c2VjcmV0"));
    assert_int_equal(peer_send(&rig->peer, MSG_PUBLISH_RESULT, &result, "v=0", 3, NULL), 0);
    webrig_expect(fd, &a, 201);
    assert_int_equal(count_lines(&a, "Link"), 3);
    assert_non_null(strstr(a.text, "\r\nLink: <stun:stun.example:3478>; rel=\"ice-server\"\r\n"));
    assert_non_null(strstr(a.text, "\r\nLink: <turns:turn.example:5349>; rel=\"ice-server\"; "
                                   "username=\"1750000000:t\"; credential=\"c2VjcmV0\"; "
                                   "credential-type=\"password\"\r\n"));
    assert_true(webrig_header_is(&a, "ETag", "\"" TAG "\"")); /* WHIP-56 */
    assert_true(webrig_header_is(&a, "Location", URL));
    assert_true(webrig_header_is(&a, "Accept-Patch", FRAGMENT_TYPE));
    say_request(fd, "OPTIONS /whip/demo", "", ""); /* WHIP-50 */
    webrig_expect(fd, &a, 200);
    assert_int_equal(count_lines(&a, "Link"), 0);
    (void)close(fd);
}

static void WHIP_57_trickle_on_a_kept_connection(void **state)
{
    struct webrig *rig = *state;
    struct webrig_answer a;
    struct slice blob;
    int fd = webrig_dial(rig);
    for (int i = 0; i < 3; i++) {
        say_request(fd, "PATCH " URL,
                    TOKEN "Content-Type: " FRAGMENT_TYPE "\r\nIf-Match: \"" TAG "\"\r\n", FRAGMENT);
        const struct msg_session *s = session_asked(rig, SESSION_PATCH, &blob);
        assert_int_equal(s->match, MATCH_TAG);
        assert_string_equal(s->if_match, TAG);
        assert_true(slice_is(blob, FRAGMENT));
        session_answer(rig, s->request, 204, "", "");
        webrig_expect(fd, &a, 204);
        assert_int_equal(a.left, 0); /* no body at all */
        assert_int_equal(count_lines(&a, "ETag"), 0);
        assert_int_equal(count_lines(&a, "Content-Length"), 0); /* RFC 9110 8.6 */
        assert_int_equal(count_lines(&a, "Content-Type"), 0);
        assert_int_equal(count_lines(&a, "Connection"), 0);
    }
    (void)close(fd);
}

static void WHIP_61_restart_with_a_body_in_chunks(void **state)
{
    struct webrig *rig = *state;
    struct webrig_answer a;
    struct slice blob;
    int fd = webrig_dial(rig);
    webrig_say_text(fd, "PATCH " URL " HTTP/1.1\r\n" WEBRIG_HOST TOKEN
                        "Content-Type: Application/Trickle-ICE-SDPFrag; charset=utf-8\r\n"
                        "If-Match: \"*\"\r\nTransfer-Encoding: chunked\r\n\r\n12\r\n");
    webrig_say_text(fd, "a=ice-ufrag:abcd\r\n\r\n");
    webrig_say_text(fd, "22\r\na=ice-pwd:0123456789abcdefghijkl\r\n\r\n0\r\n\r\n");
    const struct msg_session *s = session_asked(rig, SESSION_PATCH, &blob);
    assert_int_equal(s->match, MATCH_ANY);
    assert_true(slice_is(blob, FRAGMENT));
    session_answer(rig, s->request, 200, "fedcba9876543210", "a=ice-lite\r\n");
    webrig_expect(fd, &a, 200);
    assert_true(webrig_header_is(&a, "Content-Type", FRAGMENT_TYPE));
    assert_true(webrig_header_is(&a, "ETag", "\"fedcba9876543210\""));
    assert_int_equal(a.body_len, 12);
    assert_memory_equal(a.body, "a=ice-lite\r\n", 12);
    (void)close(fd);
}

static void WHIP_12_fragments_have_their_limit(void **state)
{
    struct webrig *rig = *state;
    struct webrig_answer a;
    static char text[40000];
    static const size_t sizes[] = {16384, 16385, 30000};
    for (size_t chunked = 0; chunked < 2; chunked++) {
        for (size_t i = 0; i < 3; i++) {
            int fd = webrig_dial(rig);
            int len = snprintf(text, 500,
                               "PATCH " URL " HTTP/1.1\r\n" WEBRIG_HOST TOKEN
                               "Content-Type: " FRAGMENT_TYPE "\r\nIf-Match: *\r\n");
            len += snprintf(text + len, 100,
                            chunked ? "Transfer-Encoding: chunked\r\n\r\n%zx\r\n"
                                    : "Content-Length: %zu\r\n\r\n",
                            sizes[i]);
            memset(text + len, 'x', sizes[i]);
            size_t total = (size_t)len + sizes[i];
            if (chunked)
                total += (size_t)snprintf(text + total, 20, "\r\n0\r\n\r\n");
            webrig_say(fd, text, total);
            if (i == 0) {
                struct slice blob;
                const struct msg_session *s = session_asked(rig, SESSION_PATCH, &blob);
                assert_int_equal(blob.len, 16384);
                session_answer(rig, s->request, 400, "", "");
                webrig_expect(fd, &a, 400);
            } else {
                webrig_expect(fd, &a, 413);
            }
            (void)close(fd);
        }
    }
    assert_null(peer_wait(&rig->peer, MSG_SESSION, 1));
}

static void WHIP_20_two_if_match_lines_give_400_and_a_delete_ignores_them(void **state)
{
    struct webrig *rig = *state;
    struct webrig_answer a;
    int fd = webrig_dial(rig);
    say_request(fd, "PATCH " URL,
                TOKEN "Content-Type: " FRAGMENT_TYPE "\r\nIf-Match: *\r\nif-match: *\r\n",
                FRAGMENT);
    webrig_expect(fd, &a, 400);
    say_request(fd, "PATCH " URL, TOKEN "Content-Type: " FRAGMENT_TYPE "\r\nIf-Match:\r\n",
                FRAGMENT);
    webrig_expect(fd, &a, 400);
    say_request(fd, "PATCH " URL, TOKEN "Content-Type: " FRAGMENT_TYPE "\r\n", FRAGMENT);
    const struct msg_session *s = session_asked(rig, SESSION_PATCH, NULL);
    assert_int_equal(s->match, MATCH_NONE);
    session_answer(rig, s->request, 428, "", "");
    webrig_expect(fd, &a, 428);
    say_request(fd, "DELETE " URL, TOKEN "If-Match: W/\"a\"\r\nIf-Match: b\r\n", "");
    s = session_asked(rig, SESSION_DELETE, NULL); /* WHIP-67 */
    session_answer(rig, s->request, 200, "", "");
    webrig_expect(fd, &a, 200);
    (void)close(fd);
}

/* WHIP-35: the connection ends, as with everything that two parsers could read differently. */
static void WHIP_35_two_authorization_headers_give_400(void **state)
{
    static const char *const lines[] = {"POST /whip/demo", "PATCH " URL, "DELETE " URL};
    struct webrig *rig = *state;
    struct webrig_answer a;
    for (size_t i = 0; i < 3; i++) {
        int fd = webrig_dial(rig);
        say_request(fd, lines[i], TOKEN "authorization: Bearer secret\r\n" SDP, "");
        webrig_expect(fd, &a, 400);
        (void)close(fd);
    }
    assert_null(peer_wait(&rig->peer, MSG_SESSION, 1));
    assert_null(peer_wait(&rig->peer, MSG_PUBLISH, 1));
}

static void WHIP_05_head_is_get_without_body(void **state)
{
    struct webrig *rig = *state;
    struct webrig_answer a;
    int fd = webrig_dial(rig);
    static const uint16_t statuses[] = {200, 404};
    for (size_t i = 0; i < 2; i++) {
        webrig_say_text(fd, "HEAD " URL " HTTP/1.1\r\n" WEBRIG_HOST "\r\n");
        const struct msg_session *s = session_asked(rig, SESSION_GET, NULL);
        session_answer(rig, s->request, statuses[i], "", "");
        assert_true(webrig_listen(fd, &a, true, WEBRIG_WAIT_MS));
        assert_int_equal(a.status, statuses[i]);
        assert_int_equal(a.left, 0);
        assert_true(webrig_header_is(&a, "Access-Control-Allow-Origin", "*"));
    }
    webrig_say_text(fd, "HEAD /whip/demo HTTP/1.1\r\n" WEBRIG_HOST "\r\n");
    assert_true(webrig_listen(fd, &a, true, WEBRIG_WAIT_MS));
    assert_int_equal(a.status, 200);
    assert_int_equal(a.left, 0);
    say_request(fd, "PUT " URL, TOKEN, "");
    webrig_expect(fd, &a, 405);
    assert_true(webrig_header_is(&a, "Allow", "PATCH, DELETE, GET, HEAD, OPTIONS"));
    assert_true(webrig_header_is(&a, "Accept-Patch", FRAGMENT_TYPE));
    say_request(fd, "OPTIONS " URL,
                "Origin: https://a.example\r\nAccess-Control-Request-Method: PATCH\r\n"
                "Access-Control-Request-Headers: authorization,content-type,if-match\r\n",
                "");
    webrig_expect(fd, &a, 200);
    assert_true(webrig_header_is(&a, "Access-Control-Allow-Headers",
                                 "Authorization, Content-Type, If-Match"));
    (void)close(fd);
}

/* What the HTTP library finds wrong by itself, before any handler: a page of another origin is to
 * see the status too. */
static void WHIP_09_errors_of_the_library_have_cors_headers(void **state)
{
    struct webrig *rig = *state;
    struct webrig_answer a;
    static char big[12000];
    static const struct {
        const char *head;
        int status;
    } wrong[] = {
        {"POST /whip/demo HTTP/1.1\r\n" WEBRIG_HOST "nocolon\r\n\r\n", 400},
        {"POST /whip/demo HTTP/1.1\r\n" WEBRIG_HOST "Content-Length: abc\r\n\r\n", 400},
        {"POST /whip/demo HTTP/1.1\r\n" WEBRIG_HOST
         "Content-Length: 99999999999999999999999\r\n\r\n",
         413},
        {"PATCH " URL " HTTP/1.1\r\n" WEBRIG_HOST "Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400},
        {big, 431},
    };
    int len = snprintf(big, sizeof(big), "POST /whip/demo HTTP/1.1\r\n" WEBRIG_HOST "X: ");
    memset(big + len, 'x', 10000);
    (void)snprintf(big + len + 10000, 10, "\r\n\r\n");
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        int fd = webrig_dial(rig);
        webrig_say_text(fd, wrong[i].head);
        webrig_expect(fd, &a, wrong[i].status);
        assert_true(webrig_header_is(&a, "Content-Type", "application/problem+json"));
        assert_true(webrig_header_is(&a, "Connection", "close"));
        (void)close(fd);
    }
    int fd = webrig_dial(rig); /* and a page's path gets none */
    webrig_say_text(fd, "GET /publish/demo HTTP/1.1\r\n" WEBRIG_HOST "nocolon\r\n\r\n");
    assert_true(webrig_listen(fd, &a, false, WEBRIG_WAIT_MS));
    assert_int_equal(a.status, 400);
    assert_null(webrig_header(&a, "Access-Control-Allow-Origin"));
    (void)close(fd);
    assert_true(webrig_is_alive(rig));
}

/* The limit of one session holds also while none of them is answered. */
static void WHIP_28_many_patches_at_once(void **state)
{
    struct webrig *rig = *state;
    struct webrig_answer a;
    int fds[9];
    for (size_t i = 0; i < 9; i++) {
        fds[i] = webrig_dial(rig);
        say_request(fds[i], "PATCH " URL,
                    TOKEN "Content-Type: " FRAGMENT_TYPE "\r\nIf-Match: *\r\n", FRAGMENT);
        if (i < 8) {
            const struct msg_session *s = session_asked(rig, SESSION_PATCH, NULL);
            (void)s; /* never answered */
        }
    }
    webrig_expect(fds[8], &a, 429);
    assert_true(webrig_header_is(&a, "Retry-After", "1"));
    for (size_t i = 0; i < 9; i++)
        (void)close(fds[i]);
    assert_true(webrig_is_alive(rig));
}

int main(int argc, char **argv)
{
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    const struct CMUnitTest tests[] = {
        IN_WEBRIG(WHIP_49_links_are_lines_of_their_own),
        IN_WEBRIG(WHIP_57_trickle_on_a_kept_connection),
        IN_WEBRIG(WHIP_61_restart_with_a_body_in_chunks),
        IN_WEBRIG(WHIP_12_fragments_have_their_limit),
        IN_WEBRIG(WHIP_20_two_if_match_lines_give_400_and_a_delete_ignores_them),
        IN_WEBRIG(WHIP_35_two_authorization_headers_give_400),
        IN_WEBRIG(WHIP_05_head_is_get_without_body),
        IN_WEBRIG(WHIP_09_errors_of_the_library_have_cors_headers),
        IN_WEBRIG(WHIP_28_many_patches_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
