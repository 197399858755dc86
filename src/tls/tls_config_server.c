#include <openssl/err.h>

#include "base/mem.h"
#include "tls/certificate.h"
#include "tls/client_auth.h"
#include "tls/tls_config.h"
#include "tls/tls_config_parts.h"
#include "tls/tls_names.h"
#include "tls/tls_tickets.h"

/*
 * One SSL_CTX per certificate, all set up alike; a connection begins on the first one and moves to the one
 * that its SNI names. Session tickets stay with the first, so they work whatever name was asked for.
 */

#define PEM_MAX 65536

static SSL_CTX *find_context(const struct tls_config *config, const char *server_name)
{
	_cleanup_(mem_freep) char *name = str_copy_lower(str_from(server_name));
	_cleanup_(buf_done) struct buf wildcard = BUF_INIT(TLSEXT_MAXLEN_host_name + 1);
	struct str text = str_from(name);
	SSL_CTX *context = map_get(&config->by_name, text);

	if (context)
		return context;
	buf_append_char(&wildcard, '*');
	buf_append_str(&wildcard, str_from_pos(text, str_find(text, '.')));
	return map_get(&config->by_name, buf_view(&wildcard));
}

/* Without a match the connection stays on the first context. */
static int on_server_name(SSL *ssl, int *alert, void *arg)
{
	const struct tls_config *config = arg;
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	SSL_CTX *context = name ? find_context(config, name) : NULL;

	if (context)
		SSL_set_SSL_CTX(ssl, context);
	return name ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

static int on_alpn(SSL *ssl, const unsigned char **ret, unsigned char *ret_len,
		   const unsigned char *offered, unsigned offered_len, void *arg)
{
	const struct tls_config *config = arg;
	unsigned char *chosen = NULL;
	int result = SSL_select_next_proto(&chosen, ret_len, config->alpn_wire.data,
					   (unsigned)config->alpn_wire.len, offered, offered_len);

	if (result != OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_NOACK;
	*ret = chosen;
	return SSL_TLSEXT_ERR_OK;
}

static int set_up_server(struct tls_config *config, SSL_CTX *context, struct err *e)
{
	SSL_CTX_set_options(context, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
	/* tickets carry the session: the server keeps none */
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_num_tickets(context, 1);
	SSL_CTX_set_tlsext_servername_callback(context, on_server_name);
	SSL_CTX_set_tlsext_servername_arg(context, config);
	if (config->alpn_wire.len > 0)
		SSL_CTX_set_alpn_select_cb(context, on_alpn, config);
	if (tls_tickets_apply(config->tickets, context, e) < 0)
		return -1;
	return client_auth_apply(config->client_auth, context, e);
}

static int add_pair(struct tls_config *config, const struct tls_key_pair *pair, struct err *e)
{
	_cleanup_(tls_pem_pair_done) struct tls_pem_pair read = { 0 };
	_cleanup_(tls_names_done) struct tls_names names = { 0 };
	SSL_CTX *context;

	if (tls_pem_pair_read(pair, &read, e))
		return -1;
	context = tls_config_add_context(config, e);
	if (!context ||
	    tls_config_use_pair(context, &read, pair->origin ? pair->origin : "certificate", e) ||
	    set_up_server(config, context, e))
		return -1;
	tls_names_of(read.leaf, false, &names);
	for (size_t i = 0; i < names.count; i++)
		if (!map_get(&config->by_name, str_from(names.items[i])))
			map_put(&config->by_name, str_from(names.items[i]), context);
	return 0;
}

static int add_made_up_pair(struct tls_config *config, struct err *e)
{
	const struct str names[] = { STR("localhost"), STR("127.0.0.1"), STR("::1") };
	_cleanup_(buf_done) struct buf certificate = BUF_INIT(PEM_MAX);
	_cleanup_(buf_done_secret) struct buf key = BUF_INIT(PEM_MAX);
	struct tls_key_pair pair = { .origin = "self-signed certificate" };

	if (certificate_make_self_signed(names, ARRAY_LEN(names), &certificate, &key, e))
		return -1;
	pair.certificate_pem = buf_view(&certificate);
	pair.key_pem = buf_view(&key);
	return add_pair(config, &pair, e);
}

static void free_server_part(struct tls_config *config)
{
	client_auth_free(config->client_auth);
	tls_tickets_free(config->tickets);
}

int tls_config_new_server(const struct tls_server_options *options, struct tls_config **ret,
			  struct err *e)
{
	_cleanup_(tls_config_unrefp) struct tls_config *config = tls_config_new(true);

	config->free_server_part = free_server_part;
	if (tls_config_set_alpn(config, options->alpn, e) ||
	    tls_tickets_new(options->ticket_secret, &config->tickets, e) ||
	    client_auth_new(options, &config->client_auth, e))
		return -1;
	config->plain_http_reply = str_copy(options->plain_http_reply);
	for (size_t i = 0; i < options->pair_count; i++)
		if (add_pair(config, &options->pairs[i], e))
			return -1;
	if (options->pair_count == 0 && add_made_up_pair(config, e))
		return -1;
	*ret = TAKE(config);
	return 0;
}

void tls_config_succeed(struct tls_config *config, const struct tls_config *earlier)
{
	tls_tickets_succeed(config->tickets, earlier->tickets);
}
