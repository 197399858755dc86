/*
 * idp_work.c - the steps that several verbs have in common
 *
 * What a provider says is told apart in three: success; a refusal, which is final; and everything else, be it a page of some
 * proxy in between, which says nothing and is asked again another time.
 */

#include "proxy/idp_work.h"

#include <assert.h>

/* ---- requests ---- */

static void on_fetched(void *arg, const struct fetch_response *response, const struct err *e)
{
	struct idp_work *w = arg;
	struct idp_reply reply = { 0 };

	w->fetch = NULL;
	if (!response) {
		w->call->error = *e;
		w->on_reply(w, NULL);
		return;
	}
	reply.status = response->status;
	reply.body = response->body;
	w->on_reply(w, &reply);
}

void idp_work_ask(struct idp_work *w, const struct oidc_call *request,
		  void (*on_reply)(struct idp_work *w, const struct idp_reply *reply))
{
	struct http_header headers[3];
	size_t count = 0;
	bool is_post = !str_is_empty(request->body);

	assert(!w->fetch && !w->is_over);
	headers[count++] = (struct http_header){ STR("accept"), STR("application/json") };
	if (is_post)
		headers[count++] = (struct http_header){ STR("content-type"),
							 STR("application/x-www-form-urlencoded") };
	if (!str_is_empty(request->authorization))
		headers[count++] = (struct http_header){ STR("authorization"),
							 request->authorization };
	w->on_reply = on_reply;
	w->fetch = fetch_start(w->service->fetcher,
			       &(struct fetch_request){
				       .method = is_post ? STR("POST") : STR("GET"),
				       .url = request->url,
				       .headers = headers,
				       .header_count = count,
				       .body = request->body,
				       .timeout_ms = IDP_CALL_TIMEOUT_MS,
				       .body_max = OIDC_RESPONSE_MAX,
			       },
			       on_fetched, w);
}

enum idp_result idp_reply_check(struct idp_work *w, const struct idp_reply *reply)
{
	if (!reply)
		return IDP_UNAVAILABLE;
	if (reply->status >= 200 && reply->status <= 299)
		return IDP_DONE;
	return oidc_error_is_definitive(reply->status, reply->body, &w->call->error)
		       ? IDP_REFUSED
		       : IDP_UNAVAILABLE;
}

/* ---- tokens ---- */

enum idp_result idp_work_read_tokens(struct idp_work *w, const struct idp_reply *reply)
{
	enum idp_result result = idp_reply_check(w, reply);
	struct err ignored = { 0 };

	if (result != IDP_DONE)
		return result;
	if (oidc_tokens_parse(reply->body, w->call->now_unix, &w->arena, &w->tokens,
			      &w->call->error) == 0)
		return IDP_DONE;
	/* GitHub refuses with status 200. */
	return oidc_error_is_definitive(reply->status, reply->body, &ignored) ? IDP_REFUSED
									      : IDP_UNAVAILABLE;
}

/* ---- keys ---- */

static void try_keys(struct idp_work *w, struct jwks *keys);

static void on_keys(void *arg, struct jwks *keys, const struct err *e)
{
	struct idp_work *w = arg;

	w->keys.wait = NULL;
	if (!keys) {
		w->call->error = *e;
		w->next(w, IDP_UNAVAILABLE);
		return;
	}
	try_keys(w, keys);
}

static void ask_for_keys(struct idp_work *w)
{
	w->keys.has_asked = true;
	w->keys.wait = keyring_renew(w->service->keyring, w->keys.url, on_keys, w);
}

/* A key that is not there may be a new one: then, once, the keys are fetched again. */
static void try_keys(struct idp_work *w, struct jwks *keys)
{
	enum jwt_verdict verdict = w->keys.verify(w, keys);

	if (verdict == JWT_KEY_UNKNOWN && !w->keys.has_asked)
		ask_for_keys(w);
	else
		w->next(w, verdict == JWT_GENUINE ? IDP_DONE : IDP_REFUSED);
}

void idp_work_with_keys(struct idp_work *w, struct str jwks_url,
			enum jwt_verdict (*verify)(struct idp_work *w, struct jwks *keys),
			idp_work_next next)
{
	struct jwks *keys = keyring_find(w->service->keyring, jwks_url);

	w->next = next;
	w->keys.url = jwks_url;
	w->keys.verify = verify;
	if (!keys) {
		ask_for_keys(w);
		return;
	}
	try_keys(w, keys);
	jwks_unref(keys);
}

