#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "http/ws_stream.h"

#include <string.h>

#include "base/compiler.h"
#include "base/mem.h"
#include "tests/support/clock_fake.h"
#include "tests/support/stream_contract.h"
#include "tests/support/stream_mem.h"

#define BYTES(text) (text), (sizeof(text) - 1)
#define ZERO_MASK   "\0\0\0\0"

/* ---- the contract ---- */

static void open_pair(void *arg, struct loop *loop, struct stream **ret_a, struct stream **ret_b)
{
	const struct stream_mem_options *options = arg;
	struct stream *server;
	struct stream *client;
	struct buf head = { 0 };
	struct buf none = { 0 };
	struct buf early = { 0 };

	stream_mem_pair(loop, options, &server, &client);
	*ret_a = ws_stream_server(loop, server, &head, &none);
	*ret_b = ws_stream_client(loop, client, &early);
}

static void open_turned(void *arg, struct loop *loop, struct stream **ret_a, struct stream **ret_b)
{
	open_pair(arg, loop, ret_b, ret_a);
}

static void test_contract(void **state)
{
	static const struct stream_mem_options ways[] = {
		{ 0 },
		{ .capacity = 1000, .read_max = 1 },
		{ .capacity = 1000, .write_max = 3 },
		{ .capacity = 64, .shutdown_waits = 2 },
	};

	for (size_t i = 0; i < 2 * ARRAY_LEN(ways); i++) {
		const struct stream_contract contract = {
			.name = "ws_stream",
			.open_pair = i % 2 ? open_turned : open_pair,
			.arg = (void *)(uintptr_t)&ways[i / 2],
			.shows_reset = true,
		};

		stream_contract_run(&contract);
	}
}

/* ---- the wire ---- */

struct fixture {
	struct loop *loop;
	struct stream *wire; /* the test's end */
	struct stream *stream;
	unsigned events;
};

static void note_event(void *arg, unsigned events)
{
	struct fixture *f = arg;

	f->events |= events;
}

static void ignore_event(void *arg, unsigned events)
{
}

static void settle(struct fixture *f)
{
	for (int i = 0; i < 20; i++)
		loop_turn(f->loop, false);
}

enum side { SERVER, CLIENT };

static void begin(struct fixture *f, enum side side, const char *early, size_t early_len)
{
	struct buf head = BUF_INIT(100);
	struct buf bytes = BUF_INIT(100);
	struct stream *near;

	*f = (struct fixture){ .loop = loop_new() };
	(void)buf_append(&bytes, early, early_len);
	stream_mem_pair(f->loop, NULL, &f->wire, &near);
	stream_set_owner(f->wire, ignore_event, NULL);
	(void)buf_append_str(&head, STR("head|"));
	f->stream = side == CLIENT ? ws_stream_client(f->loop, near, &bytes)
				   : ws_stream_server(f->loop, near, &head, &bytes);
	buf_done(&head);
	stream_set_owner(f->stream, note_event, f);
	settle(f);
}

static void end(struct fixture *f)
{
	stream_close(f->stream, STREAM_CLOSE_NORMAL);
	stream_close(f->wire, STREAM_CLOSE_NORMAL);
	settle(f);
	loop_free(f->loop);
}

static void reset(struct fixture *f)
{
	stream_close(f->stream, STREAM_CLOSE_RESET);
	settle(f);
}

static void done(struct fixture *f)
{
	stream_close(f->wire, STREAM_CLOSE_NORMAL);
	settle(f);
	loop_free(f->loop);
}

static void expect_wire(struct fixture *f, const char *wanted, size_t len)
{
	char got[256];
	ssize_t count = stream_read(f->wire, got, sizeof(got));

	assert_int_equal(count, (ssize_t)len);
	assert_memory_equal(got, wanted, len);
}

static void send_wire(struct fixture *f, const char *bytes, size_t len)
{
	assert_int_equal(stream_write(f->wire, bytes, len), (ssize_t)len);
	settle(f);
}

static void expect_read(struct fixture *f, const char *wanted)
{
	char got[256];

	assert_int_equal(stream_read(f->stream, got, sizeof(got)), (ssize_t)strlen(wanted));
	assert_memory_equal(got, wanted, strlen(wanted));
}

static ssize_t read_one(struct fixture *f)
{
	char byte;

	return stream_read(f->stream, &byte, 1);
}

static void expect_failure(struct fixture *f, enum err_kind kind)
{
	assert_int_equal(read_one(f), STREAM_FAILED);
	assert_int_equal(stream_error(f->stream)->kind, kind);
}

static void test_the_head_goes_first_and_each_write_is_a_message(void **state)
{
	struct fixture f;

	begin(&f, SERVER, BYTES(""));
	expect_wire(&f, BYTES("head|")); /* although nothing is written behind it */
	assert_int_equal(stream_write(f.stream, "hello", 5), 5);
	expect_wire(&f, BYTES("\x82\x05hello"));
	assert_int_equal(stream_shutdown(f.stream), STREAM_END);
	expect_wire(&f, BYTES("\x88\x02\x03\xe8"));
	assert_int_equal(stream_read(f.wire, (char[1]){ 0 }, 1),
			 STREAM_AGAIN); /* no more than that */
	end(&f);
}

