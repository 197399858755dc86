#include "tls/tls_error.h"

#include <stdarg.h>
#include <stdio.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "tls/peer_certificate_x509.h"
#include "tls/tls_names.h"

/*
 * The queue holds the causes from the innermost to the outermost. Reasons of the SSL library that have a sentence
 * in the table win; else the outermost reason is shown as OpenSSL words it. Alerts of the peer appear in the
 * queue as reasons of the SSL library too, above SSL_AD_REASON_OFFSET.
 */

struct reason_text {
	int reason;
	const char *text;
};

static const struct reason_text reason_texts[] = {
	{ SSL_R_UNSUPPORTED_PROTOCOL,
	  "the peer offers no common TLS version (1.2 or 1.3 is needed)" },
	{ SSL_R_UNKNOWN_PROTOCOL, "the peer offers no common TLS version (1.2 or 1.3 is needed)" },
	{ SSL_R_VERSION_TOO_LOW, "the peer offers no common TLS version (1.2 or 1.3 is needed)" },
	{ SSL_R_NO_PROTOCOLS_AVAILABLE, "no TLS version is left that both sides allow" },
	{ SSL_R_NO_SHARED_CIPHER, "the peer offers no common cipher suite" },
	{ SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM, "the peer offers no common signature algorithm" },
	{ SSL_R_NO_SUITABLE_KEY_SHARE, "the peer offers no common key exchange" },
	{ SSL_R_WRONG_VERSION_NUMBER, "the peer does not speak TLS" },
	{ SSL_R_HTTP_REQUEST, "the peer sent a plain HTTP request to a TLS port" },
	{ SSL_R_HTTPS_PROXY_REQUEST, "the peer sent a plain HTTP request to a TLS port" },
	{ SSL_R_RECORD_LENGTH_MISMATCH, "the peer sent a malformed TLS message" },
	{ SSL_R_LENGTH_MISMATCH, "the peer sent a malformed TLS message" },
	{ SSL_R_BAD_RECORD_TYPE, "the peer does not speak TLS" },
	{ SSL_R_PACKET_LENGTH_TOO_LONG, "the peer does not speak TLS" },
	{ SSL_R_UNEXPECTED_MESSAGE, "the peer sent a TLS message out of order" },
	{ SSL_R_UNEXPECTED_RECORD, "the peer sent a TLS message out of order" },
	{ SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC,
	  "a TLS record was damaged or forged on its way" },
	{ SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE, "the client showed no certificate" },
	{ SSL_R_INAPPROPRIATE_FALLBACK, "the peer fell back to an older TLS version" },
};

static const struct reason_text alert_texts[] = {
	{ SSL_AD_UNEXPECTED_MESSAGE, "it received a message out of order" },
	{ SSL_AD_BAD_RECORD_MAC, "a record was damaged or forged on its way" },
	{ SSL_AD_HANDSHAKE_FAILURE, "nothing acceptable in common (handshake failure)" },
	{ SSL_AD_BAD_CERTIFICATE, "it found the certificate bad" },
	{ SSL_AD_UNSUPPORTED_CERTIFICATE, "it does not support this kind of certificate" },
	{ SSL_AD_CERTIFICATE_REVOKED, "the certificate is revoked" },
	{ SSL_AD_CERTIFICATE_EXPIRED, "the certificate has expired" },
	{ SSL_AD_CERTIFICATE_UNKNOWN, "it did not accept the certificate" },
	{ SSL_AD_ILLEGAL_PARAMETER, "it received an illegal parameter" },
	{ SSL_AD_UNKNOWN_CA, "it does not trust the issuer of the certificate" },
	{ SSL_AD_ACCESS_DENIED, "access denied" },
	{ SSL_AD_DECODE_ERROR, "it received a malformed message" },
	{ SSL_AD_DECRYPT_ERROR, "it could not verify a message" },
	{ SSL_AD_PROTOCOL_VERSION, "no common version" },
	{ SSL_AD_INSUFFICIENT_SECURITY, "it asks for stronger parameters" },
	{ SSL_AD_INTERNAL_ERROR, "it has an internal error" },
	{ SSL_AD_NO_RENEGOTIATION, "no renegotiation" },
	{ SSL_AD_UNRECOGNIZED_NAME, "it does not know the server name" },
	{ TLS13_AD_CERTIFICATE_REQUIRED, "it requires a client certificate" },
	{ SSL_AD_NO_APPLICATION_PROTOCOL, "no common application protocol" },
};

