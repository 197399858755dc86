#pragma once

/*
 * config_users.h - where the login is and who the local users are (extensions.md 1, 2)
 *
 * Private to the module. Problems go to the loader's report.
 */

#include "config/config.h"
#include "config/loader.h"
#include "config/options.h"

void authenticate_url_load(struct loader *l, const struct options *options, struct config *config);

/* local_users and local_users_file; after idp_provider was read. */
void local_users_load(struct loader *l, const struct options *options, struct config *config);

void redirect_whitelist_load(struct loader *l, const struct options *options,
			     struct config *config);
