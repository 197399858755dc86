#include "proxy/route_table.h"

#include <stdio.h>

#include "base/buf.h"
#include "base/codec.h"
#include "base/mem.h"
#include "jose/mac.h"
#include "proxy/balancer.h"
#include "proxy/client_certificate.h"
#include "proxy/idp.h"
#include "proxy/route_wildcard.h"
#include "proxy/upstream_tls.h"
#include "tls/tls_config.h"

#define NAME_MAX_LEN (HOST_NAME_MAX_LEN + sizeof("[]:65535"))

/* Depends on what the route is, not on where it stands in the file. */
static void make_id(struct route *route)
{
	uint8_t digest[SHA256_SIZE];
	struct buf text = BUF_INIT(SIZE_MAX);

	(void)buf_append_str(&text, route->config->from);
	for (size_t i = 0; i < route->config->target_count; i++) {
		const struct config_target *target = &route->config->targets[i];

		(void)buf_append_char(&text, '\n');
		if (target->hop != CONFIG_HOP_TCP)
			(void)buf_printf(&text, "%d:", (int)target->hop);
		(void)buf_printf(&text, "%.*s:%u", STR_FMT(target->host), target->port);
	}
	digest_sha256(buf_view(&text), digest);
	buf_truncate(&text, 0);
	(void)hex_encode(&text, digest, ROUTE_ID_LEN / 2);
	memcpy(route->id, text.data, ROUTE_ID_LEN);
	buf_done(&text);
}

static void route_init(struct route *route, const struct config_route *config,
		       const struct idp_table *idps, const struct route_table *previous,
		       enum policy_certificate_rule rule, struct report *report)
{
	const struct route *before;

	route->config = config;
	route->idp = idp_of_route(idps, config);
	route->policy = policy_compile(config, rule, report);
	make_id(route);
	before = previous ? route_table_find_id(previous, str_from(route->id)) : NULL;
	route->state = before ? route_state_ref(before->state)
			      : route_state_new(route->id, config->target_count);
}

/* What is wrong begins with the name of what holds it. */
static struct position place_of(const struct config_route *route, const struct err *e)
{
	const struct config_upstream_tls *tls = &route->upstream.tls;
	struct str text = str_from(e->text);

	if (str_starts_with(text, STR("tls_client_cert")))
		return tls->client_certificate_at;
	if (str_starts_with(text, STR("trusted certificates")))
		return tls->custom_ca_at;
	return route->at;
}

static void init_upstream(struct route *route, const struct config *config, struct report *report)
{
	struct err e = { 0 };

	route->balancer = balancer_new(route->config);
	if (upstream_tls_new(config, route->config, &route->upstream_tls, &e) < 0)
		report_add(report, REPORT_ERROR, place_of(route->config, &e), "%.*s: %s",
			   STR_FMT(route->config->path), e.text);
}

/* The configuration has been checked: there is an authority behind the scheme. */
static void add_host(struct route_table *t, struct route *route)
{
	struct str from = route->config->from;
	struct str rest = str_from_pos(from, str_find(from, ':') + strlen("://"));
	struct authority gateway;

	if (authority_parse(str_first(rest, str_find(rest, '/')), false, &gateway, NULL) < 0)
		return;
	_cleanup_(mem_freep) char *name = str_copy_lower(gateway.host);
	struct route_host *host = map_get(&t->by_host, str_from(name));

	if (host) {
		host->idp = host->idp == route->idp ? host->idp : NULL;
		return;
	}
	host = mem_alloc(sizeof(*host));
	*host = (struct route_host){ .idp = route->idp, .is_owned = true };
	(void)map_put(&t->by_host, str_from(name), host); /* the first of that name */
}

static void add_names(struct route_table *t, struct route *route)
{
	const struct config_route *config = route->config;

	for (size_t i = 0; i < config->name_count; i++) {
		_cleanup_(mem_freep) char *name = str_copy_lower(config->names[i].text);

		if (!map_get(&t->by_name, str_from(name)))
			(void)map_put(&t->by_name, str_from(name), route);
	}
}

static void add_wildcard(struct route_table *t, struct route *route)
{
	struct route_wildcard *w = &t->wildcards[t->wildcard_count];

	if (route_wildcard_init(w, route->config->wildcard, route))
		t->wildcard_count++;
}

/* A CONNECT always names a port. */
static bool needs_any_port(const struct config_route *config)
{
	struct authority wildcard = { .port = 1 };

	if (!str_is_empty(config->wildcard))
		(void)authority_parse(config->wildcard, true, &wildcard, NULL); /* was checked */
	for (size_t i = 0; i < config->name_count; i++)
		if (config->names[i].port != 0)
			return false;
	return wildcard.port == 0 || config->name_count > 0;
}

