/*
 * route_table_test.c - names and ports (protocol.md 1.6), ids, and targets in turn
 */

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "proxy/route_table.h"
#include "proxy/idp.h"

static struct config *load(const char *text)
{
	struct report report = { 0 };
	struct config *config = NULL;
	struct err e = { 0 };

	if (config_parse(str_from(text), "c.yaml", &config, &report, &e) < 0)
		fail_msg("%s", e.text);
	report_done(&report);
	return config;
}

#define TO "  allow_any_authenticated_user: true\n  to: tcp://"

static const char routes_text[] =
	"routes:\n"
	"- from: tcp+https://exact.example.com:6379\n" TO "10.0.0.1:1\n"
	"- from: tcp+https://bare.example.com\n" TO "10.0.0.2:1\n"
	"- from: tcp+https://both.example.com\n" TO "10.0.0.3:1\n"
	"- from: tcp+https://both.example.com:22\n" TO "10.0.0.4:1\n"
	"- from: tcp+https://proxy.example.com/a.internal:1/b.internal:2\n" TO "10.0.0.5:1\n"
	"- from: tcp+https://exact.example.com:6379\n" TO "10.0.0.6:1\n"
	"- from: tcp+https://MiXedAZ.Example.com:99\n" TO "10.0.0.7:1\n"
	"- from: tcp+https://proxy.example.com/[2001:db8::1]:22\n" TO "10.0.0.8:1\n"
	"- from: tcp+https://proxy.example.com/[2001:db8::2]\n" TO "10.0.0.9:1\n"
	"- from: tcp+https://web.example.com:443\n" TO "10.0.0.10:1\n"
	"- from: tcp+https://BARE.example.com\n" TO "10.0.0.11:1\n";

/* Those in front of a path, and those that are the whole of a name; but not what stands in a path. */
static void test_hosts(void **state)
{
	static const struct {
		const char *host;
		bool is_ours;
	} rows[] = {
		{ "exact.example.com", true },   { "EXACT.example.com", true },
		{ "bare.example.com", true },    { "proxy.example.com", true },
		{ "mixedaz.example.com", true }, { "a.internal", false },
		{ "2001:db8::1", false },        { "example.com", false },
		{ "exact.example.com.", false }, { "x.exact.example.com", false },
		{ "exact.example.co", false },   { "", false },
	};
	struct config *config = load(routes_text);
	struct idp_table idps = { 0 };
	struct route_table table;

	idp_table_init(&idps, config);
	route_table_init(&table, config, &idps, NULL, NULL);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (route_table_find_host(&table, str_from(rows[i].host), NULL) != rows[i].is_ours)
			fail_msg("%s", rows[i].host);
	route_table_done(&table);
	idp_table_done(&idps);
	config_free(config);
}

struct found {
	const char *target;
	const char *host; /* where it leads; NULL: nowhere */
};

static void check_lookups(const char *text, const struct found *rows, size_t count)
{
	struct config *config = load(text);
	struct idp_table idps = { 0 };
	struct route_table table;

	idp_table_init(&idps, config);
	route_table_init(&table, config, &idps, NULL, NULL);
	for (size_t i = 0; i < count; i++) {
		struct authority target;
		struct route *route;

		assert_int_equal(authority_parse_connect(str_from(rows[i].target), &target, NULL),
				 0);
		route = route_table_find(&table, &target);
		if (!route != !rows[i].host)
			fail_msg("%s", rows[i].target);
		if (route && !str_equal(route->config->targets[0].host, str_from(rows[i].host)))
			fail_msg("%s", rows[i].target);
	}
	route_table_done(&table);
	idp_table_done(&idps);
	config_free(config);
}

