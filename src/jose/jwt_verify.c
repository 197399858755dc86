/*
 * jwt_verify.c - the header chooses among the keys that are there, never how one of them is used
 *
 * A segment must be canonical base64url, or one token would have many spellings. Whether a key is unknown decides
 * whether the caller asks the issuer again, so anybody can have that answer by naming a "kid"; it is the caller who
 * bounds how often.
 */

#include "jose/jwks.h"

#include "base/codec.h"
#include "jose/json_strict.h"
#include "jose/jws.h"
#include "jose/jws_parts.h"
#include "jose/jws_signature.h"
#include "jose/jwks_private.h"

#define HEADER_DEPTH_MAX 8

struct token {
	enum jws_algorithm algorithm;
	bool has_kid;
	struct str kid;
	struct str text; /* what is signed */
	struct str signature;
};

static int read_algorithm(const json_t *header, uint32_t algorithms, enum jws_algorithm *ret,
			  struct err *e)
{
	const json_t *name = json_object_get(header, "alg");

	if (!json_is_string(name))
		return err_set(e, ERR_PROTOCOL, "the token names no algorithm");
	if (!jws_algorithm_parse(str_of(json_string_value(name), json_string_length(name)), ret))
		return err_set(e, ERR_CRYPTO, "the token is signed with an unknown algorithm");
	if (!(algorithms & 1u << *ret))
		return err_set(e, ERR_CRYPTO, "the token is signed with %s, which is not allowed",
			       jws_algorithm_name(*ret));
	return 0;
}

/* The views in *ret live as long as the header. */
static int read_header(const json_t *header, uint32_t algorithms, struct token *ret, struct err *e)
{
	const json_t *kid = json_object_get(header, "kid");

	if (read_algorithm(header, algorithms, &ret->algorithm, e))
		return -1;
	if (json_object_get(header, "crit") || json_object_get(header, "b64"))
		return err_set(e, ERR_PROTOCOL, "the token demands an extension");
	if (kid && !json_is_string(kid))
		return err_set(e, ERR_PROTOCOL, "the \"kid\" of the token is not a string");
	ret->has_kid = kid != NULL;
	ret->kid = str_of(json_string_value(kid), json_string_length(kid));
	return 0;
}

static enum jwt_verdict find_signer(const struct jwks *keys, const struct token *token,
				    struct err *e)
{
	bool is_known = false;

	for (size_t i = 0; i < keys->count; i++) {
		const struct jwk *jwk = &keys->keys[i];
		bool fits = jwk->algorithms & 1u << token->algorithm;

		if (token->has_kid && !(jwk->has_kid && str_equal(jwk->kid, token->kid)))
			continue;
		is_known |= fits || token->has_kid;
		if (fits && jws_signature_is_right(token->algorithm, jwk->key, token->text,
						   token->signature))
			return JWT_GENUINE;
	}
	if (is_known) {
		(void)err_set(e, ERR_CRYPTO, "the signature of the token is wrong");
		return JWT_REFUSED;
	}
	(void)err_set(e, ERR_CRYPTO, "the key that signed the token is unknown");
	return JWT_KEY_UNKNOWN;
}

static int decode(struct str segment, const char *what, struct buf *out, struct err *e)
{
	if (base64_decode(out, BASE64_URL, segment))
		return err_set(e, ERR_PROTOCOL, "the %s of the token is not base64url", what);
	return 0;
}

static enum jwt_verdict verify_parts(const struct jwks *keys, uint32_t algorithms,
				     const struct jws_parts *parts, struct err *e)
{
	_cleanup_(buf_done) struct buf header_text = BUF_INIT(JWS_MAX);
	_cleanup_(buf_done) struct buf signature = BUF_INIT(JWS_MAX);
	struct token token = { 0 };

	if (decode(parts->header, "header", &header_text, e) ||
	    decode(parts->signature, "signature", &signature, e))
		return JWT_REFUSED;
	_cleanup_(json_decrefp)
		json_t *header = json_strict_read(buf_view(&header_text), HEADER_DEPTH_MAX, e);
	if (!header) {
		(void)err_wrap(e, "the header of the token");
		return JWT_REFUSED;
	}
	if (read_header(header, algorithms, &token, e))
		return JWT_REFUSED;
	token.signature = buf_view(&signature);
	token.text = str_of(parts->header.at,
			    (size_t)(parts->payload.at + parts->payload.len - parts->header.at));
	return find_signer(keys, &token, e);
}

static int take_payload(struct str payload, struct buf *ret_payload, struct err *e)
{
	if (buf_append_str(ret_payload, payload))
		return err_set(e, ERR_LIMIT, "the payload of the token is too long");
	return 0;
}

enum jwt_verdict jwt_verify(const struct jwks *keys, uint32_t algorithms, struct str token,
			    struct buf *ret_payload, struct err *e)
{
	_cleanup_(buf_done_secret) struct buf payload = BUF_INIT(JWS_MAX);
	enum jwt_verdict verdict;
	struct jws_parts parts;

	if (jws_split(token, &parts, e) || decode(parts.payload, "payload", &payload, e))
		return JWT_REFUSED;
	verdict = verify_parts(keys, algorithms, &parts, e);
	if (verdict == JWT_GENUINE && take_payload(buf_view(&payload), ret_payload, e))
		return JWT_REFUSED;
	return verdict;
}

int jwt_peek(struct str token, struct buf *ret_payload, struct err *e)
{
	_cleanup_(buf_done_secret) struct buf payload = BUF_INIT(JWS_MAX);
	struct jws_parts parts;

	if (jws_split(token, &parts, e) || decode(parts.payload, "payload", &payload, e))
		return -1;
	return take_payload(buf_view(&payload), ret_payload, e);
}
