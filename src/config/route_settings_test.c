/*
 * route_settings_test.c - what a route may say besides from and to: policies, upstreams, times, client authorities
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "config/config_testing.h"
#include "config/yaml.h"

#define PEM_CERTIFICATE    "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
#define PEM_KEY            "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"
#define BASE64_CERTIFICATE "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCg=="

#define S(settings) "routes:\n  - from: tcp+https://a:1\n    to: tcp://b\n" settings

static void test_defaults(void **state)
{
	struct config *config = parse_good(S(""));
	const struct config_route *route = &config->routes[0];
	const struct config_upstream *upstream = &route->upstream;

	assert_str(route->path, "routes[0]");
	assert_str(route->wildcard, "");
	assert_null(route->access.policy);
	assert_null(route->access.allowed_idp_claims);
	assert_int_equal(upstream->balancing, CONFIG_BALANCING_ROUND_ROBIN);
	assert_int_equal(upstream->proxy_header, CONFIG_PROXY_HEADER_NONE);
	assert_true(upstream->breakers.max_connections == UINT64_MAX &&
		    upstream->breakers.max_pending == UINT64_MAX);
	assert_int_equal(upstream->check_count, 0);
	assert_int_equal(upstream->panic_percent, 50);
	assert_false(upstream->tls.skip_verify);
	assert_str(upstream->tls.server_name, "");
	assert_int_equal(route->lifetime.timeout_ms, 0);
	assert_int_equal(route->lifetime.idle_ms, 0);
	assert_true(route->lifetime.max_tunnels == UINT64_MAX && route->lifetime.reauthorize);
	assert_str(route->client_ca_pem, "");
	assert_int_equal(route->targets[0].hop, CONFIG_HOP_TCP);
	config_free(config);
}

static void test_hops(void **state)
{
	static const struct {
		const char *to;
		enum config_hop hop;
		const char *host;
		uint16_t port;
		uint32_t weight;
	} cases[] = {
		{ "tcp://b.test:5", CONFIG_HOP_TCP, "b.test", 5, 0 },
		{ "unix:///run/Db/s.sock", CONFIG_HOP_UNIX, "/run/Db/s.sock", 0, 0 },
		{ "UNIX:///s,7", CONFIG_HOP_UNIX, "/s", 0, 7 },
		{ "http://Proxy.test", CONFIG_HOP_HTTP_PROXY, "Proxy.test", 80, 0 },
		{ "http://[::1]:3128/", CONFIG_HOP_HTTP_PROXY, "::1", 3128, 0 },
		{ "https://localhost", CONFIG_HOP_HTTPS_PROXY, "127.0.0.1", 443, 0 },
		{ "https://p:8443,2", CONFIG_HOP_HTTPS_PROXY, "p", 8443, 2 },
		{ "udp://[::1]:53,2", CONFIG_HOP_UDP, "::1", 53, 2 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf text = BUF_INIT(1000);

		(void)buf_printf(&text, "routes:\n  - from: '%s+https://a'\n    to: '%s'%c",
				 cases[i].hop == CONFIG_HOP_UDP ? "udp" : "tcp", cases[i].to, 0);
		struct config *config = parse_good((const char *)text.data);
		const struct config_target *target = &config->routes[0].targets[0];

		assert_int_equal(target->hop, cases[i].hop);
		assert_int_equal(config->routes[0].is_udp, cases[i].hop == CONFIG_HOP_UDP);
		assert_str(target->host, cases[i].host);
		assert_int_equal(target->port, cases[i].port);
		assert_int_equal(target->weight, cases[i].weight);
		assert_int_equal(target->is_weighted, cases[i].weight > 0);
		config_free(config);
		buf_done(&text);
	}
	config_free(parse_good("routes: [{from: 'tcp+https://a', to: ['http://p', 'https://q']}]"));
}

static void test_wildcards(void **state)
{
	static const char *const names[] = { "*.Example.com:22", "*", "*db*.test", "a*" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct buf text = BUF_INIT(1000);

		(void)buf_printf(&text, "routes:\n  - from: 'tcp+https://%s'\n    to: tcp://x%c",
				 names[i], 0);
		struct config *config = parse_good((const char *)text.data);

		assert_str(config->routes[0].wildcard, names[i]);
		assert_int_equal(config->routes[0].name_count, 0);
		config_free(config);
		buf_done(&text);
	}
}

/* The tree is gone when they are looked at. */
static void test_nodes_are_copies(void **state)
{
	struct config *config = parse_good("policy:\n"
					   "  - from: tcp+https://a:1\n"
					   "    to: tcp://b\n"
					   "    allowed_idp_claims:\n"
					   "      Groups: &g [a, 'b']\n"
					   "      x: *g\n"
					   "    policy:\n"
					   "      - allow: {and: [{claim/Team: ops}]}\n");
	const struct config_access *access = &config->routes[0].access;
	const struct yaml_node *claims = access->allowed_idp_claims;

	assert_int_equal(claims->kind, YAML_MAPPING);
	assert_int_equal(claims->count, 2);
	assert_str(claims->pairs[0].written, "Groups");
	assert_str(claims->pairs[0].key, "groups");
	assert_int_equal(claims->pairs[0].at.line, 5);
	assert_str(claims->pairs[1].value->items[1]->text, "b");
	assert_int_equal(access->policy->kind, YAML_SEQUENCE);
	assert_string_equal(access->policy->at.file, "c.yaml");
	const struct yaml_node *allow = yaml_get(access->policy->items[0], STR("allow"));
	const struct yaml_node *rule = yaml_get(allow, STR("and"))->items[0];
	assert_str(rule->pairs[0].written, "claim/Team");
	assert_str(rule->pairs[0].value->text, "ops");
	assert_int_equal(rule->pairs[0].value->at.line, 8);
	assert_int_equal(rule->pairs[0].value->at.column, 36);
	config_free(config);
}

