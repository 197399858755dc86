/*
 * A proxy in the same loop: what it is asked, and what becomes of its answers.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/addr.h"
#include "base/compiler.h"
#include "cli/proxy_dial.h"
#include "cli/proxy_url.h"
#include "io/listener.h"
#include "io/loop.h"
#include "io/resolver.h"
#include "io/stream.h"

struct scene {
	struct loop *loop;
	struct resolver *resolver;
	struct listener *listener;
	struct stream *peer; /* the proxy's end */
	char asked[1024];
	size_t asked_len;
	const char *answer; /* to a whole head */
	struct proxy_url proxy;
	struct proxy_dial *dial;
	struct stream *stream;
	struct err failure;
	bool is_done;
};

static void on_peer_event(void *arg, unsigned events)
{
	struct scene *s = arg;
	ssize_t got;

	while ((got = stream_read(s->peer, s->asked + s->asked_len,
				  sizeof(s->asked) - 1 - s->asked_len)) > 0)
		s->asked_len += (size_t)got;
	if (s->answer && strstr(s->asked, "\r\n\r\n")) {
		assert_true(stream_write(s->peer, s->answer, strlen(s->answer)) > 0);
		s->answer = NULL;
	}
}

static void on_accept(void *arg, struct stream *stream, const struct addr *peer)
{
	struct scene *s = arg;

	s->peer = stream;
	stream_set_owner(stream, on_peer_event, s);
	on_peer_event(s, STREAM_READABLE);
}

static void on_done(void *arg, struct stream *stream, const struct err *e)
{
	struct scene *s = arg;

	s->stream = stream;
	if (e)
		s->failure = *e;
	s->is_done = true;
}

static void open_scene(struct scene *s, const char *credentials, const char *answer)
{
	static const struct listener_events events = { .on_accept = on_accept };
	char url[128];
	struct addr address;
	struct err e;

	*s = (struct scene){ .loop = loop_new(), .answer = answer };
	s->resolver = resolver_new(s->loop, &e);
	assert_non_null(s->resolver);
	assert_int_equal(addr_parse_listen(STR("127.0.0.1:0"), &address, &e), 0);
	s->listener = listener_open(s->loop, &address, false, &events, s, &e);
	assert_non_null(s->listener);
	listener_address(s->listener, &address);
	(void)snprintf(url, sizeof(url), "http://%s127.0.0.1:%u", credentials,
		       (unsigned)addr_port(&address));
	assert_int_equal(proxy_url_parse(str_from(url), &s->proxy, &e), 0);
}

static void start(struct scene *s, const char *host)
{
	const struct proxy_dial_request request = { .proxy = &s->proxy,
						    .host = str_from(host),
						    .port = 443 };

	s->dial = proxy_dial_start(s->loop, s->resolver, &request, on_done, s);
}

static void close_scene(struct scene *s)
{
	stream_close(s->stream, STREAM_CLOSE_NORMAL);
	stream_close(s->peer, STREAM_CLOSE_NORMAL);
	if (s->listener)
		listener_close(s->listener);
	resolver_free(s->resolver);
	loop_free(s->loop);
	proxy_url_done(&s->proxy);
}

static void run(struct scene *s, const char *host)
{
	start(s, host);
	while (!s->is_done)
		loop_turn(s->loop, true);
}

static void test_open(void **state)
{
	struct scene s;

	open_scene(&s, "ada:pass%20word@", "HTTP/1.1 200 Connection established\r\n\r\n");
	run(&s, "gw.example");
	assert_non_null(s.stream);
	assert_int_equal(strncmp(s.asked, "CONNECT gw.example:443 HTTP/1.1\r\n", 33), 0);
	assert_non_null(strstr(s.asked, "\r\nHost: gw.example:443\r\n"));
	assert_non_null(strstr(s.asked, "Proxy-Authorization: Basic YWRhOnBhc3Mgd29yZA==\r\n"));
	close_scene(&s);
}

