#pragma once

/*
 * metrics_tls.h - how the metrics listener speaks TLS (configuration.md 3.11)
 */

#include "base/err.h"
#include "config/config.h"

struct tls_config;

/* NULL if there is no certificate for it. */
int metrics_tls_new(const struct config_metrics *config, struct tls_config **ret, struct err *e);
