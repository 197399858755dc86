#include "tls/client_ca.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>

#include "base/mem.h"
#include "base/pattern.h"
#include "tls/client_ca_x509.h"
#include "tls/tls_error.h"
#include "tls/tls_pem.h"

#define SECURITY_LEVEL 1 /* no SHA-1, no RSA below 1024 bits */

static const struct {
	const char *name;
	int error;
} verdicts[] = {
	[CLIENT_CERTIFICATE_VALID] = { "valid", X509_V_OK },
	[CLIENT_CERTIFICATE_UNTRUSTED] = { "untrusted",
					   X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY },
	[CLIENT_CERTIFICATE_EXPIRED] = { "expired", X509_V_ERR_CERT_HAS_EXPIRED },
	[CLIENT_CERTIFICATE_NOT_YET_VALID] = { "not-yet-valid", X509_V_ERR_CERT_NOT_YET_VALID },
	[CLIENT_CERTIFICATE_REVOKED] = { "revoked", X509_V_ERR_CERT_REVOKED },
	[CLIENT_CERTIFICATE_REVOCATION_UNKNOWN] = { "revocation-unknown",
						    X509_V_ERR_UNABLE_TO_GET_CRL },
	[CLIENT_CERTIFICATE_TOO_DEEP] = { "too-deep", X509_V_ERR_CERT_CHAIN_TOO_LONG },
	[CLIENT_CERTIFICATE_WRONG_PURPOSE] = { "wrong-purpose", X509_V_ERR_INVALID_PURPOSE },
	[CLIENT_CERTIFICATE_NAME_NOT_ALLOWED] = { "name-not-allowed", X509_V_ERR_CERT_REJECTED },
};

const char *client_certificate_verdict_name(enum client_certificate_verdict verdict)
{
	return verdicts[verdict].name;
}

int client_certificate_verdict_error(enum client_certificate_verdict verdict)
{
	return verdicts[verdict].error;
}

/* ---- making ---- */

/* Every root is a trust anchor, so chains are as short as they can be: what max_depth counts. */
static bool set_up_store(X509_STORE *store)
{
	X509_VERIFY_PARAM *param = X509_STORE_get0_param(store);

	X509_VERIFY_PARAM_set_auth_level(param, SECURITY_LEVEL);
	X509_VERIFY_PARAM_set_depth(param, PEER_CERTIFICATE_CHAIN_MAX);
	return X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN) &&
	       X509_VERIFY_PARAM_set_purpose(param, X509_PURPOSE_SSL_CLIENT) &&
	       X509_VERIFY_PARAM_set_trust(param, X509_TRUST_SSL_CLIENT);
}

static int load_roots(struct client_ca *ca, const struct client_ca_options *options, struct err *e)
{
	const char *origin = options->ca_origin ? options->ca_origin : "client CA";

	if (tls_pem_certificates_read(options->ca_pem, origin, CLIENT_CA_ROOTS_MAX, &ca->roots, e) <
	    0)
		return -1;
	for (int i = 0; i < sk_X509_num(ca->roots); i++)
		if (!X509_STORE_add_cert(ca->store, sk_X509_value(ca->roots, i)))
			return tls_err_openssl(e, ERR_CONFIG, "%s: certificate %d cannot be used",
					       origin, i + 1);
	return 0;
}

static int load_lists(struct client_ca *ca, const struct client_ca_options *options, struct err *e)
{
	const char *origin = options->crl_origin ? options->crl_origin : "revocation list";
	STACK_OF(X509_CRL) *lists = NULL;
	int result = 0;

	if (str_is_empty(options->crl_pem))
		return 0;
	if (tls_pem_crls_read(options->crl_pem, origin, CLIENT_CA_CRLS_MAX, &lists, e) < 0)
		return -1;
	for (int i = 0; result == 0 && i < sk_X509_CRL_num(lists); i++)
		if (!X509_STORE_add_crl(ca->store, sk_X509_CRL_value(lists, i)))
			result = tls_err_openssl(e, ERR_CONFIG,
						 "%s: revocation list %d cannot be used", origin,
						 i + 1);
	sk_X509_CRL_pop_free(lists, X509_CRL_free);
	X509_STORE_set_flags(ca->store, X509_V_FLAG_CRL_CHECK); /* of the leaf only */
	return result;
}

