#include "gateway/supervisor/conf.h"
#include "lib/base/log.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define LONG "0123456789012345678901234567890123456789012345678901234567890123" /* 64 */

/* Loads text as a configuration file. */
static int load(struct conf *conf, const char *text)
{
    char path[] = "/tmp/sluice-conf-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    conf_init(conf);
    int rc = conf_load(conf, path);
    unlink(path);
    return rc;
}

static void defaults_are_valid(void **state)
{
    struct conf conf;
    (void)state;
    conf_init(&conf);
    assert_int_equal(conf_check(&conf), 0);
    assert_int_equal(conf.port, 8080);
    assert_int_equal(conf.part_ms, 200);
    assert_string_equal(conf.listen, "127.0.0.1");
}

static void the_example_file_names_every_default(void **state)
{
    struct conf defaults, example;
    (void)state;
    conf_init(&defaults);
    conf_init(&example);
    memset(&example.web_processes, 0xff, 20); /* the file must set them, not the initialiser */
    assert_int_equal(conf_load(&example, "gateway.conf.example"), 0);
    assert_memory_equal(&defaults, &example, sizeof(defaults));
}

static void unknown_keys_and_bad_values_are_refused(void **state)
{
    static const char *const bad[] = {
        "prot = 1\n",
        "port = 65536\n",
        "port = -1\n",
        "listen = \"localhost\"\n",
        "log_level = \"loud\"\n",
        "sandbox = \"none\"\n",
        "media_address = {\"300.1.1.1\"}\n",
        "transcode { part_ms = 10 }\n",
        "transcode { parts_ms = 200 }\n",
        "ingest { warm_ingest = 0 }\n",
        "limits { max_streams = 100000 }\n",
        "web { part_ms = 200 }\n",
        "port = \n",
        "media_port_count = 0\n",
        "media_port_count = 9\n",
        "public_address = {\"example.org\"}\n",
        "public_address = {\"192.0.2.1:80\"}\n",
        "stun_server = \"192.0.2.1\"\n",
        "stun_server = \"192.0.2.1:0\"\n",
        "stun_server = \"192.0.2.1:65536\"\n",
        "stun_server = \"stun.example.org:3478\"\n",
        "stun_server = \"[2001:db8::1]3478\"\n",
        "stun_server = \"[2001:db8::1\"\n",
        "stun_server = \"2001:db8::1:3478\"\n",
        "whip { require_if_match = perhaps }\n",
        "ice { servers = {\"http://example.org\"} }\n",
        "ice { servers = {\"stun:a b\"} }\n",
        "ice { servers = {\"stun:a\", \"stun:b\", \"stun:c\", \"stun:d\", \"stun:e\", \"stun:f\", "
        "\"stun:g\", \"stun:h\", \"stun:i\"} }\n",
        "ice { turn_ttl_s = 59 }\n",
        "ice { turn_secret = \"" LONG LONG "1\" }\n",
        "media_address = {\"127.0.0.1\", \"127.0.0.2\", \"127.0.0.3\", \"127.0.0.4\", "
        "\"127.0.0.5\", "
        "\"127.0.0.6\", \"127.0.0.7\", \"127.0.0.8\", \"127.0.0.9\"}\n",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct conf conf, before;
        conf_init(&before);
        assert_int_equal(load(&conf, bad[i]), -EINVAL);
        assert_memory_equal(&conf, &before, sizeof(conf)); /* all or nothing */
    }
}

static void values_are_taken(void **state)
{
    struct conf conf;
    (void)state;
    assert_int_equal(load(&conf, "listen = \"::1\"\nport = 9000\nlog_level = \"debug\"\n"
                                 "sandbox = \"required\"\ncors_origins = {\"https://a\", "
                                 "\"https://b\"}\nmedia_address = {\"127.0.0.5\"}\n"
                                 "transcode { segment_ms = 4000 }\n"),
                     0);
    assert_string_equal(conf.listen, "::1");
    assert_int_equal(conf.port, 9000);
    assert_int_equal(conf.log_level, LOG_DEBUG);
    assert_true(conf.sandbox_required);
    assert_string_equal(conf.cors_origins, "https://a https://b");
    assert_int_equal(conf.media_address_count, 1);
    assert_int_equal(conf.segment_ms, 4000);
    assert_int_equal(conf.window, 10);
}

