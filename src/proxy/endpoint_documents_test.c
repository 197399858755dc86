/*
 * endpoint_documents_test.c - the style sheet, and the keys of identity assertions (protocol.md 4.3)
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proxy/pages/page.h"
#include "tests/support/exchange_fixture.h"

#define STYLE "/.pomerium/index.css"
#define JWKS  "/.well-known/pomerium/jwks.json"

static void get(struct exchange_fixture *f, const char *path, const char *headers)
{
	exchange_fixture_sendf(f, "GET %s HTTP/1.1\r\nHost: redis.example.com\r\n%s\r\n", path,
			       headers);
}

static void take_tag(struct exchange_fixture *f, char tag[64])
{
	(void)snprintf(tag, 64, "%.*s", STR_FMT(exchange_fixture_header(f, "etag")));
	assert_int_equal(strlen(tag), 34);
	assert_true(tag[0] == '"' && tag[33] == '"');
	assert_int_equal(strspn(tag + 1, "0123456789abcdef"), 32);
}

static void test_style(void **state)
{
	struct exchange_fixture *f = *state;
	char headers[512];
	char tag[64];

	get(f, STYLE, "");
	take_tag(f, tag);
	(void)snprintf(headers, sizeof(headers),
		       "cache-control: public, max-age=600\netag: %s\n"
		       "content-type: text/css; charset=utf-8\nx-content-type-options: nosniff\n"
		       "server: pomerium\nx-request-id: <uuid>\n",
		       tag);
	exchange_fixture_expect(f, 200, headers);
	assert_true(str_equal(buf_view(&f->body), page_style()));
}

/* The key derived from the fixture's shared secret: the vector of protocol.md. */
static void test_jwks(void **state)
{
	struct exchange_fixture *f = *state;
	char headers[512];
	char tag[64];

	get(f, JWKS, "");
	take_tag(f, tag);
	(void)snprintf(headers, sizeof(headers),
		       "cache-control: max-age=60\netag: %s\n"
		       "content-type: application/json\nx-content-type-options: nosniff\n"
		       "server: pomerium\nx-request-id: <uuid>\n",
		       tag);
	exchange_fixture_expect(f, 200, headers);
	assert_true(str_starts_with(buf_view(&f->body),
				    STR("{\"keys\":[{\"use\":\"sig\",\"kty\":\"EC\",\"kid\":\"")));
	assert_true(exchange_fixture_body_has(f, "\"crv\":\"P-256\",\"alg\":\"ES256\",\"x\":\""));
	assert_false(exchange_fixture_body_has(f, "\"d\":"));

	get(f, JWKS, "Origin: https://app.example.org\r\n");
	assert_true(str_equal(exchange_fixture_header(f, "access-control-allow-origin"), STR("*")));
}

static void test_known_already(void **state)
{
	static const struct {
		const char *before; /* the tag */
		const char *after;
		int status;
	} rows[] = {
		{ "If-None-Match: ", "", 304 },
		{ "If-None-Match: W/", "", 304 },
		{ "If-None-Match: \"x\", ", "", 304 },
		{ "If-None-Match: \"x\" ,W/\"y\",", " , \"z\"", 304 },
		{ "If-None-Match: *\r\nX-Tag: ", "", 304 },
		{ "If-None-Match: \"x\"\r\nX-Tag: ", "", 200 },
		{ "If-None-Match: x", "", 200 },
		{ "If-None-Match:\r\nX-Tag: ", "", 200 },
		{ "If-Match: ", "", 200 },
	};
	static const char *const paths[] = { STYLE, JWKS };
	struct exchange_fixture *f = *state;
	char header[128];
	char tag[64];

	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		get(f, paths[i], "");
		take_tag(f, tag);
		for (size_t j = 0; j < ARRAY_LEN(rows); j++) {
			(void)snprintf(header, sizeof(header), "%s%s%s\r\n", rows[j].before, tag,
				       rows[j].after);
			get(f, paths[i], header);
			if (f->status != rows[j].status)
				fail_msg("%s %s: %d", paths[i], header, f->status);
			assert_true(str_equal(exchange_fixture_header(f, "etag"), str_from(tag)));
			assert_false(str_is_empty(exchange_fixture_header(f, "cache-control")));
		}
	}
	/* What is not sent is not counted. */
	(void)exchange_fixture_log(f);
	(void)snprintf(header, sizeof(header), "If-None-Match: %s\r\n", tag);
	get(f, JWKS, header);
	assert_non_null(strstr(exchange_fixture_log(f), "\"size\":0,\"response-code\":304"));
}

/* Another key is another document. */
static void test_tag_follows_key(void **state)
{
	struct exchange_fixture *f = *state;
	struct signing_keys *other = NULL;
	char first[64];
	char second[64];

	get(f, JWKS, "");
	take_tag(f, first);
	assert_int_equal(
		signing_keys_derive(STR("another secret of 32 bytes length"), &other, NULL), 0);
	signing_keys_unref(f->worker.snapshot->signing_keys);
	f->worker.snapshot->signing_keys = other;
	get(f, JWKS, "");
	take_tag(f, second);
	assert_string_not_equal(first, second);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_style, exchange_fixture_set_up,
						exchange_fixture_tear_down),
		cmocka_unit_test_setup_teardown(test_jwks, exchange_fixture_set_up,
						exchange_fixture_tear_down),
		cmocka_unit_test_setup_teardown(test_known_already, exchange_fixture_set_up,
						exchange_fixture_tear_down),
		cmocka_unit_test_setup_teardown(test_tag_follows_key, exchange_fixture_set_up,
						exchange_fixture_tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