static int compile_rules(struct client_ca *ca, const struct client_ca_options *options,
			 struct err *e)
{
	if (options->pattern_count > CLIENT_CA_PATTERNS_MAX)
		return err_set(e, ERR_LIMIT, "more than %d patterns for names in certificates",
			       CLIENT_CA_PATTERNS_MAX);
	ca->rules = mem_alloc_array(options->pattern_count, sizeof(*ca->rules));
	for (size_t i = 0; i < options->pattern_count; i++) {
		const struct client_ca_pattern *wanted = &options->patterns[i];

		ca->rules[i].kind = wanted->kind;
		if (pattern_new(wanted->pattern, &ca->rules[i].pattern, e) < 0)
			return err_wrap(e, "%s", wanted->origin ? wanted->origin : "pattern");
		ca->rule_count++;
	}
	return 0;
}

/* Every field behind its length, so that none can pass for a part of another. */
static bool hash_field(EVP_MD_CTX *hash, const void *at, size_t len)
{
	uint64_t length = len;

	return EVP_DigestUpdate(hash, &length, sizeof(length)) && EVP_DigestUpdate(hash, at, len);
}

static int hash_settings(struct client_ca *ca, const struct client_ca_options *options,
			 struct err *e)
{
	EVP_MD_CTX *hash = EVP_MD_CTX_new();
	bool is_done = hash && EVP_DigestInit_ex(hash, EVP_sha256(), NULL) &&
		       hash_field(hash, options->ca_pem.at, options->ca_pem.len) &&
		       hash_field(hash, options->crl_pem.at, options->crl_pem.len) &&
		       hash_field(hash, &options->max_depth, sizeof(options->max_depth));

	for (size_t i = 0; is_done && i < options->pattern_count; i++) {
		const struct client_ca_pattern *pattern = &options->patterns[i];

		is_done = hash_field(hash, &pattern->kind, sizeof(pattern->kind)) &&
			  hash_field(hash, pattern->pattern.at, pattern->pattern.len);
	}
	is_done = is_done && EVP_DigestFinal_ex(hash, ca->digest, NULL);
	EVP_MD_CTX_free(hash);
	return is_done ? 0 : tls_err_openssl(e, ERR_CRYPTO, "client CA settings cannot be hashed");
}

int client_ca_new(const struct client_ca_options *options, struct client_ca **ret, struct err *e)
{
	_cleanup_(client_ca_unrefp) struct client_ca *ca = mem_alloc(sizeof(*ca));

	ca->ref = REF_INIT;
	pthread_mutex_init(&ca->lock, NULL);
	map_init(&ca->valid);
	ca->max_depth = options->max_depth;
	ca->store = X509_STORE_new();
	if (!ca->store || !set_up_store(ca->store))
		return tls_err_openssl(e, ERR_LIMIT, "a client CA cannot be kept");
	if (load_roots(ca, options, e) < 0 || load_lists(ca, options, e) < 0 ||
	    compile_rules(ca, options, e) < 0 || hash_settings(ca, options, e) < 0)
		return -1;
	*ret = TAKE(ca);
	return 0;
}

struct client_ca *client_ca_ref(struct client_ca *ca)
{
	ref_get(&ca->ref);
	return ca;
}

void client_ca_unref(struct client_ca *ca)
{
	if (!ca || !ref_put(&ca->ref))
		return;
	for (size_t i = 0; i < ca->rule_count; i++)
		pattern_free(ca->rules[i].pattern);
	mem_free(ca->rules);
	map_visit(&ca->valid, client_ca_forget_period, NULL);
	map_done(&ca->valid);
	pthread_mutex_destroy(&ca->lock);
	sk_X509_pop_free(ca->roots, X509_free);
	X509_STORE_free(ca->store);
	mem_free(ca);
}
