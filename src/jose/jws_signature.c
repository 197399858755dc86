/*
 * jws_signature.c - one row per algorithm, all of them through EVP
 *
 * The row names the type of the key and its curve, so that a token cannot choose how a key is used. A signature has
 * exactly the size its key makes: ECDSA's r and s side by side (RFC 7518 section 3.4), which OpenSSL wants as DER.
 *
 * OpenSSL's queue of errors is left empty, since others on this thread (TLS) look there.
 */

#include "jose/jws_signature.h"

#include <assert.h>

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#define COORDINATE_MAX 66 /* of P-521 */

enum scheme {
	SCHEME_PKCS1,
	SCHEME_PSS,
	SCHEME_ECDSA,
	SCHEME_EDDSA,
};

struct algorithm {
	const char *name;
	enum scheme scheme;
	const char *digest;
	const char *curve;
	size_t coordinate_size;
};

static const struct algorithm algorithms[JWS_ALGORITHM_COUNT] = {
	[JWS_RS256] = { "RS256", SCHEME_PKCS1, "SHA256", NULL, 0 },
	[JWS_RS384] = { "RS384", SCHEME_PKCS1, "SHA384", NULL, 0 },
	[JWS_RS512] = { "RS512", SCHEME_PKCS1, "SHA512", NULL, 0 },
	[JWS_PS256] = { "PS256", SCHEME_PSS, "SHA256", NULL, 0 },
	[JWS_PS384] = { "PS384", SCHEME_PSS, "SHA384", NULL, 0 },
	[JWS_PS512] = { "PS512", SCHEME_PSS, "SHA512", NULL, 0 },
	[JWS_ES256] = { "ES256", SCHEME_ECDSA, "SHA256", "prime256v1", 32 },
	[JWS_ES384] = { "ES384", SCHEME_ECDSA, "SHA384", "secp384r1", 48 },
	[JWS_ES512] = { "ES512", SCHEME_ECDSA, "SHA512", "secp521r1", COORDINATE_MAX },
	[JWS_EDDSA] = { "EdDSA", SCHEME_EDDSA, NULL, NULL, 0 },
};

DEFINE_CLEANUP(EVP_MD_CTX, EVP_MD_CTX_free)
DEFINE_CLEANUP(ECDSA_SIG, ECDSA_SIG_free)

static void free_der(uint8_t *der)
{
	OPENSSL_free(der);
}

DEFINE_CLEANUP(uint8_t, free_der)

bool jws_algorithm_parse(struct str name, enum jws_algorithm *ret)
{
	for (unsigned i = 0; i < JWS_ALGORITHM_COUNT; i++) {
		if (!str_equal(name, str_from(algorithms[i].name)))
			continue;
		*ret = (enum jws_algorithm)i;
		return true;
	}
	return false;
}

const char *jws_algorithm_name(enum jws_algorithm algorithm)
{
	return algorithms[algorithm].name;
}

static bool has_curve(const EVP_PKEY *key, const char *curve)
{
	char name[32];

	return EVP_PKEY_get_group_name(key, name, sizeof(name), NULL) == 1 &&
	       strcmp(name, curve) == 0;
}

static bool fits(const struct algorithm *a, const EVP_PKEY *key)
{
	switch (a->scheme) {
	case SCHEME_PKCS1:
	case SCHEME_PSS:
		return EVP_PKEY_is_a(key, "RSA") && EVP_PKEY_get_bits(key) >= JWS_RSA_BITS_MIN &&
		       EVP_PKEY_get_bits(key) <= JWS_RSA_BITS_MAX;
	case SCHEME_ECDSA:
		return EVP_PKEY_is_a(key, "EC") && has_curve(key, a->curve);
	case SCHEME_EDDSA:
		return EVP_PKEY_is_a(key, "ED25519") || EVP_PKEY_is_a(key, "ED448");
	}
	return false;
}

uint32_t jws_algorithms_of(const EVP_PKEY *key)
{
	uint32_t set = 0;

	for (unsigned i = 0; i < JWS_ALGORITHM_COUNT; i++)
		set |= fits(&algorithms[i], key) ? 1u << i : 0;
	ERR_clear_error();
	return set;
}

static bool set_scheme(const struct algorithm *a, EVP_PKEY_CTX *ctx)
{
	if (a->scheme != SCHEME_PSS)
		return true;
	/* The salt is as long as the digest: RFC 7518 section 3.5. */
	return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) == 1 &&
	       EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) == 1;
}

