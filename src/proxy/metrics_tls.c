#include "proxy/metrics_tls.h"

#include "tls/tls_config.h"

int metrics_tls_new(const struct config_metrics *config, struct tls_config **ret, struct err *e)
{
	static const char *const alpn[] = { "http/1.1", NULL };
	const struct tls_key_pair pair = {
		.certificate_pem = config->pair.certificate_pem,
		.key_pem = config->pair.key_pem,
		.origin = config->pair.origin,
	};

	if (str_is_empty(pair.certificate_pem)) {
		*ret = NULL;
		return 0;
	}
	return tls_config_new_server(
		&(struct tls_server_options){ .pairs = &pair, .pair_count = 1, .alpn = alpn }, ret,
		e);
}
