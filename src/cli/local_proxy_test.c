/*
 * Programs that speak to the local proxy, with a gateway and a web server played by the test behind it.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "cli/client.h"
#include "cli/fake_gateway.h"
#include "cli/local_proxy.h"
#include "cli/options.h"
#include "http/http.h"
#include "io/loop.h"
#include "tests/support/clock_fake.h"
#include "tests/support/http_peer.h"
#include "tests/support/stream_mem.h"

#define ADDRESS  "127.0.0.1:3128"
#define GET      "GET /x HTTP/1.1\r\nHost: y\r\nConnection: close\r\n\r\n"
#define TEXT_MAX (256u * 1024)

struct scene {
	struct client client;
	struct fake_gateway fake;
	struct http_peer *web;
	char web_address[32];
	char seen[512]; /* by the web server */
	struct local_proxy *proxy;
};

/* ---- who is there ---- */

static void on_web_request(struct http_peer_call *call)
{
	const struct http_request *r = call->request;
	struct scene *s = call->arg;

	(void)snprintf(s->seen, sizeof(s->seen), "%.*s %.*s for %.*s, %zu bytes",
		       STR_FMT(r->method), STR_FMT(r->target), STR_FMT(r->authority), r->body.len);
	http_peer_respond(call, &(struct http_response){ .status = 200,
							 .body = STR("from the web"),
							 .close = true });
}

static void log_in(struct scene *s)
{
	struct destination destination = { 0 };
	struct err e;

	assert_int_equal(destination_parse(STR("db.example:5432"), s->fake.url, &destination, &e),
			 0);
	assert_int_equal(credentials_store(&client_account(&s->client, &destination)->credentials,
					   STR("good"), &e),
			 0);
	destination_done(&destination);
}

static void open_scene(struct scene *s)
{
	static const char *const domains[] = { "example", NULL };
	struct options options = { 0 };
	struct err e;

	*s = (struct scene){ 0 };
	assert_int_equal(setenv("LOG_LEVEL", "off", 1), 0);
	assert_int_equal(unsetenv("XDG_CACHE_HOME"), 0);
	assert_int_equal(unsetenv("HOME"), 0);
	assert_int_equal(client_init(&s->client, &options, &e), 0);
	assert_int_equal(client_open(&s->client, EXIT_STATUS_OK, &e), 0);
	fake_gateway_open(&s->fake, s->client.loop, s->client.resolver);
	s->fake.cuts_tunnels = true;
	s->web = http_peer_open(s->client.loop, on_web_request, s);
	(void)snprintf(s->web_address, sizeof(s->web_address), "127.0.0.1:%u",
		       (unsigned)http_peer_port(s->web));
	log_in(s);
	s->proxy = local_proxy_new(&(struct local_proxy_options){
		.client = &s->client, .domains = domains, .gateway_url = s->fake.url });
	local_proxy_set_address(s->proxy, STR(ADDRESS));
}

static void close_scene(struct scene *s)
{
	local_proxy_close(s->proxy);
	http_peer_close(s->web);
	fake_gateway_close(&s->fake);
	client_done(&s->client);
}

/* ---- the program ---- */

static void ignore_event(void *arg, unsigned events)
{
}

static struct stream *connect_program(struct scene *s)
{
	struct stream *program;
	struct stream *local;

	stream_mem_pair(s->client.loop, &(struct stream_mem_options){ .capacity = TEXT_MAX },
			&program, &local);
	stream_set_owner(program, ignore_event, NULL);
	local_proxy_serve(s->proxy, local);
	return program;
}

static void send(struct stream *program, struct str text)
{
	assert_int_equal(stream_write(program, text.at, text.len), text.len);
}

/* Until the end, or until the text ends like that. */
static void receive(struct scene *s, struct stream *program, struct str ending, struct buf *out)
{
	char bytes[4096];
	ssize_t count;

	while ((count = stream_read(program, bytes, sizeof(bytes))) != STREAM_END) {
		assert_int_not_equal(count, STREAM_FAILED);
		if (count == STREAM_AGAIN)
			loop_turn(s->client.loop, true);
		else
			assert_int_equal(buf_append(out, bytes, (size_t)count), 0);
		if (ending.len > 0 && str_ends_with(buf_view(out), ending))
			return;
	}
}

