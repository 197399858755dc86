#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <openssl/err.h>
#include <openssl/evp.h>

#include "base/codec.h"
#include "jose/jwks.h"
#include "jose/jws.h"
#include "tests/support/jwk_testing.h"

#define TEXT_MAX 65536
#define PAYLOAD  STR("{\"sub\":\"user-1\"}")
#define ALL      JWS_ALGORITHMS_ALL

/* A row per algorithm, in the order of the enum, and one more for the other curve of EdDSA. */
static const struct kind {
	const char *name;
	const char *type;
	const char *size;
} kinds[] = {
	{ "RS256", "RSA", "2048" },   { "RS384", "RSA", "2048" }, { "RS512", "RSA", "2048" },
	{ "PS256", "RSA", "2048" },   { "PS384", "RSA", "2048" }, { "PS512", "RSA", "2048" },
	{ "ES256", "EC", "P-256" },   { "ES384", "EC", "P-384" }, { "ES512", "EC", "P-521" },
	{ "EdDSA", "ED25519", NULL }, { "EdDSA", "ED448", NULL },
};

/* A set as its issuer writes it. */
struct issuer {
	struct buf text;
	struct jwks *keys;
};

static void issuer_add(struct issuer *issuer, EVP_PKEY *key, const char *members)
{
	if (!issuer->text.max)
		issuer->text = BUF_INIT(TEXT_MAX);
	assert_int_equal(
		buf_append_str(&issuer->text, issuer->text.len ? STR(",{") : STR("{\"keys\":[{")),
		0);
	assert_int_equal(buf_append_str(&issuer->text, str_from(members)), 0);
	jwk_testing_members(key, &issuer->text);
	assert_int_equal(buf_append_char(&issuer->text, '}'), 0);
}

static struct jwks *issuer_publish(struct issuer *issuer)
{
	struct err e = { 0 };

	assert_int_equal(buf_append_str(&issuer->text, STR("]}")), 0);
	if (jwks_parse(buf_view(&issuer->text), &issuer->keys, &e))
		fail_msg("%s", e.text);
	return issuer->keys;
}

static void issuer_done(struct issuer *issuer)
{
	jwks_unref(issuer->keys);
	buf_done(&issuer->text);
}

static enum jwt_verdict verify(const struct jwks *keys, uint32_t algorithms, struct str token)
{
	_cleanup_(buf_done) struct buf payload = BUF_INIT(JWS_MAX);
	struct err e = { 0 };
	enum jwt_verdict verdict = jwt_verify(keys, algorithms, token, &payload, &e);

	assert_true(verdict == JWT_GENUINE ? e.kind == ERR_NONE : e.kind && e.text[0]);
	assert_true((verdict == JWT_GENUINE) == (payload.len > 0));
	assert_int_equal(ERR_peek_error(), 0);
	return verdict;
}

static void sign(EVP_PKEY *key, enum jws_algorithm algorithm, const char *header, struct buf *out)
{
	buf_truncate(out, 0);
	jwk_testing_sign(key, algorithm, str_from(header), PAYLOAD, out);
}

static enum jws_algorithm algorithm_of(const struct kind *kind)
{
	enum jws_algorithm algorithm = JWS_RS256;

	assert_true(jws_algorithm_parse(str_from(kind->name), &algorithm));
	return algorithm;
}

