#include "proxy/route_table.h"

#include <stdio.h>

#include "base/buf.h"
#include "base/codec.h"
#include "base/mem.h"
#include "jose/mac.h"
#include "proxy/idp.h"

#define NAME_MAX_LEN (HOST_NAME_MAX_LEN + sizeof("[]:65535"))

/* Depends on what the route is, not on where it stands in the file. */
static void make_id(struct route *route)
{
	uint8_t digest[SHA256_SIZE];
	struct buf text = BUF_INIT(SIZE_MAX);

	(void)buf_append_str(&text, route->config->from);
	for (size_t i = 0; i < route->config->target_count; i++) {
		const struct config_target *target = &route->config->targets[i];

		(void)buf_printf(&text, "\n%.*s:%u", STR_FMT(target->host), target->port);
	}
	digest_sha256(buf_view(&text), digest);
	buf_truncate(&text, 0);
	(void)hex_encode(&text, digest, ROUTE_ID_LEN / 2);
	memcpy(route->id, text.data, ROUTE_ID_LEN);
	buf_done(&text);
}

static void route_init(struct route *route, const struct config_route *config,
		       const struct idp_table *idps, const struct route_table *previous,
		       struct report *report)
{
	const struct route *before;

	route->config = config;
	route->idp = idp_of_route(idps, config);
	route->policy = policy_compile(config, POLICY_CERTIFICATE_FREE, report);
	for (size_t i = 0; i < config->target_count; i++)
		route->total_weight += config->targets[i].is_weighted ? config->targets[i].weight
								      : 1;
	make_id(route);
	before = previous ? route_table_find_id(previous, str_from(route->id)) : NULL;
	route->state = before ? route_state_ref(before->state)
			      : route_state_new(route->id, config->target_count);
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
	host->idp = route->idp;
	(void)map_put(&t->by_host, str_from(name), host); /* the first of that name */
}

void route_table_init(struct route_table *t, const struct config *config,
		      const struct idp_table *idps, const struct route_table *previous,
		      struct report *report)
{
	map_init(&t->by_id);
	map_init(&t->by_name);
	map_init(&t->by_host);
	t->routes = mem_alloc_array(config->route_count, sizeof(*t->routes));
	t->count = config->route_count;
	for (size_t i = 0; i < t->count; i++) {
		route_init(&t->routes[i], &config->routes[i], idps, previous, report);
		(void)map_put(&t->by_id, str_from(t->routes[i].id), &t->routes[i]); /* unique */
		add_host(t, &t->routes[i]);
		for (size_t k = 0; k < config->routes[i].name_count; k++) {
			_cleanup_(mem_freep) char *name = str_copy_lower(
				config->routes[i].names[k].text);

			if (!map_get(&t->by_name, str_from(name)))
				(void)map_put(&t->by_name, str_from(name), &t->routes[i]);
		}
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
	}
	mem_free(TAKE(t->routes));
	t->count = 0;
	map_done(&t->by_id);
	map_done(&t->by_name);
	map_visit(&t->by_host, free_host, NULL);
	map_done(&t->by_host);
}

struct route *route_table_find(const struct route_table *t, const struct authority *target)
{
	char name[NAME_MAX_LEN];
	size_t len = target->text.len;
	size_t host_len = str_find_last(target->text, ':');
	struct route *route;

	if (len >= sizeof(name))
		return NULL;
	for (size_t i = 0; i < len; i++) {
		char c = target->text.at[i];

		name[i] = (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
	}
	route = map_get(&t->by_name, str_of(name, len));
	return route ? route : map_get(&t->by_name, str_of(name, host_len));
}

struct route *route_table_find_id(const struct route_table *t, struct str id)
{
	return map_get(&t->by_id, id);
}

const struct route_host *route_table_find_host(const struct route_table *t, struct str host)
{
	_cleanup_(mem_freep) char *lower = str_copy_lower(host);

	return map_get(&t->by_host, str_of(lower, host.len));
}

const struct config_target *route_next_target(struct route *route)
{
	unsigned turn = atomic_fetch_add_explicit(&route->state->next_target, 1,
						  memory_order_relaxed);
	unsigned left = turn % route->total_weight;

	for (size_t i = 0;; i++) {
		const struct config_target *target = &route->config->targets[i];
		unsigned weight = target->is_weighted ? target->weight : 1;

		if (left < weight)
			return target;
		left -= weight;
	}
}
