/*
 * The callback takes one kind of request and nothing else.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "base/mem.h"
#include "cli/credentials.h"
#include "cli/login_callback.h"
#include "io/loop.h"
#include "io/stream.h"
#include "tests/support/stream_mem.h"

struct fixture {
	struct loop *loop;
	struct login_callback *callback;
	struct str host;
	struct str path;
	struct buf token;
	unsigned token_count;
};

static void on_token(void *arg, struct str token)
{
	struct fixture *f = arg;

	f->token_count++;
	buf_append_str(&f->token, token);
}

static int setup(void **state)
{
	struct fixture *f = mem_alloc(sizeof(*f));
	struct str url;
	struct err e;

	f->loop = loop_new();
	buf_init(&f->token, TOKEN_MAX);
	f->callback = login_callback_open(f->loop, on_token, f, &e);
	assert_non_null(f->callback);
	url = login_callback_url(f->callback);
	assert_true(str_starts_with(url, STR("http://127.0.0.1:")));
	url = str_from_pos(url, strlen("http://"));
	f->host = str_first(url, str_find(url, '/'));
	f->path = str_from_pos(url, f->host.len);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	login_callback_close(f->callback);
	buf_done(&f->token);
	loop_free(f->loop);
	mem_free(f);
	return 0;
}

/* Reads to the end of what the callback sends. */
static void read_answer(struct fixture *f, struct stream *s, struct buf *answer)
{
	char bytes[4096];

	for (;;) {
		ssize_t got = stream_read(s, bytes, sizeof(bytes));

		if (got == STREAM_AGAIN) {
			loop_turn(f->loop, true);
			continue;
		}
		if (got <= 0)
			return;
		assert_int_equal(buf_append(answer, bytes, (size_t)got), 0);
	}
}

static void ignore_event(void *arg, unsigned events)
{
}

static void check_answer(struct fixture *f, const struct buf *request, const char *status,
			 const char *body)
{
	struct stream_mem_options options = { .read_max = 7 };
	struct buf answer = BUF_INIT(4096);
	struct stream *browser;
	struct stream *served;

	stream_mem_pair(f->loop, &options, &browser, &served);
	stream_set_owner(browser, ignore_event, NULL);
	login_callback_serve(f->callback, served);
	assert_int_equal(stream_write(browser, request->data, request->len), (ssize_t)request->len);
	read_answer(f, browser, &answer);
	assert_true(str_starts_with(buf_view(&answer), str_from(status)));
	if (body)
		assert_true(str_ends_with(buf_view(&answer), str_from(body)));
	stream_close(browser, STREAM_CLOSE_NORMAL);
	while (!str_starts_with(buf_view(&answer), STR("HTTP/1.1 4")) && f->token_count == 0)
		loop_turn(f->loop, true);
	buf_done(&answer);
}

#define NOT_FOUND "HTTP/1.1 404 Not Found\r\n"

static void test_accepts_the_token(void **state)
{
	struct fixture *f = *state;
	struct buf request = BUF_INIT(4096);

	buf_printf(&request,
		   "GET %.*s?a=b&pomerium_jwt=tok.en-1 HTTP/1.1\r\nHost: %.*s\r\n"
		   "Origin: null\r\nSec-Fetch-Mode: navigate\r\n\r\n",
		   STR_FMT(f->path), STR_FMT(f->host));
	check_answer(f, &request, "HTTP/1.1 200 OK\r\n", "login complete, you may close this page");
	assert_int_equal(f->token_count, 1);
	assert_true(str_equal(buf_view(&f->token), STR("tok.en-1")));
	buf_done(&request);
}

static void test_path_is_random(void **state)
{
	struct fixture *f = *state;
	struct err e;
	struct login_callback *other = login_callback_open(f->loop, on_token, f, &e);
	struct str url = login_callback_url(other);

	assert_int_equal(f->path.len, 1 + 32);
	assert_false(str_ends_with(url, f->path));
	login_callback_close(other);
}

static void test_answer_is_not_kept_anywhere(void **state)
{
	struct fixture *f = *state;
	struct buf request = BUF_INIT(4096);
	struct buf answer = BUF_INIT(4096);
	struct stream *browser;
	struct stream *served;

	buf_printf(&request, "GET %.*s?pomerium_jwt=t HTTP/1.1\r\nHost: %.*s\r\n\r\n",
		   STR_FMT(f->path), STR_FMT(f->host));
	stream_mem_pair(f->loop, &(struct stream_mem_options){ 0 }, &browser, &served);
	stream_set_owner(browser, ignore_event, NULL);
	login_callback_serve(f->callback, served);
	assert_true(stream_write(browser, request.data, request.len) > 0);
	read_answer(f, browser, &answer);
	assert_true(str_contains(buf_view(&answer), STR("Referrer-Policy: no-referrer\r\n")));
	assert_true(str_contains(buf_view(&answer), STR("Cache-Control: no-store\r\n")));
	assert_true(str_contains(buf_view(&answer), STR("Content-Type: text/plain\r\n")));
	stream_close(browser, STREAM_CLOSE_NORMAL);
	buf_done(&request);
	buf_done(&answer);
}

struct refused {
	const char *line_begin;
	bool has_path;
	const char *line_end;
	const char *host; /* NULL: the right one */
	const char *header;
};

