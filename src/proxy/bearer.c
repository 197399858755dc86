/*
 * The token is looked up in the cache under a digest of it and of every rule that it was held to, so that what one route takes
 * says nothing about another, nor about the same after its settings have changed. What is not known there is verified on the
 * control thread; the answer is a session that is in no store.
 */

#include "proxy/bearer.h"

#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "http/cookie.h"
#include "identity/oidc_token.h"
#include "identity/workload.h"
#include "proxy/ask.h"
#include "proxy/audit.h"
#include "proxy/bearer_cache.h"
#include "proxy/control.h"
#include "proxy/login_cookies.h"
#include "proxy/respond.h"
#include "proxy/worker.h"

#define RULES_TEXT_MAX (1u << 20)

/* What is asked about a token. */
struct question {
	enum idp_verb verb;
	const struct idp *idp;
	const struct config_issuer *issuer;  /* IDP_CHECK_WORKLOAD */
	const struct config_list *audiences; /* IDP_CHECK_ACCESS_TOKEN; NULL: any */
	uint8_t key[SHA256_SIZE];
	enum step (*found)(struct exchange *x, struct session *session, const char *problem);
};

static enum config_bearer format_of(const struct exchange *x)
{
	return x->route ? x->route->config->idp.bearer : x->snapshot->config->idp.bearer;
}

bool bearer_find(const struct exchange *x, struct str *ret_token)
{
	const struct str scheme = STR("Bearer ");
	struct str value;
	struct str token;

	if (format_of(x) == CONFIG_BEARER_DEFAULT ||
	    !http_headers_get(&x->request->headers, STR("authorization"), &value) ||
	    !str_starts_with_nocase(value, scheme))
		return false;
	token = str_trim(str_from_pos(value, scheme.len));
	if (str_is_empty(token) || str_starts_with(token, STR("Pomerium-")))
		return false;
	*ret_token = token;
	return true;
}

/* ---- which rules ---- */

/* Of those that the route takes; our own URLs take all. */
static const struct config_issuer *find_issuer(const struct exchange *x, struct str issuer)
{
	const struct config_idp_settings *all = &x->snapshot->config->idp;
	size_t count = x->route ? x->route->config->idp.issuer_count : all->issuer_count;

	for (size_t i = 0; i < count; i++) {
		const struct config_issuer *one = x->route ? x->route->config->idp.issuers[i]
							   : &all->issuers[i];

		if (str_equal(one->issuer, issuer))
			return one;
	}
	return NULL;
}

/* False: nobody whom this route trusts has issued it. */
static bool choose_question(struct exchange *x, struct str token, struct question *q)
{
	q->idp = x->route ? x->route->idp : x->snapshot->idps.global;
	switch (format_of(x)) {
	case CONFIG_BEARER_JWT:
		q->verb = IDP_CHECK_WORKLOAD;
		q->issuer = find_issuer(x, workload_peek_issuer(token, &x->arena));
		return q->issuer;
	case CONFIG_BEARER_IDENTITY_TOKEN:
		q->verb = IDP_CHECK_ID_TOKEN;
		return true;
	case CONFIG_BEARER_ACCESS_TOKEN:
		q->verb = IDP_CHECK_ACCESS_TOKEN;
		q->audiences = x->route ? x->route->config->idp.access_token_audiences
					: x->snapshot->config->idp.access_token_audiences;
		return true;
	case CONFIG_BEARER_DEFAULT:
		break;
	}
	return false;
}

/* With its length, so that no two lists of texts look alike. */
static void add_text(struct buf *out, struct str text)
{
	(void)buf_printf(out, "%zu:", text.len);
	(void)buf_append_str(out, text);
}

static void add_list(struct buf *out, const struct config_list *list)
{
	(void)buf_printf(out, "%zu;", list->count);
	for (size_t i = 0; i < list->count; i++)
		add_text(out, list->items[i]);
}

/* False if it is too much to remember. */
static bool make_key(struct question *q, struct str token)
{
	_cleanup_(buf_done_secret) struct buf text = BUF_INIT(RULES_TEXT_MAX);

	(void)buf_printf(&text, "%d;", (int)q->verb);
	if (q->issuer) {
		add_text(&text, q->issuer->name);
		add_text(&text, q->issuer->issuer);
		add_text(&text, q->issuer->jwks_url);
		add_list(&text, &q->issuer->algorithms);
		add_list(&text, &q->issuer->audiences);
	} else {
		add_text(&text, str_from(q->idp->id));
	}
	if (q->audiences)
		add_list(&text, q->audiences);
	add_text(&text, token);
	if (text.is_overflown)
		return false;
	digest_sha256(buf_view(&text), q->key);
	return true;
}

/* ---- refusals ---- */

static void log_problem(const struct exchange *x, const char *problem, const char *message)
{
	char ip[ADDR_TEXT_MAX];
	struct log_line line;

	addr_format_ip(&x->peer, ip);
	log_begin(x->worker->shared.log, &line, LOG_INFO, "authenticate");
	log_cstr(&line, "request-id", x->request_id);
	log_cstr(&line, "ip", ip);
	log_cstr(&line, "error", problem);
	log_end(&line, message);
}

static enum step refuse(struct exchange *x, const char *problem)
{
	log_problem(x, problem, "token refused");
	x->decision = (struct decision){
		.outcome = POLICY_DENY,
		.allow_reasons = policy_reason_bit(REASON_USER_UNAUTHENTICATED),
		.rule = "",
	};
	audit_authorize(x);
	return respond_refusal(x, REFUSAL_TOKEN);
}

