#include "identity/workload_discovery.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <string.h>

#include <cmocka.h>

#define ISSUER "https://kubernetes.default.svc.cluster.local"

static void test_url(void **state)
{
	static const struct {
		const char *issuer;
		const char *url;
	} rows[] = {
		{ ISSUER, ISSUER "/.well-known/openid-configuration" },
		{ ISSUER "/", ISSUER "/.well-known/openid-configuration" },
		{ "https://a.test/b", "https://a.test/b/.well-known/openid-configuration" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf out = BUF_INIT(128);

		assert_true(str_equal(workload_discovery_url(str_from(rows[i].issuer), &out),
				      str_from(rows[i].url)));
		buf_done(&out);
	}
}

static void test_url_too_long(void **state)
{
	struct buf out = BUF_INIT(60);

	(void)state;
	assert_int_equal(workload_discovery_url(STR(ISSUER), &out).len, 0);
	buf_done(&out);
}

static void test_good(void **state)
{
	static const struct {
		const char *issuer;
		const char *text;
		const char *jwks_url;
	} rows[] = {
		/* as Kubernetes answers */
		{ ISSUER,
		  "{\"issuer\":\"" ISSUER
		  "\",\"jwks_uri\":\"https://10.0.0.1:6443/openid/v1/jwks\","
		  "\"response_types_supported\":[\"id_token\"],"
		  "\"subject_types_supported\":[\"public\"],"
		  "\"id_token_signing_alg_values_supported\":[\"RS256\"]}",
		  "https://10.0.0.1:6443/openid/v1/jwks" },
		{ "http://127.0.0.1:80",
		  "{\"jwks_uri\":\"http://127.0.0.1:81/k\",\"issuer\":\"http://127.0.0.1:80\"}",
		  "http://127.0.0.1:81/k" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct workload_discovery *d = NULL;

		assert_int_equal(workload_discovery_parse(str_from(rows[i].issuer),
							  str_from(rows[i].text), &d, NULL),
				 0);
		assert_true(str_equal(d->jwks_url, str_from(rows[i].jwks_url)));
		workload_discovery_unref(workload_discovery_ref(d));
		workload_discovery_unref(d);
	}
	workload_discovery_unref(NULL);
}

static void test_refused(void **state)
{
	static const struct {
		const char *text;
		const char *error;
	} rows[] = {
		{ "", "" },
		{ "<html>", "" },
		{ "[]", "" },
		{ "{}", "another issuer" },
		{ "{\"issuer\":\"" ISSUER "/\",\"jwks_uri\":\"https://a.test/\"}",
		  "another issuer" },
		{ "{\"issuer\":[\"" ISSUER "\"],\"jwks_uri\":\"https://a.test/\"}",
		  "another issuer" },
		{ "{\"issuer\":\"" ISSUER "\"}", "jwks_uri" },
		{ "{\"issuer\":\"" ISSUER "\",\"jwks_uri\":7}", "jwks_uri" },
		{ "{\"issuer\":\"" ISSUER "\",\"jwks_uri\":\"http://a.test/\"}", "not https" },
		{ "{\"issuer\":\"" ISSUER "\",\"jwks_uri\":\"file:///etc/passwd\"}", "jwks_uri" },
		{ "{\"issuer\":\"" ISSUER "\",\"jwks_uri\":\"https://a.test/\","
		  "\"jwks_uri\":\"https://b.test/\"}",
		  "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct workload_discovery *d = NULL;
		struct err e = { 0 };

		assert_int_equal(
			workload_discovery_parse(STR(ISSUER), str_from(rows[i].text), &d, &e), -1);
		assert_null(d);
		if (e.kind == ERR_NONE || !strstr(e.text, rows[i].error))
			fail_msg("%s: %s", rows[i].text, e.text);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_url),
		cmocka_unit_test(test_url_too_long),
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
