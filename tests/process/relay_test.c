/* The real relay between two sockets: its chances, its clock, its ports and its commands. */
#include "tests/support/relayrig.h"

#include "lib/base/clock.h"
#include "lib/base/fd.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define NUMBERS_MAX 4000u
#define BATCH 50u /* less than any receive buffer */

/* Numbered datagrams as they arrived. */
struct arrivals {
    uint32_t numbers[2 * NUMBERS_MAX];
    size_t count;
};

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})
static const char *const no_words[] = {NULL};

/* ---- numbered datagrams ---- */

static void take_all(int fd, struct arrivals *arrivals)
{
    uint32_t number = 0;
    while (relayrig_receive(fd, &number, sizeof(number), NULL, 0) == (ssize_t)sizeof(number)) {
        assert_true(arrivals->count < 2 * NUMBERS_MAX);
        arrivals->numbers[arrivals->count++] = number;
    }
}

/* Sends the numbers from 0 through the relay, a batch at a time. */
static void send_numbers(struct relayrig *rig, uint32_t count, struct arrivals *out)
{
    out->count = 0;
    for (uint32_t number = 0; number < count;) {
        for (uint32_t end = number + BATCH; number < end && number < count; number++)
            relayrig_send(rig, rig->client, &number, sizeof(number));
        relayrig_settle(rig, "up", number);
        take_all(rig->target, out);
    }
}

static void run_numbers(const char *const *words, uint32_t count, struct arrivals *out)
{
    struct relayrig rig;
    relayrig_start(&rig, AF_INET, words);
    send_numbers(&rig, count, out);
    assert_int_equal(relayrig_count(&rig, "up", "kernel_drops"), 0);
    relayrig_stop(&rig);
}

/* Those that came after one with a higher number. */
static size_t late_count(const struct arrivals *arrivals)
{
    size_t late = 0;
    uint32_t highest = 0;
    for (size_t i = 0; i < arrivals->count; i++) {
        late += arrivals->numbers[i] < highest;
        if (arrivals->numbers[i] > highest)
            highest = arrivals->numbers[i];
    }
    return late;
}

static bool same(const struct arrivals *a, const struct arrivals *b)
{
    return a->count == b->count &&
           memcmp(a->numbers, b->numbers, a->count * sizeof(a->numbers[0])) == 0;
}

/* ---- chances ---- */

static void relay_passes_everything_in_order_by_default(void **state)
{
    struct arrivals got;
    (void)state;
    run_numbers(no_words, 1000, &got);
    assert_int_equal(got.count, 1000);
    assert_int_equal(late_count(&got), 0);
}

static void relay_loses_its_share(void **state)
{
    struct arrivals got;
    (void)state;
    run_numbers(WORDS("--loss", "10", "--seed", "5"), NUMBERS_MAX, &got);
    size_t lost = NUMBERS_MAX - got.count; /* 400, standard deviation 19 */
    assert_in_range(lost, 400 - 4 * 19, 400 + 4 * 19);
    assert_int_equal(late_count(&got), 0);
}

static void relay_decides_alike_for_one_seed(void **state)
{
    struct arrivals first, again, other;
    (void)state;
    run_numbers(WORDS("--loss", "10", "--duplicate", "5", "--seed", "5"), 1000, &first);
    run_numbers(WORDS("--loss", "10", "--duplicate", "5", "--seed", "5"), 1000, &again);
    run_numbers(WORDS("--loss", "10", "--duplicate", "5", "--seed", "6"), 1000, &other);
    assert_true(same(&first, &again));
    assert_false(same(&first, &other));
}

/* A setting leaves the draws of the others alone: no one is lost by the flips. */
static void relay_keeps_its_losses_when_another_setting_changes(void **state)
{
    struct arrivals plain, mixed;
    (void)state;
    run_numbers(WORDS("--loss", "10", "--seed", "5"), 1000, &plain);
    run_numbers(WORDS("--loss", "10", "--seed", "5", "--jitter", "1", "--in-order"), 1000, &mixed);
    assert_true(same(&plain, &mixed));
}

