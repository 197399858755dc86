/*
 * session_token.c - written key by key, since every byte counts
 */

#include "session/session_token.h"

#include <assert.h>

#include "base/json.h"
#include "jose/jws.h"

static void write_payload(const struct session_token *token, struct buf *out)
{
	struct json_writer w = { .out = out, .escape_html = true };

	json_object_begin(&w);
	json_key(&w, STR("aud"));
	json_array_begin(&w);
	for (size_t i = 0; i < token->audience_count; i++)
		json_text(&w, token->audience[i]);
	json_array_end(&w);
	json_key(&w, STR("databroker_record_version"));
	json_uint(&w, token->record_version);
	json_key(&w, STR("databroker_server_version"));
	json_uint(&w, token->server_version);
	json_key(&w, STR("iat"));
	json_int(&w, token->issued_unix);
	json_key(&w, STR("idp_id"));
	json_text(&w, token->idp_id);
	json_key(&w, STR("iss"));
	json_text(&w, token->issuer);
	json_key(&w, STR("jti"));
	json_text(&w, token->session_id);
	json_key(&w, STR("sub"));
	json_text(&w, token->user_id);
	json_object_end(&w);
}

int session_token_issue(struct str shared_key, const struct session_token *token, struct buf *out,
			struct err *e)
{
	_cleanup_(buf_done) struct buf payload = BUF_INIT(JWS_MAX);

	assert(token->audience_count <= SESSION_TOKEN_AUDIENCES_MAX);
	write_payload(token, &payload);
	if (payload.is_overflown)
		return err_set(e, ERR_LIMIT, "the session token is too long");
	if (jws_sign_hs256(shared_key, buf_view(&payload), out, e))
		return err_wrap(e, "session token");
	return 0;
}

static void write_account_payload(const struct service_account_token *token, struct buf *out)
{
	struct json_writer w = { .out = out, .escape_html = true };

	json_object_begin(&w);
	if (token->expires_unix) {
		json_key(&w, STR("exp"));
		json_int(&w, token->expires_unix);
	}
	json_key(&w, STR("iat"));
	json_int(&w, token->issued_unix);
	json_key(&w, STR("jti"));
	json_text(&w, token->account_id);
	json_key(&w, STR("nbf"));
	json_int(&w, token->issued_unix);
	json_key(&w, STR("sub"));
	json_text(&w, token->user_id);
	json_object_end(&w);
}

int service_account_token_issue(struct str shared_key, const struct service_account_token *token,
				struct buf *out, struct err *e)
{
	_cleanup_(buf_done) struct buf payload = BUF_INIT(JWS_MAX);

	write_account_payload(token, &payload);
	if (payload.is_overflown)
		return err_set(e, ERR_LIMIT, "the token of the service account is too long");
	if (jws_sign_hs256(shared_key, buf_view(&payload), out, e))
		return err_wrap(e, "token of a service account");
	return 0;
}