/* Only its own name with its own algorithm allowed is good; a changed byte anywhere never is. */
static void check_kind(const struct kind *kind, EVP_PKEY *key, const struct jwks *keys)
{
	_cleanup_(buf_done) struct buf token = BUF_INIT(TEXT_MAX);
	enum jws_algorithm own = algorithm_of(kind);
	char header[64];

	for (size_t i = 0; i < ARRAY_LEN(kinds) - 1; i++) {
		(void)snprintf(header, sizeof(header), "{\"alg\":\"%s\"}", kinds[i].name);
		sign(key, own, header, &token);
		assert_true((verify(keys, ALL, buf_view(&token)) == JWT_GENUINE) == (i == own));
	}
	(void)snprintf(header, sizeof(header), "{\"alg\":\"%s\"}", kind->name);
	sign(key, own, header, &token);
	assert_int_equal(verify(keys, 1u << own, buf_view(&token)), JWT_GENUINE);
	assert_int_equal(verify(keys, ALL & ~(1u << own), buf_view(&token)), JWT_REFUSED);
	assert_int_equal(verify(keys, 0, buf_view(&token)), JWT_REFUSED);
	for (size_t i = 0; i < token.len; i++) {
		bool is_last = i + 1 == token.len || token.data[i + 1] == '.';
		size_t first = is_last ? 0 : i % 2;

		/* Where bits may be left over, each of them. */
		for (size_t bit = first; bit < 8; bit += is_last ? 1 : 2) {
			token.data[i] = (uint8_t)(token.data[i] ^ 1u << bit);
			if (verify(keys, ALL, buf_view(&token)) == JWT_GENUINE)
				fail_msg("%s: bit %zu of byte %zu", kind->name, bit, i);
			token.data[i] = (uint8_t)(token.data[i] ^ 1u << bit);
		}
	}
	for (size_t len = 0; len < token.len; len++)
		assert_int_equal(verify(keys, ALL, str_first(buf_view(&token), len)), JWT_REFUSED);
}

static void test_every_algorithm(void **state)
{
	EVP_PKEY *rsa = jwk_testing_key("RSA", "2048");

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		bool is_rsa = strcmp(kinds[i].type, "RSA") == 0;
		EVP_PKEY *key = is_rsa ? rsa : jwk_testing_key(kinds[i].type, kinds[i].size);
		struct issuer issuer = { 0 };

		issuer_add(&issuer, key, "");
		check_kind(&kinds[i], key, issuer_publish(&issuer));
		issuer_done(&issuer);
		if (!is_rsa)
			EVP_PKEY_free(key);
	}
	EVP_PKEY_free(rsa);
}

/* The key says what it is for. */
static void test_algorithm_of_the_key(void **state)
{
	_cleanup_(buf_done) struct buf token = BUF_INIT(TEXT_MAX);
	EVP_PKEY *key = jwk_testing_key("RSA", "2048");
	struct issuer issuer = { 0 };

	issuer_add(&issuer, key, "\"kid\":\"1\",\"alg\":\"PS256\",");
	(void)issuer_publish(&issuer);
	sign(key, JWS_PS256, "{\"alg\":\"PS256\"}", &token);
	assert_int_equal(verify(issuer.keys, ALL, buf_view(&token)), JWT_GENUINE);
	sign(key, JWS_RS256, "{\"alg\":\"RS256\"}", &token);
	assert_int_equal(verify(issuer.keys, ALL, buf_view(&token)), JWT_KEY_UNKNOWN);
	sign(key, JWS_RS256, "{\"alg\":\"RS256\",\"kid\":\"1\"}", &token);
	assert_int_equal(verify(issuer.keys, ALL, buf_view(&token)), JWT_REFUSED);
	issuer_done(&issuer);
	EVP_PKEY_free(key);
}

