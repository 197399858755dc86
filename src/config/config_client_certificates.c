#include "config/config_client_certificates.h"

#include "base/pattern.h"
#include "config/key_files.h"
#include "config/names.h"

static void load_enforcement(struct loader *l, const struct value_path *up,
			     const struct text_value *value, struct config *config)
{
	static const char *const names[] = { "policy_with_default_deny", "policy",
					     "reject_connection" };
	static const enum config_enforcement values[] = {
		CONFIG_ENFORCEMENT_POLICY_DEFAULT_DENY,
		CONFIG_ENFORCEMENT_POLICY,
		CONFIG_ENFORCEMENT_REJECT,
	};
	struct value_path path = { .up = up, .key = STR("enforcement") };
	size_t index = 0;

	(void)word_read(l, &path, value, &(struct words){ names, ARRAY_LEN(names) },
			&index); /* unset or reported: the first */
	config->tls.client_certificates.enforcement = values[index];
}

static bool find_type(struct str key, enum config_san_type *ret)
{
	static const struct {
		const char *key;
		enum config_san_type type;
	} rows[] = {
		{ "dns", CONFIG_SAN_DNS },
		{ "email", CONFIG_SAN_EMAIL },
		{ "ip_address", CONFIG_SAN_IP },
		{ "uri", CONFIG_SAN_URI },
		{ "user_principal_name", CONFIG_SAN_UPN },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (!str_equal(key, str_from(rows[i].key)))
			continue;
		*ret = rows[i].type;
		return true;
	}
	return false;
}

static bool is_pattern(struct loader *l, const struct value_path *path, struct position at,
		       struct str text)
{
	_cleanup_(pattern_freep) struct pattern *pattern = NULL;
	struct err e = { 0 };

	if (str_is_empty(text))
		loader_value_error(l, path, at, "must not be empty");
	else if (pattern_new(text, &pattern, &e) < 0)
		loader_value_error(l, path, at, "is not a pattern: %s", e.text);
	return pattern != NULL;
}

/* A mapping with one key. */
static void load_name(struct loader *l, const struct value_path *path, const struct yaml_node *node,
		      struct arena *arena, struct config_san_match *ret)
{
	struct text_value pattern = { 0 };
	enum config_san_type type;

	if (node->kind != YAML_MAPPING || node->count != 1) {
		loader_value_error(l, path, node->at, "must be a mapping with one key");
		return;
	}
	const struct yaml_pair *pair = &node->pairs[0];
	struct value_path here = { .up = path, .key = pair->key };
	if (!find_type(pair->key, &type)) {
		loader_value_error(l, path, pair->at,
				   "\"%.*s\" is not one of dns, email, ip_address, uri, "
				   "user_principal_name",
				   STR_FMT(pair->written));
		return;
	}
	if (value_read_text(l, &here, pair->value, &pattern) < 0)
		return;
	if (!is_pattern(l, &here, pair->value->at, pattern.text))
		return;
	*ret = (struct config_san_match){
		.at = pattern.at,
		.type = type,
		.pattern = arena_copy(arena, pattern.text),
	};
}

static void load_names(struct loader *l, const struct value_path *up, const struct yaml_node *node,
		       struct config *config)
{
	struct value_path path = { .up = up, .key = STR("match_subject_alt_names") };
	struct config_san_match *items;

	if (!node)
		return;
	if (node->kind != YAML_SEQUENCE) {
		loader_value_error(l, &path, node->at, "must be a list");
		return;
	}
	if (node->count > CONFIG_SANS_MAX) {
		loader_value_error(l, &path, node->at, "has more than %d elements",
				   CONFIG_SANS_MAX);
		return;
	}
	items = arena_alloc_array(&config->arena, node->count, sizeof(*items));
	for (size_t i = 0; i < node->count; i++) {
		struct value_path item = { .up = &path, .index = i };

		load_name(l, &item, node->items[i], &config->arena, &items[i]);
	}
	config->tls.client_certificates.sans = items;
	config->tls.client_certificates.san_count = node->count;
}

void client_certificates_load(struct loader *l, const struct options *options,
			      struct config *config)
{
	const struct client_certificate_options *o = &options->client_certificates;
	struct config_client_certificates *c = &config->tls.client_certificates;
	struct value_path up = { .key = STR("downstream_mtls") };
	struct value_path depth = { .up = &up, .key = STR("max_verify_depth") };

	c->ca_pem = pem_load(l, &(struct pem_source){ &up, "ca", &o->ca, "CERTIFICATE" }, config);
	c->crl_pem = pem_load(l, &(struct pem_source){ &up, "crl", &o->crl, "X509 CRL" }, config);
	c->ca_at = sourced_position(&o->ca);
	c->crl_at = sourced_position(&o->crl);
	if (c->ca_pem.len && config->listen.is_plain)
		loader_key_warning(l, &up, c->ca_at,
				   "asks for certificates nobody can show: insecure_server has no "
				   "handshake");
	load_enforcement(l, &up, &o->enforcement, config);
	load_names(l, &up, o->alternative_names, config);
	c->max_verify_depth = number_read(l, &depth, &o->max_verify_depth, UINT32_MAX,
					  c->max_verify_depth);
}
