/*
 * idp_check_work.c - whose a token is that a program shows (protocol.md 2.3)
 *
 * Three kinds: an access token, of which the provider is asked; an id_token of the provider; and a token of some other issuer,
 * which only its keys are needed for. Where those are is what the configuration says, else what the issuer publishes.
 */

#include "proxy/idp_work.h"

#include "base/url.h"
#include "identity/workload_discovery.h"

static void refuse_without(struct idp_work *w, const char *what)
{
	(void)err_set(&w->call->error, ERR_PROTOCOL,
		      "the identity provider has no %s, so nobody can say whose the token is",
		      what);
	idp_work_end(w, IDP_REFUSED);
}

/* ---- by the keys of an issuer ---- */

static enum jwt_verdict verify_token(struct idp_work *w, struct jwks *keys)
{
	struct idp_check *check = w->check;
	const struct workload_rules rules = {
		.issuer = &check->issuer,
		.keys = keys,
		.now_unix = w->call->now_unix,
	};

	return workload_verify(&rules, w->call->token, &w->arena, &check->who,
			       &w->call->expires_unix, &w->call->error);
}

/* w->check is filled in; next finds the identity there. */
static void verify(struct idp_work *w, idp_work_next next)
{
	idp_work_with_keys(w, w->check->jwks_url, verify_token, next);
}

/* ---- tokens of machines ---- */

static void on_verified(struct idp_work *w, enum idp_result result)
{
	if (result == IDP_DONE)
		w->call->who = identity_new(&w->check->who);
	idp_work_end(w, result);
}

static void on_discovered(void *arg, const struct document_answer *answer)
{
	const struct workload_discovery *d = answer->document;
	struct idp_work *w = arg;

	w->metadata_wait = NULL;
	if (!d) {
		w->call->error = *answer->error;
		idp_work_end(w, IDP_UNAVAILABLE);
		return;
	}
	w->check->jwks_url = arena_copy(&w->arena, d->jwks_url);
	verify(w, on_verified);
}

static void discover(struct idp_work *w)
{
	struct str issuer = w->check->issuer.issuer;
	struct workload_discovery *known = document_cache_find(w->service->issuers, issuer);
	struct buf url = BUF_INIT(2 * URL_MAX);

	if (known) {
		w->check->jwks_url = arena_copy(&w->arena, known->jwks_url);
		workload_discovery_unref(known);
		verify(w, on_verified);
		return;
	}
	w->metadata_wait = document_cache_renew(w->service->issuers,
						&(struct document_source){
							.key = issuer,
							.url = workload_discovery_url(issuer, &url),
							.text = issuer,
						},
						on_discovered, w);
	buf_done(&url);
}

static uint32_t algorithms_of(const struct config_list *names)
{
	enum jws_algorithm algorithm;
	uint32_t set = 0;

	for (size_t i = 0; i < names->count; i++)
		if (jws_algorithm_parse(names->items[i], &algorithm))
			set |= 1u << algorithm;
	return set;
}

void idp_workload_begin(struct idp_work *w)
{
	const struct config_issuer *issuer = w->call->issuer;

	w->check = arena_alloc(&w->arena, sizeof(*w->check));
	*w->check = (struct idp_check){
		.issuer = {
			.name = issuer->name,
			.issuer = issuer->issuer,
			.algorithms = algorithms_of(&issuer->algorithms),
			.audiences = issuer->audiences.items,
			.audience_count = issuer->audiences.count,
		},
		.jwks_url = issuer->jwks_url,
	};
	if (str_is_empty(issuer->jwks_url))
		discover(w);
	else
		verify(w, on_verified);
}

/* ---- id_tokens of the provider ---- */

static void on_id_token(struct idp_work *w, enum idp_result result)
{
	w->claims = w->read;
	if (result == IDP_DONE && idp_work_set_who(w) < 0)
		result = IDP_REFUSED;
	if (result == IDP_DONE)
		w->call->expires_unix = oidc_id_token_expiry(&w->read);
	idp_work_end(w, result);
}

void idp_id_token_begin(struct idp_work *w)
{
	if (str_is_empty(w->metadata->jwks_uri)) {
		refuse_without(w, "keys");
		return;
	}
	w->tokens.id_token = w->call->token;
	idp_work_verify(w, STR(""), STR(""), on_id_token);
}

/* ---- access tokens ---- */

static void on_userinfo(struct idp_work *w, enum idp_result result)
{
	w->claims = w->read;
	if (result == IDP_DONE && idp_work_set_who(w) < 0)
		result = IDP_REFUSED;
	idp_work_end(w, result);
}

static void on_audience(struct idp_work *w, enum idp_result result)
{
	if (result == IDP_DONE)
		idp_work_userinfo(w, w->call->token, STR(""), on_userinfo);
	else
		idp_work_end(w, result);
}

/* Whom it is for says only the token itself, which then has to be one that can be read. */
static void check_audience(struct idp_work *w)
{
	const struct config_list *audiences = w->call->audiences;

	if (str_is_empty(w->metadata->jwks_uri)) {
		refuse_without(w, "keys");
		return;
	}
	w->check = arena_alloc(&w->arena, sizeof(*w->check));
	*w->check = (struct idp_check){
		.issuer = {
			.name = STR("idp"),
			.issuer = w->metadata->issuer,
			.algorithms = w->metadata->id_token_algorithms,
			.audiences = audiences->items,
			.audience_count = audiences->count,
		},
		.jwks_url = w->metadata->jwks_uri,
	};
	verify(w, on_audience);
}

void idp_check_begin(struct idp_work *w)
{
	if (str_is_empty(w->metadata->userinfo_endpoint))
		refuse_without(w, "userinfo endpoint");
	else if (w->call->audiences)
		check_audience(w);
	else
		idp_work_userinfo(w, w->call->token, STR(""), on_userinfo);
}