static void relay_loses_in_bursts(void **state)
{
    struct arrivals got;
    size_t bursts = 0;
    (void)state;
    run_numbers(WORDS("--burst", "2,20", "--seed", "5"), NUMBERS_MAX, &got);
    size_t lost = NUMBERS_MAX - got.count;
    for (size_t i = 1; i < got.count; i++)
        bursts += got.numbers[i] != got.numbers[i - 1] + 1;
    assert_in_range(lost, NUMBERS_MAX * 6 / 100, NUMBERS_MAX * 13 / 100); /* 2 / 22 */
    assert_in_range(lost * 10 / bursts, 35, 70);                          /* 5 each */
}

static void relay_duplicates_its_share(void **state)
{
    struct arrivals got;
    size_t doubled = 0;
    (void)state;
    run_numbers(WORDS("--duplicate", "10", "--seed", "5"), 1000, &got);
    for (size_t i = 1; i < got.count; i++)
        doubled += got.numbers[i] == got.numbers[i - 1];
    assert_int_equal(got.count, 1000 + doubled);
    assert_in_range(doubled, 100 - 4 * 9, 100 + 4 * 9);
}

static void relay_flips_one_bit(void **state)
{
    struct relayrig rig;
    uint8_t zeros[1200] = {0}, data[1500];
    (void)state;
    relayrig_start(&rig, AF_INET, WORDS("--flip", "100"));
    for (int i = 0; i < 20; i++) {
        int bits = 0;
        relayrig_send(&rig, rig.client, zeros, sizeof(zeros));
        assert_int_equal(relayrig_receive(rig.target, data, sizeof(data), NULL, RELAYRIG_WAIT_MS),
                         1200);
        for (size_t k = 0; k < sizeof(zeros); k++)
            bits += __builtin_popcount(data[k]);
        assert_int_equal(bits, 1);
    }
    relayrig_stop(&rig);
}

/* ---- time ---- */

/* Sends one at a time; the time each took, in us. */
static void measure(struct relayrig *rig, uint64_t *took_us, size_t count)
{
    uint8_t data[8];
    for (size_t i = 0; i < count; i++) {
        uint64_t sent_us = clock_now_us();
        relayrig_send(rig, rig->client, "time", 4);
        assert_int_equal(relayrig_receive(rig->target, data, sizeof(data), NULL, RELAYRIG_WAIT_MS),
                         4);
        took_us[i] = clock_now_us() - sent_us;
    }
}

static int compare_times(const void *a, const void *b)
{
    const uint64_t *first = a, *second = b;
    return (*first > *second) - (*first < *second);
}

/* The upper bounds are for a busy machine; the relay's own lateness says what it added. */
static void relay_delays_each_way(void **state)
{
    struct relayrig rig;
    uint64_t took_us[41];
    uint8_t data[8];
    struct addr from;
    (void)state;
    relayrig_start(&rig, AF_INET, WORDS("--delay", "12.5"));
    measure(&rig, took_us, 41);
    qsort(took_us, 41, sizeof(took_us[0]), compare_times);
    assert_true(took_us[0] >= 12500);
    assert_true(took_us[20] < 20000);
    relayrig_send(&rig, rig.client, "there", 5);
    uint64_t sent_us = clock_now_us();
    assert_int_equal(relayrig_receive(rig.target, data, 8, &from, RELAYRIG_WAIT_MS), 5);
    struct sockaddr_storage sa;
    socklen_t len = addr_to_sockaddr(&from, &sa);
    assert_int_equal(sendto(rig.target, "back", 4, 0, (const struct sockaddr *)&sa, len), 4);
    assert_int_equal(relayrig_receive(rig.client, data, 8, NULL, RELAYRIG_WAIT_MS), 4);
    assert_true(clock_now_us() - sent_us >= 24000); /* sent_us was taken after sending */
    relayrig_stop(&rig);
}

static void relay_jitter_spreads_and_overtakes(void **state)
{
    struct relayrig rig;
    struct arrivals got;
    uint64_t took_us[41];
    (void)state;
    relayrig_start(&rig, AF_INET, WORDS("--delay", "5", "--jitter", "20", "--seed", "5"));
    measure(&rig, took_us, 41);
    qsort(took_us, 41, sizeof(took_us[0]), compare_times);
    assert_true(took_us[0] >= 5000 && took_us[0] < 12000);
    assert_true(took_us[40] >= 18000);
    relayrig_stop(&rig);
    run_numbers(WORDS("--jitter", "20", "--seed", "5"), 500, &got);
    assert_int_equal(got.count, 500);
    assert_true(late_count(&got) > 100);
    run_numbers(WORDS("--jitter", "20", "--seed", "5", "--in-order"), 500, &got);
    assert_int_equal(got.count, 500);
    assert_int_equal(late_count(&got), 0);
}