static void test_lookup(void **state)
{
	static const struct found rows[] = {
		{ "exact.example.com:6379", "10.0.0.1" }, { "EXACT.Example.COM:6379", "10.0.0.1" },
		{ "exact.example.com:22", NULL },         { "exact.example.com:63790", NULL },
		{ "exact.example.com:637", NULL },        { "bare.example.com:1", "10.0.0.2" },
		{ "bare.example.com:65535", "10.0.0.2" }, { "Bare.example.com:443", "10.0.0.2" },
		{ "both.example.com:22", "10.0.0.4" },    { "both.example.com:23", "10.0.0.3" },
		{ "both.example.com:2", "10.0.0.3" },     { "a.internal:1", "10.0.0.5" },
		{ "b.internal:2", "10.0.0.5" },           { "a.internal:2", NULL },
		{ "proxy.example.com:443", NULL },        { "mixedaz.example.com:99", "10.0.0.7" },
		{ "MIXEDAZ.EXAMPLE.COM:99", "10.0.0.7" }, { "[2001:db8::1]:22", "10.0.0.8" },
		{ "[2001:DB8::1]:22", "10.0.0.8" },       { "[2001:db8::1]:23", NULL },
		{ "[2001:db8::2]:23", "10.0.0.9" },       { "web.example.com:443", "10.0.0.10" },
		{ "web.example.com:80", NULL },           { "example.com:6379", NULL },
		{ "x.exact.example.com:6379", NULL },     { "exact.example.com.:6379", NULL },
	};

	check_lookups(routes_text, rows, ARRAY_LEN(rows));
}

static const char wildcards_text[] =
	"routes:\n"
	"- from: tcp+https://*.example.com:22\n" TO "10.0.0.1:1\n"
	"- from: tcp+https://db-*.example.com:5432\n" TO "10.0.0.2:1\n"
	"- from: tcp+https://*.example.com:5432\n" TO "10.0.0.3:1\n"
	"- from: tcp+https://own.example.com:22\n" TO "10.0.0.4:1\n"
	"- from: tcp+https://bare.example.com\n" TO "10.0.0.5:1\n"
	"- from: tcp+https://*.any.EXAMPLE.org\n" TO "10.0.0.6:1\n"
	"- from: tcp+https://proxy.example.com/deep.example.com:22\n" TO "10.0.0.7:1\n"
	"- from: tcp+https://*:9\n" TO "10.0.0.8:1\n";

/* A name of its own first, then file order; and a name hides wildcards for what it names, no more. */
static void test_wildcards(void **state)
{
	static const struct found rows[] = {
		{ "a.example.com:22", "10.0.0.1" },
		{ "A.B.Example.COM:22", "10.0.0.1" },
		{ ".example.com:22", "10.0.0.1" },
		{ "example.com:22", NULL },
		{ "a.example.com:23", NULL },
		{ "a.example.com.:22", NULL },
		{ "a.example.com.evil.org:22", NULL },
		{ "db-1.example.com:5432", "10.0.0.2" },
		{ "DB-1.example.com:5432", "10.0.0.2" },
		{ "web.example.com:5432", "10.0.0.3" },
		{ "own.example.com:22", "10.0.0.4" },
		{ "own.example.com:5432", "10.0.0.3" },
		{ "bare.example.com:22", "10.0.0.5" },
		{ "bare.example.com:5432", "10.0.0.5" },
		{ "deep.example.com:22", "10.0.0.7" },
		{ "x.any.example.org:1", "10.0.0.6" },
		{ "x.any.example.org:65535", "10.0.0.6" },
		{ "any.example.org:1", NULL },
		{ "anything:9", "10.0.0.8" },
		{ "[2001:db8::1]:9", "10.0.0.8" },
		{ "a.example.com:9", "10.0.0.8" },
		{ "bare.example.com:9", "10.0.0.5" },
	};

	check_lookups(wildcards_text, rows, ARRAY_LEN(rows));
}

/* Without match_any_incoming_port a name without a port stands for none. */
static void test_ports_must_be_named(void **state)
{
	static const struct found rows[] = {
		{ "bare.example.com:22", "10.0.0.1" },   { "bare.example.com:7", NULL },
		{ "own.example.com:22", "10.0.0.4" },    { "x.any.example.org:1", NULL },
		{ "bare.example.com:5432", "10.0.0.3" },
	};
	struct buf text = BUF_INIT(4096);
	char *whole;

	(void)buf_printf(&text, "runtime_flags: {match_any_incoming_port: false}\n%s",
			 wildcards_text);
	whole = buf_take_string(&text);
	check_lookups(whole, rows, ARRAY_LEN(rows));
	mem_free(whole);
}

