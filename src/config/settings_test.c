/*
 * settings_test.c - listeners, limits, times, logs, metrics, client certificates: values, defaults, what is refused
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "config/config_testing.h"

#define PEM_CERTIFICATE "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
#define PEM_KEY         "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"
#define PEM_CRL         "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n"

/* "-----BEGIN CERTIFICATE-----\n", and "-----BEGIN X509 CRL-----\n" */
#define BASE64_CERTIFICATE "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCg=="
#define BASE64_CRL         "LS0tLS1CRUdJTiBYNTA5IENSTC0tLS0tCg=="

static void test_defaults(void **state)
{
	struct config *config = parse_good("");
	const struct config_limits *limits = &config->limits;
	const struct config_client_certificates *client = &config->tls.client_certificates;

	assert_false(config->listen.has_redirect_address || config->listen.is_plain ||
		     config->listen.use_proxy_protocol);
	assert_true(config->listen.matches_any_port && config->watches_files &&
		    config->lists_routes);
	assert_int_equal(config->listen.trusted_hops, 0);
	assert_true(limits->max_tunnels == UINT64_MAX && limits->max_connections == UINT64_MAX &&
		    limits->max_handshakes == UINT64_MAX);
	assert_int_equal(config->timeouts.read_ms, 30000);
	assert_int_equal(config->timeouts.idle_ms, 300000);
	assert_int_equal(config->timeouts.drain_ms, 60000);
	assert_int_equal(config->dns_family, CONFIG_DNS_V4_PREFERRED);
	assert_str(client->ca_pem, "");
	assert_str(client->crl_pem, "");
	assert_int_equal(client->enforcement, CONFIG_ENFORCEMENT_POLICY_DEFAULT_DENY);
	assert_int_equal(client->max_verify_depth, 1);
	assert_true(config->logs.has_access_lines && !config->logs.audit_may_drop);
	assert_int_equal(config->logs.access_fields.count + config->logs.authorize_fields.count, 0);
	assert_str(config->logs.audit_file, "");
	assert_false(config->operator.metrics.has_address || config->operator.has_health_address);
	assert_true(config->operator.tells_systemd);
	config_free(config);
}

static void assert_address(const struct addr *address, const char *expected)
{
	char text[ADDR_TEXT_MAX];

	addr_format(address, text);
	assert_string_equal(text, expected);
}

static void test_listeners(void **state)
{
	struct config *config = parse_good("insecure_server: true\n"
					   "http_redirect_addr: '\"127.0.0.1:80\"'\n"
					   "use_proxy_protocol: true\n"
					   "xff_num_trusted_hops: 4294967295\n"
					   "codec_type: HTTP1\n"
					   "services: proxy, ALL\n"
					   "workers: 256\n"
					   "health_check_systemd_disabled: true\n"
					   "dns_lookup_family: V6_ONLY\n"
					   "runtime_flags:\n"
					   "  match_any_incoming_port: false\n"
					   "  config_hot_reload: false\n"
					   "  routes_portal: false\n");

	assert_int_equal(addr_port(&config->listen.address), 80);
	assert_true(config->listen.is_plain && config->listen.use_proxy_protocol);
	assert_true(config->listen.has_redirect_address);
	assert_address(&config->listen.redirect_address, "127.0.0.1:80");
	assert_true(config->listen.trusted_hops == UINT32_MAX);
	assert_int_equal(config->listen.workers, 256);
	assert_false(config->listen.matches_any_port || config->watches_files ||
		     config->lists_routes);
	assert_false(config->operator.tells_systemd);
	assert_int_equal(config->dns_family, CONFIG_DNS_V6_ONLY);
	config_free(config);

	config = parse_good("insecure_server: true\naddress: '127.0.0.1:443'\n"
			    "dns_lookup_family: ALL\ncodec_type: auto\n");
	assert_int_equal(addr_port(&config->listen.address), 443);
	assert_int_equal(config->dns_family, CONFIG_DNS_ALL);
	config_free(config);
}

static void test_limits_and_times(void **state)
{
	struct config *config = parse_good("max_tunnels: 1\nmax_connections: 18446744073709551614\n"
					   "max_handshakes: '7'\n"
					   "timeout_read: 0\ntimeout_idle: 1500000\n"
					   "drain_timeout: 0s\ndefault_upstream_timeout: 1s\n"
					   "grpc_client_timeout: 1s\ngrpc_address: :5443\n"
					   "grpc_insecure: false\n");

	assert_int_equal(config->limits.max_tunnels, 1);
	assert_true(config->limits.max_connections == UINT64_MAX - 1);
	assert_int_equal(config->limits.max_handshakes, 7);
	assert_int_equal(config->timeouts.read_ms, 0);
	assert_int_equal(config->timeouts.idle_ms, 1); /* bare numbers count nanoseconds */
	assert_int_equal(config->timeouts.drain_ms, 0);
	config_free(config);
}

