/*
 * Two tokens may be looked at, one after the other: the credential of the request, and on the login host the cookie of the
 * login itself. Each is verified, then its record is taken from the index or, where that does not have it, asked of the store: a
 * session first, then a service account of that id (protocol.md 2.2).
 */

#include "proxy/authenticate.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/mem.h"
#include "http/cookie.h"
#include "proxy/ask.h"
#include "proxy/bearer.h"
#include "proxy/idp.h"
#include "proxy/login_cookies.h"
#include "proxy/sign_in_url.h"
#include "proxy/worker.h"
#include "session/session_token.h"
#include "session/store.h"

/* The token behind a prefix that is compared with regard to case. */
static bool take_prefixed(struct str value, struct str prefix, struct str *ret_token)
{
	if (!str_starts_with(value, prefix))
		return false;
	*ret_token = str_from_pos(value, prefix.len);
	return true;
}

static bool find_in_headers(const struct http_headers *headers, struct str *ret_token)
{
	struct str value;

	if (http_headers_get(headers, STR("x-pomerium-authorization"), ret_token))
		return true;
	return http_headers_get(headers, STR("authorization"), &value) &&
	       (take_prefixed(value, STR("Pomerium "), ret_token) ||
		take_prefixed(value, STR("Bearer Pomerium-"), ret_token));
}

/* A query that cannot be parsed is no credential. */
static bool find_in_query(struct exchange *x, struct str *ret_token)
{
	struct query query;

	if (str_is_empty(x->request->query) ||
	    query_parse(x->request->query, &x->arena, &query, NULL) < 0)
		return false;
	return query_get(&query, STR("pomerium_session"), ret_token);
}

/* The first source that has something counts, even if it turns out to be no good (protocol.md 2.1). */
static enum credential find_credential(struct exchange *x, struct str *ret_token)
{
	if (cookie_get(&x->request->headers, login_cookie_name(x, LOGIN_COOKIE_SESSION), ret_token))
		return CREDENTIAL_COOKIE;
	if (find_in_headers(&x->request->headers, ret_token))
		return CREDENTIAL_HEADER;
	if (find_in_query(x, ret_token))
		return CREDENTIAL_QUERY;
	return CREDENTIAL_NONE;
}

bool request_shows_token(struct exchange *x)
{
	struct str token;

	return find_in_headers(&x->request->headers, &token) || find_in_query(x, &token);
}

/* Of a login with a password of ours; NULL: it is another kind of session, or there is no such user any more. */
static const struct local_user *local_user_of(const struct exchange *x,
					      const struct session *session)
{
	const struct idp *idp = idp_table_find(&x->snapshot->idps, session->idp_id);

	if (session->kind != SESSION_LOGIN || !idp || !idp->client.provider ||
	    idp->client.provider->kind != PROVIDER_LOCAL)
		return NULL;
	return local_users_find(x->snapshot->users, session->who->email);
}

/* Editing the list of users is a revocation (extensions.md 2). */
static bool user_is_unchanged(const struct exchange *x, const struct session *session)
{
	const struct local_user *user = local_user_of(x, session);
	uint8_t tag[sizeof(session->credential_tag)];

	if (!user || user->is_disabled || !str_equal(user->id, session->who->user_id))
		return false;
	local_user_credential_tag(user, tag);
	return mem_equal_secret(tag, session->credential_tag, sizeof(tag));
}

static bool is_described_by(const struct identity *who, const struct local_user *user)
{
	if (!str_equal(who->email, user->email) || !str_equal(who->name, user->name) ||
	    who->group_count != user->group_count)
		return false;
	for (size_t i = 0; i < user->group_count; i++)
		if (!str_equal(who->groups[i], user->groups[i]))
			return false;
	return true;
}

struct session *session_update(const struct exchange *x, struct session *session)
{
	const struct local_user *user = local_user_of(x, session);
	struct session *updated;

	if (!user || is_described_by(session->who, user))
		return session;
	struct identity *who = local_user_identity(user);

	updated = session_with(session, who);
	identity_unref(who);
	session_unref(session);
	return updated;
}

/* Whether the provider that made the session is the one that this request needs (protocol.md 2.2, rule 5). */
static bool provider_fits(const struct exchange *x, const struct session *session)
{
	const struct idp *idp;

	switch (session->kind) {
	case SESSION_SERVICE_ACCOUNT:
		return true;
	case SESSION_WORKLOAD:
		return bearer_is_accepted(x, session);
	case SESSION_LOGIN:
		break;
	}
	idp = idp_table_find(&x->snapshot->idps, session->idp_id);
	if (!idp || (x->route && x->route->idp != idp))
		return false;
	return !idp->client.provider || idp->client.provider->kind != PROVIDER_LOCAL ||
	       user_is_unchanged(x, session);
}

