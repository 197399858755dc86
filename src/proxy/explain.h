#pragma once

/*
 * explain.h - what pomerium explain has found out, and how it is told
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "policy/policy.h"
#include "proxy/route_table.h"

struct explanation {
	struct str destination; /* "host:port" */
	const struct route *route;
	const struct policy_input *input;
	struct decision decision;
	bool takes_certificate; /* a good client certificate is taken for granted */
};

/* On standard output. */
void explanation_print(const struct explanation *e);
void explanation_print_json(const struct explanation *e);
