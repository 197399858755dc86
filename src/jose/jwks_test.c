#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <openssl/err.h>
#include <openssl/evp.h>

#include "jose/jwks.h"
#include "jose/jws.h"
#include "tests/support/jwk_testing.h"

#define TEXT_MAX (2 * JWKS_TEXT_MAX)

/* RFC 7517 appendix A.1, RFC 8037 appendix A.2. */
#define EC_X   "\"x\":\"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4\""
#define EC_Y   "\"y\":\"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM\""
#define EC     "\"kty\":\"EC\",\"crv\":\"P-256\"," EC_X "," EC_Y
#define OKP_X  "\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\""
#define OKP    "\"kty\":\"OKP\",\"crv\":\"Ed25519\"," OKP_X
#define SET(x) "{\"keys\":[{" x "}]}"

/* The number of keys that are kept, or -1. */
static int count_of(struct str json)
{
	struct jwks *keys = NULL;
	struct err e = { 0 };
	int count = -1;

	if (jwks_parse(json, &keys, &e) == 0)
		count = (int)jwks_count(keys);
	else
		assert_true(e.kind != ERR_NONE && e.text[0]);
	assert_true((count < 0) == (keys == NULL));
	jwks_unref(keys);
	assert_int_equal(ERR_peek_error(), 0);
	return count;
}

static void expect(const char *json, int count)
{
	if (count_of(str_from(json)) != count)
		fail_msg("%s gives %d", json, count_of(str_from(json)));
}

