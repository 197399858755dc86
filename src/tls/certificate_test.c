/*
 * Certificates are judged by what a verifier makes of them, not by how they were built.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/clock.h"
#include "base/mem.h"
#include "tests/support/tls_testing.h"
#include "tls/certificate.h"
#include "tls/tls_names.h"

static X509 *parse(const struct buf *pem)
{
	BIO *bio = BIO_new_mem_buf(pem->data, (int)pem->len);
	X509 *certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);

	assert_non_null(certificate);
	BIO_free(bio);
	return certificate;
}

/* As a client would for that name; X509_V_OK or the reason. */
static int verify(X509 *leaf, X509 *root, const char *host, const char *ip)
{
	X509_STORE *store = X509_STORE_new();
	X509_STORE_CTX *context = X509_STORE_CTX_new();
	X509_VERIFY_PARAM *param;
	int result;

	X509_STORE_add_cert(store, root);
	X509_STORE_CTX_init(context, store, leaf, NULL);
	param = X509_STORE_CTX_get0_param(context);
	X509_STORE_CTX_set_default(context, "ssl_server");
	X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_X509_STRICT);
	if (host)
		X509_VERIFY_PARAM_set1_host(param, host, 0);
	if (ip)
		X509_VERIFY_PARAM_set1_ip_asc(param, ip);
	X509_verify_cert(context);
	result = X509_STORE_CTX_get_error(context);
	X509_STORE_CTX_free(context);
	X509_STORE_free(store);
	ERR_clear_error();
	return result;
}

static void test_server_certificate_is_accepted(void **state)
{
	static const struct {
		const char *name;
		const char *host;
		const char *ip;
		int result;
	} cases[] = {
		{ "gate.example.com", "gate.example.com", NULL, X509_V_OK },
		{ "gate.example.com", "GATE.example.com", NULL, X509_V_OK },
		{ "gate.example.com", "other.example.com", NULL, X509_V_ERR_HOSTNAME_MISMATCH },
		{ "*.example.com", "any.example.com", NULL, X509_V_OK },
		{ "*.example.com", "a.b.example.com", NULL, X509_V_ERR_HOSTNAME_MISMATCH },
		{ "127.0.0.1", NULL, "127.0.0.1", X509_V_OK },
		{ "127.0.0.1", NULL, "127.0.0.2", X509_V_ERR_IP_ADDRESS_MISMATCH },
		{ "::1", NULL, "::1", X509_V_OK },
		{ "localhost", "localhost", NULL, X509_V_OK },
	};
	struct test_pem ca;
	X509 *root;

	test_pem_ca(&ca, "Test CA");
	root = parse(&ca.certificate);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct test_pem server;
		X509 *leaf;

		test_pem_server(&server, &ca, cases[i].name);
		leaf = parse(&server.certificate);
		assert_int_equal(verify(leaf, root, cases[i].host, cases[i].ip), cases[i].result);
		X509_free(leaf);
		test_pem_done(&server);
	}
	X509_free(root);
	test_pem_done(&ca);
}

static void test_several_names(void **state)
{
	const struct str names[] = { STR("a.example"), STR("*.a.example"), STR("10.0.0.1"),
				     STR("fe80::1") };
	struct test_pem ca;
	struct test_pem server = { BUF_INIT(TEST_PEM_MAX), BUF_INIT(TEST_PEM_MAX) };
	struct tls_names found;
	X509 *leaf;

	test_pem_ca(&ca, "Test CA");
	assert_int_equal(certificate_make_server(&(struct tls_key_pair){ buf_view(&ca.certificate),
									 buf_view(&ca.key), "CA" },
						 names, 4, &server.certificate, &server.key, NULL),
			 0);
	leaf = parse(&server.certificate);
	tls_names_of(leaf, true, &found);
	assert_int_equal(found.count, 4);
	for (size_t i = 0; i < found.count; i++)
		assert_true(str_equal(str_from(found.items[i]), names[i]));
	tls_names_done(&found);
	tls_names_of(leaf, false, &found);
	assert_int_equal(found.count, 2);
	tls_names_done(&found);
	X509_free(leaf);
	test_pem_done(&server);
	test_pem_done(&ca);
}

