#pragma once

/*
 * config_issuers.h - tokens of programs: identity_providers, and what a route takes of them (configuration.md 3.2, 7.1)
 *
 * Private to the module. Problems go to the loader's report and never contain a secret.
 */

#include "config/config.h"
#include "config/loader.h"
#include "config/options.h"

/* identity_providers, bearer_token_format and the audiences of access tokens; after idp_provider was read. */
void issuers_load(struct loader *l, const struct options *options, struct config *config);

/* What a route has of its own, or else the global values; after those. path and at are the route's. */
void route_read_idp(struct loader *l, const struct value_path *path,
		    const struct route_options *options, struct config *config,
		    struct config_route_idp *ret);