static void ICE_09_public_addresses_and_stun_server_are_taken(void **state)
{
    struct conf conf;
    char text[ADDR_TEXT_MAX];
    (void)state;
    assert_int_equal(load(&conf, "public_address = {\"203.0.113.9\", \"2001:db8::9\"}\n"
                                 "stun_server = \"192.0.2.1:3478\"\nmedia_port_count = 4\n"),
                     0);
    assert_int_equal(conf.public_address_count, 2);
    addr_format_ip(&conf.public_address[1], text);
    assert_string_equal(text, "2001:db8::9");
    assert_int_equal(conf.stun_server.family, 4);
    assert_int_equal(conf.stun_server.port, 3478);
    assert_int_equal(conf.media_port_count, 4);
    assert_int_equal(load(&conf, "stun_server = \"[2001:db8::1]:99\"\n"), 0);
    addr_format_ip(&conf.stun_server, text);
    assert_string_equal(text, "2001:db8::1");
    assert_int_equal(conf.stun_server.port, 99);
    assert_int_equal(load(&conf, "stun_server = \"\"\n"), 0);
    assert_int_equal(conf.stun_server.family, 0);
}

static void WHIP_49_ice_servers_and_turn_secret_are_taken(void **state)
{
    struct conf conf;
    (void)state;
    assert_int_equal(load(&conf, "ice { servers = {\"stun:s.example.org\", "
                                 "\"turn:192.0.2.1:3478?transport=udp\"}\n"
                                 "turn_secret = \"north\"\nturn_ttl_s = 600 }\n"),
                     0);
    assert_string_equal(conf.ice_servers, "stun:s.example.org turn:192.0.2.1:3478?transport=udp");
    assert_string_equal(conf.turn_secret, "north");
    assert_int_equal(conf.turn_ttl_s, 600);
    assert_int_equal(conf_check(&conf), 0);
    conf.turn_secret[0] = '\0';
    assert_int_equal(conf_check(&conf), -EINVAL);
    assert_int_equal(load(&conf, "ice { turn_secret = \"" LONG LONG "\" }\n"), 0);
    assert_int_equal(conf_check(&conf), -EINVAL);
}

static void BUG_24_if_match_is_required_unless_told_otherwise(void **state)
{
    struct conf conf;
    (void)state;
    assert_int_equal(load(&conf, "whip { }\n"), 0);
    assert_true(conf.require_if_match);
    assert_int_equal(load(&conf, "whip { require_if_match = false }\n"), 0);
    assert_false(conf.require_if_match);
}

static void WHIP_38_plain_http_is_for_loopback_only(void **state)
{
    struct conf conf;
    (void)state;
    conf_init(&conf);
    snprintf(conf.listen, sizeof(conf.listen), "0.0.0.0");
    assert_int_equal(conf_check(&conf), -EINVAL);
    snprintf(conf.tls_certificate, sizeof(conf.tls_certificate), "cert.pem");
    assert_int_equal(conf_check(&conf), -EINVAL); /* one without the other */
    snprintf(conf.tls_key, sizeof(conf.tls_key), "key.pem");
    assert_int_equal(conf_check(&conf), 0);
}

static void a_missing_file_is_an_error(void **state)
{
    struct conf conf;
    (void)state;
    conf_init(&conf);
    assert_int_equal(conf_load(&conf, "/nonexistent/gateway.conf"), -ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_valid),
        cmocka_unit_test(the_example_file_names_every_default),
        cmocka_unit_test(unknown_keys_and_bad_values_are_refused),
        cmocka_unit_test(values_are_taken),
        cmocka_unit_test(ICE_09_public_addresses_and_stun_server_are_taken),
        cmocka_unit_test(WHIP_49_ice_servers_and_turn_secret_are_taken),
        cmocka_unit_test(BUG_24_if_match_is_required_unless_told_otherwise),
        cmocka_unit_test(WHIP_38_plain_http_is_for_loopback_only),
        cmocka_unit_test(a_missing_file_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
