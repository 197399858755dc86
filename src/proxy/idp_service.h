#pragma once

/*
 * idp_service.h - conversations with identity providers, on the control thread
 *
 * One operation is one struct idp_call, which goes through as many requests as it takes: discovery, token endpoint, keys,
 * userinfo. Slow or dead providers cost those who wait for them IDP_CALL_TIMEOUT_MS in all, and nobody else anything.
 *
 * Ownership  A call belongs to the service from idp_service_start() until on_done has run.
 * Threads    idp_service_metadata(): any. Everything else: that of the loop.
 * Limits     IDP_CALLS_MAX in progress: one more is IDP_UNAVAILABLE.
 */

#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "identity/identity.h"
#include "identity/oidc_client.h"
#include "proxy/idp.h"
#include "session/session_secrets.h"

#define IDP_CALLS_MAX       512
#define IDP_CALL_TIMEOUT_MS 12000
#define IDP_METADATA_AGE_S  3600

struct fetcher;
struct idp_service;
struct keyring;
struct loop;
struct snapshot;

enum idp_verb {
	IDP_LEARN, /* discovery only: afterwards idp_service_metadata() has it */
	IDP_LOGIN, /* code, redirect_uri, nonce, code_verifier: gives who and secrets */
	IDP_RENEW, /* old_who, secrets: refreshes and reads userinfo as far as they are due; gives who and secrets */
	IDP_REVOKE, /* secrets: tells the provider to forget the tokens, if it has a way to */
	IDP_CHECK_ACCESS_TOKEN, /* token, audiences: asks userinfo whose it is; gives who */
	IDP_CHECK_ID_TOKEN,     /* token: verifies one that somebody else had issued; gives who */
	IDP_CHECK_WORKLOAD,     /* token, issuer: verifies one of that issuer; gives who */
};

enum idp_result {
	IDP_DONE,
	IDP_REFUSED, /* for good: a code, grant or token that the provider does not take, an answer that is a lie */
	IDP_UNAVAILABLE, /* for now: no answer, an error of the provider's own, or we are shutting down */
};

struct idp_call {
	enum idp_verb verb;
	struct snapshot *snapshot; /* referenced; released with the call */
	const struct idp *idp;     /* of that snapshot */
	struct arena arena;        /* holds the texts below; wiped with the call */
	struct str code;
	struct str redirect_uri;
	struct str nonce;
	struct str code_verifier;
	struct str token;
	const struct config_issuer *issuer;  /* of that snapshot */
	const struct config_list *audiences; /* likewise; NULL: whomever the token is for */
	struct identity *old_who;            /* referenced */
	struct session_secrets *secrets;     /* owned; replaced by the new ones */
	int64_t now_unix;
	void (*on_done)(struct idp_call *call);

	enum idp_result result;
	struct err error;     /* a sentence; no secret in it */
	struct identity *who; /* referenced */
	int64_t expires_unix; /* of the token that was checked; 0: unknown */

	struct idp_work *work; /* the service's */
};

struct idp_service *idp_service_new(struct loop *loop, struct fetcher *fetcher,
				    struct keyring *keyring);

/* What is in progress ends with IDP_UNAVAILABLE first. NULL is ignored. */
void idp_service_free(struct idp_service *s);

/* A reference to what is known of the provider, or NULL: IDP_LEARN. */
struct oidc_metadata *idp_service_metadata(struct idp_service *s, const struct idp *idp);

/* on_done runs once, later. */
void idp_service_start(struct idp_service *s, struct idp_call *call);

/*
 * After a temporary failure of IDP_RENEW. Where new tokens were had before something failed, IDP_DONE has them, counted
 * already.
 */
void idp_count_failure(struct session_secrets *secrets, int64_t now_unix);

/* Releases what a call holds, not the struct. */
void idp_call_done(struct idp_call *call);
