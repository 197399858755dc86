/*
 * audit_test.c - what a client writes into its own records
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "io/stream.h"
#include "tests/support/exchange_fixture.h"

/* len times the same byte; release with mem_free(). */
static char *repeat(char c, size_t len)
{
	char *text = mem_alloc(len + 1);

	memset(text, c, len);
	return text;
}

/* All that says who it was, in the last line; found whatever the client wrote in front of it. */
static void check_identity_is_logged(struct exchange_fixture *f, char c, size_t len)
{
	char *token = exchange_fixture_log_in(f, "alice@example.com");
	char *text = repeat(c, len);
	const char *log;

	exchange_fixture_sendf(f,
			       "CONNECT " FIXTURE_ROUTE " HTTP/1.1\r\nHost: " FIXTURE_ROUTE "\r\n"
			       "User-Agent: -%s-\r\nReferer: -%s-\r\n"
			       "Authorization: Pomerium %s\r\n\r\n",
			       text, text, token);
	exchange_fixture_dial_connects(f);
	(void)exchange_fixture_log(f);
	stream_close(TAKE(f->client), STREAM_CLOSE_RESET);
	exchange_fixture_settle(f);
	stream_close(TAKE(f->upstream), STREAM_CLOSE_NORMAL);
	log = exchange_fixture_log(f);
	if (!strstr(log, "\"email\":\"alice@example.com\"") ||
	    !strstr(log, "\"user\":\"user-1\"") || !strstr(log, "\"session-id\":\"<uuid>\"") ||
	    !strstr(log, "\"end-reason\":\"client-reset\"") || strstr(log, "\"truncated\""))
		fail_msg("%zu bytes of 0x%02x: %s", len, (unsigned)(unsigned char)c, log);
	mem_free(text);
	mem_free_secret(token);
}

static void test_identity_is_logged(void **state)
{
	/* A tab and a byte that is no UTF-8 grow when they are written. */
	static const char bytes[] = { 'x', '"', '\t', (char)0xff };
	static const size_t lengths[] = { 1, 511, 512, 513, 4600, 9300, 30000 };

	for (size_t i = 0; i < ARRAY_LEN(bytes); i++)
		for (size_t k = 0; k < ARRAY_LEN(lengths); k++)
			check_identity_is_logged(*state, bytes[i], lengths[k]);
}

/* The same for methods and paths, which are tokens and visible characters. */
static void test_request_is_logged(void **state)
{
	struct exchange_fixture *f = *state;
	char *method = repeat('M', 20000);
	char *path = repeat('"', 20000);
	const char *log;

	exchange_fixture_sendf(f, "%s /%s HTTP/1.1\r\nHost: h.example\r\n\r\n", method, path);
	log = exchange_fixture_log(f);
	assert_non_null(strstr(log, "\"method\":\"MMMM"));
	assert_non_null(strstr(log, "\"path\":\"/\\\"\\\""));
	assert_non_null(strstr(log, "\"forwarded-for\":\"" FIXTURE_PEER "\""));
	assert_null(strstr(log, "\"truncated\""));
	assert_true(strlen(log) < 4096);
	mem_free(method);
	mem_free(path);
}

/* A page may have been reached with a secret in its query, and says so to the next. */
static void test_queries_of_pages_are_not_logged(void **state)
{
	struct exchange_fixture *f = *state;
	const char *log;

	exchange_fixture_reload(
		f, "access_log_fields: [referer, headers.referer]\n"
		   "authorize_log_fields: [headers.Referer, headers]\n" FIXTURE_SETTINGS);
	exchange_fixture_sendf(f, "CONNECT " FIXTURE_ROUTE " HTTP/1.1\r\nHost: " FIXTURE_ROUTE
				  "\r\nReferer: https://h.example/page?pomerium_session=secret\r\n"
				  "\r\n");
	log = exchange_fixture_log(f);
	assert_non_null(strstr(log, "\"headers.referer\":\"https://h.example/page\""));
	assert_non_null(strstr(log, "\"headers.Referer\":\"https://h.example/page\""));
	assert_non_null(strstr(log, "Referer: https://h.example/page\""));
	assert_null(strstr(log, "secret"));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_identity_is_logged, exchange_fixture_set_up,
						exchange_fixture_tear_down),
		cmocka_unit_test_setup_teardown(test_request_is_logged, exchange_fixture_set_up,
						exchange_fixture_tear_down),
		cmocka_unit_test_setup_teardown(test_queries_of_pages_are_not_logged,
						exchange_fixture_set_up,
						exchange_fixture_tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
