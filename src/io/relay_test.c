#include "io/relay.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/mem.h"
#include "io/loop.h"
#include "tests/support/clock_fake.h"
#include "tests/support/stream_mem.h"

#define TURNS 50

/* a is the test's end of the stream the relay has as its a, and so on. */
struct scene {
	struct loop *loop;
	struct stream *a;
	struct stream *b;
	struct relay *relay;
	struct relay_options options;
	unsigned done_count;
	struct relay_result result;
	struct err error;
};

static void ignore_event(void *arg, unsigned events)
{
}

static void on_done(void *arg, const struct relay_result *result)
{
	struct scene *s = arg;

	s->done_count++;
	s->result = *result;
	assert_int_equal(result->error != NULL,
			 result->end == RELAY_A_FAILED || result->end == RELAY_B_FAILED);
	if (result->error)
		s->error = *result->error;
	/* Too late, and allowed. */
	relay_close(s->relay, STREAM_CLOSE_RESET, NULL);
	s->relay = NULL;
}

static void turn(struct scene *s)
{
	for (int i = 0; i < TURNS; i++)
		loop_turn(s->loop, false);
}

static void prepare(struct scene *s, const struct stream_mem_options *mem)
{
	*s = (struct scene){ .loop = loop_new() };
	stream_mem_pair(s->loop, mem, &s->a, &s->options.a);
	stream_mem_pair(s->loop, mem, &s->b, &s->options.b);
	stream_set_owner(s->a, ignore_event, s);
	stream_set_owner(s->b, ignore_event, s);
	s->options.on_done = on_done;
	s->options.arg = s;
}

static void start(struct scene *s)
{
	s->relay = relay_start(s->loop, &s->options);
	assert_int_equal(s->done_count, 0);
}

static void finish(struct scene *s)
{
	relay_close(s->relay, STREAM_CLOSE_NORMAL, NULL);
	stream_close(s->a, STREAM_CLOSE_NORMAL);
	stream_close(s->b, STREAM_CLOSE_NORMAL);
	loop_turn(s->loop, false);
	loop_free(s->loop);
}

static void send_text(struct stream *to, const char *text)
{
	assert_int_equal(stream_write(to, text, strlen(text)), strlen(text));
}

static void expect_text(struct stream *from, const char *text)
{
	char got[64];
	size_t len = strlen(text);

	assert_true(len <= sizeof(got));
	assert_int_equal(stream_read(from, got, sizeof(got)), len);
	assert_memory_equal(got, text, len);
}

static void expect_result(struct stream *from, ssize_t result)
{
	char got[64];

	assert_int_equal(stream_read(from, got, sizeof(got)), result);
}

static void expect_end(const struct scene *s, enum relay_end end, uint64_t from_a, uint64_t from_b)
{
	assert_int_equal(s->done_count, 1);
	assert_int_equal(s->result.end, end);
	assert_int_equal(s->result.bytes_from_a, from_a);
	assert_int_equal(s->result.bytes_from_b, from_b);
}

/* ---- bytes ---- */

static void test_bytes_go_both_ways(void **state)
{
	struct scene s;
	struct relay_result counts;

	prepare(&s, NULL);
	start(&s);
	send_text(s.a, "to b");
	send_text(s.b, "to a!");
	turn(&s);
	expect_text(s.b, "to b");
	expect_text(s.a, "to a!");
	send_text(s.a, "more");
	turn(&s);
	expect_text(s.b, "more");
	relay_close(s.relay, STREAM_CLOSE_NORMAL, &counts);
	s.relay = NULL;
	assert_int_equal(counts.bytes_from_a, 8);
	assert_int_equal(counts.bytes_from_b, 5);
	turn(&s);
	assert_int_equal(s.done_count, 0);
	expect_result(s.a, STREAM_END);
	expect_result(s.b, STREAM_END);
	finish(&s);
}

