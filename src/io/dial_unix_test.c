#include "io/dial_unix.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "io/loop.h"
#include "tests/support/clock_fake.h"

#define TURNS_MAX 100

struct bed {
	struct loop *loop;
	char directory[64];
	char path[96];
	struct dial_unix *dial;
	unsigned done;
	struct stream *stream;
	struct err err;
};

static void on_done(void *arg, struct stream *stream, const struct err *e)
{
	struct bed *bed = arg;

	assert_int_equal(stream == NULL, e != NULL);
	bed->done++;
	bed->stream = stream;
	if (e)
		bed->err = *e;
	dial_unix_cancel(bed->dial); /* is nothing any more */
}

static void prepare(struct bed *bed)
{
	*bed = (struct bed){ .loop = loop_new(), .directory = "/tmp/dial_unix_XXXXXX" };
	assert_non_null(mkdtemp(bed->directory));
	(void)snprintf(bed->path, sizeof(bed->path), "%s/socket", bed->directory);
}

static void finish(struct bed *bed)
{
	stream_close(bed->stream, STREAM_CLOSE_NORMAL);
	(void)unlink(bed->path);
	(void)rmdir(bed->directory);
	loop_turn(bed->loop, false);
	loop_free(bed->loop);
}

static int listen_at(const char *path, int backlog)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, backlog), 0);
	return fd;
}

static void turn(struct bed *bed)
{
	for (int i = 0; i < TURNS_MAX && bed->done == 0; i++)
		loop_turn(bed->loop, false);
}

static void start(struct bed *bed, struct str path)
{
	bed->dial = dial_unix_start(bed->loop, path, 1000, on_done, bed);
	assert_int_equal(bed->done, 0);
	turn(bed);
}

static void test_connects(void **state)
{
	struct bed bed;
	char text[8];
	int listening;
	int accepted;

	prepare(&bed);
	listening = listen_at(bed.path, 1);
	start(&bed, str_from(bed.path));
	assert_int_equal(bed.done, 1);
	assert_non_null(bed.stream);
	accepted = accept(listening, NULL, NULL);
	assert_int_equal(stream_write(bed.stream, "hello", 5), 5);
	assert_int_equal(read(accepted, text, sizeof(text)), 5);
	close(accepted);
	close(listening);
	finish(&bed);
}

static void check_failure(struct bed *bed, enum err_kind kind, const char *text)
{
	assert_int_equal(bed->done, 1);
	assert_null(bed->stream);
	assert_int_equal(bed->err.kind, kind);
	assert_non_null(strstr(bed->err.text, text));
}

static void test_failures(void **state)
{
	char long_path[200];
	struct bed bed;
	FILE *file;

	prepare(&bed);
	start(&bed, str_from(bed.path));
	check_failure(&bed, ERR_UNREACHABLE, bed.path);
	finish(&bed);

	prepare(&bed);
	close(listen_at(bed.path, 1));
	start(&bed, str_from(bed.path));
	check_failure(&bed, ERR_REFUSED, bed.path);
	finish(&bed);

	/* Not a socket at all: Linux says refused, and so do we. */
	prepare(&bed);
	file = fopen(bed.path, "w");
	assert_non_null(file);
	(void)fclose(file);
	start(&bed, str_from(bed.path));
	assert_true(bed.err.kind == ERR_REFUSED || bed.err.kind == ERR_UNREACHABLE);
	finish(&bed);

	memset(long_path, 'a', sizeof(long_path));
	prepare(&bed);
	start(&bed, str_of(long_path, DIAL_UNIX_PATH_MAX + 1));
	check_failure(&bed, ERR_UNREACHABLE, "path");
	finish(&bed);
	prepare(&bed);
	start(&bed, STR("a\0b"));
	check_failure(&bed, ERR_UNREACHABLE, "path");
	finish(&bed);
	prepare(&bed);
	start(&bed, STR(""));
	check_failure(&bed, ERR_UNREACHABLE, "path");
	finish(&bed);
}

/* The longest path is one: it is not cut. */
static void test_longest_path(void **state)
{
	char path[DIAL_UNIX_PATH_MAX + 1];
	struct bed bed;

	memset(path, 'a', sizeof(path));
	path[0] = '/';
	path[DIAL_UNIX_PATH_MAX] = '\0';
	prepare(&bed);
	start(&bed, str_from(path));
	check_failure(&bed, ERR_UNREACHABLE, path);
	finish(&bed);
}

static void test_full_queue(void **state)
{
	for (int has_room = 0; has_room < 2; has_room++) {
		struct sockaddr_un address = { .sun_family = AF_UNIX };
		struct bed bed;
		int listening;
		int filler = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

		prepare(&bed);
		listening = listen_at(bed.path, 0);
		(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", bed.path);
		assert_int_equal(connect(filler, (struct sockaddr *)&address, sizeof(address)), 0);
		start(&bed, str_from(bed.path));
		assert_int_equal(bed.done, 0);
		if (has_room)
			close(accept(listening, NULL, NULL));
		clock_fake_advance_ms(has_room ? DIAL_UNIX_RETRY_MS : 999);
		turn(&bed);
		assert_int_equal(bed.done, has_room);
		clock_fake_advance_ms(1);
		turn(&bed);
		if (has_room)
			assert_non_null(bed.stream);
		else
			check_failure(&bed, ERR_TIMEOUT, "no room");
		close(filler);
		close(listening);
		finish(&bed);
	}
}

static void test_cancel_is_silence(void **state)
{
	struct bed bed;

	prepare(&bed);
	dial_unix_cancel(dial_unix_start(bed.loop, str_from(bed.path), 1000, on_done, &bed));
	turn(&bed);
	assert_int_equal(bed.done, 0);
	dial_unix_cancel(NULL);
	finish(&bed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_connects),          cmocka_unit_test(test_failures),
		cmocka_unit_test(test_longest_path),      cmocka_unit_test(test_full_queue),
		cmocka_unit_test(test_cancel_is_silence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
