#include "tls/tls_stream.h"

#include <assert.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "base/addr.h"
#include "base/mem.h"
#include "base/url.h"
#include "tls/tls_context.h"
#include "tls/tls_engine.h"
#include "tls/tls_error.h"

/*
 * Nothing here can fail visibly: a stream that cannot work is opened all the same and fails at its first
 * operation, where its owner must look anyway.
 */

static const struct tls_stream *tls_stream_of(const struct stream *s)
{
	assert(s->ops == &tls_stream_ops);
	return (const struct tls_stream *)((const char *)s - offsetof(struct tls_stream, base));
}

/* ---- opening ---- */

static struct tls_stream *open_stream(struct loop *loop, struct stream *lower,
				      struct tls_config *config)
{
	struct tls_stream *ts = mem_alloc(sizeof(*ts));
	struct err e = { 0 };

	ts->base.ops = &tls_stream_ops;
	ts->wire = (struct tls_wire){ .loop = loop, .lower = lower };
	ts->config = tls_config_ref(config);
	stream_set_owner(lower, tls_on_lower_event, ts);
	ERR_clear_error();
	ts->ssl = tls_config_new_ssl(config);
	if (ts->ssl) {
		BIO_set_data(SSL_get_rbio(ts->ssl), &ts->wire);
		return ts;
	}
	tls_err_openssl(&e, ERR_TLS, "TLS cannot be used");
	tls_fail(ts, &e);
	return ts;
}

struct stream *tls_stream_accept(struct loop *loop, struct stream *lower, struct tls_config *config)
{
	assert(tls_config_is_server(config));
	return &open_stream(loop, lower, config)->base;
}

/* False if the name cannot be checked. */
static bool expect_name(struct tls_stream *ts, struct str name)
{
	struct addr ip;

	if (name.len > HOST_NAME_MAX_LEN || !str_is_printable_ascii(name))
		return false;
	if (addr_from_ip(name, 0, &ip))
		return !tls_config_verifies(ts->config) ||
		       X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ts->ssl), ts->name) == 1;
	if (!str_is_empty(name) && SSL_set_tlsext_host_name(ts->ssl, ts->name) != 1)
		return false;
	if (!tls_config_verifies(ts->config))
		return true;
	SSL_set_hostflags(ts->ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return !str_is_empty(name) && SSL_set1_host(ts->ssl, ts->name) == 1;
}

static void resume(struct tls_stream *ts)
{
	SSL_SESSION *session = tls_config_take_session(ts->config, ts->name);

	SSL_set_app_data(ts->ssl, ts->name);
	if (session)
		(void)SSL_set_session(ts->ssl, session); /* else a full handshake */
	SSL_SESSION_free(session);
}

struct stream *tls_stream_connect(struct loop *loop, struct stream *lower,
				  struct tls_config *config, struct str name)
{
	struct tls_stream *ts = open_stream(loop, lower, config);
	struct err e = { 0 };

	assert(!tls_config_is_server(config));
	if (str_ends_with(name, STR(".")))
		name.len--;
	ts->name = str_copy_lower(name);
	if (!ts->ssl)
		return &ts->base;
	if (expect_name(ts, name)) {
		resume(ts);
	} else {
		err_set(&e, ERR_CONFIG,
			"\"%.*s\" is not a name that a server certificate can be checked for",
			STR_FMT(str_first(name, HOST_NAME_MAX_LEN)));
		tls_fail(ts, &e);
	}
	ERR_clear_error();
	return &ts->base;
}

/* ---- facts ---- */

const char *tls_stream_server_name(const struct stream *s)
{
	const struct tls_stream *ts = tls_stream_of(s);
	const char *name = ts->ssl ? SSL_get_servername(ts->ssl, TLSEXT_NAMETYPE_host_name) : NULL;

	return name ? name : "";
}

bool tls_stream_facts(const struct stream *s, struct tls_facts *ret)
{
	const struct tls_stream *ts = tls_stream_of(s);

	if (ts->state != TLS_OPEN)
		return false;
	*ret = (struct tls_facts){
		.version = SSL_get_version(ts->ssl),
		.alpn = tls_config_alpn_of(ts->config, ts->ssl),
		.server_name = tls_stream_server_name(s),
		.is_resumed = SSL_session_reused(ts->ssl) == 1,
	};
	return true;
}
