/*
 * workload.c - a machine is known by its issuer and subject, so that no issuer can name another one's machine
 */

#include "identity/workload.h"

#include "identity/identity_claims.h"
#include "identity/json_input.h"
#include "identity/oidc_token.h"
#include "identity/token_check.h"
#include "jose/jws.h"

struct str workload_peek_issuer(struct str token, struct arena *arena)
{
	_cleanup_(buf_done_secret) struct buf text = BUF_INIT(JWS_MAX);

	if (jwt_peek(token, &text, NULL))
		return STR("");
	_cleanup_(json_decrefp) json_t *payload = json_input_object(buf_view(&text), JWS_MAX, NULL);
	return payload ? arena_copy(arena, json_input_text(payload, "iss")) : STR("");
}

static int check_payload(const struct workload_issuer *issuer, struct str text, int64_t now_unix,
			 int64_t *ret_expires, struct err *e)
{
	const struct token_rules rules = {
		.issuer = issuer->issuer,
		.audiences = issuer->audiences,
		.audience_count = issuer->audience_count,
		.now_unix = now_unix,
		.leeway_s = OIDC_LEEWAY_S,
	};
	_cleanup_(json_decrefp) json_t *payload = json_input_object(text, JWS_MAX, e);

	return payload ? token_check(payload, &rules, ret_expires, e) : -1;
}

static int make_identity(const struct workload_issuer *issuer, const struct claims *claims,
			 struct arena *arena, struct identity *ret, struct err *e)
{
	struct str subject = claims_text(claims, STR("sub"));
	struct identity who = {
		.user_id = arena_printf(arena, "%.*s/%.*s", STR_FMT(issuer->name),
					STR_FMT(subject)),
	};

	if (!subject.len || !user_id_is_valid(who.user_id))
		return err_set(e, ERR_PROTOCOL, "the subject of the token is no user id");
	if (identity_fill(claims, true, &who, e))
		return -1;
	*ret = who;
	return 0;
}

enum jwt_verdict workload_verify(const struct workload_rules *rules, struct str token,
				 struct arena *arena, struct identity *ret,
				 int64_t *ret_expires_unix, struct err *e)
{
	_cleanup_(buf_done_secret) struct buf text = BUF_INIT(JWS_MAX);
	const struct workload_issuer *issuer = rules->issuer;
	enum jwt_verdict verdict;
	struct claims claims;
	int64_t expires;

	verdict = jwt_verify(rules->keys, issuer->algorithms, token, &text, e);
	if (verdict != JWT_GENUINE)
		return verdict;
	if (check_payload(issuer, buf_view(&text), rules->now_unix, &expires, e) ||
	    claims_parse(buf_view(&text), arena, &claims, e) ||
	    make_identity(issuer, &claims, arena, ret, e))
		return JWT_REFUSED;
	*ret_expires_unix = expires;
	return JWT_GENUINE;
}