static void test_headers(void **state)
{
	static const struct {
		const char *header;
		enum jwt_verdict verdict;
	} cases[] = {
		{ "{\"alg\":\"ES256\"}", JWT_GENUINE },
		{ "{\"typ\":\"JWT\",\"kid\":\"1\",\"alg\":\"ES256\",\"x5t\":\"a\"}", JWT_GENUINE },
		{ "{\"alg\":\"ES256\",\"jku\":\"https://evil.example/\",\"n\":12345678901234567890}",
		  JWT_GENUINE },
		{ "{\"alg\":\"ES256\",\"kid\":\"2\"}", JWT_KEY_UNKNOWN },
		{ "{\"alg\":\"ES256\",\"kid\":\"\"}", JWT_KEY_UNKNOWN },
		{ "{\"alg\":\"ES256\",\"kid\":\"1 \"}", JWT_KEY_UNKNOWN },
		{ "{\"alg\":\"RS256\"}", JWT_KEY_UNKNOWN },
		{ "{\"alg\":\"RS256\",\"kid\":\"1\"}", JWT_REFUSED },
		{ "{\"alg\":\"ES384\",\"kid\":\"1\"}", JWT_REFUSED },
		{ "{\"alg\":\"ES256\",\"kid\":1}", JWT_REFUSED },
		{ "{\"alg\":\"ES256\",\"kid\":null}", JWT_REFUSED },
		{ "{\"alg\":\"ES256\",\"kid\":[\"1\"]}", JWT_REFUSED },
		{ "{\"alg\":\"none\"}", JWT_REFUSED },
		{ "{\"alg\":\"None\"}", JWT_REFUSED },
		{ "{\"alg\":\"HS256\"}", JWT_REFUSED },
		{ "{\"alg\":\"HS512\",\"kid\":\"1\"}", JWT_REFUSED },
		{ "{\"alg\":\"es256\"}", JWT_REFUSED },
		{ "{\"alg\":\"ES256K\"}", JWT_REFUSED },
		{ "{\"alg\":\"\"}", JWT_REFUSED },
		{ "{\"alg\":[\"ES256\"]}", JWT_REFUSED },
		{ "{\"alg\":{\"ES256\":1}}", JWT_REFUSED },
		{ "{\"alg\":null}", JWT_REFUSED },
		{ "{\"alg\":256}", JWT_REFUSED },
		{ "{\"typ\":\"JWT\"}", JWT_REFUSED },
		{ "{}", JWT_REFUSED },
		{ "{\"alg\":\"none\",\"alg\":\"ES256\"}", JWT_REFUSED },
		{ "{\"alg\":\"ES256\",\"alg\":\"ES256\"}", JWT_REFUSED },
		{ "{\"alg\":\"ES256\",\"x\":{\"a\":1,\"a\":1}}", JWT_REFUSED },
		{ "{\"alg\":\"ES256\",\"crit\":[\"exp\"]}", JWT_REFUSED },
		{ "{\"alg\":\"ES256\",\"crit\":[]}", JWT_REFUSED },
		{ "{\"alg\":\"ES256\",\"crit\":null}", JWT_REFUSED },
		{ "{\"alg\":\"ES256\",\"b64\":false}", JWT_REFUSED },
		{ "{\"alg\":\"ES256\",\"b64\":false,\"crit\":[\"b64\"]}", JWT_REFUSED },
		{ "{\"alg\":\"ES256\",\"x\":[[[[[[[[1]]]]]]]]}", JWT_REFUSED },
		{ "{\"alg\":\"ES256\",\"x\":\"\xff\"}", JWT_REFUSED },
		{ "{\"alg\":\"ES256\",\"x\":\"\xc0\x80\"}", JWT_REFUSED },
		{ "{\"alg\":\"ES256\\u0000\"}", JWT_REFUSED },
		{ "{\"alg\":\"ES256\",\"x\":1e999}", JWT_REFUSED },
		{ "[\"ES256\"]", JWT_REFUSED },
		{ "\"ES256\"", JWT_REFUSED },
		{ "{\"alg\":\"ES256\"} x", JWT_REFUSED },
		{ "{\"alg\":\"ES256\"", JWT_REFUSED },
		{ "{\"alg", JWT_REFUSED },
	};
	EVP_PKEY *key = jwk_testing_key("EC", "P-256");
	struct issuer issuer = { 0 };

	issuer_add(&issuer, key, "\"kid\":\"1\",");
	(void)issuer_publish(&issuer);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		_cleanup_(buf_done) struct buf token = BUF_INIT(TEXT_MAX);

		sign(key, JWS_ES256, cases[i].header, &token);
		if (verify(issuer.keys, ALL, buf_view(&token)) != cases[i].verdict)
			fail_msg("header %s", cases[i].header);
	}
	issuer_done(&issuer);
	EVP_PKEY_free(key);
}

