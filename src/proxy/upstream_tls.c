#include "proxy/upstream_tls.h"

#include "tls/tls_config.h"

static bool needs_tls(const struct config_route *route)
{
	for (size_t i = 0; i < route->target_count; i++)
		if (route->targets[i].hop == CONFIG_HOP_HTTPS_PROXY)
			return true;
	return false;
}

int upstream_tls_new(const struct config *config, const struct config_route *route,
		     struct tls_config **ret, struct err *e)
{
	static const char *const alpn[] = { "http/1.1", NULL };
	const struct config_upstream_tls *tls = &route->upstream.tls;
	const struct tls_key_pair pair = {
		.certificate_pem = tls->client_certificate_pem,
		.key_pem = tls->client_key_pem,
		.origin = "tls_client_cert",
	};
	bool has_own_ca = !str_is_empty(tls->custom_ca_pem);
	const struct tls_client_options options = {
		.verify = !tls->skip_verify,
		.extra_roots_pem = has_own_ca ? tls->custom_ca_pem : config->tls.authority_pem,
		.only_extra_roots = has_own_ca,
		.client_pair = str_is_empty(tls->client_certificate_pem) ? NULL : &pair,
		.alpn = alpn,
	};

	if (!needs_tls(route)) {
		*ret = NULL;
		return 0;
	}
	return tls_config_new_client(&options, ret, e);
}
