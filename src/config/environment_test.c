/*
 * environment_test.c - settings from variables: every form of value, what wins, and how problems are told
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/codec.h"
#include "config/config_testing.h"
#include "config/environment.h"
#include "config/options.h"
#include "config/yaml.h"

#define VARIABLES(...) ((const char *const[]){ __VA_ARGS__, NULL })

/* path may be NULL. The configuration is given whatever was reported. */
static struct config *read_with(const char *path, const char *const *variables,
				const char *expected)
{
	struct report report = { 0 };
	struct config *config = config_read(
		&(struct config_source){ .path = path, .environment = variables }, &report);
	char *text = report_text(&report);

	assert_string_equal(text, expected);
	mem_free(text);
	report_done(&report);
	return config;
}

static struct config *read_good(const char *const *variables)
{
	struct config *config = read_with(NULL, variables, "");

	assert_non_null(config);
	return config;
}

/* The file is written into the folder. */
static struct config *read_over(struct folder *folder, const char *file,
				const char *const *variables, const char *expected)
{
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/c.yaml", folder->path);
	(void)unlink(path); /* of the case before */
	folder_write(folder, "c.yaml", file);
	return read_with(path, variables, expected);
}

static void test_nothing_at_all(void **state)
{
	struct config *config = read_good(VARIABLES("UNRELATED=1", "ADDRESS=", "ROUTES="));

	assert_int_equal(addr_port(&config->listen.address), 443);
	assert_int_equal(config->route_count, 0);
	config_free(config);
	config_free(read_with(NULL, NULL, ""));
}

static void test_simple_values(void **state)
{
	struct config *config = read_good(VARIABLES(
		"ADDRESS=127.0.0.1:8443", "WORKERS=3", "INSECURE_SERVER=t", "COOKIE_EXPIRE=1h",
		"LOG_LEVEL=debug", "PROGRAMMATIC_REDIRECT_DOMAIN_WHITELIST=a.test,b.test",
		"address=127.0.0.1:1", "ADDRESS_=x", "ADDRESSES=x"));

	assert_int_equal(addr_port(&config->listen.address), 8443);
	assert_int_equal(config->listen.workers, 3);
	assert_true(config->listen.is_plain);
	assert_int_equal(config->cookies.expire_s, 3600);
	assert_int_equal(config->logs.level, LOG_DEBUG);
	assert_int_equal(config->redirect_whitelist.count, 2);
	assert_str(config->redirect_whitelist.items[1], "b.test");
	config_free(config);
}

/* The value of a variable with base64 of the text behind "NAME="; release with mem_free(). */
static char *encoded(const char *name, const char *text)
{
	struct buf value = BUF_INIT(10000);

	(void)buf_printf(&value, "%s=", name);
	assert_int_equal(base64_encode(&value, BASE64_STANDARD, text, strlen(text)), 0);
	return buf_take_string(&value);
}

static void test_routes(void **state)
{
	char *routes = encoded("ROUTES", "- from: tcp+https://a:1\n"
					 "  to: tcp://x\n"
					 "  policy: {allow: {and: [{domain: b}]}}\n");
	char *policy = encoded("POLICY", "[{from: 'tcp+https://b:1', to: 'tcp://y'}]");
	struct config *config = read_good(VARIABLES(routes, policy));

	assert_int_equal(config->route_count, 2);
	assert_str(config->routes[0].names[0].text, "b:1");
	assert_str(config->routes[0].path, "policy[0]");
	assert_str(config->routes[1].path, "routes[0]");
	assert_string_equal(config->routes[1].at.file, "environment: ROUTES");
	assert_int_equal(config->routes[1].at.line, 1);
	assert_int_equal(config->routes[1].at.column, 3);
	/* the policy is a copy that outlives the text it was in */
	const struct yaml_node *allow = yaml_get(config->routes[1].access.policy, STR("allow"));
	assert_non_null(allow);
	assert_string_equal(allow->at.file, "environment: ROUTES");
	assert_int_equal(allow->at.line, 3);
	config_free(config);
	mem_free(routes);
	mem_free(policy);
}

