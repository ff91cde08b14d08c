#include "gateway/supervisor/statedir.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct place {
    char path[64];
};

static int make_place(void **state)
{
    struct place *place = calloc(1, sizeof(*place));
    snprintf(place->path, sizeof(place->path), "/tmp/sluice-state-XXXXXX");
    *state = place;
    return mkdtemp(place->path) ? 0 : -1;
}

static int remove_place(void **state)
{
    struct place *place = *state;
    static const char *const files[] = {"pepper", "lock", "auth", "control.sock"};
    int fd = open(place->path, O_RDONLY | O_DIRECTORY);
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        if (unlinkat(fd, files[i], 0) < 0)
            unlinkat(fd, files[i], AT_REMOVEDIR);
    }
    close(fd);
    rmdir(place->path);
    free(place);
    return 0;
}

static void the_pepper_is_made_once_and_kept(void **state)
{
    struct place *place = *state;
    struct statedir dir;
    uint8_t pepper[STATEDIR_PEPPER_LEN];
    static const uint8_t zero[STATEDIR_PEPPER_LEN];
    assert_int_equal(statedir_open(&dir, place->path, 0), 0);
    memcpy(pepper, dir.pepper, sizeof(pepper));
    assert_memory_not_equal(pepper, zero, sizeof(pepper));
    statedir_close(&dir);
    assert_memory_equal(dir.pepper, zero, sizeof(zero)); /* wiped */
    assert_int_equal(statedir_open(&dir, place->path, 0), 0);
    assert_memory_equal(pepper, dir.pepper, sizeof(pepper));
    statedir_close(&dir);
}

static void S7_a_pepper_others_may_read_is_refused(void **state)
{
    struct place *place = *state;
    struct statedir dir;
    char path[128];
    assert_int_equal(statedir_open(&dir, place->path, 0), 0);
    statedir_close(&dir);
    snprintf(path, sizeof(path), "%s/pepper", place->path);
    assert_int_equal(chmod(path, 0644), 0);
    assert_int_equal(statedir_open(&dir, place->path, 0), -EPERM);
    statedir_close(&dir);
    assert_int_equal(chmod(path, 0400), 0);
    assert_int_equal(truncate(path, 5), geteuid() == 0 ? 0 : -1);
    if (geteuid() == 0) {
        assert_int_equal(statedir_open(&dir, place->path, 0), -EBADMSG);
        statedir_close(&dir);
    }
}

static void a_second_gateway_is_refused(void **state)
{
    struct place *place = *state;
    struct statedir first, second;
    assert_int_equal(statedir_open(&first, place->path, 0), 0);
    assert_int_equal(statedir_open(&second, place->path, 0), -EBUSY);
    statedir_close(&second);
    statedir_close(&first);
}

static void the_control_socket_is_private_and_removed(void **state)
{
    struct place *place = *state;
    struct statedir dir;
    struct stat st;
    char path[128];
    snprintf(path, sizeof(path), "%s/control.sock", place->path);
    assert_int_equal(statedir_open(&dir, place->path, 0), 0);
    assert_int_equal(stat(path, &st), 0);
    assert_true(S_ISSOCK(st.st_mode));
    assert_int_equal(st.st_mode & 0777, 0600);
    statedir_close(&dir);
    assert_int_equal(stat(path, &st), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_pepper_is_made_once_and_kept, make_place, remove_place),
        cmocka_unit_test_setup_teardown(S7_a_pepper_others_may_read_is_refused, make_place,
                                        remove_place),
        cmocka_unit_test_setup_teardown(a_second_gateway_is_refused, make_place, remove_place),
        cmocka_unit_test_setup_teardown(the_control_socket_is_private_and_removed, make_place,
                                        remove_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