static void test_logs(void **state)
{
	static const struct {
		const char *text;
		enum log_level level;
		bool has_access_lines;
	} cases[] = {
		{ "log_level: TRACE", LOG_TRACE, true },
		{ "log_level: warning", LOG_WARN, false },
		{ "log_level: critical", LOG_FATAL, false },
		{ "log_level: panic", LOG_FATAL, false },
		{ "log_level: fatal", LOG_FATAL, false },
		{ "log_level: off", LOG_OFF, false },
		{ "log_level: none", LOG_OFF, false },
		{ "log_level: disabled", LOG_OFF, false },
		{ "log_level: ''", LOG_INFO, true },
		{ "proxy_log_level: error", LOG_INFO, false },
		{ "log_level: error\nproxy_log_level: debug", LOG_ERROR, true },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct config *config = parse_good(cases[i].text);

		assert_int_equal(config->logs.level, cases[i].level);
		assert_int_equal(config->logs.has_access_lines, cases[i].has_access_lines);
		config_free(config);
	}

	struct config *config = parse_good("access_log_fields: [path, headers.X-Trace, size]\n"
					   "authorize_log_fields: headers,user\n"
					   "audit_log_file: /a/b.log\naudit_overflow: DROP\n");
	assert_int_equal(config->logs.access_fields.count, 3);
	assert_str(config->logs.access_fields.items[1], "headers.X-Trace");
	assert_int_equal(config->logs.authorize_fields.count, 2);
	assert_str(config->logs.authorize_fields.items[1], "user");
	assert_str(config->logs.audit_file, "/a/b.log");
	assert_true(config->logs.audit_may_drop);
	config_free(config);
}

static void test_metrics(void **state)
{
	folder_write(*state, "c.pem", PEM_CERTIFICATE);
	folder_write(*state, "k.pem", PEM_KEY);
	struct config *config = parse_in(*state,
					 "metrics_address: 127.0.0.1:9090\n"
					 "metrics_basic_auth: dTpwOnE=\n" /* u:p:q */
					 "metrics_certificate_file: %/c.pem\n"
					 "metrics_certificate_key_file: %/k.pem\n"
					 "health_check_addr: :1\n",
					 "");
	const struct config_metrics *metrics = &config->operator.metrics;

	assert_true(metrics->has_address && config->operator.has_health_address);
	assert_address(&metrics->address, "127.0.0.1:9090");
	assert_str(metrics->basic_auth, "u:p:q");
	assert_str(metrics->pair.certificate_pem, PEM_CERTIFICATE);
	assert_str(metrics->pair.key_pem, PEM_KEY);
	assert_string_equal(metrics->pair.origin, "c.yaml:3:27: metrics_certificate_file");
	config_free(config);
}

static void test_client_certificates(void **state)
{
	folder_write(*state, "crl", PEM_CRL);
	struct config *config = parse_in(*state,
					 "downstream_mtls:\n"
					 "  ca: " BASE64_CERTIFICATE "\n"
					 "  crl_file: %/crl\n"
					 "  enforcement: Reject_Connection\n"
					 "  max_verify_depth: 0\n"
					 "  match_subject_alt_names:\n"
					 "    - DNS: .*\\.a\\.test\n"
					 "    - email: '.*@b'\n"
					 "    - ip_address: 10\\..*\n"
					 "    - uri: spiffe://.*\n"
					 "    - user_principal_name: x\n",
					 "");
	const struct config_client_certificates *client = &config->tls.client_certificates;

	assert_str(client->ca_pem, "-----BEGIN CERTIFICATE-----\n");
	assert_str(client->crl_pem, PEM_CRL);
	assert_int_equal(client->enforcement, CONFIG_ENFORCEMENT_REJECT);
	assert_int_equal(client->max_verify_depth, 0);
	assert_int_equal(client->san_count, 5);
	for (size_t i = 0; i < client->san_count; i++)
		assert_int_equal(client->sans[i].type, CONFIG_SAN_DNS + i);
	assert_str(client->sans[0].pattern, ".*\\.a\\.test");
	assert_int_equal(client->sans[0].at.line, 7);
	assert_int_equal(client->sans[0].at.column, 12);
	config_free(config);

	config = parse_in(*state, "downstream_mtls.enforcement: policy\n", "");
	assert_int_equal(config->tls.client_certificates.enforcement, CONFIG_ENFORCEMENT_POLICY);
	config_free(config);
}

