#pragma once

/*
 * certificate.h - make certificates: an own CA, and server certificates signed by it
 *
 * P-256 keys, SHA-256. For `pomerium init` and for gateways started without a certificate.
 *
 * Errors     ERR_CONFIG for names and CA texts that cannot be used, ERR_LIMIT when a text exceeds the maximum of its
 *            buffer, ERR_CRYPTO otherwise. On failure the buffers are as before.
 */

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "tls/tls_config.h"

#define CERTIFICATE_CA_DAYS     3650
#define CERTIFICATE_SERVER_DAYS 397

/* A self-signed CA: appends PEM texts. The key buffer is a secret: buf_done_secret(). */
int certificate_make_ca(struct str common_name, struct buf *ret_certificate_pem,
			struct buf *ret_key_pem, struct err *e);

/* A server certificate for DNS names ("*." wildcards too) and IP literals, signed by the CA. */
int certificate_make_server(const struct tls_key_pair *ca, const struct str *names,
			    size_t name_count, struct buf *ret_certificate_pem,
			    struct buf *ret_key_pem, struct err *e);

/* A server certificate that vouches for itself: clients will warn, or pin it. */
int certificate_make_self_signed(const struct str *names, size_t name_count,
				 struct buf *ret_certificate_pem, struct buf *ret_key_pem,
				 struct err *e);
