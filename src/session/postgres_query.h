#pragma once

/*
 * postgres_query.h - one statement, and its answer in time
 *
 * Private to session/. If the server refuses a statement the connection stays. After STORE_BACKEND_TIMEOUT_MS without an
 * answer, or when there is no connection, the link is down; e says why in each case.
 */

#include "session/postgres_link.h"
#include "session/postgres_params.h"

/* params may be NULL. *ret is the caller's: postgres_result_free(). */
int postgres_query(struct postgres_link *l, const char *sql, const struct postgres_params *params,
		   struct pg_result **ret, struct err *e);

/* The same without looking at the result. */
int postgres_run(struct postgres_link *l, const char *sql, struct err *e);

/* The same for the first number of the first row; 0 if there is none. */
int postgres_query_number(struct postgres_link *l, const char *sql,
			  const struct postgres_params *params, int64_t *ret, struct err *e);

/* signature: see postgres_types(). */
int postgres_prepare(struct postgres_link *l, const char *name, const char *sql,
		     const char *signature, struct err *e);
int postgres_execute(struct postgres_link *l, const char *name,
		     const struct postgres_params *params, struct pg_result **ret, struct err *e);
