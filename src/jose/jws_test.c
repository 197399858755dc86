#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/codec.h"
#include "base/mem.h"
#include "jose/jws.h"
#include "jose/mac.h"
#include "tests/vectors/vectors.h"

#define KEY STR("0123456789abcdef0123456789abcdef")

static void assert_text(struct str is, struct str should)
{
	assert_int_equal(is.len, should.len);
	assert_memory_equal(is.at, should.at, should.len);
}

/* Signs any header with the right key, independently of jws.c: only the header can be at fault. */
static void forge(struct str header, struct str payload, struct buf *out)
{
	uint8_t mac[HMAC_SHA256_SIZE];

	assert_int_equal(base64_encode(out, BASE64_URL, header.at, header.len), 0);
	assert_int_equal(buf_append_char(out, '.'), 0);
	assert_int_equal(base64_encode(out, BASE64_URL, payload.at, payload.len), 0);
	hmac_sha256(KEY, buf_view(out), mac);
	assert_int_equal(buf_append_char(out, '.'), 0);
	assert_int_equal(base64_encode(out, BASE64_URL, mac, sizeof(mac)), 0);
}

static void check_known_answer(struct str key, const json_t *vector)
{
	_cleanup_(buf_done) struct buf token = BUF_INIT(JWS_MAX);
	_cleanup_(buf_done) struct buf payload = BUF_INIT(JWS_MAX);
	struct str text = vectors_str(vector, "payload");
	struct err e;

	assert_int_equal(jws_sign_hs256(key, text, &token, &e), 0);
	assert_text(buf_view(&token), vectors_str(vector, "jwt"));
	assert_int_equal(jws_verify_hs256(key, buf_view(&token), &payload, &e), 0);
	assert_text(buf_view(&payload), text);
}

static void test_known_answers(void **state)
{
	json_t *root = vectors_load("session_jwt.json");
	_cleanup_(buf_done) struct buf key = BUF_INIT(32);

	vectors_base64(root, "key_base64", &key);
	check_known_answer(buf_view(&key), vectors_get(root, "session"));
	check_known_answer(buf_view(&key), vectors_get(root, "service_account"));
	json_decref(root);
}

static void test_known_rejections(void **state)
{
	json_t *root = vectors_load("session_jwt.json");
	const json_t *cases = vectors_get(root, "reject");
	_cleanup_(buf_done) struct buf key = BUF_INIT(32);
	_cleanup_(buf_done) struct buf payload = BUF_INIT(JWS_MAX);
	struct err e;

	vectors_base64(root, "key_base64", &key);
	assert_true(json_array_size(cases) >= 3);
	for (size_t i = 0; i < json_array_size(cases); i++) {
		struct str token = vectors_str(json_array_get(cases, i), "jwt");
		assert_int_equal(jws_verify_hs256(buf_view(&key), token, &payload, &e), -1);
		assert_int_equal(payload.len, 0);
	}
	json_decref(root);
}

