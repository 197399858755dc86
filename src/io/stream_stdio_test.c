#include "io/stream_stdio.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "io/loop.h"

#define PIECE 100000

/* The stream's descriptors, and the other ends, which the test holds. */
struct bed {
	struct loop *loop;
	struct stream *stream;
	int in;
	int out;
	int to_in;
	int from_out;
	unsigned events;
};

static void on_event(void *arg, unsigned events)
{
	struct bed *bed = arg;

	bed->events |= events;
}

static void open_stream(struct bed *bed)
{
	struct err e = { 0 };

	bed->stream = stream_stdio_open(bed->loop, bed->in, bed->out, &e);
	assert_non_null(bed->stream);
	stream_set_owner(bed->stream, on_event, bed);
}

static void prepare_pipes(struct bed *bed)
{
	int in[2];
	int out[2];

	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	*bed = (struct bed){
		.loop = loop_new(),
		.in = in[0],
		.to_in = in[1],
		.out = out[1],
		.from_out = out[0],
	};
	open_stream(bed);
}

static void close_stream(struct bed *bed)
{
	stream_close(TAKE(bed->stream), STREAM_CLOSE_NORMAL);
	loop_turn(bed->loop, false);
}

static void finish(struct bed *bed)
{
	close_stream(bed);
	close(bed->in);
	close(bed->out);
	close(bed->to_in);
	close(bed->from_out);
	loop_free(bed->loop);
}

static void wait_for(struct bed *bed, unsigned events)
{
	for (int i = 0; i < 1000 && !(bed->events & events); i++)
		loop_turn(bed->loop, false);
	assert_true(bed->events & events);
	bed->events = 0;
}

static bool is_nonblocking(int fd)
{
	return fcntl(fd, F_GETFL) & O_NONBLOCK;
}

static void test_pipes(void **state)
{
	struct bed bed;
	char text[8];

	prepare_pipes(&bed);
	assert_true(is_nonblocking(bed.in) && is_nonblocking(bed.out));
	assert_int_equal(stream_read(bed.stream, text, sizeof(text)), STREAM_AGAIN);
	assert_int_equal(write(bed.to_in, "hello", 5), 5);
	wait_for(&bed, STREAM_READABLE);
	assert_int_equal(stream_read(bed.stream, text, sizeof(text)), 5);
	assert_int_equal(stream_read(bed.stream, text, sizeof(text)), STREAM_AGAIN);
	assert_int_equal(stream_write(bed.stream, "hi", 2), 2);
	assert_int_equal(read(bed.from_out, text, sizeof(text)), 2);

	close(bed.to_in);
	bed.to_in = -1;
	wait_for(&bed, STREAM_READABLE);
	assert_int_equal(stream_read(bed.stream, text, sizeof(text)), STREAM_END);
	assert_int_equal(stream_read(bed.stream, text, sizeof(text)), STREAM_END);
	/* The end of the input is not the end of the output. */
	assert_int_equal(stream_write(bed.stream, "on", 2), 2);
	close_stream(&bed);
	assert_false(is_nonblocking(bed.in) || is_nonblocking(bed.out));
	finish(&bed);
}

static void test_shutdown_is_seen_by_the_reader(void **state)
{
	struct bed bed;
	char text[8];

	prepare_pipes(&bed);
	assert_int_equal(stream_write(bed.stream, "last", 4), 4);
	assert_int_equal(stream_shutdown(bed.stream), STREAM_END);
	assert_int_equal(stream_shutdown(bed.stream), STREAM_END);
	assert_int_equal(read(bed.from_out, text, sizeof(text)), 4);
	assert_int_equal(read(bed.from_out, text, sizeof(text)), 0);
	/* The number is still taken, so that nothing else becomes the standard output. */
	assert_true(fcntl(bed.out, F_GETFD) >= 0);
	assert_int_equal(write(bed.to_in, "in", 2), 2);
	assert_int_equal(stream_read(bed.stream, text, sizeof(text)), 2);
	finish(&bed);
}

static void test_slow_reader(void **state)
{
	struct bed bed;
	uint8_t *piece = mem_alloc(PIECE);
	size_t written = 0;
	size_t got = 0;
	ssize_t count = 0;

	prepare_pipes(&bed);
	while ((count = stream_write(bed.stream, piece, PIECE)) > 0)
		written += (size_t)count;
	assert_int_equal(count, STREAM_AGAIN);
	for (int i = 0; i < 20; i++)
		loop_turn(bed.loop, false);
	assert_int_equal(bed.events & STREAM_WRITABLE, 0);
	while (got < written) {
		count = read(bed.from_out, piece, PIECE);
		assert_true(count > 0);
		got += (size_t)count;
	}
	wait_for(&bed, STREAM_WRITABLE);
	assert_true(stream_write(bed.stream, piece, PIECE) > 0);
	mem_free(piece);
	finish(&bed);
}

