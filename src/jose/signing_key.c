#include "jose/signing_key.h"

#include <assert.h>
#include <limits.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>

#include "base/codec.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/ref.h"
#include "jose/jws.h"
#include "jose/jws_signature.h"
#include "jose/mac.h"

#define KID_LEN         (2 * SHA256_SIZE)
#define DERIVED_BYTES   40
#define P256_BYTES      32
#define POINT_SIZE      (1 + 2 * P256_BYTES)
#define NUMBER_TEXT_MAX (2 * JWS_RSA_BITS_MAX / 8)
#define JWK_TEXT_MAX    (2 * NUMBER_TEXT_MAX + 512)

struct signing_key {
	EVP_PKEY *key;
	enum jws_algorithm algorithm;
	char kid[KID_LEN + 1];
};

struct signing_keys {
	struct ref ref;
	size_t count;
	struct signing_key keys[SIGNING_KEYS_MAX];
};

/* ---- the public half as text ---- */

static void base64_number(const BIGNUM *number, size_t size, struct buf *out)
{
	uint8_t bytes[JWS_RSA_BITS_MAX / 8];

	assert(size <= sizeof(bytes));
	(void)BN_bn2binpad(number, bytes, (int)size); /* size is the number's or the curve's */
	(void)base64_encode(out, BASE64_URL, bytes, size);
}

static int number_of(EVP_PKEY *key, const char *name, size_t size, struct buf *out)
{
	BIGNUM *number = NULL;

	if (!EVP_PKEY_get_bn_param(key, name, &number))
		return -1;
	base64_number(number, size ? size : (size_t)BN_num_bytes(number), out);
	BN_free(number);
	return 0;
}

/* The members of the key in the order of RFC 7638, as "name","value" pairs, without braces. */
static int members_of(const struct signing_key *k, struct buf *first, struct buf *second)
{
	if (k->algorithm == JWS_ES256)
		return number_of(k->key, OSSL_PKEY_PARAM_EC_PUB_X, P256_BYTES, first) |
		       number_of(k->key, OSSL_PKEY_PARAM_EC_PUB_Y, P256_BYTES, second);
	return number_of(k->key, OSSL_PKEY_PARAM_RSA_E, 0, first) |
	       number_of(k->key, OSSL_PKEY_PARAM_RSA_N, 0, second);
}

/* RFC 7638: the id of a key says what it is. */
static int make_kid(struct signing_key *k)
{
	_cleanup_(buf_done) struct buf first = BUF_INIT(NUMBER_TEXT_MAX);
	_cleanup_(buf_done) struct buf second = BUF_INIT(NUMBER_TEXT_MAX);
	_cleanup_(buf_done) struct buf text = BUF_INIT(JWK_TEXT_MAX);
	_cleanup_(buf_done) struct buf hex = BUF_INIT(KID_LEN);
	uint8_t digest[SHA256_SIZE];

	if (members_of(k, &first, &second) < 0)
		return -1;
	if (k->algorithm == JWS_ES256)
		(void)buf_printf(&text,
				 "{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"%.*s\",\"y\":\"%.*s\"}",
				 STR_FMT(buf_view(&first)), STR_FMT(buf_view(&second)));
	else
		(void)buf_printf(&text, "{\"e\":\"%.*s\",\"kty\":\"RSA\",\"n\":\"%.*s\"}",
				 STR_FMT(buf_view(&first)), STR_FMT(buf_view(&second)));
	digest_sha256(buf_view(&text), digest);
	(void)hex_encode(&hex, digest, sizeof(digest));
	memcpy(k->kid, hex.data, KID_LEN);
	return 0;
}