static const char *find_text(const struct reason_text *table, size_t count, int reason)
{
	for (size_t i = 0; i < count; i++)
		if (table[i].reason == reason)
			return table[i].text;
	return NULL;
}

int tls_err_openssl(struct err *e, enum err_kind kind, const char *format, ...)
{
	unsigned long code = ERR_peek_last_error();
	const char *reason = code ? ERR_reason_error_string(code) : NULL;
	char context[ERR_TEXT_MAX];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(context, sizeof(context), format, args); /* cut like every error text */
	va_end(args);
	ERR_clear_error();
	if (!reason)
		return err_set(e, kind, "%s", context);
	return err_set(e, kind, "%s: %s", context, reason);
}

bool tls_err_is_plain_http(void)
{
	unsigned long code = ERR_peek_error();

	if (ERR_GET_LIB(code) != ERR_LIB_SSL)
		return false;
	return ERR_GET_REASON(code) == SSL_R_HTTP_REQUEST ||
	       ERR_GET_REASON(code) == SSL_R_HTTPS_PROXY_REQUEST;
}

/* The names of the certificate, or its issuer, come from the peer: bounded, and not shown unless printable. */
static void format_names(const X509 *leaf, char out[TLS_NAMES_TEXT_MAX])
{
	_cleanup_(tls_names_done) struct tls_names names = { 0 };
	_cleanup_(buf_done) struct buf text = BUF_INIT(TLS_NAMES_TEXT_MAX - 8);

	tls_names_of(leaf, true, &names);
	for (size_t i = 0; i < names.count; i++) {
		if (buf_printf(&text, "%s%s", i ? ", " : "", names.items[i])) {
			(void)snprintf(out, TLS_NAMES_TEXT_MAX, "%.*s, ...",
				       STR_FMT(buf_view(&text)));
			return;
		}
	}
	(void)snprintf(out, TLS_NAMES_TEXT_MAX, "%.*s",
		       STR_FMT(names.count ? buf_view(&text) : STR("nothing")));
}

static void format_name(const X509_NAME *name, char out[TLS_NAMES_TEXT_MAX])
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *text = NULL;
	long len;

	(void)snprintf(out, TLS_NAMES_TEXT_MAX, "unknown");
	if (!bio)
		return;
	/* escapes control characters and what is not ASCII */
	X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_UTF8_CONVERT);
	len = BIO_get_mem_data(bio, &text);
	if (len > 0)
		(void)snprintf(out, TLS_NAMES_TEXT_MAX, "%.*s", (int)len, text);
	BIO_free(bio);
}

static bool is_issuer_unknown(long result)
{
	return result == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY ||
	       result == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT ||
	       result == X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE ||
	       result == X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN ||
	       result == X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT;
}

/* Behind an intercepting proxy the subject is as it should be, and the issuer tells who it is. */
static int describe_issuer(struct err *e, long result, STACK_OF(X509) * chain, struct str name)
{
	char subject[TLS_NAMES_TEXT_MAX];
	char issuer[TLS_NAMES_TEXT_MAX];

	format_name(X509_get_subject_name(sk_X509_value(chain, 0)), subject);
	format_name(X509_get_issuer_name(sk_X509_value(chain, sk_X509_num(chain) - 1)), issuer);
	return err_set(e, ERR_UNTRUSTED,
		       "certificate of %.*s is not trusted: %s (subject: %.120s, issuer: %.120s)",
		       STR_FMT(name), X509_verify_cert_error_string(result), subject, issuer);
}

