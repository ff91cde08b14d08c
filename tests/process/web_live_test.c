/* The real web process with a worker that the test plays: waiting requests, successors, hostile
 * announcements, and how fast waiting requests are answered. */
#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "tests/support/webrig.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static void LL_10_a_waiting_reload_is_answered_when_its_part_arrives(void **state)
{
    struct webrig rig;
    struct webrig_answer a;
    (void)state;
    webrig_start(&rig);
    webrig_publish(&rig);
    int fd = webrig_dial(&rig), hint = webrig_dial(&rig);
    webrig_say_text(fd,
                    "GET " WEBRIG_VIDEO "?_HLS_msn=11&_HLS_part=1 HTTP/1.1\r\n" WEBRIG_HOST "\r\n");
    webrig_say_text(hint,
                    "GET /live/demo/0/00000000000000aa-11.1.m4s HTTP/1.1\r\n" WEBRIG_HOST "\r\n");
    assert_false(webrig_listen(fd, &a, false, 300));
    assert_false(webrig_listen(hint, &a, false, 1));
    webrig_send_part(&rig, 11, 1, 0);
    assert_true(webrig_listen(fd, &a, false, WEBRIG_WAIT_MS));
    assert_int_equal(a.status, 200);
    assert_non_null(strstr(a.body, "URI=\"00000000000000aa-11.1.m4s\""));
    assert_true(webrig_header_is(&a, "Cache-Control", "max-age=6"));
    assert_true(webrig_listen(hint, &a, false, WEBRIG_WAIT_MS));
    assert_int_equal(a.status, 200);
    assert_int_equal(a.body_len, 5000);
    assert_memory_equal(a.body, rig.memory.data + 5000, 5000);
    /* the connections go on */
    webrig_ask(fd, "GET", "/live/demo/index.m3u8", &a);
    assert_int_equal(a.status, 200);
    assert_non_null(strstr(a.body, "CODECS=\"avc1.42c01f\",RESOLUTION=640x360"));
    webrig_ask(hint, "GET", "/live/demo/0/00000000000000aa-10.m4s", &a);
    assert_int_equal(a.body_len, 10000);
    assert_memory_equal(a.body, rig.memory.data, 10000);
    webrig_ask(hint, "GET", "/live/demo/0/00000000000000ab-10.m4s", &a);
    assert_int_equal(a.status, 404);
    webrig_ask(hint, "GET", "/live/other/index.m3u8", &a);
    assert_int_equal(a.status, 404);
    (void)close(fd);
    (void)close(hint);
    webrig_stop(&rig);
}

static void HLS_07_the_end_wakes_waiters_with_endlist(void **state)
{
    struct webrig rig;
    struct webrig_answer a;
    (void)state;
    webrig_start(&rig);
    webrig_publish(&rig);
    int fd = webrig_dial(&rig);
    webrig_say_text(fd, "GET " WEBRIG_VIDEO "?_HLS_msn=12 HTTP/1.1\r\n" WEBRIG_HOST "\r\n");
    assert_false(webrig_listen(fd, &a, false, 100));
    webrig_end(&rig, true);
    assert_true(webrig_listen(fd, &a, false, WEBRIG_WAIT_MS));
    assert_int_equal(a.status, 200);
    assert_non_null(strstr(a.body, "#EXT-X-ENDLIST"));
    (void)close(fd);
    webrig_stop(&rig);
}

static void HLS_09_a_killed_worker_is_succeeded_in_the_same_playlist(void **state)
{
    struct webrig rig;
    struct webrig_answer a;
    (void)state;
    webrig_start(&rig);
    webrig_publish(&rig);
    int fd = webrig_dial(&rig);
    webrig_say_text(fd,
                    "GET " WEBRIG_VIDEO "?_HLS_msn=12&_HLS_part=0 HTTP/1.1\r\n" WEBRIG_HOST "\r\n");
    assert_false(webrig_listen(fd, &a, false, 100));
    webrig_link(&rig, 1); /* closes the old pair, as a dead worker does */
    webrig_hello(&rig, true);
    webrig_open_segment_as(&rig, 12, 1, true);
    webrig_send_part(&rig, 12, 0, PART_INDEPENDENT);
    assert_true(webrig_listen(fd, &a, false, WEBRIG_WAIT_MS));
    assert_int_equal(a.status, 200);
    assert_non_null(strstr(a.body, "#EXT-X-MEDIA-SEQUENCE:10\n"));
    assert_non_null(strstr(a.body, "-11.m4s\n#EXT-X-DISCONTINUITY\n"));
    (void)close(fd);
    webrig_stop(&rig);
}

