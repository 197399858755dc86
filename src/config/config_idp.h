#pragma once

/*
 * config_idp.h - who knows the users: idp_provider and what belongs to it (configuration.md 3.2, 9)
 *
 * Private to the module. Problems go to the loader's report and never contain a secret.
 */

#include "config/config.h"
#include "config/loader.h"
#include "config/options.h"

/* After authenticate_service_url was read. */
void idp_load(struct loader *l, const struct options *options, struct config *config);