const char *session_problem(const struct exchange *x, const struct session *session)
{
	if (session_is_expired(session, clock_now_unix()))
		return PROBLEM_EXPIRED;
	return provider_fits(x, session) ? NULL : PROBLEM_UNKNOWN;
}

static bool token_is_for_provider(const struct exchange *x, const struct session_token *token)
{
	if (str_is_empty(token->idp_id))
		return true;
	if (x->route)
		return str_equal(token->idp_id, str_from(x->route->idp->id));
	return idp_table_find(&x->snapshot->idps, token->idp_id);
}

/* ---- looking up ---- */

/* One of the tokens that are looked at. found takes the reference to the session, which is NULL if there is a problem. */
struct lookup {
	enum step (*found)(struct exchange *x, struct session *session, const char *problem);
};

static enum step judge(struct exchange *x, struct session *session, const struct lookup *lookup)
{
	const char *problem = session_problem(x, session);

	if (!problem)
		return lookup->found(x, session_update(x, session), NULL);
	session_unref(session);
	return lookup->found(x, NULL, problem);
}

static enum step ask_for(struct exchange *x, enum record_kind kind, struct str id,
			 const struct lookup *lookup);

/* What on_looked_up() wants to know. */
struct question {
	const struct lookup *lookup;
	enum record_kind kind;
};

static enum step on_looked_up(struct ask *ask, struct exchange *x)
{
	struct store_ask *s = container_of(ask, struct store_ask, ask);
	const struct question *question = s->extra;
	const struct lookup *lookup = question->lookup;

	switch (s->call.result) {
	case STORE_DONE:
		return judge(x, session_ref(s->call.item.session), lookup);
	case STORE_ABSENT:
		if (question->kind == RECORD_SESSION)
			return ask_for(x, RECORD_SERVICE_ACCOUNT, str_from(s->call.key), lookup);
		return lookup->found(x, NULL, PROBLEM_UNKNOWN);
	case STORE_CONFLICT:
	case STORE_FULL:
	case STORE_UNAVAILABLE:
		break;
	}
	return lookup->found(x, NULL, PROBLEM_UNAVAILABLE);
}

static enum step ask_for(struct exchange *x, enum record_kind kind, struct str id,
			 const struct lookup *lookup)
{
	struct store_ask *s = store_ask_new(on_looked_up);
	struct question *question = arena_alloc(&x->arena, sizeof(*question));

	*question = (struct question){ .lookup = lookup, .kind = kind };
	s->extra = question;
	s->call.verb = STORE_GET;
	s->call.kind = kind;
	(void)snprintf(s->call.key, sizeof(s->call.key), "%.*s", STR_FMT(id)); /* fits */
	return store_ask_start(s, x);
}

static enum step look_up(struct exchange *x, struct str text, const struct lookup *lookup)
{
	struct session_token token;
	struct session *session;

	if (session_token_read(x->snapshot->shared_key, text, &x->arena, &token, NULL) < 0 ||
	    token.session_id.len > STORE_KEY_MAX || !token_is_for_provider(x, &token))
		return lookup->found(x, NULL, PROBLEM_UNKNOWN);
	session = store_find(x->worker->shared.store, token.session_id);
	if (session)
		return judge(x, session, lookup);
	return ask_for(x, RECORD_SESSION, token.session_id, lookup);
}

/* ---- the stage ---- */

static enum step found_login_session(struct exchange *x, struct session *session,
				     const char *problem)
{
	x->login_session = session;
	if (problem && str_equal(str_from(problem), STR(PROBLEM_UNAVAILABLE)))
		x->credential_problem = problem;
	return STEP_NEXT;
}

static const struct lookup login_cookie_lookup = { .found = found_login_session };

static enum step look_at_login_cookie(struct exchange *x)
{
	struct str token;

	if (!x->endpoint || !is_on_authenticate_host(x) ||
	    !cookie_get(&x->request->headers, login_cookie_name(x, LOGIN_COOKIE_AUTHENTICATE),
			&token))
		return STEP_NEXT;
	return look_up(x, token, &login_cookie_lookup);
}

static enum step found_credential(struct exchange *x, struct session *session, const char *problem)
{
	x->session = session;
	x->credential_problem = problem;
	return look_at_login_cookie(x);
}

static const struct lookup credential_lookup = { .found = found_credential };

enum step stage_authenticate(struct exchange *x)
{
	struct str token = { 0 };

	if (bearer_find(x, &token)) {
		x->credential = CREDENTIAL_HEADER;
		return bearer_look_up(x, token, found_credential);
	}
	x->credential = find_credential(x, &token);
	if (x->credential == CREDENTIAL_NONE)
		return look_at_login_cookie(x);
	return look_up(x, token, &credential_lookup);
}
