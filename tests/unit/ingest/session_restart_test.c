/* Trickle ICE and ICE restarts of a session (RFC 9725 4.3). */
#include "tests/unit/ingest/ingest_session.h"

#define OWN "a=ice-ufrag:peer\r\na=ice-pwd:peerPasswordOf24Letters1\r\n"
#define NEXT "a=ice-ufrag:next\r\na=ice-pwd:nextPasswordOf24Letters1\r\n"
#define SECTION "m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:v\r\n"

struct patch {
    struct msg_fragment_result result;
    size_t len;
    char text[STREAM_ANSWER_MAX];
};

static unsigned patch_into(struct fixture *f, const char *body, bool may_restart, struct patch *p,
                           size_t cap)
{
    const struct msg_fragment fragment = {
        .session = SESSION, .request = 5, .may_restart = may_restart ? 1 : 0};
    session_fragment(f->session, &fragment, slice_of(body), &p->result, p->text, cap, &p->len);
    assert_int_equal(p->result.session, SESSION);
    assert_int_equal(p->result.request, 5);
    bool restarted = p->result.status == 200;
    assert_int_equal(p->len > 0, restarted);
    assert_int_equal(p->result.ufrag[0] != '\0', restarted);
    assert_int_equal(p->result.reason[0] != '\0', p->result.status >= 400);
    return p->result.status;
}

static unsigned patch(struct fixture *f, const char *body, bool may_restart, struct patch *p)
{
    return patch_into(f, body, may_restart, p, sizeof(p->text));
}

/* How many replies a check with that pair gets. */
static size_t replies(struct fixture *f, size_t path, const char *ufrag, const char *peer,
                      const char *pwd, bool nominate)
{
    uint8_t data[512];
    size_t before = f->sent_count;
    size_t len = client_check_as(ufrag, peer, pwd, nominate, data);
    receive(f, path, data, len);
    return f->sent_count - before;
}

static size_t replies_old(struct fixture *f, size_t path)
{
    return replies(f, path, f->answer.ufrag, "peer", f->answer.pwd, false);
}

static size_t replies_new(struct fixture *f, size_t path, const struct patch *p)
{
    return replies(f, path, p->result.ufrag, "next", p->result.pwd, true);
}

static void WHIP_57_candidates_of_the_known_pair_get_204(void **state)
{
    struct fixture *f = *state;
    struct patch p;
    offer(f);
    for (unsigned restart = 0; restart < 2; restart++) {
        assert_int_equal(
            patch(f, OWN SECTION "a=candidate:1 1 udp 1 192.0.2.1 5000 typ host\r\n", restart, &p),
            204);
        assert_int_equal(patch(f, OWN SECTION "a=end-of-candidates\r\n", restart, &p), 204);
    }
    open_path(f, 0);
    check(f, 0, true);
    handshake(f, 0);
    assert_int_equal(session_state(f->session), SESSION_KEYED);
    assert_int_equal(patch(f, OWN, false, &p), 204);
}

static void WHIP_64_W8_candidates_that_cannot_be_used_are_dropped_silently(void **state)
{
    struct fixture *f = *state;
    struct patch p;
    offer(f);
    assert_int_equal(patch(f,
                           OWN SECTION "a=candidate:1 1 sctp 1 192.0.2.1 5000 typ host\r\n"
                                       "a=candidate:2 1 udp 1 2f9c.local 5000 typ host\r\n"
                                       "a=candidate:3 1 udp 1 127.0.0.9 9 typ host\r\n",
                           false, &p),
                     204);
    assert_int_equal(f->sent_count, 0);
}

static void WHIP_20_malformed_fragments_get_400(void **state)
{
    static const char *const bodies[] = {"", "nonsense", SECTION, "a=ice-ufrag:peer\r\n",
                                         OWN "a=ice-ufrag:other\r\n"};
    struct fixture *f = *state;
    struct patch p;
    offer(f);
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++)
        assert_int_equal(patch(f, bodies[i], true, &p), 400);
    open_path(f, 0);
    assert_int_equal(replies_old(f, 0), 1);
}

