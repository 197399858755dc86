#include "io/listener_unix.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "io/loop.h"

struct bed {
	struct loop *loop;
	char directory[64];
	char path[80];
};

static void set_up(struct bed *bed)
{
	*bed = (struct bed){ .loop = loop_new(), .directory = "/tmp/listener_unix_test.XXXXXX" };
	assert_non_null(mkdtemp(bed->directory));
	(void)snprintf(bed->path, sizeof(bed->path), "%s/s", bed->directory);
}

static void tear_down(struct bed *bed)
{
	loop_turn(bed->loop, false);
	loop_free(bed->loop);
	assert_int_equal(rmdir(bed->directory), 0); /* nothing is left in it */
}

static void on_accept(void *arg, struct stream *stream, uid_t peer)
{
	int *count = arg;

	assert_int_equal(peer, getuid());
	stream_close(stream, STREAM_CLOSE_NORMAL);
	(*count)++;
}

/* False: nobody listens there. */
static bool come(struct bed *bed)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int rc;

	memcpy(address.sun_path, bed->path, strlen(bed->path));
	rc = connect(fd, (const struct sockaddr *)&address, sizeof(address));
	close(fd);
	for (int i = 0; i < 3; i++)
		loop_turn(bed->loop, false);
	return rc == 0;
}

static void test_listens(void **state)
{
	struct bed bed;
	struct listener_unix *l;
	struct err e = { 0 };
	struct stat st;
	int count = 0;

	set_up(&bed);
	l = listener_unix_open(bed.loop, bed.path, on_accept, &count, &e);
	assert_non_null(l);
	assert_int_equal(stat(bed.path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_true(come(&bed));
	assert_int_equal(count, 1);
	assert_null(listener_unix_open(bed.loop, bed.path, on_accept, &count, &e));
	assert_non_null(strstr(e.text, "is in use by another process"));
	listener_unix_close(l);
	assert_false(come(&bed));
	tear_down(&bed);
}

/* Nobody finds the new one before it takes the place, and nobody finds none at any time. */
static void test_takes_over(void **state)
{
	struct bed bed;
	struct listener_unix *old;
	struct listener_unix *new;
	int old_count = 0;
	int new_count = 0;

	set_up(&bed);
	old = listener_unix_open(bed.loop, bed.path, on_accept, &old_count, NULL);
	new = listener_unix_open_beside(bed.loop, bed.path, on_accept, &new_count, NULL);
	assert_non_null(old);
	assert_non_null(new);
	assert_true(come(&bed));
	assert_int_equal(old_count, 1);
	assert_int_equal(listener_unix_take_over(new, NULL), 0);
	assert_true(come(&bed));
	assert_int_equal(old_count, 1);
	assert_int_equal(new_count, 1);
	listener_unix_close(old); /* what is there is not its own */
	assert_true(come(&bed));
	assert_int_equal(new_count, 2);
	listener_unix_close(new);
	tear_down(&bed);
}

static void test_does_not_take_over(void **state)
{
	struct bed bed;
	struct listener_unix *old;
	struct listener_unix *new;
	int count = 0;

	set_up(&bed);
	old = listener_unix_open(bed.loop, bed.path, on_accept, &count, NULL);
	new = listener_unix_open_beside(bed.loop, bed.path, on_accept, &count, NULL);
	listener_unix_close(new);
	assert_true(come(&bed));
	assert_int_equal(count, 1);
	listener_unix_close(old);
	tear_down(&bed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_listens),
		cmocka_unit_test(test_takes_over),
		cmocka_unit_test(test_does_not_take_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
