#include "session/postgres_query.h"

#include <poll.h>

#include <libpq-fe.h>

#include "base/clock.h"
#include "session/store_backend.h"

#define PING_MS 3000 /* of silence: then postgres_link_wait() asks the server whether it is there */

static const struct postgres_params no_params;

/* The primary message only: details may quote what is in the row. */
static void set_result_error(struct postgres_link *l, const PGresult *result, struct err *e)
{
	const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
	const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);

	l->sqlstate[0] = '\0';
	if (!message || !sqlstate) {
		err_set(e, ERR_SYSTEM, "%.*s",
			STR_FMT(postgres_link_essence(PQresultErrorMessage(result))));
	} else {
		(void)snprintf(l->sqlstate, sizeof(l->sqlstate), "%s", sqlstate); /* five */
		err_set(e, ERR_SYSTEM, "%s (%s)", message, sqlstate);
	}
	postgres_link_wrap(l, e);
}

static uint64_t query_deadline(const struct postgres_link *l)
{
	/* All of set_up() has the time of one query. */
	return l->state == POSTGRES_CONNECTING ? l->next_ms
					       : clock_now_ms() + STORE_BACKEND_TIMEOUT_MS;
}

static int flush(struct postgres_link *l, uint64_t deadline_ms, struct err *e)
{
	int left;

	while ((left = PQflush(l->conn)) > 0)
		if (postgres_link_await(l, POLLIN | POLLOUT, deadline_ms, e) < 0)
			return -1;
	return left < 0 ? postgres_link_fail(l, e) : 0;
}

/* The next result of a query, or NULL after the last. */
static int next_result(struct postgres_link *l, uint64_t deadline_ms, PGresult **ret, struct err *e)
{
	while (PQisBusy(l->conn))
		if (postgres_link_await(l, POLLIN, deadline_ms, e) < 0)
			return -1;
	*ret = PQgetResult(l->conn);
	return 0;
}

static int check_result(struct postgres_link *l, const PGresult *result, struct err *e)
{
	ExecStatusType status = PQresultStatus(result);
	struct err why = { 0 };

	if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK)
		return 0;
	set_result_error(l, result, &why);
	if (PQstatus(l->conn) == CONNECTION_BAD)
		return postgres_link_give_up(l, &why, e);
	if (e)
		*e = why;
	return -1;
}

/* is_sent: what the function that sent it said. */
static int finish_query(struct postgres_link *l, int is_sent, PGresult **ret, struct err *e)
{
	uint64_t deadline_ms = query_deadline(l);
	_cleanup_(postgres_result_freep) PGresult *result = NULL;
	PGresult *next;

	if (!is_sent)
		return postgres_link_fail(l, e);
	if (flush(l, deadline_ms, e) < 0 || next_result(l, deadline_ms, &result, e) < 0)
		return -1;
	do {
		if (next_result(l, deadline_ms, &next, e) < 0)
			return -1;
		PQclear(next); /* one statement, one result: this is none */
	} while (next);
	if (check_result(l, result, e) < 0)
		return -1;
	l->ping_ms = clock_now_ms() + PING_MS;
	*ret = TAKE(result);
	return 0;
}

static int check_connected(const struct postgres_link *l, struct err *e)
{
	if (PQstatus(l->conn) == CONNECTION_OK)
		return 0;
	if (e)
		*e = l->away;
	return -1;
}

int postgres_query(struct postgres_link *l, const char *sql, const struct postgres_params *params,
		   PGresult **ret, struct err *e)
{
	const struct postgres_params *p = params ? params : &no_params;

	if (check_connected(l, e) < 0)
		return -1;
	return finish_query(l,
			    PQsendQueryParams(l->conn, sql, p->count, NULL, p->values, p->lengths,
					      p->formats, 1),
			    ret, e);
}

int postgres_run(struct postgres_link *l, const char *sql, struct err *e)
{
	_cleanup_(postgres_result_freep) PGresult *result = NULL;

	return postgres_query(l, sql, NULL, &result, e);
}

int postgres_prepare(struct postgres_link *l, const char *name, const char *sql,
		     const char *signature, struct err *e)
{
	_cleanup_(postgres_result_freep) PGresult *result = NULL;
	Oid types[POSTGRES_PARAMS_MAX];
	int count = postgres_types(signature, types);

	if (check_connected(l, e) < 0)
		return -1;
	return finish_query(l, PQsendPrepare(l->conn, name, sql, count, types), &result, e);
}

int postgres_execute(struct postgres_link *l, const char *name, const struct postgres_params *p,
		     PGresult **ret, struct err *e)
{
	if (check_connected(l, e) < 0)
		return -1;
	return finish_query(
		l,
		PQsendQueryPrepared(l->conn, name, p->count, p->values, p->lengths, p->formats, 1),
		ret, e);
}

int postgres_query_number(struct postgres_link *l, const char *sql,
			  const struct postgres_params *params, int64_t *ret, struct err *e)
{
	_cleanup_(postgres_result_freep) PGresult *result = NULL;

	if (postgres_query(l, sql, params, &result, e) < 0)
		return -1;
	*ret = PQntuples(result) ? postgres_number(result, 0, 0) : 0;
	return 0;
}
