#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <openssl/err.h>

#include "base/codec.h"
#include "tests/support/jwk_testing.h"
#include "jose/jwks.h"
#include "jose/jws.h"
#include "jose/signing_key.h"
#include "tests/vectors/vectors.h"

#define TEXT_MAX 65536

static void assert_text(struct str is, struct str should)
{
	assert_int_equal(is.len, should.len);
	assert_memory_equal(is.at, should.at, should.len);
}

static struct signing_keys *parse(struct str pem)
{
	struct signing_keys *keys = NULL;
	struct err e = { 0 };

	if (signing_keys_parse(pem, &keys, &e))
		fail_msg("%s", e.text);
	return keys;
}

static void jwks_of(const struct signing_keys *keys, struct buf *out)
{
	buf_truncate(out, 0);
	signing_keys_write_jwks(keys, out);
	assert_false(out->is_overflown);
}

/* The JWK of a vector, member by member in the order of protocol.md 4.3. */
static void expect_vector(const json_t *vector, struct str jwks)
{
	static const char *const names[] = { "use", "kty", "kid", "crv", "alg", "x", "y" };
	const json_t *jwk = vectors_get(vector, "jwk");
	_cleanup_(buf_done) struct buf text = BUF_INIT(TEXT_MAX);

	assert_int_equal(buf_printf(&text, "{\"keys\":[{"), 0);
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		assert_int_equal(buf_printf(&text, "%s\"%s\":\"%.*s\"", i ? "," : "", names[i],
					    STR_FMT(vectors_str(jwk, names[i]))),
				 0);
	assert_int_equal(buf_printf(&text, "}]}"), 0);
	assert_text(jwks, buf_view(&text));
}

static void check_derived(const json_t *vector)
{
	_cleanup_(buf_done) struct buf secret = BUF_INIT(64);
	_cleanup_(buf_done) struct buf text = BUF_INIT(TEXT_MAX);
	struct signing_keys *keys = NULL;
	struct err e;

	vectors_base64(vector, "shared_secret_base64", &secret);
	assert_int_equal(signing_keys_derive(buf_view(&secret), &keys, &e), 0);
	jwks_of(keys, &text);
	expect_vector(vector, buf_view(&text));
	signing_keys_unref(keys);

	/* The private half is the one of the PEM: a key that is read back verifies itself. */
	keys = parse(vectors_str(vector, "pem"));
	jwks_of(keys, &text);
	expect_vector(vector, buf_view(&text));
	signing_keys_unref(keys);
}

static void test_known_answers(void **state)
{
	json_t *root = vectors_load("derived_signing_key.json");

	check_derived(vectors_get(root, "published"));
	check_derived(vectors_get(root, "second"));
	json_decref(root);
}

static void test_known_assertion(void **state)
{
	json_t *derived = vectors_load("derived_signing_key.json");
	json_t *sample = vectors_load("identity_jwt.json");
	_cleanup_(buf_done) struct buf secret = BUF_INIT(64);
	_cleanup_(buf_done) struct buf text = BUF_INIT(TEXT_MAX);
	_cleanup_(buf_done) struct buf payload = BUF_INIT(JWS_MAX);
	struct signing_keys *keys = NULL;
	struct jwks *set = NULL;
	struct err e;

	vectors_base64(vectors_get(derived, "second"), "shared_secret_base64", &secret);
	assert_int_equal(signing_keys_derive(buf_view(&secret), &keys, &e), 0);
	jwks_of(keys, &text);
	assert_int_equal(jwks_parse(buf_view(&text), &set, &e), 0);
	assert_int_equal(jwt_verify(set, 1u << JWS_ES256, vectors_str(sample, "jwt"), &payload, &e),
			 JWT_GENUINE);
	assert_text(buf_view(&payload), vectors_str(sample, "payload"));

	/* Our own begins with the same header. */
	buf_truncate(&text, 0);
	assert_int_equal(signing_keys_sign(keys, vectors_str(sample, "payload"), &text, &e), 0);
	size_t signed_len = str_find_last(buf_view(&text), '.');
	assert_int_equal(signed_len, str_find_last(vectors_str(sample, "jwt"), '.'));
	assert_memory_equal(text.data, vectors_str(sample, "jwt").at, signed_len);
	jwks_unref(set);
	signing_keys_unref(keys);
	json_decref(derived);
	json_decref(sample);
}

