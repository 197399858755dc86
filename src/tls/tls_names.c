#include "tls/tls_names.h"

#include <arpa/inet.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "base/mem.h"

/*
 * RFC 6125: the common name counts only for a certificate without a subjectAltName of the kind asked for.
 */

static void add_name(struct tls_names *names, struct str name)
{
	if (names->count == TLS_NAMES_MAX || str_is_empty(name) || !str_is_printable_ascii(name))
		return;
	names->items = mem_resize(names->items, names->count + 1, sizeof(*names->items));
	names->items[names->count++] = str_copy_lower(name);
}

static struct str asn1_text(const ASN1_STRING *text)
{
	return str_of(ASN1_STRING_get0_data(text), (size_t)ASN1_STRING_length(text));
}

static void add_address(struct tls_names *names, const ASN1_OCTET_STRING *ip)
{
	char text[INET6_ADDRSTRLEN];
	int family = ASN1_STRING_length(ip) == 4 ? AF_INET : AF_INET6;

	if (family == AF_INET6 && ASN1_STRING_length(ip) != 16)
		return;
	if (inet_ntop(family, ASN1_STRING_get0_data(ip), text, sizeof(text)))
		add_name(names, str_from(text));
}

static void add_common_name(struct tls_names *names, const X509 *certificate)
{
	const X509_NAME *subject = X509_get_subject_name(certificate);
	int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);

	if (at >= 0)
		add_name(names,
			 asn1_text(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at))));
}

void tls_names_of(const X509 *certificate, bool with_addresses, struct tls_names *ret)
{
	GENERAL_NAMES *alternatives = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL,
						       NULL);

	*ret = (struct tls_names){ 0 };
	for (int i = 0; i < sk_GENERAL_NAME_num(alternatives); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(alternatives, i);

		if (name->type == GEN_DNS)
			add_name(ret, asn1_text(name->d.dNSName));
		if (name->type == GEN_IPADD && with_addresses)
			add_address(ret, name->d.iPAddress);
	}
	if (!alternatives)
		add_common_name(ret, certificate);
	GENERAL_NAMES_free(alternatives);
	ERR_clear_error();
}

void tls_names_done(struct tls_names *names)
{
	for (size_t i = 0; i < names->count; i++)
		mem_free(names->items[i]);
	mem_free(names->items);
	*names = (struct tls_names){ 0 };
}
