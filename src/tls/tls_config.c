#include "tls/tls_config.h"

#include <stdlib.h>

#include <openssl/err.h>

#include "base/file.h"
#include "base/mem.h"
#include "tls/tls_config_parts.h"
#include "tls/tls_context.h"
#include "tls/tls_error.h"
#include "tls/tls_pem.h"
#include "tls/tls_token.h"
#include "tls/tls_wire.h"

/*
 * What both sides have in common, and the client's. The server's is in tls_config_server.c, so that a program that is
 * only a client is not linked with what only servers need.
 */

#define ALPN_WIRE_MAX 1024

#define SUITES_TLS12                                                                               \
	"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"                               \
	"ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"                               \
	"ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"

struct tls_config *tls_config_new(bool is_server)
{
	struct tls_config *config = mem_alloc(sizeof(*config));

	config->ref = REF_INIT;
	config->is_server = is_server;
	config->bio_method = tls_wire_bio_method_new();
	config->alpn_wire = BUF_INIT(ALPN_WIRE_MAX);
	map_init(&config->by_name);
	tls_sessions_init(&config->sessions);
	return config;
}

struct tls_config *tls_config_ref(struct tls_config *config)
{
	ref_get(&config->ref);
	return config;
}

void tls_config_unref(struct tls_config *config)
{
	if (!config || !ref_put(&config->ref))
		return;
	tls_sessions_done(&config->sessions);
	map_done(&config->by_name);
	for (size_t i = 0; i < config->context_count; i++)
		SSL_CTX_free(config->contexts[i]);
	mem_free(config->contexts);
	if (config->free_server_part)
		config->free_server_part(config);
	for (size_t i = 0; config->alpn && config->alpn[i]; i++)
		mem_free(config->alpn[i]);
	mem_free(config->alpn);
	buf_done(&config->alpn_wire);
	mem_free(config->plain_http_reply);
	BIO_meth_free(config->bio_method);
	mem_free(config);
}

/* RFC 7301: each name behind a byte with its length. */
int tls_config_set_alpn(struct tls_config *config, const char *const *names, struct err *e)
{
	size_t count = 0;

	while (names && names[count])
		count++;
	config->alpn = mem_alloc_array(count + 1, sizeof(*config->alpn));
	for (size_t i = 0; i < count; i++) {
		size_t len = strlen(names[i]);

		if (len == 0 || len > UINT8_MAX)
			return err_set(e, ERR_CONFIG, "ALPN name \"%s\" must have 1 to 255 bytes",
				       names[i]);
		config->alpn[i] = mem_copy_string(names[i]);
		buf_append_char(&config->alpn_wire, (char)(unsigned char)len);
		buf_append(&config->alpn_wire, names[i], len);
	}
	if (config->alpn_wire.is_overflown)
		return err_set(e, ERR_LIMIT, "the ALPN names exceed %d bytes", ALPN_WIRE_MAX);
	return 0;
}

SSL_CTX *tls_config_add_context(struct tls_config *config, struct err *e)
{
	SSL_CTX *context = SSL_CTX_new(config->is_server ? TLS_server_method()
							 : TLS_client_method());

	if (!context) {
		tls_err_openssl(e, ERR_TLS, "TLS cannot be used");
		return NULL;
	}
	config->contexts = mem_resize(config->contexts, config->context_count + 1,
				      sizeof(SSL_CTX *));
	config->contexts[config->context_count++] = context;
	SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
	SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
					  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	if (!SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) ||
	    !SSL_CTX_set_max_proto_version(context, TLS1_3_VERSION) ||
	    !SSL_CTX_set_cipher_list(context, SUITES_TLS12)) {
		tls_err_openssl(e, ERR_TLS, "TLS 1.2 and 1.3 cannot be set up");
		return NULL;
	}
	return context;
}

int tls_config_use_pair(SSL_CTX *context, const struct tls_pem_pair *pair, const char *origin,
			struct err *e)
{
	ERR_clear_error();
	if (SSL_CTX_use_cert_and_key(context, pair->leaf, pair->key, pair->chain, 1) == 1)
		return 0;
	return tls_err_openssl(e, ERR_CONFIG, "%s: the certificate cannot be used", origin);
}

/* ---- client ---- */

static int on_new_session(SSL *ssl, SSL_SESSION *session)
{
	const char *name = SSL_get_app_data(ssl);
	struct tls_config *config = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));

	if (!name)
		return 0;
	tls_kept_sessions_put(&config->kept, name, session);
	tls_sessions_put(&config->sessions, name, session);
	return 1; /* the reference was taken */
}

/* The bundle is read whole, which costs tens of milliseconds: only where the operator names it or nothing
 * else is there. */