/* %s in the text is the web server. Returns what comes until the end; release with mem_free(). */
static char *ask(struct scene *s, const char *format)
{
	struct stream *program = connect_program(s);
	struct buf text = BUF_INIT(TEXT_MAX);
	struct buf answer = BUF_INIT(TEXT_MAX);
	const char *rest = format;
	const char *mark;

	for (; (mark = strstr(rest, "%s")); rest = mark + 2) {
		assert_int_equal(buf_append(&text, rest, (size_t)(mark - rest)), 0);
		assert_int_equal(buf_append_str(&text, str_from(s->web_address)), 0);
	}
	assert_int_equal(buf_append_str(&text, str_from(rest)), 0);
	send(program, buf_view(&text));
	receive(s, program, STR(""), &answer);
	stream_close(program, STREAM_CLOSE_NORMAL);
	buf_done(&text);
	return buf_take_string(&answer);
}

static void check_answer(struct scene *s, const char *format, const char *beginning,
			 const char *part)
{
	char *answer = ask(s, format);

	if (strncmp(answer, beginning, strlen(beginning)) != 0 || !strstr(answer, part))
		fail_msg("to %.200s: %.400s", format, answer);
	mem_free(answer);
}

/* ---- directly ---- */

static void test_connect(void **state)
{
	struct scene s;

	open_scene(&s);
	check_answer(&s, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n" GET, "HTTP/1.1 200 ",
		     "from the web");
	assert_string_equal(s.seen, "GET /x for y, 0 bytes");
	close_scene(&s);
}

static void test_socks(void **state)
{
	static const uint8_t request[] = { 5, 1, 0, 5, 1, 0, 1, 127, 0, 0, 1 };
	struct buf answer = BUF_INIT(4096);
	struct stream *program;
	struct scene s;
	uint8_t port[2];

	open_scene(&s);
	port[0] = (uint8_t)(http_peer_port(s.web) >> 8);
	port[1] = (uint8_t)(http_peer_port(s.web) & 0xff);
	program = connect_program(&s);
	send(program, str_of(request, sizeof(request)));
	send(program, str_of(port, sizeof(port)));
	send(program, STR(GET));
	receive(&s, program, STR(""), &answer);
	assert_memory_equal(answer.data, "\5\0\5\0\0\1", 6);
	assert_true(str_ends_with(buf_view(&answer), STR("from the web")));
	stream_close(program, STREAM_CLOSE_NORMAL);
	buf_done(&answer);
	close_scene(&s);
}

static void test_forward(void **state)
{
	char expected[128];
	struct scene s;

	open_scene(&s);
	check_answer(&s, "GET http://%s/x?y HTTP/1.1\r\nHost: other\r\n\r\n", "HTTP/1.1 200 ",
		     "from the web");
	(void)snprintf(expected, sizeof(expected), "GET /x?y for %s, 0 bytes", s.web_address);
	assert_string_equal(s.seen, expected);
	check_answer(&s,
		     "PUT http://%s/ HTTP/1.1\r\nHost: %s\r\nTransfer-Encoding: chunked\r\n\r\n"
		     "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\nGET http://%s/again HTTP/1.1\r\n",
		     "HTTP/1.1 200 ", "from the web");
	(void)snprintf(expected, sizeof(expected), "PUT / for %s, 5 bytes", s.web_address);
	assert_string_equal(s.seen, expected);
	close_scene(&s);
}

static void test_byte_by_byte(void **state)
{
	struct buf answer = BUF_INIT(4096);
	struct stream *program;
	struct scene s;
	char text[256];

	open_scene(&s);
	(void)snprintf(text, sizeof(text),
		       "POST http://%s/ HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody",
		       s.web_address);
	program = connect_program(&s);
	for (const char *at = text; *at; at++) {
		send(program, str_of(at, 1));
		loop_turn(s.client.loop, false);
	}
	receive(&s, program, STR(""), &answer);
	assert_true(str_ends_with(buf_view(&answer), STR("from the web")));
	assert_non_null(strstr(s.seen, "4 bytes"));
	stream_close(program, STREAM_CLOSE_NORMAL);
	buf_done(&answer);
	close_scene(&s);
}