static void WHIP_59_a_restart_needs_the_asterisk(void **state)
{
    struct fixture *f = *state;
    struct patch p;
    go_keyed(f);
    assert_int_equal(patch(f, NEXT, false, &p), 428);
    assert_int_equal(replies_old(f, 0), 1);
    assert_int_equal(patch(f, OWN, false, &p), 204); /* still the pair that counts */
}

/* The lines of one kind, in their order. */
static void expect_same_lines(const char *a, size_t a_len, const char *b, size_t b_len,
                              const char *prefix)
{
    struct slice one = slice_make(a, a_len), other = slice_make(b, b_len);
    size_t count = 0;
    for (;;) {
        struct slice x = {.data = NULL}, y = {.data = NULL};
        while (one.len > 0 && !slice_starts(x, prefix))
            x = slice_line(&one);
        while (other.len > 0 && !slice_starts(y, prefix))
            y = slice_line(&other);
        bool has_x = slice_starts(x, prefix), has_y = slice_starts(y, prefix);
        assert_int_equal(has_x, has_y);
        if (!has_x)
            break;
        assert_true(slice_equal(x, y));
        count++;
    }
    assert_true(count > 0);
}

static void WHIP_61_the_answer_to_a_restart(void **state)
{
    struct fixture *f = *state;
    struct patch p;
    char line[64];
    go_keyed(f);
    assert_int_equal(patch(f, NEXT SECTION, true, &p), 200);
    assert_int_equal(strlen(p.result.ufrag), STREAM_UFRAG_LEN);
    assert_int_equal(strlen(p.result.pwd), STREAM_PWD_LEN);
    assert_string_not_equal(p.result.ufrag, f->answer.ufrag);
    assert_string_not_equal(p.result.pwd, f->answer.pwd);
    (void)snprintf(line, sizeof(line), "a=ice-ufrag:%s\r\n", p.result.ufrag);
    assert_non_null(memmem(p.text, p.len, line, strlen(line)));
    (void)snprintf(line, sizeof(line), "a=ice-pwd:%s\r\n", p.result.pwd);
    assert_non_null(memmem(p.text, p.len, line, strlen(line)));
    expect_same_lines(f->answer_text, f->answer_len, p.text, p.len, "a=candidate:");
    expect_same_lines(f->answer_text, f->answer_len, p.text, p.len, "a=end-of-candidates");
    expect_same_lines(f->answer_text, f->answer_len, p.text, p.len, "a=ice-lite");
    expect_same_lines(f->answer_text, f->answer_len, p.text, p.len, "a=mid:");
    assert_null(memmem(f->answer_text, f->answer_len, "a=ice-options", 13));
    assert_null(memmem(p.text, p.len, "a=ice-options", 13));
    assert_null(memmem(p.text, p.len, "a=fingerprint", 13)); /* DTLS goes on */
}

static void WHIP_62_both_pairs_count_until_the_first_check_on_the_new_one(void **state)
{
    struct fixture *f = *state;
    struct patch p;
    go_keyed(f);
    open_path(f, 1);
    assert_int_equal(patch(f, NEXT, true, &p), 200);
    assert_int_equal(replies_old(f, 0), 1);
    assert_int_equal(replies(f, 1, p.result.ufrag, "peer", p.result.pwd, false), 0);
    assert_int_equal(replies(f, 1, p.result.ufrag, "next", f->answer.pwd, false), 0);
    assert_int_equal(replies_old(f, 0), 1);
    assert_int_equal(replies_new(f, 1, &p), 1);
    assert_int_equal(replies_new(f, 0, &p), 1);
    assert_int_equal(replies_old(f, 0), 0);
    assert_int_equal(patch(f, NEXT, false, &p), 204); /* now the pair that counts */
}

