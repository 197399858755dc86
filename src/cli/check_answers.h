#pragma once

/*
 * check_answers.h - what answers of a gateway mean for `check`
 *
 * Pure: answers in, lines of the report out.
 */

#include "base/str.h"
#include "cli/check_report.h"

struct gateway;
struct http_client_response;
struct tunnel_result;

/* -1 with a sentence if the answer to /.well-known/pomerium is not one of a gateway. */
int check_read_gateway(const struct http_client_response *response, const char *name,
		       struct err *e);

/* The lines from the route on. who may be empty. */
void check_report_tunnel(struct check_report *report, const struct gateway *gateway,
			 const struct tunnel_result *result, struct str who);
