/* A sequence of messages and datagrams for the door; its lists and counts must stay consistent. */
#include "gateway/edge/door.h"

#include "lib/base/reader.h"
#include "lib/base/writer.h"
#include "tests/support/rawchecks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum operation { EXPECT, FORGET, GONE, AUTHENTIC, MUTATED, RAW, EXPECT_RAW, OPERATION_COUNT };

struct known_check {
    const char *ufrag;
    const char *pwd;
    const uint8_t *data;
    size_t len;
};

static const struct known_check checks[] = {
    {RAWCHECK_ALPHA_UFRAG, RAWCHECK_ALPHA_PWD, rawcheck_alpha, sizeof(rawcheck_alpha)},
    {RAWCHECK_BETA_UFRAG, RAWCHECK_BETA_PWD, rawcheck_beta, sizeof(rawcheck_beta)},
    {RAWCHECK_GAMMA_UFRAG, RAWCHECK_GAMMA_PWD, rawcheck_gamma, sizeof(rawcheck_gamma)},
};

static void require(int condition)
{
    if (!condition)
        abort();
}

/* As many flows behind the hosts as there are paths, and each host in the ring of its bucket. */
static void check_strays(const struct stray *stray, size_t paths)
{
    size_t flows = 0, hosts = 0, counted = 0, free_hosts = 0;
    for (size_t i = 0; i < STREAM_MAX; i++)
        counted += stray->sessions[i].hosts;
    for (size_t i = 0; i < STRAY_BUCKETS; i++) {
        uint16_t first = stray->buckets[i], n = first;
        while (n != 0) {
            require(stray->hosts[n - 1].flows > 0 && ++hosts <= STRAY_HOSTS_MAX);
            flows += stray->hosts[n - 1].flows;
            n = stray->hosts[n - 1].next;
            require(n != 0);
            if (n == first)
                break;
        }
    }
    for (uint16_t n = stray->free_host; n != 0; n = stray->hosts[n - 1].next)
        require(++free_hosts <= STRAY_HOSTS_MAX);
    require(flows == paths && hosts == counted && hosts + free_hosts == STRAY_HOSTS_MAX);
}

static void check_invariants(const struct door *door)
{
    size_t paths = 0, counted = 0, free_paths = 0, pairs = 0, linked = 0;
    for (size_t i = 0; i < STREAM_MAX; i++) {
        counted += door->sessions[i].path_count;
        pairs += door->sessions[i].pair_count;
        require(door->sessions[i].path_count <= STREAM_PATHS_MAX);
        require(door->sessions[i].pair_count <= DOOR_PAIRS_MAX);
    }
    for (size_t i = 0; i < DOOR_BUCKETS; i++) {
        for (uint16_t n = door->path_buckets[i]; n != 0; n = door->paths[n - 1].next) {
            const struct door_path *path = &door->paths[n - 1];
            require(door->sessions[path->session].pair_count > 0);
            require(++paths <= DOOR_PATHS_MAX);
        }
        for (uint16_t n = door->ufrag_buckets[i]; n != 0; linked++) {
            const struct door_session *session = &door->sessions[(n - 1u) / DOOR_PAIRS_MAX];
            require((n - 1u) % DOOR_PAIRS_MAX < session->pair_count);
            n = session->pairs[(n - 1u) % DOOR_PAIRS_MAX].next;
        }
    }
    for (uint16_t n = door->free_path; n != 0; n = door->paths[n - 1].next)
        require(++free_paths <= DOOR_PATHS_MAX);
    check_strays(&door->stray, paths);
    require(paths == counted && paths + free_paths == DOOR_PATHS_MAX && pairs == linked);
}

static void datagram(struct door *door, struct reader *r, const uint8_t *data, size_t len,
                     uint64_t now_us)
{
    const struct addr local = {.family = 4, .port = 1};
    const struct addr remote = {.family = 4, .port = reader_u8(r)};
    uint64_t session = 0;
    uint64_t sessions[STRAY_SESSIONS_MAX];
    enum door_verdict verdict = door_judge(door, &local, &remote, data, len, now_us, &session);
    if (verdict == DOOR_OPEN)
        require(door_add_path(door, session, &local, &remote) == 0);
    if (verdict != DOOR_STRAY || door_judge_stray(door, &local, &remote, now_us, sessions) == 0)
        return;
    int rc = door_want_path(door, sessions[0], &local, &remote, now_us);
    require(rc == 0 || rc == -ENOSPC);
}

static void mutated(struct door *door, struct reader *r, const struct known_check *check,
                    uint64_t now_us)
{
    uint8_t copy[128];
    memcpy(copy, check->data, check->len);
    size_t at = reader_u8(r) % check->len;
    copy[at] ^= reader_u8(r);
    datagram(door, r, copy, check->len, now_us);
}

static void raw(struct door *door, struct reader *r, uint64_t now_us)
{
    size_t len = reader_u16(r), left = reader_left(r);
    size_t take = len < left ? len : left;
    const uint8_t *bytes = reader_bytes(r, take);
    if (bytes != NULL)
        datagram(door, r, bytes, take, now_us);
}

static void expect_raw(struct door *door, struct reader *r)
{
    char ufrag[16] = {0}, pwd[32] = {0};
    const uint8_t *bytes = reader_bytes(r, 15 + 31);
    if (bytes == NULL)
        return;
    memcpy(ufrag, bytes, 15);
    memcpy(pwd, bytes + 15, 31);
    (void)door_expect(door, reader_u8(r), ufrag, pwd);
}

static void step(struct door *door, struct reader *r, uint64_t now_us)
{
    uint8_t code = reader_u8(r);
    const struct known_check *check = &checks[(code >> 3) % 3];
    const struct addr local = {.family = 4, .port = 1};
    struct addr remote = {.family = 4};
    switch (code % OPERATION_COUNT) {
    case EXPECT:
        (void)door_expect(door, reader_u8(r), check->ufrag, check->pwd);
        break;
    case FORGET:
        door_forget(door, reader_u8(r));
        break;
    case GONE:
        remote.port = reader_u8(r);
        door_remove_path(door, reader_u8(r), &local, &remote);
        break;
    case AUTHENTIC:
        datagram(door, r, check->data, check->len, now_us);
        break;
    case MUTATED:
        mutated(door, r, check, now_us);
        break;
    case RAW:
        raw(door, r, now_us);
        break;
    default:
        expect_raw(door, r);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct door *door = malloc(sizeof(*door));
    struct reader r;
    uint64_t now_us = 0;
    require(door != NULL);
    door_init(door, 1, 0);
    reader_init(&r, data, size);
    while (reader_left(&r) > 0) {
        step(door, &r, now_us);
        now_us += 1000;
    }
    check_invariants(door);
    free(door);
    return 0;
}