static void relay_holds_back_those_it_reorders(void **state)
{
    struct relayrig rig;
    struct arrivals got;
    (void)state;
    relayrig_start(&rig, AF_INET, WORDS("--reorder", "10", "--seed", "5", "--in-order"));
    send_numbers(&rig, 1000, &got);
    assert_int_equal(got.count, 1000);
    size_t late = late_count(&got);
    assert_in_range(late, 100 - 4 * 10, 100 + 4 * 10);
    assert_int_equal(relayrig_count(&rig, "up", "reordered"), late);
    relayrig_stop(&rig);
}

/* 60 of 1,000 bytes at 1,000 kbit/s take 8.2 ms each: 10 ms are the bucket's, 100 ms wait, the rest
 * is dropped. */
static void relay_limits_the_rate_with_a_queue(void **state)
{
    struct relayrig rig;
    uint8_t data[1000] = {0};
    size_t count = 0;
    (void)state;
    relayrig_start(&rig, AF_INET, WORDS("--rate", "1000", "--queue", "100"));
    uint64_t begun_us = clock_now_us();
    for (int i = 0; i < 60; i++)
        relayrig_send(&rig, rig.client, data, sizeof(data));
    relayrig_settle(&rig, "up", 60);
    uint64_t took_us = clock_now_us() - begun_us;
    while (relayrig_receive(rig.target, data, sizeof(data), NULL, 0) == 1000)
        count++;
    assert_in_range(count, 13, 15 + took_us / 8224); /* more when we sent slowly */
    assert_true(count < 60);
    assert_true(took_us >= (count - 2) * 8224);
    assert_int_equal(relayrig_count(&rig, "up", "queue_drops"), 60 - count);
    relayrig_stop(&rig);
}

/* ---- directions, clients, ports ---- */

static void answer(const struct relayrig *rig, const struct addr *to, const char *text)
{
    struct sockaddr_storage sa;
    socklen_t len = addr_to_sockaddr(to, &sa);
    size_t text_len = strlen(text);
    assert_int_equal(sendto(rig->target, text, text_len, 0, (const struct sockaddr *)&sa, len),
                     text_len);
}

static void relay_affects_one_direction_if_asked(void **state)
{
    struct relayrig rig;
    struct addr from;
    char data[8];
    (void)state;
    relayrig_start(&rig, AF_INET, WORDS("--loss", "100", "--down-only"));
    relayrig_send(&rig, rig.client, "up", 2);
    assert_int_equal(relayrig_receive(rig.target, data, 8, &from, RELAYRIG_WAIT_MS), 2);
    answer(&rig, &from, "down");
    relayrig_settle(&rig, "down", 1);
    assert_int_equal(relayrig_count(&rig, "down", "lost"), 1);
    assert_int_equal(relayrig_receive(rig.client, data, 8, NULL, 0), -1);
    relayrig_stop(&rig);
    relayrig_start(&rig, AF_INET, WORDS("--loss", "100", "--up-only"));
    relayrig_send(&rig, rig.client, "up", 2);
    relayrig_settle(&rig, "up", 1);
    assert_int_equal(relayrig_count(&rig, "up", "lost"), 1);
    relayrig_stop(&rig);
}

static void each_client_has_a_port(int family)
{
    struct relayrig rig;
    struct addr first, second;
    char data[8];
    relayrig_start(&rig, family, no_words);
    int client = relayrig_socket(family);
    relayrig_send(&rig, rig.client, "a", 1);
    assert_int_equal(relayrig_receive(rig.target, data, 8, &first, RELAYRIG_WAIT_MS), 1);
    relayrig_send(&rig, client, "b", 1);
    assert_int_equal(relayrig_receive(rig.target, data, 8, &second, RELAYRIG_WAIT_MS), 1);
    assert_false(addr_equal(&first, &second));
    answer(&rig, &second, "second");
    answer(&rig, &first, "1st");
    assert_int_equal(relayrig_receive(rig.client, data, 8, NULL, RELAYRIG_WAIT_MS), 3);
    assert_int_equal(relayrig_receive(client, data, 8, NULL, RELAYRIG_WAIT_MS), 6);
    fd_close(&client);
    relayrig_stop(&rig);
}