/* ---- r and s, side by side and as DER ---- */

static bool to_der(struct str raw, uint8_t **ret_der, size_t *ret_len)
{
	const uint8_t *bytes = (const uint8_t *)raw.at;
	int half = (int)(raw.len / 2);
	BIGNUM *r = BN_bin2bn(bytes, half, NULL);
	BIGNUM *s = BN_bin2bn(bytes + half, half, NULL);
	_cleanup_(ECDSA_SIG_freep) ECDSA_SIG *pair = ECDSA_SIG_new();
	int len;

	if (!r || !s || !pair || ECDSA_SIG_set0(pair, r, s) != 1) {
		BN_free(r);
		BN_free(s);
		return false;
	}
	len = i2d_ECDSA_SIG(pair, ret_der);
	*ret_len = len > 0 ? (size_t)len : 0;
	return len > 0;
}

static bool append_raw(const uint8_t *der, size_t der_len, size_t coordinate_size, struct buf *out)
{
	_cleanup_(ECDSA_SIG_freep) ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &der, (long)der_len);
	uint8_t raw[2 * COORDINATE_MAX];
	int half = (int)coordinate_size;

	return pair && BN_bn2binpad(ECDSA_SIG_get0_r(pair), raw, half) == half &&
	       BN_bn2binpad(ECDSA_SIG_get0_s(pair), raw + half, half) == half &&
	       buf_append(out, raw, 2 * coordinate_size) == 0;
}

/* ---- verifying ---- */

static size_t signature_size(const struct algorithm *a, const EVP_PKEY *key)
{
	int size = EVP_PKEY_get_size(key);

	if (a->scheme == SCHEME_ECDSA)
		return 2 * a->coordinate_size;
	return size > 0 ? (size_t)size : 0;
}

static bool verify(const struct algorithm *a, EVP_PKEY *key, struct str text, struct str signature)
{
	_cleanup_(EVP_MD_CTX_freep) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *settings = NULL; /* belongs to ctx */

	return ctx &&
	       EVP_DigestVerifyInit_ex(ctx, &settings, a->digest, NULL, NULL, key, NULL) == 1 &&
	       set_scheme(a, settings) &&
	       EVP_DigestVerify(ctx, (const uint8_t *)signature.at, signature.len,
				(const uint8_t *)text.at, text.len) == 1;
}

bool jws_signature_is_right(enum jws_algorithm algorithm, EVP_PKEY *key, struct str text,
			    struct str signature)
{
	const struct algorithm *a = &algorithms[algorithm];
	_cleanup_(free_derp) uint8_t *der = NULL;
	bool is_right = signature.len == signature_size(a, key);
	size_t der_len = 0;

	assert(fits(a, key));
	if (is_right && a->scheme == SCHEME_ECDSA) {
		is_right = to_der(signature, &der, &der_len);
		signature = str_of(der, der_len);
	}
	is_right = is_right && verify(a, key, text, signature);
	ERR_clear_error();
	return is_right;
}

/* ---- signing ---- */

static bool sign(const struct algorithm *a, EVP_PKEY *key, struct str text, struct buf *out)
{
	_cleanup_(EVP_MD_CTX_freep) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *settings = NULL; /* belongs to ctx */
	uint8_t signature[JWS_SIGNATURE_MAX];
	size_t len = sizeof(signature);

	if (!ctx || EVP_DigestSignInit_ex(ctx, &settings, a->digest, NULL, NULL, key, NULL) != 1 ||
	    !set_scheme(a, settings) ||
	    EVP_DigestSign(ctx, signature, &len, (const uint8_t *)text.at, text.len) != 1)
		return false;
	if (a->scheme == SCHEME_ECDSA)
		return append_raw(signature, len, a->coordinate_size, out);
	return buf_append(out, signature, len) == 0;
}

int jws_signature_make(enum jws_algorithm algorithm, EVP_PKEY *key, struct str text,
		       struct buf *out, struct err *e)
{
	bool is_made;

	assert(fits(&algorithms[algorithm], key));
	is_made = sign(&algorithms[algorithm], key, text, out);
	ERR_clear_error();
	return is_made ? 0
		       : err_set(e, ERR_CRYPTO, "cannot make an %s signature",
				 jws_algorithm_name(algorithm));
}
