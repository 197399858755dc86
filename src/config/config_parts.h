#pragma once

/*
 * config_parts.h - cookies, the session store, the assertion, the operator's entrances (configuration.md 3.3, 3.4, extensions.md 1, 7)
 *
 * Private to the module. Problems go to the loader's report.
 */

#include "config/config.h"
#include "config/loader.h"
#include "config/options.h"

void cookies_load(struct loader *l, const struct options *options, struct config *config);
void storage_load(struct loader *l, const struct options *options, struct config *config);
void assertion_load(struct loader *l, const struct options *options, struct config *config);
void metrics_load(struct loader *l, const struct options *options, struct config *config);
void operator_load(struct loader *l, const struct options *options, struct config *config);
