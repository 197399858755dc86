/*
 * signing_key.c - keys and everything about them that goes into tokens and documents, written once
 *
 * Private keys come as DER (RFC 5915, 8017, 5958), the derived one from a template in which only the number is missing:
 * OpenSSL adds the public half. PEM is taken apart here, strictly, for OpenSSL's reader skips what it does not know and
 * asks the terminal for a passphrase.
 */

#include "jose/signing_key.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include "base/arena.h"
#include "base/codec.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/ref.h"
#include "jose/jws.h"
#include "jose/jws_signature.h"
#include "jose/mac.h"
#include "jose/pem_keys.h"

#define DERIVED_OKM_SIZE 40
#define P256_SIZE        32
#define JWK_MAX          4096 /* of an RSA key of JWS_RSA_BITS_MAX: about 1,500 */

DEFINE_CLEANUP(BIGNUM, BN_clear_free)
DEFINE_CLEANUP(BN_CTX, BN_CTX_free)

struct signing_key {
	EVP_PKEY *key;
	enum jws_algorithm algorithm;
	struct str header; /* encoded */
	struct str jwk;
};

struct signing_keys {
	struct ref ref;
	struct arena arena;
	size_t count;
	struct signing_key keys[SIGNING_KEYS_MAX];
};

DEFINE_CLEANUP(struct signing_keys, signing_keys_unref)

static struct signing_keys *new_keys(void)
{
	struct signing_keys *keys = mem_alloc(sizeof(*keys));

	keys->ref = REF_INIT;
	return keys;
}

/* ---- the public half ---- */

/* base64url, with zeros in front where size says so. */
static struct str number_text(const EVP_PKEY *key, const char *name, int size, struct arena *arena)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT(JWK_MAX);
	_cleanup_(BN_clear_freep) BIGNUM *number = NULL;
	uint8_t bytes[JWS_RSA_BITS_MAX / 8];

	if (EVP_PKEY_get_bn_param(key, name, &number) != 1)
		return STR("");
	if (!size)
		size = BN_num_bytes(number);
	if (size > (int)sizeof(bytes) || BN_bn2binpad(number, bytes, size) != size ||
	    base64_encode(&text, BASE64_URL, bytes, (size_t)size))
		return STR("");
	return arena_copy(arena, buf_view(&text));
}

struct public_half {
	struct str x; /* of an EC key */
	struct str y;
	struct str n; /* of an RSA key */
	struct str e;
};

static void write_member(struct json_writer *w, const char *name, struct str value)
{
	json_key(w, str_from(name));
	json_text(w, value);
}

/* RFC 7638 section 3.2: the required members, in lexical order. */
static struct str thumbprint(const struct public_half *half, struct arena *arena)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT(JWK_MAX);
	_cleanup_(buf_done) struct buf hex = BUF_INIT(2 * SHA256_SIZE);
	struct json_writer w = { .out = &text };
	uint8_t digest[SHA256_SIZE];

	json_object_begin(&w);
	if (half->x.len) {
		write_member(&w, "crv", STR("P-256"));
		write_member(&w, "kty", STR("EC"));
		write_member(&w, "x", half->x);
		write_member(&w, "y", half->y);
	} else {
		write_member(&w, "e", half->e);
		write_member(&w, "kty", STR("RSA"));
		write_member(&w, "n", half->n);
	}
	json_object_end(&w);
	digest_sha256(buf_view(&text), digest);
	(void)hex_encode(&hex, digest, sizeof(digest)); /* that is its maximum */
	return arena_copy(arena, buf_view(&hex));
}

static struct str jwk_text(const struct public_half *half, struct str kid, const char *algorithm,
			   struct arena *arena)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT(JWK_MAX);
	struct json_writer w = { .out = &text };

	json_object_begin(&w);
	write_member(&w, "use", STR("sig"));
	write_member(&w, "kty", half->x.len ? STR("EC") : STR("RSA"));
	write_member(&w, "kid", kid);
	if (half->x.len)
		write_member(&w, "crv", STR("P-256"));
	write_member(&w, "alg", str_from(algorithm));
	write_member(&w, half->x.len ? "x" : "n", half->x.len ? half->x : half->n);
	write_member(&w, half->x.len ? "y" : "e", half->x.len ? half->y : half->e);
	json_object_end(&w);
	return arena_copy(arena, buf_view(&text));
}