/* The header of a good token, with other signatures. */
static void test_signatures(void **state)
{
	static const uint8_t order[32] = { 0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00,
					   0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
					   0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84,
					   0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51 };
	uint8_t bytes[128] = { 0 };
	EVP_PKEY *key = jwk_testing_key("EC", "P-256");
	struct issuer issuer = { 0 };
	_cleanup_(buf_done) struct buf token = BUF_INIT(TEXT_MAX);
	_cleanup_(buf_done) struct buf raw = BUF_INIT(64);
	size_t signed_len;

	issuer_add(&issuer, key, "");
	(void)issuer_publish(&issuer);
	sign(key, JWS_ES256, "{\"alg\":\"ES256\"}", &token);
	signed_len = str_find_last(buf_view(&token), '.') + 1;
	/* r = s = 0 of every length, and r = s = the order. */
	for (size_t len = 0; len <= sizeof(bytes); len++) {
		buf_truncate(&token, signed_len);
		assert_int_equal(base64_encode(&token, BASE64_URL, bytes, len), 0);
		assert_int_equal(verify(issuer.keys, ALL, buf_view(&token)), JWT_REFUSED);
	}
	memcpy(bytes, order, sizeof(order));
	memcpy(bytes + sizeof(order), order, sizeof(order));
	buf_truncate(&token, signed_len);
	assert_int_equal(base64_encode(&token, BASE64_URL, bytes, 2 * sizeof(order)), 0);
	assert_int_equal(verify(issuer.keys, ALL, buf_view(&token)), JWT_REFUSED);

	/* A good one with a zero in front of r and of s: the same numbers. */
	sign(key, JWS_ES256, "{\"alg\":\"ES256\"}", &token);
	assert_int_equal(
		base64_decode(&raw, BASE64_URL, str_from_pos(buf_view(&token), signed_len)), 0);
	memset(bytes, 0, sizeof(bytes));
	memcpy(bytes + 1, raw.data, 32);
	memcpy(bytes + 34, raw.data + 32, 32);
	buf_truncate(&token, signed_len);
	assert_int_equal(base64_encode(&token, BASE64_URL, bytes, 66), 0);
	assert_int_equal(verify(issuer.keys, ALL, buf_view(&token)), JWT_REFUSED);

	/* A good one, longer by a zero. */
	sign(key, JWS_ES256, "{\"alg\":\"ES256\"}", &token);
	assert_int_equal(buf_append_str(&token, STR("AA")), 0);
	assert_int_equal(verify(issuer.keys, ALL, buf_view(&token)), JWT_REFUSED);
	issuer_done(&issuer);
	EVP_PKEY_free(key);
}

/* A name that is empty is one, and a key that has none is not of that name. */
static void test_empty_name(void **state)
{
	_cleanup_(buf_done) struct buf token = BUF_INIT(TEXT_MAX);
	EVP_PKEY *key = jwk_testing_key("EC", "P-256");
	struct issuer without = { 0 };
	struct issuer with = { 0 };

	issuer_add(&without, key, "");
	issuer_add(&with, key, "\"kid\":\"\",");
	sign(key, JWS_ES256, "{\"alg\":\"ES256\",\"kid\":\"\"}", &token);
	assert_int_equal(verify(issuer_publish(&without), ALL, buf_view(&token)), JWT_KEY_UNKNOWN);
	assert_int_equal(verify(issuer_publish(&with), ALL, buf_view(&token)), JWT_GENUINE);
	issuer_done(&without);
	issuer_done(&with);
	EVP_PKEY_free(key);
}

