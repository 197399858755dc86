#include "tls/peer_certificate.h"

#include <time.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>

#include "base/addr.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/codec.h"
#include "base/mem.h"
#include "base/ref.h"
#include "base/utf8.h"
#include "tls/peer_certificate_x509.h"
#include "tls/tls_engine.h"
#include "tls/tls_error.h"
#include "tls/tls_pem.h"

#define DIGEST_SIZE   32
#define NAME_TEXT_MAX 256
#define SERIAL_MAX    64 /* RFC 5280 knows 20 bytes */
#define BASE64_MAX    (DIGEST_SIZE * 2)
#define IPV4_SIZE     4
#define IPV6_SIZE     16

struct peer_certificate {
	struct ref ref;
	X509 *leaf;
	STACK_OF(X509) * chain;
	struct arena arena;
	struct peer_certificate_facts facts;
	uint8_t digest[DIGEST_SIZE];
};

/* ---- names ---- */

static struct str asn1_text(const ASN1_STRING *text)
{
	return str_of(ASN1_STRING_get0_data(text), (size_t)ASN1_STRING_length(text));
}

/* A name with a NUL or a line feed inside wants to be taken for another one. */
static bool is_fit(struct str name)
{
	uint32_t c;

	if (str_is_empty(name))
		return false;
	for (size_t len; name.len > 0; name = str_from_pos(name, len)) {
		len = utf8_decode(name, &c);
		if (len == 0 || c < ' ' || (c >= 0x7f && c < 0xa0))
			return false;
	}
	return true;
}

static struct str format_ip(const ASN1_OCTET_STRING *ip, char out[ADDR_TEXT_MAX])
{
	struct addr addr = { 0 };

	if (ASN1_STRING_length(ip) == IPV4_SIZE) {
		addr.ip4.sin_family = AF_INET;
		memcpy(&addr.ip4.sin_addr, ASN1_STRING_get0_data(ip), IPV4_SIZE);
	} else if (ASN1_STRING_length(ip) == IPV6_SIZE) {
		addr.ip6.sin6_family = AF_INET6;
		memcpy(&addr.ip6.sin6_addr, ASN1_STRING_get0_data(ip), IPV6_SIZE);
	} else {
		return STR("");
	}
	addr_format_ip(&addr, out);
	return str_from(out);
}

static struct str user_principal_name(const OTHERNAME *name)
{
	if (OBJ_obj2nid(name->type_id) != NID_ms_upn || name->value->type != V_ASN1_UTF8STRING)
		return STR("");
	return asn1_text(name->value->value.utf8string);
}

/* Empty: none of the kinds we know. */
static struct str read_name(const GENERAL_NAME *name, enum peer_name_kind *ret_kind,
			    char ip_text[ADDR_TEXT_MAX])
{
	switch (name->type) {
	case GEN_DNS:
		*ret_kind = PEER_NAME_DNS;
		return asn1_text(name->d.dNSName);
	case GEN_EMAIL:
		*ret_kind = PEER_NAME_EMAIL;
		return asn1_text(name->d.rfc822Name);
	case GEN_IPADD:
		*ret_kind = PEER_NAME_IP;
		return format_ip(name->d.iPAddress, ip_text);
	case GEN_URI:
		*ret_kind = PEER_NAME_URI;
		return asn1_text(name->d.uniformResourceIdentifier);
	case GEN_OTHERNAME:
		*ret_kind = PEER_NAME_UPN;
		return user_principal_name(name->d.otherName);
	default:
		return STR("");
	}
}

static void sort_names(struct peer_certificate *certificate, const GENERAL_NAMES *names)
{
	size_t all = (size_t)sk_GENERAL_NAME_num(names);
	struct str *sorted[PEER_NAME_KINDS];
	size_t counts[PEER_NAME_KINDS] = { 0 };

	for (size_t kind = 0; kind < PEER_NAME_KINDS; kind++)
		sorted[kind] = arena_alloc_array(&certificate->arena, all, sizeof(struct str));
	for (size_t i = 0; i < all; i++) {
		enum peer_name_kind kind = PEER_NAME_DNS;
		char ip_text[ADDR_TEXT_MAX];
		struct str name = read_name(sk_GENERAL_NAME_value(names, (int)i), &kind, ip_text);

		if (is_fit(name))
			sorted[kind][counts[kind]++] = arena_copy(&certificate->arena, name);
	}
	for (size_t kind = 0; kind < PEER_NAME_KINDS; kind++)
		certificate->facts.names[kind] = (struct peer_names){ .items = sorted[kind],
								      .count = counts[kind] };
}

