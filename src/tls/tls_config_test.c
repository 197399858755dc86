/*
 * What the operator gives is either used or refused with one sentence that names where it came from.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include "base/mem.h"
#include "tests/support/tls_testing.h"
#include "tls/tls_config.h"

struct fixture {
	struct test_pem ca;
	struct test_pem one;
	struct test_pem two;
	struct buf encrypted_key;
	struct buf half_chain;
	struct buf chain;
};

static void encrypt_key(const struct buf *pem, struct buf *out)
{
	BIO *in = BIO_new_mem_buf(pem->data, (int)pem->len);
	BIO *bio = BIO_new(BIO_s_mem());
	EVP_PKEY *key = PEM_read_bio_PrivateKey(in, NULL, NULL, NULL);
	char passphrase[] = "secret";
	char *text = NULL;
	long len;

	PEM_write_bio_PKCS8PrivateKey(bio, key, EVP_aes_128_cbc(), passphrase, 6, NULL, NULL);
	len = BIO_get_mem_data(bio, &text);
	buf_append(out, text, (size_t)len);
	EVP_PKEY_free(key);
	BIO_free(in);
	BIO_free(bio);
}

static int set_up(void **state)
{
	struct fixture *f = mem_alloc(sizeof(*f));

	test_pem_ca(&f->ca, "Test CA");
	test_pem_server(&f->one, &f->ca, "one.example");
	test_pem_server(&f->two, &f->ca, "two.example");
	f->encrypted_key = BUF_INIT(TEST_PEM_MAX);
	f->half_chain = BUF_INIT(TEST_PEM_MAX);
	f->chain = BUF_INIT(TEST_PEM_MAX);
	encrypt_key(&f->one.key, &f->encrypted_key);
	buf_append_str(&f->chain, buf_view(&f->one.certificate));
	buf_append_str(&f->chain, buf_view(&f->ca.certificate));
	buf_append_str(&f->half_chain, str_first(buf_view(&f->chain), f->chain.len - 100));
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	test_pem_done(&f->ca);
	test_pem_done(&f->one);
	test_pem_done(&f->two);
	buf_done(&f->encrypted_key);
	buf_done(&f->half_chain);
	buf_done(&f->chain);
	mem_free(f);
	return 0;
}

static void expect_server_error(struct str certificate, struct str key, const char *text)
{
	struct tls_key_pair pair = { certificate, key, "/etc/x/tls.crt" };
	struct tls_server_options options = { .pairs = &pair, .pair_count = 1 };
	struct tls_config *config = NULL;
	struct err e = { 0 };

	assert_int_equal(tls_config_new_server(&options, &config, &e), -1);
	assert_null(config);
	assert_int_equal(e.kind, ERR_CONFIG);
	if (!str_contains(str_from(e.text), str_from(text)))
		fail_msg("\"%s\" does not contain \"%s\"", e.text, text);
	assert_true(str_starts_with(str_from(e.text), STR("/etc/x/tls.crt: ")));
	assert_false(str_contains(str_from(e.text), STR("-----")));
	assert_int_equal(ERR_peek_error(), 0);
}

static void test_bad_pairs(void **state)
{
	const struct fixture *f = *state;
	struct str certificate = buf_view(&f->one.certificate);
	struct str key = buf_view(&f->one.key);
	struct str broken = STR("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");

	expect_server_error(certificate, buf_view(&f->two.key),
			    "does not belong to the certificate");
	expect_server_error(certificate, buf_view(&f->encrypted_key), "is encrypted");
	expect_server_error(certificate, STR(""), "no private key");
	expect_server_error(certificate, certificate, "no private key");
	expect_server_error(certificate, str_first(key, key.len / 2), "private key cannot be read");
	expect_server_error(STR(""), key, "no certificate");
	expect_server_error(STR("\0\1\2\3"), key, "no certificate");
	expect_server_error(key, key, "no certificate");
	expect_server_error(broken, key, "certificate cannot be read");
	expect_server_error(str_first(certificate, certificate.len - 60), key,
			    "certificate cannot be read");
	expect_server_error(buf_view(&f->half_chain), key,
			    "certificate 2 of the chain cannot be read");
}

static void test_good_pairs(void **state)
{
	const struct fixture *f = *state;
	struct tls_key_pair pairs[] = {
		test_key_pair(&f->one),
		test_key_pair(&f->two),
		{ buf_view(&f->chain), buf_view(&f->one.key), NULL },
	};
	struct tls_server_options options = { .pairs = pairs, .pair_count = ARRAY_LEN(pairs) };
	struct tls_config *config = NULL;

	assert_int_equal(tls_config_new_server(&options, &config, NULL), 0);
	tls_config_unref(tls_config_ref(config));
	tls_config_unref(config);
	tls_config_unref(NULL);
}

static void test_server_without_pair(void **state)
{
	struct tls_server_options options = { 0 };
	struct tls_config *config = NULL;

	assert_int_equal(tls_config_new_server(&options, &config, NULL), 0);
	tls_config_unref(config);
}

static void test_bad_alpn(void **state)
{
	char *too_long = mem_alloc(257);
	const char *const long_list[] = { too_long, NULL };
	const char *const empty_list[] = { "", NULL };
	struct tls_server_options server = { .alpn = long_list };
	struct tls_client_options client = { .alpn = empty_list };
	struct tls_config *config = NULL;
	struct err e = { 0 };

	memset(too_long, 'x', 256);
	assert_int_equal(tls_config_new_server(&server, &config, &e), -1);
	assert_int_equal(tls_config_new_client(&client, &config, &e), -1);
	assert_int_equal(e.kind, ERR_CONFIG);
	mem_free(too_long);
}

static void test_client_roots_and_pair(void **state)
{
	const struct fixture *f = *state;
	struct tls_key_pair good = test_key_pair(&f->one);
	struct tls_key_pair bad = { buf_view(&f->one.certificate), buf_view(&f->two.key),
				    "client.pem" };
	const struct {
		struct str roots;
		const struct tls_key_pair *pair;
		const char *error;
	} cases[] = {
		{ { 0 }, NULL, NULL },
		{ buf_view(&f->ca.certificate), NULL, NULL },
		{ buf_view(&f->chain), &good, NULL },
		{ STR("nonsense"), NULL, "there is no certificate" },
		{ buf_view(&f->half_chain), NULL, "certificate 2 cannot be read" },
		{ { 0 }, &bad, "client.pem: the private key does not belong" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct tls_client_options options = {
			.verify = true,
			.extra_roots_pem = cases[i].roots,
			.client_pair = cases[i].pair,
		};
		struct tls_config *config = NULL;
		struct err e = { 0 };

		assert_int_equal(tls_config_new_client(&options, &config, &e),
				 cases[i].error ? -1 : 0);
		if (cases[i].error)
			assert_true(str_contains(str_from(e.text), str_from(cases[i].error)));
		assert_int_equal(ERR_peek_error(), 0);
		tls_config_unref(config);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bad_pairs),
		cmocka_unit_test(test_good_pairs),
		cmocka_unit_test(test_server_without_pair),
		cmocka_unit_test(test_bad_alpn),
		cmocka_unit_test(test_client_roots_and_pair),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