static void WHIP_63_media_and_keys_go_on(void **state)
{
    struct fixture *f = *state;
    struct frame frame;
    struct patch p;
    go_keyed(f);
    send_key_frame(f, 0, 1000);
    assert_true(test_ring_next(&f->ring, &frame));
    assert_int_equal(patch(f, NEXT, true, &p), 200);
    send_rtp(f, 0, test_slice, sizeof(test_slice), 4000, true);
    assert_true(test_ring_next(&f->ring, &frame));
    open_path(f, 1);
    assert_int_equal(replies_new(f, 1, &p), 1);
    send_rtp(f, 0, test_slice, sizeof(test_slice), 7000, true); /* on its way before */
    assert_true(test_ring_next(&f->ring, &frame));
    size_t before = f->sent_count;
    send_rtp(f, 1, test_slice, sizeof(test_slice), 10000, true);
    assert_true(test_ring_next(&f->ring, &frame));
    assert_int_equal(frame.number, 3);
    run_until(f, f->now_us + 2 * SECOND);
    assert_true(f->sent_count > before);
    for (size_t i = before; i < f->sent_count; i++) {
        struct sent *sent = &f->sent[i % SENT_MAX];
        assert_int_equal(sent->path, 1);
        assert_int_equal(srtp_decrypt_rtcp(f->client.srtp, sent->data, &sent->len), 0);
    }
    assert_int_equal(f->stats.bad_srtp, 0);
    assert_int_equal(session_state(f->session), SESSION_LIVE);
}

static void WHIP_63_a_restart_before_the_keys(void **state)
{
    struct fixture *f = *state;
    struct patch p;
    offer(f);
    assert_int_equal(patch(f, NEXT, true, &p), 200);
    open_path(f, 0);
    assert_int_equal(replies_new(f, 0, &p), 1);
    handshake(f, 0);
    assert_int_equal(client_secure(&f->client), 0);
    assert_int_equal(session_state(f->session), SESSION_KEYED);
}

static void WHIP_62_too_many_restarts_are_refused_and_change_nothing(void **state)
{
    struct fixture *f = *state;
    struct patch last, p;
    go_keyed(f);
    for (unsigned i = 0; i < SESSION_RESTARTS_PER_S; i++) {
        char body[128];
        (void)snprintf(body, sizeof(body), "a=ice-ufrag:many%u\r\na=ice-pwd:manyPassword%u\r\n", i,
                       i);
        assert_int_equal(patch(f, body, true, &last), 200);
    }
    assert_int_equal(patch(f, NEXT, true, &p), 429);
    assert_int_equal(replies_old(f, 0), 1);
    assert_int_equal(replies(f, 0, last.result.ufrag, "many3", last.result.pwd, true), 1);
    run_until(f, f->now_us + 2 * SECOND);
    assert_int_equal(patch(f, NEXT, true, &p), 200);
}

static void WHIP_62_a_restart_that_cannot_be_answered_changes_nothing(void **state)
{
    struct fixture *f = *state;
    struct patch p;
    go_keyed(f);
    assert_int_equal(patch_into(f, NEXT, true, &p, 40), 422);
    assert_int_equal(replies_old(f, 0), 1);
    assert_int_equal(patch(f, OWN, false, &p), 204);
    assert_int_equal(patch(f, NEXT, false, &p), 428); /* not known */
}

static void WHIP_22_after_the_end_there_is_nothing_to_patch(void **state)
{
    struct fixture *f = *state;
    struct patch p;
    go_keyed(f);
    session_end(f->session, END_KICKED);
    assert_int_equal(patch(f, OWN, false, &p), 404);
    assert_int_equal(patch(f, NEXT, true, &p), 404);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(WHIP_57_candidates_of_the_known_pair_get_204),
        TEST(WHIP_64_W8_candidates_that_cannot_be_used_are_dropped_silently),
        TEST(WHIP_20_malformed_fragments_get_400),
        TEST(WHIP_59_a_restart_needs_the_asterisk),
        TEST(WHIP_61_the_answer_to_a_restart),
        TEST(WHIP_62_both_pairs_count_until_the_first_check_on_the_new_one),
        TEST(WHIP_63_media_and_keys_go_on),
        TEST(WHIP_63_a_restart_before_the_keys),
        TEST(WHIP_62_too_many_restarts_are_refused_and_change_nothing),
        TEST(WHIP_62_a_restart_that_cannot_be_answered_changes_nothing),
        TEST(WHIP_22_after_the_end_there_is_nothing_to_patch),
    };
    log_open(-1, "test", LOG_ERROR);
    return cmocka_run_group_tests(tests, warm_up, NULL);
}
