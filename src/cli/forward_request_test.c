/*
 * Heads for proxies and what servers get of them, whole and a byte at a time; and what is not forwarded.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <string.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "cli/forward_request.h"

#define END "Via: 1.1 pomerium-cli\r\nConnection: close\r\n\r\n"

struct row {
	const char *head;
	const char *target;
	const char *forwarded;
};

static const struct row rows[] = {
	{ "GET http://a.test/b?c HTTP/1.1\r\nHost: a.test\r\n\r\n", "a.test:80",
	  "GET /b?c HTTP/1.1\r\nHost: a.test\r\n" END },
	{ "GET HTTP://a.test:8080 HTTP/1.1\r\nHost: other.test\r\nX: y\r\n\r\n", "a.test:8080",
	  "GET / HTTP/1.1\r\nHost: a.test:8080\r\nX: y\r\n" END },
	{ "GET http://[::1]?q HTTP/1.1\r\nHost: x\r\n\r\n", "[::1]:80",
	  "GET /?q HTTP/1.1\r\nHost: [::1]\r\n" END },
	{ "GET http://a.test/http://b.test/ HTTP/1.1\r\nHost: x\r\n\r\n", "a.test:80",
	  "GET /http://b.test/ HTTP/1.1\r\nHost: a.test\r\n" END },
	{ "OPTIONS http://a.test HTTP/1.1\r\nHost: x\r\n\r\n", "a.test:80",
	  "OPTIONS * HTTP/1.1\r\nHost: a.test\r\n" END },
	{ "GET http://a.test/ HTTP/1.0\r\n\r\n", "a.test:80",
	  "GET / HTTP/1.0\r\nHost: a.test\r\n"
	  "Via: 1.0 pomerium-cli\r\nConnection: close\r\n\r\n" },
	/* for us, or for the connection */
	{ "GET http://a.test/ HTTP/1.1\r\nHost: x\r\nProxy-Authorization: Basic eA==\r\n"
	  "PROXY-CONNECTION: keep-alive\r\nProxy-Other: x\r\nKeep-Alive: 5\r\nTE: trailers\r\n"
	  "Upgrade: h2c\r\nHTTP2-Settings: x\r\nConnection: Upgrade, http2-settings\r\n"
	  "Connection: x-one\r\nX-One: 1\r\nX-Two: 2\r\n\r\n",
	  "a.test:80", "GET / HTTP/1.1\r\nHost: a.test\r\nX-Two: 2\r\n" END },
	/* the framing of the body is not to be talked away */
	{ "POST http://a.test/ HTTP/1.1\r\nHost: x\r\nConnection: content-length\r\n"
	  "Content-Length: 3\r\n\r\n",
	  "a.test:80", "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 3\r\n" END },
	{ "POST http://a.test/ HTTP/1.1\r\nHost: x\r\nConnection: transfer-encoding\r\n"
	  "Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n",
	  "a.test:80",
	  "POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n"
	  "Expect: 100-continue\r\n" END },
};

static void check_row(const struct row *row, size_t piece)
{
	size_t len = strlen(row->head);
	struct forward_request forward = { 0 };
	struct h1_scanner scanner = { 0 };
	enum forward_found found = FORWARD_MORE;

	for (size_t at = piece; at < len; at += piece) {
		found = forward_request_read(&scanner, str_of(row->head, at), &forward);
		assert_int_equal(found, FORWARD_MORE);
	}
	found = forward_request_read(&scanner, str_from(row->head), &forward);
	assert_int_equal(found, FORWARD_REQUEST);
	assert_string_equal(forward.target, row->target);
	assert_int_equal(forward.head.len, strlen(row->forwarded));
	assert_memory_equal(forward.head.data, row->forwarded, forward.head.len);
	assert_int_equal(forward.head_len, len);
	forward_request_done(&forward);
}

static void test_heads(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		check_row(&rows[i], SIZE_MAX / 2);
		check_row(&rows[i], 1);
	}
}