/* ---- the id_token ---- */

static enum jwt_verdict verify_id_token(struct idp_work *w, struct jwks *keys)
{
	enum jwt_verdict verdict;

	w->rules.keys = keys;
	verdict = oidc_id_token_verify(&w->rules, w->id_token, &w->arena, &w->read,
				       &w->call->error);
	w->rules.keys = NULL;
	if (verdict != JWT_GENUINE)
		(void)err_wrap(&w->call->error, "the id_token of the identity provider");
	return verdict;
}

void idp_work_verify(struct idp_work *w, struct str nonce, struct str subject, idp_work_next next)
{
	w->id_token = w->tokens.id_token;
	w->rules = (struct oidc_id_token_rules){
		.client = &w->call->idp->client,
		.metadata = w->metadata,
		.nonce = nonce,
		.subject = subject,
		.now_unix = w->call->now_unix,
	};
	idp_work_with_keys(w, w->metadata->jwks_uri, verify_id_token, next);
}

/* ---- userinfo ---- */

bool idp_work_is_github(const struct idp_work *w)
{
	return w->call->idp->client.provider->kind == PROVIDER_GITHUB;
}

/* Whether it is an answer at all, though perhaps a wrong one, and not a page that stands in for it. */
static bool is_json(struct str body)
{
	struct str text = str_trim(body);

	return !str_is_empty(text) && (text.at[0] == '{' || text.at[0] == '[');
}

static void end_userinfo(struct idp_work *w, int rc, struct str body)
{
	if (rc == 0)
		w->next(w, IDP_DONE);
	else
		w->next(w, is_json(body) ? IDP_REFUSED : IDP_UNAVAILABLE);
}

static void on_github_emails(struct idp_work *w, const struct idp_reply *reply)
{
	enum idp_result result = idp_reply_check(w, reply);
	int rc;

	if (result != IDP_DONE) {
		w->next(w, result);
		return;
	}
	rc = github_claims_parse(w->github_user, reply->body, &w->arena, &w->read, &w->call->error);
	if (rc == 0 && !str_is_empty(w->subject) &&
	    !str_equal(claims_text(&w->read, STR("sub")), w->subject))
		rc = err_set(&w->call->error, ERR_PROTOCOL,
			     "the answer of GitHub to /user: it is about another user");
	end_userinfo(w, rc, is_json(w->github_user) ? reply->body : w->github_user);
}

static void on_userinfo(struct idp_work *w, const struct idp_reply *reply)
{
	enum idp_result result = idp_reply_check(w, reply);
	struct oidc_call request;

	if (result != IDP_DONE) {
		(void)err_wrap(&w->call->error, "userinfo");
		w->next(w, result);
		return;
	}
	if (idp_work_is_github(w)) {
		w->github_user = arena_copy(&w->arena, reply->body);
		github_emails_call(w->metadata, w->tokens.access_token, &w->arena, &request);
		idp_work_ask(w, &request, on_github_emails);
		return;
	}
	end_userinfo(
		w,
		oidc_userinfo_parse(reply->body, w->subject, &w->arena, &w->read, &w->call->error),
		reply->body);
}

void idp_work_userinfo(struct idp_work *w, struct str access_token, struct str subject,
		       idp_work_next next)
{
	struct oidc_call request;

	w->next = next;
	w->subject = subject;
	w->tokens.access_token = access_token;
	oidc_userinfo_call(w->metadata, access_token, &w->arena, &request);
	idp_work_ask(w, &request, on_userinfo);
}

/* ---- who it is ---- */

int idp_work_overlay(struct idp_work *w, const char *const *without)
{
	struct claims over = w->read;
	struct claims merged;

	if (without)
		claims_without(&w->read, without, &w->arena, &over);
	if (claims_overlay(&w->claims, &over, &w->arena, &merged, &w->call->error) < 0)
		return -1;
	w->claims = merged;
	return 0;
}

int idp_work_set_who(struct idp_work *w)
{
	struct identity who = { 0 };

	if (oidc_identity(&w->claims, &w->arena, &who, &w->call->error) < 0)
		return -1;
	identity_unref(TAKE(w->call->who));
	w->call->who = identity_new(&who);
	return 0;
}
