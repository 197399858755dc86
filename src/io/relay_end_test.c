#include "io/relay.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "io/loop.h"
#include "tests/support/clock_fake.h"
#include "tests/support/relay_scene.h"

/* ---- ends ---- */

static void test_half_close(void **state)
{
	for (unsigned waits = 0; waits < 3; waits++) {
		for (int first = 0; first < 2; first++) {
			struct relay_scene s;
			struct stream *ends[2];

			relay_scene_prepare(
				&s, &(struct stream_mem_options){ .shutdown_waits = waits });
			ends[0] = first == 0 ? s.a : s.b;
			ends[1] = first == 0 ? s.b : s.a;
			relay_scene_start(&s);
			relay_scene_send(ends[0], "question");
			while (stream_shutdown(ends[0]) == STREAM_AGAIN)
				relay_scene_turn(&s);
			relay_scene_turn(&s);
			relay_scene_expect_text(ends[1], "question");
			relay_scene_expect_result(ends[1], STREAM_END);
			relay_scene_send(ends[1], "answer");
			relay_scene_turn(&s);
			relay_scene_expect_text(ends[0], "answer");
			relay_scene_expect_result(ends[0], STREAM_AGAIN);
			assert_int_equal(s.done_count, 0);
			while (stream_shutdown(ends[1]) == STREAM_AGAIN)
				relay_scene_turn(&s);
			relay_scene_turn(&s);
			relay_scene_expect_result(ends[0], STREAM_END);
			relay_scene_expect_end(&s, first == 0 ? RELAY_A_CLOSED : RELAY_B_CLOSED,
					       first == 0 ? 8 : 6, first == 0 ? 6 : 8);
			assert_false(stream_mem_peer_was_reset(s.a));
			assert_false(stream_mem_peer_was_reset(s.b));
			relay_scene_finish(&s);
		}
	}
}

static void test_failure_is_passed_on_as_reset(void **state)
{
	for (int side = 0; side < 2; side++) {
		struct relay_scene s;

		relay_scene_prepare(&s, NULL);
		relay_scene_start(&s);
		relay_scene_send(s.a, "abc");
		relay_scene_turn(&s);
		stream_close(TAKE(*(side == 0 ? &s.a : &s.b)), STREAM_CLOSE_RESET);
		relay_scene_turn(&s);
		assert_true(stream_mem_peer_was_reset(side == 0 ? s.b : s.a));
		relay_scene_expect_end(&s, side == 0 ? RELAY_A_FAILED : RELAY_B_FAILED, 3, 0);
		assert_int_equal(s.error.kind, ERR_RESET);
		relay_scene_finish(&s);
	}
}

static void test_failure_while_bytes_are_left(void **state)
{
	struct relay_scene s;

	relay_scene_prepare(&s, &(struct stream_mem_options){ .capacity = 8 });
	relay_scene_start(&s);
	relay_scene_send(s.a, "12345678");
	relay_scene_turn(&s);
	relay_scene_send(s.a, "abcdefgh");
	relay_scene_turn(&s);
	/* Eight bytes wait in b, eight in the relay. */
	stream_close(TAKE(s.b), STREAM_CLOSE_RESET);
	relay_scene_turn(&s);
	relay_scene_expect_end(&s, RELAY_B_FAILED, 16, 0);
	assert_true(stream_mem_peer_was_reset(s.a));
	relay_scene_finish(&s);
}

/* Who has ended in order owes nothing: going away afterwards is no failure of the other side. */
static void test_gone_after_an_orderly_end(void **state)
{
	for (int side = 0; side < 2; side++) {
		struct relay_scene s;
		struct stream **gone;
		struct stream **left;

		relay_scene_prepare(&s, NULL);
		gone = side == 0 ? &s.a : &s.b;
		left = side == 0 ? &s.b : &s.a;
		relay_scene_start(&s);
		relay_scene_send(*gone, "bye");
		assert_int_equal(stream_shutdown(*gone), STREAM_END);
		relay_scene_turn(&s);
		stream_close(TAKE(*gone), STREAM_CLOSE_RESET);
		relay_scene_send(*left, "too late");
		relay_scene_turn(&s);
		relay_scene_expect_text(*left, "bye");
		assert_false(stream_mem_peer_was_reset(*left));
		relay_scene_expect_end(&s, side == 0 ? RELAY_A_CLOSED : RELAY_B_CLOSED,
				       side == 0 ? 3 : 8, side == 0 ? 8 : 3);
		relay_scene_finish(&s);
	}
}

static void test_streams_that_failed_before(void **state)
{
	struct relay_scene s;

	relay_scene_prepare(&s, NULL);
	stream_mem_fail(s.options.b, ERR_TLS, "bad record");
	relay_scene_start(&s);
	relay_scene_turn(&s);
	relay_scene_expect_end(&s, RELAY_B_FAILED, 0, 0);
	assert_int_equal(s.error.kind, ERR_TLS);
	assert_string_equal(s.error.text, "bad record");
	relay_scene_finish(&s);
}

/* ---- time ---- */

static void test_idle_timeout(void **state)
{
	struct relay_scene s;

	relay_scene_prepare(&s, NULL);
	s.options.idle_timeout_ms = 1000;
	relay_scene_start(&s);
	for (int i = 0; i < 5; i++) {
		clock_fake_advance_ms(900);
		relay_scene_send(i % 2 ? s.a : s.b, "x");
		relay_scene_turn(&s);
		assert_int_equal(s.done_count, 0);
	}
	clock_fake_advance_ms(999);
	relay_scene_turn(&s);
	assert_int_equal(s.done_count, 0);
	clock_fake_advance_ms(1);
	relay_scene_turn(&s);
	relay_scene_expect_end(&s, RELAY_IDLE, 2, 3);
	relay_scene_finish(&s);
}