static void test_refuses(void **state)
{
	static const struct refused cases[] = {
		{ "GET ", true, "", NULL, NULL },
		{ "GET ", true, "?pomerium_jwt=", NULL, NULL },
		{ "GET ", true, "?pomerium_jwt=a%20b", NULL, NULL },
		{ "GET ", true, "?pomerium_jwt=a%0d%0ab", NULL, NULL },
		{ "GET ", true, "?pomerium_jwt=a%00", NULL, NULL },
		{ "GET ", true, "?pomerium_jwt=%zz", NULL, NULL },
		{ "GET ", true, "?Pomerium_jwt=tok", NULL, NULL },
		{ "GET ", true, "/?pomerium_jwt=tok", NULL, NULL },
		{ "GET ", true, "0?pomerium_jwt=tok", NULL, NULL },
		{ "GET /", false, "?pomerium_jwt=tok", NULL, NULL },
		{ "GET /0123456789abcdef0123456789abcdef", false, "?pomerium_jwt=tok", NULL, NULL },
		{ "GET /favicon.ico", false, "", NULL, NULL },
		{ "POST ", true, "?pomerium_jwt=tok", NULL, NULL },
		{ "HEAD ", true, "?pomerium_jwt=tok", NULL, NULL },
		{ "OPTIONS ", true, "?pomerium_jwt=tok", NULL, NULL },
		{ "GET ", true, "?pomerium_jwt=tok", "localhost", NULL },
		{ "GET ", true, "?pomerium_jwt=tok", "127.0.0.1", NULL },
		{ "GET ", true, "?pomerium_jwt=tok", "evil.example:80", NULL },
		{ "GET ", true, "?pomerium_jwt=tok", NULL, "Origin: https://evil.example\r\n" },
		{ "GET ", true, "?pomerium_jwt=tok", NULL, "Origin: http://127.0.0.1\r\n" },
		{ "GET ", true, "?pomerium_jwt=tok", NULL, "Sec-Fetch-Mode: no-cors\r\n" },
		{ "GET ", true, "?pomerium_jwt=tok", NULL, "Sec-Fetch-Mode: cors\r\n" },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct refused *c = &cases[i];
		struct buf request = BUF_INIT(4096);

		buf_printf(&request, "%s%.*s%s HTTP/1.1\r\nHost: %.*s\r\n%s\r\n", c->line_begin,
			   c->has_path ? (int)f->path.len : 0, f->path.at, c->line_end,
			   STR_FMT(c->host ? str_from(c->host) : f->host),
			   c->header ? c->header : "");
		check_answer(f, &request, NOT_FOUND,
			     str_starts_with(str_from(c->line_begin), STR("HEAD")) ? NULL
										   : "not found");
		assert_int_equal(f->token_count, 0);
		buf_done(&request);
	}
}

static void test_refuses_a_huge_token(void **state)
{
	struct fixture *f = *state;
	struct buf request = BUF_INIT(2 * TOKEN_MAX);

	buf_printf(&request, "GET %.*s?pomerium_jwt=", STR_FMT(f->path));
	for (size_t i = 0; i <= TOKEN_MAX; i++)
		buf_append_char(&request, 'a');
	buf_printf(&request, " HTTP/1.1\r\nHost: %.*s\r\n\r\n", STR_FMT(f->host));
	check_answer(f, &request, NOT_FOUND, "not found");
	assert_int_equal(f->token_count, 0);
	buf_done(&request);
}

static void test_garbage(void **state)
{
	struct fixture *f = *state;
	struct buf request = BUF_INIT(100);

	buf_printf(&request, "\x16\x03\x01 this is no HTTP\r\n\r\n");
	check_answer(f, &request, "HTTP/1.1 400 Bad Request\r\n", NULL);
	assert_int_equal(f->token_count, 0);
	buf_done(&request);
}

static void test_the_oldest_makes_room(void **state)
{
	struct fixture *f = *state;
	struct stream *browsers[LOGIN_CALLBACK_PEERS_MAX + 1];
	struct stream *served;
	char byte;

	for (size_t i = 0; i < ARRAY_LEN(browsers); i++) {
		stream_mem_pair(f->loop, &(struct stream_mem_options){ 0 }, &browsers[i], &served);
		stream_set_owner(browsers[i], ignore_event, NULL);
		login_callback_serve(f->callback, served);
	}
	assert_int_equal(stream_read(browsers[0], &byte, 1), STREAM_END);
	assert_int_equal(stream_read(browsers[1], &byte, 1), STREAM_AGAIN);
	assert_int_equal(stream_read(browsers[ARRAY_LEN(browsers) - 1], &byte, 1), STREAM_AGAIN);
	for (size_t i = 0; i < ARRAY_LEN(browsers); i++)
		stream_close(browsers[i], STREAM_CLOSE_NORMAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_accepts_the_token, setup, teardown),
		cmocka_unit_test_setup_teardown(test_path_is_random, setup, teardown),
		cmocka_unit_test_setup_teardown(test_answer_is_not_kept_anywhere, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refuses, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refuses_a_huge_token, setup, teardown),
		cmocka_unit_test_setup_teardown(test_garbage, setup, teardown),
		cmocka_unit_test_setup_teardown(test_the_oldest_makes_room, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
