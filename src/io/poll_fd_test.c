#include "io/poll_fd.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "io/loop.h"

struct bed {
	struct loop *loop;
	struct poll_fd *poll;
	int fds[2];
	unsigned calls;
	unsigned events; /* of the last call */
	unsigned close_at;
};

static void on_ready(void *arg, unsigned events)
{
	struct bed *bed = arg;

	bed->calls++;
	bed->events = events;
	if (bed->calls == bed->close_at)
		poll_fd_close(bed->poll);
}

static void open_poll(struct bed *bed)
{
	struct err e = { 0 };

	bed->poll = poll_fd_open(bed->loop, bed->fds[0], on_ready, bed, &e);
	assert_non_null(bed->poll);
}

static void prepare(struct bed *bed)
{
	*bed = (struct bed){ .loop = loop_new() };
	assert_int_equal(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, bed->fds), 0);
	open_poll(bed);
}

static void finish(struct bed *bed)
{
	poll_fd_close(bed->poll);
	close(bed->fds[0]);
	close(bed->fds[1]);
	loop_free(bed->loop);
}

static void turn(struct bed *bed, int times)
{
	for (int i = 0; i < times; i++)
		loop_turn(bed->loop, false);
}

static void send_byte(struct bed *bed)
{
	assert_int_equal(write(bed->fds[1], "x", 1), 1);
}

static void test_tells_again_and_again(void **state)
{
	struct bed bed;
	char byte;

	prepare(&bed);
	send_byte(&bed);
	/* nothing is wanted yet */
	turn(&bed, 3);
	assert_int_equal(bed.calls, 0);

	poll_fd_want(bed.poll, WATCH_READ);
	assert_int_equal(bed.calls, 0);
	turn(&bed, 3);
	assert_int_equal(bed.calls, 3);
	assert_int_equal(bed.events, WATCH_READ);

	assert_int_equal(read(bed.fds[0], &byte, 1), 1);
	turn(&bed, 3);
	assert_int_equal(bed.calls, 3);
	finish(&bed);
}

static void test_changes_its_mind(void **state)
{
	struct bed bed;

	prepare(&bed);
	send_byte(&bed);
	poll_fd_want(bed.poll, WATCH_WRITE);
	turn(&bed, 1);
	assert_int_equal(bed.calls, 1);
	assert_int_equal(bed.events, WATCH_WRITE);

	poll_fd_want(bed.poll, WATCH_READ | WATCH_WRITE);
	turn(&bed, 1);
	assert_int_equal(bed.events, WATCH_READ | WATCH_WRITE);

	poll_fd_want(bed.poll, 0);
	turn(&bed, 3);
	assert_int_equal(bed.calls, 2);

	poll_fd_want(bed.poll, WATCH_READ);
	turn(&bed, 1);
	assert_int_equal(bed.calls, 3);
	assert_int_equal(bed.events, WATCH_READ);
	finish(&bed);
}

static void test_tells_the_end(void **state)
{
	struct bed bed;

	prepare(&bed);
	poll_fd_want(bed.poll, WATCH_READ);
	assert_int_equal(shutdown(bed.fds[1], SHUT_RDWR), 0);
	turn(&bed, 2);
	assert_int_equal(bed.calls, 2);
	assert_int_equal(bed.events, WATCH_READ);
	finish(&bed);
}

/* A pipe whose reader is gone: EPOLLERR, which stops the handle inside libuv. */
static void test_tells_errors_as_both_and_goes_on(void **state)
{
	struct bed bed = { .loop = loop_new() };
	int fds[2];

	assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
	close(fds[0]);
	bed.fds[0] = fds[1];
	bed.fds[1] = -1;
	open_poll(&bed);
	poll_fd_want(bed.poll, WATCH_WRITE);
	turn(&bed, 3);
	assert_int_equal(bed.calls, 3);
	assert_int_equal(bed.events, WATCH_READ | WATCH_WRITE);

	poll_fd_want(bed.poll, 0);
	turn(&bed, 2);
	assert_int_equal(bed.calls, 3);

	bed.close_at = 4;
	poll_fd_want(bed.poll, WATCH_WRITE);
	turn(&bed, 3);
	assert_int_equal(bed.calls, 4);
	close(fds[1]);
	loop_free(bed.loop);
}

static void test_is_silent_once_closed(void **state)
{
	struct bed bed;

	prepare(&bed);
	send_byte(&bed);
	poll_fd_want(bed.poll, WATCH_READ | WATCH_WRITE);
	bed.close_at = 1;
	turn(&bed, 3);
	assert_int_equal(bed.calls, 1);

	/* before its first event */
	open_poll(&bed);
	poll_fd_want(bed.poll, WATCH_READ);
	poll_fd_close(bed.poll);
	/* the number may come back before libuv has let go of the old handle */
	open_poll(&bed);
	turn(&bed, 3);
	assert_int_equal(bed.calls, 1);
	poll_fd_want(bed.poll, WATCH_READ);
	turn(&bed, 1);
	assert_int_equal(bed.calls, 2);
	poll_fd_close(NULL);
	finish(&bed);
}

/* Both are ready in one turn; whoever comes first closes the other. */
struct couple {
	struct poll_fd *polls[2];
	unsigned calls;
};

static void on_ready_close_both(void *arg, unsigned events)
{
	struct couple *couple = arg;

	couple->calls++;
	poll_fd_close(couple->polls[0]);
	poll_fd_close(couple->polls[1]);
}

static void test_closes_one_from_the_other(void **state)
{
	struct loop *loop = loop_new();
	struct couple couple = { 0 };
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds),
			 0);
	for (int i = 0; i < 2; i++) {
		couple.polls[i] = poll_fd_open(loop, fds[i], on_ready_close_both, &couple, NULL);
		assert_non_null(couple.polls[i]);
		poll_fd_want(couple.polls[i], WATCH_WRITE);
	}
	loop_turn(loop, false);
	loop_turn(loop, false);
	assert_int_equal(couple.calls, 1);
	close(fds[0]);
	close(fds[1]);
	loop_free(loop);
}

static void test_refuses_what_cannot_be_polled(void **state)
{
	struct bed bed = { .loop = loop_new() };
	FILE *file = tmpfile();
	struct err e = { 0 };

	assert_non_null(file);
	assert_null(poll_fd_open(bed.loop, fileno(file), on_ready, &bed, &e));
	assert_int_equal(e.kind, ERR_SYSTEM);
	assert_non_null(strstr(e.text, "cannot watch descriptor"));
	fclose(file);
	loop_free(bed.loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tells_again_and_again),
		cmocka_unit_test(test_changes_its_mind),
		cmocka_unit_test(test_tells_the_end),
		cmocka_unit_test(test_tells_errors_as_both_and_goes_on),
		cmocka_unit_test(test_is_silent_once_closed),
		cmocka_unit_test(test_closes_one_from_the_other),
		cmocka_unit_test(test_refuses_what_cannot_be_polled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
