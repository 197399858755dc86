/*
 * One request and its end, in pieces of all sizes; and bodies that break off or are none.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "cli/forward_request.h"
#include "cli/forward_stream.h"
#include "io/loop.h"
#include "tests/support/stream_mem.h"

struct scene {
	struct loop *loop;
	struct stream *program;
	struct stream *forward;
};

static void ignore_event(void *arg, unsigned events)
{
}

/* The request's head is "HEAD|". */
static void open_scene(struct scene *s, size_t read_max, struct h1_body body)
{
	struct forward_request request = { .head = BUF_INIT(100), .body = body };
	struct stream *lower;

	*s = (struct scene){ .loop = loop_new() };
	assert_int_equal(buf_append_str(&request.head, STR("HEAD|")), 0);
	stream_mem_pair(s->loop, &(struct stream_mem_options){ .read_max = read_max }, &s->program,
			&lower);
	s->forward = forward_stream_open(s->loop, lower, &request);
	stream_set_owner(s->forward, ignore_event, NULL);
	stream_set_owner(s->program, ignore_event, NULL);
	forward_request_done(&request);
}

static void close_scene(struct scene *s)
{
	stream_close(s->program, STREAM_CLOSE_NORMAL);
	stream_close(s->forward, STREAM_CLOSE_NORMAL);
	loop_free(s->loop);
}

static void send(struct scene *s, struct str text)
{
	if (text.len > 0)
		assert_int_equal(stream_write(s->program, text.at, text.len), text.len);
}

/* Reads what is there, piece bytes at most at a time. Returns what ended it. */
static ssize_t read_all(struct scene *s, size_t piece, struct buf *out)
{
	char bytes[64];
	ssize_t count;

	assert_true(piece <= sizeof(bytes));
	while ((count = stream_read(s->forward, bytes, piece)) > 0)
		assert_int_equal(buf_append(out, bytes, (size_t)count), 0);
	return count;
}

struct row {
	struct h1_body body;
	struct str sent;
	struct str read;
	ssize_t end;
};

#define NO_BODY                                                                                    \
	{                                                                                          \
		.kind = H1_BODY_NONE, .is_complete = true                                          \
	}
#define LENGTH(bytes)                                                                              \
	{                                                                                          \
		.kind = H1_BODY_LENGTH, .left = (bytes)                                            \
	}
#define CHUNKED                                                                                    \
	{                                                                                          \
		.kind = H1_BODY_CHUNKED                                                            \
	}
#define CHUNKS "3;x=y\r\nabc\r\n0\r\nTrailer: x\r\n\r\n"

static const struct row rows[] = {
	{ NO_BODY, STR(""), STR(""), STREAM_AGAIN },
	{ LENGTH(3), STR("abc"), STR("abc"), STREAM_AGAIN },
	{ LENGTH(3), STR("ab"), STR("ab"), STREAM_AGAIN },
	{ CHUNKED, STR(CHUNKS), STR(CHUNKS), STREAM_AGAIN },
	{ CHUNKED, STR("3\r\nab"), STR("3\r\nab"), STREAM_AGAIN },
	/* another request is the end, and nobody gets it */
	{ NO_BODY, STR("GET"), STR(""), STREAM_END },
	{ LENGTH(3), STR("abcGET"), STR("abc"), STREAM_END },
	{ CHUNKED, STR(CHUNKS "GET"), STR(CHUNKS), STREAM_END },
};

static void check_row(const struct row *row, size_t read_max, size_t piece)
{
	struct buf received = BUF_INIT(1000);
	struct scene s;

	open_scene(&s, read_max, row->body);
	send(&s, row->sent);
	assert_int_equal(read_all(&s, piece, &received), row->end);
	assert_true(str_starts_with(buf_view(&received), STR("HEAD|")));
	assert_true(str_equal(str_from_pos(buf_view(&received), 5), row->read));
	assert_int_equal(read_all(&s, piece, &received), row->end);
	buf_done(&received);
	close_scene(&s);
}

static void test_pieces(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		check_row(&rows[i], 0, 64);
		check_row(&rows[i], 1, 64);
		check_row(&rows[i], 0, 1);
		check_row(&rows[i], 7, 3);
	}
}

static void test_half_close_after_the_request(void **state)
{
	struct buf received = BUF_INIT(1000);
	struct scene s;

	open_scene(&s, 0, (struct h1_body)LENGTH(3));
	send(&s, STR("abc"));
	assert_int_equal(stream_shutdown(s.program), STREAM_END);
	assert_int_equal(read_all(&s, 64, &received), STREAM_END);
	assert_true(str_equal(buf_view(&received), STR("HEAD|abc")));
	assert_int_equal(stream_write(s.forward, "answer", 6), 6);
	assert_int_equal(stream_mem_pending(s.program), 6);
	buf_done(&received);
	close_scene(&s);
}

static void check_failure(struct h1_body body, struct str sent, enum err_kind kind)
{
	struct buf received = BUF_INIT(1000);
	struct scene s;

	open_scene(&s, 0, body);
	send(&s, sent);
	assert_int_equal(stream_shutdown(s.program), STREAM_END);
	assert_int_equal(read_all(&s, 64, &received), STREAM_FAILED);
	assert_int_equal(stream_error(s.forward)->kind, kind);
	assert_int_equal(read_all(&s, 64, &received), STREAM_FAILED);
	buf_done(&received);
	close_scene(&s);
}

static void test_broken_bodies(void **state)
{
	check_failure((struct h1_body)LENGTH(4), STR("abc"), ERR_CLOSED);
	check_failure((struct h1_body)CHUNKED, STR("3\r\nab"), ERR_CLOSED);
	check_failure((struct h1_body)CHUNKED, STR("3 \r\nabc\r\n0\r\n\r\n"), ERR_PROTOCOL);
	check_failure((struct h1_body)CHUNKED, STR("2\r\nabc\r\n0\r\n\r\n"), ERR_PROTOCOL);
	check_failure((struct h1_body)CHUNKED, STR("fffffffffffffffff\r\n"), ERR_PROTOCOL);
}

static void test_failure_of_the_connection(void **state)
{
	struct buf received = BUF_INIT(1000);
	struct scene s;

	open_scene(&s, 0, (struct h1_body)NO_BODY);
	stream_close(TAKE(s.program), STREAM_CLOSE_RESET);
	assert_int_equal(read_all(&s, 64, &received), STREAM_FAILED);
	assert_non_null(stream_error(s.forward));
	buf_done(&received);
	close_scene(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_half_close_after_the_request),
		cmocka_unit_test(test_broken_bodies),
		cmocka_unit_test(test_failure_of_the_connection),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