static void test_maps(void **state)
{
	struct config *config = read_good(VARIABLES(
		"RUNTIME_FLAGS={\"config_hot_reload\": false}",
		"RUNTIME_FLAGS_MATCH_ANY_INCOMING_PORT=false", "DOWNSTREAM_MTLS_ENFORCEMENT=policy",
		"DOWNSTREAM_MTLS_MAX_VERIFY_DEPTH=3",
		"CIRCUIT_BREAKER_THRESHOLDS_MAX_CONNECTIONS=5",
		"JWT_CLAIMS_HEADERS={\"X-A\":\"email\"}",
		"IDENTITY_PROVIDERS={\"ci\":{\"issuer\":\"https://ci.test\","
		"\"audiences\":[\"x\"]}}",
		"HEADERS=X-A:1,X-B: 2"));

	assert_false(config->watches_files);
	assert_false(config->listen.matches_any_port);
	assert_int_equal(config->tls.client_certificates.enforcement, CONFIG_ENFORCEMENT_POLICY);
	assert_int_equal(config->tls.client_certificates.max_verify_depth, 3);
	assert_int_equal(config->assertion.headers.count, 1);
	assert_str(config->assertion.headers.items[0].name, "x-a");
	assert_int_equal(config->idp.issuer_count, 1);
	assert_str(config->idp.issuers[0].name, "ci");
	config_free(config);

	config = read_good(VARIABLES("JWT_CLAIMS_HEADERS=email,groups", "HEADERS={\"X\":\"y\"}"));
	assert_int_equal(config->assertion.headers.count, 2);
	config_free(config);
}

static void test_variables_win(void **state)
{
	struct config *config = read_over(
		*state,
		"address: 127.0.0.1:1\n"
		"log_level: nonsense\n"
		"workers: 2\n"
		"downstream_mtls:\n"
		"  enforcement: nonsense\n"
		"  max_verify_depth: 7\n"
		"runtime_flags.match_any_incoming_port: nonsense\n"
		"runtime_flags: {config_hot_reload: false}\n"
		"routes: [{from: 'tcp+https://a:1', to: 'tcp://x'}]\n",
		VARIABLES("ADDRESS=127.0.0.1:2", "LOG_LEVEL=warn",
			  "WORKERS=", "DOWNSTREAM_MTLS_ENFORCEMENT=policy",
			  "RUNTIME_FLAGS_MATCH_ANY_INCOMING_PORT=0"),
		"");

	assert_int_equal(addr_port(&config->listen.address), 2);
	assert_int_equal(config->logs.level, LOG_WARN);
	assert_int_equal(config->listen.workers, 2);
	assert_int_equal(config->tls.client_certificates.enforcement, CONFIG_ENFORCEMENT_POLICY);
	assert_int_equal(config->tls.client_certificates.max_verify_depth, 7);
	assert_false(config->listen.matches_any_port);
	assert_false(config->watches_files);
	assert_int_equal(config->route_count, 1);
	config_free(config);
}

/* A whole mapping takes the place of the file's. */
static void test_whole_mapping_wins(void **state)
{
	struct config *config = read_over(*state,
					  "runtime_flags: {config_hot_reload: false}\n"
					  "runtime_flags.pomerium_jwt_endpoint: true\n",
					  VARIABLES("RUNTIME_FLAGS={\"mcp\": true}"), "");

	assert_true(config->watches_files);
	assert_false(config->assertion.has_endpoint);
	config_free(config);
}

static void test_one_route_twice(void **state)
{
	char *routes = encoded("ROUTES", "- from: tcp+https://a:1\n  to: tcp://x\n");

	char expected[300];
	const struct folder *folder = *state;

	(void)snprintf(
		expected, sizeof(expected),
		"W environment: ROUTES:1:9: routes[0].from: the route in %s/c.yaml:1 answers "
		"for a:1 already; this one never will\n",
		folder->path);
	config_free(read_over(*state, "policy: [{from: 'tcp+https://a:1', to: 'tcp://y'}]\n",
			      VARIABLES(routes), expected));
	mem_free(routes);
}

struct bad_case {
	const char *variable;
	const char *report;
};

