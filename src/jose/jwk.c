/*
 * jwk.c - members are taken as RFC 7518 writes them: canonical base64url, coordinates at full size
 *
 * Whether a point is on its curve OpenSSL looks at while it reads the point.
 */

#include "jose/jwk.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#include "base/codec.h"
#include "jose/jws_signature.h"

/* A modulus of JWS_RSA_BITS_MAX and the zero byte that some write in front of it. */
#define NUMBER_MAX (JWS_RSA_BITS_MAX / 8 + 1)

/* OpenSSL takes none above 64 bits where the modulus is large. */
#define EXPONENT_BITS_MAX 64

DEFINE_CLEANUP(BIGNUM, BN_free)
DEFINE_CLEANUP(EVP_PKEY, EVP_PKEY_free)
DEFINE_CLEANUP(EVP_PKEY_CTX, EVP_PKEY_CTX_free)
DEFINE_CLEANUP(OSSL_PARAM, OSSL_PARAM_free)
DEFINE_CLEANUP(OSSL_PARAM_BLD, OSSL_PARAM_BLD_free)

/* A row per curve. */
struct curve {
	const char *type; /* JWK's */
	const char *name; /* JWK's */
	const char *openssl_name;
	size_t coordinate_size;
};

static const struct curve curves[] = {
	{ "EC", "P-256", "prime256v1", 32 }, { "EC", "P-384", "secp384r1", 48 },
	{ "EC", "P-521", "secp521r1", 66 },  { "OKP", "Ed25519", "ED25519", 32 },
	{ "OKP", "Ed448", "ED448", 57 },
};

/* "" for what is not there or not a string. */
static struct str text_of(const json_t *object, const char *name)
{
	const json_t *member = json_object_get(object, name);

	if (!json_is_string(member))
		return STR("");
	return str_of(json_string_value(member), json_string_length(member));
}

static bool read_bytes(const json_t *object, const char *name, struct buf *out)
{
	struct str text = text_of(object, name);

	return text.len > 0 && base64_decode(out, BASE64_URL, text) == 0;
}

static BIGNUM *read_number(const json_t *object, const char *name)
{
	_cleanup_(buf_done) struct buf bytes = BUF_INIT(NUMBER_MAX);

	if (!read_bytes(object, name, &bytes))
		return NULL;
	return BN_bin2bn(bytes.data, (int)bytes.len, NULL);
}

static EVP_PKEY *build_key(const char *type, OSSL_PARAM_BLD *builder)
{
	_cleanup_(EVP_PKEY_CTX_freep)
		EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	_cleanup_(OSSL_PARAM_freep) OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(builder);
	EVP_PKEY *key = NULL;

	if (!ctx || !params || EVP_PKEY_fromdata_init(ctx) != 1 ||
	    EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
		return NULL;
	return key;
}

static EVP_PKEY *read_rsa(const json_t *object)
{
	_cleanup_(BN_freep) BIGNUM *modulus = read_number(object, "n");
	_cleanup_(BN_freep) BIGNUM *exponent = read_number(object, "e");
	_cleanup_(OSSL_PARAM_BLD_freep) OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();

	if (!modulus || !BN_is_odd(modulus))
		return NULL;
	if (!exponent || !BN_is_odd(exponent) || BN_is_one(exponent) ||
	    BN_num_bits(exponent) > EXPONENT_BITS_MAX)
		return NULL;
	if (!builder || OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, modulus) != 1 ||
	    OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, exponent) != 1)
		return NULL;
	return build_key("RSA", builder);
}

static const struct curve *find_curve(struct str type, struct str name)
{
	for (size_t i = 0; i < ARRAY_LEN(curves); i++) {
		if (str_equal(type, str_from(curves[i].type)) &&
		    str_equal(name, str_from(curves[i].name)))
			return &curves[i];
	}
	return NULL;
}

static EVP_PKEY *read_ec(const json_t *object, const struct curve *curve)
{
	_cleanup_(buf_done) struct buf point = BUF_INIT(1 + 2 * curve->coordinate_size);
	_cleanup_(OSSL_PARAM_BLD_freep) OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();

	/* Uncompressed: SEC 1 section 2.3.3. */
	if (buf_append_char(&point, 4) || !read_bytes(object, "x", &point) ||
	    point.len != 1 + curve->coordinate_size || !read_bytes(object, "y", &point) ||
	    point.len != 1 + 2 * curve->coordinate_size)
		return NULL;
	if (!builder ||
	    OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME,
					    curve->openssl_name, 0) != 1 ||
	    OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY, point.data,
					     point.len) != 1)
		return NULL;
	return build_key("EC", builder);
}

static EVP_PKEY *read_okp(const json_t *object, const struct curve *curve)
{
	_cleanup_(buf_done) struct buf bytes = BUF_INIT(curve->coordinate_size);

	if (!read_bytes(object, "x", &bytes) || bytes.len != curve->coordinate_size)
		return NULL;
	return EVP_PKEY_new_raw_public_key_ex(NULL, curve->openssl_name, NULL, bytes.data,
					      bytes.len);
}

static EVP_PKEY *read_key(const json_t *object)
{
	struct str type = text_of(object, "kty");
	const struct curve *curve = find_curve(type, text_of(object, "crv"));

	if (str_equal(type, STR("RSA")))
		return read_rsa(object);
	if (!curve)
		return NULL;
	if (str_equal(type, STR("EC")))
		return read_ec(object, curve);
	return read_okp(object, curve);
}

static bool lists_verify(const json_t *operations)
{
	for (size_t i = 0; i < json_array_size(operations); i++) {
		const char *operation = json_string_value(json_array_get(operations, i));

		if (operation && strcmp(operation, "verify") == 0)
			return true;
	}
	return false;
}

/* Members that are not what RFC 7517 section 4 says make the key one not to be used. */
static bool is_for_signatures(const json_t *object)
{
	const json_t *operations = json_object_get(object, "key_ops");
	const json_t *kid = json_object_get(object, "kid");

	/* Of a private key in public nobody knows any more who signs with it. */
	if (json_object_get(object, "d") || (kid && !json_is_string(kid)))
		return false;
	if (json_object_get(object, "use") && !str_equal(text_of(object, "use"), STR("sig")))
		return false;
	return !operations || lists_verify(operations);
}

/* Of those that fit the one that "alg" names. */
static uint32_t narrow(const json_t *object, uint32_t algorithms)
{
	enum jws_algorithm only;

	if (!json_object_get(object, "alg"))
		return algorithms;
	if (!jws_algorithm_parse(text_of(object, "alg"), &only))
		return 0;
	return algorithms & 1u << only;
}

bool jwk_read(const json_t *object, struct arena *arena, struct jwk *ret)
{
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	uint32_t algorithms;

	if (!is_for_signatures(object))
		return false;
	key = read_key(object);
	algorithms = key ? narrow(object, jws_algorithms_of(key)) : 0;
	ERR_clear_error();
	if (!algorithms)
		return false;
	*ret = (struct jwk){
		.key = TAKE(key),
		.kid = arena_copy(arena, text_of(object, "kid")),
		.has_kid = json_object_get(object, "kid") != NULL,
		.algorithms = algorithms,
	};
	return true;
}

void jwk_done(struct jwk *jwk)
{
	EVP_PKEY_free(jwk->key);
	*jwk = (struct jwk){ 0 };
}
