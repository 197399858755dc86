#pragma once

/*
 * route_table.h - from the name a CONNECT asks for to the route (protocol.md 1.6)
 *
 * Exact name first; then the bare host name for any port, unless match_any_incoming_port is off; then the names with '*', in
 * file order, of which those without a port are again for any port. So a wildcard never takes what has a name of its own.
 * Names compare without regard to ASCII case. Of two routes with one name the first wins.
 *
 * Names are found through an index, however many there are; those with '*' are gone through.
 *
 * The hosts are the names under which clients reach the gateway itself: those in front of the path of every "from", and
 * all that match one with '*'. A name in the path is only what a CONNECT asks for, and may be somebody else's in the DNS.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/map.h"
#include "base/url.h"
#include "config/config.h"
#include "config/report.h"
#include "policy/policy.h"
#include "proxy/route_state.h"

struct balancer;
struct client_ca;
struct idp;
struct idp_table;
struct route_wildcard;
struct tls_config;

struct route {
	const struct config_route *config; /* borrowed from the snapshot's configuration */
	struct policy *policy;
	const struct idp *idp; /* who knows its users; of the same snapshot */
	struct client_ca *
		client_ca; /* who issues its client certificates; of the same snapshot; NULL: nobody */
	char id[ROUTE_ID_LEN + 1]; /* stable: depends on from and to only */
	struct route_state
		*state; /* referenced; shared with the route of this id in other snapshots */
	struct balancer *balancer;
	struct tls_config
		*upstream_tls; /* referenced; for its https:// proxies; NULL: it has none */
};

/* A name under which clients reach the gateway. */
struct route_host {
	const struct idp *idp; /* the one common to all its routes; NULL: they differ */
	bool is_owned;         /* nobody else can have it in the DNS: see route_wildcard.h */
};

struct route_table {
	struct route *routes;
	size_t count;
	struct map by_name; /* "host:port" or "host", lower case */
	struct map by_host; /* struct route_host by host without port, lower case */
	struct map by_id;
	struct route_wildcard *wildcards; /* in file order */
	size_t wildcard_count;
	bool matches_any_port;
};

/*
 * Compiles everything: mistakes in policies go to the report, and a warning for what can never be reached. previous: the table in force, or NULL; routes of the same
 * id take over their state.
 */
void route_table_init(struct route_table *t, const struct config *config,
		      const struct idp_table *idps, const struct route_table *previous,
		      struct report *report);
void route_table_done(struct route_table *t);

/* target: a valid CONNECT target. NULL if no route has that name. */
struct route *route_table_find(const struct route_table *t, const struct authority *target);

/* NULL if there is none of that id. */
struct route *route_table_find_id(const struct route_table *t, struct str id);

/* False if the gateway is not reached under that host name. ret may be NULL. */
bool route_table_find_host(const struct route_table *t, struct str host, struct route_host *ret);
