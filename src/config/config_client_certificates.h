#pragma once

/*
 * config_client_certificates.h - downstream_mtls (configuration.md 3.6)
 *
 * Private to the module. Problems go to the loader's report.
 */

#include "config/config.h"
#include "config/loader.h"
#include "config/options.h"

void client_certificates_load(struct loader *l, const struct options *options,
			      struct config *config);