static void test_reader_gone(void **state)
{
	struct bed bed;
	char text[8];

	prepare_pipes(&bed);
	close(bed.from_out);
	bed.from_out = -1;
	assert_int_equal(stream_write(bed.stream, "x", 1), STREAM_FAILED);
	assert_int_equal(stream_error(bed.stream)->kind, ERR_RESET);
	assert_int_equal(stream_write(bed.stream, "x", 1), STREAM_FAILED);
	assert_int_equal(stream_read(bed.stream, text, sizeof(text)), STREAM_FAILED);
	assert_int_equal(stream_shutdown(bed.stream), STREAM_FAILED);
	finish(&bed);
}

/* sshd and inetd give one socket twice; the copies share their flags. */
static void test_one_socket(void **state)
{
	for (int is_copy = 0; is_copy < 2; is_copy++) {
		struct bed bed = { .loop = loop_new(), .from_out = -1 };
		int fds[2];
		char text[8];

		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
		bed.in = fds[0];
		bed.out = is_copy ? fcntl(fds[0], F_DUPFD_CLOEXEC, 0) : fds[0];
		bed.to_in = fds[1];
		open_stream(&bed);
		assert_int_equal(stream_read(bed.stream, text, sizeof(text)), STREAM_AGAIN);
		assert_int_equal(write(fds[1], "hello", 5), 5);
		wait_for(&bed, STREAM_READABLE);
		assert_int_equal(stream_read(bed.stream, text, sizeof(text)), 5);
		assert_int_equal(stream_write(bed.stream, "hi", 2), 2);
		assert_int_equal(stream_shutdown(bed.stream), STREAM_END);
		assert_int_equal(read(fds[1], text, sizeof(text)), 2);
		assert_int_equal(read(fds[1], text, sizeof(text)), 0);
		assert_int_equal(write(fds[1], "more", 4), 4);
		assert_int_equal(stream_read(bed.stream, text, sizeof(text)), 4);
		close_stream(&bed);
		assert_false(is_nonblocking(bed.in) || is_nonblocking(bed.out));
		if (!is_copy)
			bed.out = -1;
		finish(&bed);
	}
}

static void test_regular_files_are_always_ready(void **state)
{
	struct bed bed = { .loop = loop_new(), .to_in = -1, .from_out = -1 };
	char path[] = "/tmp/stream_stdio_test_XXXXXX";
	char text[16];

	bed.in = mkstemp(path);
	assert_true(bed.in >= 0);
	bed.out = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
	assert_true(bed.out >= 0);
	unlink(path);
	open_stream(&bed);
	assert_int_equal(stream_write(bed.stream, "contents", 8), 8);
	assert_int_equal(stream_read(bed.stream, text, 3), 3);
	assert_int_equal(stream_read(bed.stream, text, sizeof(text)), 5);
	assert_int_equal(stream_read(bed.stream, text, sizeof(text)), STREAM_END);
	assert_int_equal(stream_shutdown(bed.stream), STREAM_END);
	finish(&bed);
}

static void test_dev_null(void **state)
{
	struct bed bed = { .loop = loop_new(), .to_in = -1, .from_out = -1 };
	char text[4];

	bed.in = open("/dev/null", O_RDONLY | O_CLOEXEC);
	bed.out = open("/dev/null", O_WRONLY | O_CLOEXEC);
	open_stream(&bed);
	assert_int_equal(stream_read(bed.stream, text, sizeof(text)), STREAM_END);
	assert_int_equal(stream_write(bed.stream, "gone", 4), 4);
	finish(&bed);
}

static void test_closed_descriptor_is_refused(void **state)
{
	struct loop *loop = loop_new();
	struct err e = { 0 };
	int fds[2];

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	close(fds[1]);
	assert_null(stream_stdio_open(loop, fds[0], fds[1], &e));
	assert_int_equal(e.kind, ERR_SYSTEM);
	assert_false(is_nonblocking(fds[0]));
	close(fds[0]);
	loop_turn(loop, false);
	loop_free(loop);
}

static void test_silence_after_close(void **state)
{
	struct bed bed;
	char text[4];

	prepare_pipes(&bed);
	assert_int_equal(stream_read(bed.stream, text, sizeof(text)), STREAM_AGAIN);
	assert_int_equal(write(bed.to_in, "x", 1), 1);
	stream_close(TAKE(bed.stream), STREAM_CLOSE_RESET);
	for (int i = 0; i < 10; i++)
		loop_turn(bed.loop, false);
	assert_int_equal(bed.events, 0);
	/* Only borrowed: the descriptors are still open, and what was not read is still there. */
	assert_int_equal(read(bed.in, text, sizeof(text)), 1);
	finish(&bed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pipes),
		cmocka_unit_test(test_shutdown_is_seen_by_the_reader),
		cmocka_unit_test(test_slow_reader),
		cmocka_unit_test(test_reader_gone),
		cmocka_unit_test(test_one_socket),
		cmocka_unit_test(test_regular_files_are_always_ready),
		cmocka_unit_test(test_dev_null),
		cmocka_unit_test(test_closed_descriptor_is_refused),
		cmocka_unit_test(test_silence_after_close),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