static void I5_hostile_announcements_cost_the_worker_its_link_only(void **state)
{
    struct webrig rig;
    struct webrig_answer a;
    (void)state;
    webrig_start(&rig);
    webrig_publish(&rig);
    struct part_part part = {.msn = 11, .part = 7, .offset = 5000, .len = 1, .duration_us = 1};
    assert_int_equal(webrig_tell(&rig, PART_PART, &part, sizeof(part), NULL, 0, -1), 0);
    assert_true(webrig_is_dropped(&rig));
    assert_int_equal(webrig_get(&rig, WEBRIG_VIDEO, &a), 200);
    /* each of these on a fresh link */
    struct part_hello bad_hello = {.epoch = 1};
    struct part_segment no_memory = {.msn = 5, .init_id = 1};
    uint8_t junk[64];
    memset(junk, 0xff, sizeof(junk));
    for (int i = 0; i < 6; i++) {
        webrig_link(&rig, 1);
        if (i == 0)
            (void)webrig_tell(&rig, PART_HELLO, &bad_hello, sizeof(bad_hello), NULL, 0, -1);
        if (i == 1)
            (void)webrig_tell(&rig, PART_PART, &part, sizeof(part), NULL, 0, -1);
        if (i == 2)
            (void)send(rig.worker, junk, sizeof(junk), MSG_NOSIGNAL);
        if (i == 3)
            (void)send(rig.worker, junk, 3, MSG_NOSIGNAL);
        if (i == 4) { /* a descriptor that is no sealed memory */
            webrig_hello(&rig, true);
            (void)webrig_tell(&rig, PART_SEGMENT, &no_memory, sizeof(no_memory), NULL, 0,
                              rig.listener);
        }
        if (i == 5) { /* a number that was used */
            webrig_hello(&rig, true);
            webrig_open_segment(&rig, 10);
        }
        assert_true(webrig_is_dropped(&rig));
    }
    assert_true(webrig_is_alive(&rig));
    assert_int_equal(webrig_get(&rig, WEBRIG_VIDEO, &a), 200);
    webrig_stop(&rig);
}

static void P2_waiters_and_lost_waiters(void **state)
{
    struct webrig rig;
    struct webrig_answer a;
    int fds[WEBRIG_WAITERS];
    (void)state;
    webrig_start(&rig);
    webrig_publish(&rig);
    for (size_t i = 0; i < WEBRIG_WAITERS; i++) {
        fds[i] = webrig_dial(&rig);
        webrig_say_text(fds[i], "GET " WEBRIG_VIDEO
                                "?_HLS_msn=11&_HLS_part=1 HTTP/1.1\r\n" WEBRIG_HOST "\r\n");
    }
    int last = webrig_dial(&rig);
    do /* until all of them wait */
        webrig_ask(last, "GET", WEBRIG_VIDEO "?_HLS_msn=11&_HLS_part=1", &a);
    while (a.status == 404);
    assert_int_equal(a.status, 429);
    for (size_t i = 0; i < WEBRIG_WAITERS / 2; i++)
        (void)close(fds[i]);
    webrig_send_part(&rig, 11, 1, 0);
    for (size_t i = WEBRIG_WAITERS / 2; i < WEBRIG_WAITERS; i++) {
        assert_true(webrig_listen(fds[i], &a, false, WEBRIG_WAIT_MS));
        assert_int_equal(a.status, 200);
        (void)close(fds[i]);
    }
    (void)close(last);
    assert_true(webrig_is_alive(&rig));
    webrig_stop(&rig);
}

/* ---- figures ---- */

#define VIEWERS 60
#define ROUNDS 50

