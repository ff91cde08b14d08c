/* STUN with mutations: what is not authentic gets no answer, and what is gets a short one. */
#include "gateway/rtc/ice.h"
#include "gateway/rtc/stunask.h"
#include "lib/base/reader.h"
#include "tests/support/mutator.h"
#include "tests/unit/rtc/stunmake.h"

static const struct ice_credentials credentials = {.ufrag = UFRAG, .pwd = PWD, .peer_ufrag = PEER};
static const struct addr from = {.family = 4, .port = 9, .ip = {192, 0, 2, 1}};

static void add_recipe(struct mutator *m, struct recipe recipe)
{
    const struct request request = make(&recipe);
    mutator_add(m, request.bytes, request.len);
}

static struct mutator *mill_of_checks(void)
{
    struct mutator *m = mutator_new();
    add_recipe(m, (struct recipe){.use_candidate = true});
    add_recipe(m, (struct recipe){.no_priority = true, .no_role = true});
    add_recipe(m, (struct recipe){.controlled = true});
    add_recipe(m, (struct recipe){.extra = 0x8022});
    add_recipe(m, (struct recipe){.extra = 0x0030});
    return m;
}

/* A reply is STUN of the same transaction, and as long as its header says. */
static void check_reply(const uint8_t *request, const uint8_t *reply, size_t len, bool refused)
{
    assert_in_range(len, 20, ICE_REPLY_MAX);
    assert_int_equal(reply[0] << 8 | reply[1], refused ? 0x0111 : 0x0101);
    assert_int_equal((size_t)(reply[2] << 8 | reply[3]) + 20, len);
    assert_memory_equal(reply + 4, request + 4, 16);
}

static enum ice_verdict judge(const uint8_t *data, size_t len)
{
    uint8_t out[ICE_REPLY_MAX];
    size_t out_len = 0;
    bool nominated = false;
    struct ice_info info;
    enum ice_verdict verdict =
        ice_answer(data, len, &credentials, &from, out, sizeof(out), &out_len, &nominated);
    assert_int_equal(verdict == ICE_DROP, out_len == 0);
    assert_true(!nominated || verdict == ICE_ACCEPT);
    assert_int_equal(ice_verify(data, len, &credentials), verdict != ICE_DROP);
    if (verdict == ICE_DROP)
        return verdict;
    assert_int_equal(ice_precheck(data, len, &info), 0);
    assert_true(slice_is(info.local_ufrag, UFRAG) && slice_is(info.remote_ufrag, PEER));
    check_reply(data, out, out_len, verdict == ICE_REFUSE);
    return verdict;
}

static bool take_check(void *ctx, struct mutator *m, const uint8_t *data, size_t len)
{
    (void)ctx;
    bool accepted = judge(data, len) != ICE_DROP;
    assert_int_equal(accepted, mutator_is_seed(m, data, len));
    return accepted;
}

static void U2_ICE_03_mutated_checks(void **state)
{
    (void)state;
    mutator_run(mill_of_checks(), "stun-check", take_check, NULL);
}

/* The same by somebody who knows the password: the integrity is right again after the mutation. */
static bool take_signed(void *ctx, struct mutator *m, const uint8_t *data, size_t len)
{
    uint8_t bytes[MUTATOR_INPUT_MAX + 64];
    struct writer w;
    (void)ctx;
    (void)m;
    writer_init(&w, bytes, sizeof(bytes));
    writer_bytes(&w, data, len > 32 ? len - 32 : len); /* without integrity and fingerprint */
    writer_zeros(&w, w.len < 20 ? 20 - w.len : 0);
    put_integrity(&w, PWD);
    put_fingerprint(&w, 0);
    assert_true(writer_ok(&w));
    uint8_t *exact = malloc(w.len);
    assert_non_null(exact);
    memcpy(exact, bytes, w.len);
    enum ice_verdict verdict = judge(exact, w.len);
    assert_true(verdict == ICE_DROP || w.len <= ICE_REQUEST_MAX);
    free(exact);
    return verdict != ICE_DROP;
}

static void U2_ICE_04_mutated_and_signed_again(void **state)
{
    (void)state;
    mutator_run(mill_of_checks(), "stun-signed", take_signed, NULL);
}

static bool take_precheck(void *ctx, struct mutator *m, const uint8_t *data, size_t len)
{
    struct ice_info info;
    (void)ctx;
    (void)m;
    if (ice_precheck(data, len, &info) < 0)
        return false;
    const char *end = (const char *)data + len;
    assert_true(len <= ICE_REQUEST_MAX && len % 4 == 0);
    assert_true(info.local_ufrag.data > (const char *)data &&
                info.local_ufrag.data + info.local_ufrag.len < end);
    assert_true(info.remote_ufrag.data + info.remote_ufrag.len <= end);
    assert_int_equal(info.local_ufrag.data[info.local_ufrag.len], ':');
    return true;
}

static void U2_mutated_precheck(void **state)
{
    (void)state;
    mutator_run(mill_of_checks(), "stun-precheck", take_precheck, NULL);
}

static bool take_mapped(void *ctx, struct mutator *m, const uint8_t *data, size_t len)
{
    static const uint8_t zero[STUNASK_ID_LEN] = {0};
    struct addr seen = {.family = 0};
    (void)ctx;
    (void)m;
    if (stunask_parse(data, len, len >= 20 ? data + 8 : zero, &seen) != 0)
        return false;
    assert_true((seen.family == 4 || seen.family == 6) && seen.port != 0);
    return true;
}

static void ICE_09_mutated_answers_of_a_stun_server(void **state)
{
    struct mutator *m = mutator_new();
    (void)state;
    mutator_read(m, "tests/fuzz/rtc/corpus/stunask", NULL);
    mutator_run(m, "stunask", take_mapped, NULL);
}

static int setup(void **state)
{
    (void)state;
    return ice_warm();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(U2_ICE_03_mutated_checks),
        cmocka_unit_test(U2_ICE_04_mutated_and_signed_again),
        cmocka_unit_test(U2_mutated_precheck),
        cmocka_unit_test(ICE_09_mutated_answers_of_a_stun_server),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
