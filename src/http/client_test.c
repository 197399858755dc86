#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/buf.h"
#include "http/client.h"
#include "io/loop.h"
#include "tests/support/clock_fake.h"
#include "tests/support/stream_mem.h"

#define TIMEOUT_MS 5000
#define BODY_MAX   32

struct fixture {
	struct loop *loop;
	struct stream *server; /* the test's end */
	struct http_client *client;
	unsigned done_count;
	int status; /* 0: failed */
	enum err_kind failure;
	struct buf body;
	struct buf location;
	bool cancels_in_callback;
	bool was_kept; /* the stream */
};

static void on_done(void *arg, const struct http_client_response *response, const struct err *e)
{
	struct fixture *f = arg;
	struct str location;

	f->done_count++;
	assert_true((response == NULL) != (e == NULL));
	if (e)
		f->failure = e->kind;
	if (response) {
		f->status = response->status;
		assert_int_equal(buf_append_str(&f->body, response->body), 0);
		if (http_headers_get(&response->headers, STR("location"), &location))
			assert_int_equal(buf_append_str(&f->location, location), 0);
	}
	if (response && response->stream) {
		f->was_kept = true;
		stream_close(response->stream, STREAM_CLOSE_NORMAL);
	}
	if (f->cancels_in_callback)
		http_client_cancel(f->client);
	f->client = NULL;
}

static void ignore_event(void *arg, unsigned events)
{
}

static void settle(struct fixture *f)
{
	for (int i = 0; i < 200; i++)
		loop_turn(f->loop, false);
}

static void begin(struct fixture *f, const struct stream_mem_options *options,
		  const struct http_client_request *request)
{
	struct stream *end;

	*f = (struct fixture){ .body = BUF_INIT(1024), .location = BUF_INIT(1024) };
	f->loop = loop_new();
	stream_mem_pair(f->loop, options, &f->server, &end);
	stream_set_owner(f->server, ignore_event, NULL);
	f->client = http_client_start(f->loop, end, request, on_done, f);
	/* never from inside start */
	assert_int_equal(f->done_count, 0);
	settle(f);
}

static void begin_get(struct fixture *f, const struct stream_mem_options *options)
{
	const struct http_client_request request = {
		.method = STR("GET"),
		.target = STR("/x"),
		.host = STR("a"),
		.timeout_ms = TIMEOUT_MS,
		.body_max = BODY_MAX,
	};

	begin(f, options, &request);
}

static void send_text(struct fixture *f, struct str bytes)
{
	while (bytes.len > 0) {
		ssize_t count = stream_write(f->server, bytes.at, bytes.len);

		if (count == STREAM_FAILED)
			return;
		if (count > 0)
			bytes = str_from_pos(bytes, (size_t)count);
		loop_turn(f->loop, false);
	}
	settle(f);
}

static void expect_sent(struct fixture *f, const char *text)
{
	struct buf got = BUF_INIT(65536);
	ssize_t count = 1;

	while (count > 0) {
		char piece[256];

		count = stream_read(f->server, piece, sizeof(piece));
		if (count > 0)
			assert_int_equal(buf_append(&got, piece, (size_t)count), 0);
		settle(f);
	}
	if (!str_equal(buf_view(&got), str_from(text)))
		fail_msg("%.*s", STR_FMT(buf_view(&got)));
	buf_done(&got);
}

static void end(struct fixture *f)
{
	http_client_cancel(f->client);
	stream_close(f->server, STREAM_CLOSE_NORMAL);
	settle(f);
	loop_free(f->loop);
	buf_done(&f->body);
	buf_done(&f->location);
}

static void test_request_on_the_wire(void **state)
{
	const struct http_header headers[] = { { STR("User-Agent"), STR("t") },
					       { STR("Accept"), STR("*/*") } };
	const struct http_client_request request = {
		.method = STR("POST"),
		.target = STR("/x?y"),
		.host = STR("a:8443"),
		.headers = headers,
		.header_count = 2,
		.body = STR("a=b"),
		.timeout_ms = TIMEOUT_MS,
	};
	const struct stream_mem_options options = { .capacity = 10, .write_max = 3 };
	struct fixture f;

	begin(&f, &options, &request);
	expect_sent(&f, "POST /x?y HTTP/1.1\r\nHost: a:8443\r\nUser-Agent: t\r\nAccept: */*\r\n"
			"Content-Length: 3\r\nConnection: close\r\n\r\na=b");
	end(&f);
}

struct response_case {
	struct str bytes;
	bool ends; /* the server closes behind it */
	int status;
	enum err_kind failure;
	const char *body;
};

#define OK "HTTP/1.1 200 OK\r\n"