/* Signed by the first, verified by what all of them publish. */
static void check_signing(struct str pem, enum jws_algorithm algorithm, size_t count)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT(TEXT_MAX);
	_cleanup_(buf_done) struct buf token = BUF_INIT(JWS_MAX);
	_cleanup_(buf_done) struct buf payload = BUF_INIT(JWS_MAX);
	struct signing_keys *keys = parse(pem);
	struct jwks *set = NULL;
	struct err e;

	jwks_of(keys, &text);
	assert_int_equal(jwks_parse(buf_view(&text), &set, &e), 0);
	assert_int_equal(jwks_count(set), count);
	assert_int_equal(signing_keys_sign(keys, STR("{\"a\":1}"), &token, &e), 0);
	assert_int_equal(jwt_verify(set, 1u << algorithm, buf_view(&token), &payload, &e),
			 JWT_GENUINE);
	assert_text(buf_view(&payload), STR("{\"a\":1}"));
	assert_int_equal(ERR_peek_error(), 0);
	jwks_unref(set);
	signing_keys_unref(keys);
}

static void test_signing(void **state)
{
	_cleanup_(buf_done) struct buf pem = BUF_INIT(TEXT_MAX);

	jwk_testing_pem("EC", "P-256", &pem);
	check_signing(buf_view(&pem), JWS_ES256, 1);
	jwk_testing_pem("RSA", "2048", &pem);
	check_signing(buf_view(&pem), JWS_ES256, 2);
	buf_truncate(&pem, 0);
	jwk_testing_pem("RSA", "2048", &pem);
	assert_int_equal(buf_append_str(&pem, STR("\n \r\n")), 0);
	jwk_testing_pem("EC", "P-256", &pem);
	check_signing(buf_view(&pem), JWS_RS256, 2);
}

static void expect_refused(struct str pem, const char *reason)
{
	struct signing_keys *keys = NULL;
	struct err e = { 0 };

	if (signing_keys_parse(pem, &keys, &e) != -1)
		fail_msg("accepted, though %s", reason);
	if (!str_contains(str_from(e.text), str_from(reason)))
		fail_msg("\"%s\" does not say \"%s\"", e.text, reason);
	assert_null(keys);
	assert_int_equal(ERR_peek_error(), 0);
}