static void test_lifetimes(void **state)
{
	static const struct {
		const char *global;
		const char *own;
		uint64_t timeout_ms;
		uint64_t idle_ms;
		bool reauthorize;
	} cases[] = {
		{ "", "timeout: 30s, idle_timeout: 1m", 30000, 60000, true },
		{ "timeout_write: 10s", "timeout: 30s", 10000, 0, true },
		{ "timeout_write: 40s", "timeout: 30s", 30000, 0, true },
		{ "timeout_write: 40s", "timeout: 0s", 40000, 0, true },
		{ "timeout_write: 40s", "name: x", 40000, 0, true },
		{ "tunnel_reauthorization: off", "name: x", 0, 0, false },
		{ "tunnel_reauthorization: off", "tunnel_reauthorization: close", 0, 0, true },
		{ "", "tunnel_reauthorization: off, idle_timeout: 0", 0, 0, false },
	};
	char text[300];

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		(void)snprintf(text, sizeof(text),
			       "%s\nroutes: [{from: 'tcp+https://a', to: 'tcp://b', %s}]\n",
			       cases[i].global, cases[i].own);
		struct config *config = parse_good(text);
		const struct config_lifetime *lifetime = &config->routes[0].lifetime;

		assert_int_equal(lifetime->timeout_ms, cases[i].timeout_ms);
		assert_int_equal(lifetime->idle_ms, cases[i].idle_ms);
		assert_int_equal(lifetime->reauthorize, cases[i].reauthorize);
		config_free(config);
	}
}

static void test_upstream(void **state)
{
	struct config *config = parse_good(
		"circuit_breaker_thresholds: {max_connections: 5, max_retries: 3}\n" S(
			"    load_balancing_policy: MAGLEV\n"
			"    upstream_proxy_protocol: v2\n"
			"    healthy_panic_threshold: 0\n"
			"    max_tunnels: 9\n"
			"    circuit_breaker_thresholds:\n"
			"      max_pending_requests: 0\n"
			"      max_requests: 1\n"
			"    health_checks:\n"
			"      - timeout: 1.5s\n"
			"        interval: 3s\n"
			"        unhealthy_threshold: 4\n"
			"        healthy_threshold: 5\n"
			"        tcp_health_check:\n"
			"          send: {text: 50494e47}\n"
			"          receive: [{text: '2b'}, {binary: UE9ORw==}]\n"
			"      - tcp_health_check: {}\n"));
	const struct config_upstream *upstream = &config->routes[0].upstream;

	assert_int_equal(upstream->balancing, CONFIG_BALANCING_MAGLEV);
	assert_int_equal(upstream->proxy_header, CONFIG_PROXY_HEADER_V2);
	assert_int_equal(upstream->panic_percent, 0);
	assert_int_equal(upstream->breakers.max_connections, 5);
	assert_int_equal(upstream->breakers.max_pending, 0);
	assert_int_equal(config->routes[0].lifetime.max_tunnels, 9);
	assert_int_equal(upstream->check_count, 2);
	const struct config_health_check *check = &upstream->checks[0];
	assert_int_equal(check->timeout_ms, 1500);
	assert_int_equal(check->interval_ms, 3000);
	assert_int_equal(check->unhealthy_threshold, 4);
	assert_int_equal(check->healthy_threshold, 5);
	assert_str(check->send, "PING");
	assert_int_equal(check->receive.count, 2);
	assert_str(check->receive.items[0], "+");
	assert_str(check->receive.items[1], "PONG");
	check = &upstream->checks[1];
	assert_int_equal(check->timeout_ms, 5000);
	assert_int_equal(check->interval_ms, 10000);
	assert_int_equal(check->unhealthy_threshold, 2);
	assert_int_equal(check->healthy_threshold, 1);
	assert_int_equal(check->send.len + check->receive.count, 0);
	config_free(config);
}

