/* Limits of the WHIP handlers: waiting requests, rates, a supervisor that does not answer. */
#include "tests/unit/web/whip_rig.h"
#include "web/rates.h"

static void WHIP_28_one_address_has_a_limit_and_29_all_together(void **state)
{
    struct whip_rig *rig = *state;
    static struct request r[WHIP_PENDING_MAX + 1], refused;
    for (size_t i = 0; i < WHIP_PENDING_MAX; i++) {
        offer_init(&r[i]);
        r[i].peer.ip[3] = (uint8_t)(i / WHIP_PENDING_PER_ADDRESS);
        handle(rig, &r[i]);
        assert_false(r[i].answered);
        if (i == WHIP_PENDING_PER_ADDRESS - 1) {
            offer_init(&refused);
            refused.peer.ip[3] = 0;
            handle(rig, &refused);
            assert_answer(&refused, 429);
            assert_true(header_is(&refused, "Retry-After", "1"));
            drop(&refused);
        }
    }
    offer_init(&refused);
    refused.peer.ip[3] = 200;
    handle(rig, &refused);
    assert_answer(&refused, 503);
    assert_true(header_is(&refused, "Retry-After", "1"));
    drop(&refused);
    whip_sweep(rig->whip, rig->now_us + WHIP_ANSWER_TIMEOUT_US);
    for (size_t i = 0; i < WHIP_PENDING_MAX; i++) {
        assert_answer(&r[i], 503);
        drop(&r[i]);
    }
    offer_init(&refused); /* and there is room again */
    refused.peer.ip[3] = 0;
    handle(rig, &refused);
    assert_false(refused.answered);
    whip_sweep(rig->whip, UINT64_MAX);
    drop(&refused);
}

static void WHIP_28_one_session_has_a_limit_of_waiting_patches(void **state)
{
    struct whip_rig *rig = *state;
    static struct request r[WHIP_PATCHES_PER_SESSION], more, other;
    for (size_t i = 0; i < WHIP_PATCHES_PER_SESSION; i++) {
        patch_init(&r[i], "*");
        handle(rig, &r[i]);
        assert_false(r[i].answered);
    }
    patch_init(&more, "*");
    handle(rig, &more);
    assert_answer(&more, 429);
    assert_true(header_is(&more, "Retry-After", "1"));
    drop(&more);
    patch_init(&other, "*"); /* another session of the same address has room */
    other.path = slice_of("/whip/session/fedcba98765432100123456789abcdef");
    settle(rig, &other, 204);
    drop(&other);
    delete_init(&other); /* and this one can be ended */
    settle(rig, &other, 200);
    drop(&other);
    whip_sweep(rig->whip, UINT64_MAX);
    for (size_t i = 0; i < WHIP_PATCHES_PER_SESSION; i++)
        drop(&r[i]);
    patch_init(&more, "*");
    settle(rig, &more, 204);
    drop(&more);
}

static void WHIP_28_waiting_session_requests_of_one_address_are_bounded(void **state)
{
    struct whip_rig *rig = *state;
    static struct request r[WHIP_SESSION_PENDING_PER_ADDRESS], more;
    for (size_t i = 0; i < WHIP_SESSION_PENDING_PER_ADDRESS; i++) {
        request_init(&r[i], METHOD_GET, SESSION);
        handle(rig, &r[i]);
        assert_false(r[i].answered);
    }
    delete_init(&more);
    assert_refused(rig, &more, 429);
    delete_init(&more);
    more.peer.ip[3] = 9;
    settle(rig, &more, 200);
    drop(&more);
    whip_sweep(rig->whip, UINT64_MAX);
    for (size_t i = 0; i < WHIP_SESSION_PENDING_PER_ADDRESS; i++)
        drop(&r[i]);
    assert_int_equal(peers_count(rig->peers, &r[0].peer, PEERS_SESSION), 0);
}

typedef void (*init_fn)(struct request *r);

static void any_patch_init(struct request *r)
{
    patch_init(r, "*");
}

/* A full bucket passes, the next one is told when to come; then it passes; others never notice. */
static void exhaust(struct whip_rig *rig, init_fn init, enum rates_kind kind, uint16_t status)
{
    static struct request r;
    const struct rates_limit *limit = rates_limit_of(kind);
    for (uint32_t i = 0; i < limit->burst; i++) {
        init(&r);
        settle(rig, &r, status);
        assert_answer(&r, status);
        drop(&r);
    }
    unsigned sent = rig->sent;
    init(&r);
    handle(rig, &r);
    assert_answer(&r, 429);
    assert_true(header_is(&r, "Retry-After", "1"));
    assert_problem_says(&r, "detail", "Too many requests from this address.");
    assert_int_equal(rig->sent, sent);
    drop(&r);
    init(&r);
    r.peer.ip[3] = 77;
    settle(rig, &r, status);
    drop(&r);
    rig->now_us += CLOCK_SECOND_US;
    init(&r);
    settle(rig, &r, status);
    assert_answer(&r, status);
    drop(&r);
}

