#include "proxy/authenticate.h"

#include "base/clock.h"
#include "base/mem.h"
#include "http/cookie.h"
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
	if (cookie_get(&x->request->headers, STR(COOKIE_SESSION), ret_token))
		return CREDENTIAL_COOKIE;
	if (find_in_headers(&x->request->headers, ret_token))
		return CREDENTIAL_HEADER;
	if (find_in_query(x, ret_token))
		return CREDENTIAL_QUERY;
	return CREDENTIAL_NONE;
}

/* Editing the list of users is a revocation (extensions.md 2). */
static bool user_is_unchanged(const struct exchange *x, const struct session *session)
{
	const struct local_user *user = local_users_find(x->snapshot->users, session->who->email);
	uint8_t tag[sizeof(session->credential_tag)];

	if (!user || user->is_disabled || !str_equal(user->id, session->who->user_id))
		return false;
	local_user_credential_tag(user, tag);
	return mem_equal_secret(tag, session->credential_tag, sizeof(tag));
}

struct session *authenticate_token(struct exchange *x, struct str text, const char **ret_problem)
{
	struct session_token token;
	struct session *session;

	*ret_problem = "session-unknown";
	if (session_token_read(x->snapshot->shared_key, text, &x->arena, &token, NULL) < 0)
		return NULL;
	if (!str_is_empty(token.idp_id) && !str_equal(token.idp_id, str_from(x->snapshot->idp_id)))
		return NULL;
	session = store_get_session(x->worker->shared.store, token.session_id);
	if (!session)
		return NULL;
	if (session_is_expired(session, clock_now_unix())) {
		*ret_problem = "session-expired";
	} else if (user_is_unchanged(x, session)) {
		*ret_problem = NULL;
		return session;
	}
	session_unref(session);
	return NULL;
}

bool request_shows_token(struct exchange *x)
{
	struct str token;

	return find_in_headers(&x->request->headers, &token) || find_in_query(x, &token);
}

enum step stage_authenticate(struct exchange *x)
{
	struct str token = { 0 };

	x->credential = find_credential(x, &token);
	if (x->credential != CREDENTIAL_NONE)
		x->session = authenticate_token(x, token, &x->credential_problem);
	return STEP_NEXT;
}