static void test_the_client_masks_with_new_bytes_each_time(void **state)
{
	uint8_t first[11];
	uint8_t second[11];
	struct fixture f;

	begin(&f, CLIENT, BYTES(""));
	assert_int_equal(stream_write(f.stream, "hello", 5), 5);
	assert_int_equal(stream_read(f.wire, first, sizeof(first)), sizeof(first));
	assert_int_equal(stream_write(f.stream, "hello", 5), 5);
	assert_int_equal(stream_read(f.wire, second, sizeof(second)), sizeof(second));
	assert_memory_equal(first, "\x82\x85", 2);
	assert_memory_not_equal(first + 2, second + 2, WS_MASK_LEN);
	ws_mask(first + 6, first + 6, 5, first + 2, 0);
	assert_memory_equal(first + 6, "hello", 5);
	end(&f);
}

static void test_early_bytes_come_first(void **state)
{
	struct fixture f;

	begin(&f, SERVER, BYTES("\x82\x83" ZERO_MASK "ab"));
	expect_read(&f, "ab");
	send_wire(&f, BYTES("c\x82\x81" ZERO_MASK "d"));
	expect_read(&f, "cd");
	end(&f);
}

static void test_a_ping_is_answered_between_pieces_of_a_message(void **state)
{
	struct fixture f;

	begin(&f, SERVER, BYTES(""));
	expect_wire(&f, BYTES("head|"));
	send_wire(&f, BYTES("\x02\x81" ZERO_MASK "a\x89\x82" ZERO_MASK "xy\x80\x81" ZERO_MASK "b"));
	expect_read(&f, "ab");
	expect_wire(&f, BYTES("\x8a\x02xy"));
	end(&f);
}

static void test_of_several_pings_the_last_one_is_answered_at_least(void **state)
{
	static char much[70000];
	struct fixture f;
	char got[256];
	ssize_t count;
	ssize_t last = 0;

	begin(&f, SERVER, BYTES(""));
	while (stream_write(f.stream, much, sizeof(much)) > 0)
		; /* the way is full */
	send_wire(&f, BYTES("\x89\x81" ZERO_MASK "1\x89\x81" ZERO_MASK "2\x89\x81" ZERO_MASK "3"));
	for (int i = 0; i < 3; i++) /* byte by byte: not all in one turn */
		assert_int_equal(read_one(&f), STREAM_AGAIN);
	do {
		count = stream_read(f.wire, got, sizeof(got));
		if (count > 0)
			last = count;
		settle(&f);
	} while (count > 0);
	assert_true(last >= 3);
	assert_memory_equal(got + last - 3,
			    "\x8a\x01"
			    "3",
			    3);
	end(&f);
}

static void test_half_close(void **state)
{
	struct fixture f;

	begin(&f, SERVER, BYTES(""));
	expect_wire(&f, BYTES("head|"));
	send_wire(&f, BYTES("\x82\x81" ZERO_MASK "a\x88\x82" ZERO_MASK "\x03\xe8"));
	expect_read(&f, "a"); /* what stands before the end is not lost */
	assert_int_equal(read_one(&f), STREAM_END);
	assert_int_equal(stream_write(f.stream, "answer", 6), 6);
	expect_wire(&f, BYTES("\x82\x06"
			      "answer"));
	assert_int_equal(stream_shutdown(f.stream), STREAM_END);
	expect_wire(&f, BYTES("\x88\x02\x03\xe8"));
	/* both have closed: now the connection ends as well */
	assert_int_equal(stream_read(f.wire, (char[1]){ 0 }, 1), STREAM_END);
	end(&f);
}

static void test_who_does_not_wait_for_our_close_is_noticed(void **state)
{
	struct fixture f;

	begin(&f, SERVER, BYTES("\x88\x80" ZERO_MASK));
	assert_int_equal(read_one(&f), STREAM_END);
	settle(&f);
	f.events = 0;
	assert_int_equal(stream_shutdown(f.wire), STREAM_END);
	settle(&f);
	assert_true(f.events & STREAM_READABLE);
	assert_int_equal(stream_write(f.stream, "x", 1), STREAM_FAILED);
	assert_int_equal(stream_error(f.stream)->kind, ERR_RESET);
	end(&f);
}

static void test_an_end_without_a_close_is_a_failure(void **state)
{
	struct fixture f;

	begin(&f, SERVER, BYTES("\x82\x82" ZERO_MASK "a"));
	expect_read(&f, "a");
	assert_int_equal(stream_shutdown(f.wire), STREAM_END);
	expect_failure(&f, ERR_RESET);
	end(&f);
}

static void test_a_close_that_says_so_is_a_failure(void **state)
{
	struct fixture f;

	begin(&f, CLIENT,
	      BYTES("\x82\x01"
		    "a\x88\x02\x03\xf3"));
	expect_read(&f, "a");
	expect_failure(&f, ERR_RESET);
	end(&f);
}