static const struct response_case cases[] = {
	{ STR(OK "Content-Length: 5\r\n\r\nhello"), false, 200, ERR_NONE, "hello" },
	{ STR(OK "Content-Length: 0\r\n\r\n"), false, 200, ERR_NONE, "" },
	{ STR(OK "Content-Length: 2\r\n\r\nhello"), false, 200, ERR_NONE, "he" },
	{ STR(OK "Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"), false, 200,
	  ERR_NONE, "hello" },
	{ STR(OK "\r\nhello"), true, 200, ERR_NONE, "hello" },
	{ STR("HTTP/1.0 200 OK\r\n\r\n"), true, 200, ERR_NONE, "" },
	{ STR("HTTP/1.1 204 No Content\r\n\r\n"), false, 204, ERR_NONE, "" },
	{ STR("HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n"), false, 304, ERR_NONE, "" },
	{ STR("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\na: b\r\n\r\n"
	      "HTTP/1.1 404 Not Found\r\nContent-Length: 1\r\n\r\nx"),
	  false, 404, ERR_NONE, "x" },
	{ STR(OK "Content-Length: 5\r\n\r\nhell"), true, 0, ERR_CLOSED, "" },
	{ STR(OK "Transfer-Encoding: chunked\r\n\r\n5\r\nhell"), true, 0, ERR_CLOSED, "" },
	{ STR("HTTP/1.1 200"), true, 0, ERR_CLOSED, "" },
	{ STR(""), true, 0, ERR_CLOSED, "" },
	{ STR("HTTP/1.1 100 Continue\r\n\r\n"), true, 0, ERR_CLOSED, "" },
	{ STR("SSH-2.0-OpenSSH\r\n"), true, 0, ERR_CLOSED, "" },
	{ STR("\x15\x03\x01"), false, 0, ERR_PROTOCOL, "" },
	{ STR("HTTP/1.1 200 OK\n\n"), false, 0, ERR_PROTOCOL, "" },
	{ STR("HTTP/1.1 abc OK\r\n\r\n"), false, 0, ERR_PROTOCOL, "" },
	{ STR("HTTP/1.1 101 Switching Protocols\r\n\r\n"), false, 0, ERR_PROTOCOL, "" },
	{ STR(OK "Transfer-Encoding: gzip\r\n\r\n"), false, 0, ERR_PROTOCOL, "" },
	{ STR(OK "Transfer-Encoding: chunked\r\n\r\n-1\r\n"), false, 0, ERR_PROTOCOL, "" },
	{ STR(OK "Content-Length: 33\r\n\r\n012345678901234567890123456789012"), false, 0,
	  ERR_LIMIT, "" },
	{ STR(OK "\r\n012345678901234567890123456789012"), false, 0, ERR_LIMIT, "" },
};

static void run_case(const struct response_case *c, const struct stream_mem_options *options)
{
	struct fixture f;

	begin_get(&f, options);
	send_text(&f, c->bytes);
	if (c->ends)
		(void)stream_shutdown(f.server); /* fails where the client has gone */
	settle(&f);
	if (f.done_count != 1 || f.status != c->status || f.failure != c->failure)
		fail_msg("%.*s: done %u, status %d, failure %d", STR_FMT(c->bytes), f.done_count,
			 f.status, f.failure);
	assert_true(str_equal(buf_view(&f.body), str_from(c->body)));
	end(&f);
}

static void test_responses(void **state)
{
	const struct stream_mem_options by_byte = { .read_max = 1, .write_max = 1 };

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		run_case(&cases[i], NULL);
		run_case(&cases[i], &by_byte);
	}
}

static void test_headers_are_handed_over(void **state)
{
	struct fixture f;

	begin_get(&f, NULL);
	send_text(&f,
		  STR("HTTP/1.1 302 Found\r\nLocation: https://a/\r\nContent-Length: 0\r\n\r\n"));
	assert_int_equal(f.status, 302);
	assert_true(str_equal(buf_view(&f.location), STR("https://a/")));
	end(&f);
}

static void test_head_has_no_body(void **state)
{
	const struct http_client_request request = {
		.method = STR("HEAD"),
		.target = STR("/"),
		.host = STR("a"),
		.timeout_ms = TIMEOUT_MS,
	};
	struct fixture f;

	begin(&f, NULL, &request);
	send_text(&f, STR(OK "Content-Length: 5\r\n\r\n"));
	assert_int_equal(f.status, 200);
	end(&f);
}

static void test_endless_interim_responses(void **state)
{
	struct fixture f;

	begin_get(&f, NULL);
	for (int i = 0; i < 20; i++)
		send_text(&f, STR("HTTP/1.1 100 Continue\r\n\r\n"));
	assert_int_equal(f.done_count, 1);
	assert_int_equal(f.failure, ERR_PROTOCOL);
	end(&f);
}