static void warn_of_ports(const struct route_table *t, const struct config_route *config,
			  struct report *report)
{
	if (t->matches_any_port || !report || !needs_any_port(config))
		return;
	report_add(report, REPORT_WARNING, config->at,
		   "%.*s: \"%.*s\" names no port and is never matched, since "
		   "runtime_flags.match_any_incoming_port is off",
		   STR_FMT(config->path), STR_FMT(config->from));
}

void route_table_init(struct route_table *t, const struct config *config,
		      const struct idp_table *idps, const struct route_table *previous,
		      struct report *report)
{
	enum policy_certificate_rule rule = client_certificate_rule(config);

	*t = (struct route_table){
		.routes = mem_alloc_array(config->route_count, sizeof(*t->routes)),
		.count = config->route_count,
		.wildcards = mem_alloc_array(config->route_count, sizeof(*t->wildcards)),
		.matches_any_port = config->listen.matches_any_port,
	};
	map_init(&t->by_id);
	map_init(&t->by_name);
	map_init(&t->by_host);
	for (size_t i = 0; i < t->count; i++) {
		struct route *route = &t->routes[i];

		route_init(route, &config->routes[i], idps, previous, rule, report);
		init_upstream(route, config, report);
		(void)map_put(&t->by_id, str_from(route->id), route); /* unique */
		warn_of_ports(t, route->config, report);
		add_names(t, route);
		if (str_is_empty(route->config->wildcard))
			add_host(t, route);
		else
			add_wildcard(t, route);
	}
}

static bool free_host(void *arg, struct str key, void *value)
{
	mem_free(value);
	return true;
}

void route_table_done(struct route_table *t)
{
	for (size_t i = 0; i < t->count; i++) {
		policy_free(t->routes[i].policy);
		route_state_unref(t->routes[i].state);
		balancer_free(t->routes[i].balancer);
		tls_config_unref(t->routes[i].upstream_tls);
	}
	for (size_t i = 0; i < t->wildcard_count; i++)
		route_wildcard_done(&t->wildcards[i]);
	mem_free(TAKE(t->routes));
	mem_free(TAKE(t->wildcards));
	t->count = 0;
	t->wildcard_count = 0;
	map_done(&t->by_id);
	map_done(&t->by_name);
	map_visit(&t->by_host, free_host, NULL);
	map_done(&t->by_host);
}

static void copy_lower(struct str from, char *to)
{
	for (size_t i = 0; i < from.len; i++) {
		char c = from.at[i];

		to[i] = (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
	}
}

static struct route *find_wildcard(const struct route_table *t, struct str host, uint16_t port)
{
	for (size_t i = 0; i < t->wildcard_count; i++) {
		const struct route_wildcard *w = &t->wildcards[i];
		bool has_port = w->port ? w->port == port : t->matches_any_port;

		if (has_port && route_wildcard_has_host(w, host))
			return w->route;
	}
	return NULL;
}

struct route *route_table_find(const struct route_table *t, const struct authority *target)
{
	char text[NAME_MAX_LEN];
	struct str name = str_of(text, target->text.len);
	struct str host = str_first(name, str_find_last(target->text, ':'));
	struct route *route;

	if (name.len >= sizeof(text))
		return NULL;
	copy_lower(target->text, text);
	route = map_get(&t->by_name, name);
	if (!route && t->matches_any_port)
		route = map_get(&t->by_name, host);
	if (!route && t->wildcard_count > 0) {
		copy_lower(target->host, text);
		route = find_wildcard(t, str_of(text, target->host.len), target->port);
	}
	return route;
}

struct route *route_table_find_id(const struct route_table *t, struct str id)
{
	return map_get(&t->by_id, id);
}

/* What a host has in common with those seen before. */
static void join_host(struct route_host *sum, bool is_first, const struct idp *idp)
{
	sum->idp = is_first || sum->idp == idp ? idp : NULL;
}

bool route_table_find_host(const struct route_table *t, struct str host, struct route_host *ret)
{
	_cleanup_(mem_freep) char *text = str_copy_lower(host);
	struct str lower = str_of(text, host.len);
	const struct route_host *exact = map_get(&t->by_host, lower);
	struct route_host sum = exact ? *exact : (struct route_host){ 0 };
	bool is_ours = exact != NULL;
	bool hides_wildcards = t->matches_any_port && map_get(&t->by_name, lower);

	for (size_t i = 0; i < t->wildcard_count && !hides_wildcards; i++) {
		if (!route_wildcard_has_host(&t->wildcards[i], lower))
			continue;
		join_host(&sum, !is_ours, t->wildcards[i].route->idp);
		sum.is_owned = sum.is_owned || t->wildcards[i].is_owned;
		is_ours = true;
	}
	if (ret && is_ours)
		*ret = sum;
	return is_ours;
}
