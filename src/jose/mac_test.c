#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/codec.h"
#include "jose/mac.h"

static void assert_hex(const uint8_t *bytes, size_t len, const char *should)
{
	_cleanup_(buf_done) struct buf hex = BUF_INIT(128);

	assert_int_equal(hex_encode(&hex, bytes, len), 0);
	assert_int_equal(hex.len, strlen(should));
	assert_memory_equal(hex.data, should, hex.len);
}

static void test_digests(void **state)
{
	struct str none = { 0 };
	uint8_t sha1[SHA1_SIZE];
	uint8_t sha256[SHA256_SIZE];

	digest_sha1(STR("abc"), sha1);
	assert_hex(sha1, sizeof(sha1), "a9993e364706816aba3e25717850c26c9cd0d89d");
	digest_sha256(STR("abc"), sha256);
	assert_hex(sha256, sizeof(sha256),
		   "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	digest_sha256(none, sha256);
	assert_hex(sha256, sizeof(sha256),
		   "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

/* RFC 4231 section 4.3; the SHA-512/256 one is in tests/vectors/signed_url.json as well. */
static void test_macs(void **state)
{
	struct str none = { 0 };
	struct str data = STR("what do ya want for nothing?");
	uint8_t mac[HMAC_SHA256_SIZE];

	hmac_sha256(STR("Jefe"), data, mac);
	assert_hex(mac, sizeof(mac),
		   "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
	hmac_sha512_256(STR("Jefe"), data, mac);
	assert_hex(mac, sizeof(mac),
		   "6df7b24630d5ccb2ee335407081a87188c221489768fa2020513b2d593359456");
	hmac_sha256(none, none, mac);
	assert_hex(mac, sizeof(mac),
		   "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

/* RFC 5869 appendix A.3; more than two blocks; and nothing. */
static void test_key_derivation(void **state)
{
	struct str none = { 0 };
	struct str key = STR("\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b"
			     "\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b");
	uint8_t out[255 * HMAC_SHA256_SIZE] = { 0 };
	uint8_t digest[SHA256_SIZE];

	hkdf_sha256(key, none, out, 42);
	assert_hex(out, 42,
		   "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d"
		   "9d201395faa4b61a96c8");
	assert_int_equal(out[42], 0);
	hkdf_sha256(STR("key"), STR("info"), out, sizeof(out));
	digest_sha256(str_of(out, sizeof(out)), digest);
	assert_hex(digest, sizeof(digest),
		   "215c61907a919297588c5765fffb44a5cf409879badda218fe88608c10ea2ab2");
	hkdf_sha256(key, none, NULL, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_digests),
		cmocka_unit_test(test_macs),
		cmocka_unit_test(test_key_derivation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