static void test_prefixes_come_first(void **state)
{
	struct scene s;

	prepare(&s, NULL);
	s.options.prefix_to_b = BUF_INIT(100);
	s.options.prefix_to_a = BUF_INIT(100);
	assert_int_equal(buf_append_str(&s.options.prefix_to_b, STR("early ")), 0);
	assert_int_equal(buf_append_str(&s.options.prefix_to_a, STR("hello ")), 0);
	send_text(s.a, "bird");
	send_text(s.b, "world");
	start(&s);
	turn(&s);
	expect_text(s.b, "early bird");
	expect_text(s.a, "hello world");
	assert_int_equal(stream_shutdown(s.a), STREAM_END);
	assert_int_equal(stream_shutdown(s.b), STREAM_END);
	turn(&s);
	/* What was said to a is not from b. */
	expect_end(&s, RELAY_A_CLOSED, 10, 5);
	finish(&s);
}

static void test_prefix_larger_than_the_receiver(void **state)
{
	struct scene s;
	char got[4];
	size_t total = 0;

	prepare(&s, &(struct stream_mem_options){ .capacity = 4 });
	s.options.prefix_to_b = BUF_INIT(100);
	assert_int_equal(buf_append_str(&s.options.prefix_to_b, STR("0123456789")), 0);
	send_text(s.a, "ab");
	assert_int_equal(stream_shutdown(s.a), STREAM_END);
	start(&s);
	for (int i = 0; i < 10 && total < 12; i++) {
		ssize_t count = 0;

		turn(&s);
		count = stream_read(s.b, got, sizeof(got));
		assert_true(count > 0);
		assert_memory_equal(got, "0123456789ab" + total, count);
		total += (size_t)count;
	}
	turn(&s);
	expect_result(s.b, STREAM_END);
	finish(&s);
}

/* ---- ends ---- */

static void test_half_close(void **state)
{
	for (unsigned waits = 0; waits < 3; waits++) {
		for (int first = 0; first < 2; first++) {
			struct scene s;
			struct stream *ends[2];

			prepare(&s, &(struct stream_mem_options){ .shutdown_waits = waits });
			ends[0] = first == 0 ? s.a : s.b;
			ends[1] = first == 0 ? s.b : s.a;
			start(&s);
			send_text(ends[0], "question");
			while (stream_shutdown(ends[0]) == STREAM_AGAIN)
				turn(&s);
			turn(&s);
			expect_text(ends[1], "question");
			expect_result(ends[1], STREAM_END);
			send_text(ends[1], "answer");
			turn(&s);
			expect_text(ends[0], "answer");
			expect_result(ends[0], STREAM_AGAIN);
			assert_int_equal(s.done_count, 0);
			while (stream_shutdown(ends[1]) == STREAM_AGAIN)
				turn(&s);
			turn(&s);
			expect_result(ends[0], STREAM_END);
			expect_end(&s, first == 0 ? RELAY_A_CLOSED : RELAY_B_CLOSED,
				   first == 0 ? 8 : 6, first == 0 ? 6 : 8);
			assert_false(stream_mem_peer_was_reset(s.a));
			assert_false(stream_mem_peer_was_reset(s.b));
			finish(&s);
		}
	}
}

static void test_failure_is_passed_on_as_reset(void **state)
{
	for (int side = 0; side < 2; side++) {
		struct scene s;

		prepare(&s, NULL);
		start(&s);
		send_text(s.a, "abc");
		turn(&s);
		stream_close(TAKE(*(side == 0 ? &s.a : &s.b)), STREAM_CLOSE_RESET);
		turn(&s);
		assert_true(stream_mem_peer_was_reset(side == 0 ? s.b : s.a));
		expect_end(&s, side == 0 ? RELAY_A_FAILED : RELAY_B_FAILED, 3, 0);
		assert_int_equal(s.error.kind, ERR_RESET);
		finish(&s);
	}
}

static void test_failure_while_bytes_are_left(void **state)
{
	struct scene s;

	prepare(&s, &(struct stream_mem_options){ .capacity = 8 });
	start(&s);
	send_text(s.a, "12345678");
	turn(&s);
	send_text(s.a, "abcdefgh");
	turn(&s);
	/* Eight bytes wait in b, eight in the relay. */
	stream_close(TAKE(s.b), STREAM_CLOSE_RESET);
	turn(&s);
	expect_end(&s, RELAY_B_FAILED, 16, 0);
	assert_true(stream_mem_peer_was_reset(s.a));
	finish(&s);
}

