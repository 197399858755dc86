#pragma once

/*
 * tls_config.h - certificates, versions and trust as an immutable object
 *
 * TLS 1.2 and 1.3, the suites of protocol.md 1.5. Sessions can be resumed.
 *
 * Ownership  Reference counted; shared by all threads.
 * Errors     ERR_CONFIG with a sentence that names the file or setting.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

struct tls_config;

/*
 * A certificate, a key or both on a PKCS#11 token, by their URIs (RFC 7512) without the part behind "?". What loads it is looked
 * for only where a token is named.
 */
struct tls_token {
	const char *certificate_uri; /* NULL: the pair has it as PEM text */
	const char *key_uri;         /* likewise */
	const char *module_path;     /* NULL: whatever the system has set up */
	/* Called at most once, from within tls_config_new_client(), and only if the token wants a PIN. */
	int (*read_pin)(void *arg, const char *question, struct buf *ret_pin, struct err *e);
	void *arg;
};

struct tls_key_pair {
	struct str certificate_pem; /* leaf first, then its chain */
	struct str key_pem;
	const char *origin; /* names the pair in errors: a file or a setting; never the contents */
};

struct client_ca;

enum tls_client_certificates {
	TLS_CLIENT_CERTIFICATES_NONE,    /* not asked for */
	TLS_CLIENT_CERTIFICATES_REQUEST, /* any is taken, none too: see peer_certificate.h */
	TLS_CLIENT_CERTIFICATES_REQUIRE, /* the handshake fails without one that one of client_cas finds valid */
};

struct tls_server_options {
	/* Chosen by SNI: exact name, then "*." wildcard, first pair given wins; without a match the first pair.
	 * None at all: a self-signed certificate is made up. */
	const struct tls_key_pair *pairs;
	size_t pair_count;
	const char *const *alpn; /* NULL-terminated, in order of preference */
	/* What a peer that speaks plain HTTP is told before the connection ends; empty: nothing. Copied. */
	struct str plain_http_reply;
	enum tls_client_certificates client_certificates;
	struct client_ca *const *client_cas; /* named in the request; referenced */
	size_t client_ca_count;
	/* Servers that have the same one resume each other's sessions of TLS 1.3: 32 bytes, or empty. */
	struct str ticket_secret;
};

int tls_config_new_server(const struct tls_server_options *options, struct tls_config **ret,
			  struct err *e);

struct tls_client_options {
	bool verify;                /* certificate chain and name */
	struct str extra_roots_pem; /* added to the system's roots, which are read on demand */
	bool only_extra_roots;      /* in their place */
	/* NULL, or the config of a client with the same roots and client pair, which are not read again. */
	const struct tls_config *same;
	const struct tls_key_pair *client_pair; /* or NULL */
	const struct tls_token *client_token;   /* NULL, or what has the rest of client_pair */
	const char *const *alpn;
};

int tls_config_new_client(const struct tls_client_options *options, struct tls_config **ret,
			  struct err *e);

#define TLS_SESSION_SIZE_MAX 16384

/*
 * Where a client keeps sessions for processes that come later. The key, hexadecimal digits, stands for a server's name and
 * for everything that decides whom to trust. A session is a secret.
 */
struct tls_session_store {
	void *arg;
	void (*put)(void *arg, const char *key, struct str session);
	/* And forgets it. ret_session has a maximum of TLS_SESSION_SIZE_MAX. */
	bool (*take)(void *arg, const char *key, struct buf *ret_session);
};

/* To be called before anybody uses it. One that does not verify keeps nothing. */
void tls_config_keep_sessions(struct tls_config *config, const struct tls_session_store *store);

/*
 * Of two servers, one after the other: sessions begun with the earlier one are resumed by this one, if its demands on clients are
 * the same. To be called before anybody uses it.
 */
void tls_config_succeed(struct tls_config *config, const struct tls_config *earlier);

struct tls_config *tls_config_ref(struct tls_config *config);

/* NULL is ignored. */
void tls_config_unref(struct tls_config *config);

DEFINE_CLEANUP(struct tls_config, tls_config_unref)
