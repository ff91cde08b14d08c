/* Shapes of the control messages. */
#include "lib/proto/msg.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void I5_every_message_has_a_shape(void **state)
{
    (void)state;
    for (unsigned i = 1; i < MSG_TYPE_COUNT; i++) {
        const struct msg_shape *shape = msg_shape((enum msg_type)i);
        assert_non_null(shape);
        assert_true(strlen(shape->name) > 0);
        assert_string_equal(msg_name(i), shape->name);
        assert_true(shape->body_len <= CHAN_BODY_MAX);
        assert_int_equal(shape->body_len % 8, 0);
        assert_true(shape->blob_max <= CHAN_BLOB_MAX);
        assert_true(shape->fd_count <= CHAN_FDS_MAX || shape->fd_count == CHAN_FDS_ANY);
        assert_true(shape->body_len > 0 || i == MSG_SETTINGS);
        for (unsigned j = 1; j < i; j++)
            assert_string_not_equal(msg_name(i), msg_name(j));
    }
}

static void unknown_types(void **state)
{
    static const unsigned types[] = {0, MSG_TYPE_COUNT, 100, 65535, UINT32_MAX};
    (void)state;
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        assert_null(msg_shape((enum msg_type)types[i]));
        assert_string_equal(msg_name(types[i]), "unknown");
    }
}

static void shapes_as_msg_h_says(void **state)
{
    (void)state;
    assert_int_equal(msg_shape(MSG_SETTINGS)->fd_count, CHAN_FDS_ANY);
    assert_int_equal(msg_shape(MSG_PUBLISH)->blob_max, STREAM_OFFER_MAX);
    assert_int_equal(msg_shape(MSG_STREAM_LINK)->fd_count, 1);
    assert_int_equal(msg_shape(MSG_PATH)->fd_count, 1);
    assert_int_equal(msg_shape(MSG_PATH)->blob_max, STREAM_DATAGRAM_MAX);
    assert_int_equal(msg_shape(MSG_PATH_BYTES)->fd_count, 0);
    assert_int_equal(msg_shape(MSG_INGEST_BIND)->fd_count, 2);
    assert_int_equal(msg_shape(MSG_TRANSCODE_BIND)->fd_count, 2);
    assert_int_equal(msg_shape(MSG_CONSUMER)->fd_count, 1);
    assert_string_equal(msg_name(MSG_LEASE_END), "LEASE_END");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(I5_every_message_has_a_shape),
        cmocka_unit_test(unknown_types),
        cmocka_unit_test(shapes_as_msg_h_says),
    };
    return cmocka_run_group_tests_name("msg", tests, NULL, NULL);
}
