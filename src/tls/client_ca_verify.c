#include <openssl/err.h>
#include <openssl/x509_vfy.h>

#include "base/clock.h"
#include "base/mem.h"
#include "tls/client_ca.h"
#include "tls/client_ca_x509.h"
#include "tls/peer_certificate_x509.h"

/*
 * OpenSSL builds the chain and checks it. A good chain is good until the first of its certificates expires, whatever
 * is asked in between, so its validity period is remembered under the digest of what was shown. Nothing else is
 * remembered: whoever shows bad ones could fill any memory with them.
 */

struct period {
	int64_t from_unix;
	int64_t until_unix;
};

struct judgement {
	const struct peer_certificate *certificate;
	int64_t now_unix;
	bool checks_list_period;
	struct period period; /* valid: of the chain; not yet valid: it begins then */
};

/* ---- remembered ---- */

static bool recall(struct client_ca *ca, struct judgement *j)
{
	const struct period *known;
	bool is_good = false;

	pthread_mutex_lock(&ca->lock);
	known = map_get(&ca->valid, peer_certificate_digest(j->certificate));
	if (known && known->from_unix <= j->now_unix && j->now_unix < known->until_unix) {
		is_good = true;
		j->period = *known;
	}
	pthread_mutex_unlock(&ca->lock);
	return is_good;
}

bool client_ca_forget_period(void *arg, struct str key, void *value)
{
	mem_free(value);
	return true;
}

static void remember(struct client_ca *ca, const struct judgement *j)
{
	struct period *period = mem_alloc(sizeof(*period));

	*period = j->period;
	pthread_mutex_lock(&ca->lock);
	if (ca->valid.count >= CLIENT_CA_VALID_MAX)
		map_visit(&ca->valid, client_ca_forget_period, NULL);
	mem_free(map_put(&ca->valid, peer_certificate_digest(j->certificate), period));
	pthread_mutex_unlock(&ca->lock);
}

/* ---- the chain ---- */

/* A list that is missing revokes nothing, and how old one is matters to the strict only (configuration.md 3.6). */
static int on_problem(int is_good, X509_STORE_CTX *context)
{
	const struct judgement *j = X509_STORE_CTX_get_app_data(context);
	int error = X509_STORE_CTX_get_error(context);
	bool is_list_period = error == X509_V_ERR_CRL_HAS_EXPIRED ||
			      error == X509_V_ERR_CRL_NOT_YET_VALID;

	if (is_good)
		return 1;
	if (error != X509_V_ERR_UNABLE_TO_GET_CRL && (!is_list_period || j->checks_list_period))
		return 0;
	X509_STORE_CTX_set_error(context, X509_V_OK);
	return 1;
}

static enum client_certificate_verdict verdict_of_error(int error)
{
	static const struct {
		int error;
		enum client_certificate_verdict verdict;
	} table[] = {
		{ X509_V_ERR_CERT_HAS_EXPIRED, CLIENT_CERTIFICATE_EXPIRED },
		{ X509_V_ERR_CERT_NOT_YET_VALID, CLIENT_CERTIFICATE_NOT_YET_VALID },
		{ X509_V_ERR_CERT_REVOKED, CLIENT_CERTIFICATE_REVOKED },
		{ X509_V_ERR_CERT_CHAIN_TOO_LONG, CLIENT_CERTIFICATE_TOO_DEEP },
		{ X509_V_ERR_INVALID_PURPOSE, CLIENT_CERTIFICATE_WRONG_PURPOSE },
		{ X509_V_ERR_CRL_HAS_EXPIRED, CLIENT_CERTIFICATE_REVOCATION_UNKNOWN },
		{ X509_V_ERR_CRL_NOT_YET_VALID, CLIENT_CERTIFICATE_REVOCATION_UNKNOWN },
		{ X509_V_ERR_CRL_SIGNATURE_FAILURE, CLIENT_CERTIFICATE_REVOCATION_UNKNOWN },
		{ X509_V_ERR_CRL_PATH_VALIDATION_ERROR, CLIENT_CERTIFICATE_REVOCATION_UNKNOWN },
		{ X509_V_ERR_DIFFERENT_CRL_SCOPE, CLIENT_CERTIFICATE_REVOCATION_UNKNOWN },
		{ X509_V_ERR_ERROR_IN_CRL_LAST_UPDATE_FIELD,
		  CLIENT_CERTIFICATE_REVOCATION_UNKNOWN },
		{ X509_V_ERR_ERROR_IN_CRL_NEXT_UPDATE_FIELD,
		  CLIENT_CERTIFICATE_REVOCATION_UNKNOWN },
		{ X509_V_ERR_KEYUSAGE_NO_CRL_SIGN, CLIENT_CERTIFICATE_REVOCATION_UNKNOWN },
		{ X509_V_ERR_UNABLE_TO_DECRYPT_CRL_SIGNATURE,
		  CLIENT_CERTIFICATE_REVOCATION_UNKNOWN },
		{ X509_V_ERR_UNABLE_TO_GET_CRL_ISSUER, CLIENT_CERTIFICATE_REVOCATION_UNKNOWN },
		{ X509_V_ERR_UNHANDLED_CRITICAL_CRL_EXTENSION,
		  CLIENT_CERTIFICATE_REVOCATION_UNKNOWN },
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		if (table[i].error == error)
			return table[i].verdict;
	return CLIENT_CERTIFICATE_UNTRUSTED;
}

/* False if a time cannot be read. */
static bool find_period(const STACK_OF(X509) * chain, struct period *ret)
{
	*ret = (struct period){ .from_unix = INT64_MIN, .until_unix = INT64_MAX };
	for (int i = 0; i < sk_X509_num(chain); i++) {
		const X509 *one = sk_X509_value(chain, i);
		int64_t from;
		int64_t until;

		if (!tls_time_unix(X509_get0_notBefore(one), &from) ||
		    !tls_time_unix(X509_get0_notAfter(one), &until))
			return false;
		ret->from_unix = from > ret->from_unix ? from : ret->from_unix;
		ret->until_unix = until < ret->until_unix ? until : ret->until_unix;
	}
	return true;
}

static enum client_certificate_verdict read_result(const struct client_ca *ca,
						   X509_STORE_CTX *context, bool is_verified,
						   struct judgement *j)
{
	const STACK_OF(X509) *chain = X509_STORE_CTX_get0_chain(context);
	enum client_certificate_verdict verdict;

