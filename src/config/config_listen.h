#pragma once

/*
 * config_listen.h - listeners, limits, times and logs (configuration.md 3.1, 3.7 to 3.12)
 *
 * Private to the module. Problems go to the loader's report.
 */

#include "config/config.h"
#include "config/loader.h"
#include "config/options.h"

void listen_load(struct loader *l, const struct options *options, struct config *config);
void limits_load(struct loader *l, const struct options *options, struct config *config);
void timeouts_load(struct loader *l, const struct options *options, struct config *config);
void logs_load(struct loader *l, const struct options *options, struct config *config);
