/*
 * config_errors_test.c - bad files and exactly what is said about them
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "config/config_testing.h"

struct bad_case {
	const char *text;
	const char *report;
};

static void check_cases(const struct bad_case *cases, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		char *report;
		struct config *config = parse_text(str_from(cases[i].text), "c.yaml", &report);

		assert_string_equal(report, cases[i].report);
		/* refused exactly if there is an error */
		assert_int_equal(config == NULL,
				 report[0] == 'E' || strstr(report, "\nE ") != NULL);
		mem_free(report);
		config_free(config);
	}
}

#define ROUTE "policy:\n  - from: tcp+https://a.test:1\n    to: tcp://b.test:2\n"

static void test_keys(void **state)
{
	static const struct bad_case cases[] = {
		{ "adress: :443\n", "W c.yaml:1:1: adress is not a known setting and is ignored; "
				    "did you mean address?\n" },
		{ "zzzzzz: 1\n", "W c.yaml:1:1: zzzzzz is not a known setting and is ignored\n" },
		{ ROUTE "    Allowed_Usres: [x]\n",
		  "W c.yaml:4:5: policy[0].Allowed_Usres is not a known setting and is ignored; did "
		  "you mean allowed_users?\n" },
		{ "policy_file: x\n", "E c.yaml:1:1: policy_file is no longer supported\n" },
		{ "client_ca: x\n", "E c.yaml:1:1: client_ca is no longer supported\n" },
		{ "debug_address: :9090\n",
		  "W c.yaml:1:1: debug_address is not supported yet and has no effect\n" },
		{ "downstream_mtls.ca_flie: x\n",
		  "W c.yaml:1:1: downstream_mtls.ca_flie is not a known setting and is ignored; "
		  "did you mean ca_file?\n" },
		{ "blob_storage.x: y\n",
		  "W c.yaml:1:1: blob_storage.x is not supported yet and has no effect\n" },
		{ "insecure_server: false\nuse_proxy_protocol: 0\nservices: ALL\n"
		  "bearer_token_format: default\ncookie_http_only: true\nautocert: f\n"
		  "codec_type: auto\nmetrics_address: ''\nidentity_providers: {}\n",
		  "" },
		{ "cookie_http_only: false\n", "" },
		{ "runtime_flags:\n  debug_admin_endpoints: true\n  mcp: true\n  mpc: true\n",
		  "W c.yaml:2:3: runtime_flags.debug_admin_endpoints is not supported yet and has "
		  "no effect\n"
		  "W c.yaml:4:3: runtime_flags.mpc is not a known setting and is ignored; did you "
		  "mean mcp?\n" },
		{ "runtime_flags.match_any_incoming_port: no\n",
		  "E c.yaml:1:40: runtime_flags.match_any_incoming_port: \"no\" is not true or "
		  "false\n" },
		{ "runtime_flags: 5\n",
		  "E c.yaml:1:16: runtime_flags: must be a mapping (key: value)\n" },
		{ "policy.x: 1\nroutes.from: 2\n",
		  "E c.yaml:1:1: policy: must be a list of routes\n"
		  "E c.yaml:2:1: routes: must be a list of routes\n" },
		{ "- a\n- b\n", "E c.yaml:1:1: must be a mapping (key: value)\n" },
		{ "just text\n", "E c.yaml:1:1: must be a mapping (key: value)\n" },
		{ "set_response_headers: {x: y}\nmerge_slashes: false\n", "" },
	};

	check_cases(cases, ARRAY_LEN(cases));
}

/* Each of these, if it were only ignored, could let in somebody whom it keeps out. */
static void test_what_must_not_be_ignored(void **state)
{
	static const char *const global[] = { "metrics_client_ca", "metrics_client_ca_file",
					      "pomerium_zero_token" };
	static const char *const route[] = { "sub_policies" };
	char text[200];
	char expected[200];

	for (size_t i = 0; i < ARRAY_LEN(global); i++) {
		(void)snprintf(text, sizeof(text), "%s: true\n", global[i]);
		(void)snprintf(expected, sizeof(expected),
			       "E c.yaml:1:1: %s is not supported yet\n", global[i]);
		check_cases(&(struct bad_case){ text, expected }, 1);
	}
	for (size_t i = 0; i < ARRAY_LEN(route); i++) {
		(void)snprintf(text, sizeof(text), ROUTE "    %s: x\n", route[i]);
		(void)snprintf(expected, sizeof(expected),
			       "E c.yaml:4:5: policy[0].%s is not supported yet\n", route[i]);
		check_cases(&(struct bad_case){ text, expected }, 1);
	}
}

/* configuration.md 1.2 */
static void test_removed_keys(void **state)
{
	static const char *const keys[] = {
		"client_ca",
		"client_ca_file",
		"idp_service_account",
		"idp_refresh_directory_timeout",
		"idp_refresh_directory_interval",
		"idp_qps",
		"policy_file",
		"tracing_provider",
		"tracing_sample_rate",
		"tracing_datadog_address",
		"tracing_jaeger_collector_endpoint",
		"tracing_jaeger_agent_endpoint",
		"tracing_zipkin_endpoint",
	};
	char text[200];
	char expected[200];

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		(void)snprintf(text, sizeof(text), "workers: 1\n%s:\n", keys[i]);
		(void)snprintf(expected, sizeof(expected),
			       "E c.yaml:2:1: %s is no longer supported\n", keys[i]);
		check_cases(&(struct bad_case){ text, expected }, 1);
	}
}

