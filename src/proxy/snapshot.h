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
#include "config/report.h"
#include "identity/local_users.h"
#include "jose/signing_key.h"
#include "proxy/client_certificate.h"
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
	struct client_cas client_cas;
	struct signing_keys *signing_keys; /* of identity assertions */
	/* host[:port] of authenticate_service_url; empty: any host serves the login */
	struct str authenticate_authority;
};

/*
 * Takes the config, whose secrets must be there. Mistakes that only show when a part is made (policies, key pairs,
 * CAs) go to the report, all of them; if there is an error, also one that was there before, the result is NULL and the
 * config is freed. previous: the snapshot in force, or NULL.
 */
struct snapshot *snapshot_new(struct config *config, const struct snapshot *previous,
			      struct report *report);
struct snapshot *snapshot_ref(struct snapshot *s);
void snapshot_unref(struct snapshot *s); /* NULL is ignored */
