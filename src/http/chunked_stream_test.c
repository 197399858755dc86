#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "http/chunked_stream.h"
#include "io/loop.h"
#include "tests/support/stream_contract.h"
#include "tests/support/stream_mem.h"

static const struct h1_body chunked = { .kind = H1_BODY_CHUNKED };
static const struct h1_body until_end = { .kind = H1_BODY_UNTIL_END };

static void ignore_event(void *arg, unsigned events)
{
}

/* ---- the contract ---- */

static void open_pair(void *arg, struct loop *loop, struct stream **ret_a, struct stream **ret_b)
{
	const struct stream_mem_options *options = arg;
	struct stream *server;
	struct stream *client;
	struct buf head = { 0 };
	struct buf early = { 0 };

	stream_mem_pair(loop, options, &server, &client);
	*ret_a = chunked_stream_server(loop, server, &head);
	*ret_b = chunked_stream_client(loop, client, &chunked, &early);
}

static void test_contract(void **state)
{
	static const struct stream_mem_options ways[] = {
		{ 0 },
		{ .capacity = 1000, .read_max = 1 },
		{ .capacity = 1000, .write_max = 3 },
		{ .capacity = 64, .shutdown_waits = 2 },
	};

	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		const struct stream_contract contract = {
			.name = "chunked_stream",
			.open_pair = open_pair,
			.arg = (void *)(uintptr_t)&ways[i],
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
};

static void settle(struct fixture *f)
{
	for (int i = 0; i < 20; i++)
		loop_turn(f->loop, false);
}

static void begin(struct fixture *f, const struct h1_body *body, struct str first)
{
	struct buf bytes = BUF_INIT(1000);
	struct stream *near;

	f->loop = loop_new();
	(void)buf_append_str(&bytes, first);
	stream_mem_pair(f->loop, NULL, &f->wire, &near);
	stream_set_owner(f->wire, ignore_event, NULL);
	f->stream = body ? chunked_stream_client(f->loop, near, body, &bytes)
			 : chunked_stream_server(f->loop, near, &bytes);
	stream_set_owner(f->stream, ignore_event, NULL);
}

static void end(struct fixture *f)
{
	stream_close(f->stream, STREAM_CLOSE_NORMAL);
	stream_close(f->wire, STREAM_CLOSE_NORMAL);
	settle(f);
	loop_free(f->loop);
}

static void assert_comes(struct stream *s, const char *wanted)
{
	char got[256] = { 0 };
	size_t len = 0;
	ssize_t count = 0;

	while ((count = stream_read(s, got + len, sizeof(got) - 1 - len)) > 0)
		len += (size_t)count;
	assert_string_equal(got, wanted);
}

static void test_the_head_goes_first_and_each_write_is_a_chunk(void **state)
{
	struct fixture f;

	begin(&f, NULL, STR("head|"));
	settle(&f);
	assert_comes(f.wire, "head|"); /* although nothing is written behind it */
	assert_int_equal(stream_write(f.stream, "hello", 5), 5);
	assert_int_equal(stream_write(f.stream, "0123456789abcdef", 16), 16);
	assert_comes(f.wire, "5\r\nhello\r\n10\r\n0123456789abcdef\r\n");
	assert_int_equal(stream_shutdown(f.stream), STREAM_END);
	assert_comes(f.wire, "0\r\n\r\n");
	end(&f);
}

static void test_what_the_server_reads_is_not_framed(void **state)
{
	struct fixture f;
	char got[16] = { 0 };

	begin(&f, NULL, STR("head|"));
	assert_int_equal(stream_write(f.wire, "5\r\nx", 4), 4);
	assert_int_equal(stream_read(f.stream, got, sizeof(got)), 4);
	assert_string_equal(got, "5\r\nx");
	end(&f);
}

static void test_the_client_reads_what_came_with_the_head(void **state)
{
	struct fixture f;

	begin(&f, &chunked, STR("3\r\nab"));
	assert_comes(f.stream, "ab");
	assert_int_equal(stream_write(f.wire, "c\r\n2\r\nde\r\n0\r\n\r\nrest", 19), 19);
	assert_comes(f.stream, "cde");
	assert_int_equal(stream_read(f.stream, (char[1]){ 0 }, 1), STREAM_END);
	assert_int_equal(stream_write(f.stream, "raw", 3), 3);
	assert_comes(f.wire, "raw");
	end(&f);
}

static void expect_failure(struct fixture *f, enum err_kind kind)
{
	char byte;

	assert_int_equal(stream_read(f->stream, &byte, 1), STREAM_FAILED);
	assert_int_equal(stream_error(f->stream)->kind, kind);
	end(f);
}

static void test_a_body_that_is_cut_off_or_broken_fails(void **state)
{
	struct fixture f;

	begin(&f, &chunked, STR("5\r\nab"));
	assert_comes(f.stream, "ab");
	assert_int_equal(stream_shutdown(f.wire), STREAM_END);
	expect_failure(&f, ERR_CLOSED);
	begin(&f, &chunked, STR("xyz"));
	expect_failure(&f, ERR_PROTOCOL);
}

static void test_a_body_without_framing_ends_with_the_connection(void **state)
{
	struct fixture f;
	char byte;

	begin(&f, &until_end, STR("5\r\n"));
	assert_comes(f.stream, "5\r\n");
	assert_int_equal(stream_shutdown(f.wire), STREAM_END);
	assert_int_equal(stream_read(f.stream, &byte, 1), STREAM_END);
	end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_contract),
		cmocka_unit_test(test_the_head_goes_first_and_each_write_is_a_chunk),
		cmocka_unit_test(test_what_the_server_reads_is_not_framed),
		cmocka_unit_test(test_the_client_reads_what_came_with_the_head),
		cmocka_unit_test(test_a_body_that_is_cut_off_or_broken_fails),
		cmocka_unit_test(test_a_body_without_framing_ends_with_the_connection),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