static void test_values(void **state)
{
	static const struct bad_case cases[] = {
		{ "address: nonsense:x\n", "E c.yaml:1:10: address: " },
		{ "workers: many\n", "E c.yaml:1:10: workers: \"many\" is not a number\n" },
		{ "workers: -1\n", "E c.yaml:1:10: workers: \"-1\" is not a number\n" },
		{ "workers: 257\n", "E c.yaml:1:10: workers: must not be more than 256\n" },
		{ "workers: [1]\n", "E c.yaml:1:10: workers: must be a text, not a list\n" },
		{ "log_level: loud\n", "E c.yaml:1:12: log_level: \"loud\" is not a log level "
				       "(trace, debug, info, warn, error, fatal, off)\n" },
		/* one problem is one line, whatever the value */
		{ "log_level: \"a\\nb\"\n", "E c.yaml:1:12: log_level: \"a?b\" is not a log level "
					    "(trace, debug, info, warn, error, fatal, off)\n" },
		{ "cookie_expire: 14\n",
		  "E c.yaml:1:16: cookie_expire: must be at least 1s (a bare "
		  "number counts nanoseconds)\n" },
		{ "cookie_expire: '14'\n", "E c.yaml:1:16: cookie_expire: \"14\" is not a duration "
					   "(30s, 5m, 1h30m)\n" },
		{ "cookie_expire: 30x\n", "E c.yaml:1:16: cookie_expire: \"30x\" is not a duration "
					  "(30s, 5m, 1h30m)\n" },
		{ "cookie_expire: -1h\n",
		  "E c.yaml:1:16: cookie_expire: must be at least 1s (a bare "
		  "number counts nanoseconds)\n" },
		{ "authenticate_service_url: http://login.test\n",
		  "E c.yaml:1:27: authenticate_service_url: \"http://login.test\" must be "
		  "https://host without a path\n" },
		{ "authenticate_service_url: https://login.test/x\n",
		  "E c.yaml:1:27: authenticate_service_url: \"https://login.test/x\" must be "
		  "https://host without a path\n" },
		{ "idp_provider: local\n", "W c.yaml:1:15: idp_provider: there are no users in "
					   "local_users or local_users_file\n" },
	};

	check_cases(cases + 1, ARRAY_LEN(cases) - 1);

	/* the sentence about addresses is base's */
	char *report;
	assert_null(parse_text(str_from(cases[0].text), "c.yaml", &report));
	assert_memory_equal(report, cases[0].report, strlen(cases[0].report));
	mem_free(report);
}

static void test_users(void **state)
{
	static const struct bad_case cases[] = {
		{ "local_users:\n"
		  "  - name: nobody\n"
		  "  - email: a@b@c\n"
		  "    password_hash: $6$salt$hash\n"
		  "  - email: a@b.test\n"
		  "    id: one\n"
		  "    password_hash: secret\n"
		  "  - email: A@B.test\n"
		  "    id: one\n"
		  "    password_hash: $y$salt$hash\n"
		  "    paswordhash: x\n"
		  "    disabled: maybe\n",
		  "W c.yaml:11:5: local_users[3].paswordhash is not a known setting and is ignored; "
		  "did you mean password_hash?\n"
		  "E c.yaml:12:15: local_users[3].disabled: \"maybe\" is not true or false\n"
		  "E c.yaml:2:5: local_users[0] needs an email\n"
		  "W c.yaml:2:5: local_users[0] has no password_hash: this user cannot log in\n"
		  "E c.yaml:3:12: local_users[1].email: \"a@b@c\" is not an e-mail address\n"
		  "E c.yaml:7:20: local_users[2].password_hash: is not a password hash ($y$, $2b$ or "
		  "$6$)\n"
		  "E c.yaml:8:12: local_users[3].email: A@B.test is there already, in c.yaml:5\n"
		  "E c.yaml:9:9: local_users[3].id: one is the id of another user, in c.yaml:6\n" },
		{ "local_users_file: /nonexistent/u\n",
		  "E c.yaml:1:19: local_users_file: cannot open /nonexistent/u: No such file or "
		  "directory\n" },
		{ "local_users: [{email: a@b.test, groups: {a: b}, password_hash: $y$salt$hash}]\n",
		  "E c.yaml:1:41: local_users[0].groups: must be a text, not a mapping\n" },
		{ "local_users: [x, ~]\n",
		  "E c.yaml:1:15: local_users[0]: must be a mapping (key: value)\n"
		  "E c.yaml:1:18: local_users[1]: must not be empty\n"
		  "E c.yaml:1:15: local_users[0] needs an email\n"
		  "W c.yaml:1:15: local_users[0] has no password_hash: this user cannot log in\n"
		  "E c.yaml:1:18: local_users[1] needs an email\n"
		  "W c.yaml:1:18: local_users[1] has no password_hash: this user cannot log in\n" },
	};

	check_cases(cases, ARRAY_LEN(cases));
}

