#pragma once

/*
 * idp_work.h - one conversation with an identity provider, while it goes on
 *
 * Private to idp_service.c and the idp_*_work.c. Every step ends with the next request or with idp_work_end(); what comes
 * back is told to a function of the verb.
 *
 * Threads    That of the loop.
 */

#include <stdbool.h>

#include "base/arena.h"
#include "base/list.h"
#include "http/fetch.h"
#include "identity/oidc_request.h"
#include "identity/oidc_token.h"
#include "identity/workload.h"
#include "io/loop.h"
#include "proxy/document_cache.h"
#include "proxy/idp_service.h"
#include "proxy/keyring.h"

struct idp_work;

struct idp_service {
	struct loop *loop;
	struct fetcher *fetcher;
	struct keyring *keyring;
	struct document_cache *metadata;
	struct document_cache *issuers; /* of machines' tokens */
	struct list works;
	size_t work_count; /* a few more than IDP_CALLS_MAX, if those are over already */
};

/* What a step came to; why not is in the call's error. */
typedef void (*idp_work_next)(struct idp_work *w, enum idp_result result);

struct idp_reply {
	int status;
	struct str body; /* valid during the call */
};

/* A token that is verified by the keys of whoever issued it. */
struct idp_check {
	struct workload_issuer issuer;
	struct str jwks_url;
	struct identity who; /* views into the arena of the work */
};

/* The keys a token is verified by: those that are known, and once more those that are fetched anew. */
struct idp_keys {
	struct str url;
	enum jwt_verdict (*verify)(struct idp_work *w, struct jwks *keys);
	struct keyring_wait *wait;
	bool has_asked;
};

struct idp_work {
	struct list_node node;
	struct idp_service *service;
	struct idp_call *call;
	struct arena arena; /* texts of this conversation; wiped with it */
	struct timer deadline;
	struct later later; /* on_done runs in it */
	bool is_over;

	/* What is waited for: one of them at most. */
	struct fetch *fetch;
	struct document_wait *metadata_wait;
	struct idp_keys keys;

	struct oidc_metadata *metadata;
	/* reply is NULL if there is none. */
	void (*on_reply)(struct idp_work *w, const struct idp_reply *reply);

	idp_work_next next; /* of the step that is under way */
	struct oidc_id_token_rules rules;
	struct str id_token;
	struct str subject;
	struct str github_user;
	enum idp_result result_so_far;

	struct oidc_tokens tokens;
	struct claims read;   /* by the last step */
	struct claims claims; /* merged so far */
	int64_t id_expires_unix;
	struct idp_check *check;       /* IDP_CHECK_*, where it needs one; in the arena */
	struct session_secrets *fresh; /* IDP_RENEW: what the provider has given for the old ones */
};

/* The verbs begin here, with metadata. */
void idp_login_begin(struct idp_work *w);
void idp_renew_begin(struct idp_work *w);
void idp_revoke_begin(struct idp_work *w);
void idp_check_begin(struct idp_work *w);
void idp_id_token_begin(struct idp_work *w);

/* This one without. */
void idp_workload_begin(struct idp_work *w);

/* IDP_RENEW cannot go on: tokens that are fresh already are kept. True if there are any. */
bool idp_renew_rescue(struct idp_work *w);

/* Lets go of everything that is waited for; on_done runs later. */
void idp_work_end(struct idp_work *w, enum idp_result result);

/* A refusal of our own. */
void idp_work_refuse(struct idp_work *w, const char *why);

/* Sends a request of identity/oidc_request.h. */
void idp_work_ask(struct idp_work *w, const struct oidc_call *request,
		  void (*on_reply)(struct idp_work *w, const struct idp_reply *reply));

/* Runs verify with the keys at that URL; then next, with IDP_REFUSED unless the verdict is that it is genuine. */
void idp_work_with_keys(struct idp_work *w, struct str jwks_url,
			enum jwt_verdict (*verify)(struct idp_work *w, struct jwks *keys),
			idp_work_next next);

/* The first look at a reply: IDP_DONE if its status says success. */
enum idp_result idp_reply_check(struct idp_work *w, const struct idp_reply *reply);

/* The answer of the token endpoint, into w->tokens. */
enum idp_result idp_work_read_tokens(struct idp_work *w, const struct idp_reply *reply);

/* Verifies the id_token of w->tokens; next gets its claims in w->read. */
void idp_work_verify(struct idp_work *w, struct str nonce, struct str subject, idp_work_next next);

/* Asks userinfo, or what GitHub has instead; next gets the claims in w->read. */
void idp_work_userinfo(struct idp_work *w, struct str access_token, struct str subject,
		       idp_work_next next);

bool idp_work_is_github(const struct idp_work *w);

/* Lays what was read last over w->claims, without the NULL-terminated list of names. */
int idp_work_overlay(struct idp_work *w, const char *const *without);

/* Whom w->claims describe, into the call. */
int idp_work_set_who(struct idp_work *w);
