#pragma once

/*
 * routes.h - the lists policy and routes, checked
 *
 * Private to the module. Problems go to the loader's report.
 */

#include "config/config.h"
#include "config/loader.h"
#include "config/options.h"

/* Both lists in their order, into the configuration. */
void routes_load(struct loader *l, const struct options *options, struct config *config);

/* The kind of route a "from" asks for. */
enum route_kind {
	ROUTE_TCP,
	ROUTE_UDP,
	ROUTE_LATER, /* a kind that exists but that this release does not have */
	ROUTE_INVALID,
};

enum route_kind route_kind_of(struct str from);

/* The names a CONNECT may ask for (protocol.md 1.6.1), or a wildcard. -1: reported. */
int route_read_from(struct loader *l, const struct value_path *path, const struct text_value *from,
		    struct arena *arena, struct config_route *route);

/* The upstreams (configuration.md 6); route->is_udp is known. -1: reported. */
int route_read_to(struct loader *l, const struct value_path *path, const struct list_value *to,
		  struct arena *arena, struct config_route *route);

/* The rest; path is the route's. What is wrong has been reported, and the count of errors tells. */
void route_read_access(struct loader *l, const struct value_path *path,
		       const struct route_access_options *o, struct arena *arena,
		       struct config_access *ret);
void route_read_upstream(struct loader *l, const struct value_path *up,
			 const struct route_options *options, const struct options *global,
			 struct config *config, struct config_upstream *ret);
void route_read_checks(struct loader *l, const struct value_path *up,
		       const struct records_value *records, struct arena *arena,
		       struct config_upstream *ret);

/* global has what is set for all routes. */
void route_read_lifetime(struct loader *l, const struct value_path *up,
			 const struct route_options *options, const struct config_lifetime *global,
			 struct config_lifetime *ret);
