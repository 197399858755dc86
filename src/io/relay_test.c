#include "io/relay.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "io/loop.h"
#include "tests/support/relay_scene.h"

/* ---- bytes ---- */

static void test_bytes_go_both_ways(void **state)
{
	struct relay_scene s;
	struct relay_result counts;

	relay_scene_prepare(&s, NULL);
	relay_scene_start(&s);
	relay_scene_send(s.a, "to b");
	relay_scene_send(s.b, "to a!");
	relay_scene_turn(&s);
	relay_scene_expect_text(s.b, "to b");
	relay_scene_expect_text(s.a, "to a!");
	relay_scene_send(s.a, "more");
	relay_scene_turn(&s);
	relay_scene_expect_text(s.b, "more");
	relay_close(s.relay, STREAM_CLOSE_NORMAL, &counts);
	s.relay = NULL;
	assert_int_equal(counts.bytes_from_a, 8);
	assert_int_equal(counts.bytes_from_b, 5);
	relay_scene_turn(&s);
	assert_int_equal(s.done_count, 0);
	relay_scene_expect_result(s.a, STREAM_END);
	relay_scene_expect_result(s.b, STREAM_END);
	relay_scene_finish(&s);
}

static void test_prefixes_come_first(void **state)
{
	struct relay_scene s;

	relay_scene_prepare(&s, NULL);
	s.options.prefix_to_b = BUF_INIT(100);
	s.options.prefix_to_a = BUF_INIT(100);
	assert_int_equal(buf_append_str(&s.options.prefix_to_b, STR("early ")), 0);
	assert_int_equal(buf_append_str(&s.options.prefix_to_a, STR("hello ")), 0);
	relay_scene_send(s.a, "bird");
	relay_scene_send(s.b, "world");
	relay_scene_start(&s);
	relay_scene_turn(&s);
	relay_scene_expect_text(s.b, "early bird");
	relay_scene_expect_text(s.a, "hello world");
	assert_int_equal(stream_shutdown(s.a), STREAM_END);
	assert_int_equal(stream_shutdown(s.b), STREAM_END);
	relay_scene_turn(&s);
	/* What was said to a is not from b. */
	relay_scene_expect_end(&s, RELAY_A_CLOSED, 10, 5);
	relay_scene_finish(&s);
}

static void test_prefix_larger_than_the_receiver(void **state)
{
	struct relay_scene s;
	char got[4];
	size_t total = 0;

	relay_scene_prepare(&s, &(struct stream_mem_options){ .capacity = 4 });
	s.options.prefix_to_b = BUF_INIT(100);
	assert_int_equal(buf_append_str(&s.options.prefix_to_b, STR("0123456789")), 0);
	relay_scene_send(s.a, "ab");
	assert_int_equal(stream_shutdown(s.a), STREAM_END);
	relay_scene_start(&s);
	for (int i = 0; i < 10 && total < 12; i++) {
		ssize_t count = 0;

		relay_scene_turn(&s);
		count = stream_read(s.b, got, sizeof(got));
		assert_true(count > 0);
		assert_memory_equal(got, &"0123456789ab"[total], count);
		total += (size_t)count;
	}
	relay_scene_turn(&s);
	relay_scene_expect_result(s.b, STREAM_END);
	relay_scene_finish(&s);
}

static uint32_t next_number(uint32_t *random)
{
	*random = *random * 1664525u + 1013904223u;
	return *random >> 8;
}

struct way {
	struct stream *from;
	struct stream *to;
	uint8_t *bytes;
	size_t sent;
	size_t got;
	bool is_shut;
	bool has_ended;
};

static void move_some(struct way *w, size_t total, uint32_t *random)
{
	uint8_t piece[5000];
	size_t len = 1 + next_number(random) % sizeof(piece);
	ssize_t count = 0;

	if (w->sent < total) {
		count = stream_write(w->from, w->bytes + w->sent,
				     len < total - w->sent ? len : total - w->sent);
		assert_int_not_equal(count, STREAM_FAILED);
		w->sent += count > 0 ? (size_t)count : 0;
	} else if (!w->is_shut) {
		w->is_shut = stream_shutdown(w->from) == STREAM_END;
	}
	if (w->has_ended || next_number(random) % 3 == 0)
		return;
	count = stream_read(w->to, piece, 1 + next_number(random) % sizeof(piece));
	assert_int_not_equal(count, STREAM_FAILED);
	w->has_ended = count == STREAM_END;
	if (count > 0) {
		assert_memory_equal(piece, w->bytes + w->got, count);
		w->got += (size_t)count;
	}
}

static void test_irregular_pieces(void **state)
{
	enum { TOTAL = 200000 };
	static const struct stream_mem_options mem[] = {
		{ 0 },
		{ .capacity = 1, .shutdown_waits = 1 },
		{ .capacity = 1000, .read_max = 7, .write_max = 300 },
		{ .capacity = 70000, .read_max = 4000, .write_max = 11, .shutdown_waits = 3 },
	};
	uint8_t *bytes = mem_alloc(TOTAL);
	uint32_t random = 1;

	for (size_t i = 0; i < TOTAL; i++)
		bytes[i] = (uint8_t)next_number(&random);
	for (size_t i = 0; i < ARRAY_LEN(mem); i++) {
		size_t total = mem[i].capacity == 1 ? 5000 : TOTAL;
		struct relay_scene s;
		struct way ways[2];

		relay_scene_prepare(&s, &mem[i]);
		ways[0] = (struct way){ .from = s.a, .to = s.b, .bytes = bytes };
		ways[1] = (struct way){ .from = s.b, .to = s.a, .bytes = bytes };
		relay_scene_start(&s);
		for (int k = 0; k < 1000000 && !(ways[0].has_ended && ways[1].has_ended); k++) {
			move_some(&ways[next_number(&random) % 2], total, &random);
			loop_turn(s.loop, false);
		}
		relay_scene_turn(&s);
		assert_int_equal(ways[0].got, total);
		assert_int_equal(ways[1].got, total);
		assert_int_equal(s.done_count, 1);
		assert_int_equal(s.result.bytes_from_a, total);
		assert_int_equal(s.result.bytes_from_b, total);
		relay_scene_finish(&s);
	}
	mem_free(bytes);
}

/* ---- backpressure ---- */

static void test_slow_receiver_stops_the_sender(void **state)
{
	struct relay_scene s;
	uint8_t *piece = mem_alloc(65536);
	size_t sent = 0;
	size_t got = 0;
	ssize_t count = 0;
	bool is_shut = false;

	relay_scene_prepare(&s, &(struct stream_mem_options){ .capacity = 65536 });
	relay_scene_start(&s);
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
	relay_scene_finish(&s);
}

/* One fast pair must not keep the loop to itself. */
static void test_a_turn_moves_a_bounded_amount(void **state)
{
	enum { TOTAL = 8 << 20, PER_TURN = 3 << 20 };
	struct relay_scene s;
	uint8_t *bytes = mem_alloc(TOTAL);
	int turns = 0;

	relay_scene_prepare(&s, &(struct stream_mem_options){ .capacity = TOTAL });
	relay_scene_start(&s);
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
	relay_scene_finish(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes_go_both_ways),
		cmocka_unit_test(test_prefixes_come_first),
		cmocka_unit_test(test_prefix_larger_than_the_receiver),
		cmocka_unit_test(test_irregular_pieces),
		cmocka_unit_test(test_slow_receiver_stops_the_sender),
		cmocka_unit_test(test_a_turn_moves_a_bounded_amount),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
