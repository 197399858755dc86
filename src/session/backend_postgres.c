/*
 * Rows in PostgreSQL, shared by any number of gateways. One connection does everything: the thread that owns the backend
 * asks one thing at a time, and the server delivers notifications between transactions.
 *
 * A change of another gateway arrives as "<kind> <version> <origin> <id in hex>"; origin tells which are our own. Since
 * it arrives on the connection that also reads, news of a change can only come after a read that has not seen it.
 */

#include "session/store_backend.h"

#include <libpq-fe.h>

#include "base/clock.h"
#include "base/codec.h"
#include "base/mem.h"
#include "session/postgres_query.h"
#include "session/postgres_rows.h"
#include "session/postgres_schema.h"

static struct postgres_backend *of(struct store_backend *b)
{
	return container_of(b, struct postgres_backend, backend);
}

/* ---- transactions ---- */

static int postgres_begin(struct store_backend *b, struct err *e)
{
	struct postgres_backend *p = of(b);

	p->rows_added = 0;
	if (postgres_run(&p->link, POSTGRES_BEGIN, e) == 0)
		return 0;
	p->has_failed = true;
	return -1;
}

static void postgres_rollback(struct store_backend *b)
{
	struct postgres_backend *p = of(b);
	PGTransactionStatusType status = PQtransactionStatus(p->link.conn);
	struct err why = { 0 };

	p->rows_added = 0;
	if (status != PQTRANS_INTRANS && status != PQTRANS_INERROR)
		return;
	if (postgres_run(&p->link, POSTGRES_ROLLBACK, &why) < 0)
		(void)postgres_link_give_up(&p->link, &why, NULL); /* the server will do it */
}

/* If the answer to a COMMIT is lost nobody knows whether it happened: on_gap, later, lets the reader find out. */
static int postgres_commit(struct store_backend *b, struct err *e)
{
	struct postgres_backend *p = of(b);
	_cleanup_(postgres_result_freep) PGresult *result = NULL;

	if (postgres_query(&p->link, POSTGRES_COMMIT, NULL, &result, e) < 0) {
		p->has_failed = true;
		postgres_rollback(b);
		return -1;
	}
	/* A COMMIT after a failure succeeds, as a rollback. */
	if (strcmp(PQcmdStatus(result), "COMMIT") != 0) {
		p->has_failed = true;
		p->rows_added = 0;
		err_set(e, ERR_SYSTEM, "the transaction had failed");
		return postgres_link_wrap(&p->link, e);
	}
	p->rows += p->rows_added;
	p->rows_added = 0;
	return 0;
}

/* ---- waiting ---- */

/* Whoever may use the database can notify: what makes no sense is passed over. */
static bool deliver_one(struct postgres_backend *p, const PGnotify *notification)
{
	_cleanup_(buf_done) struct buf id = BUF_INIT(STORE_KEY_MAX);
	struct str rest = str_from(notification->extra);
	struct str kind_text, version_text, origin;
	struct record_stamp stamp = { 0 };
	uint64_t kind;

	if (!str_cut(&rest, ' ', &kind_text) || !str_cut(&rest, ' ', &version_text) ||
	    !str_cut(&rest, ' ', &origin) || !str_to_uint64(kind_text, &kind) ||
	    !str_to_uint64(version_text, &stamp.version) || hex_decode(&id, rest) < 0)
		return false;
	if (kind < RECORD_SESSION || kind > RECORD_DEVICE_LOGIN || !id.len ||
	    str_equal(origin, str_from(p->origin)))
		return false;
	stamp.kind = (enum record_kind)kind;
	stamp.id = buf_view(&id);
	postgres_rows_tell(p, &stamp);
	return true;
}

static bool deliver(struct postgres_backend *p)
{
	PGnotify *notification;
	bool has_delivered = false;

	while (p->link.conn && (notification = PQnotifies(p->link.conn))) {
		has_delivered |= deliver_one(p, notification);
		PQfreemem(notification);
	}
	return has_delivered;
}

static void come_back(struct postgres_backend *p)
{
	if (p->was_up && p->backend.events)
		p->backend.events->on_gap(p->backend.arg);
	p->was_up = true;
	p->has_failed = false;
}

static int postgres_wait(struct store_backend *b, int wake_fd, int timeout_ms, struct err *e)
{
	struct postgres_backend *p = of(b);
	uint64_t deadline_ms = timeout_ms < 0 ? UINT64_MAX : clock_now_ms() + (uint64_t)timeout_ms;

	if (p->has_failed && p->link.state == POSTGRES_UP) {
		p->has_failed = false;
		return 0;
	}
	for (;;) {
		if (deliver(p))
			return 0;
		switch (postgres_link_wait(&p->link, wake_fd, deadline_ms, e)) {
		case POSTGRES_PENDING:
		case POSTGRES_INPUT:
			break;
		case POSTGRES_QUIET:
			(void)deliver(p); /* input may have come as well */
			return 0;
		case POSTGRES_CONNECTED:
			come_back(p);
			return 0;
		case POSTGRES_AWAY:
			return -1;
		}
	}
}

/* ---- birth and death ---- */

static int set_up(void *arg, struct err *e)
{
	struct postgres_backend *p = arg;

	if (postgres_schema_set_up(&p->link, &p->backend.server_version, e) < 0)
		return -1;
	p->rows_added = 0;
	return postgres_rows_count(p, e);
}

static void postgres_close(struct store_backend *b)
{
	struct postgres_backend *p = of(b);

	postgres_link_done(&p->link);
	mem_free(p);
}

static const struct store_backend_ops postgres_ops = {
	.begin = postgres_begin,
	.commit = postgres_commit,
	.rollback = postgres_rollback,
	.put = postgres_put,
	.get = postgres_get,
	.remove = postgres_remove,
	.list = postgres_list,
	.claim = postgres_claim,
	.purge = postgres_purge,
	.compare = postgres_compare,
	.count = postgres_count,
	.wait = postgres_wait,
	.close = postgres_close,
};

int backend_postgres_open(struct str connection, struct store_backend **ret, struct err *e)
{
	struct postgres_backend *p = mem_alloc(sizeof(*p));

	p->backend.ops = &postgres_ops;
	p->backend.records_max = STORE_RECORDS_MAX;
	random_uuid(p->origin);
	if (postgres_link_init(&p->link, connection, e) < 0) {
		postgres_close(&p->backend);
		return -1;
	}
	p->link.set_up = set_up;
	p->link.arg = p;
	*ret = &p->backend;
	return 0;
}
