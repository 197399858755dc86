#pragma once

/*
 * client_certificate.h - client certificates: which CA a route asks for, and what a request's certificate is worth
 * (protocol.md 2.6, configuration.md 3.6)
 */

#include <stddef.h>
#include <stdint.h>

#include "base/map.h"
#include "config/config.h"
#include "config/report.h"
#include "policy/policy.h"
#include "tls/client_ca.h"

struct exchange;

/* The client CAs of a configuration, each distinct one once. */
struct client_cas {
	struct client_ca *global; /* NULL: none */
	struct client_ca **items; /* all of them, the global one first; referenced */
	size_t count;
	struct map by_pem; /* those of routes */
};

/* What is wrong with them goes to the report. */
void client_cas_init(struct client_cas *cas, const struct config *config, struct report *report);
void client_cas_done(struct client_cas *cas);

/* The route's own, else the global one; NULL: none applies. Borrowed. */
struct client_ca *client_cas_of_route(const struct client_cas *cas,
				      const struct config_route *route);

/* Whether every route gets the rule that refuses bad certificates (policy-language.md 9, "Default rule"). */
enum policy_certificate_rule client_certificate_rule(const struct config *config);

/* What policies may know of a certificate (NULL: none was shown), judged by a CA (NULL: none applies). Borrowed. */
void client_certificate_judge(struct client_ca *ca, const struct peer_certificate *certificate,
			      int64_t now_unix, struct policy_certificate *ret,
			      int64_t *ret_until_unix);

/*
 * What policies may know of the client's certificate, judged as of now by the CA of x->route. *ret_until_unix: the first
 * moment at which time may change that; INT64_MAX if never. For open tunnels, too. Borrowed from x.
 */
void client_certificate_facts(const struct exchange *x, struct policy_certificate *ret,
			      int64_t *ret_until_unix);

/* The latter alone. */
int64_t client_certificate_until(const struct exchange *x);

/* Why the certificate of x is not good: "expired"; NULL if it is, if there is none, or if no CA applies. For logs. */
const char *client_certificate_problem(const struct exchange *x);