static void test_fields(void **state)
{
	struct test_pem ca;
	struct test_pem one;
	struct test_pem two;
	X509 *certificates[3];
	time_t hour_ago = clock_time_t(clock_now_unix() - 3000);
	time_t soon = clock_time_t(clock_now_unix() + CERTIFICATE_SERVER_DAYS * 86400 + 60);

	test_pem_ca(&ca, "Test CA");
	test_pem_server(&one, &ca, "one.example");
	test_pem_server(&two, &ca, "two.example");
	certificates[0] = parse(&ca.certificate);
	certificates[1] = parse(&one.certificate);
	certificates[2] = parse(&two.certificate);
	assert_int_equal(X509_check_ca(certificates[0]), 1);
	assert_int_equal(X509_get_extended_key_usage(certificates[1]), XKU_SSL_SERVER);
	assert_int_equal(X509_get_key_usage(certificates[1]), KU_DIGITAL_SIGNATURE);
	assert_int_equal(X509_get_key_usage(certificates[0]), KU_KEY_CERT_SIGN | KU_CRL_SIGN);
	assert_non_null(X509_get0_subject_key_id(certificates[1]));
	assert_non_null(X509_get0_authority_key_id(certificates[1]));
	assert_true(X509_cmp_time(X509_get0_notBefore(certificates[1]), &hour_ago) < 0);
	assert_true(X509_cmp_time(X509_get0_notAfter(certificates[1]), &soon) < 0);
	assert_int_equal(X509_check_ca(certificates[1]), 0);
	assert_int_equal(ASN1_STRING_length(X509_get0_serialNumber(certificates[1])), 16);
	assert_int_not_equal(ASN1_INTEGER_cmp(X509_get0_serialNumber(certificates[1]),
					      X509_get0_serialNumber(certificates[2])),
			     0);
	for (size_t i = 0; i < 3; i++)
		X509_free(certificates[i]);
	test_pem_done(&one);
	test_pem_done(&two);
	test_pem_done(&ca);
}

static void test_self_signed(void **state)
{
	const struct str names[] = { STR("self.example") };
	struct test_pem pem = { BUF_INIT(TEST_PEM_MAX), BUF_INIT(TEST_PEM_MAX) };
	X509 *certificate;

	assert_int_equal(certificate_make_self_signed(names, 1, &pem.certificate, &pem.key, NULL),
			 0);
	certificate = parse(&pem.certificate);
	assert_int_equal(verify(certificate, certificate, "self.example", NULL), X509_V_OK);
	X509_free(certificate);
	test_pem_done(&pem);
}

static void test_bad_names_are_refused(void **state)
{
	static const char *const names[] = {
		"",        "a b",     "a..b",        ".a",
		"a.",      "*",       "*.",          "a.*.b",
		"DNS:x,y", "x,IP:::", "a/b",         "a\nb",
		"a:443",   "[::1]",   "1.2.3.4.5/8", "\xc3\xa4.example",
	};
	struct test_pem ca;

	test_pem_ca(&ca, "Test CA");
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct str name = str_from(names[i]);
		struct test_pem server = { BUF_INIT(TEST_PEM_MAX), BUF_INIT(TEST_PEM_MAX) };
		struct err e = { 0 };

		assert_int_equal(
			certificate_make_server(&(struct tls_key_pair){ buf_view(&ca.certificate),
									buf_view(&ca.key), "CA" },
						&name, 1, &server.certificate, &server.key, &e),
			-1);
		assert_int_equal(e.kind, ERR_CONFIG);
		assert_int_equal(server.certificate.len, 0);
		test_pem_done(&server);
	}
	test_pem_done(&ca);
}

static void expect_refused(struct str ca_certificate, struct str ca_key, size_t max,
			   enum err_kind kind, const char *text)
{
	struct str name = STR("a.example");
	struct buf certificate = BUF_INIT(TEST_PEM_MAX);
	struct buf key = BUF_INIT(max);
	struct err e = { 0 };

	buf_append_str(&certificate, STR("before"));
	assert_int_equal(
		certificate_make_server(&(struct tls_key_pair){ ca_certificate, ca_key, "CA" },
					&name, 1, &certificate, &key, &e),
		-1);
	assert_int_equal(e.kind, kind);
	assert_true(str_contains(str_from(e.text), str_from(text)));
	assert_true(str_equal(buf_view(&certificate), STR("before")));
	assert_int_equal(key.len, 0);
	buf_done(&certificate);
	buf_done(&key);
}

static void test_bad_ca_is_refused(void **state)
{
	struct test_pem ca;
	struct test_pem other;
	struct test_pem leaf;

	test_pem_ca(&ca, "Test CA");
	test_pem_ca(&other, "Other CA");
	test_pem_server(&leaf, &ca, "leaf.example");
	expect_refused(buf_view(&ca.certificate), buf_view(&other.key), TEST_PEM_MAX, ERR_CONFIG,
		       "does not belong");
	expect_refused(buf_view(&leaf.certificate), buf_view(&leaf.key), TEST_PEM_MAX, ERR_CONFIG,
		       "authority");
	expect_refused(STR("nonsense"), buf_view(&ca.key), TEST_PEM_MAX, ERR_CONFIG,
		       "no certificate");
	expect_refused(buf_view(&ca.certificate), buf_view(&ca.key), 100, ERR_LIMIT,
		       "does not fit");
	test_pem_done(&leaf);
	test_pem_done(&other);
	test_pem_done(&ca);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_server_certificate_is_accepted),
		cmocka_unit_test(test_several_names),
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_self_signed),
		cmocka_unit_test(test_bad_names_are_refused),
		cmocka_unit_test(test_bad_ca_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
