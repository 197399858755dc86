#pragma once

/*
 * explain.h - what pomerium explain has found out, and how it is told
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "policy/policy.h"
#include "proxy/route_table.h"
#include "tls/peer_certificate.h"

struct explanation {
	struct str destination; /* "host:port" */
	const struct route *route;
	const struct policy_input *input;
	struct decision decision;
	const struct peer_certificate *certificate; /* NULL: none is shown */
	int64_t until_unix; /* the first moment at which time alone may change the decision */
};

/* On standard output. */
void explanation_print(const struct explanation *e);
void explanation_print_json(const struct explanation *e);