static void relay_gives_each_client_a_port_ipv4(void **state)
{
    (void)state;
    each_client_has_a_port(AF_INET);
}

static void relay_gives_each_client_a_port_ipv6(void **state)
{
    (void)state;
    each_client_has_a_port(AF_INET6);
}

/* The ICMP error that comes back to the target for a datagram to that address. */
static int error_of_answer(const struct relayrig *rig, const struct addr *to)
{
    int error = 0, on = 1;
    socklen_t len = sizeof(error);
    assert_int_equal(setsockopt(rig->target, IPPROTO_IP, IP_RECVERR, &on, sizeof(on)), 0);
    answer(rig, to, "old");
    assert_int_equal(getsockopt(rig->target, SOL_SOCKET, SO_ERROR, &error, &len), 0);
    return error;
}

static void relay_rebind_changes_the_source_port(void **state)
{
    struct relayrig rig;
    struct addr before, after;
    char data[8];
    (void)state;
    relayrig_start(&rig, AF_INET, no_words);
    relayrig_send(&rig, rig.client, "one", 3);
    assert_int_equal(relayrig_receive(rig.target, data, 8, &before, RELAYRIG_WAIT_MS), 3);
    json_t *line = relayrig_command(&rig, "rebind", "rebound");
    relayrig_send(&rig, rig.client, "two", 3);
    assert_int_equal(relayrig_receive(rig.target, data, 8, &after, RELAYRIG_WAIT_MS), 3);
    assert_true(before.port != after.port);
    assert_int_equal(json_integer_value(json_object_get(line, "port")), after.port);
    json_decref(line);
    assert_int_equal(error_of_answer(&rig, &before), 0); /* no way back, no ICMP error either */
    answer(&rig, &after, "new!");
    assert_int_equal(relayrig_receive(rig.client, data, 8, NULL, RELAYRIG_WAIT_MS), 4);
    assert_int_equal(relayrig_count(&rig, "down", "received"), 1);
    for (int i = 0; i < 10; i++) /* more than are kept */
        json_decref(relayrig_command(&rig, "rebind", "rebound"));
    relayrig_send(&rig, rig.client, "end", 3);
    assert_int_equal(relayrig_receive(rig.target, data, 8, NULL, RELAYRIG_WAIT_MS), 3);
    relayrig_stop(&rig);
}

/* ---- commands and ends ---- */

static void relay_takes_commands(void **state)
{
    static const char *const bad[] = {
        "loss",     "loss 101", "loss -1",  "loss 1.00001", "delay 5001", "burst 1",  "block",
        "rebind 1", "rate x",   "listen 1", "jitter 1s",    "flip 1 2",   "duplicate"};
    struct relayrig rig;
    char data[8];
    (void)state;
    relayrig_start(&rig, AF_INET, no_words);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        json_decref(relayrig_command(&rig, bad[i], "error"));
    json_decref(relayrig_command(&rig, "loss 100", "set"));
    relayrig_send(&rig, rig.client, "lost", 4);
    relayrig_settle(&rig, "up", 1);
    json_decref(relayrig_command(&rig, "loss 0", "set"));
    json_decref(relayrig_command(&rig, "block 5000", "set"));
    relayrig_send(&rig, rig.client, "blocked", 7);
    relayrig_settle(&rig, "up", 2);
    json_decref(relayrig_command(&rig, "block 0", "set"));
    relayrig_send(&rig, rig.client, "through", 7);
    assert_int_equal(relayrig_receive(rig.target, data, 8, NULL, RELAYRIG_WAIT_MS), 7);
    assert_memory_equal(data, "through", 7);
    assert_int_equal(relayrig_count(&rig, "up", "lost"), 1);
    assert_int_equal(relayrig_count(&rig, "up", "blocked"), 1);
    json_t *stats = relayrig_finish(&rig);
    assert_int_equal(json_integer_value(json_object_get(stats, "clients")), 1);
    json_decref(stats);
    relayrig_stop(&rig);
}

