/*
 * oidc_token.c - an id_token is believed after its signature, its claims and its nonce, in this order
 */

#include "identity/oidc_token.h"

#include <stdlib.h>

#include "base/mem.h"
#include "identity/json_input.h"
#include "identity/oidc_issuer.h"
#include "identity/token_check.h"

#define TENANT_MAX      128
#define EXPIRY_TEXT_MAX 32
#define EXPIRY_MAX      1e15

/* Goes into an issuer, so it must be no more than a name. */
static bool is_tenant(struct str tenant)
{
	if (!tenant.len || tenant.len > TENANT_MAX)
		return false;
	for (size_t i = 0; i < tenant.len; i++) {
		char c = tenant.at[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		      c == '-'))
			return false;
	}
	return true;
}

/* Where one document serves all tenants, the token's own tenant is put in its place. */
static int expected_issuer(const struct oidc_metadata *metadata, const json_t *payload,
			   struct arena *arena, struct str *ret, struct err *e)
{
	struct str issuer = metadata->issuer;
	size_t at = 0;

	while (at < issuer.len &&
	       !str_starts_with(str_from_pos(issuer, at), STR(OIDC_TENANT_PLACE)))
		at++;
	if (at == issuer.len) {
		*ret = issuer;
		return 0;
	}
	struct str tenant = json_input_text(payload, "tid");
	if (!is_tenant(tenant))
		return err_set(e, ERR_PROTOCOL, "the token names no tenant");
	*ret = arena_printf(arena, "%.*s%.*s%.*s", STR_FMT(str_first(issuer, at)), STR_FMT(tenant),
			    STR_FMT(str_from_pos(issuer, at + STR(OIDC_TENANT_PLACE).len)));
	return 0;
}

/* A token for several audiences says which of them asked for it. */
static int check_authorized_party(const json_t *payload, struct str client_id, struct err *e)
{
	const json_t *party = json_object_get(payload, "azp");

	if (!party && json_array_size(json_object_get(payload, "aud")) < 2)
		return 0;
	if (!party)
		return err_set(e, ERR_PROTOCOL,
			       "the token has several audiences, but no authorized party");
	if (!json_is_string(party) || !str_equal(json_input_view(party), client_id))
		return err_set(e, ERR_PROTOCOL, "the token was issued to another client");
	return 0;
}

static int check_nonce(const json_t *payload, struct str nonce, struct err *e)
{
	struct str theirs = json_input_text(payload, "nonce");

	if (!nonce.len)
		return 0;
	if (theirs.len != nonce.len || !mem_equal_secret(theirs.at, nonce.at, nonce.len))
		return err_set(e, ERR_PROTOCOL, "the token belongs to another login (nonce)");
	return 0;
}

static int check_payload(const struct oidc_id_token_rules *rules, const json_t *payload,
			 struct arena *arena, struct err *e)
{
	const struct oidc_client *client = rules->client;
	struct token_rules check = {
		.audiences = &client->client_id,
		.audience_count = 1,
		.now_unix = rules->now_unix,
		.leeway_s = OIDC_LEEWAY_S,
		.needs_iat = true,
	};
	int64_t ignored;

	if (expected_issuer(rules->metadata, payload, arena, &check.issuer, e) ||
	    token_check(payload, &check, &ignored, e) ||
	    check_authorized_party(payload, client->client_id, e) ||
	    check_nonce(payload, rules->nonce, e))
		return -1;
	if (rules->subject.len && !str_equal(json_input_text(payload, "sub"), rules->subject))
		return err_set(e, ERR_PROTOCOL, "the token is of another user");
	return 0;
}

enum jwt_verdict oidc_id_token_verify(const struct oidc_id_token_rules *rules, struct str id_token,
				      struct arena *arena, struct claims *ret, struct err *e)
{
	_cleanup_(buf_done_secret) struct buf text = BUF_INIT(OIDC_TOKEN_MAX);
	enum jwt_verdict verdict;

	verdict = jwt_verify(rules->keys, rules->metadata->id_token_algorithms, id_token, &text, e);
	if (verdict != JWT_GENUINE)
		return verdict;

	_cleanup_(json_decrefp)
		json_t *payload = json_input_object(buf_view(&text), OIDC_TOKEN_MAX, e);
	if (!payload || check_payload(rules, payload, arena, e) ||
	    claims_parse(buf_view(&text), arena, ret, e))
		return JWT_REFUSED;
	return JWT_GENUINE;
}

int64_t oidc_id_token_expiry(const struct claims *claims)
{
	struct str text = claims_text(claims, STR("exp"));
	char copy[EXPIRY_TEXT_MAX];
	double seconds;
	char *end;

	if (!text.len || text.len >= sizeof(copy))
		return 0;
	memcpy(copy, text.at, text.len);
	copy[text.len] = '\0';
	seconds = strtod(copy, &end);
	return *end == '\0' && seconds > 0 && seconds < EXPIRY_MAX ? (int64_t)seconds : 0;
}