/* The answer is of the proxy, in the words of HTTP, whatever of the body is there. */
static void test_nobody_there(void **state)
{
	struct scene s;

	open_scene(&s);
	check_answer(&s, "CONNECT 127.0.0.1:1 HTTP/1.1\r\nHost: 127.0.0.1:1\r\n\r\n",
		     "HTTP/1.1 502 ", "127.0.0.1:1");
	check_answer(&s, "GET http://127.0.0.1:1/ HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 502 ",
		     "127.0.0.1:1");
	check_answer(&s,
		     "POST http://127.0.0.1:1/ HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc",
		     "HTTP/1.1 502 ", "127.0.0.1:1");
	check_answer(
		&s,
		"POST http://127.0.0.1:1/ HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999\r\n\r\n"
		"abc",
		"HTTP/1.1 502 ", "127.0.0.1:1");
	close_scene(&s);
}

/* ---- through the gateway ---- */

static void test_connect_through_the_gateway(void **state)
{
	struct buf answer = BUF_INIT(4096);
	struct stream *program;
	struct scene s;

	open_scene(&s);
	program = connect_program(&s);
	send(program, STR("CONNECT db.example:5432 HTTP/1.1\r\nHost: db.example:5432\r\n\r\n"));
	receive(&s, program, STR("hi"), &answer);
	assert_true(str_starts_with(buf_view(&answer), STR("HTTP/1.1 200 ")));
	assert_int_equal(s.fake.connect_count, 1);
	stream_close(program, STREAM_CLOSE_NORMAL);
	buf_done(&answer);
	close_scene(&s);
}

static void test_forward_through_the_gateway(void **state)
{
	struct buf answer = BUF_INIT(4096);
	struct buf seen = BUF_INIT(4096);
	struct stream *program;
	struct scene s;
	char bytes[256];
	ssize_t count;

	open_scene(&s);
	program = connect_program(&s);
	send(program, STR("GET http://db.example:5432/x HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"));
	receive(&s, program, STR("hi"), &answer);
	assert_int_equal(answer.len, 2); /* and no answer of the proxy */
	assert_int_equal(s.fake.connect_count, 1);
	stream_set_owner(s.fake.tunnel, ignore_event, NULL);
	while (!str_ends_with(buf_view(&seen), STR("\r\n\r\n"))) {
		count = stream_read(s.fake.tunnel, bytes, sizeof(bytes));
		if (count == STREAM_AGAIN)
			loop_turn(s.client.loop, true);
		else
			assert_int_equal(buf_append(&seen, bytes, (size_t)count), 0);
	}
	assert_true(str_starts_with(buf_view(&seen),
				    STR("GET /x HTTP/1.1\r\nHost: db.example:5432\r\n")));
	stream_close(program, STREAM_CLOSE_NORMAL);
	buf_done(&answer);
	buf_done(&seen);
	close_scene(&s);
}

/* ---- other answers ---- */