static int compare_u64(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

/* All viewers wait for each part; how long after the announcement does each have it? */
static void Latency_of_blocked_reloads_stays_in_milliseconds(void **state)
{
    static uint64_t took_us[VIEWERS * ROUNDS];
    struct webrig rig;
    struct webrig_answer a;
    char request[256];
    struct pollfd polls[VIEWERS];
    size_t count = 0;
    (void)state;
    webrig_start(&rig);
    webrig_publish(&rig);
    for (size_t i = 0; i < VIEWERS; i++)
        polls[i] = (struct pollfd){.fd = webrig_dial(&rig), .events = POLLIN};
    unsigned long ticks = webrig_cpu_ticks(rig.peer.pid);
    for (uint32_t part = 1; part <= ROUNDS; part++) {
        (void)snprintf(request, sizeof(request),
                       "GET " WEBRIG_VIDEO "?_HLS_msn=11&_HLS_part=%u HTTP/1.1\r\n" WEBRIG_HOST
                       "Accept-Encoding: gzip\r\n\r\n",
                       part);
        /* two per source address would do; all come from one here, so only half may wait */
        size_t waiting = WEBRIG_WAITERS < VIEWERS ? WEBRIG_WAITERS - 2 : VIEWERS;
        for (size_t i = 0; i < waiting; i++)
            webrig_say_text(polls[i].fd, request);
        int last = polls[VIEWERS - 1].fd;
        webrig_ask(last, "GET", "/healthz", &a); /* the requests before it have been read */
        uint64_t start_us = clock_now_us();
        webrig_send_part(&rig, 11, part, 0);
        size_t missing = waiting;
        while (missing > 0) {
            assert_true(poll(polls, waiting, WEBRIG_WAIT_MS) > 0);
            for (size_t i = 0; i < waiting; i++) {
                if (!(polls[i].revents & POLLIN))
                    continue;
                assert_true(webrig_listen(polls[i].fd, &a, false, WEBRIG_WAIT_MS));
                assert_int_equal(a.status, 200);
                took_us[count++] = clock_now_us() - start_us;
                missing--;
            }
        }
    }
    ticks = webrig_cpu_ticks(rig.peer.pid) - ticks;
    qsort(took_us, count, sizeof(took_us[0]), compare_u64);
    print_message("blocked reload, %u viewers: p50 %.2f ms, p99 %.2f ms, max %.2f ms, "
                  "%.1f us of CPU per answer\n",
                  WEBRIG_WAITERS - 2, (double)took_us[count / 2] / 1000,
                  (double)took_us[count * 99 / 100] / 1000, (double)took_us[count - 1] / 1000,
                  (double)ticks * 1e6 / (double)sysconf(_SC_CLK_TCK) / (double)count);
    assert_true(took_us[count / 2] < 50000);
    /* connections that wait cost nothing */
    webrig_say_text(polls[0].fd,
                    "GET " WEBRIG_VIDEO "?_HLS_msn=12 HTTP/1.1\r\n" WEBRIG_HOST "\r\n");
    ticks = webrig_cpu_ticks(rig.peer.pid);
    assert_false(webrig_listen(polls[0].fd, &a, false, 1000));
    assert_true(webrig_cpu_ticks(rig.peer.pid) - ticks <= 1);
    for (size_t i = 0; i < VIEWERS; i++)
        (void)close(polls[i].fd);
    webrig_stop(&rig);
}

/* A worker that drops us goes on in the same playlist over the link that we ask for. */
static void HLS_09_a_lost_link_is_asked_for(void **state)
{
    struct webrig rig;
    struct webrig_answer a;
    (void)state;
    webrig_start(&rig);
    webrig_publish(&rig);
    fd_close(&rig.worker);
    const struct chan_message *m = peer_wait(&rig.peer, MSG_LINK_WANTED, WEBRIG_WAIT_MS);
    assert_non_null(m);
    const struct msg_stream_link *wanted = m->body;
    assert_string_equal(wanted->stream, "demo");
    assert_int_equal(wanted->session, 1);
    webrig_relink(&rig, 1);
    webrig_hello(&rig, false);
    webrig_open_segment(&rig, 10);
    webrig_send_part(&rig, 10, 0, PART_INDEPENDENT);
    webrig_send_part(&rig, 10, 1, PART_LAST);
    webrig_open_segment(&rig, 11);
    webrig_send_part(&rig, 11, 0, PART_INDEPENDENT);
    webrig_send_part(&rig, 11, 1, PART_LAST); /* the first news */
    assert_int_equal(webrig_get(&rig, WEBRIG_VIDEO "?_HLS_msn=11", &a), 200);
    assert_non_null(strstr(a.text, "-10.m4s"));
    assert_non_null(strstr(a.text, "-11.m4s"));
    assert_null(strstr(a.text, "#EXT-X-DISCONTINUITY\n"));
    webrig_stop(&rig);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(LL_10_a_waiting_reload_is_answered_when_its_part_arrives),
        cmocka_unit_test(HLS_07_the_end_wakes_waiters_with_endlist),
        cmocka_unit_test(HLS_09_a_killed_worker_is_succeeded_in_the_same_playlist),
        cmocka_unit_test(HLS_09_a_lost_link_is_asked_for),
        cmocka_unit_test(I5_hostile_announcements_cost_the_worker_its_link_only),
        cmocka_unit_test(P2_waiters_and_lost_waiters),
        cmocka_unit_test(Latency_of_blocked_reloads_stays_in_milliseconds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