static void test_streams_that_failed_before(void **state)
{
	struct scene s;

	prepare(&s, NULL);
	stream_mem_fail(s.options.b, ERR_TLS, "bad record");
	start(&s);
	turn(&s);
	expect_end(&s, RELAY_B_FAILED, 0, 0);
	assert_int_equal(s.error.kind, ERR_TLS);
	assert_string_equal(s.error.text, "bad record");
	finish(&s);
}

/* ---- backpressure ---- */

static void test_slow_receiver_stops_the_sender(void **state)
{
	struct scene s;
	uint8_t *piece = mem_alloc(65536);
	size_t sent = 0;
	size_t got = 0;
	ssize_t count = 0;
	bool is_shut = false;

	prepare(&s, &(struct stream_mem_options){ .capacity = 65536 });
	start(&s);
	for (int i = 0; i < 200; i++) {
		count = stream_write(s.a, piece, 65536);
		sent += count > 0 ? (size_t)count : 0;
		loop_turn(s.loop, false);
	}
	/* Both pairs are full and the relay holds one block at most. */
	assert_true(sent <= 2 * 65536 + LOOP_BLOCK_SIZE);
	assert_true(sent >= 2 * 65536);
	while ((count = stream_read(s.b, piece, 1000)) != STREAM_END) {
		assert_int_not_equal(count, STREAM_FAILED);
		got += count > 0 ? (size_t)count : 0;
		if (!is_shut)
			is_shut = stream_shutdown(s.a) == STREAM_END;
		loop_turn(s.loop, false);
	}
	assert_int_equal(got, sent);
	mem_free(piece);
	finish(&s);
}

/* One fast pair must not keep the loop to itself. */
static void test_a_turn_moves_a_bounded_amount(void **state)
{
	enum { TOTAL = 8 << 20, PER_TURN = 3 << 20 };
	struct scene s;
	uint8_t *bytes = mem_alloc(TOTAL);
	int turns = 0;

	prepare(&s, &(struct stream_mem_options){ .capacity = TOTAL });
	start(&s);
	loop_turn(s.loop, false);
	assert_int_equal(stream_write(s.a, bytes, TOTAL), TOTAL);
	for (size_t before = 0; before < TOTAL; turns++) {
		size_t now = 0;

		assert_true(turns < 50);
		/* It says itself that there is more to do: waiting is allowed here. */
		loop_turn(s.loop, true);
		now = stream_mem_pending(s.b);
		assert_true(now - before <= PER_TURN);
		before = now;
	}
	assert_true(turns > 2);
	mem_free(bytes);
	finish(&s);
}

/* ---- time ---- */

static void test_idle_timeout(void **state)
{
	struct scene s;

	prepare(&s, NULL);
	s.options.idle_timeout_ms = 1000;
	start(&s);
	for (int i = 0; i < 5; i++) {
		clock_fake_advance_ms(900);
		send_text(i % 2 ? s.a : s.b, "x");
		turn(&s);
		assert_int_equal(s.done_count, 0);
	}
	clock_fake_advance_ms(999);
	turn(&s);
	assert_int_equal(s.done_count, 0);
	clock_fake_advance_ms(1);
	turn(&s);
	expect_end(&s, RELAY_IDLE, 2, 3);
	finish(&s);
}

static void test_half_open_is_not_for_ever(void **state)
{
	struct scene s;

	prepare(&s, NULL);
	start(&s);
	clock_fake_advance_ms(100ull * RELAY_HALF_OPEN_IDLE_MS);
	turn(&s);
	assert_int_equal(s.done_count, 0);
	assert_int_equal(stream_shutdown(s.b), STREAM_END);
	turn(&s);
	clock_fake_advance_ms(RELAY_HALF_OPEN_IDLE_MS - 1);
	send_text(s.a, "alive");
	turn(&s);
	clock_fake_advance_ms(RELAY_HALF_OPEN_IDLE_MS - 1);
	turn(&s);
	assert_int_equal(s.done_count, 0);
	clock_fake_advance_ms(1);
	turn(&s);
	expect_end(&s, RELAY_IDLE, 5, 0);
	finish(&s);
}

