#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/buf.h"
#include "http/connect_client.h"
#include "io/loop.h"
#include "tests/support/clock_fake.h"
#include "tests/support/stream_mem.h"

#define TIMEOUT_MS 5000

struct fixture {
	struct loop *loop;
	struct stream *server; /* the test's end */
	struct connect_client *client;
	struct stream *tunnel;
	struct buf early;
	unsigned done_count;
	int status; /* 0: failed */
	enum err_kind failure;
	size_t header_count;
	bool cancels_in_callback;
};

static void on_done(void *arg, struct connect_result *result, const struct err *e)
{
	struct fixture *f = arg;

	f->done_count++;
	assert_true((result == NULL) != (e == NULL));
	if (e)
		f->failure = e->kind;
	if (result) {
		f->status = result->status;
		f->header_count = result->headers.count;
		f->tunnel = result->stream;
		buf_move(&f->early, &result->early);
	}
	if (f->cancels_in_callback)
		connect_client_cancel(f->client);
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

static void begin(struct fixture *f, const struct stream_mem_options *options, struct str target)
{
	const struct http_header headers[] = {
		{ STR("User-Agent"), STR("Go-http-client/1.1") },
		{ STR("Authorization"), STR("Pomerium t.o.k") },
	};
	const struct connect_request request = {
		.target = target,
		.headers = headers,
		.header_count = 2,
		.timeout_ms = TIMEOUT_MS,
	};
	struct stream *end;

	*f = (struct fixture){ 0 };
	f->loop = loop_new();
	stream_mem_pair(f->loop, options, &f->server, &end);
	stream_set_owner(f->server, ignore_event, NULL);
	f->client = connect_client_start(f->loop, end, &request, on_done, f);
	assert_int_equal(f->done_count, 0);
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

static void end(struct fixture *f)
{
	connect_client_cancel(f->client);
	stream_close(f->server, STREAM_CLOSE_NORMAL);
	stream_close(f->tunnel, STREAM_CLOSE_NORMAL);
	settle(f);
	loop_free(f->loop);
	buf_done(&f->early);
}

/* protocol.md 1.1, byte for byte */
static void test_request_on_the_wire(void **state)
{
	struct fixture f;
	char got[512];
	ssize_t count;

	begin(&f, NULL, STR("redis.example.com:6379"));
	settle(&f);
	count = stream_read(f.server, got, sizeof(got));
	assert_true(count > 0);
	assert_true(str_equal(str_of(got, (size_t)count),
			      STR("CONNECT redis.example.com:6379 HTTP/1.1\r\n"
				  "Host: redis.example.com:6379\r\n"
				  "User-Agent: Go-http-client/1.1\r\n"
				  "Authorization: Pomerium t.o.k\r\n"
				  "\r\n")));
	end(&f);
}

struct head_case {
	struct str bytes;
	bool ends; /* the server closes behind it */
	int status;
	enum err_kind failure;
	const char *early; /* NULL: no tunnel */
};

static const struct head_case cases[] = {
	{ STR("HTTP/1.1 200 OK\r\nserver: envoy\r\n\r\n"), false, 200, ERR_NONE, "" },
	{ STR("HTTP/1.0 200 Connection established\r\n\r\n"), false, 200, ERR_NONE, "" },
	{ STR("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"), false,
	  200, ERR_NONE, "" },
	{ STR("HTTP/1.1 200 OK\r\n\r\nSSH-2.0-x\r\n"), true, 200, ERR_NONE, "SSH-2.0-x\r\n" },
	/* 200 and nothing else */
	{ STR("HTTP/1.1 201 Created\r\n\r\n"), false, 201, ERR_NONE, NULL },
	{ STR("HTTP/1.1 204 No Content\r\n\r\n"), false, 204, ERR_NONE, NULL },
	{ STR("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"), false, 100, ERR_NONE, NULL },
	{ STR("HTTP/1.1 101 Switching Protocols\r\n\r\n"), false, 101, ERR_NONE, NULL },
	{ STR("HTTP/1.1 302 Found\r\nlocation: https://a/\r\nContent-Length: 99\r\n\r\n"), false,
	  302, ERR_NONE, NULL },
	{ STR("HTTP/1.1 503 Service Unavailable\r\n\r\n"), true, 503, ERR_NONE, NULL },
	{ STR(""), true, 0, ERR_CLOSED, NULL },
	{ STR("HTTP/1.1 200 OK\r\n"), true, 0, ERR_CLOSED, NULL },
	{ STR("\x15\x03\x03"), false, 0, ERR_PROTOCOL, NULL },
	{ STR("HTTP/1.1 200 OK\n\n"), false, 0, ERR_PROTOCOL, NULL },
	{ STR("SSH-2.0-x\r\n\r\n"), false, 0, ERR_PROTOCOL, NULL },
};

static void run_case(const struct head_case *c, const struct stream_mem_options *options)
{
	struct fixture f;
	struct buf seen = BUF_INIT(1024);
	char byte;

	begin(&f, options, STR("a:1"));
	send_text(&f, c->bytes);
	if (c->ends)
		(void)stream_shutdown(f.server); /* fails where the client has gone */
	settle(&f);
	if (f.done_count != 1 || f.status != c->status || f.failure != c->failure)
		fail_msg("%.*s: done %u, status %d, failure %d", STR_FMT(c->bytes), f.done_count,
			 f.status, f.failure);
	assert_int_equal(f.tunnel != NULL, c->early != NULL);
	if (c->early) {
		/* what came with the head and what is still in the stream are one sequence */
		assert_int_equal(buf_append_str(&seen, buf_view(&f.early)), 0);
		while (stream_read(f.tunnel, &byte, 1) == 1)
			assert_int_equal(buf_append_char(&seen, byte), 0);
		assert_true(str_equal(buf_view(&seen), str_from(c->early)));
	}
	buf_done(&seen);
	end(&f);
}

static void test_heads(void **state)
{
	const struct stream_mem_options by_byte = { .read_max = 1, .write_max = 1 };

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		run_case(&cases[i], NULL);
		run_case(&cases[i], &by_byte);
	}
}

static void test_endless_head(void **state)
{
	struct fixture f;

	begin(&f, NULL, STR("a:1"));
	send_text(&f, STR("HTTP/1.1 200 OK\r\nx: "));
	for (size_t sent = 0; sent < HTTP_HEAD_MAX; sent += 16)
		send_text(&f, STR("0123456789abcdef"));
	assert_int_equal(f.failure, ERR_LIMIT);
	end(&f);
}

static void test_timeout(void **state)
{
	struct fixture f;

	begin(&f, NULL, STR("a:1"));
	settle(&f);
	clock_fake_advance_ms(TIMEOUT_MS - 1);
	settle(&f);
	assert_int_equal(f.done_count, 0);
	clock_fake_advance_ms(1);
	settle(&f);
	assert_int_equal(f.done_count, 1);
	assert_int_equal(f.failure, ERR_TIMEOUT);
	end(&f);
}

/* Once the tunnel is handed over, nothing of the operation is left. */
static void test_no_timeout_after_success(void **state)
{
	struct fixture f;

	begin(&f, NULL, STR("a:1"));
	send_text(&f, STR("HTTP/1.1 200 OK\r\n\r\n"));
	clock_fake_advance_ms(2 * TIMEOUT_MS);
	send_text(&f, STR("x"));
	assert_int_equal(f.done_count, 1);
	assert_int_equal(f.status, 200);
	end(&f);
}

static void test_target_that_would_break_the_head(void **state)
{
	static const struct str targets[] = { STR(""), STR("a b:1"), STR("a:1\r\nX: y"),
					      STR("a:1\0") };

	for (size_t i = 0; i < ARRAY_LEN(targets); i++) {
		struct fixture f;

		begin(&f, NULL, targets[i]);
		settle(&f);
		assert_int_equal(f.done_count, 1);
		assert_int_equal(f.failure, ERR_CONFIG);
		assert_int_equal(stream_mem_pending(f.server), 0);
		end(&f);
	}
}

static void test_cancel_after_every_turn(void **state)
{
	for (int turns = 0; turns < 60; turns++) {
		const struct stream_mem_options options = { .read_max = 1, .write_max = 9 };
		struct fixture f;

		begin(&f, &options, STR("a:1"));
		(void)stream_write(f.server, "HTTP/1.1 ", 9);
		for (int i = 0; i < turns; i++)
			loop_turn(f.loop, false);
		connect_client_cancel(f.client);
		f.client = NULL;
		clock_fake_advance_ms(TIMEOUT_MS);
		settle(&f);
		assert_int_equal(f.done_count, 0);
		end(&f);
	}
}

static void test_cancel_in_the_callback(void **state)
{
	static const struct str heads[] = { STR("HTTP/1.1 200 OK\r\n\r\n"),
					    STR("HTTP/1.1 403 Forbidden\r\n\r\n"), STR("\1") };

	for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
		struct fixture f;

		begin(&f, NULL, STR("a:1"));
		f.cancels_in_callback = true;
		send_text(&f, heads[i]);
		assert_int_equal(f.done_count, 1);
		end(&f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_request_on_the_wire),
		cmocka_unit_test(test_heads),
		cmocka_unit_test(test_endless_head),
		cmocka_unit_test(test_timeout),
		cmocka_unit_test(test_no_timeout_after_success),
		cmocka_unit_test(test_target_that_would_break_the_head),
		cmocka_unit_test(test_cancel_after_every_turn),
		cmocka_unit_test(test_cancel_in_the_callback),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
