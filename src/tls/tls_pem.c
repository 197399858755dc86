#include "tls/tls_pem.h"

#include <limits.h>

#include <openssl/err.h>
#include <openssl/pem.h>

#include "tls/tls_error.h"

static BIO *open_text(struct str pem)
{
	if (pem.len > INT_MAX)
		return NULL;
	return BIO_new_mem_buf(pem.at ? pem.at : "", (int)pem.len);
}

/* OpenSSL would ask on the terminal. Notes that a passphrase is needed, and gives none. */
static int refuse_passphrase(char *out, int size, int is_writing, void *arg)
{
	bool *is_encrypted = arg;

	*is_encrypted = true;
	return -1;
}

/* The end of the text is reported as a failure to find one more. */
static bool is_end_of_text(void)
{
	unsigned long code = ERR_peek_last_error();

	return ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE;
}

static X509 *read_certificate(BIO *bio)
{
	bool is_encrypted = false;

	ERR_clear_error();
	return PEM_read_bio_X509_AUX(bio, NULL, refuse_passphrase, &is_encrypted);
}

int tls_pem_key_read(struct str pem, const char *origin, EVP_PKEY **ret, struct err *e)
{
	BIO *bio = open_text(pem);
	bool is_encrypted = false;
	EVP_PKEY *key;

	if (!bio)
		return err_set(e, ERR_CONFIG, "%s: the private key is too large", origin);
	ERR_clear_error();
	key = PEM_read_bio_PrivateKey(bio, NULL, refuse_passphrase, &is_encrypted);
	BIO_free(bio);
	if (key) {
		ERR_clear_error();
		*ret = key;
		return 0;
	}
	if (is_encrypted) {
		ERR_clear_error();
		return err_set(e, ERR_CONFIG,
			       "%s: the private key is encrypted; give one without a passphrase",
			       origin);
	}
	/* OpenSSL would call it "unsupported" */
	if (!str_contains(pem, STR("PRIVATE KEY-----"))) {
		ERR_clear_error();
		return err_set(e, ERR_CONFIG, "%s: there is no private key in PEM form", origin);
	}
	return tls_err_openssl(e, ERR_CONFIG, "%s: the private key cannot be read", origin);
}

static int read_chain(BIO *bio, const char *origin, struct tls_pem_pair *pair, struct err *e)
{
	X509 *certificate;

	pair->leaf = read_certificate(bio);
	if (!pair->leaf && is_end_of_text()) {
		ERR_clear_error();
		return err_set(e, ERR_CONFIG, "%s: there is no certificate in PEM form", origin);
	}
	if (!pair->leaf)
		return tls_err_openssl(e, ERR_CONFIG, "%s: the certificate cannot be read", origin);
	pair->chain = sk_X509_new_null();
	while ((certificate = read_certificate(bio)) != NULL) {
		if (sk_X509_num(pair->chain) >= TLS_CHAIN_MAX - 1 ||
		    sk_X509_push(pair->chain, certificate) <= 0) {
			X509_free(certificate);
			return err_set(e, ERR_LIMIT, "%s: more than %d certificates in one chain",
				       origin, TLS_CHAIN_MAX);
		}
	}
	if (!is_end_of_text())
		return tls_err_openssl(e, ERR_CONFIG,
				       "%s: certificate %d of the chain cannot be read", origin,
				       sk_X509_num(pair->chain) + 2);
	ERR_clear_error();
	return 0;
}

int tls_pem_chain_read(struct str pem, const char *origin, struct tls_pem_pair *pair, struct err *e)
{
	BIO *bio = open_text(pem);
	int result;

	if (!bio)
		return err_set(e, ERR_CONFIG, "%s: the certificate is too large", origin);
	result = read_chain(bio, origin, pair, e);
	BIO_free(bio);
	return result;
}

int tls_pem_pair_check(const struct tls_pem_pair *pair, const char *origin, struct err *e)
{
	bool belongs = X509_check_private_key(pair->leaf, pair->key) == 1;

	ERR_clear_error();
	if (belongs)
		return 0;
	return err_set(e, ERR_CONFIG, "%s: the private key does not belong to the certificate",
		       origin);
}

