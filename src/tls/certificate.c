#include "tls/certificate.h"

#include <string.h>

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/addr.h"
#include "base/clock.h"
#include "base/random.h"
#include "base/url.h"
#include "tls/tls_error.h"
#include "tls/tls_pem.h"

/*
 * A certificate is described by struct draft and built in one place; CA, server and self-signed ones differ in
 * that description only. Names become GENERAL_NAMEs directly, never through OpenSSL's configuration syntax, so
 * that no name can smuggle in another. Both PEM texts are ready before either buffer is touched.
 */

#define COMMON_NAME_MAX 64 /* ub-common-name, RFC 5280 */
#define SERIAL_LEN      16
#define CLOCK_SKEW_S    3600

struct extension {
	int nid;
	const char *value;
};

struct draft {
	struct str common_name;
	const struct str *names;
	size_t name_count;
	int days;
	const struct extension *extensions;
	size_t extension_count;
	X509 *issuer; /* NULL: itself */
	EVP_PKEY *issuer_key;
};

/* the key identifiers: the subject's own must exist before the authority's can copy it */
static const struct extension ca_extensions[] = {
	{ NID_basic_constraints, "critical,CA:TRUE,pathlen:0" },
	{ NID_key_usage, "critical,keyCertSign,cRLSign" },
	{ NID_subject_key_identifier, "hash" },
	{ NID_authority_key_identifier, "keyid:always" },
};

static const struct extension server_extensions[] = {
	{ NID_basic_constraints, "critical,CA:FALSE" },
	{ NID_key_usage, "critical,digitalSignature" },
	{ NID_ext_key_usage, "serverAuth" },
	{ NID_subject_key_identifier, "hash" },
	{ NID_authority_key_identifier, "keyid:always" },
};

static bool is_dns_name(struct str name)
{
	struct str rest = str_starts_with(name, STR("*.")) ? str_from_pos(name, 2) : name;
	struct str label;

	if (str_is_empty(rest) || name.len > HOST_NAME_MAX_LEN)
		return false;
	while (str_cut(&rest, '.', &label)) {
		if (str_is_empty(label) || label.len > 63)
			return false;
		for (size_t i = 0; i < label.len; i++) {
			char c = label.at[i];

			if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			      (c >= '0' && c <= '9') || c == '-' || c == '_'))
				return false;
		}
	}
	return true;
}

/* The bytes of an iPAddress, or those of a dNSName. */
static GENERAL_NAME *make_general_name(struct str name)
{
	GENERAL_NAME *general = GENERAL_NAME_new();
	struct addr ip;
	bool is_ip = addr_from_ip(name, 0, &ip);
	ASN1_STRING *value = is_ip ? ASN1_OCTET_STRING_new() : ASN1_IA5STRING_new();
	const void *bytes = name.at;
	size_t len = name.len;

	if (!general || !value) {
		GENERAL_NAME_free(general);
		ASN1_STRING_free(value);
		return NULL;
	}
	if (is_ip && ip.any.sa_family == AF_INET) {
		bytes = &ip.ip4.sin_addr;
		len = sizeof(ip.ip4.sin_addr);
	} else if (is_ip) {
		bytes = &ip.ip6.sin6_addr;
		len = sizeof(ip.ip6.sin6_addr);
	}
	GENERAL_NAME_set0_value(general, is_ip ? GEN_IPADD : GEN_DNS, value);
	if (ASN1_STRING_set(value, bytes, (int)len) == 1)
		return general;
	GENERAL_NAME_free(general);
	return NULL;
}

static bool add_alternative_names(X509 *certificate, const struct str *names, size_t count)
{
	GENERAL_NAMES *alternatives = sk_GENERAL_NAME_new_null();
	bool is_done = alternatives != NULL;

	for (size_t i = 0; is_done && i < count; i++) {
		GENERAL_NAME *name = make_general_name(names[i]);

		is_done = name && sk_GENERAL_NAME_push(alternatives, name) > 0;
		if (!is_done)
			GENERAL_NAME_free(name);
	}
	if (is_done)
		is_done = X509_add1_ext_i2d(certificate, NID_subject_alt_name, alternatives, 0,
					    0) == 1;
	GENERAL_NAMES_free(alternatives);
	return is_done;
}

static bool add_extensions(X509 *certificate, const struct draft *draft)
{
	X509V3_CTX context;

	X509V3_set_ctx(&context, draft->issuer ? draft->issuer : certificate, certificate, NULL,
		       NULL, 0);
	X509V3_set_ctx_nodb(&context);
	for (size_t i = 0; i < draft->extension_count; i++) {
		const struct extension *wanted = &draft->extensions[i];
		X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, wanted->nid,
								wanted->value);
		int is_added = extension ? X509_add_ext(certificate, extension, -1) : 0;

		X509_EXTENSION_free(extension);
		if (!is_added)
			return false;
	}
	return draft->name_count == 0 ||
	       add_alternative_names(certificate, draft->names, draft->name_count);
}

static bool set_serial(X509 *certificate)
{
	unsigned char bytes[SERIAL_LEN];
	BIGNUM *number;
	bool is_set;

	random_bytes(bytes, sizeof(bytes));
	bytes[0] = (unsigned char)((bytes[0] & 0x7f) |
				   0x40); /* positive, and always of full length */
	number = BN_bin2bn(bytes, sizeof(bytes), NULL);
	is_set = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate));
	BN_free(number);
	return is_set;
}

static bool set_validity(X509 *certificate, int days)
{
	time_t now = clock_time_t(clock_now_unix());

	/* In days: the end may lie behind what a time_t of 32 bits can say. */
	return X509_time_adj_ex(X509_getm_notBefore(certificate), 0, -CLOCK_SKEW_S, &now) &&
	       X509_time_adj_ex(X509_getm_notAfter(certificate), days, 0, &now);
}

