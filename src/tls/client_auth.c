#include "tls/client_auth.h"

#include <openssl/err.h>
#include <openssl/evp.h>

#include "base/clock.h"
#include "base/mem.h"
#include "tls/client_ca_x509.h"
#include "tls/peer_certificate_x509.h"
#include "tls/tls_error.h"

/*
 * OpenSSL checks that the client has the key of what it shows; all else is ours. Where nothing is required any
 * certificate that can be read passes, since what it is worth depends on the route that will be asked for.
 *
 * A session with a certificate is never resumed (tls_tickets.c). Sessions without one are.
 */

#define SESSION_ID_TEXT "pomerium"
#define SESSION_ID_SIZE 32

struct client_auth {
	enum tls_client_certificates mode;
	struct client_ca **cas; /* referenced */
	size_t ca_count;
	uint8_t session_id_context[SESSION_ID_SIZE];
};

/* ---- in the handshake ---- */

static int judge(const struct client_auth *auth, const struct peer_certificate *certificate)
{
	enum client_certificate_verdict best = CLIENT_CERTIFICATE_UNTRUSTED;
	int64_t now = clock_now_unix();

	for (size_t i = 0; i < auth->ca_count; i++) {
		enum client_certificate_verdict verdict = client_ca_verify_strictly(
			auth->cas[i], certificate, now);

		if (verdict == CLIENT_CERTIFICATE_VALID)
			return X509_V_OK;
		if (best == CLIENT_CERTIFICATE_UNTRUSTED)
			best = verdict; /* of the CA that issued it */
	}
	return client_certificate_verdict_error(best);
}

static int on_certificate(X509_STORE_CTX *context, void *arg)
{
	const struct client_auth *auth = arg;
	_cleanup_(peer_certificate_unrefp) struct peer_certificate *certificate = NULL;
	STACK_OF(X509) *sent = sk_X509_dup(X509_STORE_CTX_get0_untrusted(context));
	X509 *leaf = X509_STORE_CTX_get0_cert(context);
	SSL *ssl = X509_STORE_CTX_get_ex_data(context, SSL_get_ex_data_X509_STORE_CTX_idx());
	int error = X509_V_ERR_CERT_REJECTED;

	if (sent && sk_X509_num(sent) > 0)
		(void)sk_X509_shift(sent); /* the leaf */
	if (leaf && peer_certificate_new(leaf, sent, &certificate, NULL) == 0)
		error = auth->mode == TLS_CLIENT_CERTIFICATES_REQUIRE ? judge(auth, certificate)
								      : X509_V_OK;
	sk_X509_free(sent);
	ERR_clear_error();
	(void)SSL_set_num_tickets(ssl, 0); /* they would be of no use */
	X509_STORE_CTX_set_error(context, error);
	if (error == X509_V_OK)
		return 1;
	/* for the log: tls_stream_refused_certificate() */
	X509_STORE_CTX_set0_verified_chain(
		context, X509_chain_up_ref(X509_STORE_CTX_get0_untrusted(context)));
	return 0;
}

/* ---- setting up ---- */

static int add_names(STACK_OF(X509_NAME) * names, const struct client_ca *ca, size_t *size)
{
	for (int i = 0; i < sk_X509_num(ca->roots); i++) {
		X509_NAME *name = X509_get_subject_name(sk_X509_value(ca->roots, i));
		int len = i2d_X509_NAME(name, NULL);
		X509_NAME *copy = X509_NAME_dup(name);

		if (!copy || sk_X509_NAME_push(names, copy) <= 0) {
			X509_NAME_free(copy);
			return -1;
		}
		*size += len > 0 ? (size_t)len + 2 : 0;
		if (*size > CLIENT_AUTH_CA_NAMES_MAX)
			return -1;
	}
	return 0;
}

/* So that a browser offers the right one of its certificates; none: it offers all. */
static STACK_OF(X509_NAME) * list_names(const struct client_auth *auth)
{
	STACK_OF(X509_NAME) *names = sk_X509_NAME_new_null();
	size_t size = 0;

	for (size_t i = 0; names && i < auth->ca_count; i++) {
		if (add_names(names, auth->cas[i], &size) < 0) {
			sk_X509_NAME_pop_free(names, X509_NAME_free);
			return NULL;
		}
	}
	return names;
}

/* A session must not be resumed under other rules than those it began with. */
static int make_session_id_context(struct client_auth *auth, struct err *e)
{
	EVP_MD_CTX *hash = EVP_MD_CTX_new();
	bool is_done = hash && EVP_DigestInit_ex(hash, EVP_sha256(), NULL) &&
		       EVP_DigestUpdate(hash, SESSION_ID_TEXT, sizeof(SESSION_ID_TEXT)) &&
		       EVP_DigestUpdate(hash, &auth->mode, sizeof(auth->mode));

	for (size_t i = 0; is_done && i < auth->ca_count; i++)
		is_done = EVP_DigestUpdate(hash, auth->cas[i]->digest, CLIENT_CA_DIGEST_SIZE);
	is_done = is_done && EVP_DigestFinal_ex(hash, auth->session_id_context, NULL);
	EVP_MD_CTX_free(hash);
	return is_done ? 0 : tls_err_openssl(e, ERR_CRYPTO, "client CA settings cannot be hashed");
}

int client_auth_new(const struct tls_server_options *options, struct client_auth **ret,
		    struct err *e)
{
	struct client_auth *auth = mem_alloc(sizeof(*auth));

	auth->mode = options->client_certificates;
	auth->ca_count = options->client_ca_count;
	auth->cas = mem_alloc_array(auth->ca_count, sizeof(struct client_ca *));
	for (size_t i = 0; i < auth->ca_count; i++)
		auth->cas[i] = client_ca_ref(options->client_cas[i]);
	if (make_session_id_context(auth, e) < 0) {
		client_auth_free(auth);
		return -1;
	}
	*ret = auth;
	return 0;
}

void client_auth_free(struct client_auth *auth)
{
	if (!auth)
		return;
	for (size_t i = 0; i < auth->ca_count; i++)
		client_ca_unref(auth->cas[i]);
	mem_free(auth->cas);
	mem_free(auth);
}

int client_auth_apply(struct client_auth *auth, SSL_CTX *context, struct err *e)
{
	int flags = SSL_VERIFY_PEER;

	ERR_clear_error();
	if (!SSL_CTX_set_session_id_context(context, auth->session_id_context,
					    sizeof(auth->session_id_context)))
		return tls_err_openssl(e, ERR_TLS, "TLS sessions cannot be set up");
	if (auth->mode == TLS_CLIENT_CERTIFICATES_NONE)
		return 0;
	if (auth->mode == TLS_CLIENT_CERTIFICATES_REQUIRE)
		flags |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
	SSL_CTX_set_verify(context, flags, NULL);
	SSL_CTX_set_cert_verify_callback(context, on_certificate, auth);
	SSL_CTX_set_max_cert_list(context, PEER_CERTIFICATE_SIZE_MAX);
	SSL_CTX_set_client_CA_list(context, list_names(auth));
	return 0;
}