static void test_kept_or_left_out(void **state)
{
	static const struct {
		const char *json;
		int count;
	} cases[] = {
		{ SET(EC), 1 },
		{ SET(OKP), 1 },
		{ SET(EC "},{" OKP), 2 },
		{ SET("\"kid\":\"1\"," EC), 1 },
		{ SET("\"kid\":\"\"," EC), 1 },
		{ SET("\"use\":\"sig\",\"alg\":\"ES256\",\"key_ops\":[\"verify\"]," EC), 1 },
		{ SET("\"x5c\":[\"AA==\"],\"own\":{\"a\":[1,1e5]}," EC), 1 },
		{ SET("\"alg\":\"EdDSA\"," OKP), 1 },
		{ SET("\"kid\":1," EC), 0 },
		{ SET("\"kid\":null," EC), 0 },
		{ SET("\"use\":\"enc\"," EC), 0 },
		{ SET("\"use\":[\"sig\"]," EC), 0 },
		{ SET("\"key_ops\":[\"sign\"]," EC), 0 },
		{ SET("\"key_ops\":\"verify\"," EC), 0 },
		{ SET("\"key_ops\":[1]," EC), 0 },
		{ SET("\"alg\":\"ES384\"," EC), 0 },
		{ SET("\"alg\":\"RS256\"," EC), 0 },
		{ SET("\"alg\":\"HS256\"," EC), 0 },
		{ SET("\"alg\":\"es256\"," EC), 0 },
		{ SET("\"alg\":null," EC), 0 },
		{ SET("\"alg\":\"ES256\"," OKP), 0 },
		/* The private half. */
		{ SET("\"d\":\"870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE\"," EC), 0 },
		{ SET("\"kty\":\"oct\",\"k\":\"AAAA\""), 0 },
		{ SET("\"kty\":\"oct\",\"alg\":\"HS256\",\"k\":\"AAAA\""), 0 },
		{ SET("\"kty\":\"ec\",\"crv\":\"P-256\"," EC_X "," EC_Y), 0 },
		{ SET("\"kty\":[\"EC\"],\"crv\":\"P-256\"," EC_X "," EC_Y), 0 },
		{ SET("\"kty\":\"EC\"," EC_X "," EC_Y), 0 },
		{ SET("\"kty\":\"EC\",\"crv\":\"P-256K\"," EC_X "," EC_Y), 0 },
		{ SET("\"kty\":\"EC\",\"crv\":\"secp256k1\"," EC_X "," EC_Y), 0 },
		{ SET("\"kty\":\"EC\",\"crv\":\"P-384\"," EC_X "," EC_Y), 0 },
		{ SET("\"kty\":\"EC\",\"crv\":\"Ed25519\"," EC_X "," EC_Y), 0 },
		{ SET("\"kty\":\"EC\",\"crv\":\"P-256\"," EC_X), 0 },
		{ SET("\"kty\":\"EC\",\"crv\":\"P-256\"," EC_Y), 0 },
		/* Off the curve, short, padded, not canonical, empty, not text. */
		{ SET("\"kty\":\"EC\",\"crv\":\"P-256\"," EC_X
		      ",\"y\":\"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyI\""),
		  0 },
		{ SET("\"kty\":\"EC\",\"crv\":\"P-256\"," EC_X ",\"y\":\"4Etl\""), 0 },
		{ SET("\"kty\":\"EC\",\"crv\":\"P-256\"," EC_X
		      ",\"y\":\"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM=\""),
		  0 },
		{ SET("\"kty\":\"EC\",\"crv\":\"P-256\"," EC_X
		      ",\"y\":\"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyN\""),
		  0 },
		{ SET("\"kty\":\"EC\",\"crv\":\"P-256\"," EC_X ",\"y\":\"\""), 0 },
		{ SET("\"kty\":\"EC\",\"crv\":\"P-256\"," EC_X ",\"y\":7"), 0 },
		/* The good point, divided elsewhere. */
		{ SET("\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7A\","
		      "\"y\":\"PuBLZekkVtmIi1Kzeb371R7oae8fD8ZbZllpW2zOCBcj\""),
		  0 },
		{ SET("\"kty\":\"OKP\",\"crv\":\"Ed448\"," OKP_X), 0 },
		{ SET("\"kty\":\"OKP\",\"crv\":\"X25519\"," OKP_X), 0 },
		{ SET("\"kty\":\"OKP\",\"crv\":\"P-256\"," OKP_X), 0 },
		{ SET("\"kty\":\"RSA\""), 0 },
		{ SET("\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\""), 0 },
		{ SET("\"kty\":\"RSA\",\"n\":\"\",\"e\":\"\""), 0 },
		{ SET(""), 0 },
		{ "{\"keys\":[]}", 0 },
		{ "{\"keys\":[],\"more\":1}", 0 },
		/* A bad one does not spoil the others. */
		{ SET("\"kty\":\"oct\",\"k\":\"AAAA\"},{" EC "},{"), 1 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		expect(cases[i].json, cases[i].count);
}

static void test_no_key_set(void **state)
{
	static const char *const cases[] = {
		"",
		" ",
		"null",
		"[]",
		"[{" EC "}]",
		"{}",
		"{" EC "}",
		"{\"Keys\":[]}",
		"{\"keys\":{}}",
		"{\"keys\":null}",
		"{\"keys\":\"\"}",
		"{\"keys\":[1]}",
		"{\"keys\":[null]}",
		"{\"keys\":[[]]}",
		"{\"keys\":[]} x",
		"{\"keys\":[]}{\"keys\":[]}",
		"{\"keys\":[]",
		"{\"keys\":[],\"keys\":[]}",
		SET("\"kid\":\"1\",\"kid\":\"2\"," EC),
		SET("\"kid\":\"1\",\"own\":{\"a\":1,\"a\":2}," EC),
		SET("\"kid\":\"\xff\"," EC),
		SET("\"kid\":\"\xed\xa0\x80\"," EC),
		SET("\"kid\":\"\\u0000\"," EC),
		SET("\"kid\":\"\\ud800\"," EC),
		SET("\"own\":1e999," EC),
		"{\"keys\":[],\"a\":[[[[[[[[[[]]]]]]]]]]}",
		"\xef\xbb\xbf{\"keys\":[]}",
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		expect(cases[i], -1);
	assert_int_equal(count_of(str_of("{\"keys\":[]}\0", 12)), -1);
	assert_int_equal(count_of((struct str){ 0 }), -1);
}

static void append_key(EVP_PKEY *key, struct buf *out)
{
	assert_int_equal(buf_append_str(out, out->len ? STR(",{") : STR("{\"keys\":[{")), 0);
	jwk_testing_members(key, out);
	assert_int_equal(buf_append_char(out, '}'), 0);
}

static int count_alone(const char *type, const char *size)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT(TEXT_MAX);
	EVP_PKEY *key = jwk_testing_key(type, size);

	append_key(key, &text);
	EVP_PKEY_free(key);
	assert_int_equal(buf_append_str(&text, STR("]}")), 0);
	return count_of(buf_view(&text));
}

static void test_kinds(void **state)
{
	assert_int_equal(count_alone("RSA", "1024"), 0);
	assert_int_equal(count_alone("RSA", "2047"), 0);
	assert_int_equal(count_alone("RSA", "2048"), 1);
	assert_int_equal(count_alone("EC", "P-256"), 1);
	assert_int_equal(count_alone("EC", "P-384"), 1);
	assert_int_equal(count_alone("EC", "P-521"), 1);
	assert_int_equal(count_alone("ED25519", NULL), 1);
	assert_int_equal(count_alone("ED448", NULL), 1);
}

/* Numbers, not keys: of what size a modulus is looked at, and what exponents. */
static int count_rsa(size_t modulus_digits, char last, const char *exponent)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT(TEXT_MAX);

	assert_int_equal(buf_append_str(&text, STR("{\"keys\":[{\"kty\":\"RSA\",\"n\":\"")), 0);
	for (size_t i = 1; i < modulus_digits; i++)
		assert_int_equal(buf_append_char(&text, '_'), 0);
	assert_int_equal(buf_append_char(&text, last), 0);
	assert_int_equal(buf_printf(&text, "\",\"e\":\"%s\"}]}", exponent), 0);
	return count_of(buf_view(&text));
}

static void test_rsa_numbers(void **state)
{
	/* 1024 bytes are 1366 digits, the last of which has four bits; 1025 bytes are 1367. */
	assert_int_equal(count_rsa(1366, 'w', "AQAB"), 1);
	assert_int_equal(count_rsa(1367, '8', "AQAB"), 0);
	assert_int_equal(count_rsa(100000, '_', "AQAB"), 0);
	assert_int_equal(count_rsa(1366, 'g', "AQAB"), 0); /* even */
	assert_int_equal(count_rsa(1366, 'w', "Aw"), 1);
	assert_int_equal(count_rsa(1366, 'w', "AQ"), 0);
	assert_int_equal(count_rsa(1366, 'w', "AA"), 0);
	assert_int_equal(count_rsa(1366, 'w', "AQAA"), 0);
	assert_int_equal(count_rsa(1366, 'w', "AQAAAAAAAAAB"), 0);
	assert_int_equal(count_rsa(1366, 'w', "AQAB="), 0);
	assert_int_equal(count_rsa(1366, 'w', "AR"), 0);
}

static void test_limits(void **state)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT(TEXT_MAX);
	size_t len;

	assert_int_equal(buf_append_str(&text, STR("{\"keys\":[{" EC "}")), 0);
	for (int i = 1; i < JWKS_KEYS_MAX; i++)
		assert_int_equal(buf_append_str(&text, i % 2 ? STR(",{" OKP "}") : STR(",{}")), 0);
	len = text.len;
	assert_int_equal(buf_append_str(&text, STR("]}")), 0);
	assert_int_equal(count_of(buf_view(&text)), 1 + JWKS_KEYS_MAX / 2);
	buf_truncate(&text, len);
	assert_int_equal(buf_append_str(&text, STR(",{}]}")), 0);
	assert_int_equal(count_of(buf_view(&text)), -1);

	buf_truncate(&text, 0);
	assert_int_equal(buf_append_str(&text, STR("{\"keys\":[]}")), 0);
	while (text.len < JWKS_TEXT_MAX)
		assert_int_equal(buf_append_char(&text, ' '), 0);
	assert_int_equal(count_of(buf_view(&text)), 0);
	assert_int_equal(buf_append_char(&text, ' '), 0);
	assert_int_equal(count_of(buf_view(&text)), -1);

	buf_truncate(&text, 0);
	while (text.len < JWKS_TEXT_MAX)
		assert_int_equal(buf_append_char(&text, '['), 0);
	assert_int_equal(count_of(buf_view(&text)), -1);
}