static void WHIP_28_posts_have_a_rate(void **state)
{
    exhaust(*state, offer_init, RATES_POST, 422);
}

static void WHIP_28_patches_have_a_rate(void **state)
{
    exhaust(*state, any_patch_init, RATES_PATCH, 204);
}

static void WHIP_28_deletes_have_a_rate(void **state)
{
    exhaust(*state, delete_init, RATES_DELETE, 404);
}

static void WHIP_28_a_browser_that_trickles_is_never_refused(void **state)
{
    struct whip_rig *rig = *state;
    static struct request r;
    for (int publisher = 0; publisher < 10; publisher++) { /* behind one address */
        for (int i = 0; i < 25; i++) {
            patch_init(&r, "*");
            settle(rig, &r, 204);
            assert_answer(&r, 204);
            drop(&r);
        }
    }
}

/* threats.md H8: who guesses tokens cannot use up what a valid one needs. */
static void H8_wrong_tokens_do_not_count_for_the_rate(void **state)
{
    static const init_fn inits[] = {offer_init, any_patch_init, delete_init};
    struct whip_rig *rig = *state;
    static struct request r;
    rig->guessing = 1;
    for (size_t kind = 0; kind < 3; kind++) {
        for (uint32_t i = 0; i < 3 * rates_limit_of(RATES_PATCH)->burst; i++) {
            inits[kind](&r);
            settle(rig, &r, i < 10 ? 401 : 429); /* as auth does it */
            drop(&r);
        }
        inits[kind](&r);
        settle(rig, &r, 200);
        drop(&r);
    }
}

/* The supervisor's own 429 is for what this sender does: it must not keep its bucket full, or each
 * of a flood's requests is the supervisor's work. */
static void WHIP_28_a_429_of_the_supervisor_counts_for_the_rate(void **state)
{
    static const init_fn inits[] = {offer_init, any_patch_init, delete_init};
    static const enum rates_kind kinds[] = {RATES_POST, RATES_PATCH, RATES_DELETE};
    struct whip_rig *rig = *state;
    static struct request r;
    for (size_t kind = 0; kind < 3; kind++) {
        unsigned sent = rig->sent;
        for (int i = 0; i < 1000; i++) {
            inits[kind](&r);
            handle(rig, &r);
            if (!r.answered)
                answer(rig, 429);
            assert_answer(&r, 429);
            drop(&r);
        }
        assert_int_equal(rig->sent - sent, rates_limit_of(kinds[kind])->burst);
    }
}

static void WHIP_28_what_never_got_to_the_supervisor_does_not_count(void **state)
{
    struct whip_rig *rig = *state;
    static struct request r;
    for (uint32_t i = 0; i < 2 * rates_limit_of(RATES_POST)->burst; i++) {
        offer_init(&r);
        r.headers.content_type = slice_of("text/plain");
        handle(rig, &r);
        drop(&r);
        rig->send_result = -ENOSPC;
        offer_init(&r);
        handle(rig, &r);
        assert_answer(&r, 503);
        drop(&r);
        rig->send_result = 0;
    }
    offer_init(&r);
    settle(rig, &r, 201);
    drop(&r);
}

static void WHIP_29_a_supervisor_that_takes_nothing_gives_503(void **state)
{
    struct whip_rig *rig = *state;
    static struct request r;
    rig->send_result = -ENOSPC;
    offer_init(&r);
    assert_refused(rig, &r, 503);
    assert_int_equal(peers_count(rig->peers, &r.peer, PEERS_PUBLISH), 0);
    delete_init(&r);
    assert_refused(rig, &r, 503);
    patch_init(&r, "*");
    assert_refused(rig, &r, 503);
    assert_int_equal(peers_count(rig->peers, &r.peer, PEERS_SESSION), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_RIG(WHIP_28_one_address_has_a_limit_and_29_all_together),
        IN_RIG(WHIP_28_one_session_has_a_limit_of_waiting_patches),
        IN_RIG(WHIP_28_waiting_session_requests_of_one_address_are_bounded),
        IN_RIG(WHIP_28_posts_have_a_rate),
        IN_RIG(WHIP_28_patches_have_a_rate),
        IN_RIG(WHIP_28_deletes_have_a_rate),
        IN_RIG(WHIP_28_a_browser_that_trickles_is_never_refused),
        IN_RIG(H8_wrong_tokens_do_not_count_for_the_rate),
        IN_RIG(WHIP_28_a_429_of_the_supervisor_counts_for_the_rate),
        IN_RIG(WHIP_28_what_never_got_to_the_supervisor_does_not_count),
        IN_RIG(WHIP_29_a_supervisor_that_takes_nothing_gives_503),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
