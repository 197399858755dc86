/*
 * route_upstream.c - how a route's upstreams are chosen, limited and spoken to; and how long a tunnel may last
 */

#include "config/key_files.h"
#include "config/names.h"
#include "config/routes.h"

#define PANIC_PERCENT_DEFAULT 50

/* By their numbers in the reference, which may be written too. */
static enum config_balancing read_balancing(struct loader *l, const struct value_path *up,
					    const struct text_value *value)
{
	static const char *const names[] = {
		"round_robin", "least_request", "ring_hash", "random", NULL, "maglev",
	};
	static const enum config_balancing values[] = {
		CONFIG_BALANCING_ROUND_ROBIN, CONFIG_BALANCING_LEAST_REQUEST,
		CONFIG_BALANCING_RING_HASH,   CONFIG_BALANCING_RANDOM,
		CONFIG_BALANCING_ROUND_ROBIN, CONFIG_BALANCING_MAGLEV,
	};
	struct value_path path = { .up = up, .key = STR("load_balancing_policy") };
	size_t index = 0;

	(void)word_read(l, &path, value, &(struct words){ names, ARRAY_LEN(names) },
			&index); /* unset or reported: the first */
	return values[index];
}

static enum config_proxy_header read_proxy_header(struct loader *l, const struct value_path *up,
						  const struct text_value *value)
{
	static const char *const names[] = { "v1", "v2" };
	struct value_path path = { .up = up, .key = STR("upstream_proxy_protocol") };
	size_t index;

	if (!word_read(l, &path, value, &(struct words){ names, ARRAY_LEN(names) }, &index))
		return CONFIG_PROXY_HEADER_NONE;
	return index ? CONFIG_PROXY_HEADER_V2 : CONFIG_PROXY_HEADER_V1;
}

/* The route's own value wins, each for itself. 0 is a value: nothing is let through. */
static uint64_t merge(const struct number_value *own, const struct number_value *global)
{
	if (value_is_set(own->at))
		return own->number;
	return value_is_set(global->at) ? global->number : UINT64_MAX;
}

static struct config_upstream_tls read_tls(struct loader *l, const struct value_path *up,
					   const struct route_tls_options *o, struct config *config)
{
	const struct pem_source ca = { up, "tls_custom_ca", &o->custom_ca, "CERTIFICATE" };
	const struct pem_source certificate = { up, "tls_client_cert", &o->client_certificate,
						"CERTIFICATE" };
	const struct pem_source key = { up, "tls_client_key", &o->client_key, NULL };
	const struct text_value *name = str_is_empty(o->upstream_server_name.text)
						? &o->server_name
						: &o->upstream_server_name;
	struct value_path path = {
		.up = up,
		.key = name == &o->server_name ? STR("tls_server_name")
					       : STR("tls_upstream_server_name"),
	};
	struct config_key_pair pair = { 0 };
	struct authority host;

	if (name->text.len && (authority_parse(name->text, false, &host, NULL) < 0 || host.port))
		loader_value_error(l, &path, name->at, "\"%.*s\" is not a host name",
				   STR_FMT(name->text));
	(void)pem_pair_load(l, &certificate, &key, config, &pair); /* none, or reported */
	return (struct config_upstream_tls){
		.skip_verify = o->skip_verify.is_true,
		.server_name = arena_copy(&config->arena, name->text),
		.custom_ca_pem = pem_load(l, &ca, config),
		.custom_ca_at = sourced_position(&o->custom_ca),
		.client_certificate_pem = pair.certificate_pem,
		.client_certificate_at = sourced_position(&o->client_certificate),
		.client_key_pem = pair.key_pem,
	};
}

void route_read_upstream(struct loader *l, const struct value_path *up,
			 const struct route_options *options, const struct options *global,
			 struct config *config, struct config_upstream *ret)
{
	const struct route_upstream_options *o = &options->upstream;
	const struct breaker_options *breakers = &global->breakers;
	struct value_path panic = { .up = up, .key = STR("healthy_panic_threshold") };

	*ret = (struct config_upstream){
		.balancing = read_balancing(l, up, &o->balancing),
		.proxy_header = read_proxy_header(l, up, &o->proxy_header),
		.breakers = {
			.max_connections = merge(&o->breakers.max_connections,
						 &breakers->max_connections),
			.max_pending = merge(&o->breakers.max_pending_requests,
					     &breakers->max_pending_requests),
		},
		.panic_percent = number_read(l, &panic, &o->panic_percent, 100,
					     PANIC_PERCENT_DEFAULT),
		.tls = read_tls(l, up, &o->tls, config),
	};
	route_read_checks(l, up, &o->checks, &config->arena, ret);
}

static uint64_t shorter(uint64_t a_ms, uint64_t b_ms)
{
	if (!a_ms || !b_ms)
		return a_ms | b_ms;
	return a_ms < b_ms ? a_ms : b_ms;
}

void route_read_lifetime(struct loader *l, const struct value_path *up,
			 const struct route_options *options, const struct config_lifetime *global,
			 struct config_lifetime *ret)
{
	const struct route_lifetime_options *o = &options->lifetime;
	struct value_path timeout = { .up = up, .key = STR("timeout") };
	struct value_path idle = { .up = up, .key = STR("idle_timeout") };
	struct value_path tunnels = { .up = up, .key = STR("max_tunnels") };
	struct value_path reauthorization = { .up = up, .key = STR("tunnel_reauthorization") };

	*ret = (struct config_lifetime){
		.timeout_ms = shorter(milliseconds_read(l, &timeout, &o->timeout, 0),
				      global->timeout_ms),
		.idle_ms = milliseconds_read(l, &idle, &o->idle_timeout, 0),
		.max_tunnels = limit_read(l, &tunnels, &o->max_tunnels),
		.reauthorize = reauthorization_read(l, &reauthorization, &o->reauthorization,
						    global->reauthorize),
	};
}