static int read_names(struct peer_certificate *certificate, struct err *e)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(certificate->leaf, NID_subject_alt_name, NULL,
						NULL);
	int result = 0;

	ERR_clear_error();
	if (sk_GENERAL_NAME_num(names) > PEER_CERTIFICATE_NAMES_MAX)
		result = err_set(e, ERR_LIMIT, "the certificate has more than %d names",
				 PEER_CERTIFICATE_NAMES_MAX);
	else if (names)
		sort_names(certificate, names);
	GENERAL_NAMES_free(names);
	return result;
}

/* ---- other facts ---- */

/* Escapes what is not printable ASCII. */
static struct str format_name(struct arena *arena, const X509_NAME *name)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *text = NULL;
	struct str copy;
	long len;

	if (!bio)
		return STR("");
	X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_UTF8_CONVERT);
	len = BIO_get_mem_data(bio, &text);
	copy = arena_copy(arena, str_first(str_of(text, len > 0 ? (size_t)len : 0), NAME_TEXT_MAX));
	BIO_free(bio);
	return copy;
}

static struct str format_serial(struct arena *arena, const X509 *leaf)
{
	const ASN1_INTEGER *serial = X509_get0_serialNumber(leaf);
	struct str bytes = str_first(asn1_text(serial), SERIAL_MAX);
	struct buf text = BUF_INIT(2 * SERIAL_MAX);
	struct str copy;

	(void)hex_encode(&text, bytes.at, bytes.len); /* it fits */
	copy = arena_copy(arena, buf_view(&text));
	buf_done(&text);
	return copy;
}

static int hash_key_info(const X509 *leaf, uint8_t out[DIGEST_SIZE])
{
	unsigned char *der = NULL;
	int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(leaf), &der);
	int is_done = len > 0 && EVP_Digest(der, (size_t)len, out, NULL, EVP_sha256(), NULL);

	OPENSSL_free(der);
	return is_done ? 0 : -1;
}

static int hash_leaf(struct peer_certificate *certificate, struct err *e)
{
	uint8_t hash[DIGEST_SIZE];
	uint8_t key_hash[DIGEST_SIZE];
	struct buf text = BUF_INIT(BASE64_MAX);

	if (!X509_digest(certificate->leaf, EVP_sha256(), hash, NULL) ||
	    hash_key_info(certificate->leaf, key_hash) < 0)
		return tls_err_openssl(e, ERR_CRYPTO, "the certificate cannot be hashed");
	(void)hex_encode(&text, hash, sizeof(hash)); /* it fits */
	certificate->facts.fingerprint = arena_copy(&certificate->arena, buf_view(&text));
	buf_truncate(&text, 0);
	(void)base64_encode(&text, BASE64_STANDARD, key_hash, sizeof(key_hash));
	certificate->facts.spki_hash = arena_copy(&certificate->arena, buf_view(&text));
	buf_done(&text);
	return 0;
}

bool tls_time_unix(const ASN1_TIME *time, int64_t *ret)
{
	struct tm parts = { 0 };

	if (!time || ASN1_TIME_to_tm(time, &parts) != 1)
		return false;
	*ret = timegm(&parts);
	return true;
}

static int read_facts(struct peer_certificate *certificate, struct err *e)
{
	struct peer_certificate_facts *facts = &certificate->facts;
	const X509 *leaf = certificate->leaf;

	if (!tls_time_unix(X509_get0_notBefore(leaf), &facts->not_before_unix) ||
	    !tls_time_unix(X509_get0_notAfter(leaf), &facts->not_after_unix)) {
		ERR_clear_error();
		return err_set(e, ERR_TLS, "the certificate has no readable validity period");
	}
	facts->subject = format_name(&certificate->arena, X509_get_subject_name(leaf));
	facts->issuer = format_name(&certificate->arena, X509_get_issuer_name(leaf));
	facts->serial = format_serial(&certificate->arena, leaf);
	if (hash_leaf(certificate, e) < 0)
		return -1;
	return read_names(certificate, e);
}

/* ---- making ---- */