static void trust_system_roots(SSL_CTX *context)
{
	const char *directory = getenv(X509_get_default_cert_dir_env());

	SSL_CTX_set_default_verify_dir(context);
	if (getenv(X509_get_default_cert_file_env()) ||
	    (!directory && !dir_is_hashed(X509_get_default_cert_dir())))
		SSL_CTX_set_default_verify_file(context);
	ERR_clear_error(); /* no roots at all is no error: nothing will be trusted */
}

static int load_pair(SSL_CTX *context, const struct tls_client_options *options, struct err *e)
{
	const struct tls_key_pair *wanted = options->client_pair;
	_cleanup_(tls_pem_pair_done) struct tls_pem_pair pair = { 0 };
	int result = options->client_token
			     ? tls_token_pair_read(options->client_token, wanted, &pair, e)
			     : tls_pem_pair_read(wanted, &pair, e);

	if (result < 0)
		return -1;
	return tls_config_use_pair(context, &pair,
				   wanted->origin ? wanted->origin : "client certificate", e);
}

static int share(SSL_CTX *context, const struct tls_config *same, struct err *e)
{
	SSL_CTX *from = same->contexts[0];
	STACK_OF(X509) *chain = NULL;

	SSL_CTX_set1_cert_store(context, SSL_CTX_get_cert_store(from));
	if (!SSL_CTX_get0_certificate(from))
		return 0;
	SSL_CTX_get0_chain_certs(from, &chain);
	if (SSL_CTX_use_cert_and_key(context, SSL_CTX_get0_certificate(from),
				     SSL_CTX_get0_privatekey(from), chain, 1) == 1)
		return 0;
	return tls_err_openssl(e, ERR_CONFIG, "the client certificate cannot be used");
}

static int set_up_client(struct tls_config *config, SSL_CTX *context,
			 const struct tls_client_options *options, struct err *e)
{
	SSL_CTX_set_app_data(context, config);
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(context, on_new_session);
	if (config->alpn_wire.len > 0 && SSL_CTX_set_alpn_protos(context, config->alpn_wire.data,
								 (unsigned)config->alpn_wire.len))
		return tls_err_openssl(e, ERR_CONFIG, "the ALPN names cannot be used");
	/* an intermediate that the operator names is trusted without its own issuer */
	X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(context), X509_V_FLAG_PARTIAL_CHAIN);
	if (options->verify)
		SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
	if (options->same)
		return share(context, options->same, e);
	if (options->verify && !options->only_extra_roots)
		trust_system_roots(context);
	if (!str_is_empty(options->extra_roots_pem) &&
	    tls_pem_add_roots(options->extra_roots_pem, "trusted certificates",
			      SSL_CTX_get_cert_store(context), e))
		return -1;
	return options->client_pair ? load_pair(context, options, e) : 0;
}

int tls_config_new_client(const struct tls_client_options *options, struct tls_config **ret,
			  struct err *e)
{
	_cleanup_(tls_config_unrefp) struct tls_config *config = tls_config_new(false);
	SSL_CTX *context;

	config->verifies = options->verify;
	tls_kept_sessions_bind(&config->kept, options);
	if (tls_config_set_alpn(config, options->alpn, e))
		return -1;
	context = tls_config_add_context(config, e);
	if (!context || set_up_client(config, context, options, e))
		return -1;
	*ret = TAKE(config);
	return 0;
}

void tls_config_keep_sessions(struct tls_config *config, const struct tls_session_store *store)
{
	config->kept.store = *store;
}

/* ---- for tls_stream ---- */

SSL *tls_config_new_ssl(struct tls_config *config)
{
	SSL *ssl = SSL_new(config->contexts[0]);
	BIO *bio = BIO_new(config->bio_method);

	if (!ssl || !bio) {
		SSL_free(ssl);
		BIO_free(bio);
		return NULL;
	}
	SSL_set_bio(ssl, bio, bio);
	if (config->is_server)
		SSL_set_accept_state(ssl);
	else
		SSL_set_connect_state(ssl);
	return ssl;
}

const char *tls_config_alpn_of(const struct tls_config *config, const SSL *ssl)
{
	const unsigned char *chosen = NULL;
	unsigned len = 0;

	SSL_get0_alpn_selected(ssl, &chosen, &len);
	for (size_t i = 0; len > 0 && config->alpn[i]; i++)
		if (str_equal(str_from(config->alpn[i]), str_of(chosen, len)))
			return config->alpn[i];
	return "";
}

bool tls_config_verifies(const struct tls_config *config)
{
	return config->verifies;
}

struct str tls_config_plain_http_reply(const struct tls_config *config)
{
	return str_from(config->plain_http_reply);
}

bool tls_config_is_server(const struct tls_config *config)
{
	return config->is_server;
}

SSL_SESSION *tls_config_take_session(struct tls_config *config, const char *name)
{
	SSL_SESSION *session = tls_sessions_take(&config->sessions, name);

	return session ? session : tls_kept_sessions_take(&config->kept, name);
}
