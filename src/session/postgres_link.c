/*
 * DOWN, after a pause CONNECTING, then set_up() and UP; any failure leads to DOWN through lose(). libpq is in
 * its non-blocking mode throughout: what waits is poll(), with a deadline.
 *
 * The pause begins at nothing, for a server that was restarted, and doubles up to RETRY_MAX_MS; a connection that does
 * not last that long is not made again sooner either. The first attempt is waited for, whatever else there is to do: who
 * has just opened a store, or asks it while the server restarts, waits a moment instead of being told that it is away.
 *
 * A server that vanishes without a word is found out by the ping, and its kernel by TCP's means.
 */

#include "session/postgres_link.h"

#include <limits.h>
#include <poll.h>

#include <libpq-fe.h>

#include "base/clock.h"
#include "base/mem.h"
#include "session/postgres_query.h"
#include "session/postgres_string.h"
#include "session/store_backend.h"

#define RETRY_MIN_MS 50
#define RETRY_MAX_MS 1000

int postgres_link_init(struct postgres_link *l, struct str connection, struct err *e)
{
	*l = (struct postgres_link){ .connection = str_copy(connection) };
	if (postgres_string_check(l->connection, e) < 0)
		return -1;
	(void)err_set(&l->away, ERR_SYSTEM, "PostgreSQL: not connected yet");
	return 0;
}

void postgres_link_done(struct postgres_link *l)
{
	PQfinish(TAKE(l->conn));
	mem_free_secret(TAKE(l->connection));
}

/* ---- errors ---- */

int postgres_link_wrap(const struct postgres_link *l, struct err *e)
{
	const char *host = PQhost(l->conn);
	const char *database = PQdb(l->conn);

	if (!host || !*host)
		return err_wrap(e, "PostgreSQL");
	return err_wrap(e, "PostgreSQL at %s, database %s", host, database ? database : "");
}

/* libpq repeats the host in front, and adds advice in more lines. */
struct str postgres_link_essence(const char *message)
{
	static const char marker[] = " failed: ";
	const char *at = message ? message : "";
	const char *next;
	struct str line;
	struct str rest;

	while ((next = strstr(at, marker)))
		at = next + strlen(marker);
	rest = str_from(at);
	if (!str_cut(&rest, '\n', &line) || str_is_empty(line))
		return STR("the connection was lost");
	return line;
}