static void test_headers(void **state)
{
	static const struct {
		const char *header;
		int result;
	} cases[] = {
		{ "{\"alg\":\"HS256\",\"typ\":\"JWT\"}", 0 },
		{ "{\"typ\":\"JWT\",\"alg\":\"HS256\"}", 0 },
		{ "{\"alg\":\"HS256\"}", 0 },
		{ "{\"alg\":\"HS256\",\"kid\":\"1\"}", 0 },
		{ "{\"alg\":\"hs256\"}", -1 },
		{ "{\"alg\":\"HS384\"}", -1 },
		{ "{\"alg\":\"HS512\"}", -1 },
		{ "{\"alg\":\"ES256\"}", -1 },
		{ "{\"alg\":\"RS256\"}", -1 },
		{ "{\"alg\":\"none\"}", -1 },
		{ "{\"alg\":\"\"}", -1 },
		{ "{\"alg\":[\"HS256\"]}", -1 },
		{ "{\"alg\":null}", -1 },
		{ "{\"typ\":\"JWT\"}", -1 },
		{ "{\"alg\":\"none\",\"alg\":\"HS256\"}", -1 },
		{ "{\"alg\":\"HS256\",\"alg\":\"HS256\"}", -1 },
		{ "{\"alg\":\"HS256\",\"crit\":[\"b64\"],\"b64\":false}", -1 },
		{ "[\"HS256\"]", -1 },
		{ "\"HS256\"", -1 },
		{ "{\"alg\":\"HS256\"} x", -1 },
		{ "{\"alg\":\"HS256\"", -1 },
		{ "{", -1 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		_cleanup_(buf_done) struct buf token = BUF_INIT(JWS_MAX);
		_cleanup_(buf_done) struct buf payload = BUF_INIT(JWS_MAX);
		struct err e;

		forge(str_from(cases[i].header), STR("{}"), &token);
		if (jws_verify_hs256(KEY, buf_view(&token), &payload, &e) != cases[i].result)
			fail_msg("header %s", cases[i].header);
		assert_int_equal(payload.len, cases[i].result ? 0 : 2);
	}
}

static void test_oversized_header(void **state)
{
	_cleanup_(buf_done) struct buf header = BUF_INIT(4096);
	_cleanup_(buf_done) struct buf token = BUF_INIT(JWS_MAX);
	_cleanup_(buf_done) struct buf payload = BUF_INIT(JWS_MAX);
	struct err e;

	assert_int_equal(buf_append_str(&header, STR("{\"alg\":\"HS256\",\"kid\":\"")), 0);
	for (int i = 0; i < 2000; i++)
		assert_int_equal(buf_append_char(&header, 'k'), 0);
	assert_int_equal(buf_append_str(&header, STR("\"}")), 0);
	forge(buf_view(&header), STR("{}"), &token);
	assert_int_equal(jws_verify_hs256(KEY, buf_view(&token), &payload, &e), -1);
}

static void test_malformed(void **state)
{
	static const char *const cases[] = {
		"",
		".",
		"..",
		"...",
		"a",
		"eyJhbGciOiJIUzI1NiJ9",
		"eyJhbGciOiJIUzI1NiJ9.e30",
		"eyJhbGciOiJIUzI1NiJ9.e30.",
		"eyJhbGciOiJIUzI1NiJ9..AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
		".e30.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
		"eyJhbGciOiJIUzI1NiJ9.e30.AAAA",
		"eyJhbGciOiJIUzI1NiJ9.e30.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA.",
		"eyJhbGciOiJIUzI1NiJ9.e30.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA.e30",
		"eyJhbGciOiJIUzI1NiJ9=.e30.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		_cleanup_(buf_done) struct buf payload = BUF_INIT(JWS_MAX);
		struct err e = { 0 };

		if (jws_verify_hs256(KEY, str_from(cases[i]), &payload, &e) != -1)
			fail_msg("token %s", cases[i]);
		assert_int_not_equal(e.kind, ERR_NONE);
	}
}

/*
 * Every change of one byte of a good token must be noticed, spelling variants of base64 included.
 */
static void test_every_byte_counts(void **state)
{
	_cleanup_(buf_done) struct buf token = BUF_INIT(JWS_MAX);
	static const char replacements[] = "AQgw_-.=+/ \n";
	struct err e;

	assert_int_equal(jws_sign_hs256(KEY, STR("{\"jti\":\"1\"}"), &token, &e), 0);
	for (size_t i = 0; i < token.len; i++) {
		uint8_t good = token.data[i];

		for (size_t j = 0; j < sizeof(replacements); j++) {
			_cleanup_(buf_done) struct buf payload = BUF_INIT(JWS_MAX);

			if ((uint8_t)replacements[j] == good)
				continue;
			token.data[i] = (uint8_t)replacements[j];
			if (!jws_verify_hs256(KEY, buf_view(&token), &payload, &e))
				fail_msg("byte %zu as %c", i, replacements[j]);
		}
		token.data[i] = good;
	}
	for (size_t len = 0; len < token.len; len++) {
		_cleanup_(buf_done) struct buf payload = BUF_INIT(JWS_MAX);
		assert_int_equal(
			jws_verify_hs256(KEY, str_first(buf_view(&token), len), &payload, &e), -1);
	}
}

static void test_limits(void **state)
{
	_cleanup_(buf_done) struct buf long_text = BUF_INIT(2 * JWS_MAX);
	_cleanup_(buf_done) struct buf token = BUF_INIT(4 * JWS_MAX);
	_cleanup_(buf_done) struct buf payload = BUF_INIT(2 * JWS_MAX);
	_cleanup_(buf_done) struct buf tiny = BUF_INIT(1);
	struct err e;

	while (long_text.len < JWS_MAX)
		assert_int_equal(buf_append_char(&long_text, ' '), 0);
	assert_int_equal(jws_sign_hs256(KEY, buf_view(&long_text), &token, &e), -1);
	assert_int_equal(e.kind, ERR_LIMIT);
	assert_int_equal(token.len, 0);

	forge(STR("{\"alg\":\"HS256\"}"), buf_view(&long_text), &token);
	assert_int_equal(jws_verify_hs256(KEY, buf_view(&token), &payload, &e), -1);
	assert_int_equal(e.kind, ERR_LIMIT);
	assert_int_equal(payload.len, 0);

	buf_truncate(&token, 0);
	assert_int_equal(jws_sign_hs256(KEY, STR("{}"), &token, &e), 0);
	assert_int_equal(jws_verify_hs256(KEY, buf_view(&token), &tiny, &e), -1);
	assert_int_equal(tiny.len, 0);
	assert_int_equal(jws_sign_hs256(KEY, STR("{}"), &tiny, &e), -1);
	assert_int_equal(tiny.len, 0);
}

static void test_keys(void **state)
{
	_cleanup_(buf_done) struct buf token = BUF_INIT(JWS_MAX);
	_cleanup_(buf_done) struct buf payload = BUF_INIT(JWS_MAX);
	struct str none = { 0 };
	struct err e;

	assert_int_equal(jws_sign_hs256(none, STR("{}"), &token, &e), -1);
	assert_int_equal(jws_sign_hs256(KEY, none, &token, &e), -1);
	assert_int_equal(token.len, 0);
	assert_int_equal(jws_sign_hs256(KEY, STR("{}"), &token, &e), 0);
	assert_int_equal(jws_verify_hs256(none, buf_view(&token), &payload, &e), -1);
	assert_int_equal(jws_verify_hs256(STR("0123456789abcdef0123456789abcdeF"), buf_view(&token),
					  &payload, &e),
			 -1);
	assert_int_equal(e.kind, ERR_CRYPTO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known_answers), cmocka_unit_test(test_known_rejections),
		cmocka_unit_test(test_headers),       cmocka_unit_test(test_oversized_header),
		cmocka_unit_test(test_malformed),     cmocka_unit_test(test_every_byte_counts),
		cmocka_unit_test(test_limits),        cmocka_unit_test(test_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