static void test_answers(void **state)
{
	static const struct {
		const char *text;
		const char *beginning;
		const char *part;
	} rows[] = {
		{ "GET /proxy.pac HTTP/1.1\r\nHost: " ADDRESS "\r\n\r\n", "HTTP/1.1 200 ",
		  "PROXY " ADDRESS },
		{ "GET /proxy.pac HTTP/1.1\r\nHost: localhost\r\n\r\n", "HTTP/1.1 200 ",
		  "FindProxyForURL" },
		{ "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "HTTP/1.1 404 ", "" },
		{ "POST /proxy.pac HTTP/1.1\r\nHost: localhost\r\n\r\n", "HTTP/1.1 405 ", "" },
		/* web pages */
		{ "GET /proxy.pac HTTP/1.1\r\nHost: evil.test\r\n\r\n", "HTTP/1.1 403 ", "" },
		{ "GET /proxy.pac HTTP/1.1\r\nHost: localhost\r\nOrigin: http://evil\r\n\r\n",
		  "HTTP/1.1 403 ", "" },
		{ "CONNECT %s HTTP/1.1\r\nHost: %s\r\nOrigin: null\r\n\r\n", "HTTP/1.1 403 ", "" },
		{ "GET http://%s/ HTTP/1.1\r\nHost: %s\r\nOrigin: null\r\n\r\n", "HTTP/1.1 403 ",
		  "" },
		/* not for proxies, or not for this one */
		{ "GET https://%s/ HTTP/1.1\r\nHost: %s\r\n\r\n", "HTTP/1.1 501 ", "CONNECT" },
		{ "CONNECT %s HTTP/1.1\r\nHost: %s\r\nContent-Length: 1\r\n\r\nx", "HTTP/1.1 400 ",
		  "" },
		{ "CONNECT noport HTTP/1.1\r\nHost: noport\r\n\r\n", "HTTP/1.1 400 ", "" },
		{ "GET http://user@%s/ HTTP/1.1\r\nHost: %s\r\n\r\n", "HTTP/1.1 400 ", "" },
		{ "GET http://%s/ HTTP/1.1\r\nHost: %s\r\nHost: %s\r\n\r\n", "HTTP/1.1 400 ", "" },
		/* garbage */
		{ "nonsense\r\n\r\n", "HTTP/1.1 400 ", "" },
		{ "\x16\x03\x01\x02", "HTTP/1.1 400 ", "" },
		{ "\4\1\1\1\1\1\1\1", "HTTP/1.1 400 ", "" },
		{ "\5\1\2", "\5\xff", "" },
		{ "GET http://%s/ HTTP/1.1\n\n", "HTTP/1.1 400 ", "" },
	};
	struct scene s;

	open_scene(&s);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		check_answer(&s, rows[i].text, rows[i].beginning, rows[i].part);
	assert_int_equal(http_peer_accepted(s.web), 0);
	assert_int_equal(s.fake.accept_count, 0);
	close_scene(&s);
}

/* ---- limits ---- */

static void check_long(struct scene *s, const char *beginning)
{
	struct buf text = BUF_INIT(TEXT_MAX);
	char *whole;

	assert_int_equal(buf_append_str(&text, str_from(beginning)), 0);
	while (text.len <= HTTP_HEAD_MAX)
		assert_int_equal(buf_append_str(&text, STR("aaaaaaaaaaaaaaaa")), 0);
	whole = buf_take_string(&text);
	check_answer(s, whole, "HTTP/1.1 431 ", "");
	mem_free(whole);
}

static void test_heads_too_long(void **state)
{
	struct scene s;

	open_scene(&s);
	check_long(&s, "a");
	check_long(&s, "GET /");
	check_long(&s, "GET http://127.0.0.1:1/");
	check_long(&s, "GET http://127.0.0.1:1/ HTTP/1.1\r\nX: ");
	close_scene(&s);
}

static void test_who_says_nothing(void **state)
{
	static const char *const beginnings[] = { "", "\5\1\0", "GET ",
						  "GET http://127.0.0.1:1/ HTTP/1.1\r\nX: y" };
	struct buf answer = BUF_INIT(4096);
	struct scene s;

	open_scene(&s);
	for (size_t i = 0; i < ARRAY_LEN(beginnings); i++) {
		struct stream *program = connect_program(&s);

		if (beginnings[i][0])
			send(program, str_from(beginnings[i]));
		for (int turn = 0; turn < 10; turn++)
			loop_turn(s.client.loop, false);
		clock_fake_advance_ms(LOCAL_PROXY_REQUEST_MS);
		receive(&s, program, STR(""), &answer);
		stream_close(program, STREAM_CLOSE_NORMAL);
	}
	buf_done(&answer);
	close_scene(&s);
}

/* In the midst of everything. */
static void test_closed_at_any_time(void **state)
{
	static const char *const beginnings[] = {
		"\5",
		"\5\1\0\5\1\0\1\177\0\0\1\0\1",
		"GET",
		"CONNECT db.example:5432 HTTP/1.1\r\nHost: x\r\n\r\n",
		"POST http://db.example:5432/ HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\na",
		"POST http://127.0.0.1:1/ HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\na",
	};
	struct stream *programs[ARRAY_LEN(beginnings)];
	struct scene s;

	for (int turns = 0; turns < 12; turns++) {
		open_scene(&s);
		s.fake.cuts_tunnels = false; /* it can keep one */
		for (size_t i = 0; i < ARRAY_LEN(beginnings); i++) {
			programs[i] = connect_program(&s);
			send(programs[i], str_from(beginnings[i]));
		}
		for (int turn = 0; turn < turns; turn++)
			loop_turn(s.client.loop, false);
		local_proxy_close(TAKE(s.proxy));
		for (size_t i = 0; i < ARRAY_LEN(beginnings); i++)
			stream_close(programs[i], STREAM_CLOSE_NORMAL);
		close_scene(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_connect),
		cmocka_unit_test(test_socks),
		cmocka_unit_test(test_forward),
		cmocka_unit_test(test_byte_by_byte),
		cmocka_unit_test(test_nobody_there),
		cmocka_unit_test(test_connect_through_the_gateway),
		cmocka_unit_test(test_forward_through_the_gateway),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_heads_too_long),
		cmocka_unit_test(test_who_says_nothing),
		cmocka_unit_test(test_closed_at_any_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