/* With the times, because it may as well be this machine's clock that is wrong. */
static int describe_time(struct err *e, bool is_expired, STACK_OF(X509) * chain, struct str name)
{
	int64_t now = clock_now_unix();
	char now_text[CLOCK_HTTP_DATE_MAX];
	char limit_text[CLOCK_HTTP_DATE_MAX];
	int64_t limit = now;

	for (int i = 0; i < sk_X509_num(chain); i++) {
		const X509 *one = sk_X509_value(chain, i);

		if (!tls_time_unix(is_expired ? X509_get0_notAfter(one) : X509_get0_notBefore(one),
				   &limit))
			continue;
		if (is_expired ? limit <= now : limit > now)
			break;
	}
	clock_format_http_date(now, now_text);
	clock_format_http_date(limit, limit_text);
	return err_set(
		e, ERR_TLS,
		"certificate of %.*s is not trusted: it %s %s; by the clock of this machine it is "
		"%s: look whether that is right",
		STR_FMT(name),
		is_expired ? "(or that of its issuer) has expired on" : "is not valid before",
		limit_text, now_text);
}

static int describe_untrusted(struct err *e, const SSL *ssl, struct str name)
{
	long result = SSL_get_verify_result(ssl);
	STACK_OF(X509) *chain = SSL_get0_verified_chain(ssl);
	char text[TLS_NAMES_TEXT_MAX];

	if (SSL_is_server(ssl))
		return err_set(e, ERR_TLS, "the client's certificate is not accepted: %s",
			       X509_verify_cert_error_string(result));
	if (!chain || sk_X509_num(chain) == 0)
		return err_set(e, ERR_TLS, "certificate of %.*s is not trusted: %s", STR_FMT(name),
			       X509_verify_cert_error_string(result));
	if (result == X509_V_ERR_HOSTNAME_MISMATCH || result == X509_V_ERR_IP_ADDRESS_MISMATCH) {
		format_names(sk_X509_value(chain, 0), text);
		return err_set(e, ERR_TLS, "certificate of %.*s is for another name: it is for %s",
			       STR_FMT(name), text);
	}
	if (is_issuer_unknown(result))
		return describe_issuer(e, result, chain, name);
	if (result == X509_V_ERR_CERT_HAS_EXPIRED || result == X509_V_ERR_CERT_NOT_YET_VALID)
		return describe_time(e, result == X509_V_ERR_CERT_HAS_EXPIRED, chain, name);
	format_name(X509_get_issuer_name(sk_X509_value(chain, sk_X509_num(chain) - 1)), text);
	return err_set(e, ERR_TLS, "certificate of %.*s is not trusted: %s (issuer: %s)",
		       STR_FMT(name), X509_verify_cert_error_string(result), text);
}

static int describe_alert(struct err *e, int alert, bool is_handshake)
{
	const char *text = find_text(alert_texts, ARRAY_LEN(alert_texts), alert);

	if (!text)
		text = SSL_alert_desc_string_long(alert);
	return err_set(e, ERR_TLS, "%s: %s",
		       is_handshake ? "the peer refused the handshake"
				    : "the peer ended the connection with a TLS alert",
		       text);
}

int tls_err_failure(struct err *e, const SSL *ssl, struct str name, bool is_handshake)
{
	const char *outermost = "unknown failure";
	unsigned long code;

	while ((code = ERR_get_error()) != 0) {
		int reason = ERR_GET_REASON(code);
		const char *text = NULL;

		if (ERR_GET_LIB(code) == ERR_LIB_SSL) {
			text = find_text(reason_texts, ARRAY_LEN(reason_texts), reason);
			if (text || reason == SSL_R_CERTIFICATE_VERIFY_FAILED ||
			    reason > SSL_AD_REASON_OFFSET)
				ERR_clear_error();
			if (text)
				return err_set(e, ERR_TLS, "%s", text);
			if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED)
				return describe_untrusted(e, ssl, name);
			if (reason > SSL_AD_REASON_OFFSET)
				return describe_alert(e, reason - SSL_AD_REASON_OFFSET,
						      is_handshake);
		}
		text = ERR_reason_error_string(code);
		if (text)
			outermost = text;
	}
	return err_set(e, ERR_TLS, "TLS failed: %s", outermost);
}