/* Checks the limits of what is there by the way. */
static int hash_all(struct peer_certificate *certificate, struct err *e)
{
	uint8_t hashes[PEER_CERTIFICATE_CHAIN_MAX * DIGEST_SIZE];
	int behind = sk_X509_num(certificate->chain);
	size_t size = 0;
	size_t len = 0;

	if (behind >= PEER_CERTIFICATE_CHAIN_MAX)
		return err_set(e, ERR_LIMIT, "more than %d certificates in one chain",
			       PEER_CERTIFICATE_CHAIN_MAX);
	for (int i = -1; i < behind; i++) {
		X509 *one = i < 0 ? certificate->leaf : sk_X509_value(certificate->chain, i);
		int der_len = i2d_X509(one, NULL);

		size += der_len > 0 ? (size_t)der_len : 0;
		if (!X509_digest(one, EVP_sha256(), hashes + len, NULL))
			return tls_err_openssl(e, ERR_CRYPTO, "a certificate cannot be hashed");
		len += DIGEST_SIZE;
	}
	if (size > PEER_CERTIFICATE_SIZE_MAX)
		return err_set(e, ERR_LIMIT, "a certificate chain of more than %d bytes",
			       PEER_CERTIFICATE_SIZE_MAX);
	if (!EVP_Digest(hashes, len, certificate->digest, NULL, EVP_sha256(), NULL))
		return tls_err_openssl(e, ERR_CRYPTO, "a certificate cannot be hashed");
	return 0;
}

int peer_certificate_new(X509 *leaf, STACK_OF(X509) * chain, struct peer_certificate **ret,
			 struct err *e)
{
	_cleanup_(peer_certificate_unrefp) struct peer_certificate *certificate = mem_alloc(
		sizeof(*certificate));

	certificate->ref = REF_INIT;
	X509_up_ref(leaf);
	certificate->leaf = leaf;
	certificate->chain = chain ? X509_chain_up_ref(chain) : sk_X509_new_null();
	if (!certificate->chain)
		return tls_err_openssl(e, ERR_LIMIT, "a certificate cannot be kept");
	if (hash_all(certificate, e) < 0 || read_facts(certificate, e) < 0)
		return -1;
	*ret = TAKE(certificate);
	return 0;
}

int peer_certificate_parse(struct str pem, struct peer_certificate **ret, struct err *e)
{
	STACK_OF(X509) *chain = NULL;
	X509 *leaf;
	int result;

	if (tls_pem_certificates_read(pem, "certificate", PEER_CERTIFICATE_CHAIN_MAX, &chain, e) <
	    0)
		return -1;
	leaf = sk_X509_shift(chain);
	result = peer_certificate_new(leaf, chain, ret, e);
	X509_free(leaf);
	sk_X509_pop_free(chain, X509_free);
	return result;
}

/* NULL: it is another kind of stream. */
static const struct tls_stream *tls_stream_of(const struct stream *s)
{
	if (s->ops != &tls_stream_ops)
		return NULL;
	return (const struct tls_stream *)((const char *)s - offsetof(struct tls_stream, base));
}

struct peer_certificate *tls_stream_peer_certificate(const struct stream *s)
{
	const struct tls_stream *ts = tls_stream_of(s);
	X509 *leaf = ts && ts->state == TLS_OPEN ? SSL_get0_peer_certificate(ts->ssl) : NULL;
	struct peer_certificate *certificate = NULL;

	/* the handshake would have failed with one that cannot be read */
	if (leaf &&
	    peer_certificate_new(leaf, SSL_get_peer_cert_chain(ts->ssl), &certificate, NULL) < 0)
		return NULL;
	return certificate;
}

/* The chain is what client_auth.c left there: the leaf and what was sent with it. */
struct peer_certificate *tls_stream_refused_certificate(const struct stream *s)
{
	const struct tls_stream *ts = tls_stream_of(s);
	STACK_OF(X509) *sent = ts && ts->ssl ? SSL_get0_verified_chain(ts->ssl) : NULL;
	struct peer_certificate *certificate = NULL;
	STACK_OF(X509) * chain;

	if (!sent || sk_X509_num(sent) == 0 || ts->state == TLS_OPEN)
		return NULL;
	chain = sk_X509_dup(sent);
	if (chain)
		(void)peer_certificate_new(sk_X509_shift(chain), chain, &certificate,
					   NULL); /* NULL says it */
	sk_X509_free(chain);
	return certificate;
}

struct peer_certificate *peer_certificate_ref(struct peer_certificate *certificate)
{
	ref_get(&certificate->ref);
	return certificate;
}

void peer_certificate_unref(struct peer_certificate *certificate)
{
	if (!certificate || !ref_put(&certificate->ref))
		return;
	X509_free(certificate->leaf);
	sk_X509_pop_free(certificate->chain, X509_free);
	arena_done(&certificate->arena);
	mem_free(certificate);
}

const struct peer_certificate_facts *peer_certificate_facts(
	const struct peer_certificate *certificate)
{
	return &certificate->facts;
}

X509 *peer_certificate_leaf(const struct peer_certificate *certificate)
{
	return certificate->leaf;
}

STACK_OF(X509) * peer_certificate_chain(const struct peer_certificate *certificate)
{
	return certificate->chain;
}

struct str peer_certificate_digest(const struct peer_certificate *certificate)
{
	return str_of(certificate->digest, sizeof(certificate->digest));
}
