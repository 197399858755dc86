/*
 * The contract of stream.h against the streams of this module.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "io/loop.h"
#include "io/stream_stdio.h"
#include "io/stream_tcp.h"
#include "tests/support/stream_contract.h"
#include "tests/support/stream_mem.h"

static void open_mem_pair(void *arg, struct loop *loop, struct stream **ret_a,
			  struct stream **ret_b)
{
	stream_mem_pair(loop, arg, ret_a, ret_b);
}

static void open_streams(struct loop *loop, const int fds[2], struct stream **ret_a,
			 struct stream **ret_b)
{
	struct err e;

	*ret_a = stream_tcp_open(loop, fds[0], &e);
	*ret_b = stream_tcp_open(loop, fds[1], &e);
	assert_non_null(*ret_a);
	assert_non_null(*ret_b);
}

static void open_socketpair(void *arg, struct loop *loop, struct stream **ret_a,
			    struct stream **ret_b)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds),
			 0);
	open_streams(loop, fds, ret_a, ret_b);
}

static void connect_tcp(int fds[2])
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t len = sizeof(address);
	int listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(listening, (struct sockaddr *)&address, len), 0);
	assert_int_equal(listen(listening, 1), 0);
	assert_int_equal(getsockname(listening, (struct sockaddr *)&address, &len), 0);
	fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(fds[0], (struct sockaddr *)&address, len), 0);
	fds[1] = accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	assert_true(fds[1] >= 0);
	assert_int_equal(fcntl(fds[0], F_SETFL, O_RDWR | O_NONBLOCK), 0);
	close(listening);
}

static void open_tcp_pair(void *arg, struct loop *loop, struct stream **ret_a,
			  struct stream **ret_b)
{
	int fds[2];

	connect_tcp(fds);
	open_streams(loop, fds, ret_a, ret_b);
}

static void test_mem(void **state)
{
	static const struct stream_mem_options options[] = {
		{ 0 },
		{ .capacity = 16, .read_max = 1, .write_max = 1 },
		{ .capacity = 17, .read_max = 3, .write_max = 2, .shutdown_waits = 2 },
		{ .capacity = 200000, .read_max = 1000 },
	};

	for (size_t i = 0; i < ARRAY_LEN(options); i++)
		stream_contract_run(&(struct stream_contract){
			.name = "mem",
			.open_pair = open_mem_pair,
			.arg = (void *)(uintptr_t)&options[i],
			.shows_reset = true,
		});
}

static void test_socketpair(void **state)
{
	stream_contract_run(&(struct stream_contract){
		.name = "socketpair",
		.open_pair = open_socketpair,
	});
}

static void test_tcp(void **state)
{
	stream_contract_run(&(struct stream_contract){
		.name = "tcp",
		.open_pair = open_tcp_pair,
		.shows_reset = true,
	});
}

static void note_event(void *arg, unsigned events)
{
	*(unsigned *)arg |= events;
}

/* An urgent mark cuts a receive short although there are more bytes behind it. */
/* A peer that ended in order and is then gone: nobody reads or writes, and the owner is told all the same. */
static void test_reset_after_the_end_is_told(void **state)
{
	struct linger at_once = { .l_onoff = 1, .l_linger = 0 };
	struct loop *loop = loop_new();
	struct stream *s;
	unsigned events = 0;
	char byte;
	int fds[2];

	connect_tcp(fds);
	s = stream_tcp_open(loop, fds[0], NULL);
	stream_set_owner(s, note_event, &events);
	assert_int_equal(shutdown(fds[1], SHUT_WR), 0);
	while (stream_read(s, &byte, 1) == STREAM_AGAIN)
		loop_turn(loop, true);
	assert_int_equal(stream_read(s, &byte, 1), STREAM_END);
	assert_null(stream_error(s));

	assert_int_equal(setsockopt(fds[1], SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)), 0);
	close(fds[1]);
	while (!stream_error(s))
		loop_turn(loop, true);
	assert_int_equal(stream_error(s)->kind, ERR_RESET);
	assert_true(events);
	stream_close(s, STREAM_CLOSE_NORMAL);
	loop_turn(loop, false);
	loop_free(loop);
}

static void test_urgent_data_is_not_lost(void **state)
{
	struct loop *loop = loop_new();
	struct stream *b = NULL;
	unsigned events = STREAM_READABLE;
	size_t got = 0;
	char text[16];
	int fds[2];

	connect_tcp(fds);
	b = stream_tcp_open(loop, fds[1], NULL);
	stream_set_owner(b, note_event, &events);
	assert_int_equal(send(fds[0], "abc", 3, 0), 3);
	assert_int_equal(send(fds[0], "d", 1, MSG_OOB), 1);
	assert_int_equal(send(fds[0], "ef", 2, 0), 2);
	/* The event is dispatched before the first read: there will be no other. */
	for (int i = 0; i < 3; i++)
		loop_turn(loop, false);
	for (int i = 0; i < 1000 && got < 6; i++) {
		ssize_t count = events ? stream_read(b, text + got, sizeof(text) - got) : 0;

		if (count == STREAM_AGAIN)
			events = 0;
		got += count > 0 ? (size_t)count : 0;
		loop_turn(loop, false);
	}
	assert_int_equal(got, 6);
	assert_memory_equal(text, "abcdef", 6);
	stream_close(b, STREAM_CLOSE_NORMAL);
	close(fds[0]);
	loop_turn(loop, false);
	loop_free(loop);
}

/* It answers, and closes at once; what is sent to it then resets the connection. */
static void test_an_answer_outlives_its_sender(void **state)
{
	struct loop *loop = loop_new();
	struct stream *s;
	char answer[10];
	int fds[2];

	connect_tcp(fds);
	s = stream_tcp_open(loop, fds[0], NULL);
	assert_int_equal(send(fds[1], "answer", 6, 0), 6);
	close(fds[1]);
	assert_int_equal(stream_write(s, "end", 3), 3);
	assert_int_equal(stream_shutdown(s), STREAM_END);
	assert_int_equal(stream_read(s, answer, sizeof(answer)), 6);
	stream_close(s, STREAM_CLOSE_NORMAL);
	loop_turn(loop, false);
	loop_free(loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mem),
		cmocka_unit_test(test_socketpair),
		cmocka_unit_test(test_tcp),
		cmocka_unit_test(test_reset_after_the_end_is_told),
		cmocka_unit_test(test_urgent_data_is_not_lost),
		cmocka_unit_test(test_an_answer_outlives_its_sender),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