static void test_kinds_refused(void **state)
{
	static const struct {
		const char *type;
		const char *size;
		const char *reason;
	} cases[] = {
		{ "EC", "P-384", "neither EC P-256 nor RSA" },
		{ "EC", "secp256k1", "neither EC P-256 nor RSA" },
		{ "RSA", "1024", "neither EC P-256 nor RSA" },
		{ "RSA-PSS", "2048", "neither EC P-256 nor RSA" },
		{ "ED25519", NULL, "neither EC P-256 nor RSA" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		_cleanup_(buf_done) struct buf pem = BUF_INIT(TEXT_MAX);

		jwk_testing_pem(cases[i].type, cases[i].size, &pem);
		expect_refused(buf_view(&pem), cases[i].reason);
	}
}

#define GOOD                                                                                       \
	"-----BEGIN EC PRIVATE KEY-----\n"                                                         \
	"MHcCAQEEIMQ72t5S8SUrsgQ21f2au7jmvv5p+ThiFqP3DPkINdysoAoGCCqGSM49\n"                       \
	"AwEHoUQDQgAE1uOUuU7VQuyIQZJTQQ85nB/uP8iBgYYDyiS8sUpYnH8YOSHMhZQ4\n"                       \
	"pLAena2KwnLoVhJRz22eCNMXA2UEAPPwlg==\n"                                                   \
	"-----END EC PRIVATE KEY-----\n"

/* The public half of another key. */
#define UNEQUAL_HALVES                                                                             \
	"-----BEGIN EC PRIVATE KEY-----\n"                                                         \
	"MHcCAQEEIKgZBs2Con07f98aF1eGk8Z+6pMIXTy9gsMiddPEMhv9oAoGCCqGSM49\n"                       \
	"AwEHoUQDQgAE1uOUuU7VQuyIQZJTQQ85nB/uP8iBgYYDyiS8sUpYnH8YOSHMhZQ4\n"                       \
	"pLAena2KwnLoVhJRz22eCNMXA2UEAPPwlg==\n"                                                   \
	"-----END EC PRIVATE KEY-----\n"

#define PARAMETERS "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"

static void test_text_refused(void **state)
{
	static const struct {
		const char *pem;
		const char *reason;
	} cases[] = {
		{ "", "there is no private key" },
		{ " \n", "there is no private key" },
		{ PARAMETERS, "there is no private key" },
		{ "x", "there is text that is not PEM" },
		{ "x\n" GOOD, "there is text that is not PEM" },
		{ GOOD "x", "key 2: there is text that is not PEM" },
		{ GOOD "\nBag Attributes\n" GOOD, "key 2: there is text that is not PEM" },
		{ "-----BEGIN EC PRIVATE KEY-----\nAAAA\n", "END line is missing" },
		{ "-----BEGIN EC PRIVATE KEY-----", "END line is missing" },
		{ "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n",
		  "END line is missing" },
		{ "-----BEGIN PRIVATE KEY-----\n-----BEGIN PRIVATE KEY-----\n"
		  "-----END PRIVATE KEY-----\n",
		  "END line is missing" },
		{ "-----BEGIN -----\n-----END -----\n", "it is no private key" },
		{ "-----BEGIN -----BEGIN -----\n", "END line is missing" },
		{ "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
		  "it is no private key but \"PUBLIC KEY\"" },
		{ "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
		  "it is no private key but \"CERTIFICATE\"" },
		{ "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
		  "it cannot be read" },
		{ "-----BEGIN PRIVATE KEY-----\nA*==\n-----END PRIVATE KEY-----\n",
		  "it cannot be read" },
		{ "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n", "it cannot be read" },
		{ "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n"
		  "-----END ENCRYPTED PRIVATE KEY-----\n",
		  "it is encrypted" },
		{ "-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n"
		  "DEK-Info: AES-128-CBC,00\n\nAAAA\n-----END EC PRIVATE KEY-----\n",
		  "it is encrypted" },
		{ UNEQUAL_HALVES, "do not belong together" },
		{ GOOD UNEQUAL_HALVES, "key 2: its two halves" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		expect_refused(str_from(cases[i].pem), cases[i].reason);
}

static void test_text_accepted(void **state)
{
	static const char *const cases[] = {
		GOOD,
		"\n\n" GOOD "\n",
		PARAMETERS GOOD,
		GOOD PARAMETERS,
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		signing_keys_unref(parse(str_from(cases[i])));
	/* As an editor on Windows leaves it, and without the last line's end. */
	_cleanup_(buf_done) struct buf text = BUF_INIT(TEXT_MAX);
	for (const char *c = GOOD; c[1]; c++)
		assert_int_equal(buf_append_str(&text, *c == '\n' ? STR("\r\n") : str_of(c, 1)), 0);
	signing_keys_unref(parse(buf_view(&text)));
}

/* A byte behind the key, inside its block. */
static void test_trailing_byte(void **state)
{
	_cleanup_(buf_done) struct buf der = BUF_INIT(TEXT_MAX);
	_cleanup_(buf_done) struct buf pem = BUF_INIT(TEXT_MAX);

	jwk_testing_der("EC", "P-256", &der);
	for (int extra = 0; extra < 2; extra++) {
		buf_truncate(&pem, 0);
		assert_int_equal(buf_append_str(&pem, STR("-----BEGIN PRIVATE KEY-----\n")), 0);
		assert_int_equal(base64_encode(&pem, BASE64_STANDARD, der.data, der.len), 0);
		assert_int_equal(buf_append_str(&pem, STR("\n-----END PRIVATE KEY-----\n")), 0);
		if (extra)
			expect_refused(buf_view(&pem), "it cannot be read");
		else
			signing_keys_unref(parse(buf_view(&pem)));
		assert_int_equal(buf_append_char(&der, 0), 0);
	}
}

static void test_limits(void **state)
{
	_cleanup_(buf_done) struct buf pem = BUF_INIT(TEXT_MAX);
	_cleanup_(buf_done) struct buf payload = BUF_INIT(JWS_MAX);
	_cleanup_(buf_done) struct buf token = BUF_INIT(2 * JWS_MAX);
	_cleanup_(buf_done) struct buf tiny = BUF_INIT(20);
	struct signing_keys *keys;
	struct str none = { 0 };
	struct err e;

	for (int i = 0; i < SIGNING_KEYS_MAX; i++)
		assert_int_equal(buf_append_str(&pem, STR(GOOD)), 0);
	keys = parse(buf_view(&pem));
	assert_int_equal(buf_append_str(&pem, STR(GOOD)), 0);
	expect_refused(buf_view(&pem), "more than 16 keys");

	assert_int_equal(signing_keys_sign(keys, none, &token, &e), -1);
	while (payload.len < JWS_MAX)
		assert_int_equal(buf_append_char(&payload, ' '), 0);
	assert_int_equal(signing_keys_sign(keys, buf_view(&payload), &token, &e), -1);
	assert_int_equal(e.kind, ERR_LIMIT);
	assert_int_equal(token.len, 0);
	assert_int_equal(signing_keys_sign(keys, STR("{}"), &tiny, &e), -1);
	assert_int_equal(tiny.len, 0);
	signing_keys_unref(signing_keys_ref(keys));
	signing_keys_unref(keys);
	signing_keys_unref(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known_answers), cmocka_unit_test(test_known_assertion),
		cmocka_unit_test(test_signing),       cmocka_unit_test(test_kinds_refused),
		cmocka_unit_test(test_text_refused),  cmocka_unit_test(test_text_accepted),
		cmocka_unit_test(test_trailing_byte), cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