static void test_warns_of_what_is_never_matched(void **state)
{
	static const struct {
		const char *flag;
		size_t warnings;
	} rows[] = { { "true", 0 }, { "false", 2 } };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct report report = { 0 };
		struct buf text = BUF_INIT(4096);
		struct idp_table idps = { 0 };
		struct route_table table;
		struct config *config;
		char *whole;

		(void)buf_printf(&text, "runtime_flags: {match_any_incoming_port: %s}\n%s",
				 rows[i].flag, wildcards_text);
		whole = buf_take_string(&text);
		config = load(whole);
		idp_table_init(&idps, config);
		route_table_init(&table, config, &idps, NULL, &report);
		assert_int_equal(report.warning_count, rows[i].warnings);
		assert_int_equal(report.error_count, 0);
		if (rows[i].warnings > 0)
			assert_non_null(strstr(report.problems[0].text,
					       "routes[4]: \"tcp+https://bare.example.com\" names "
					       "no port and is never matched"));
		route_table_done(&table);
		idp_table_done(&idps);
		config_free(config);
		report_done(&report);
		mem_free(whole);
	}
}

/* Logins are delivered to hosts that are certainly ours: not to whatever matches "*". */
static void test_hosts_of_wildcards(void **state)
{
	static const struct {
		const char *host;
		bool is_ours;
		bool is_owned;
	} rows[] = {
		{ "a.example.com", true, true },     { "A.EXAMPLE.com", true, true },
		{ "own.example.com", true, true },   { "bare.example.com", true, true },
		{ "proxy.example.com", true, true }, { "x.any.example.org", true, true },
		{ "evil.org", true, false },         { "example.com", true, false },
	};
	struct config *config = load(wildcards_text);
	struct idp_table idps = { 0 };
	struct route_table table;

	idp_table_init(&idps, config);
	route_table_init(&table, config, &idps, NULL, NULL);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct route_host host = { 0 };

		assert_int_equal(route_table_find_host(&table, str_from(rows[i].host), &host),
				 rows[i].is_ours);
		if (host.is_owned != rows[i].is_owned)
			fail_msg("%s", rows[i].host);
	}
	route_table_done(&table);
	idp_table_done(&idps);
	config_free(config);
}

/* A login on a host counts on all routes of it, or the global client is asked: only routes that can be reached matter. */
static void test_clients_of_hosts(void **state)
{
	static const char text[] =
		"idp_provider: google\nidp_client_id: global\nidp_client_secret: s\n"
		"authenticate_service_url: https://authenticate.example.com\n"
		"routes:\n"
		"- from: tcp+https://*.example.com:22\n  idp_client_id: a\n  idp_client_secret: s\n" TO
		"10.0.0.1:1\n"
		"- from: tcp+https://bare.example.com\n  idp_client_id: b\n  idp_client_secret: s\n" TO
		"10.0.0.2:1\n"
		"- from: tcp+https://port.example.com:1\n  idp_client_id: b\n  idp_client_secret: s\n" TO
		"10.0.0.3:1\n"
		"- from: tcp+https://same.example.com:1\n  idp_client_id: a\n  idp_client_secret: s\n" TO
		"10.0.0.4:1\n";
	static const struct {
		const char *host;
		size_t route; /* whose client it is; SIZE_MAX: there are several */
	} rows[] = {
		{ "any.example.com", 0 },
		{ "bare.example.com", 1 }, /* no wildcard has a part of it */
		{ "port.example.com", SIZE_MAX },
		{ "same.example.com", 0 },
	};
	struct config *config = load(text);
	struct idp_table idps = { 0 };
	struct route_table table;

	idp_table_init(&idps, config);
	route_table_init(&table, config, &idps, NULL, NULL);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct route_host host;

		assert_true(route_table_find_host(&table, str_from(rows[i].host), &host));
		assert_ptr_equal(host.idp, rows[i].route == SIZE_MAX
						   ? NULL
						   : table.routes[rows[i].route].idp);
	}
	route_table_done(&table);
	idp_table_done(&idps);
	config_free(config);
}

