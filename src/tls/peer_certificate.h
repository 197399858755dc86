#pragma once

/*
 * peer_certificate.h - the certificate that a peer showed, and what is written in it
 *
 * The peer has proved that it has the key; nothing else is checked: see client_ca.h.
 *
 * Ownership  Immutable, reference counted, may be shared by threads. It outlives its connection.
 * Limits     Named below. A certificate beyond them is refused in the handshake.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"
#include "base/str.h"

#define PEER_CERTIFICATE_CHAIN_MAX 16    /* certificates, the leaf included */
#define PEER_CERTIFICATE_SIZE_MAX  32768 /* all of them, as they are sent */
#define PEER_CERTIFICATE_NAMES_MAX 1024  /* subject alternative names of the leaf */

struct peer_certificate;
struct stream;

enum peer_name_kind {
	PEER_NAME_DNS,
	PEER_NAME_EMAIL,
	PEER_NAME_IP, /* as addr_format_ip() writes it */
	PEER_NAME_URI,
	PEER_NAME_UPN, /* user principal name */
	PEER_NAME_KINDS,
};

/* Names as they were written, not empty, without control characters; any other is left out. */
struct peer_names {
	const struct str *items;
	size_t count;
};

struct peer_certificate_facts {
	struct str fingerprint; /* SHA-256 of the leaf, 64 lower-case hexadecimal digits */
	struct str spki_hash;   /* SHA-256 of its public key info, base64 */
	struct str subject;     /* for people: printable ASCII, "CN=Ada,O=Example" */
	struct str issuer;
	struct str serial; /* lower-case hexadecimal */
	struct peer_names names[PEER_NAME_KINDS];
	int64_t not_before_unix;
	int64_t not_after_unix; /* from that second on it is expired */
};

/* What the peer showed: a reference for the caller. NULL: nothing, the handshake is not done, or s is no TLS stream. */
struct peer_certificate *tls_stream_peer_certificate(const struct stream *s);

/* The same of a client whose handshake failed because of what it showed. */
struct peer_certificate *tls_stream_refused_certificate(const struct stream *s);

/* As if a peer had shown these: the leaf first, then its chain, in PEM form. */
int peer_certificate_parse(struct str pem, struct peer_certificate **ret, struct err *e);

struct peer_certificate *peer_certificate_ref(struct peer_certificate *certificate);
void peer_certificate_unref(struct peer_certificate *certificate); /* NULL is ignored */

/* Valid as long as the certificate. */
const struct peer_certificate_facts *peer_certificate_facts(
	const struct peer_certificate *certificate);

DEFINE_CLEANUP(struct peer_certificate, peer_certificate_unref)