static void test_problems(void **state)
{
	static const struct bad_case cases[] = {
		{ "LOG_LEVEL=loud",
		  "E environment: LOG_LEVEL: \"loud\" is not a log level (trace, debug, info, warn, "
		  "error, fatal, off)\n" },
		{ "COOKIE_EXPIRE=14",
		  "E environment: COOKIE_EXPIRE: \"14\" is not a duration (30s, 5m, 1h30m)\n" },
		{ "DEBUG_ADDRESS=:1",
		  "W environment: DEBUG_ADDRESS: is not supported yet and has no effect\n" },
		{ "POLICY_FILE=x", "E environment: POLICY_FILE: is no longer supported\n" },
		{ "POMERIUM_ZERO_TOKEN=x",
		  "E environment: POMERIUM_ZERO_TOKEN: is not supported yet\n" },
		{ "CERTIFICATE_FILE=x",
		  "E environment: CERTIFICATE_FILE: needs certificate_key_file too\n" },
		{ "ACCESS_LOG_FIELDS=path,pth",
		  "W environment: ACCESS_LOG_FIELDS: access_log_fields[1]: \"pth\" is not a field "
		  "and is left out\n" },
		{ "ROUTES=- from: x",
		  "E environment: ROUTES: is not standard base64 of a YAML list of routes\n" },
		{ "ROUTES=Y" /* cut */, "E environment: ROUTES: is not standard base64 of a YAML "
					"list of routes\n" },
		{ "ROUTES=YTogYgo=", /* a: b */
		  "E environment: ROUTES:1:1: routes: must be a list of routes\n" },
		{ "ROUTES=LSBmcm9tOiB4Cg==", /* - from: x */
		  "E environment: ROUTES:1:9: routes[0].from: \"x\" is not a source URL "
		  "(tcp+https://host:port)\n" },
		{ "RUNTIME_FLAGS={\"mpc\": true}",
		  "W environment: RUNTIME_FLAGS:1:2: runtime_flags.mpc is not a known setting and is "
		  "ignored; did you mean mcp?\n" },
		{ "RUNTIME_FLAGS=5",
		  "E environment: RUNTIME_FLAGS:1:1: runtime_flags: must be a mapping (key: "
		  "value)\n" },
		{ "HEADERS=X-A:1,X-B", "E environment: HEADERS: \"X-B\" is not Name:Value\n" },
		{ "ADDRESS=\x01",
		  "E environment: ADDRESS:1:1: control characters are not allowed\n" },
		{ "ADDRESS=a\xff", "E environment: ADDRESS:1:2: this is not UTF-8 text\n" },
		/* not settable in this way */
		{ "CERTIFICATES=[]x", "" },
		{ "SET_RESPONSE_HEADERS=x", "" },
		{ "DOWNSTREAM_MTLS_MATCH_SUBJECT_ALT_NAMES=x", "" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		config_free(read_with(NULL, VARIABLES(cases[i].variable), cases[i].report));
}

static void test_no_secret_in_messages(void **state)
{
	static const char *const variables[] = {
		"SHARED_SECRET=hunter2",
		"COOKIE_SECRET=hunter2*",
		"SIGNING_KEY=hunter2",
		"CERTIFICATE_KEY=hunter2",
		"METRICS_BASIC_AUTH=hunter2",
		"DATABROKER_STORAGE_CONNECTION_STRING=postgres://a:hunter2@b/c",
	};

	for (size_t i = 0; i < ARRAY_LEN(variables); i++) {
		struct report report = { 0 };
		struct config *config = config_read(
			&(struct config_source){ .environment = VARIABLES(variables[i]) }, &report);
		char *text = report_text(&report);

		assert_int_equal(report.error_count, 1);
		assert_null(strstr(text, "hunter2"));
		mem_free(text);
		report_done(&report);
		config_free(config);
	}
}

/* As appendix A has them, and no two alike. */
static void test_names(void **state)
{
	static const char *const known[] = {
		"ACCESS_LOG_FIELDS",
		"HEADERS",
		"ROUTES",
		"POLICY",
		"XFF_NUM_TRUSTED_HOPS",
		"USE_PROXY_PROTOCOL",
		"TIMEOUT_WRITE",
		"OTEL_LOG_LEVEL",
	};
	struct arena arena = { 0 };
	struct map names;
	size_t count = 0;

	map_init(&names);
	for (size_t i = 0; i < options_schema.count; i++) {
		const struct setting *setting = &options_schema.settings[i];
		const char *name = environment_name(setting, NULL, &arena);

		if (name)
			assert_null(map_put(&names, str_from(name), &names));
		for (size_t k = 0; setting->type == SETTING_RECORD && k < setting->table->count;
		     k++) {
			const char *inner = environment_name(&setting->table->settings[k],
							     setting->key, &arena);

			if (inner)
				assert_null(map_put(&names, str_from(inner), &names));
		}
		count += name != NULL;
	}
	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		assert_non_null(map_get(&names, str_from(known[i])));
	assert_non_null(map_get(&names, STR("DOWNSTREAM_MTLS_CA_FILE")));
	assert_null(map_get(&names, STR("CERTIFICATES")));
	assert_true(count > 140);
	map_done(&names);
	arena_done(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_at_all),
		cmocka_unit_test(test_simple_values),
		cmocka_unit_test(test_routes),
		cmocka_unit_test(test_maps),
		cmocka_unit_test_setup_teardown(test_variables_win, folder_setup, folder_teardown),
		cmocka_unit_test_setup_teardown(test_whole_mapping_wins, folder_setup,
						folder_teardown),
		cmocka_unit_test_setup_teardown(test_one_route_twice, folder_setup,
						folder_teardown),
		cmocka_unit_test(test_problems),
		cmocka_unit_test(test_no_secret_in_messages),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