static void test_ip6_target(void **state)
{
	struct scene s;

	open_scene(&s, "", "HTTP/1.0 200 OK\r\n\r\n");
	run(&s, "2001:db8::1");
	assert_non_null(s.stream);
	assert_int_equal(strncmp(s.asked, "CONNECT [2001:db8::1]:443 ", 26), 0);
	assert_null(strstr(s.asked, "Authorization"));
	close_scene(&s);
}

static const struct {
	const char *credentials;
	const char *answer;
	const char *text; /* behind the proxy's name */
} answers[] = {
	{ "", "HTTP/1.1 407 No\r\n\r\n",
	  " asks for a user and a password (status 407); write them into its URL, before the host: "
	  "user:password@" },
	{ "ada:sesame@", "HTTP/1.1 407 No\r\n\r\n",
	  " does not accept the user and the password (status 407)" },
	{ "", "HTTP/1.1 403 No\r\n\r\n",
	  " does not allow connections to gw.example:443 (status 403)" },
	{ "", "HTTP/1.1 502 No\r\n\r\n", " cannot reach gw.example:443 (status 502)" },
	{ "", "HTTP/1.1 503 No\r\n\r\n", " cannot reach gw.example:443 (status 503)" },
	{ "", "HTTP/1.1 302 No\r\nLocation: http://login/\r\n\r\n",
	  " refuses the connection to gw.example:443 (status 302)" },
	{ "", "HTTP/1.1 200 OK\r\n\r\nhello", ": it sent bytes of its own into the connection" },
};

static void test_answers(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
		char expected[ERR_TEXT_MAX];
		struct scene s;

		open_scene(&s, answers[i].credentials, answers[i].answer);
		run(&s, "gw.example");
		assert_null(s.stream);
		(void)snprintf(expected, sizeof(expected), "the proxy %s%s", s.proxy.name,
			       answers[i].text);
		assert_string_equal(s.failure.text, expected);
		close_scene(&s);
	}
}

/* A server that speaks first: what it says comes right behind the proxy's answer. */
static void test_early_bytes(void **state)
{
	struct proxy_dial_request request = { .host = STR("db.example"),
					      .port = 3306,
					      .may_speak_first = true };
	char bytes[16];
	struct scene s;

	open_scene(&s, "", "HTTP/1.1 200 OK\r\n\r\nhello");
	request.proxy = &s.proxy;
	s.dial = proxy_dial_start(s.loop, s.resolver, &request, on_done, &s);
	while (!s.is_done)
		loop_turn(s.loop, true);
	assert_non_null(s.stream);
	assert_int_equal(stream_read(s.stream, bytes, sizeof(bytes)), 5);
	assert_memory_equal(bytes, "hello", 5);
	close_scene(&s);
}

static void test_garbage(void **state)
{
	struct scene s;

	open_scene(&s, "ada:sesame@", "SSH-2.0-OpenSSH\r\n\r\n");
	run(&s, "gw.example");
	assert_null(s.stream);
	assert_non_null(strstr(s.failure.text, s.proxy.name));
	assert_null(strstr(s.failure.text, "sesame"));
	close_scene(&s);
}

static void test_nobody_there(void **state)
{
	struct scene s;

	open_scene(&s, "", NULL);
	listener_close(TAKE(s.listener));
	run(&s, "gw.example");
	assert_int_equal(s.failure.kind, ERR_REFUSED);
	assert_non_null(strstr(s.failure.text, "cannot be reached"));
	close_scene(&s);
}

static void test_cancel_at_each_step(void **state)
{
	for (int turns = 0; turns < 12; turns++) {
		struct scene s;

		open_scene(&s, "", turns % 2 ? NULL : "HTTP/1.1 200 OK\r\n\r\n");
		start(&s, "gw.example");
		for (int i = 0; i < turns && !s.is_done; i++)
			loop_turn(s.loop, false);
		if (!s.is_done)
			proxy_dial_cancel(s.dial);
		close_scene(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_open),
		cmocka_unit_test(test_ip6_target),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_garbage),
		cmocka_unit_test(test_early_bytes),
		cmocka_unit_test(test_nobody_there),
		cmocka_unit_test(test_cancel_at_each_step),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
