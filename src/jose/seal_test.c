#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/codec.h"
#include "jose/seal.h"
#include "tests/vectors/vectors.h"

static const uint8_t key[SEAL_KEY_SIZE] = { 1, 2, 3 };

static void assert_text(struct str is, struct str should)
{
	assert_int_equal(is.len, should.len);
	assert_memory_equal(is.at, should.at, should.len);
}

static void open_vector(const json_t *root, struct str envelope, struct str aad,
			struct str plaintext)
{
	_cleanup_(buf_done) struct buf vector_key = BUF_INIT(SEAL_KEY_SIZE);
	_cleanup_(buf_done) struct buf opened = BUF_INIT(4096);
	struct err e;

	vectors_base64(root, "key_base64", &vector_key);
	assert_int_equal(vector_key.len, SEAL_KEY_SIZE);
	assert_int_equal(seal_open(vector_key.data, envelope, aad, &opened, &e), 0);
	assert_text(buf_view(&opened), plaintext);
}

static void test_known_answers(void **state)
{
	json_t *root = vectors_load("session_encrypted.json");
	const json_t *small = vectors_get(root, "small");
	const json_t *session = vectors_get(root, "session");
	_cleanup_(buf_done) struct buf envelope = BUF_INIT(4096);

	vectors_hex(small, "envelope_hex", &envelope);
	open_vector(root, buf_view(&envelope), STR(""), vectors_str(small, "plaintext"));
	buf_truncate(&envelope, 0);
	vectors_hex(small, "envelope_with_aad_hex", &envelope);
	open_vector(root, buf_view(&envelope), vectors_str(small, "aad"),
		    vectors_str(small, "plaintext"));
	buf_truncate(&envelope, 0);
	assert_int_equal(base64_decode(&envelope, BASE64_URL_PADDED,
				       vectors_str(session, "pomerium_session_encrypted")),
			 0);
	open_vector(root, buf_view(&envelope), STR(""), vectors_str(session, "plaintext"));
	json_decref(root);
}

static void round_trip(struct str plaintext, struct str aad)
{
	_cleanup_(buf_done) struct buf first = BUF_INIT(4096);
	_cleanup_(buf_done) struct buf second = BUF_INIT(4096);
	_cleanup_(buf_done) struct buf opened = BUF_INIT(plaintext.len);
	struct err e;

	assert_int_equal(seal_close(key, plaintext, aad, &first, &e), 0);
	assert_int_equal(seal_close(key, plaintext, aad, &second, &e), 0);
	assert_int_equal(first.len, plaintext.len + SEAL_OVERHEAD);
	assert_memory_not_equal(first.data, second.data, first.len);
	assert_int_equal(seal_open(key, buf_view(&first), aad, &opened, &e), 0);
	assert_text(buf_view(&opened), plaintext);
}

static void test_round_trips(void **state)
{
	static const char zeros[1000];
	struct str none = { 0 };

	round_trip(none, none);
	round_trip(none, STR("context"));
	round_trip(STR("x"), none);
	round_trip(STR("hello"), STR("context"));
	round_trip(str_of(zeros, sizeof(zeros)), none);
}

static void test_appends(void **state)
{
	_cleanup_(buf_done) struct buf envelope = BUF_INIT(4096);
	_cleanup_(buf_done) struct buf opened = BUF_INIT(4096);
	struct err e;

	assert_int_equal(buf_append_str(&envelope, STR("ab")), 0);
	assert_int_equal(buf_append_str(&opened, STR("cd")), 0);
	assert_int_equal(seal_close(key, STR("hello"), STR(""), &envelope, &e), 0);
	assert_int_equal(seal_open(key, str_from_pos(buf_view(&envelope), 2), STR(""), &opened, &e),
			 0);
	assert_text(buf_view(&opened), STR("cdhello"));
}

static void test_every_bit_counts(void **state)
{
	_cleanup_(buf_done) struct buf envelope = BUF_INIT(4096);
	_cleanup_(buf_done) struct buf opened = BUF_INIT(4096);
	struct err e;

	assert_int_equal(seal_close(key, STR("hello"), STR("aad"), &envelope, &e), 0);
	for (size_t i = 0; i < envelope.len * 8; i++) {
		envelope.data[i / 8] ^= (uint8_t)(1u << i % 8);
		assert_int_equal(seal_open(key, buf_view(&envelope), STR("aad"), &opened, &e), -1);
		assert_int_equal(e.kind, ERR_CRYPTO);
		assert_int_equal(opened.len, 0);
		envelope.data[i / 8] ^= (uint8_t)(1u << i % 8);
	}
	for (size_t len = 0; len < envelope.len; len++) {
		struct str cut = str_first(buf_view(&envelope), len);
		assert_int_equal(seal_open(key, cut, STR("aad"), &opened, &e), -1);
	}
	assert_int_equal(seal_open(key, buf_view(&envelope), STR("aaD"), &opened, &e), -1);
	assert_int_equal(seal_open(key, buf_view(&envelope), STR(""), &opened, &e), -1);
	assert_int_equal(seal_open(key, buf_view(&envelope), STR("aad"), &opened, &e), 0);
}

static void test_limits(void **state)
{
	_cleanup_(buf_done) struct buf envelope = BUF_INIT(SEAL_OVERHEAD + 5);
	_cleanup_(buf_done) struct buf opened = BUF_INIT(4);
	struct err e;

	assert_int_equal(seal_close(key, STR("sixsix"), STR(""), &envelope, &e), -1);
	assert_int_equal(e.kind, ERR_LIMIT);
	assert_int_equal(envelope.len, 0);
	assert_int_equal(seal_close(key, STR("five!"), STR(""), &envelope, &e), 0);
	assert_int_equal(seal_open(key, buf_view(&envelope), STR(""), &opened, &e), -1);
	assert_int_equal(e.kind, ERR_LIMIT);
	assert_int_equal(opened.len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known_answers), cmocka_unit_test(test_round_trips),
		cmocka_unit_test(test_appends),       cmocka_unit_test(test_every_bit_counts),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