static bool fill_in(X509 *certificate, EVP_PKEY *key, const struct draft *draft)
{
	X509_NAME *subject = X509_get_subject_name(certificate);
	const X509_NAME *issuer = draft->issuer ? X509_get_subject_name(draft->issuer) : subject;

	return X509_set_version(certificate, X509_VERSION_3) && set_serial(certificate) &&
	       set_validity(certificate, draft->days) && X509_set_pubkey(certificate, key) &&
	       X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
					  (const unsigned char *)draft->common_name.at,
					  (int)draft->common_name.len, -1, 0) &&
	       X509_set_issuer_name(certificate, issuer) && add_extensions(certificate, draft) &&
	       X509_sign(certificate, draft->issuer ? draft->issuer_key : key, EVP_sha256()) > 0;
}

static int append_bio(struct buf *out, BIO *bio)
{
	char *text = NULL;
	long len = BIO_get_mem_data(bio, &text);

	return buf_append(out, text, (size_t)len);
}

static int write_pem(X509 *certificate, EVP_PKEY *key, struct buf *ret_certificate_pem,
		     struct buf *ret_key_pem, struct err *e)
{
	BIO *certificate_bio = BIO_new(BIO_s_mem());
	BIO *key_bio = BIO_new(BIO_s_mem()); /* wipes what it held when freed */
	size_t certificate_len = ret_certificate_pem->len;
	int result = 0;

	if (!certificate_bio || !key_bio || !PEM_write_bio_X509(certificate_bio, certificate) ||
	    !PEM_write_bio_PrivateKey(key_bio, key, NULL, NULL, 0, NULL, NULL)) {
		result = tls_err_openssl(e, ERR_CRYPTO, "writing a certificate");
	} else if (append_bio(ret_certificate_pem, certificate_bio)) {
		result = err_set(e, ERR_LIMIT, "the certificate does not fit into %zu bytes",
				 ret_certificate_pem->max);
	} else if (append_bio(ret_key_pem, key_bio)) {
		buf_truncate(ret_certificate_pem, certificate_len);
		result = err_set(e, ERR_LIMIT, "the key does not fit into %zu bytes",
				 ret_key_pem->max);
	}
	BIO_free(certificate_bio);
	BIO_free(key_bio);
	return result;
}

static int make(const struct draft *draft, struct buf *ret_certificate_pem, struct buf *ret_key_pem,
		struct err *e)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *certificate = X509_new();
	int result = -1;

	ERR_clear_error();
	if (!key || !certificate || !fill_in(certificate, key, draft))
		tls_err_openssl(e, ERR_CRYPTO, "making a certificate for %.*s",
				STR_FMT(draft->common_name));
	else
		result = write_pem(certificate, key, ret_certificate_pem, ret_key_pem, e);
	X509_free(certificate);
	EVP_PKEY_free(key);
	return result;
}

static int check_names(const struct str *names, size_t count, struct err *e)
{
	struct addr ip;

	if (count == 0)
		return err_set(e, ERR_CONFIG, "a server certificate needs at least one name");
	for (size_t i = 0; i < count; i++)
		if (!addr_from_ip(names[i], 0, &ip) && !is_dns_name(names[i]))
			return err_set(e, ERR_CONFIG, "\"%.*s\" is not a DNS name or an IP address",
				       STR_FMT(str_first(names[i], HOST_NAME_MAX_LEN)));
	return 0;
}

static struct draft server_draft(const struct str *names, size_t count)
{
	return (struct draft){
		.common_name = names[0].len <= COMMON_NAME_MAX ? names[0] : STR("server"),
		.names = names,
		.name_count = count,
		.days = CERTIFICATE_SERVER_DAYS,
		.extensions = server_extensions,
		.extension_count = ARRAY_LEN(server_extensions),
	};
}

int certificate_make_ca(struct str common_name, struct buf *ret_certificate_pem,
			struct buf *ret_key_pem, struct err *e)
{
	struct draft draft = {
		.common_name = common_name,
		.days = CERTIFICATE_CA_DAYS,
		.extensions = ca_extensions,
		.extension_count = ARRAY_LEN(ca_extensions),
	};

	if (str_is_empty(common_name) || common_name.len > COMMON_NAME_MAX)
		return err_set(e, ERR_CONFIG, "the name of a CA must have 1 to %d characters",
			       COMMON_NAME_MAX);
	return make(&draft, ret_certificate_pem, ret_key_pem, e);
}

int certificate_make_server(const struct tls_key_pair *ca_pair, const struct str *names,
			    size_t name_count, struct buf *ret_certificate_pem,
			    struct buf *ret_key_pem, struct err *e)
{
	_cleanup_(tls_pem_pair_done) struct tls_pem_pair ca = { 0 };
	struct draft draft;

	if (check_names(names, name_count, e) || tls_pem_pair_read(ca_pair, &ca, e))
		return -1;
	if (X509_check_ca(ca.leaf) != 1)
		return err_set(e, ERR_CONFIG,
			       "%s: the certificate is not that of a certificate authority",
			       ca_pair->origin);
	draft = server_draft(names, name_count);
	draft.issuer = ca.leaf;
	draft.issuer_key = ca.key;
	return make(&draft, ret_certificate_pem, ret_key_pem, e);
}

int certificate_make_self_signed(const struct str *names, size_t name_count,
				 struct buf *ret_certificate_pem, struct buf *ret_key_pem,
				 struct err *e)
{
	struct draft draft;

	if (check_names(names, name_count, e))
		return -1;
	draft = server_draft(names, name_count);
	return make(&draft, ret_certificate_pem, ret_key_pem, e);
}
