#pragma once

/*
 * audit_fields.h - the fields of the access and the authorize log that an operator may choose (configuration.md 3.10)
 *
 * One row per field. Without a list of his own the fields existing dashboards read are written, in their order.
 *
 * Secrets: tokens and cookies are never shown; of a query only that there was one, since it may hold them.
 */

#include "base/log.h"
#include "proxy/exchange.h"

void audit_fields_access(struct log_line *line, const struct exchange *x);
void audit_fields_authorize(struct log_line *line, const struct exchange *x);

/* "session-id" or "service-account-id", "user", "email" */
void audit_fields_who(struct log_line *line, const struct exchange *x);

/* Copies what of the request's headers is to be logged, before the request is gone. */
void audit_keep_headers(struct exchange *x);
