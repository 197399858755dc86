#pragma once

/*
 * postgres_schema.h - the tables of a store in PostgreSQL, their migrations, and what is asked of them
 *
 * Private to session/.
 */

#include <stdint.h>

#include "session/postgres_link.h"
#include "session/postgres_params.h"

#define POSTGRES_CHANNEL "pomerium_records"

/*
 * Each row of the table in postgres_schema.c has its signature. Those that change records take the origin of the notification
 * first. A record comes as kind, id, owner, version, created, expires, due, body; a change as kind, id, version (0: it
 * is gone).
 */
enum postgres_statement {
	POSTGRES_INSERT, /* origin, kind, id, owner, created, expires, due, body, how many sessions stay: changes */
	POSTGRES_UPDATE, /* origin, kind, id, owner, created, expires, due, body, expected version: changes */
	POSTGRES_GET,        /* kind, id: records */
	POSTGRES_REMOVE,     /* origin, kind, id: records */
	POSTGRES_LIST,       /* kind, after, limit: records */
	POSTGRES_LIST_OWNER, /* kind, after, limit, owner: records */
	POSTGRES_CLAIM,      /* now, until, limit: records */
	POSTGRES_PURGE,      /* origin, now, limit: changes */
	POSTGRES_COMPARE,    /* kinds, ids: a version for each */
	POSTGRES_COUNT_KIND, /* kind: number */
	POSTGRES_COUNT_ALL,  /* number */
	POSTGRES_ROOM, /* kind, id, owner: 1 if the id is there, how many sessions the owner has */
	POSTGRES_STATEMENTS,
};

#define POSTGRES_BEGIN    "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"
#define POSTGRES_COMMIT   "COMMIT"
#define POSTGRES_ROLLBACK "ROLLBACK"

/*
 * Makes a fresh connection ready: limits of the session, missing migrations, statements, notifications. Any number of
 * processes may do so at once. On failure the connection is of no use.
 */
int postgres_schema_set_up(struct postgres_link *l, uint64_t *ret_server_version, struct err *e);

int postgres_schema_execute(struct postgres_link *l, enum postgres_statement which,
			    const struct postgres_params *params, struct pg_result **ret,
			    struct err *e);