static void test_who_breaks_the_rules_is_told_so(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		const char *answer;
	} cases[] = {
		{ BYTES("\x82\x01x"), "\x88\x02\x03\xea" },
		{ BYTES("\x81\x80" ZERO_MASK), "\x88\x02\x03\xeb" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct fixture f;

		begin(&f, SERVER, BYTES(""));
		expect_wire(&f, BYTES("head|"));
		send_wire(&f, cases[i].bytes, cases[i].len);
		expect_failure(&f, ERR_PROTOCOL);
		expect_wire(&f, cases[i].answer, 4);
		/* a reset could take that away again */
		stream_close(f.stream, STREAM_CLOSE_RESET);
		assert_false(stream_mem_peer_was_reset(f.wire));
		stream_close(f.wire, STREAM_CLOSE_NORMAL);
		settle(&f);
		loop_free(f.loop);
	}
}

static void test_frames_without_data_are_on_account(void **state)
{
	static const char pong[] = "\x8a\x80" ZERO_MASK;
	struct fixture f;

	begin(&f, SERVER, BYTES(""));
	for (int second = 0; second < 3; second++) {
		for (int i = 0; i < WS_IDLE_PER_SECOND; i++)
			send_wire(&f, pong, sizeof(pong) - 1);
		assert_int_equal(read_one(&f), STREAM_AGAIN);
		clock_fake_advance_ms(1000);
		settle(&f);
	}
	for (int i = 0; i <= WS_IDLE_BURST; i++)
		send_wire(&f, pong, sizeof(pong) - 1);
	while (read_one(&f) == STREAM_AGAIN)
		settle(&f);
	expect_failure(&f, ERR_LIMIT);
	end(&f);
}

static void test_an_idle_client_shows_that_it_is_there(void **state)
{
	char got[16];
	struct fixture f;

	begin(&f, CLIENT, BYTES(""));
	assert_int_equal(stream_write(f.stream, "x", 1), 1);
	assert_int_equal(stream_read(f.wire, got, sizeof(got)), 7);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(stream_read(f.wire, got, sizeof(got)), STREAM_AGAIN);
		clock_fake_advance_ms(WS_STREAM_PING_MS + 1);
		settle(&f);
	}
	assert_int_equal(stream_read(f.wire, got, sizeof(got)), 6);
	assert_memory_equal(got, "\x89\x80", 2);
	end(&f);
}

static void test_one_who_gives_up_says_so(void **state)
{
	struct fixture f;

	begin(&f, SERVER, BYTES(""));
	expect_wire(&f, BYTES("head|"));
	stream_close(f.stream, STREAM_CLOSE_NORMAL);
	expect_wire(&f, BYTES("\x88\x02\x03\xe9"));
	done(&f);
}

static void test_a_reset_says_why(void **state)
{
	struct fixture f;

	begin(&f, SERVER, BYTES(""));
	expect_wire(&f, BYTES("head|"));
	reset(&f);
	assert_false(stream_mem_peer_was_reset(f.wire)); /* which could take that away again */
	expect_wire(&f, BYTES("\x88\x02\x03\xf3"));
	done(&f);

	begin(&f, SERVER, BYTES(""));
	expect_wire(&f, BYTES("head|"));
	ws_stream_explain(f.stream, WS_CLOSE_POLICY, "because");
	reset(&f);
	expect_wire(&f, BYTES("\x88\x09\x03\xf0"
			      "because"));
	done(&f);
}

static void test_a_reset_in_the_middle_of_a_frame_is_one(void **state)
{
	static char much[70000];
	struct fixture f;

	begin(&f, SERVER, BYTES(""));
	while (stream_write(f.stream, much, sizeof(much)) > 0)
		; /* the way is full */
	reset(&f);
	assert_true(stream_mem_peer_was_reset(f.wire));
	done(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_contract),
		cmocka_unit_test(test_the_head_goes_first_and_each_write_is_a_message),
		cmocka_unit_test(test_the_client_masks_with_new_bytes_each_time),
		cmocka_unit_test(test_early_bytes_come_first),
		cmocka_unit_test(test_a_ping_is_answered_between_pieces_of_a_message),
		cmocka_unit_test(test_of_several_pings_the_last_one_is_answered_at_least),
		cmocka_unit_test(test_half_close),
		cmocka_unit_test(test_who_does_not_wait_for_our_close_is_noticed),
		cmocka_unit_test(test_an_end_without_a_close_is_a_failure),
		cmocka_unit_test(test_a_close_that_says_so_is_a_failure),
		cmocka_unit_test(test_who_breaks_the_rules_is_told_so),
		cmocka_unit_test(test_frames_without_data_are_on_account),
		cmocka_unit_test(test_an_idle_client_shows_that_it_is_there),
		cmocka_unit_test(test_one_who_gives_up_says_so),
		cmocka_unit_test(test_a_reset_says_why),
		cmocka_unit_test(test_a_reset_in_the_middle_of_a_frame_is_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