static void test_rotation(void **state)
{
	_cleanup_(buf_done) struct buf old_token = BUF_INIT(TEXT_MAX);
	_cleanup_(buf_done) struct buf new_token = BUF_INIT(TEXT_MAX);
	EVP_PKEY *old_key = jwk_testing_key("EC", "P-256");
	EVP_PKEY *new_key = jwk_testing_key("EC", "P-256");
	struct issuer before = { 0 };
	struct issuer between = { 0 };
	struct issuer after = { 0 };

	issuer_add(&before, old_key, "\"kid\":\"old\",");
	issuer_add(&between, old_key, "\"kid\":\"old\",");
	issuer_add(&between, new_key, "\"kid\":\"new\",");
	issuer_add(&after, new_key, "\"kid\":\"new\",");
	sign(old_key, JWS_ES256, "{\"alg\":\"ES256\",\"kid\":\"old\"}", &old_token);
	sign(new_key, JWS_ES256, "{\"alg\":\"ES256\",\"kid\":\"new\"}", &new_token);

	(void)issuer_publish(&before);
	assert_int_equal(verify(before.keys, ALL, buf_view(&old_token)), JWT_GENUINE);
	assert_int_equal(verify(before.keys, ALL, buf_view(&new_token)), JWT_KEY_UNKNOWN);
	(void)issuer_publish(&between);
	assert_int_equal(verify(between.keys, ALL, buf_view(&old_token)), JWT_GENUINE);
	assert_int_equal(verify(between.keys, ALL, buf_view(&new_token)), JWT_GENUINE);
	(void)issuer_publish(&after);
	assert_int_equal(verify(after.keys, ALL, buf_view(&old_token)), JWT_KEY_UNKNOWN);
	assert_int_equal(verify(after.keys, ALL, buf_view(&new_token)), JWT_GENUINE);

	/* The right key under another's name. */
	sign(new_key, JWS_ES256, "{\"alg\":\"ES256\",\"kid\":\"old\"}", &new_token);
	assert_int_equal(verify(between.keys, ALL, buf_view(&new_token)), JWT_REFUSED);
	issuer_done(&before);
	issuer_done(&between);
	issuer_done(&after);
	EVP_PKEY_free(old_key);
	EVP_PKEY_free(new_key);
}

/* RSA once: it takes its time to make one. */
static const struct kind *kind_at(size_t i)
{
	return i ? &kinds[JWS_ES256 + i % 5] : &kinds[JWS_PS512];
}

/* As many as there may be, of all kinds; half of them are named. */
static void test_full_set(void **state)
{
	EVP_PKEY *keys[JWKS_KEYS_MAX];
	EVP_PKEY *stranger = jwk_testing_key("EC", "P-256");
	_cleanup_(buf_done) struct buf token = BUF_INIT(TEXT_MAX);
	struct issuer issuer = { 0 };
	char text[64];

	for (size_t i = 0; i < JWKS_KEYS_MAX; i++) {
		const struct kind *kind = kind_at(i);

		keys[i] = jwk_testing_key(kind->type, kind->size);
		(void)snprintf(text, sizeof(text), "\"kid\":\"%zu\",", i);
		issuer_add(&issuer, keys[i], i % 2 ? text : "");
	}
	assert_int_equal(jwks_count(issuer_publish(&issuer)), JWKS_KEYS_MAX);
	for (size_t i = 0; i < JWKS_KEYS_MAX; i++) {
		const struct kind *kind = kind_at(i);

		(void)snprintf(text, sizeof(text), "{\"alg\":\"%s\"}", kind->name);
		sign(keys[i], algorithm_of(kind), text, &token);
		assert_int_equal(verify(issuer.keys, ALL, buf_view(&token)), JWT_GENUINE);
		(void)snprintf(text, sizeof(text), "{\"alg\":\"%s\",\"kid\":\"%zu\"}", kind->name,
			       i);
		sign(keys[i], algorithm_of(kind), text, &token);
		assert_int_equal(verify(issuer.keys, ALL, buf_view(&token)),
				 i % 2 ? JWT_GENUINE : JWT_KEY_UNKNOWN);
		EVP_PKEY_free(keys[i]);
	}
	/* All that fit were tried: to ask the issuer again would not help. */
	sign(stranger, JWS_ES256, "{\"alg\":\"ES256\"}", &token);
	assert_int_equal(verify(issuer.keys, ALL, buf_view(&token)), JWT_REFUSED);
	issuer_done(&issuer);
	EVP_PKEY_free(stranger);
}