static void test_every_prefix(void **state)
{
	static const char whole[] = SET("\"kid\":\"a\\\"b\"," EC "},{" OKP);
	struct str text = str_from(whole);

	for (size_t len = 0; len < text.len; len++)
		assert_int_equal(count_of(str_first(text, len)), -1);
	assert_int_equal(count_of(text), 2);
}

static void test_references(void **state)
{
	struct jwks *keys = NULL;
	struct err e;

	assert_int_equal(jwks_parse(STR(SET(EC)), &keys, &e), 0);
	jwks_unref(jwks_ref(keys));
	assert_int_equal(jwks_count(keys), 1);
	jwks_unref(keys);
	jwks_unref(NULL);
}

static void test_algorithm_names(void **state)
{
	static const char *const names[] = { "RS256", "RS384", "RS512", "PS256", "PS384",
					     "PS512", "ES256", "ES384", "ES512", "EdDSA" };
	static const char *const others[] = { "",      "none",   "None",   "HS256",  "HS384",
					      "HS512", "rs256",  "RS256 ", "ES256K", "EDDSA",
					      "RS25",  "RS2566", "RSA1_5" };
	enum jws_algorithm algorithm;

	for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
		assert_true(jws_algorithm_parse(str_from(names[i]), &algorithm));
		assert_int_equal(algorithm, i);
	}
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		assert_false(jws_algorithm_parse(str_from(others[i]), &algorithm));
	assert_false(jws_algorithm_parse(str_of("RS256\0", 6), &algorithm));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kept_or_left_out),
		cmocka_unit_test(test_no_key_set),
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_rsa_numbers),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_every_prefix),
		cmocka_unit_test(test_references),
		cmocka_unit_test(test_algorithm_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