	if (!is_verified) {
		const X509 *culprit = X509_STORE_CTX_get_current_cert(context);

		verdict = verdict_of_error(X509_STORE_CTX_get_error(context));
		j->period.from_unix = INT64_MAX;
		if (verdict == CLIENT_CERTIFICATE_NOT_YET_VALID && culprit)
			(void)tls_time_unix(X509_get0_notBefore(culprit), &j->period.from_unix);
		return verdict;
	}
	if (ca->max_depth && (uint64_t)sk_X509_num(chain) > (uint64_t)ca->max_depth + 1)
		return CLIENT_CERTIFICATE_TOO_DEEP;
	return find_period(chain, &j->period) ? CLIENT_CERTIFICATE_VALID
					      : CLIENT_CERTIFICATE_UNTRUSTED;
}

static bool is_named_in(const X509 *root, const X509 *shown)
{
	const X509_NAME *name = X509_get_subject_name(root);

	return X509_NAME_cmp(name, X509_get_issuer_name(shown)) == 0 ||
	       X509_NAME_cmp(name, X509_get_subject_name(shown)) == 0;
}

/* A gateway may have a thousand CAs, and strangers must not make it verify with each of them. */
static bool is_known_by_name(const struct client_ca *ca, const struct peer_certificate *certificate)
{
	const STACK_OF(X509) *chain = peer_certificate_chain(certificate);

	for (int i = 0; i < sk_X509_num(ca->roots); i++) {
		const X509 *root = sk_X509_value(ca->roots, i);

		if (is_named_in(root, peer_certificate_leaf(certificate)))
			return true;
		for (int k = 0; k < sk_X509_num(chain); k++)
			if (is_named_in(root, sk_X509_value(chain, k)))
				return true;
	}
	return false;
}

static enum client_certificate_verdict judge_chain(struct client_ca *ca, struct judgement *j)
{
	enum client_certificate_verdict verdict = CLIENT_CERTIFICATE_UNTRUSTED;
	X509_STORE_CTX *context;

	if (!is_known_by_name(ca, j->certificate))
		return verdict;
	ERR_clear_error();
	context = X509_STORE_CTX_new();
	if (context &&
	    X509_STORE_CTX_init(context, ca->store, peer_certificate_leaf(j->certificate),
				peer_certificate_chain(j->certificate))) {
		X509_STORE_CTX_set_time(context, 0, clock_time_t(j->now_unix));
		X509_STORE_CTX_set_app_data(context, j);
		X509_STORE_CTX_set_verify_cb(context, on_problem);
		verdict = read_result(ca, context, X509_verify_cert(context) == 1, j);
	}
	X509_STORE_CTX_free(context);
	ERR_clear_error();
	return verdict;
}

/* ---- names ---- */

static bool has_name(const struct peer_certificate *certificate, const struct client_ca_rule *rule)
{
	const struct peer_names *names = &peer_certificate_facts(certificate)->names[rule->kind];

	for (size_t i = 0; i < names->count; i++)
		if (pattern_matches(rule->pattern, names->items[i]))
			return true;
	return false;
}

static bool is_name_allowed(const struct client_ca *ca, const struct peer_certificate *certificate)
{
	for (size_t i = 0; i < ca->rule_count; i++)
		if (has_name(certificate, &ca->rules[i]))
			return true;
	return ca->rule_count == 0;
}

/* ---- verdict ---- */

static enum client_certificate_verdict judge(struct client_ca *ca, struct judgement *j)
{
	enum client_certificate_verdict verdict = judge_chain(ca, j);

	if (verdict == CLIENT_CERTIFICATE_VALID && !is_name_allowed(ca, j->certificate))
		return CLIENT_CERTIFICATE_NAME_NOT_ALLOWED;
	return verdict;
}

enum client_certificate_verdict client_ca_verify(struct client_ca *ca,
						 const struct peer_certificate *certificate,
						 int64_t now_unix, int64_t *ret_until_unix)
{
	struct judgement j = { .certificate = certificate, .now_unix = now_unix };
	enum client_certificate_verdict verdict = CLIENT_CERTIFICATE_VALID;

	*ret_until_unix = INT64_MAX;
	if (!recall(ca, &j)) {
		verdict = judge(ca, &j);
		if (verdict == CLIENT_CERTIFICATE_VALID)
			remember(ca, &j);
	}
	if (verdict == CLIENT_CERTIFICATE_VALID)
		*ret_until_unix = j.period.until_unix;
	if (verdict == CLIENT_CERTIFICATE_NOT_YET_VALID)
		*ret_until_unix = j.period.from_unix;
	return verdict;
}

enum client_certificate_verdict client_ca_verify_strictly(
	struct client_ca *ca, const struct peer_certificate *certificate, int64_t now_unix)
{
	struct judgement j = {
		.certificate = certificate,
		.now_unix = now_unix,
		.checks_list_period = true,
	};

	return judge(ca, &j);
}
