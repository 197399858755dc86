#pragma once

/*
 * proxy_domains.h - which names go through the gateway, and how browsers are told (protocol.md 8.7)
 */

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#define PROXY_PAC_MAX 65536

/* The domain itself and what is below it, without regard to case; domains: NULL-terminated, a leading dot is ignored. */
bool proxy_domains_match(const char *const *domains, struct str host);

/* ERR_CONFIG unless all could be part of a name. */
int proxy_domains_check(const char *const *domains, struct err *e);

/*
 * A proxy auto-configuration file that sends those names to the address, and the others there as well or directly. HTTP first
 * for the others: a request for an http:// address is then one for the next proxy too, and not a connection to port 80.
 */
void proxy_domains_write_pac(const char *const *domains, struct str address, bool takes_others,
			     struct buf *out);
