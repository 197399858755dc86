#pragma once

/*
 * snapshot.h - everything the workers need to know, made from one configuration
 *
 * Ownership  Immutable after creation, reference counted, shared by all threads. Every request keeps the one it began
 *            with.
 */

#include "base/err.h"
#include "base/ref.h"
#include "base/str.h"
#include "base/url.h"
#include "config/config.h"
#include "identity/local_users.h"
#include "jose/signing_key.h"
#include "proxy/idp.h"
#include "proxy/route_table.h"
#include "tls/tls_config.h"

struct snapshot {
	struct ref ref;
	struct config *config;
	struct tls_config *tls;
	struct local_users *users;
	struct route_table routes;
	struct str shared_key; /* views into config */
	struct str cookie_key;
	struct idp_table idps;
	struct signing_keys *signing_keys; /* of identity assertions */
	/* host[:port] of authenticate_service_url; empty: any host serves the login */
	struct str authenticate_authority;
};

/* Takes the config, whose secrets must be there; on failure it is freed. */
int snapshot_new(struct config *config, struct snapshot **ret, struct err *e);
struct snapshot *snapshot_ref(struct snapshot *s);
void snapshot_unref(struct snapshot *s); /* NULL is ignored */
