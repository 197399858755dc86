#pragma once

/*
 * client_ca_x509.h - a client CA in the handshake; private to tls/
 */

#include <pthread.h>

#include <openssl/x509.h>

#include "base/map.h"
#include "base/pattern.h"
#include "base/ref.h"
#include "tls/client_ca.h"

#define CLIENT_CA_DIGEST_SIZE 32

struct client_ca_rule {
	enum peer_name_kind kind;
	struct pattern *pattern;
};

struct client_ca {
	struct ref ref;
	X509_STORE *store;
	STACK_OF(X509) * roots;
	uint32_t max_depth;
	struct client_ca_rule *rules;
	size_t rule_count;
	uint8_t digest[CLIENT_CA_DIGEST_SIZE]; /* differs if any of the settings differs */
	pthread_mutex_t lock;
	struct map valid; /* good chains: see client_ca_verify.c; under lock */
};

/* As client_ca_verify(), for the handshake that insists: a revocation list must be in its own validity period, too. */
enum client_certificate_verdict client_ca_verify_strictly(
	struct client_ca *ca, const struct peer_certificate *certificate, int64_t now_unix);

/* What X509_V_ERR_... to give OpenSSL, which makes an alert of it. */
int client_certificate_verdict_error(enum client_certificate_verdict verdict);

/* For map_visit() over the good chains. */
bool client_ca_forget_period(void *arg, struct str key, void *value);