static uint64_t later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static uint64_t sooner(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static void lose(struct postgres_link *l, const struct err *why)
{
	uint64_t now = clock_now_ms();

	if (l->state == POSTGRES_DOWN)
		return;
	if (l->state == POSTGRES_UP) {
		l->failures = 0;
		l->next_ms = later(now, l->up_ms + RETRY_MAX_MS);
	} else {
		uint64_t pause = RETRY_MIN_MS << sooner(l->failures, 10);

		l->failures++;
		l->next_ms = now + sooner(pause, RETRY_MAX_MS);
	}
	l->away = *why;
	l->state = POSTGRES_DOWN;
	PQfinish(TAKE(l->conn));
}

int postgres_link_give_up(struct postgres_link *l, const struct err *why, struct err *e)
{
	lose(l, why);
	if (e)
		*e = *why;
	return -1;
}

int postgres_link_fail(struct postgres_link *l, struct err *e)
{
	struct err why = { 0 };

	err_set(&why, ERR_SYSTEM, "%.*s", STR_FMT(postgres_link_essence(PQerrorMessage(l->conn))));
	postgres_link_wrap(l, &why);
	return postgres_link_give_up(l, &why, e);
}

static int give_up_waiting(struct postgres_link *l, struct err *e)
{
	struct err why = { 0 };

	err_set(&why, ERR_TIMEOUT, "no answer within %d s", STORE_BACKEND_TIMEOUT_MS / 1000);
	postgres_link_wrap(l, &why);
	return postgres_link_give_up(l, &why, e);
}

/* ---- waiting ---- */

enum { WOKEN = 1, READY = 2 };

/* Until something can be done or until_ms; a signal may end it early. Either fd may be -1. */
static int wait_for(int wake_fd, int fd, short events, uint64_t until_ms)
{
	struct pollfd fds[] = { { .fd = wake_fd, .events = POLLIN },
				{ .fd = fd, .events = events } };
	uint64_t now = clock_now_ms();
	uint64_t left = until_ms > now ? until_ms - now : 0;
	int timeout = until_ms == UINT64_MAX ? -1 : (int)sooner(left, INT_MAX);

	if (poll(fds, ARRAY_LEN(fds), timeout) <= 0)
		return 0;
	return (fds[0].revents ? WOKEN : 0) | (fds[1].revents ? READY : 0);
}

int postgres_link_await(struct postgres_link *l, short events, uint64_t deadline_ms, struct err *e)
{
	int ready = wait_for(-1, PQsocket(l->conn), events, deadline_ms);

	if (!ready && clock_now_ms() >= deadline_ms)
		return give_up_waiting(l, e);
	if (!PQconsumeInput(l->conn))
		return postgres_link_fail(l, e);
	return 0;
}

/* ---- connecting ---- */

static void ignore_notice(void *arg, const PGresult *result)
{
	/* libpq would write it to standard error. */
}

/* What stands before the connection string can be set otherwise in it. */
static PGconn *start_connection(const char *connection)
{
	static const char *const keywords[] = {
		"fallback_application_name",
		"keepalives_idle",
		"keepalives_interval",
		"keepalives_count",
		"tcp_user_timeout",
		"target_session_attrs",
		"dbname",
		"client_encoding",
		NULL,
	};
	const char *const values[] = {
		"pomerium", "5", "2", "3", "4000", "read-write", connection, "UTF8", NULL,
	};

	return PQconnectStartParams(keywords, values, 1);
}

static enum postgres_event start_connecting(struct postgres_link *l, struct err *e)
{
	l->state = POSTGRES_CONNECTING;
	l->next_ms = clock_now_ms() + STORE_BACKEND_TIMEOUT_MS;
	l->awaited = POLLOUT; /* as libpq wants it in the beginning */
	l->conn = start_connection(l->connection);
	if (PQstatus(l->conn) == CONNECTION_BAD) {
		postgres_link_fail(l, e);
		return POSTGRES_AWAY;
	}
	(void)PQsetNoticeReceiver(l->conn, ignore_notice, NULL); /* the old one is libpq's own */
	return POSTGRES_PENDING;
}

static enum postgres_event finish_connecting(struct postgres_link *l, struct err *e)
{
	struct err why = { 0 };

	l->next_ms = clock_now_ms() + STORE_BACKEND_TIMEOUT_MS;
	if (PQsetnonblocking(l->conn, 1) < 0) {
		postgres_link_fail(l, e);
		return POSTGRES_AWAY;
	}
	if (l->set_up(l->arg, &why) < 0) {
		postgres_link_give_up(l, &why, e);
		return POSTGRES_AWAY;
	}
	l->state = POSTGRES_UP;
	l->failures = 0;
	l->up_ms = clock_now_ms();
	return POSTGRES_CONNECTED;
}

static enum postgres_event step_connecting(struct postgres_link *l, struct err *e)
{
	switch (PQconnectPoll(l->conn)) {
	case PGRES_POLLING_READING:
		l->awaited = POLLIN;
		return POSTGRES_PENDING;
	case PGRES_POLLING_WRITING:
		l->awaited = POLLOUT;
		return POSTGRES_PENDING;
	case PGRES_POLLING_OK:
		return finish_connecting(l, e);
	case PGRES_POLLING_ACTIVE: /* libpq: not used */
	case PGRES_POLLING_FAILED:
		break;
	}
	postgres_link_fail(l, e);
	return POSTGRES_AWAY;
}

/* ---- the turn of a state ---- */

static enum postgres_event still_away(const struct postgres_link *l, struct err *e)
{
	if (e)
		*e = l->away;
	return POSTGRES_AWAY;
}

static enum postgres_event turn_down(struct postgres_link *l, int wake_fd, uint64_t deadline_ms,
				     struct err *e)
{
	int ready;

	if (clock_now_ms() >= l->next_ms)
		return start_connecting(l, e);
	ready = wait_for(wake_fd, -1, 0, sooner(deadline_ms, l->next_ms));
	if (ready & WOKEN || clock_now_ms() >= deadline_ms)
		return still_away(l, e);
	return POSTGRES_PENDING;
}

static enum postgres_event turn_connecting(struct postgres_link *l, int wake_fd,
					   uint64_t deadline_ms, struct err *e)
{
	bool is_first = !l->failures;
	int ready = wait_for(is_first ? -1 : wake_fd, PQsocket(l->conn), l->awaited,
			     is_first ? l->next_ms : sooner(deadline_ms, l->next_ms));
	uint64_t now = clock_now_ms();

	if (ready & READY)
		return step_connecting(l, e);
	if (now >= l->next_ms) {
		give_up_waiting(l, e);
		return POSTGRES_AWAY;
	}
	if (!is_first && (ready & WOKEN || now >= deadline_ms))
		return still_away(l, e);
	return POSTGRES_PENDING;
}

static enum postgres_event ping(struct postgres_link *l, struct err *e)
{
	struct err why = { 0 };

	if (postgres_run(l, "SELECT 1", &why) == 0)
		return POSTGRES_INPUT;
	postgres_link_give_up(l, &why, e);
	return POSTGRES_AWAY;
}

static enum postgres_event turn_up(struct postgres_link *l, int wake_fd, uint64_t deadline_ms,
				   struct err *e)
{
	int ready;

	if (clock_now_ms() >= l->ping_ms)
		return ping(l, e);
	ready = wait_for(wake_fd, PQsocket(l->conn), POLLIN, sooner(deadline_ms, l->ping_ms));
	if (ready & READY && !PQconsumeInput(l->conn)) {
		postgres_link_fail(l, e);
		return POSTGRES_AWAY;
	}
	if (ready & WOKEN || clock_now_ms() >= deadline_ms)
		return POSTGRES_QUIET;
	return ready & READY ? POSTGRES_INPUT : POSTGRES_PENDING;
}

static enum postgres_event turn(struct postgres_link *l, int wake_fd, uint64_t deadline_ms,
				struct err *e)
{
	switch (l->state) {
	case POSTGRES_DOWN:
		return turn_down(l, wake_fd, deadline_ms, e);
	case POSTGRES_CONNECTING:
		return turn_connecting(l, wake_fd, deadline_ms, e);
	case POSTGRES_UP:
		return turn_up(l, wake_fd, deadline_ms, e);
	}
	return POSTGRES_AWAY;
}

enum postgres_event postgres_link_wait(struct postgres_link *l, int wake_fd, uint64_t deadline_ms,
				       struct err *e)
{
	enum postgres_event event;

	while ((event = turn(l, wake_fd, deadline_ms, e)) == POSTGRES_PENDING)
		;
	return event;
}
