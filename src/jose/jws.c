/*
 * jws.c - what cjose is lenient about is refused before it sees a token
 *
 * The three segments must be canonical base64url (or one token would have many spellings), the
 * header must be JSON without duplicate keys that names HS256 (or the sender would choose how the
 * shared key is used) and must not list extensions ("crit", RFC 7515 section 4.1.11). The
 * signature itself is left to cjose.
 */

#include "jose/jws.h"

#include <cjose/cjose.h>
#include <jansson.h>

#include "base/codec.h"
#include "base/mem.h"
#include "jose/jws_parts.h"
#include "jose/mac.h"

#define HEADER_MAX 1024

DEFINE_CLEANUP(cjose_jws_t, cjose_jws_release)
DEFINE_CLEANUP(cjose_header_t, cjose_header_release)

/* cjose keeps a copy of the key and frees it as it is. */
static void free_key(cjose_jwk_t *jwk)
{
	cjose_err ignored;

	if (!jwk)
		return;
	mem_wipe(cjose_jwk_get_keydata(jwk, &ignored), cjose_jwk_get_keysize(jwk, &ignored) / 8);
	cjose_jwk_release(jwk);
}

DEFINE_CLEANUP(cjose_jwk_t, free_key)

static cjose_jwk_t *import_key(struct str key, struct err *e)
{
	cjose_err why = { 0 };
	cjose_jwk_t *jwk;

	if (!key.len) {
		(void)err_set(e, ERR_CRYPTO, "the key for the token is empty");
		return NULL;
	}
	jwk = cjose_jwk_create_oct_spec((const uint8_t *)key.at, key.len, &why);
	if (!jwk)
		(void)err_set(e, ERR_CRYPTO, "cannot use the key for the token: %s", why.message);
	return jwk;
}

int jws_sign_hs256(struct str key, struct str payload, struct buf *out, struct err *e)
{
	cjose_err why = { 0 };
	const char *text = NULL;

	if (!payload.len)
		return err_set(e, ERR_PROTOCOL, "the payload of the token is empty");

	_cleanup_(free_keyp) cjose_jwk_t *jwk = import_key(key, e);
	if (!jwk)
		return -1;
	_cleanup_(cjose_header_releasep) cjose_header_t *header = cjose_header_new(&why);
	if (!header || !cjose_header_set(header, CJOSE_HDR_ALG, CJOSE_HDR_ALG_HS256, &why) ||
	    !cjose_header_set(header, "typ", "JWT", &why))
		return err_set(e, ERR_CRYPTO, "cannot sign the token: %s", why.message);
	_cleanup_(cjose_jws_releasep) cjose_jws_t *jws = cjose_jws_sign(
		jwk, header, (const uint8_t *)payload.at, payload.len, &why);
	if (!jws || !cjose_jws_export(jws, &text, &why))
		return err_set(e, ERR_CRYPTO, "cannot sign the token: %s", why.message);
	if (strlen(text) > JWS_MAX || buf_append_str(out, str_from(text)))
		return err_set(e, ERR_LIMIT, "the token is too long");
	return 0;
}

static int check_header(struct str encoded, struct err *e)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT(HEADER_MAX);
	const json_t *algorithm;

	if (base64_decode(&text, BASE64_URL, encoded))
		return err_set(e, ERR_PROTOCOL, "the header of the token is not base64url");
	_cleanup_(json_decrefp)
		json_t *header = json_loadb((const char *)text.data, text.len,
					    JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, NULL);
	if (!json_is_object(header))
		return err_set(e, ERR_PROTOCOL, "the header of the token is not a JSON object");
	algorithm = json_object_get(header, "alg");
	if (!json_is_string(algorithm) || strcmp(json_string_value(algorithm), "HS256") != 0)
		return err_set(e, ERR_CRYPTO, "the token is not signed with HS256");
	if (json_object_get(header, "crit"))
		return err_set(e, ERR_PROTOCOL, "the token demands an extension");
	return 0;
}

static int check_signature(struct str key, struct str token, struct err *e)
{
	cjose_err why = { 0 };

	_cleanup_(free_keyp) cjose_jwk_t *jwk = import_key(key, e);
	if (!jwk)
		return -1;
	_cleanup_(cjose_jws_releasep)
		cjose_jws_t *jws = cjose_jws_import(token.at, token.len, &why);
	if (!jws)
		return err_set(e, ERR_PROTOCOL, "the token is malformed: %s", why.message);
	if (!cjose_jws_verify(jws, jwk, &why))
		return err_set(e, ERR_CRYPTO, "the signature of the token is wrong");
	return 0;
}

int jws_verify_hs256(struct str key, struct str token, struct buf *ret_payload, struct err *e)
{
	_cleanup_(buf_done) struct buf signature = BUF_INIT(HMAC_SHA256_SIZE);
	_cleanup_(buf_done_secret) struct buf payload = BUF_INIT(JWS_MAX);
	struct jws_parts parts;

	if (jws_split(token, &parts, e) || check_header(parts.header, e))
		return -1;
	if (base64_decode(&payload, BASE64_URL, parts.payload))
		return err_set(e, ERR_PROTOCOL, "the payload of the token is not base64url");
	if (base64_decode(&signature, BASE64_URL, parts.signature) ||
	    signature.len != HMAC_SHA256_SIZE)
		return err_set(e, ERR_PROTOCOL, "the signature of the token is malformed");
	if (check_signature(key, token, e))
		return -1;
	if (buf_append_str(ret_payload, buf_view(&payload)))
		return err_set(e, ERR_LIMIT, "the payload of the token is too long");
	return 0;
}