static void write_jwk(const struct signing_key *k, struct json_writer *w)
{
	_cleanup_(buf_done) struct buf first = BUF_INIT(NUMBER_TEXT_MAX);
	_cleanup_(buf_done) struct buf second = BUF_INIT(NUMBER_TEXT_MAX);
	bool is_ec = k->algorithm == JWS_ES256;

	(void)members_of(k, &first, &second); /* it could be read when the key was added */
	/* In the order of protocol.md 4.3. */
	const struct {
		const char *name;
		struct str value;
	} members[] = {
		{ "use", STR("sig") },
		{ "kty", is_ec ? STR("EC") : STR("RSA") },
		{ "kid", str_from(k->kid) },
		{ is_ec ? "crv" : NULL, STR("P-256") },
		{ "alg", str_from(jws_algorithm_name(k->algorithm)) },
		{ is_ec ? "x" : "n", is_ec ? buf_view(&first) : buf_view(&second) },
		{ is_ec ? "y" : "e", is_ec ? buf_view(&second) : buf_view(&first) },
	};

	json_object_begin(w);
	for (size_t i = 0; i < ARRAY_LEN(members); i++) {
		if (!members[i].name)
			continue;
		json_key(w, str_from(members[i].name));
		json_text(w, members[i].value);
	}
	json_object_end(w);
}

void signing_keys_write_jwks(const struct signing_keys *keys, struct buf *out)
{
	struct json_writer w = { .out = out };

	json_object_begin(&w);
	json_key(&w, STR("keys"));
	json_array_begin(&w);
	for (size_t i = 0; i < keys->count; i++)
		write_jwk(&keys->keys[i], &w);
	json_array_end(&w);
	json_object_end(&w);
}

/* ---- making ---- */

/* Takes the key, also on failure. */
static int add_key(struct signing_keys *keys, EVP_PKEY *key, struct err *e)
{
	uint32_t algorithms = jws_algorithms_of(key);
	struct signing_key *k;

	if (keys->count == SIGNING_KEYS_MAX ||
	    !(algorithms & (1u << JWS_RS256 | 1u << JWS_ES256))) {
		bool is_full = keys->count == SIGNING_KEYS_MAX;

		EVP_PKEY_free(key);
		return is_full ? err_set(e, ERR_LIMIT, "there are more than %d keys",
					 SIGNING_KEYS_MAX)
			       : err_set(e, ERR_CONFIG,
					 "the key must be of EC P-256, or of RSA with %d to %d bits",
					 JWS_RSA_BITS_MIN, JWS_RSA_BITS_MAX);
	}
	k = &keys->keys[keys->count++];
	k->key = key;
	k->algorithm = algorithms & 1u << JWS_ES256 ? JWS_ES256 : JWS_RS256;
	return make_kid(k) < 0 ? err_set(e, ERR_CRYPTO, "the key cannot be read") : 0;
}

static struct signing_keys *new_keys(void)
{
	struct signing_keys *keys = mem_alloc(sizeof(*keys));

	keys->ref = REF_INIT;
	return keys;
}

/* d = x mod (n - 1) + 1, and the point that belongs to it. */
static int derive_numbers(struct str shared_key, BIGNUM **ret_d, uint8_t point[POINT_SIZE])
{
	uint8_t bytes[DERIVED_BYTES];
	EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
	EC_POINT *public_point = group ? EC_POINT_new(group) : NULL;
	BN_CTX *context = BN_CTX_new();
	BIGNUM *limit = group ? BN_dup(EC_GROUP_get0_order(group)) : NULL;
	BIGNUM *d = NULL;
	int result = -1;

	hkdf_sha256(shared_key, STR("derived-jwt-signing-key"), bytes, sizeof(bytes));
	d = BN_bin2bn(bytes, sizeof(bytes), NULL);
	mem_wipe(bytes, sizeof(bytes));
	if (public_point && context && limit && d && BN_sub_word(limit, 1) &&
	    BN_mod(d, d, limit, context) && BN_add_word(d, 1) &&
	    EC_POINT_mul(group, public_point, d, NULL, NULL, context) &&
	    EC_POINT_point2oct(group, public_point, POINT_CONVERSION_UNCOMPRESSED, point,
			       POINT_SIZE, context) == POINT_SIZE) {
		*ret_d = d;
		d = NULL;
		result = 0;
	}
	BN_clear_free(d);
	BN_free(limit);
	BN_CTX_free(context);
	EC_POINT_free(public_point);
	EC_GROUP_free(group);
	return result;
}