static void test_empty_set(void **state)
{
	_cleanup_(buf_done) struct buf token = BUF_INIT(TEXT_MAX);
	EVP_PKEY *key = jwk_testing_key("EC", "P-256");
	struct jwks *keys = NULL;
	struct err e;

	assert_int_equal(jwks_parse(STR("{\"keys\":[]}"), &keys, &e), 0);
	sign(key, JWS_ES256, "{\"alg\":\"ES256\"}", &token);
	assert_int_equal(verify(keys, ALL, buf_view(&token)), JWT_KEY_UNKNOWN);
	assert_int_equal(verify(keys, ALL, STR("a.b.c")), JWT_REFUSED);
	jwks_unref(keys);
	EVP_PKEY_free(key);
}

static void test_limits(void **state)
{
	_cleanup_(buf_done) struct buf payload = BUF_INIT(TEXT_MAX);
	_cleanup_(buf_done) struct buf token = BUF_INIT(TEXT_MAX);
	_cleanup_(buf_done) struct buf tiny = BUF_INIT(4);
	EVP_PKEY *key = jwk_testing_key("EC", "P-256");
	struct issuer issuer = { 0 };
	struct err e;

	issuer_add(&issuer, key, "");
	(void)issuer_publish(&issuer);
	/* 20 digits of header, 86 of signature, 2 points. */
	while (payload.len < (JWS_MAX - 108) / 4 * 3)
		assert_int_equal(buf_append_char(&payload, ' '), 0);
	jwk_testing_sign(key, JWS_ES256, STR("{\"alg\":\"ES256\"}"), buf_view(&payload), &token);
	assert_int_equal(token.len, JWS_MAX);
	assert_int_equal(verify(issuer.keys, ALL, buf_view(&token)), JWT_GENUINE);
	buf_truncate(&token, 0);
	assert_int_equal(buf_append_char(&payload, ' '), 0);
	jwk_testing_sign(key, JWS_ES256, STR("{\"alg\":\"ES256\"}"), buf_view(&payload), &token);
	assert_int_equal(jwt_verify(issuer.keys, ALL, buf_view(&token), &payload, &e), JWT_REFUSED);
	assert_int_equal(e.kind, ERR_LIMIT);

	sign(key, JWS_ES256, "{\"alg\":\"ES256\"}", &token);
	assert_int_equal(jwt_verify(issuer.keys, ALL, buf_view(&token), &tiny, &e), JWT_REFUSED);
	assert_int_equal(e.kind, ERR_LIMIT);
	assert_int_equal(tiny.len, 0);
	issuer_done(&issuer);
	EVP_PKEY_free(key);
}

static void test_peek(void **state)
{
	static const char *const bad[] = {
		"",
		".",
		"..",
		"e30.e30",
		"e30..e30",
		"e30.e30.",
		".e30.e30",
		"e30.e3=.e30",
		"e30.e31.e30",
		"e30.e30.e30.",
		"e30.e30.e30.e30.e30",
		"e30.e 0.e30",
		"e30.e.e30",
	};
	_cleanup_(buf_done) struct buf payload = BUF_INIT(JWS_MAX);
	struct err e;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (jwt_peek(str_from(bad[i]), &payload, &e) != -1 || payload.len)
			fail_msg("\"%s\"", bad[i]);
	assert_int_equal(jwt_peek(STR("e30.e30.e30"), &payload, &e), 0);
	assert_true(str_equal(buf_view(&payload), STR("{}")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_algorithm), cmocka_unit_test(test_algorithm_of_the_key),
		cmocka_unit_test(test_headers),         cmocka_unit_test(test_signatures),
		cmocka_unit_test(test_empty_name),      cmocka_unit_test(test_rotation),
		cmocka_unit_test(test_full_set),        cmocka_unit_test(test_empty_set),
		cmocka_unit_test(test_limits),          cmocka_unit_test(test_peek),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
