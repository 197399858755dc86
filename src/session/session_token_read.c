/*
 * session_token_read.c - apart from session_token.c: jansson and base/json.h both have a
 * json_string()
 *
 * databroker_server_version may exceed what jansson takes for an integer, so numbers, of which
 * nothing is needed here, are decoded as reals.
 */

#include "session/session_token.h"

#include <jansson.h>

#include "jose/jws.h"

/* A claim that is not there reads as ""; one that is there must be a string. */
static int read_claim(const json_t *claims, const char *name, struct arena *arena, struct str *ret,
		      struct err *e)
{
	const json_t *claim = json_object_get(claims, name);

	*ret = STR("");
	if (!claim)
		return 0;
	if (!json_is_string(claim))
		return err_set(e, ERR_PROTOCOL, "session token: \"%s\" is not a string", name);
	*ret = arena_copy(arena, str_of(json_string_value(claim), json_string_length(claim)));
	return 0;
}

static int read_claims(const json_t *claims, struct arena *arena, struct session_token *ret,
		       struct err *e)
{
	struct session_token token = { 0 };
	struct str object_id;

	if (read_claim(claims, "jti", arena, &token.session_id, e) ||
	    read_claim(claims, "sub", arena, &token.user_id, e) ||
	    read_claim(claims, "oid", arena, &object_id, e) ||
	    read_claim(claims, "idp_id", arena, &token.idp_id, e))
		return -1;
	if (!token.session_id.len)
		return err_set(e, ERR_PROTOCOL, "session token: there is no \"jti\"");
	if (object_id.len)
		token.user_id = object_id;
	*ret = token;
	return 0;
}

int session_token_read(struct str shared_key, struct str text, struct arena *arena,
		       struct session_token *ret, struct err *e)
{
	_cleanup_(buf_done) struct buf payload = BUF_INIT(JWS_MAX);

	if (jws_verify_hs256(shared_key, text, &payload, e))
		return err_wrap(e, "session token");

	_cleanup_(json_decrefp)
		json_t *claims = json_loadb((const char *)payload.data, payload.len,
					    JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, NULL);
	if (!json_is_object(claims))
		return err_set(e, ERR_PROTOCOL, "session token: the payload is not a JSON object");
	return read_claims(claims, arena, ret, e);
}