static EVP_PKEY *make_p256(const BIGNUM *d, const uint8_t point[POINT_SIZE])
{
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	OSSL_PARAM *params = NULL;
	EVP_PKEY *key = NULL;

	if (build && context &&
	    OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0) &&
	    OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_PRIV_KEY, d) &&
	    OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point, POINT_SIZE))
		params = OSSL_PARAM_BLD_to_param(build);
	if (params && EVP_PKEY_fromdata_init(context) > 0)
		(void)EVP_PKEY_fromdata(context, &key, EVP_PKEY_KEYPAIR, params); /* key says it */
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(build);
	EVP_PKEY_CTX_free(context);
	return key;
}

int signing_keys_derive(struct str shared_key, struct signing_keys **ret, struct err *e)
{
	struct signing_keys *keys = new_keys();
	uint8_t point[POINT_SIZE];
	BIGNUM *d = NULL;
	EVP_PKEY *key = NULL;

	if (derive_numbers(shared_key, &d, point) == 0)
		key = make_p256(d, point);
	BN_clear_free(d);
	if (!key || add_key(keys, key, NULL) < 0) {
		signing_keys_unref(keys);
		return err_set(e, ERR_CRYPTO, "deriving the signing key failed");
	}
	*ret = keys;
	return 0;
}

/* Never asks at a terminal. */
static int refuse_passphrase(char *out, int size, int is_writing, void *arg)
{
	return -1;
}

/* What is left to read is nothing but blanks. */
static bool is_at_end(BIO *bio)
{
	char *rest = NULL;
	long len = BIO_get_mem_data(bio, &rest);

	return len <= 0 || str_is_empty(str_trim(str_of(rest, (size_t)len)));
}

int signing_keys_parse(struct str pem, struct signing_keys **ret, struct err *e)
{
	struct signing_keys *keys = new_keys();
	BIO *bio = pem.len < INT_MAX ? BIO_new_mem_buf(pem.at, (int)pem.len) : NULL;
	int result = bio ? 0 : err_set(e, ERR_LIMIT, "the keys are too long");

	while (result == 0 && !is_at_end(bio)) {
		EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, refuse_passphrase, NULL);

		result =
			key ? add_key(keys, key, e)
			    : err_set(e, ERR_CONFIG,
				      "key %zu is no PEM private key, or is protected by a passphrase",
				      keys->count + 1);
	}
	BIO_free(bio);
	if (result == 0 && !keys->count)
		result = err_set(e, ERR_CONFIG, "there is no key");
	if (result < 0)
		signing_keys_unref(keys);
	else
		*ret = keys;
	return result;
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
	mem_free(keys);
}

/* ---- signing ---- */

int signing_keys_sign(const struct signing_keys *keys, struct str payload, struct buf *out,
		      struct err *e)
{
	const struct signing_key *k = &keys->keys[0];
	_cleanup_(buf_done) struct buf header = BUF_INIT(512);
	_cleanup_(buf_done) struct buf text = BUF_INIT(JWS_MAX);
	_cleanup_(buf_done) struct buf signature = BUF_INIT(JWS_SIGNATURE_MAX);

	(void)buf_printf(&header, "{\"alg\":\"%s\",\"kid\":\"%s\",\"typ\":\"JWT\"}",
			 jws_algorithm_name(k->algorithm), k->kid);
	(void)base64_encode(&text, BASE64_URL, header.data, header.len);
	(void)buf_append_char(&text, '.');
	(void)base64_encode(&text, BASE64_URL, payload.at, payload.len);
	if (text.is_overflown)
		return err_set(e, ERR_LIMIT, "the token would be longer than %d bytes", JWS_MAX);
	if (jws_signature_make(k->algorithm, k->key, buf_view(&text), &signature, e) < 0)
		return -1;
	(void)buf_append_char(&text, '.');
	(void)base64_encode(&text, BASE64_URL, signature.data, signature.len);
	if (text.is_overflown || buf_append_str(out, buf_view(&text)) < 0)
		return err_set(e, ERR_LIMIT, "the token would be longer than %d bytes", JWS_MAX);
	return 0;
}