struct bad_case {
	const char *text;
	const char *report;
};

static void test_bad_listeners(void **state)
{
	static const struct bad_case cases[] = {
		{ "codec_type: http2\n",
		  "E c.yaml:1:13: codec_type: http2 alone is not supported; use auto\n" },
		{ "codec_type: http3\n",
		  "E c.yaml:1:13: codec_type: http3 alone is not supported; use auto\n" },
		{ "codec_type: spdy\n",
		  "E c.yaml:1:13: codec_type: \"spdy\" is not one of auto, http1, http2, http3\n" },
		{ "services: proxy,authorize\n",
		  "E c.yaml:1:11: services: \"proxy,authorize\" is not supported: one process does "
		  "everything, so only all is\n" },
		{ "services: all,ssh\n",
		  "E c.yaml:1:11: services: \"ssh\" is not a service type (all)\n" },
		{ "dns_lookup_family: v4_only\n",
		  "E c.yaml:1:20: dns_lookup_family: \"v4_only\" is not one of AUTO, V4_ONLY, V6_ONLY, "
		  "V4_PREFERRED, ALL (in upper case)\n" },
		{ "http_redirect_addr: :0\n",
		  "E c.yaml:1:21: http_redirect_addr: the port must not be 0\n" },
		{ "metrics_address: :0\n",
		  "E c.yaml:1:18: metrics_address: the port must not be 0\n" },
		{ "health_check_addr: :0\n",
		  "E c.yaml:1:20: health_check_addr: the port must not be 0\n" },
		{ "xff_num_trusted_hops: 4294967296\n",
		  "E c.yaml:1:23: xff_num_trusted_hops: must not be more than 4294967295\n" },
		{ "use_proxy_protocol: v2\n",
		  "E c.yaml:1:21: use_proxy_protocol: \"v2\" is not true or false\n" },
		{ "insecure_server: perhaps\n",
		  "E c.yaml:1:18: insecure_server: \"perhaps\" is not true or false\n" },
		{ "http_redirect_addr: here\n",
		  "E c.yaml:1:21: http_redirect_addr: \"here\" is not a listening address (host:port or :port)\n" },
		{ "health_check_addr: '[::1]'\n",
		  "E c.yaml:1:20: health_check_addr: the port of \"[::1]\" is not a number up to 65535\n" },
		{ "health_check_systemd_disabled: perhaps\n",
		  "E c.yaml:1:32: health_check_systemd_disabled: \"perhaps\" is not true or false\n" },
		{ "services: ','\n",
		  "E c.yaml:1:11: services: \"\" is not a service type (all)\n" },
		{ "xff_num_trusted_hops: -1\n",
		  "E c.yaml:1:23: xff_num_trusted_hops: \"-1\" is not a number\n" },
		{ "programmatic_redirect_domain_whitelist: [[a]]\n",
		  "E c.yaml:1:42: programmatic_redirect_domain_whitelist[0]: must be a text, not a list\n" },
		{ "authenticate_service_url: login.example.com\n",
		  "E c.yaml:1:27: authenticate_service_url: \"login.example.com\": the URL does not begin with scheme://\n" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_report(cases[i].text, cases[i].report);
}

static void test_bad_limits(void **state)
{
	static const struct bad_case cases[] = {
		{ "max_tunnels: 0\n",
		  "E c.yaml:1:14: max_tunnels: must be at least 1; left out, there is no limit\n" },
		{ "max_handshakes: -1\n",
		  "E c.yaml:1:17: max_handshakes: \"-1\" is not a number\n" },
		{ "timeout_read: -1s\n", "E c.yaml:1:15: timeout_read: must not be negative\n" },
		{ "drain_timeout: 30\n",
		  "E c.yaml:1:16: drain_timeout: must be at least 1ms (a bare "
		  "number counts nanoseconds)\n" },
		{ "timeout_write: x\n",
		  "E c.yaml:1:16: timeout_write: \"x\" is not a duration (30s, 5m, 1h30m)\n" },
		{ "tunnel_reauthorization: never\n",
		  "E c.yaml:1:25: tunnel_reauthorization: \"never\" is not one of close, off\n" },
		{ "max_tunnels: x\n", "E c.yaml:1:14: max_tunnels: \"x\" is not a number\n" },
		{ "max_connections: 0\n"
		  "max_handshakes: 0\n",
		  "E c.yaml:1:18: max_connections: must be at least 1; left out, there is no limit\n"
		  "E c.yaml:2:17: max_handshakes: must be at least 1; left out, there is no limit\n" },
		{ "timeout_idle: -1s\n", "E c.yaml:1:15: timeout_idle: must not be negative\n" },
		{ "timeout_read: x\n"
		  "timeout_idle: x\n",
		  "E c.yaml:1:15: timeout_read: \"x\" is not a duration (30s, 5m, 1h30m)\n"
		  "E c.yaml:2:15: timeout_idle: \"x\" is not a duration (30s, 5m, 1h30m)\n" },
		{ "timeout_write: -1s\n", "E c.yaml:1:16: timeout_write: must not be negative\n" },
		{ "drain_timeout: -1s\n", "E c.yaml:1:16: drain_timeout: must not be negative\n" },
		{ "tunnel_reauthorization: [x]\n",
		  "E c.yaml:1:25: tunnel_reauthorization: must be a text, not a list\n" },
		{ "circuit_breaker_thresholds: {max_connections: x, max_pending_requests: -1}\n",
		  "E c.yaml:1:47: circuit_breaker_thresholds.max_connections: \"x\" is not a number\n"
		  "E c.yaml:1:72: circuit_breaker_thresholds.max_pending_requests: \"-1\" is not a number\n" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_report(cases[i].text, cases[i].report);
}

static void test_bad_logs(void **state)
{
	static const struct bad_case cases[] = {
		{ "log_level: loud\nproxy_log_level: 3\n",
		  "E c.yaml:1:12: log_level: \"loud\" is not a log level (trace, debug, info, warn, "
		  "error, fatal, off)\n"
		  "E c.yaml:2:18: proxy_log_level: \"3\" is not a log level (trace, debug, info, warn, "
		  "error, fatal, off)\n" },
		{ "access_log_fields: [path, Path, headers, 'headers. ']\n",
		  "W c.yaml:1:27: access_log_fields[1]: \"Path\" is not a field and is left out\n"
		  "W c.yaml:1:33: access_log_fields[2]: \"headers\" is not a field and is left out\n"
		  "W c.yaml:1:42: access_log_fields[3]: \"headers. \" is not a field and is left "
		  "out\n" },
		{ "audit_overflow: wait\n",
		  "E c.yaml:1:17: audit_overflow: \"wait\" is not one of block, drop\n" },
		{ "log_level: [a]\n", "E c.yaml:1:12: log_level: must be a text, not a list\n" },
		{ "authorize_log_fields: [user, usr, headers.]\n",
		  "W c.yaml:1:30: authorize_log_fields[1]: \"usr\" is not a field and is left out\n"
		  "W c.yaml:1:35: authorize_log_fields[2]: \"headers.\" is not a field and is left out\n" },
		{ "audit_log_file: [a]\n",
		  "E c.yaml:1:17: audit_log_file: must be a text, not a list\n" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_report(cases[i].text, cases[i].report);
}

static void test_bad_metrics(void **state)
{
	static const struct bad_case cases[] = {
		{ "metrics_basic_auth: 'a:b'\n",
		  "E c.yaml:1:21: metrics_basic_auth: is not standard "
		  "base64 of user:password\n" },
		{ "metrics_basic_auth: QQ==\n",
		  "E c.yaml:1:21: metrics_basic_auth: must be the base64 of user:password; there is "
		  "no : in it\n" },
		{ "metrics_certificate: " BASE64_CERTIFICATE "\n",
		  "E c.yaml:1:22: metrics_certificate needs metrics_certificate_key too\n" },
		{ "metrics_certificate_key_file: /x\n",
		  "E c.yaml:1:31: metrics_certificate_key_file needs metrics_certificate_file "
		  "too\n" },
		{ "metrics_certificate: QQ==\nmetrics_certificate_key: QQ==\n",
		  "E c.yaml:1:22: metrics_certificate: there is no -----BEGIN CERTIFICATE----- in "
		  "it\n" },
		{ "metrics_address: here\n",
		  "E c.yaml:1:18: metrics_address: \"here\" is not a listening address (host:port or :port)\n" },
		{ "metrics_certificate_file: /nonexistent/c\n"
		  "metrics_certificate_key_file: /nonexistent/k\n",
		  "E c.yaml:1:27: metrics_certificate_file: cannot open /nonexistent/c: No such file or directory\n"
		  "E c.yaml:2:31: metrics_certificate_key_file: cannot open /nonexistent/k: No such file or directory\n" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_report(cases[i].text, cases[i].report);
}

static void test_bad_client_certificates(void **state)
{
	static const struct bad_case cases[] = {
		{ "downstream_mtls: {ca: QQ==, ca_file: /x}\n",
		  "E c.yaml:1:38: downstream_mtls.ca_file and ca exclude each other\n" },
		{ "downstream_mtls: {ca: '*'}\n",
		  "E c.yaml:1:23: downstream_mtls.ca: is not standard base64 of PEM text\n" },
		{ "downstream_mtls: {ca: " BASE64_CRL "}\n",
		  "E c.yaml:1:23: downstream_mtls.ca: there is no -----BEGIN CERTIFICATE----- in "
		  "it\n" },
		{ "downstream_mtls: {crl: " BASE64_CERTIFICATE "}\n",
		  "E c.yaml:1:24: downstream_mtls.crl: there is no -----BEGIN X509 CRL----- in it\n" },
		{ "downstream_mtls: {crl_file: /nonexistent/x}\n",
		  "E c.yaml:1:29: downstream_mtls.crl_file: cannot open /nonexistent/x: No such file "
		  "or directory\n" },
		{ "insecure_server: true\ndownstream_mtls: {ca: " BASE64_CERTIFICATE "}\n",
		  "W c.yaml:2:23: downstream_mtls asks for certificates nobody can show: "
		  "insecure_server has no handshake\n" },
		{ "downstream_mtls: {enforcement: maybe}\n",
		  "E c.yaml:1:32: downstream_mtls.enforcement: \"maybe\" is not one of "
		  "policy_with_default_deny, policy, reject_connection\n" },
		{ "downstream_mtls: {max_verify_depth: 4294967296}\n",
		  "E c.yaml:1:37: downstream_mtls.max_verify_depth: must not be more than "
		  "4294967295\n" },
		{ "downstream_mtls: {match_subject_alt_names: {dns: x}}\n",
		  "E c.yaml:1:44: downstream_mtls.match_subject_alt_names: must be a list\n" },
		{ "downstream_mtls:\n  match_subject_alt_names: [x, {dns: a, uri: b}, {dsn: x}, {dns: "
		  "[y]}, {dns: ''}, {dns: '('}]\n",
		  "E c.yaml:2:29: downstream_mtls.match_subject_alt_names[0]: must be a mapping with "
		  "one key\n"
		  "E c.yaml:2:32: downstream_mtls.match_subject_alt_names[1]: must be a mapping with "
		  "one key\n"
		  "E c.yaml:2:51: downstream_mtls.match_subject_alt_names[2]: \"dsn\" is not one of "
		  "dns, email, ip_address, uri, user_principal_name\n"
		  "E c.yaml:2:66: downstream_mtls.match_subject_alt_names[3].dns: must be a text, not "
		  "a list\n"
		  "E c.yaml:2:78: downstream_mtls.match_subject_alt_names[4].dns: must not be empty\n"
		  "E c.yaml:2:89: downstream_mtls.match_subject_alt_names[5].dns: is not a pattern: at "
		  "character 2: missing closing parenthesis\n" },
		{ "downstream_mtls: x\n",
		  "E c.yaml:1:18: downstream_mtls: must be a mapping (key: value)\n" },
		{ "downstream_mtls: {ca_file: /nonexistent/x}\n",
		  "E c.yaml:1:28: downstream_mtls.ca_file: cannot open /nonexistent/x: No such file or directory\n" },
		{ "downstream_mtls: {crl: QQ==, crl_file: /x}\n",
		  "E c.yaml:1:40: downstream_mtls.crl_file and crl exclude each other\n" },
		{ "downstream_mtls: {crl: '*'}\n",
		  "E c.yaml:1:24: downstream_mtls.crl: is not standard base64 of PEM text\n" },
		{ "downstream_mtls: {max_verify_depth: x}\n",
		  "E c.yaml:1:37: downstream_mtls.max_verify_depth: \"x\" is not a number\n" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_report(cases[i].text, cases[i].report);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_listeners),
		cmocka_unit_test(test_limits_and_times),
		cmocka_unit_test(test_logs),
		cmocka_unit_test_setup_teardown(test_metrics, folder_setup, folder_teardown),
		cmocka_unit_test_setup_teardown(test_client_certificates, folder_setup,
						folder_teardown),
		cmocka_unit_test(test_bad_listeners),
		cmocka_unit_test(test_bad_limits),
		cmocka_unit_test(test_bad_logs),
		cmocka_unit_test(test_bad_metrics),
		cmocka_unit_test(test_bad_client_certificates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