static void relay_block_ends_by_itself(void **state)
{
    struct relayrig rig;
    char data[8];
    uint64_t sent = 0;
    (void)state;
    relayrig_start(&rig, AF_INET, no_words);
    uint64_t begun_us = clock_now_us();
    json_decref(relayrig_command(&rig, "block 100", "set"));
    do {
        relayrig_send(&rig, rig.client, "x", 1);
        relayrig_settle(&rig, "up", ++sent);
    } while (relayrig_receive(rig.target, data, 8, NULL, 1) < 0);
    assert_true(clock_now_us() - begun_us >= 100000);
    relayrig_stop(&rig);
}

static void relay_outlives_an_absent_target(void **state)
{
    struct relayrig rig;
    char data[8];
    (void)state;
    relayrig_start(&rig, AF_INET, no_words);
    struct addr target = relayrig_address(rig.target);
    struct sockaddr_storage sa;
    socklen_t len = addr_to_sockaddr(&target, &sa);
    fd_close(&rig.target);
    for (int i = 0; i < 5; i++)
        relayrig_send(&rig, rig.client, "gone", 4);
    relayrig_settle(&rig, "up", 5);
    assert_int_equal(relayrig_count(&rig, "up", "send_errors"), 0);
    rig.target = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(rig.target, (const struct sockaddr *)&sa, len), 0);
    relayrig_send(&rig, rig.client, "back", 4);
    assert_int_equal(relayrig_receive(rig.target, data, 8, NULL, RELAYRIG_WAIT_MS), 4);
    relayrig_stop(&rig);
}

static void relay_prints_statistics_on_a_signal(void **state)
{
    struct relayrig rig;
    int status = 0;
    (void)state;
    relayrig_start(&rig, AF_INET, no_words);
    assert_int_equal(kill(rig.pid, SIGTERM), 0);
    json_t *line = relayrig_line(&rig);
    assert_string_equal(json_string_value(json_object_get(line, "event")), "stats");
    json_decref(line);
    assert_int_equal(waitpid(rig.pid, &status, 0), rig.pid);
    rig.pid = 0;
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    relayrig_stop(&rig);
}

static void relay_refuses_bad_arguments(void **state)
{
    (void)state;
    assert_int_equal(relayrig_status_of(WORDS("relay")), 2);
    assert_int_equal(relayrig_status_of(WORDS("relay", "--target", "127.0.0.1")), 2);
    assert_int_equal(relayrig_status_of(WORDS("relay", "--target", "[::1:5")), 2);
    assert_int_equal(relayrig_status_of(WORDS("relay", "--target", "127.0.0.1:9", "extra")), 2);
    assert_int_equal(relayrig_status_of(WORDS("relay", "--target", "127.0.0.1:9", "--loss", "x")),
                     2);
    assert_int_equal(
        relayrig_status_of(WORDS("relay", "--target", "127.0.0.1:9", "--up-only", "--down-only")),
        2);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(relay_passes_everything_in_order_by_default),
        cmocka_unit_test(relay_loses_its_share),
        cmocka_unit_test(relay_decides_alike_for_one_seed),
        cmocka_unit_test(relay_keeps_its_losses_when_another_setting_changes),
        cmocka_unit_test(relay_loses_in_bursts),
        cmocka_unit_test(relay_duplicates_its_share),
        cmocka_unit_test(relay_flips_one_bit),
        cmocka_unit_test(relay_delays_each_way),
        cmocka_unit_test(relay_jitter_spreads_and_overtakes),
        cmocka_unit_test(relay_holds_back_those_it_reorders),
        cmocka_unit_test(relay_limits_the_rate_with_a_queue),
        cmocka_unit_test(relay_affects_one_direction_if_asked),
        cmocka_unit_test(relay_gives_each_client_a_port_ipv4),
        cmocka_unit_test(relay_gives_each_client_a_port_ipv6),
        cmocka_unit_test(relay_rebind_changes_the_source_port),
        cmocka_unit_test(relay_takes_commands),
        cmocka_unit_test(relay_block_ends_by_itself),
        cmocka_unit_test(relay_outlives_an_absent_target),
        cmocka_unit_test(relay_prints_statistics_on_a_signal),
        cmocka_unit_test(relay_refuses_bad_arguments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
