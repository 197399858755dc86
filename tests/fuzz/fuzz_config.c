/*
 * fuzz_config.c - configuration text loads, or is refused with a reason
 *
 * Read as YAML and as JSON, and as the values of variables. Properties: exactly the refused have an error, its place is inside the text, and what
 * was accepted keeps the promises of config.h.
 */

#include <assert.h>

#include "base/codec.h"
#include "base/mem.h"
#include "config/config.h"
#include "config/yaml.h"
#include "tests/fuzz/fuzz.h"

/* On some syntax errors the YAML library forgets a small buffer; that is not what is looked for here. */
__attribute__((visibility("default"))) const char *__lsan_default_suppressions(void);

const char *__lsan_default_suppressions(void)
{
	return "leak:libfyaml\n";
}

static void check_upstream(const struct config_route *route)
{
	const struct config_upstream *upstream = &route->upstream;

	assert(upstream->panic_percent <= 100 && upstream->check_count <= CONFIG_CHECKS_MAX);
	for (size_t i = 0; i < upstream->check_count; i++) {
		const struct config_health_check *check = &upstream->checks[i];

		assert(check->timeout_ms > 0 && check->interval_ms > 0);
		assert(check->healthy_threshold > 0 && check->unhealthy_threshold > 0);
	}
	assert((upstream->tls.client_certificate_pem.len > 0) ==
	       (upstream->tls.client_key_pem.len > 0));
	assert(route->lifetime.max_tunnels > 0);
	assert(!route->access.policy || route->access.policy->kind != YAML_SCALAR);
	assert(!route->access.allowed_idp_claims ||
	       route->access.allowed_idp_claims->kind == YAML_MAPPING);
}

static void check_routes(const struct config *config)
{
	for (size_t i = 0; i < config->route_count; i++) {
		const struct config_route *route = &config->routes[i];

		assert(route->target_count > 0 && route->path.len > 0);
		assert((route->name_count > 0) == (route->wildcard.len == 0));
		for (size_t n = 0; n < route->name_count; n++)
			assert(route->names[n].host.len > 0);
		for (size_t n = 0; n < route->target_count; n++) {
			bool is_unix = route->targets[n].hop == CONFIG_HOP_UNIX;

			assert(route->targets[n].host.len > 0);
			assert((route->targets[n].port > 0) == !is_unix);
			assert(route->targets[n].is_weighted == (route->targets[n].weight > 0));
		}
		assert(!route->access.allow_public_unauthenticated_access ||
		       !route->access.allow_any_authenticated_user);
		assert((route->idp.bearer == CONFIG_BEARER_JWT) == (route->idp.issuer_count > 0));
		for (size_t n = 0; n < route->idp.issuer_count; n++)
			assert(route->idp.issuers[n]->issuer.len > 0);
		assert((route->idp.client_id.len > 0) == (route->idp.client_secret.len > 0));
		check_upstream(route);
	}
}

static void check_login(const struct config *config)
{
	if (config->idp_provider == CONFIG_IDP_EXTERNAL)
		assert(config->idp.client_id.len > 0 && config->authenticate_service_url.len > 0);
	for (size_t i = 0; i < config->idp.issuer_count; i++) {
		const struct config_issuer *issuer = &config->idp.issuers[i];

		assert(issuer->name.len > 0 && issuer->issuer.len > 0);
		assert(issuer->algorithms.count > 0 && issuer->audiences.count > 0);
	}
	for (size_t i = 0; i < config->assertion.headers.count; i++)
		assert(config->assertion.headers.items[i].name.len > 0 &&
		       config->assertion.headers.items[i].value.len > 0);
	assert(config->cookies.name.len > 0);
	assert(config->storage.type != CONFIG_STORAGE_POSTGRES ||
	       config->storage.connection.len > 0);
	assert(addr_port(&config->operator.health_address) > 0);
}

static void check(struct str text, const char *name)
{
	struct config *config = NULL;
	struct report report = { 0 };
	struct err e = { 0 };
	int result = config_parse(text, name, &config, &report, &e);

	assert((result == 0) == (config != NULL));
	assert((result == 0) == (report.error_count == 0));
	assert(result == 0 || e.text[0]);
	for (size_t i = 0; i < report.count; i++)
		assert(report.problems[i].text[0]);
	if (config) {
		assert(config->cookies.expire_s > 0 &&
		       config->listen.workers <= CONFIG_WORKERS_MAX);
		check_routes(config);
		check_login(config);
	}
	config_free(config);
	report_done(&report);
}

static char *variable(const char *name, struct str value)
{
	struct buf text = BUF_INIT(CONFIG_FILE_MAX);

	(void)buf_printf(&text, "%s=", name);
	(void)buf_append_str(&text, value);
	return buf_take_string(&text);
}

/* One after the other, so that one that is refused does not hide the others. */
static void check_variables(struct str text)
{
	static const char *const names[] = {
		"ADDRESS", "RUNTIME_FLAGS",   "IDENTITY_PROVIDERS", "JWT_CLAIMS_HEADERS",
		"HEADERS", "DOWNSTREAM_MTLS", "ACCESS_LOG_FIELDS",  "COOKIE_EXPIRE",
		"ROUTES"
	};
	struct buf routes = BUF_INIT(CONFIG_FILE_MAX);

	(void)base64_encode(&routes, BASE64_STANDARD, text.at, text.len);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		bool is_last = i + 1 == ARRAY_LEN(names);
		char *one = variable(names[i], is_last ? buf_view(&routes) : text);
		const char *const variables[] = { one, NULL };
		struct report report = { 0 };
		struct config *config = config_read(
			&(struct config_source){ .environment = variables }, &report);

		if (config && !report.error_count)
			check_routes(config);
		config_free(config);
		report_done(&report);
		mem_free(one);
	}
	buf_done(&routes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check(str_of(data, size), "fuzz.yaml");
	check(str_of(data, size), "fuzz.json");
	check_variables(str_of(data, size));
	return 0;
}