int tls_pem_pair_read(const struct tls_key_pair *pair, struct tls_pem_pair *ret, struct err *e)
{
	_cleanup_(tls_pem_pair_done) struct tls_pem_pair read = { 0 };
	const char *origin = pair->origin ? pair->origin : "certificate";

	if (tls_pem_chain_read(pair->certificate_pem, origin, &read, e) ||
	    tls_pem_key_read(pair->key_pem, origin, &read.key, e) ||
	    tls_pem_pair_check(&read, origin, e))
		return -1;
	*ret = read;
	read = (struct tls_pem_pair){ 0 };
	return 0;
}

void tls_pem_pair_done(struct tls_pem_pair *pair)
{
	X509_free(pair->leaf);
	sk_X509_pop_free(pair->chain, X509_free);
	EVP_PKEY_free(pair->key);
	*pair = (struct tls_pem_pair){ 0 };
}

/* Looks at why there is not one more: only the end of the text is a good reason. */
static int end_reading(int count, int max, const char *what, const char *origin, struct err *e)
{
	if (count > max) {
		ERR_clear_error();
		return err_set(e, ERR_LIMIT, "%s: more than %d %ss", origin, max, what);
	}
	if (!is_end_of_text())
		return tls_err_openssl(e, ERR_CONFIG, "%s: %s %d cannot be read", origin, what,
				       count + 1);
	ERR_clear_error();
	if (count == 0)
		return err_set(e, ERR_CONFIG, "%s: there is no %s in PEM form", origin, what);
	return 0;
}

int tls_pem_certificates_read(struct str pem, const char *origin, int max, STACK_OF(X509) * *ret,
			      struct err *e)
{
	STACK_OF(X509) *all = sk_X509_new_null();
	BIO *bio = open_text(pem);
	X509 *one;

	if (!bio || !all) {
		BIO_free(bio);
		sk_X509_free(all);
		return err_set(e, ERR_CONFIG, "%s: the certificates are too large", origin);
	}
	while (sk_X509_num(all) <= max && (one = read_certificate(bio)) != NULL)
		sk_X509_push(all, one);
	BIO_free(bio);
	if (end_reading(sk_X509_num(all), max, "certificate", origin, e) < 0) {
		sk_X509_pop_free(all, X509_free);
		return -1;
	}
	*ret = all;
	return 0;
}

int tls_pem_crls_read(struct str pem, const char *origin, int max, STACK_OF(X509_CRL) * *ret,
		      struct err *e)
{
	STACK_OF(X509_CRL) *all = sk_X509_CRL_new_null();
	BIO *bio = open_text(pem);
	bool is_encrypted = false;
	X509_CRL *one;

	if (!bio || !all) {
		BIO_free(bio);
		sk_X509_CRL_free(all);
		return err_set(e, ERR_CONFIG, "%s: the revocation lists are too large", origin);
	}
	ERR_clear_error();
	while (sk_X509_CRL_num(all) <= max &&
	       (one = PEM_read_bio_X509_CRL(bio, NULL, refuse_passphrase, &is_encrypted)) != NULL)
		sk_X509_CRL_push(all, one);
	BIO_free(bio);
	if (end_reading(sk_X509_CRL_num(all), max, "revocation list", origin, e) < 0) {
		sk_X509_CRL_pop_free(all, X509_CRL_free);
		return -1;
	}
	*ret = all;
	return 0;
}

int tls_pem_add_roots(struct str pem, const char *origin, X509_STORE *store, struct err *e)
{
	STACK_OF(X509) *roots = NULL;
	int result = 0;

	if (tls_pem_certificates_read(pem, origin, TLS_ROOTS_MAX, &roots, e) < 0)
		return -1;
	for (int i = 0; result == 0 && i < sk_X509_num(roots); i++)
		if (!X509_STORE_add_cert(store, sk_X509_value(roots, i)))
			result = tls_err_openssl(e, ERR_CONFIG, "%s: certificate %d cannot be used",
						 origin, i + 1);
	sk_X509_pop_free(roots, X509_free);
	ERR_clear_error();
	return result;
}
