/*
 * The published table of destinations, and what is refused here on purpose.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "cli/destination.h"
#include "tests/vectors/vectors.h"

static void check_vector(const json_t *row)
{
	struct destination d = { 0 };
	struct str url = vectors_str(row, "pomerium_url");
	/* "no port" rows are refused early: no gateway accepts such a target */
	bool is_refused = json_object_get(row, "error") ||
			  str_find(vectors_str(row, "dst_addr"), ':') ==
				  vectors_str(row, "dst_addr").len;
	struct err e;
	int result = destination_parse(vectors_str(row, "destination"), url.at, &d, &e);

	assert_int_equal(result, is_refused ? -1 : 0);
	if (result < 0) {
		assert_int_equal(e.kind, ERR_CONFIG);
		return;
	}
	assert_true(str_equal(str_from(d.target), vectors_str(row, "dst_addr")));
	assert_true(str_equal(str_from(d.gateway_url), vectors_str(row, "proxy_url")));
	destination_done(&d);
}

static void test_vectors(void **state)
{
	json_t *rows = vectors_load("cli_destinations.json");
	size_t count = json_array_size(rows);

	assert_true(count >= 13);
	for (size_t i = 0; i < count; i++)
		check_vector(json_array_get(rows, i));
	json_decref(rows);
}

struct good {
	const char *text;
	const char *gateway_url;
	const char *target;
	const char *host;
	const char *name;
	const char *url;
	const char *authority;
	uint16_t port;
	bool uses_tls;
};

static const struct good goods[] = {
	{ "redis.example.com:6379", NULL, "redis.example.com:6379", "redis.example.com",
	  "redis.example.com:443", "https://redis.example.com:443", "redis.example.com", 443,
	  true },
	{ "https://redis.example.com:6379/", NULL, "redis.example.com:6379", "redis.example.com",
	  "redis.example.com:443", "https://redis.example.com:443", "redis.example.com", 443,
	  true },
	{ "tcp+https://[::1]:8443/db:5432", NULL, "db:5432", "::1", "[::1]:8443",
	  "https://[::1]:8443", "[::1]:8443", 8443, true },
	{ "tcp+https://[::1]/[fe80::1]:22", NULL, "[fe80::1]:22", "::1", "[::1]:443",
	  "https://[::1]:443", "[::1]", 443, true },
	{ "[::1]:22", NULL, "[::1]:22", "::1", "[::1]:443", "https://[::1]:443", "[::1]", 443,
	  true },
	{ "TCP+HTTP://gw/db:1", NULL, "db:1", "gw", "gw:80", "http://gw:80", "gw", 80, false },
	{ "db:1", "http://gw:8080/ignored", "db:1", "gw", "gw:8080", "http://gw:8080", "gw:8080",
	  8080, false },
	{ "tcp+https://other/db:1", "https://gw", "db:1", "gw", "gw:443", "https://gw:443", "gw",
	  443, true },
	{ "db:1", "", "db:1", "db", "db:443", "https://db:443", "db", 443, true },
};

static void test_good(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(goods); i++) {
		const struct good *g = &goods[i];
		struct destination d = { 0 };
		struct err e;

		assert_int_equal(destination_parse(str_from(g->text), g->gateway_url, &d, &e), 0);
		assert_string_equal(d.target, g->target);
		assert_string_equal(d.gateway_host, g->host);
		assert_string_equal(d.gateway_name, g->name);
		assert_string_equal(d.gateway_url, g->url);
		assert_string_equal(d.gateway_authority, g->authority);
		assert_int_equal(d.gateway_port, g->port);
		assert_int_equal(d.uses_tls, g->uses_tls);
		destination_done(&d);
		assert_null(d.target);
	}
}

static const char *const bads[][2] = {
	{ "", NULL },
	{ "redis.example.com", NULL },
	{ "redis.example.com:", NULL },
	{ "redis.example.com:0", NULL },
	{ "redis.example.com:65536", NULL },
	{ "redis.example.com:http", NULL },
	{ ":6379", NULL },
	{ "::1:22", NULL },
	{ "https://redis.example.com", NULL },
	{ "https://redis.example.com/", NULL },
	{ "https://gw/redis", NULL },
	{ "https:///db:1", NULL },
	{ "https://user:word@gw/db:1", NULL },
	{ "ssh://gw/db:1", NULL },
	{ "https//gw/db:1", NULL },
	{ "a b:1", NULL },
	{ "a:1\r\nX: y", NULL },
	{ "https://gw/a:1\r\nX: y", NULL },
	{ "https://gw\r\nX: y/a:1", NULL },
	{ "db:1", "gw" },
	{ "db:1", "gw:443" },
	{ "db:1", "https://" },
	{ "db:1", "ftp://gw" },
	{ "db:1", "https://gw:0" },
};

static void test_bad(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(bads); i++) {
		struct destination d = { 0 };
		struct err e = { 0 };

		assert_int_equal(destination_parse(str_from(bads[i][0]), bads[i][1], &d, &e), -1);
		assert_int_equal(e.kind, ERR_CONFIG);
		assert_non_null(strstr(e.text, "invalid"));
		assert_null(d.target);
	}
}

static void test_server(void **state)
{
	static const struct {
		const char *text;
		const char *url; /* NULL: refused */
	} rows[] = {
		{ "https://gw.example.com", "https://gw.example.com:443" },
		{ "https://gw.example.com:8443/", "https://gw.example.com:8443" },
		{ "http://gw", "http://gw:80" },
		{ "gw", "https://gw:443" },
		{ "gw:8443", "https://gw:8443" },
		{ "tcp+https://gw", "https://gw:443" },
		{ "", NULL },
		{ "ftp://gw", NULL },
		{ "https://", NULL },
		{ "gw/path", NULL },
		{ "a b", NULL },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct destination d = { 0 };
		struct err e = { 0 };
		int result = destination_parse_server(str_from(rows[i].text), &d, &e);

		assert_int_equal(result, rows[i].url ? 0 : -1);
		if (rows[i].url) {
			assert_string_equal(d.gateway_url, rows[i].url);
			assert_string_equal(d.target, "");
		} else {
			assert_non_null(strstr(e.text, "invalid server url"));
		}
		destination_done(&d);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_server),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
