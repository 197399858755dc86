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

static int read_key(struct str pem, const char *origin, EVP_PKEY **ret, struct err *e)
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

int tls_pem_pair_read(const struct tls_key_pair *pair, struct tls_pem_pair *ret, struct err *e)
{
	_cleanup_(tls_pem_pair_done) struct tls_pem_pair read = { 0 };
	const char *origin = pair->origin ? pair->origin : "certificate";
	BIO *bio = open_text(pair->certificate_pem);
	int result;

	if (!bio)
		return err_set(e, ERR_CONFIG, "%s: the certificate is too large", origin);
	result = read_chain(bio, origin, &read, e);
	BIO_free(bio);
	if (result || read_key(pair->key_pem, origin, &read.key, e))
		return -1;
	if (X509_check_private_key(read.leaf, read.key) != 1) {
		ERR_clear_error();
		return err_set(e, ERR_CONFIG,
			       "%s: the private key does not belong to the certificate", origin);
	}
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

int tls_pem_add_roots(struct str pem, const char *origin, X509_STORE *store, struct err *e)
{
	BIO *bio = open_text(pem);
	X509 *certificate;
	int count = 0;
	bool is_whole;

	if (!bio)
		return err_set(e, ERR_CONFIG, "%s: the certificates are too large", origin);
	while ((certificate = read_certificate(bio)) != NULL) {
		int is_added = X509_STORE_add_cert(store, certificate);

		X509_free(certificate);
		if (!is_added)
			break;
		count++;
	}
	is_whole = !certificate && is_end_of_text();
	BIO_free(bio);
	if (is_whole && count > 0) {
		ERR_clear_error();
		return 0;
	}
	if (!is_whole)
		return tls_err_openssl(e, ERR_CONFIG, "%s: certificate %d cannot be read", origin,
				       count + 1);
	ERR_clear_error();
	return err_set(e, ERR_CONFIG, "%s: there is no certificate in PEM form", origin);
}
