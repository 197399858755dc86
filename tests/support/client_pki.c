#include "tests/support/client_pki.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/clock.h"
#include "base/random.h"

int64_t test_pki_now(void)
{
	return clock_now_unix();
}

static void add_extension(X509 *certificate, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX context;
	X509_EXTENSION *extension;

	if (!value)
		return;
	X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
	X509V3_set_ctx_nodb(&context);
	extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
	assert_non_null(extension);
	assert_true(X509_add_ext(certificate, extension, -1));
	X509_EXTENSION_free(extension);
}

static void set_period(X509 *certificate, const struct test_draft *draft)
{
	int64_t from = draft->from_unix ? draft->from_unix : test_pki_now() - 3600;
	int64_t until = draft->until_unix ? draft->until_unix : test_pki_now() + TEST_PKI_YEAR_S;

	assert_non_null(ASN1_TIME_set(X509_getm_notBefore(certificate), clock_time_t(from)));
	assert_non_null(ASN1_TIME_set(X509_getm_notAfter(certificate), clock_time_t(until)));
}

static void set_serial(X509 *certificate)
{
	uint64_t serial = 0;

	random_bytes(&serial, sizeof(serial));
	assert_true(ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), serial >> 1));
}

void test_issue(struct test_issued *ret, const struct test_draft *draft)
{
	X509 *certificate = X509_new();
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *issuer = draft->issuer ? draft->issuer->certificate : certificate;
	X509_NAME *subject = X509_get_subject_name(certificate);

	assert_non_null(key);
	X509_set_version(certificate, X509_VERSION_3);
	set_serial(certificate);
	set_period(certificate, draft);
	assert_true(X509_set_pubkey(certificate, key));
	assert_true(X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
					       (const unsigned char *)draft->name, -1, -1, 0));
	assert_true(X509_set_issuer_name(certificate, X509_get_subject_name(issuer)));
	add_extension(certificate, issuer, NID_basic_constraints,
		      draft->is_ca ? "critical,CA:TRUE" : NULL);
	add_extension(certificate, issuer, NID_key_usage,
		      draft->is_ca ? "critical,keyCertSign,cRLSign" : "digitalSignature");
	add_extension(certificate, issuer, NID_ext_key_usage, draft->purpose);
	add_extension(certificate, issuer, NID_subject_alt_name, draft->names);
	add_extension(certificate, issuer, NID_subject_key_identifier, "hash");
	assert_true(X509_sign(certificate, draft->issuer ? draft->issuer->key : key,
			      draft->is_weak ? EVP_sha1() : EVP_sha256()));
	*ret = (struct test_issued){ .certificate = certificate, .key = key };
}

void test_issued_done(struct test_issued *issued)
{
	X509_free(issued->certificate);
	EVP_PKEY_free(issued->key);
	*issued = (struct test_issued){ 0 };
}

static void take_text(BIO *bio, struct buf *to)
{
	char *text = NULL;
	long len = BIO_get_mem_data(bio, &text);

	assert_int_equal(buf_append(to, text, (size_t)len), 0);
	BIO_free(bio);
}

void test_issued_write(const struct test_issued *issued, struct buf *to)
{
	BIO *bio = BIO_new(BIO_s_mem());

	assert_true(PEM_write_bio_X509(bio, issued->certificate));
	take_text(bio, to);
}

void test_issued_write_key(const struct test_issued *issued, struct buf *to)
{
	BIO *bio = BIO_new(BIO_s_mem());

	assert_true(PEM_write_bio_PrivateKey(bio, issued->key, NULL, NULL, 0, NULL, NULL));
	take_text(bio, to);
}

static void revoke(X509_CRL *list, const struct test_issued *issued)
{
	X509_REVOKED *entry = X509_REVOKED_new();
	ASN1_TIME *when = ASN1_TIME_set(NULL, clock_time_t(test_pki_now() - 60));

	X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(issued->certificate));
	X509_REVOKED_set_revocationDate(entry, when);
	assert_true(X509_CRL_add0_revoked(list, entry));
	ASN1_TIME_free(when);
}

void test_list_write(const struct test_list *list, struct buf *to)
{
	const struct test_issued *signer = list->signer ? list->signer : list->issuer;
	int64_t from = list->from_unix ? list->from_unix : test_pki_now() - 3600;
	int64_t until = list->until_unix ? list->until_unix : test_pki_now() + 86400;
	ASN1_TIME *last = ASN1_TIME_set(NULL, clock_time_t(from));
	ASN1_TIME *next = ASN1_TIME_set(NULL, clock_time_t(until));
	BIO *bio = BIO_new(BIO_s_mem());
	X509_CRL *crl = X509_CRL_new();

	X509_CRL_set_version(crl, X509_CRL_VERSION_2);
	X509_CRL_set_issuer_name(crl, X509_get_subject_name(list->issuer->certificate));
	X509_CRL_set1_lastUpdate(crl, last);
	X509_CRL_set1_nextUpdate(crl, next);
	for (size_t i = 0; list->revoked && list->revoked[i]; i++)
		revoke(crl, list->revoked[i]);
	assert_true(X509_CRL_sort(crl));
	assert_true(X509_CRL_sign(crl, signer->key, EVP_sha256()));
	assert_true(PEM_write_bio_X509_CRL(bio, crl));
	take_text(bio, to);
	X509_CRL_free(crl);
	ASN1_TIME_free(last);
	ASN1_TIME_free(next);
}
