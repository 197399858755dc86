#include "tests/support/jwk_testing.h"

#include <assert.h>

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/encoder.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include "base/codec.h"

#define NUMBER_MAX 1024

EVP_PKEY *jwk_testing_key(const char *type, const char *size)
{
	EVP_PKEY_CTX *ctx;
	EVP_PKEY *key = NULL;

	if (strncmp(type, "RSA", 3) == 0)
		return jwk_testing_rsa(type, size);
	ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	assert(EVP_PKEY_keygen_init(ctx) == 1);
	if (size)
		assert(EVP_PKEY_CTX_set_group_name(ctx, size) == 1);
	assert(EVP_PKEY_generate(ctx, &key) == 1);
	EVP_PKEY_CTX_free(ctx);
	return key;
}

static void encode(const char *type, const char *size, const char *form, struct buf *out)
{
	EVP_PKEY *key = jwk_testing_key(type, size);
	OSSL_ENCODER_CTX *ctx = OSSL_ENCODER_CTX_new_for_pkey(key, OSSL_KEYMGMT_SELECT_ALL, form,
							      "PrivateKeyInfo", NULL);
	uint8_t *text = NULL;
	size_t len = 0;

	assert(OSSL_ENCODER_to_data(ctx, &text, &len) == 1);
	assert(buf_append(out, text, len) == 0);
	OPENSSL_free(text);
	OSSL_ENCODER_CTX_free(ctx);
	EVP_PKEY_free(key);
}

void jwk_testing_pem(const char *type, const char *size, struct buf *out)
{
	encode(type, size, "PEM", out);
}

void jwk_testing_der(const char *type, const char *size, struct buf *out)
{
	encode(type, size, "DER", out);
}

/* size 0: as many bytes as the number has. */
static void append_number(EVP_PKEY *key, const char *param, const char *name, int size,
			  struct buf *out)
{
	uint8_t bytes[NUMBER_MAX];
	BIGNUM *number = NULL;

	assert(EVP_PKEY_get_bn_param(key, param, &number) == 1);
	size = size ? size : BN_num_bytes(number);
	assert(size <= NUMBER_MAX && BN_bn2binpad(number, bytes, size) == size);
	BN_free(number);
	assert(buf_printf(out, ",\"%s\":\"", name) == 0);
	assert(base64_encode(out, BASE64_URL, bytes, (size_t)size) == 0);
	assert(buf_append_char(out, '"') == 0);
}

static void append_okp(EVP_PKEY *key, const char *curve, struct buf *out)
{
	uint8_t bytes[NUMBER_MAX];
	size_t len = sizeof(bytes);

	assert(EVP_PKEY_get_raw_public_key(key, bytes, &len) == 1);
	assert(buf_printf(out, "\"kty\":\"OKP\",\"crv\":\"%s\",\"x\":\"", curve) == 0);
	assert(base64_encode(out, BASE64_URL, bytes, len) == 0);
	assert(buf_append_char(out, '"') == 0);
}

void jwk_testing_members(EVP_PKEY *key, struct buf *out)
{
	int bits = EVP_PKEY_get_bits(key);
	int size = (bits + 7) / 8;

	if (EVP_PKEY_is_a(key, "ED25519"))
		return append_okp(key, "Ed25519", out);
	if (EVP_PKEY_is_a(key, "ED448"))
		return append_okp(key, "Ed448", out);
	if (EVP_PKEY_is_a(key, "EC")) {
		assert(buf_printf(out, "\"kty\":\"EC\",\"crv\":\"P-%d\"", bits) == 0);
		append_number(key, OSSL_PKEY_PARAM_EC_PUB_X, "x", size, out);
		append_number(key, OSSL_PKEY_PARAM_EC_PUB_Y, "y", size, out);
		return;
	}
	assert(buf_append_str(out, STR("\"kty\":\"RSA\"")) == 0);
	append_number(key, OSSL_PKEY_PARAM_RSA_N, "n", 0, out);
	append_number(key, OSSL_PKEY_PARAM_RSA_E, "e", 0, out);
}

static const char *digest_of(enum jws_algorithm algorithm)
{
	static const char *const digests[] = { "SHA256", "SHA384", "SHA512" };

	return algorithm == JWS_EDDSA ? NULL : digests[algorithm % 3];
}

/* r and s side by side. */
static void append_pair(const uint8_t *der, size_t len, int size, struct buf *out)
{
	ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &der, (long)len);
	uint8_t bytes[NUMBER_MAX];

	assert(BN_bn2binpad(ECDSA_SIG_get0_r(pair), bytes, size) == size);
	assert(BN_bn2binpad(ECDSA_SIG_get0_s(pair), bytes + size, size) == size);
	assert(base64_encode(out, BASE64_URL, bytes, 2 * (size_t)size) == 0);
	ECDSA_SIG_free(pair);
}

static void append_signature(EVP_PKEY *key, enum jws_algorithm algorithm, struct str text,
			     struct buf *out)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *settings = NULL;
	uint8_t bytes[NUMBER_MAX];
	size_t len = sizeof(bytes);

	assert(EVP_DigestSignInit_ex(ctx, &settings, digest_of(algorithm), NULL, NULL, key, NULL) ==
	       1);
	if (algorithm >= JWS_PS256 && algorithm <= JWS_PS512) {
		assert(EVP_PKEY_CTX_set_rsa_padding(settings, RSA_PKCS1_PSS_PADDING) == 1);
		assert(EVP_PKEY_CTX_set_rsa_pss_saltlen(settings, RSA_PSS_SALTLEN_DIGEST) == 1);
	}
	assert(EVP_DigestSign(ctx, bytes, &len, (const uint8_t *)text.at, text.len) == 1);
	EVP_MD_CTX_free(ctx);
	if (EVP_PKEY_is_a(key, "EC"))
		append_pair(bytes, len, (EVP_PKEY_get_bits(key) + 7) / 8, out);
	else
		assert(base64_encode(out, BASE64_URL, bytes, len) == 0);
}

void jwk_testing_sign(EVP_PKEY *key, enum jws_algorithm algorithm, struct str header,
		      struct str payload, struct buf *out)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT(1u << 20);

	assert(base64_encode(&text, BASE64_URL, header.at, header.len) == 0);
	assert(buf_append_char(&text, '.') == 0);
	assert(base64_encode(&text, BASE64_URL, payload.at, payload.len) == 0);
	assert(buf_append_str(out, buf_view(&text)) == 0);
	assert(buf_append_char(out, '.') == 0);
	append_signature(key, algorithm, buf_view(&text), out);
}
