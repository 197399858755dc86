#pragma once

/*
 * idp.h - the identity providers of a configuration: the global one, and those of routes with a client of their own
 *
 * Ownership  Part of a snapshot, immutable with it.
 */

#include <stddef.h>

#include "base/arena.h"
#include "base/map.h"
#include "config/config.h"
#include "identity/oidc_client.h"

#define IDP_ID_LEN 64

struct idp {
	char id[IDP_ID_LEN +
		1]; /* opaque to clients; the same for the same settings, here and after a restart */
	struct oidc_client client; /* client.provider is NULL if none is configured */
};

struct idp_table {
	struct arena arena;
	struct idp *global;
	struct map by_id; /* all of them */
};

/* Borrows from the configuration. */
void idp_table_init(struct idp_table *t, const struct config *config);
void idp_table_done(struct idp_table *t);

/* NULL if no provider has that id. */
const struct idp *idp_table_find(const struct idp_table *t, struct str id);

/* The one with the client of that route, which may be the global one. */
const struct idp *idp_of_route(const struct idp_table *t, const struct config_route *route);