static void test_linger_keeps_the_end_back(void **state)
{
	struct scene s;

	prepare(&s, NULL);
	s.options.linger_ms = 4000;
	start(&s);
	send_text(s.a, "question");
	assert_int_equal(stream_shutdown(s.a), STREAM_END);
	turn(&s);
	expect_text(s.b, "question");
	expect_result(s.b, STREAM_AGAIN);
	for (int i = 0; i < 3; i++) {
		clock_fake_advance_ms(3999);
		turn(&s);
		assert_int_equal(s.done_count, 0);
		send_text(s.b, "part");
		turn(&s);
		expect_text(s.a, "part");
	}
	clock_fake_advance_ms(3999);
	turn(&s);
	assert_int_equal(s.done_count, 0);
	clock_fake_advance_ms(1);
	turn(&s);
	expect_end(&s, RELAY_A_CLOSED, 8, 12);
	expect_result(s.a, STREAM_END);
	expect_result(s.b, STREAM_END);
	finish(&s);
}

static void test_linger_ends_with_b(void **state)
{
	struct scene s;

	prepare(&s, NULL);
	s.options.linger_ms = 4000;
	start(&s);
	assert_int_equal(stream_shutdown(s.a), STREAM_END);
	turn(&s);
	send_text(s.b, "last");
	assert_int_equal(stream_shutdown(s.b), STREAM_END);
	turn(&s);
	expect_text(s.a, "last");
	expect_end(&s, RELAY_A_CLOSED, 0, 4);
	finish(&s);
}

/* ---- every step ---- */

static void step_send(struct scene *s)
{
	(void)stream_write(s->a, "0123456789abcdef", 16);
	(void)stream_write(s->b, "0123456789abcdef", 16);
}

static void step_receive(struct scene *s)
{
	char got[7];

	(void)stream_read(s->a, got, sizeof(got));
	(void)stream_read(s->b, got, sizeof(got));
}

static void step_shut_a(struct scene *s)
{
	(void)stream_shutdown(s->a);
}

static void step_fail_b(struct scene *s)
{
	stream_close(s->b, STREAM_CLOSE_RESET);
	s->b = NULL;
}

static void step_nothing(struct scene *s)
{
}

static void (*const script[])(struct scene *s) = {
	step_send, step_receive, step_send,    step_nothing, step_receive,
	step_send, step_shut_a,  step_receive, step_nothing, step_fail_b,
};

/* Plays the script and closes the relay in the middle of turn number close_at. */
static void play_script(unsigned close_at, enum stream_close how)
{
	struct scene s;
	unsigned turns = 0;

	prepare(&s, &(struct stream_mem_options){ .capacity = 10, .read_max = 5, .write_max = 3 });
	s.options.prefix_to_b = BUF_INIT(100);
	assert_int_equal(buf_append_str(&s.options.prefix_to_b, STR("a longer prefix")), 0);
	s.options.idle_timeout_ms = 5000;
	start(&s);
	for (size_t i = 0; i < ARRAY_LEN(script); i++) {
		script[i](&s);
		for (int k = 0; k < 4; k++) {
			if (turns++ == close_at) {
				relay_close(s.relay, how, NULL);
				s.relay = NULL;
				s.done_count += 100;
			}
			loop_turn(s.loop, false);
		}
	}
	assert_true(s.done_count == 1 || s.done_count == 100 || s.done_count == 101);
	finish(&s);
}

static void test_close_at_every_step(void **state)
{
	for (unsigned close_at = 0; close_at < 45; close_at++) {
		play_script(close_at, STREAM_CLOSE_NORMAL);
		play_script(close_at, STREAM_CLOSE_RESET);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes_go_both_ways),
		cmocka_unit_test(test_prefixes_come_first),
		cmocka_unit_test(test_prefix_larger_than_the_receiver),
		cmocka_unit_test(test_half_close),
		cmocka_unit_test(test_failure_is_passed_on_as_reset),
		cmocka_unit_test(test_failure_while_bytes_are_left),
		cmocka_unit_test(test_streams_that_failed_before),
		cmocka_unit_test(test_slow_receiver_stops_the_sender),
		cmocka_unit_test(test_a_turn_moves_a_bounded_amount),
		cmocka_unit_test(test_idle_timeout),
		cmocka_unit_test(test_half_open_is_not_for_ever),
		cmocka_unit_test(test_linger_keeps_the_end_back),
		cmocka_unit_test(test_linger_ends_with_b),
		cmocka_unit_test(test_close_at_every_step),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
