/* After the warm-up a whole session opens no file and loads no library (findings/ingest.md 4). */
#include "gateway/rtc/rtcwarm.h"

#include "gateway/rtc/dtls.h"
#include "gateway/rtc/ice.h"
#include "gateway/rtc/srtp.h"
#include "tests/unit/rtc/client.h"

#include <seccomp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void on_send(void *ctx, const uint8_t *data, size_t len)
{
    queue_put(ctx, data, len);
}

static bool shake(struct dtls *server, struct client *client, struct queue *wire)
{
    enum dtls_event event = DTLS_NONE;
    for (unsigned i = 0; i < 6 && event == DTLS_NONE; i++) {
        const struct datagram *d;
        while ((d = queue_take(wire)))
            queue_put(&client->in, d->bytes, d->len);
        (void)SSL_do_handshake(client->ssl);
        while ((d = queue_take(&client->out)))
            event = dtls_receive(server, d->bytes, d->len, 1);
    }
    return event == DTLS_KEYED;
}

static bool use_srtp(struct dtls *server)
{
    struct srtp_keys keys;
    struct srtp *srtp = NULL;
    struct srtp *peer = NULL;
    uint8_t packet[64] = {0x80, 96};
    size_t len = 40;
    bool ok = dtls_get_keys(server, &keys) == 0 && srtp_new(&keys, &srtp) == 0 &&
              srtp_new_client(&keys, &peer) == 0 &&
              srtp_encrypt_rtp(peer, packet, &len, sizeof(packet)) == 0 &&
              srtp_decrypt_rtp(srtp, packet, &len, 0) == 0;
    srtp_free(srtp);
    srtp_free(peer);
    return ok;
}

/* All that a worker does for a publisher. */
static bool whole_session(const char *profile)
{
    const struct client_options options = {.profiles = profile};
    struct queue *wire = calloc(1, sizeof(*wire));
    struct client *client = calloc(1, sizeof(*client));
    struct cert *cert = NULL;
    struct cert *other = NULL;
    struct dtls *server = NULL;
    struct fingerprint peer;
    bool ok = wire && client && cert_new(&cert) == 0 && cert_new(&other) == 0;
    if (ok) {
        cert_fingerprint(other, &peer);
        ok = dtls_new(cert, &peer, 1, on_send, wire, &server) == 0 &&
             client_init(client, other, &options) && shake(server, client, wire) &&
             use_srtp(server) && ice_warm() == 0;
    }
    if (server)
        dtls_close(server);
    dtls_free(server);
    if (client)
        client_done(client);
    cert_free(cert);
    cert_free(other);
    free(client);
    free(wire);
    return ok;
}

/* The worker's sandbox in this respect: files, sockets and new code are gone. */
static bool enter_sandbox(void)
{
    static const int refused[] = {SCMP_SYS(open),       SCMP_SYS(openat),   SCMP_SYS(stat),
                                  SCMP_SYS(newfstatat), SCMP_SYS(access),   SCMP_SYS(socket),
                                  SCMP_SYS(connect),    SCMP_SYS(readlink), SCMP_SYS(execve),
                                  SCMP_SYS(clone),      SCMP_SYS(clone3)};
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    bool ok = filter != NULL;
    for (size_t i = 0; ok && i < sizeof(refused) / sizeof(refused[0]); i++)
        ok = seccomp_rule_add(filter, SCMP_ACT_KILL_PROCESS, refused[i], 0) == 0;
    ok = ok && seccomp_load(filter) == 0;
    seccomp_release(filter);
    return ok;
}

static int run_child(void)
{
    static const char *const profiles[] = {"SRTP_AEAD_AES_128_GCM", "SRTP_AEAD_AES_256_GCM",
                                           "SRTP_AES128_CM_SHA1_80"};
    struct rtcwarm *warm = NULL;
    if (rtcwarm_new(&warm) < 0)
        return 2;
    if (!enter_sandbox())
        return 3;
    for (size_t i = 0; i < 6; i++) {
        if (!whole_session(profiles[i % 3]))
            return 4;
    }
    return 0;
}

static void M6_a_session_needs_no_file_after_the_warm_up(void **state)
{
    int status = 0;
    (void)state;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(run_child());
    assert_int_equal(waitpid(child, &status, 0), child);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        fail_msg("the child ended with status %#x", (unsigned)status);
}

static void M6_warm_up_can_be_undone(void **state)
{
    struct rtcwarm *warm = NULL;
    (void)state;
    assert_int_equal(rtcwarm_new(&warm), 0);
    rtcwarm_free(warm);
    rtcwarm_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(M6_a_session_needs_no_file_after_the_warm_up),
        cmocka_unit_test(M6_warm_up_can_be_undone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
