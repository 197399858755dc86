/*
 * tls_options.c - files and base64 text are read into buffers, which the TLS configuration copies from
 */

#include "cli/tls_options.h"

#include "base/buf.h"
#include "base/codec.h"
#include "base/file.h"
#include "cli/client_token.h"
#include "cli/options.h"

/* `base64 FILE` breaks its output into lines; users paste that. */
static void append_without_line_ends(struct buf *out, struct str text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.at[i] != '\r' && text.at[i] != '\n')
			(void)buf_append_char(out,
					      text.at[i]); /* seen by the caller: is_overflown */
}

static int decode_roots(const char *text, struct buf *out, struct err *e)
{
	struct buf plain = BUF_INIT(2 * TLS_OPTIONS_FILE_MAX);
	int result = -1;

	append_without_line_ends(&plain, str_from(text));
	if (!plain.is_overflown && plain.len > 0)
		result = base64_decode(out, BASE64_STANDARD, buf_view(&plain));
	buf_done(&plain);
	if (result < 0)
		return err_set(e, ERR_CONFIG, "--ca-cert must be the base64 text of a PEM file");
	return 0;
}

static int load_roots(const struct options *options, struct buf *out, struct err *e)
{
	if (options->ca_cert)
		return decode_roots(options->ca_cert, out, e);
	if (options->alternate_ca_path && file_read(options->alternate_ca_path, out, e) < 0)
		return err_wrap(e, "--alternate-ca-path");
	return 0;
}

struct material {
	struct buf roots;
	struct buf certificate;
	struct buf key;
	struct client_token token;
	struct tls_key_pair pair;
	const struct tls_token *used_token;
};

static int read_half(const char *name, const char *flag, struct buf *out, struct err *e)
{
	if (!flag || token_uri_is(flag))
		return 0;
	if (file_read(flag, out, e) < 0)
		return err_wrap(e, "--%s", name);
	return 0;
}

static int load_client_pair(const struct options *options, struct material *m, struct err *e)
{
	bool has_token = token_uri_is(options->client_cert) || token_uri_is(options->client_key);

	if (!options->client_cert || (!options->client_key && !token_uri_is(options->client_cert)))
		return err_set(e, ERR_CONFIG,
			       "--client-cert and --client-key are used together: --%s is missing",
			       options->client_cert ? "client-key" : "client-cert");
	if (read_half("client-cert", options->client_cert, &m->certificate, e) < 0 ||
	    read_half("client-key", options->client_key, &m->key, e) < 0 ||
	    (has_token && client_token_load(options, &m->token, e) < 0))
		return -1;
	m->used_token = has_token ? &m->token.token : NULL;
	m->pair = (struct tls_key_pair){ .certificate_pem = buf_view(&m->certificate),
					 .key_pem = buf_view(&m->key),
					 .origin = has_token ? "client certificate"
							     : options->client_cert };
	return 0;
}

static int make_config(const struct options *options, struct material *m, struct tls_config **ret,
		       struct err *e)
{
	static const char *const alpn[] = { "http/1.1", NULL };
	bool has_pair = options->client_cert || options->client_key;

	if (load_roots(options, &m->roots, e) < 0 ||
	    (has_pair && load_client_pair(options, m, e) < 0))
		return -1;
	return tls_config_new_client(
		&(struct tls_client_options){ .alpn = alpn,
					      .verify = !options->disable_tls_verification,
					      .extra_roots_pem = buf_view(&m->roots),
					      .client_pair = has_pair ? &m->pair : NULL,
					      .client_token = m->used_token },
		ret, e);
}

int tls_options_load(const struct options *options, struct tls_config **ret, struct err *e)
{
	struct material m = { .roots = BUF_INIT(TLS_OPTIONS_FILE_MAX),
			      .certificate = BUF_INIT(TLS_OPTIONS_FILE_MAX),
			      .key = BUF_INIT(TLS_OPTIONS_FILE_MAX) };
	int result = make_config(options, &m, ret, e);

	buf_done(&m.roots);
	buf_done(&m.certificate);
	buf_done_secret(&m.key);
	client_token_done(&m.token);
	return result;
}

int tls_options_load_h2(const struct options *options, const struct tls_config *same,
			struct tls_config **ret, struct err *e)
{
	static const char *const alpn[] = { "h2", "http/1.1", NULL };

	return tls_config_new_client(
		&(struct tls_client_options){
			.alpn = alpn, .verify = !options->disable_tls_verification, .same = same },
		ret, e);
}

void tls_options_advise(struct err *e)
{
	const struct err copy = *e;

	if (e->kind == ERR_UNTRUSTED)
		(void)err_set(
			e, ERR_UNTRUSTED,
			"%s; unless you know this issuer, something in between may be reading "
			"along; to trust it, name its certificate with --alternate-ca-path",
			copy.text);
}