static void test_for_a_proxy(void **state)
{
	static const struct {
		const char *head;
		const char *authorization;
		const char *beginning;
	} cases[] = {
		{ "GET http://a.test/b?c HTTP/1.1\r\nHost: x\r\nProxy-Authorization: old\r\n\r\n",
		  "Basic eA==",
		  "GET http://a.test/b?c HTTP/1.1\r\nProxy-Authorization: Basic eA==\r\n"
		  "Host: a.test\r\nVia: " },
		{ "GET HTTP://[::1]:8080 HTTP/1.1\r\nHost: x\r\n\r\n", "",
		  "GET http://[::1]:8080/ HTTP/1.1\r\nHost: [::1]:8080\r\nVia: " },
		{ "OPTIONS http://a.test HTTP/1.1\r\nHost: x\r\n\r\n", "",
		  "OPTIONS http://a.test HTTP/1.1\r\nHost: a.test\r\nVia: " },
		{ "GET http://a.test/x* HTTP/1.0\r\n\r\n", "",
		  "GET http://a.test/x* HTTP/1.0\r\nHost: a.test\r\nVia: " },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct forward_request forward = { 0 };
		struct h1_scanner scanner = { 0 };

		assert_int_equal(forward_request_read(&scanner, str_from(cases[i].head), &forward),
				 FORWARD_REQUEST);
		forward_request_address_proxy(&forward, str_from(cases[i].authorization));
		assert_false(forward.head.is_overflown);
		if (!str_starts_with(buf_view(&forward.head), str_from(cases[i].beginning)))
			fail_msg("%zu: %.*s", i, STR_FMT(buf_view(&forward.head)));
		assert_true(str_ends_with(buf_view(&forward.head),
					  STR(" pomerium-cli\r\nConnection: close\r\n\r\n")));
		forward_request_done(&forward);
	}
}

static void test_what_follows_is_not_of_the_head(void **state)
{
	const struct str received = STR(
		"POST http://a.test/ HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello");
	struct forward_request forward = { 0 };
	struct h1_scanner scanner = { 0 };

	assert_int_equal(forward_request_read(&scanner, received, &forward), FORWARD_REQUEST);
	assert_int_equal(forward.head_len, received.len - 5);
	assert_int_equal(forward.body.kind, H1_BODY_LENGTH);
	assert_int_equal(forward.body.left, 5);
	assert_false(str_contains(buf_view(&forward.head), STR("hello")));
	forward_request_done(&forward);
}

/* An h1_server answers all of these. */
static void test_not_forwarded(void **state)
{
	static const char *const heads[] = {
		"GET /",
		"CONNECT a.test:443 HTTP/1.1\r\n",
		"GET https",
		"GET ftp://a.test/",
		"nonsense\r\n",
		"\r\n",
		"\x16\x03\x01",
		"GET http://a.test/ HTTP/1.1\r\nHost: x\n",
		"GET http://a.test/ HTTP/1.1\r\n\r\n",
		"GET http://a.test/ HTTP/2.0\r\nHost: x\r\n\r\n",
		"GET http:/// HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET http://user@a.test/ HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET http://a.test:0/ HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET http://a.test:65536/ HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET http://a.test/ HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
		"GET http://a.test/ HTTP/1.1\r\nHost: x\r\nOrigin: null\r\n\r\n",
		"POST http://a.test/ HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n"
		"Transfer-Encoding: chunked\r\n\r\n",
		"CONNECT http://a.test/ HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET http://a.test/.well-known/masque/udp/a.test/53/ HTTP/1.1\r\nHost: x\r\n"
		"Connection: Upgrade\r\nUpgrade: connect-udp\r\nCapsule-Protocol: ?1\r\n\r\n",
	};
	struct forward_request forward = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
		struct h1_scanner scanner = { 0 };

		assert_int_equal(forward_request_read(&scanner, str_from(heads[i]), &forward),
				 FORWARD_NONE);
		assert_null(forward.target);
	}
}

static void test_head_without_end(void **state)
{
	struct forward_request forward = { 0 };
	struct h1_scanner scanner = { 0 };
	struct buf received = BUF_INIT(HTTP_HEAD_MAX + 1);

	assert_int_equal(buf_append_str(&received, STR("GET http://a.test/")), 0);
	while (received.len < HTTP_HEAD_MAX)
		assert_int_equal(buf_append_char(&received, 'a'), 0);
	assert_int_equal(forward_request_read(&scanner, buf_view(&received), &forward),
			 FORWARD_MORE);
	assert_int_equal(buf_append_char(&received, 'a'), 0);
	assert_int_equal(forward_request_read(&scanner, buf_view(&received), &forward),
			 FORWARD_NONE);
	buf_done(&received);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_heads),
		cmocka_unit_test(test_for_a_proxy),
		cmocka_unit_test(test_what_follows_is_not_of_the_head),
		cmocka_unit_test(test_not_forwarded),
		cmocka_unit_test(test_head_without_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