static struct str header_text(struct str kid, const char *algorithm, struct arena *arena)
{
	_cleanup_(buf_done) struct buf plain = BUF_INIT(JWK_MAX);
	_cleanup_(buf_done) struct buf text = BUF_INIT(JWK_MAX);
	struct json_writer w = { .out = &plain };

	json_object_begin(&w);
	write_member(&w, "alg", str_from(algorithm));
	write_member(&w, "kid", kid);
	write_member(&w, "typ", STR("JWT"));
	json_object_end(&w);
	(void)base64_encode(&text, BASE64_URL, plain.data, plain.len); /* far below its maximum */
	return arena_copy(arena, buf_view(&text));
}

static bool choose_algorithm(const EVP_PKEY *key, enum jws_algorithm *ret)
{
	uint32_t set = jws_algorithms_of(key);

	*ret = set & 1u << JWS_ES256 ? JWS_ES256 : JWS_RS256;
	return set & 1u << *ret;
}

/* A file may hold a public half that is not that of its private one. */
static bool verifies_itself(const struct signing_key *k)
{
	_cleanup_(buf_done) struct buf signature = BUF_INIT(JWS_SIGNATURE_MAX);

	return jws_signature_make(k->algorithm, k->key, k->header, &signature, NULL) == 0 &&
	       jws_signature_is_right(k->algorithm, k->key, k->header, buf_view(&signature));
}

static int add_key(struct signing_keys *keys, EVP_PKEY *key, struct err *e)
{
	struct signing_key *k = &keys->keys[keys->count];
	struct public_half half = { 0 };
	const char *name;
	struct str kid;

	if (!choose_algorithm(key, &k->algorithm))
		return err_set(e, ERR_CONFIG, "neither EC P-256 nor RSA of %d to %d bits",
			       JWS_RSA_BITS_MIN, JWS_RSA_BITS_MAX);
	if (k->algorithm == JWS_ES256) {
		half.x = number_text(key, OSSL_PKEY_PARAM_EC_PUB_X, P256_SIZE, &keys->arena);
		half.y = number_text(key, OSSL_PKEY_PARAM_EC_PUB_Y, P256_SIZE, &keys->arena);
	} else {
		half.n = number_text(key, OSSL_PKEY_PARAM_RSA_N, 0, &keys->arena);
		half.e = number_text(key, OSSL_PKEY_PARAM_RSA_E, 0, &keys->arena);
	}
	name = jws_algorithm_name(k->algorithm);
	kid = thumbprint(&half, &keys->arena);
	k->header = header_text(kid, name, &keys->arena);
	k->jwk = jwk_text(&half, kid, name, &keys->arena);
	k->key = key;
	if (!verifies_itself(k)) {
		k->key = NULL;
		return err_set(e, ERR_CONFIG, "its two halves do not belong together");
	}
	(void)EVP_PKEY_up_ref(key); /* cannot fail: it only counts */
	keys->count++;
	return 0;
}

/* ---- derived ---- */

/* d = okm mod (n - 1) + 1, n being the order of P-256. */
static bool reduce(const uint8_t okm[DERIVED_OKM_SIZE], uint8_t out[P256_SIZE])
{
	_cleanup_(BN_CTX_freep) BN_CTX *scratch = BN_CTX_secure_new();
	_cleanup_(BN_clear_freep) BIGNUM *number = BN_secure_new();
	_cleanup_(BN_clear_freep) BIGNUM *order = NULL;

	if (!scratch || !number || !BN_bin2bn(okm, DERIVED_OKM_SIZE, number) ||
	    !BN_hex2bn(&order, "FFFFFFFF00000000FFFFFFFFFFFFFFFF"
			       "BCE6FAADA7179E84F3B9CAC2FC632551"))
		return false;
	BN_set_flags(number, BN_FLG_CONSTTIME);
	return BN_sub_word(order, 1) && BN_mod(number, number, order, scratch) &&
	       BN_add_word(number, 1) && BN_bn2binpad(number, out, P256_SIZE) == P256_SIZE;
}

