#include "config/config_listen.h"

#include "config/names.h"

static void load_address(struct loader *l, const struct listen_options *o, struct config *config)
{
	struct value_path path = { .key = STR("address") };
	struct str text = o->address.text;
	struct err e = { 0 };

	if (str_find(text, ':') == text.len || str_ends_with(text, STR("]")))
		text = arena_printf(l->arena, "%.*s:%s", STR_FMT(text),
				    o->is_plain.is_true ? "80" : "443");
	if (addr_parse_listen(text, &config->listen.address, &e) < 0)
		loader_value_error(l, &path, o->address.at, "%s", e.text);
}

/* Quotes that a shell or a file of variables has left around it do not belong to it. */
static void load_redirect_address(struct loader *l, const struct listen_options *o,
				  struct config *config)
{
	struct value_path path = { .key = STR("http_redirect_addr") };
	struct text_value value = o->redirect_address;

	while (value.text.len >= 2 && (value.text.at[0] == '"' || value.text.at[0] == '\'') &&
	       value.text.at[0] == value.text.at[value.text.len - 1])
		value.text = str_first(str_from_pos(value.text, 1), value.text.len - 2);
	config->listen.has_redirect_address = address_read(l, &path, &value,
							   &config->listen.redirect_address);
}

static void load_codec(struct loader *l, const struct text_value *value, struct config *config)
{
	static const char *const names[] = { "auto", "http1", "http2", "http3" };
	struct value_path path = { .key = STR("codec_type") };
	size_t index = 0;

	if (word_read(l, &path, value, &(struct words){ names, ARRAY_LEN(names) }, &index) &&
	    index > 1)
		loader_value_error(l, &path, value->at, "%s alone is not supported; use auto",
				   names[index]);
	config->listen.offers_http2 = index == 0;
}

/* One process does everything; a file written for one part of a split deployment means something else. */
static void load_services(struct loader *l, const struct text_value *value)
{
	static const char *const names[] = { "all",   "authenticate", "authorize",
					     "proxy", "databroker",   "cache" };
	struct value_path path = { .key = STR("services") };
	struct str rest = value->text;
	struct str item;
	bool has_all = false;

	if (str_is_empty(value->text))
		return;
	while (str_cut(&rest, ',', &item)) {
		size_t index = 0;

		item = str_trim(item);
		while (index < ARRAY_LEN(names) && !str_equal_nocase(item, str_from(names[index])))
			index++;
		if (index == ARRAY_LEN(names)) {
			loader_value_error(l, &path, value->at,
					   "\"%.*s\" is not a service type (all)", STR_FMT(item));
			return;
		}
		if (index == 0)
			has_all = true;
	}
	if (!has_all)
		loader_value_error(
			l, &path, value->at,
			"\"%.*s\" is not supported: one process does everything, so only "
			"all is",
			STR_FMT(value->text));
}

static void load_dns(struct loader *l, const struct text_value *value, struct config *config)
{
	static const struct {
		const char *name;
		enum config_dns_family family;
	} rows[] = {
		{ "", CONFIG_DNS_V4_PREFERRED },
		{ "AUTO", CONFIG_DNS_AUTO },
		{ "V4_ONLY", CONFIG_DNS_V4_ONLY },
		{ "V6_ONLY", CONFIG_DNS_V6_ONLY },
		{ "V4_PREFERRED", CONFIG_DNS_V4_PREFERRED },
		{ "ALL", CONFIG_DNS_ALL },
	};
	struct value_path path = { .key = STR("dns_lookup_family") };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (!str_equal(value->text, str_from(rows[i].name)))
			continue;
		config->dns_family = rows[i].family;
		return;
	}
	loader_value_error(l, &path, value->at,
			   "\"%.*s\" is not one of AUTO, V4_ONLY, V6_ONLY, V4_PREFERRED, ALL (in "
			   "upper case)",
			   STR_FMT(value->text));
}

void listen_load(struct loader *l, const struct options *options, struct config *config)
{
	const struct listen_options *o = &options->listen;
	const struct flag_options *flags = &options->flags;
	struct value_path hops = { .key = STR("xff_num_trusted_hops") };
	struct value_path workers = { .key = STR("workers") };

	load_address(l, o, config);
	load_redirect_address(l, o, config);
	load_codec(l, &o->codec_type, config);
	load_services(l, &o->services);
	load_dns(l, &options->dns_family, config);
	config->listen.is_plain = o->is_plain.is_true;
	config->listen.use_proxy_protocol = o->use_proxy_protocol.is_true;
	config->listen.matches_any_port = !value_is_set(flags->match_any_incoming_port.at) ||
					  flags->match_any_incoming_port.is_true;
	config->listen.trusted_hops = number_read(l, &hops, &o->trusted_hops, UINT32_MAX, 0);
	config->listen.workers = number_read(l, &workers, &o->workers, CONFIG_WORKERS_MAX, 0);
	config->watches_files = !value_is_set(flags->config_hot_reload.at) ||
				flags->config_hot_reload.is_true;
	config->lists_routes = !value_is_set(flags->routes_portal.at) ||
			       flags->routes_portal.is_true;
}

void limits_load(struct loader *l, const struct options *options, struct config *config)
{
	const struct limit_options *o = &options->limits;
	struct value_path tunnels = { .key = STR("max_tunnels") };
	struct value_path connections = { .key = STR("max_connections") };
	struct value_path handshakes = { .key = STR("max_handshakes") };

	config->limits = (struct config_limits){
		.max_tunnels = limit_read(l, &tunnels, &o->max_tunnels),
		.max_connections = limit_read(l, &connections, &o->max_connections),
		.max_handshakes = limit_read(l, &handshakes, &o->max_handshakes),
	};
}

/* timeout_write is a limit of tunnels: routes.c puts it into each route. */
void timeouts_load(struct loader *l, const struct options *options, struct config *config)
{
	const struct timeout_options *o = &options->timeouts;
	struct config_timeouts *t = &config->timeouts;
	struct value_path read = { .key = STR("timeout_read") };
	struct value_path idle = { .key = STR("timeout_idle") };
	struct value_path drain = { .key = STR("drain_timeout") };

	t->read_ms = milliseconds_read(l, &read, &o->read, t->read_ms);
	t->idle_ms = milliseconds_read(l, &idle, &o->idle, t->idle_ms);
	t->drain_ms = milliseconds_read(l, &drain, &o->drain, t->drain_ms);
}