static void test_timeout(void **state)
{
	struct fixture f;

	begin_get(&f, NULL);
	send_text(&f, STR(OK "Content-Length: 5\r\n\r\nhell"));
	clock_fake_advance_ms(TIMEOUT_MS - 1);
	settle(&f);
	assert_int_equal(f.done_count, 0);
	clock_fake_advance_ms(1);
	settle(&f);
	assert_int_equal(f.done_count, 1);
	assert_int_equal(f.failure, ERR_TIMEOUT);
	end(&f);
}

static void test_reset(void **state)
{
	struct fixture f;

	begin_get(&f, NULL);
	stream_close(TAKE(f.server), STREAM_CLOSE_RESET);
	settle(&f);
	assert_int_equal(f.done_count, 1);
	assert_int_equal(f.failure, ERR_RESET);
	end(&f);
}

static void test_unclean_request_fails_later(void **state)
{
	const struct http_client_request request = {
		.method = STR("GET"),
		.target = STR("/\r\nX: y"),
		.host = STR("a"),
		.timeout_ms = TIMEOUT_MS,
	};
	struct fixture f;

	begin(&f, NULL, &request);
	assert_int_equal(f.done_count, 1);
	assert_int_equal(f.failure, ERR_CONFIG);
	expect_sent(&f, "");
	end(&f);
}

static void test_cancel_after_every_turn(void **state)
{
	for (int turns = 0; turns < 60; turns++) {
		const struct stream_mem_options options = { .read_max = 2, .write_max = 7 };
		struct fixture f = { 0 };
		struct stream *client_end;

		f.loop = loop_new();
		f.body = BUF_INIT(1024);
		stream_mem_pair(f.loop, &options, &f.server, &client_end);
		stream_set_owner(f.server, ignore_event, NULL);
		(void)stream_write(f.server, "HTTP/1.1 200\r\n\r\n", 16);
		f.client = http_client_start(
			f.loop, client_end,
			&(const struct http_client_request){ .method = STR("GET"),
							     .target = STR("/"),
							     .host = STR("a"),
							     .timeout_ms = TIMEOUT_MS },
			on_done, &f);
		for (int i = 0; i < turns; i++)
			loop_turn(f.loop, false);
		http_client_cancel(f.client);
		f.client = NULL;
		clock_fake_advance_ms(TIMEOUT_MS);
		settle(&f);
		assert_int_equal(f.done_count, 0);
		end(&f);
	}
}

static void test_cancel_in_the_callback(void **state)
{
	struct fixture f;

	begin_get(&f, NULL);
	f.cancels_in_callback = true;
	send_text(&f, STR(OK "Content-Length: 0\r\n\r\n"));
	assert_int_equal(f.done_count, 1);
	end(&f);
}

static const struct {
	const char *response;
	bool is_kept;
} kept_cases[] = {
	{ "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", true },
	{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n", true },
	{ "HTTP/1.1 204 No Content\r\n\r\n", true },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi", false },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi, and more", false },
	{ "HTTP/1.1 200 OK\r\n\r\nhi", false },
};

static void test_a_stream_is_kept(void **state)
{
	const struct http_client_request request = { .method = STR("GET"),
						     .target = STR("/x"),
						     .host = STR("a"),
						     .timeout_ms = TIMEOUT_MS,
						     .body_max = BODY_MAX,
						     .keeps_stream = true };

	for (size_t i = 0; i < ARRAY_LEN(kept_cases); i++) {
		struct fixture f;

		begin(&f, &(struct stream_mem_options){ 0 }, &request);
		expect_sent(&f, "GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
		send_text(&f, str_from(kept_cases[i].response));
		stream_close(TAKE(f.server), STREAM_CLOSE_NORMAL); /* an end of a body, too */
		settle(&f);
		assert_int_equal(f.done_count, 1);
		assert_int_equal(f.was_kept, kept_cases[i].is_kept);
		end(&f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_request_on_the_wire),
		cmocka_unit_test(test_responses),
		cmocka_unit_test(test_headers_are_handed_over),
		cmocka_unit_test(test_head_has_no_body),
		cmocka_unit_test(test_endless_interim_responses),
		cmocka_unit_test(test_timeout),
		cmocka_unit_test(test_reset),
		cmocka_unit_test(test_unclean_request_fails_later),
		cmocka_unit_test(test_cancel_after_every_turn),
		cmocka_unit_test(test_cancel_in_the_callback),
		cmocka_unit_test(test_a_stream_is_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
