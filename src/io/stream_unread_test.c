/*
 * The bytes come once more, and after them it is the stream it was.
 */

#include "io/stream_unread.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "io/loop.h"
#include "tests/support/stream_contract.h"
#include "tests/support/stream_mem.h"

static void open_pair(void *arg, struct loop *loop, struct stream **ret_a, struct stream **ret_b)
{
	struct buf nothing = BUF_INIT(16);
	struct stream *a;
	struct stream *b;

	stream_mem_pair(loop, arg, &a, &b);
	*ret_a = stream_unread_open(loop, a, &nothing);
	*ret_b = stream_unread_open(loop, b, &nothing);
}

static void test_contract(void **state)
{
	static const struct stream_mem_options options[] = {
		{ 0 },
		{ .capacity = 16, .read_max = 1, .write_max = 1, .shutdown_waits = 2 },
	};

	for (size_t i = 0; i < ARRAY_LEN(options); i++)
		stream_contract_run(&(struct stream_contract){
			.name = "unread",
			.open_pair = open_pair,
			.arg = (void *)(uintptr_t)&options[i],
			.shows_reset = true,
		});
}

static void test_bytes_come_first(void **state)
{
	struct loop *loop = loop_new();
	struct buf bytes = BUF_INIT(16);
	struct stream *peer;
	struct stream *lower;
	struct stream *s;
	char text[8] = { 0 };

	stream_mem_pair(loop, &(struct stream_mem_options){ 0 }, &peer, &lower);
	assert_int_equal(stream_write(peer, "de", 2), 2);
	assert_int_equal(buf_append_str(&bytes, STR("abc")), 0);
	s = stream_unread_open(loop, lower, &bytes);
	assert_int_equal(bytes.len, 0);
	assert_int_equal(stream_read(s, text, 2), 2);
	assert_int_equal(stream_read(s, text + 2, 6), 1);
	assert_int_equal(stream_read(s, text + 3, 5), 2);
	assert_string_equal(text, "abcde");
	assert_int_equal(stream_read(s, text, 1), STREAM_AGAIN);
	stream_close(s, STREAM_CLOSE_NORMAL);
	stream_close(peer, STREAM_CLOSE_NORMAL);
	loop_turn(loop, false);
	loop_free(loop);
}

/* Closed before anybody wanted the bytes: nothing is lost but them. */
static void test_closed_early(void **state)
{
	struct loop *loop = loop_new();
	struct buf bytes = BUF_INIT(16);
	struct stream *peer;
	struct stream *lower;

	stream_mem_pair(loop, &(struct stream_mem_options){ 0 }, &peer, &lower);
	assert_int_equal(buf_append_str(&bytes, STR("abc")), 0);
	stream_close(stream_unread_open(loop, lower, &bytes), STREAM_CLOSE_RESET);
	assert_true(stream_mem_peer_was_reset(peer));
	stream_close(peer, STREAM_CLOSE_NORMAL);
	loop_turn(loop, false);
	loop_free(loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_contract),
		cmocka_unit_test(test_bytes_come_first),
		cmocka_unit_test(test_closed_early),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
