#include "base/codec.h"
#include "config/config_parts.h"
#include "config/key_files.h"
#include "config/names.h"

#define BASIC_AUTH_MAX 1024

/* base64 of user:password; neither is ever shown. */
static void load_basic_auth(struct loader *l, const struct text_value *value, struct config *config)
{
	struct value_path path = { .key = STR("metrics_basic_auth") };
	struct buf bytes = BUF_INIT(BASIC_AUTH_MAX);

	if (str_is_empty(value->text))
		return;
	if (base64_decode(&bytes, BASE64_STANDARD, value->text) < 0)
		loader_value_error(l, &path, value->at, "is not standard base64 of user:password");
	else if (str_find(buf_view(&bytes), ':') == bytes.len)
		loader_value_error(l, &path, value->at,
				   "must be the base64 of user:password; there is no : in it");
	else
		config->operator.metrics.basic_auth = arena_copy(&config->arena, buf_view(&bytes));
	buf_done_secret(&bytes);
}

void metrics_load(struct loader *l, const struct options *options, struct config *config)
{
	const struct metrics_options *o = &options->operator.metrics;
	struct config_metrics *metrics = &config->operator.metrics;
	struct value_path path = { .key = STR("metrics_address") };
	const struct pem_source certificate = { NULL, "metrics_certificate", &o->certificate,
						"CERTIFICATE" };
	const struct pem_source key = { NULL, "metrics_certificate_key", &o->key, NULL };

	metrics->has_address = address_read(l, &path, &o->address, &metrics->address);
	load_basic_auth(l, &o->basic_auth, config);
	(void)pem_pair_load(l, &certificate, &key, config, &metrics->pair); /* none: plain HTTP */
}
