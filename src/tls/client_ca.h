#pragma once

/*
 * client_ca.h - whose certificates clients may show: roots, revocation lists, depth and names as one object
 *
 * Every certificate of ca_pem is trusted by itself, intermediate ones too. A revocation list is consulted for the leaf
 * only, if it is of the leaf's issuer; it counts if its signature is good, however old it is.
 *
 * Ownership  Reference counted; copies what it needs.
 * Threads    Shared by all.
 * Errors     ERR_CONFIG, ERR_LIMIT: a sentence that begins with the origin of what is wrong.
 * Limits     Named below.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"
#include "base/str.h"
#include "tls/peer_certificate.h"

#define CLIENT_CA_ROOTS_MAX    1024
#define CLIENT_CA_CRLS_MAX     1024
#define CLIENT_CA_PATTERNS_MAX 256
#define CLIENT_CA_VALID_MAX    4096 /* certificates whose good chain is remembered */

struct client_ca;

struct client_ca_pattern {
	enum peer_name_kind kind;
	struct str pattern; /* pattern.h; a name must match as a whole */
	const char *origin;
};

struct client_ca_options {
	struct str ca_pem;
	const char *ca_origin; /* names it in errors: a file or a setting */
	struct str crl_pem;    /* empty: nothing is revoked */
	const char *crl_origin;
	uint32_t max_depth; /* CA certificates above the leaf, the root included; 0: no limit */
	const struct client_ca_pattern *patterns; /* one name must match one of them; none: any */
	size_t pattern_count;
};

enum client_certificate_verdict {
	CLIENT_CERTIFICATE_VALID,
	CLIENT_CERTIFICATE_UNTRUSTED,
	CLIENT_CERTIFICATE_EXPIRED,
	CLIENT_CERTIFICATE_NOT_YET_VALID,
	CLIENT_CERTIFICATE_REVOKED,
	CLIENT_CERTIFICATE_REVOCATION_UNKNOWN, /* the list of its issuer is not good */
	CLIENT_CERTIFICATE_TOO_DEEP,
	CLIENT_CERTIFICATE_WRONG_PURPOSE,
	CLIENT_CERTIFICATE_NAME_NOT_ALLOWED,
};

/* "not-yet-valid" */
const char *client_certificate_verdict_name(enum client_certificate_verdict verdict);

int client_ca_new(const struct client_ca_options *options, struct client_ca **ret, struct err *e);
struct client_ca *client_ca_ref(struct client_ca *ca);
void client_ca_unref(struct client_ca *ca); /* NULL is ignored */

/*
 * Judges the certificate as of now. *ret_until_unix: the first moment at which time alone may change the verdict, for a
 * valid one when the first certificate of its chain expires; INT64_MAX if never.
 */
enum client_certificate_verdict client_ca_verify(struct client_ca *ca,
						 const struct peer_certificate *certificate,
						 int64_t now_unix, int64_t *ret_until_unix);

DEFINE_CLEANUP(struct client_ca, client_ca_unref)