static void test_several_at_once(void **state)
{
	struct report report = { 0 };
	struct config *config = NULL;
	struct err e = { 0 };

	assert_int_equal(
		config_parse(STR("workers: x\nzzzzzz: 1\nlog_level: y\ncookie_expire: z\n"),
			     "c.yaml", &config, &report, &e),
		-1);
	assert_int_equal(report.error_count, 3);
	assert_int_equal(report.warning_count, 1);
	assert_string_equal(e.text, "c.yaml:1:10: workers: \"x\" is not a number (and 2 more)");
	assert_int_equal(e.kind, ERR_CONFIG);
	report_done(&report);
}

/* Warnings fill the report; the error that comes last is still told. */
static void test_errors_outlive_warnings(void **state)
{
	struct buf text = BUF_INIT(1u << 16);
	struct report report = { 0 };
	struct config *config = NULL;
	struct err e = { 0 };

	for (int i = 0; i < REPORT_PROBLEMS_MAX + 5; i++)
		(void)buf_printf(&text, "unknown_number_%d: 1\n", i);
	(void)buf_append_str(&text, STR("workers: x\n"));
	assert_int_equal(config_parse(buf_view(&text), "c.yaml", &config, &report, &e), -1);
	assert_int_equal(report.count, REPORT_PROBLEMS_MAX);
	assert_int_equal(report.warning_count, REPORT_PROBLEMS_MAX + 5);
	assert_string_equal(e.text, "c.yaml:206:10: workers: \"x\" is not a number");
	report_done(&report);
	buf_done(&text);
}

static void test_no_secret_in_messages(void **state)
{
	static const char *const texts[] = {
		"shared_secret: hunter2hunter2\n",
		"cookie_secret: hunter2=\n",
		"certificate: hunter2\ncertificate_key: hunter2*\n",
		"signing_key: hunter2*\n",
		"databroker_storage_type: postgres\n"
		"databroker_storage_connection_string: hunter2\n",
		"databroker_storage_connection_string: postgres://a:hunter2@b/c\n",
		"idp_client_id: a\nidp_client_secret: hunter2\nidp_provider: okta\n"
		"idp_provider_url: https://a:hunter2@b\n",
		"routes:\n  - {from: 'tcp+https://a', to: 'tcp://b', idp_client_secret: hunter2}\n",
		"local_users: [{email: a@b.test, password_hash: hunter2}]\n",
	};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		char *report;

		assert_null(parse_text(str_from(texts[i]), "c.yaml", &report));
		assert_null(strstr(report, "hunter2"));
		mem_free(report);
	}
}

static void test_file_names(void **state)
{
	static const struct {
		const char *path;
		const char *error;
	} cases[] = {
		{ "/nonexistent/c.yaml",
		  "cannot open /nonexistent/c.yaml: No such file or directory" },
		{ "c.toml", "c.toml: TOML is not supported; use YAML or JSON" },
		{ "c.conf", "c.conf: the name must end in .yaml, .yml or .json" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct report report = { 0 };
		struct config *config = NULL;
		struct err e = { 0 };

		assert_int_equal(config_load(cases[i].path, &config, &report, &e), -1);
		assert_string_equal(e.text, cases[i].error);
		assert_int_equal(report.error_count, 1);
		report_done(&report);
	}
}

/* Every prefix and every single changed byte of a file: refused or loaded, never worse. */
static void test_broken_bytes(void **state)
{
	static const char good[] =
		"address: :8443\n" ROUTE "    allowed_users: &u [a@b.test, 'c']\n"
		"routes:\n  - {from: 'tcp+https://c.test/d:1/e', to: \"tcp://f\", "
		"allowed_users: *u}\n";
	static const char bytes[] = { 0,   1,   '\n', '\t', ' ', '"',        '\'',
				      '[', '{', '&',  '*',  '%', '@',        '!',
				      '|', '#', ':',  '-',  '?', (char)0x80, (char)0xff };
	size_t len = sizeof(good) - 1;

	for (size_t at = 0; at < len; at++) {
		for (size_t i = 0; i < sizeof(bytes); i++) {
			char *copy = mem_copy(good, len);
			char *report;

			copy[at] = bytes[i];
			config_free(parse_text(str_of(copy, len), "c.yaml", &report));
			mem_free(report);
			mem_free(copy);
		}
		char *report;
		config_free(parse_text(str_of(good, at), "c.yaml", &report));
		mem_free(report);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_what_must_not_be_ignored),
		cmocka_unit_test(test_removed_keys),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_users),
		cmocka_unit_test(test_several_at_once),
		cmocka_unit_test(test_errors_outlive_warnings),
		cmocka_unit_test(test_no_secret_in_messages),
		cmocka_unit_test(test_file_names),
		cmocka_unit_test(test_broken_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