static void test_balancing_names(void **state)
{
	static const struct {
		const char *name;
		enum config_balancing balancing;
	} cases[] = {
		{ "", CONFIG_BALANCING_ROUND_ROBIN },
		{ "round_robin", CONFIG_BALANCING_ROUND_ROBIN },
		{ "Least_Request", CONFIG_BALANCING_LEAST_REQUEST },
		{ "random", CONFIG_BALANCING_RANDOM },
		{ "ring_hash", CONFIG_BALANCING_RING_HASH },
		{ "hash", CONFIG_BALANCING_RING_HASH },
		{ "5", CONFIG_BALANCING_MAGLEV },
	};
	char text[300];

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		(void)snprintf(text, sizeof(text), S("    load_balancing_policy: '%s'\n"),
			       cases[i].name);
		struct config *config = parse_good(text);

		assert_int_equal(config->routes[0].upstream.balancing, cases[i].balancing);
		config_free(config);
	}
}

static void test_keys_of_a_route(void **state)
{
	folder_write(*state, "c.pem", PEM_CERTIFICATE);
	folder_write(*state, "k.pem", PEM_KEY);
	struct config *config = parse_in(*state,
					 S("    tls_skip_verify: true\n"
					   "    tls_server_name: old.test\n"
					   "    tls_upstream_server_name: new.test\n"
					   "    tls_custom_ca: " BASE64_CERTIFICATE "\n"
					   "    tls_client_cert_file: %/c.pem\n"
					   "    tls_client_key_file: %/k.pem\n"
					   "    tls_downstream_client_ca_file: %/c.pem\n"),
					 "");
	const struct config_upstream_tls *tls = &config->routes[0].upstream.tls;

	assert_true(tls->skip_verify);
	assert_str(tls->server_name, "new.test");
	assert_str(tls->custom_ca_pem, "-----BEGIN CERTIFICATE-----\n");
	assert_str(tls->client_certificate_pem, PEM_CERTIFICATE);
	assert_str(tls->client_key_pem, PEM_KEY);
	assert_str(config->routes[0].client_ca_pem, PEM_CERTIFICATE);
	config_free(config);

	config = parse_in(*state, S("    tls_server_name: old.test\n"), "");
	assert_str(config->routes[0].upstream.tls.server_name, "old.test");
	config_free(config);
}

struct bad_case {
	const char *text;
	const char *report;
};

