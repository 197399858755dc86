#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "http/connect_udp.h"
#include "http/h1_parse.h"

#define HEADERS "Host: x\r\nConnection: Upgrade\r\nUpgrade: connect-udp\r\n\r\n"

struct text_case {
	const char *head;
	const char *authority; /* NULL: an ordinary request */
};

static void check(const struct text_case *c)
{
	struct http_request request;
	struct arena arena = { 0 };
	struct err e;

	assert_int_equal(h1_parse_request(str_from(c->head), &arena, &request, &e), 0);
	assert_int_equal(request.is_udp, c->authority != NULL);
	assert_int_equal(request.is_connect, c->authority != NULL);
	assert_true(str_equal(request.authority, str_from(c->authority ? c->authority : "x")));
	arena_done(&arena);
}

static void test_what_is_a_request(void **state)
{
	static const struct text_case cases[] = {
		{ "GET /.well-known/masque/udp/dns.test/53/ HTTP/1.1\r\n" HEADERS, "dns.test:53" },
		{ "GET /.well-known/masque/udp/dns.test/53 HTTP/1.1\r\n" HEADERS, "dns.test:53" },
		{ "GET /.well-known/masque/udp/%64ns.test/53/?x HTTP/1.1\r\n" HEADERS,
		  "dns.test:53" },
		{ "GET /.well-known/masque/udp/2001%3Adb8::1/53/ HTTP/1.1\r\n" HEADERS,
		  "[2001:db8::1]:53" },
		{ "GET /.well-known/masque/udp/a/1/ HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, "
		  "upgrade\r\nUpgrade: Connect-UDP\r\n\r\n",
		  "a:1" },
		{ "POST /.well-known/masque/udp/a/1/ HTTP/1.1\r\n" HEADERS, NULL },
		{ "GET /.well-known/masque/udp/a/1/ HTTP/1.0\r\n" HEADERS, NULL },
		{ "GET /.well-known/masque/udp/a/0/ HTTP/1.1\r\n" HEADERS, NULL },
		{ "GET /.well-known/masque/udp/a/65536/ HTTP/1.1\r\n" HEADERS, NULL },
		{ "GET /.well-known/masque/udp/a/1/2 HTTP/1.1\r\n" HEADERS, NULL },
		{ "GET /.well-known/masque/udp//1/ HTTP/1.1\r\n" HEADERS, NULL },
		{ "GET /.well-known/masque/udp/a HTTP/1.1\r\n" HEADERS, NULL },
		{ "GET /.well-known/masque/udp/a%00b/1/ HTTP/1.1\r\n" HEADERS, NULL },
		{ "GET /.well-known/masque/udp/a%2/1/ HTTP/1.1\r\n" HEADERS, NULL },
		{ "GET /.well-known/masque/udp/u%40a/1/ HTTP/1.1\r\n" HEADERS, NULL },
		{ "GET /.well-known/masque/udp/a/1/ HTTP/1.1\r\nHost: x\r\nUpgrade: connect-udp\r\n\r\n",
		  NULL },
		{ "GET /.well-known/masque/udp/a/1/ HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\n"
		  "Upgrade: websocket\r\n\r\n",
		  NULL },
		{ "GET / HTTP/1.1\r\n" HEADERS, NULL },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check(&cases[i]);
}

static void test_a_body_is_refused(void **state)
{
	struct http_request request;
	struct arena arena = { 0 };
	struct err e;

	assert_int_equal(h1_parse_request(STR("GET /.well-known/masque/udp/a/1/ HTTP/1.1\r\n"
					      "Content-Length: 3\r\n" HEADERS),
					  &arena, &request, &e),
			 -1);
	arena_done(&arena);
}

static void test_paths(void **state)
{
	static const struct {
		const char *authority;
		const char *path; /* NULL: none */
	} cases[] = {
		{ "dns.test:53", "/.well-known/masque/udp/dns.test/53/" },
		{ "[::1]:53", "/.well-known/masque/udp/::1/53/" },
		{ "dns.test", NULL },
		{ "", NULL },
		{ "a b:1", NULL },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf out = BUF_INIT(1000);
		bool is_written = connect_udp_write_path(&out, str_from(cases[i].authority));

		assert_int_equal(is_written, cases[i].path != NULL);
		if (is_written)
			assert_true(str_equal(buf_view(&out), str_from(cases[i].path)));
		buf_done(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_a_request),
		cmocka_unit_test(test_a_body_is_refused),
		cmocka_unit_test(test_paths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
