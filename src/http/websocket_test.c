#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "http/websocket.h"

#include <string.h>

#include "http/h1_parse.h"

#define KEY "dGhlIHNhbXBsZSBub25jZQ=="

/* RFC 6455 section 1.3 */
static void test_accept(void **state)
{
	char accept[WEBSOCKET_ACCEPT_LEN + 1];

	websocket_accept(STR(KEY), accept);
	assert_string_equal(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

static void test_keys_are_new_and_valid(void **state)
{
	char first[WEBSOCKET_KEY_LEN + 1];
	char second[WEBSOCKET_KEY_LEN + 1];
	struct http_header headers[] = {
		{ STR("Sec-WebSocket-Version"), STR("13") },
		{ STR("Sec-WebSocket-Key"), STR("") },
	};
	const struct http_request request = { .method = STR("GET"),
					      .headers = { headers, ARRAY_LEN(headers) } };
	struct err e;

	websocket_make_key(first);
	websocket_make_key(second);
	assert_string_not_equal(first, second);
	headers[1].value = str_from(first);
	assert_int_equal(websocket_check(&request, &e), 0);
}

#define LINE    "GET /.well-known/masque/tcp/db.example/5432/ HTTP/1.1\r\nHost: gw.example\r\n"
#define UPGRADE "Connection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n"
#define WITH    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "

struct request_case {
	const char *head;
	int result;            /* the status of the refusal; -1: not even a request */
	const char *authority; /* of the tunnel; NULL: an ordinary request */
};

static const struct request_case request_cases[] = {
	{ LINE UPGRADE WITH KEY "\r\n\r\n", 0, "db.example:5432" },
	{ "GET /.well-known/masque/tcp/2001%3Adb8%3A%3A1/22 HTTP/1.1\r\nHost: gw.example\r\n" UPGRADE
		  WITH KEY "\r\n\r\n",
	  0, "[2001:db8::1]:22" },
	/* ordinary requests */
	{ LINE "Upgrade: websocket\r\n" WITH KEY "\r\n\r\n", 0, NULL },
	{ LINE "Connection: Upgrade\r\n" WITH KEY "\r\n\r\n", 0, NULL },
	{ "GET / HTTP/1.1\r\nHost: gw.example\r\n" UPGRADE WITH KEY "\r\n\r\n", 0, NULL },
	{ "GET /.well-known/masque/tcp/db.example/0/ HTTP/1.1\r\nHost: gw.example\r\n" UPGRADE WITH
		  KEY "\r\n\r\n",
	  0, NULL },
	{ "GET /.well-known/masque/tcp/a%0Ab/22/ HTTP/1.1\r\nHost: gw.example\r\n" UPGRADE WITH KEY
	  "\r\n\r\n",
	  0, NULL },
	{ "GET /.well-known/masque/udp/db.example/53/ HTTP/1.1\r\nHost: gw.example\r\n" UPGRADE WITH
		  KEY "\r\n\r\n",
	  0, NULL },
	{ "POST /.well-known/masque/tcp/db.example/5432/ HTTP/1.1\r\nHost: gw.example\r\n" UPGRADE
		  WITH KEY "\r\n\r\n",
	  0, NULL },
	/* WebSockets that cannot be */
	{ LINE UPGRADE "Sec-WebSocket-Key: " KEY "\r\n\r\n", 426, NULL },
	{ LINE UPGRADE WITH KEY "\r\nSec-WebSocket-Version: 13\r\n\r\n", 426, NULL },
	{ LINE UPGRADE "Sec-WebSocket-Version: 8\r\nSec-WebSocket-Key: " KEY "\r\n\r\n", 426,
	  NULL },
	{ LINE UPGRADE "\r\n", 426, NULL },
	{ LINE UPGRADE WITH "\r\n\r\n", 400, NULL },
	{ LINE UPGRADE WITH "c2hvcnQ=\r\n\r\n", 400, NULL },
	{ LINE UPGRADE WITH "dGhlIHNhbXBsZSBub25jZX==\r\n\r\n", 400, NULL }, /* trailing bits */
	{ LINE UPGRADE WITH "dGhlIHNhbXBsZSBub25jZTE=\r\n\r\n", 400, NULL }, /* 17 bytes */
	{ LINE UPGRADE WITH KEY "\r\nSec-WebSocket-Key: " KEY "\r\n\r\n", 400, NULL },
	{ LINE UPGRADE WITH KEY "\r\nContent-Length: 5\r\n\r\n", -1, NULL },
	{ LINE UPGRADE WITH KEY "\r\nTransfer-Encoding: chunked\r\n\r\n", -1, NULL },
};

static void test_requests(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(request_cases); i++) {
		const struct request_case *c = &request_cases[i];
		struct http_request request;
		struct arena arena = { 0 };
		struct err e;
		int result;

		print_message("case %zu\n", i);
		result = h1_parse_request(str_from(c->head), &arena, &request, &e);
		if (result == 0 && request.is_websocket)
			result = websocket_check(&request, &e);
		assert_int_equal(result, c->result);
		if (c->result == 0) {
			assert_int_equal(request.is_websocket, c->authority != NULL);
			assert_int_equal(request.is_connect, c->authority != NULL);
			assert_false(request.is_udp);
			assert_true(
				str_equal(request.authority,
					  str_from(c->authority ? c->authority : "gw.example")));
		}
		arena_done(&arena);
	}
}

static void test_answers(void **state)
{
	static const struct {
		const char *connection;
		const char *upgrade;
		const char *accept;
		const char *extra;
		int result;
	} cases[] = {
		{ "Upgrade", "websocket", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "x-other", 0 },
		{ "keep-alive, upgrade", "WebSocket", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "x-other",
		  0 },
		{ "close", "websocket", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "x-other", -1 },
		{ "Upgrade", "h2c", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "x-other", -1 },
		{ "Upgrade", "websocket", "S3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "x-other", -1 },
		{ "Upgrade", "websocket", "", "x-other", -1 },
		{ "Upgrade", "websocket",
		  "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "Sec-WebSocket-Extensions", -1 },
		{ "Upgrade", "websocket", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "Sec-WebSocket-Protocol",
		  -1 },
		{ "Upgrade", "websocket", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "Sec-WebSocket-Accept",
		  -1 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct http_header headers[] = {
			{ STR("Connection"), str_from(cases[i].connection) },
			{ STR("Upgrade"), str_from(cases[i].upgrade) },
			{ STR("Sec-WebSocket-Accept"), str_from(cases[i].accept) },
			{ str_from(cases[i].extra), STR("permessage-deflate") },
		};
		const struct http_headers list = { headers, ARRAY_LEN(headers) };
		struct err e;

		print_message("case %zu\n", i);
		assert_int_equal(websocket_check_answer(&list, STR(KEY), &e), cases[i].result);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accept),
		cmocka_unit_test(test_keys_are_new_and_valid),
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