static EVP_PKEY *derive(struct str shared_key)
{
	/* ECPrivateKey { 1, d, [0] prime256v1 } */
	uint8_t der[7 + P256_SIZE + 12] = { 0x30, 0x31, 0x02, 0x01, 0x01, 0x04, P256_SIZE };
	static const uint8_t curve[] = { 0xa0, 0x0a, 0x06, 0x08, 0x2a, 0x86,
					 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07 };
	uint8_t okm[DERIVED_OKM_SIZE];
	EVP_PKEY *key = NULL;

	memcpy(der + 7 + P256_SIZE, curve, sizeof(curve));
	hkdf_sha256(shared_key, STR("derived-jwt-signing-key"), okm, sizeof(okm));
	if (reduce(okm, der + 7))
		key = pem_key_from_der(str_of(der, sizeof(der)));
	mem_wipe(okm, sizeof(okm));
	mem_wipe(der, sizeof(der));
	return key;
}

int signing_keys_derive(struct str shared_key, struct signing_keys **ret, struct err *e)
{
	_cleanup_(signing_keys_unrefp) struct signing_keys *keys = new_keys();
	EVP_PKEY *key = derive(shared_key);
	int result;

	if (!key)
		return err_set(e, ERR_CRYPTO, "signing key: cannot be derived");
	result = add_key(keys, key, e);
	EVP_PKEY_free(key);
	if (result)
		return err_wrap(e, "signing key");
	*ret = TAKE(keys);
	return 0;
}

/* ---- given ---- */

int signing_keys_parse(struct str pem, struct signing_keys **ret, struct err *e)
{
	_cleanup_(signing_keys_unrefp) struct signing_keys *keys = new_keys();
	struct str rest = pem;

	for (;;) {
		EVP_PKEY *key = NULL;
		int result;

		if (pem_keys_next(&rest, &key, e))
			return err_wrap(e, "signing key %zu", keys->count + 1);
		if (!key)
			break;
		result = keys->count < SIGNING_KEYS_MAX
				 ? add_key(keys, key, e)
				 : err_set(e, ERR_LIMIT, "more than %d keys", SIGNING_KEYS_MAX);
		EVP_PKEY_free(key);
		if (result)
			return err_wrap(e, "signing key %zu", keys->count + 1);
	}
	if (!keys->count)
		return err_set(e, ERR_CONFIG, "signing key: there is no private key in PEM form");
	*ret = TAKE(keys);
	return 0;
}

struct signing_keys *signing_keys_ref(struct signing_keys *keys)
{
	ref_get(&keys->ref);
	return keys;
}

void signing_keys_unref(struct signing_keys *keys)
{
	if (!keys || !ref_put(&keys->ref))
		return;
	for (size_t i = 0; i < keys->count; i++)
		EVP_PKEY_free(keys->keys[i].key);
	arena_done(&keys->arena);
	mem_free(keys);
}

/* ---- using them ---- */

static int write_token(const struct signing_key *k, struct str payload, struct buf *token,
		       struct err *e)
{
	_cleanup_(buf_done) struct buf signature = BUF_INIT(JWS_SIGNATURE_MAX);

	/* The token's buf remembers a failure. */
	(void)buf_append_str(token, k->header);
	(void)buf_append_char(token, '.');
	(void)base64_encode(token, BASE64_URL, payload.at, payload.len);
	if (token->is_overflown)
		return err_set(e, ERR_LIMIT, "the token is too long");
	if (jws_signature_make(k->algorithm, k->key, buf_view(token), &signature, e))
		return -1;
	(void)buf_append_char(token, '.');
	(void)base64_encode(token, BASE64_URL, signature.data, signature.len);
	return token->is_overflown ? err_set(e, ERR_LIMIT, "the token is too long") : 0;
}

int signing_keys_sign(const struct signing_keys *keys, struct str payload, struct buf *out,
		      struct err *e)
{
	_cleanup_(buf_done_secret) struct buf token = BUF_INIT(JWS_MAX);

	if (!payload.len)
		return err_set(e, ERR_PROTOCOL, "the payload of the token is empty");
	if (write_token(&keys->keys[0], payload, &token, e))
		return -1;
	if (buf_append_str(out, buf_view(&token)))
		return err_set(e, ERR_LIMIT, "the token is too long");
	return 0;
}

void signing_keys_write_jwks(const struct signing_keys *keys, struct buf *out)
{
	/* The buf remembers a failure. */
	(void)buf_append_str(out, STR("{\"keys\":["));
	for (size_t i = 0; i < keys->count; i++) {
		(void)buf_append_str(out, i ? STR(",") : STR(""));
		(void)buf_append_str(out, keys->keys[i].jwk);
	}
	(void)buf_append_str(out, STR("]}"));
}