static enum step give_up(struct exchange *x, const char *problem)
{
	log_problem(x, problem, "token cannot be verified");
	return respond_refusal(x, REFUSAL_ISSUER_AWAY);
}

/* ---- asking ---- */

/* What verification allows for other people's clocks counts here, too. */
static int64_t end_of(const struct question *q, const struct idp_call *call)
{
	if (call->expires_unix)
		return call->expires_unix + OIDC_LEEWAY_S;
	return call->now_unix + (q->verb == IDP_CHECK_ACCESS_TOKEN ? BEARER_KEEP_ACCESS_S : 0);
}

static enum step accept_token(struct exchange *x, const struct question *q,
			      const struct idp_call *call)
{
	int64_t end = end_of(q, call);
	int64_t keep_s = q->verb == IDP_CHECK_ACCESS_TOKEN ? BEARER_KEEP_ACCESS_S : BEARER_KEEP_S;
	struct session *session = session_new(&(struct session_facts){
		.kind = SESSION_WORKLOAD,
		.idp_id = q->issuer ? STR("") : str_from(q->idp->id),
		.who = call->who,
		.issued_unix = call->now_unix,
		.expires_unix = end,
		.valid_until_unix = end,
	});

	if (keep_s > end - call->now_unix)
		keep_s = end - call->now_unix;
	bearer_cache_put(x->worker->shared.control->bearers, q->key, session, keep_s);
	return q->found(x, session, NULL);
}

static enum step on_checked(struct ask *ask, struct exchange *x)
{
	struct idp_ask *i = container_of(ask, struct idp_ask, ask);
	const struct question *q = i->extra;

	switch (i->call.result) {
	case IDP_DONE:
		return accept_token(x, q, &i->call);
	case IDP_REFUSED:
		bearer_cache_put(x->worker->shared.control->bearers, q->key, NULL,
				 BEARER_KEEP_REFUSED_S);
		return refuse(x, i->call.error.text);
	case IDP_UNAVAILABLE:
		break;
	}
	return give_up(x, i->call.error.text);
}

static enum step ask_about(struct exchange *x, const struct question *q, struct str token)
{
	struct idp_ask *i = idp_ask_new(x, q->idp, q->verb, on_checked);
	struct question *kept = arena_alloc(&x->arena, sizeof(*kept));

	*kept = *q;
	i->extra = kept;
	i->call.token = arena_copy(&i->call.arena, token);
	i->call.issuer = q->issuer;
	i->call.audiences = q->audiences;
	return idp_ask_start(i, x);
}

/* A machine has no browser: whoever sends both has two opinions of who he is. */
static bool has_cookie_too(struct exchange *x)
{
	struct str cookie;

	return format_of(x) == CONFIG_BEARER_JWT &&
	       cookie_get(&x->request->headers, login_cookie_name(x, LOGIN_COOKIE_SESSION),
			  &cookie);
}

/* It goes into a header again. */
static bool is_well_formed(struct str token)
{
	return token.len <= OIDC_TOKEN_MAX && str_is_printable_ascii(token) &&
	       str_find(token, ' ') >= token.len;
}

enum step bearer_look_up(struct exchange *x, struct str token,
			 enum step (*found)(struct exchange *x, struct session *session,
					    const char *problem))
{
	struct question q = { .found = found };
	struct session *session;

	if (has_cookie_too(x))
		return respond_error(
			x, 400,
			STR("This request carries a session cookie and a token: send one."));
	if (!is_well_formed(token))
		return refuse(x, "what is shown is no token");
	if (!choose_question(x, token, &q))
		return refuse(x, "the issuer of the token is none of the identity_providers here");
	if (!make_key(&q, token))
		return refuse(x, "the settings of its issuer are too long");
	switch (bearer_cache_find(x->worker->shared.control->bearers, q.key, &session)) {
	case BEARER_GOOD:
		if (!session_is_expired(session, clock_now_unix()))
			return found(x, session, NULL);
		session_unref(session);
		break;
	case BEARER_BAD:
		return refuse(x, "the token was refused a moment ago");
	case BEARER_UNKNOWN:
		break;
	}
	return ask_about(x, &q, token);
}

/* ---- again, without the token ---- */

static bool has_audience(const struct config_issuer *issuer, const struct claim *audience)
{
	for (size_t i = 0; audience && i < audience->value_count; i++)
		for (size_t k = 0; k < issuer->audiences.count; k++)
			if (str_equal(audience->values[i], issuer->audiences.items[k]))
				return true;
	return false;
}

static bool issuer_is_accepted(const struct exchange *x, const struct identity *who)
{
	const struct config_issuer *issuer = find_issuer(x, claims_text(&who->claims, STR("iss")));

	/* The user's id begins with the name of the issuer: under another one it is another user. */
	return issuer && str_starts_with(who->user_id, issuer->name) &&
	       str_starts_with(str_from_pos(who->user_id, issuer->name.len), STR("/")) &&
	       has_audience(issuer, claims_find(&who->claims, STR("aud")));
}

bool bearer_is_accepted(const struct exchange *x, const struct session *session)
{
	const struct idp *idp = x->route ? x->route->idp : x->snapshot->idps.global;
	bool is_of_issuer = str_is_empty(session->idp_id);

	switch (format_of(x)) {
	case CONFIG_BEARER_JWT:
		return is_of_issuer && issuer_is_accepted(x, session->who);
	case CONFIG_BEARER_IDENTITY_TOKEN:
	case CONFIG_BEARER_ACCESS_TOKEN:
		return !is_of_issuer && str_equal(str_from(idp->id), session->idp_id);
	case CONFIG_BEARER_DEFAULT:
		break;
	}
	return false;
}