static void test_bad_upstreams(void **state)
{
	static const struct bad_case cases[] = {
		{ S("    load_balancing_policy: 4\n"),
		  "E c.yaml:4:28: routes[0].load_balancing_policy: \"4\" is not one of round_robin, "
		  "least_request, ring_hash, random, maglev\n" },
		{ S("    upstream_proxy_protocol: v3\n"),
		  "E c.yaml:4:30: routes[0].upstream_proxy_protocol: \"v3\" is not one of v1, v2\n" },
		{ S("    healthy_panic_threshold: 101\n"),
		  "E c.yaml:4:30: routes[0].healthy_panic_threshold: must not be more than 100\n" },
		{ S("    circuit_breaker_thresholds: {max_conections: 3}\n"),
		  "W c.yaml:4:34: routes[0].circuit_breaker_thresholds.max_conections is not a known "
		  "setting and is ignored; did you mean max_connections?\n" },
		{ S("    circuit_breaker_thresholds: 5\n"),
		  "E c.yaml:4:33: routes[0].circuit_breaker_thresholds: must be a mapping (key: "
		  "value)\n" },
		{ S("    timeout: -5s\n"),
		  "E c.yaml:4:14: routes[0].timeout: must not be negative\n" },
		{ S("    idle_timeout: 30x\n"),
		  "E c.yaml:4:19: routes[0].idle_timeout: \"30x\" is not a duration (30s, 5m, "
		  "1h30m)\n" },
		{ S("    max_tunnels: 0\n"),
		  "E c.yaml:4:18: routes[0].max_tunnels: must be at least 1; left out, there is no "
		  "limit\n" },
		{ S("    load_balancing_policy: fair\n"),
		  "E c.yaml:4:28: routes[0].load_balancing_policy: \"fair\" is not one of round_robin, least_request, ring_hash, random, maglev\n" },
		{ S("    load_balancing_policy: [x]\n"),
		  "E c.yaml:4:28: routes[0].load_balancing_policy: must be a text, not a list\n" },
		{ S("    healthy_panic_threshold: x\n"),
		  "E c.yaml:4:30: routes[0].healthy_panic_threshold: \"x\" is not a number\n" },
		{ S("    circuit_breaker_thresholds: {max_connections: x}\n"),
		  "E c.yaml:4:51: routes[0].circuit_breaker_thresholds.max_connections: \"x\" is not a number\n" },
		{ S("    timeout: x\n"),
		  "E c.yaml:4:14: routes[0].timeout: \"x\" is not a duration (30s, 5m, 1h30m)\n" },
		{ S("    idle_timeout: -1s\n"),
		  "E c.yaml:4:19: routes[0].idle_timeout: must not be negative\n" },
		{ S("    idle_timeout: 30\n"),
		  "E c.yaml:4:19: routes[0].idle_timeout: must be at least 1ms (a bare number counts nanoseconds)\n" },
		{ S("    tunnel_reauthorization: never\n"),
		  "E c.yaml:4:29: routes[0].tunnel_reauthorization: \"never\" is not one of close, off\n" },
		{ S("    max_tunnels: x\n"),
		  "E c.yaml:4:18: routes[0].max_tunnels: \"x\" is not a number\n" },
		{ S("    tls_skip_verify: perhaps\n"),
		  "E c.yaml:4:22: routes[0].tls_skip_verify: \"perhaps\" is not true or false\n" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_report(cases[i].text, cases[i].report);
}

#define C(checks) S("    health_checks: " checks "\n")

static void test_bad_checks(void **state)
{
	static const struct bad_case cases[] = {
		{ C("{}"), "E c.yaml:4:20: routes[0].health_checks: must be a list\n" },
		{ C("[{interval: 1s}]"),
		  "E c.yaml:4:21: routes[0].health_checks[0] needs a tcp_health_check\n" },
		{ C("[{tcp_health_check: {}, http_health_check: {path: /}}]"),
		  "E c.yaml:4:21: routes[0].health_checks[0] must be of one kind only\n" },
		{ C("[{http_health_check: {path: /}}, {grpc_health_check: {}}]"),
		  "W c.yaml:4:41: routes[0].health_checks[0].http_health_check has no effect on a TCP "
		  "route\n"
		  "W c.yaml:4:73: routes[0].health_checks[1].grpc_health_check has no effect on a TCP "
		  "route\n" },
		{ C("[{tcp_health_check: {}, timeout: 0s, interval: 5, healthy_threshold: 0}]"),
		  "E c.yaml:4:53: routes[0].health_checks[0].timeout: must not be 0\n"
		  "E c.yaml:4:67: routes[0].health_checks[0].interval: must be at least 1ms (a bare "
		  "number counts nanoseconds)\n"
		  "E c.yaml:4:89: routes[0].health_checks[0].healthy_threshold: must be at least 1\n" },
		{ C("[{tcp_health_check: {send: {text: xyz}, receive: [{}, {binary: '*'}]}}]"),
		  "E c.yaml:4:54: routes[0].health_checks[0].tcp_health_check.send.text: is not "
		  "hexadecimal of at most 4096 bytes\n"
		  "E c.yaml:4:70: routes[0].health_checks[0].tcp_health_check.receive[0] needs either "
		  "text or binary\n"
		  "E c.yaml:4:83: routes[0].health_checks[0].tcp_health_check.receive[1].binary: is "
		  "not standard base64 of at most 4096 bytes\n" },
		{ C("[{tcp_health_check: 5}]"),
		  "E c.yaml:4:40: routes[0].health_checks[0].tcp_health_check: must be a mapping (key: "
		  "value)\n" },
		{ C("[x]"),
		  "E c.yaml:4:21: routes[0].health_checks[0]: must be a mapping (key: value)\n"
		  "E c.yaml:4:21: routes[0].health_checks[0] needs a tcp_health_check\n" },
		{ C("[{tcp_health_check: {}, interval: '5'}]"),
		  "E c.yaml:4:54: routes[0].health_checks[0].interval: \"5\" is not a duration (30s, 5m, 1h30m)\n" },
		{ C("[{tcp_health_check: {}, timeout: soon}]"),
		  "E c.yaml:4:53: routes[0].health_checks[0].timeout: \"soon\" is not a duration (30s, 5m, 1h30m)\n" },
		{ C("[{tcp_health_check: {}, unhealthy_threshold: 0}]"),
		  "E c.yaml:4:65: routes[0].health_checks[0].unhealthy_threshold: must be at least 1\n" },
		{ C("[{tcp_health_check: {}, unhealthy_threshold: 4294967296}]"),
		  "E c.yaml:4:65: routes[0].health_checks[0].unhealthy_threshold: must not be more than 4294967295\n" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_report(cases[i].text, cases[i].report);
}

static void test_bad_keys(void **state)
{
	static const struct bad_case cases[] = {
		{ S("    tls_client_cert: " BASE64_CERTIFICATE "\n"),
		  "E c.yaml:4:22: routes[0].tls_client_cert needs tls_client_key too\n" },
		{ S("    tls_client_key_file: /x\n"),
		  "E c.yaml:4:26: routes[0].tls_client_key_file needs tls_client_cert_file too\n" },
		{ S("    tls_custom_ca: QQ==\n    tls_custom_ca_file: /x\n"),
		  "E c.yaml:5:25: routes[0].tls_custom_ca_file and tls_custom_ca exclude each "
		  "other\n" },
		{ S("    tls_custom_ca_file: /nonexistent/x\n"),
		  "E c.yaml:4:25: routes[0].tls_custom_ca_file: cannot open /nonexistent/x: No such "
		  "file or directory\n" },
		{ S("    tls_downstream_client_ca: '*'\n"),
		  "E c.yaml:4:31: routes[0].tls_downstream_client_ca: is not standard base64 of PEM "
		  "text\n" },
		{ S("    tls_downstream_client_ca: QQ==\n"
		    "    tls_downstream_client_ca_file: /x\n"),
		  "E c.yaml:5:36: routes[0].tls_downstream_client_ca_file and "
		  "tls_downstream_client_ca exclude each other\n" },
		{ S("    tls_upstream_server_name: 'a b'\n"),
		  "E c.yaml:4:31: routes[0].tls_upstream_server_name: \"a b\" is not a host name\n" },
		{ S("    tls_server_name: a:1\n"),
		  "E c.yaml:4:22: routes[0].tls_server_name: \"a:1\" is not a host name\n" },
		{ S("    tls_client_key: QQ==\n"),
		  "E c.yaml:4:21: routes[0].tls_client_key needs tls_client_cert too\n" },
		{ S("    tls_client_cert_file: /x\n"),
		  "E c.yaml:4:27: routes[0].tls_client_cert_file needs tls_client_key_file too\n" },
		{ S("    tls_client_cert_file: /nonexistent/c\n"
		    "    tls_client_key_file: /nonexistent/k\n"),
		  "E c.yaml:4:27: routes[0].tls_client_cert_file: cannot open /nonexistent/c: No such file or directory\n"
		  "E c.yaml:5:26: routes[0].tls_client_key_file: cannot open /nonexistent/k: No such file or directory\n" },
		{ S("    tls_client_cert: '*'\n"
		    "    tls_client_key: QQ==\n"),
		  "E c.yaml:4:22: routes[0].tls_client_cert: is not standard base64 of PEM text\n" },
		{ S("    tls_client_cert: QQ==\n"
		    "    tls_client_key: QQ==\n"),
		  "E c.yaml:4:22: routes[0].tls_client_cert: there is no -----BEGIN CERTIFICATE----- in it\n" },
		{ S("    tls_custom_ca: '*'\n"),
		  "E c.yaml:4:20: routes[0].tls_custom_ca: is not standard base64 of PEM text\n" },
		{ S("    tls_custom_ca: QQ==\n"),
		  "E c.yaml:4:20: routes[0].tls_custom_ca: there is no -----BEGIN CERTIFICATE----- in it\n" },
		{ S("    tls_downstream_client_ca_file: /nonexistent/x\n"),
		  "E c.yaml:4:36: routes[0].tls_downstream_client_ca_file: cannot open /nonexistent/x: No such file or directory\n" },
		{ S("    tls_downstream_client_ca: QQ==\n"),
		  "E c.yaml:4:31: routes[0].tls_downstream_client_ca: there is no -----BEGIN CERTIFICATE----- in it\n" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_report(cases[i].text, cases[i].report);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_hops),
		cmocka_unit_test(test_wildcards),
		cmocka_unit_test(test_nodes_are_copies),
		cmocka_unit_test(test_lifetimes),
		cmocka_unit_test(test_upstream),
		cmocka_unit_test(test_balancing_names),
		cmocka_unit_test_setup_teardown(test_keys_of_a_route, folder_setup,
						folder_teardown),
		cmocka_unit_test(test_bad_upstreams),
		cmocka_unit_test(test_bad_checks),
		cmocka_unit_test(test_bad_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
