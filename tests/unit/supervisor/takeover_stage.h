/* A live stream and who wants to take it over: for the tests of both. */
#ifndef SLUICE_TESTS_TAKEOVER_STAGE_H
#define SLUICE_TESTS_TAKEOVER_STAGE_H

#include "gateway/supervisor/takeover.h"
#include "tests/unit/supervisor/supervisor_stage.h"

#define STREAM "demo"

/* The second publisher's POST, with a token of that policy; its worker is a fresh one. */
static inline void challenge(struct stage *stage, const char *token_id, enum grant_clash clash,
                             struct player *old_ingest)
{
    const struct grant grant = {.verdict = GRANT_OK,
                                .lease_id = LEASE + 1,
                                .remaining_us = UINT64_MAX,
                                .clash = (uint8_t)clash};
    relieve(stage, &stage->ingest, PROCESS_INGEST, old_ingest);
    post(stage, 2, STREAM);
    grant_as(stage, token_id, &grant);
}

/* The live session, with keys since long ago and its last packet that long ago. */
static inline struct publication *make_silent(struct stage *stage, uint64_t silent_us)
{
    struct publication *p = publication_by_stream(&stage->sup, STREAM);
    struct msg_ingest_state keyed = {.session = p->session, .state = INGEST_KEYED};
    struct stats stats = {.last_packet_us = clock_now_us() - silent_us};
    say(stage, &stage->ingest, MSG_INGEST_STATE, &keyed, NULL, 0);
    say(stage, &stage->ingest, MSG_STATS, &stats, NULL, 0);
    assert_true(p->keyed);
    p->keyed_us = 1;
    return p;
}

/* What the newest worker says of its session. */
static inline void tell(struct stage *stage, uint64_t session, enum ingest_state state,
                        enum end_reason reason)
{
    struct msg_ingest_state m = {
        .session = session, .state = (uint32_t)state, .reason = (uint32_t)reason};
    say(stage, &stage->ingest, MSG_INGEST_STATE, &m, NULL, 0);
}

static inline void get_keys(struct stage *stage, uint64_t session)
{
    tell(stage, session, INGEST_KEYED, END_NONE);
}

/* Ends what challenge left: both workers, in either order. */
static inline void finish(struct stage *stage, struct player *old_ingest)
{
    struct publication *p = old_ingest->process->owner;
    if (p)
        publication_on_ingest_exit(p);
    leave(stage, old_ingest);
}

static inline void assert_replaced(struct stage *stage, const struct player *old_ingest,
                                   const char *old_url)
{
    struct heard heard;
    assert_true(hear(old_ingest, MSG_END, &heard));
    assert_int_equal(((const struct msg_end *)(const void *)heard.body)->reason, END_REPLACED);
    assert_true(hear(&stage->edge, MSG_FORGET, &heard));
    assert_true(hear(&stage->auth, MSG_LEASE_RELEASE, &heard));
    assert_int_equal(((const struct msg_lease_release *)(const void *)heard.body)->lease_id, LEASE);
    session(stage, SESSION_GET, old_url);
    struct msg_session_result gone = session_result(stage);
    assert_int_equal(gone.status, 404);
    assert_int_equal(gone.end_reason, END_REPLACED);
}

#endif
