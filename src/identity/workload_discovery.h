#pragma once

/*
 * workload_discovery.h - where an issuer of machines' tokens publishes its keys
 *
 * Such issuers log nobody in: of a discovery document only "issuer" and "jwks_uri" count, and the rest may be missing.
 *
 * Ownership  Immutable, reference counted, shared by all threads.
 */

#include "base/buf.h"
#include "base/err.h"
#include "base/ref.h"
#include "base/str.h"

struct workload_discovery {
	struct ref ref;
	struct str jwks_url;
};

/* <issuer>/.well-known/openid-configuration. Appends to the buf. */
struct str workload_discovery_url(struct str issuer, struct buf *out);

/* The issuer must be that one to the letter; its keys are at https, or at http where the issuer is. */
int workload_discovery_parse(struct str issuer, struct str text, struct workload_discovery **ret,
			     struct err *e);
struct workload_discovery *workload_discovery_ref(struct workload_discovery *d);
void workload_discovery_unref(struct workload_discovery *d); /* NULL is ignored */