static void test_half_open_is_not_for_ever(void **state)
{
	struct relay_scene s;

	relay_scene_prepare(&s, NULL);
	relay_scene_start(&s);
	clock_fake_advance_ms(100ull * RELAY_HALF_OPEN_IDLE_MS);
	relay_scene_turn(&s);
	assert_int_equal(s.done_count, 0);
	assert_int_equal(stream_shutdown(s.b), STREAM_END);
	relay_scene_turn(&s);
	clock_fake_advance_ms(RELAY_HALF_OPEN_IDLE_MS - 1);
	relay_scene_send(s.a, "alive");
	relay_scene_turn(&s);
	clock_fake_advance_ms(RELAY_HALF_OPEN_IDLE_MS - 1);
	relay_scene_turn(&s);
	assert_int_equal(s.done_count, 0);
	clock_fake_advance_ms(1);
	relay_scene_turn(&s);
	relay_scene_expect_end(&s, RELAY_IDLE, 5, 0);
	relay_scene_finish(&s);
}

static void test_linger_keeps_the_end_back(void **state)
{
	struct relay_scene s;

	relay_scene_prepare(&s, NULL);
	s.options.linger_ms = 4000;
	relay_scene_start(&s);
	relay_scene_send(s.a, "question");
	assert_int_equal(stream_shutdown(s.a), STREAM_END);
	relay_scene_turn(&s);
	relay_scene_expect_text(s.b, "question");
	relay_scene_expect_result(s.b, STREAM_AGAIN);
	for (int i = 0; i < 3; i++) {
		clock_fake_advance_ms(3999);
		relay_scene_turn(&s);
		assert_int_equal(s.done_count, 0);
		relay_scene_send(s.b, "part");
		relay_scene_turn(&s);
		relay_scene_expect_text(s.a, "part");
	}
	clock_fake_advance_ms(3999);
	relay_scene_turn(&s);
	assert_int_equal(s.done_count, 0);
	clock_fake_advance_ms(1);
	relay_scene_turn(&s);
	relay_scene_expect_end(&s, RELAY_A_CLOSED, 8, 12);
	relay_scene_expect_result(s.a, STREAM_END);
	relay_scene_expect_result(s.b, STREAM_END);
	relay_scene_finish(&s);
}

static void test_linger_ends_with_b(void **state)
{
	struct relay_scene s;

	relay_scene_prepare(&s, NULL);
	s.options.linger_ms = 4000;
	relay_scene_start(&s);
	assert_int_equal(stream_shutdown(s.a), STREAM_END);
	relay_scene_turn(&s);
	relay_scene_send(s.b, "last");
	assert_int_equal(stream_shutdown(s.b), STREAM_END);
	relay_scene_turn(&s);
	relay_scene_expect_text(s.a, "last");
	relay_scene_expect_end(&s, RELAY_A_CLOSED, 0, 4);
	relay_scene_finish(&s);
}

/* Nobody has to say that he is done with a peer for whom everything is over. */
static void test_linger_does_not_wait_for_a(void **state)
{
	struct relay_scene s;

	relay_scene_prepare(&s, NULL);
	s.options.linger_ms = 4000;
	relay_scene_start(&s);
	relay_scene_send(s.b, "last");
	assert_int_equal(stream_shutdown(s.b), STREAM_END);
	relay_scene_turn(&s);
	relay_scene_expect_text(s.a, "last");
	relay_scene_expect_end(&s, RELAY_B_CLOSED, 0, 4);
	relay_scene_finish(&s);
}

/* ---- every step ---- */

static void step_send(struct relay_scene *s)
{
	(void)stream_write(s->a, "0123456789abcdef", 16);
	(void)stream_write(s->b, "0123456789abcdef", 16);
}

static void step_receive(struct relay_scene *s)
{
	char got[7];

	(void)stream_read(s->a, got, sizeof(got));
	(void)stream_read(s->b, got, sizeof(got));
}

static void step_shut_a(struct relay_scene *s)
{
	(void)stream_shutdown(s->a);
}

static void step_fail_b(struct relay_scene *s)
{
	stream_close(s->b, STREAM_CLOSE_RESET);
	s->b = NULL;
}

static void step_nothing(struct relay_scene *s)
{
}

static void (*const script[])(struct relay_scene *s) = {
	step_send, step_receive, step_send,    step_nothing, step_receive,
	step_send, step_shut_a,  step_receive, step_nothing, step_fail_b,
};

/* Plays the script and closes the relay in the middle of turn number close_at. */
static void play_script(unsigned close_at, enum stream_close how)
{
	struct relay_scene s;
	unsigned turns = 0;

	relay_scene_prepare(
		&s, &(struct stream_mem_options){ .capacity = 10, .read_max = 5, .write_max = 3 });
	s.options.prefix_to_b = BUF_INIT(100);
	assert_int_equal(buf_append_str(&s.options.prefix_to_b, STR("a longer prefix")), 0);
	s.options.idle_timeout_ms = 5000;
	relay_scene_start(&s);
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
	relay_scene_finish(&s);
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
		cmocka_unit_test(test_half_close),
		cmocka_unit_test(test_failure_is_passed_on_as_reset),
		cmocka_unit_test(test_failure_while_bytes_are_left),
		cmocka_unit_test(test_gone_after_an_orderly_end),
		cmocka_unit_test(test_streams_that_failed_before),
		cmocka_unit_test(test_idle_timeout),
		cmocka_unit_test(test_half_open_is_not_for_ever),
		cmocka_unit_test(test_linger_keeps_the_end_back),
		cmocka_unit_test(test_linger_ends_with_b),
		cmocka_unit_test(test_linger_does_not_wait_for_a),
		cmocka_unit_test(test_close_at_every_step),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