/* The longest host name, and one that cannot be a name of any route. */
static void test_long_names(void **state)
{
	struct config *config = load(routes_text);
	struct idp_table idps = { 0 };
	struct route_table table;
	char text[1000];
	struct authority target = { .host = str_of(text, 994), .port = 12345 };

	memset(text, 'a', sizeof(text));
	memcpy(text + 994, ":12345", 6);
	target.text = str_of(text, sizeof(text));
	idp_table_init(&idps, config);
	route_table_init(&table, config, &idps, NULL, NULL);
	assert_null(route_table_find(&table, &target));
	target.text = str_of(text + sizeof(text) - (HOST_NAME_MAX_LEN + 6), HOST_NAME_MAX_LEN + 6);
	assert_null(route_table_find(&table, &target));
	route_table_done(&table);
	idp_table_done(&idps);
	config_free(config);
}

#define TWO                                                                                             \
	"- from: tcp+https://two.example.com:1\n  to: [\"tcp://a.example:1\", \"tcp://b.example:2\"]\n" \
	"  allow_any_authenticated_user: true\n"
#define OTHER "- from: tcp+https://other.example.com:1\n" TO "c.example:3\n"

/* Ids stay when routes move or get other rules, and differ when a route leads elsewhere. */
static void test_ids(void **state)
{
	static const char *const texts[] = {
		"routes:\n" TWO OTHER,
		"routes:\n" OTHER TWO,
		"routes:\n- from: tcp+https://two.example.com:1\n"
		"  to: [\"tcp://a.example:1\", \"tcp://b.example:2\"]\n  allowed_users: [x@example.com]\n",
		"routes:\n- from: tcp+https://two.example.com:1\n"
		"  to: [\"tcp://a.example:1\", \"tcp://b.example:3\"]\n"
		"  allow_any_authenticated_user: true\n",
		"routes:\n- from: tcp+https://two.example.com\n"
		"  to: [\"tcp://a.example:1\", \"tcp://b.example:2\"]\n"
		"  allow_any_authenticated_user: true\n",
	};
	static const size_t places[] = { 0, 1, 0, 0, 0 };
	char ids[ARRAY_LEN(texts)][ROUTE_ID_LEN + 1];

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct config *config = load(texts[i]);
		struct idp_table idps = { 0 };
		struct route_table table;

		idp_table_init(&idps, config);
		route_table_init(&table, config, &idps, NULL, NULL);
		memcpy(ids[i], table.routes[places[i]].id, sizeof(ids[i]));
		assert_int_equal(strspn(ids[i], "0123456789abcdef"), ROUTE_ID_LEN);
		assert_int_equal(strlen(ids[i]), ROUTE_ID_LEN);
		route_table_done(&table);
		idp_table_done(&idps);
		config_free(config);
	}
	assert_string_equal(ids[0], ids[1]);
	assert_string_equal(ids[0], ids[2]);
	assert_string_not_equal(ids[0], ids[3]);
	assert_string_not_equal(ids[0], ids[4]);
}

/* A table without routes is a table. */
static void test_empty(void **state)
{
	struct config *config = load("{}\n");
	struct idp_table idps = { 0 };
	struct route_table table;
	struct authority target;

	assert_int_equal(authority_parse_connect(STR("a.example:1"), &target, NULL), 0);
	idp_table_init(&idps, config);
	route_table_init(&table, config, &idps, NULL, NULL);
	assert_null(route_table_find(&table, &target));
	route_table_done(&table);
	idp_table_done(&idps);
	config_free(config);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lookup),
		cmocka_unit_test(test_hosts),
		cmocka_unit_test(test_wildcards),
		cmocka_unit_test(test_ports_must_be_named),
		cmocka_unit_test(test_warns_of_what_is_never_matched),
		cmocka_unit_test(test_hosts_of_wildcards),
		cmocka_unit_test(test_clients_of_hosts),
		cmocka_unit_test(test_long_names),
		cmocka_unit_test(test_ids),
		cmocka_unit_test(test_empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
