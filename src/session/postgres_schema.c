/*
 * Everything is in a schema of its own. A migration and the version it leads to are one transaction under an advisory lock,
 * so that of several gateways which start at once one does the work and the others find it done. A role that owns
 * nothing but has the rights on an up-to-date schema needs no others.
 *
 * Ids, owners and bodies are bytes: then any of them can be kept and compared bytewise, whatever encoding and collation
 * the database has.
 *
 * Whoever changes a record tells it in the same transaction with pg_notify(); so the news cannot come before the change, nor
 * without it. LISTEN belongs to a connection: a pooler between here and the server has to pool by session
 * (pgbouncer: pool_mode = session).
 */

#include "session/postgres_schema.h"

#include <libpq-fe.h>

#include "base/random.h"
#include "base/str.h"
#include "session/postgres_query.h"

#define SCHEMA_VERSION 1
#define LOCK_KEY       0x706f6d657269756d /* any number, as long as it stays the same */

static const char *const first_migration[] = {
	"CREATE TABLE pomerium.meta(name text PRIMARY KEY, value bigint NOT NULL)",
	"CREATE SEQUENCE pomerium.record_version",
	"CREATE TABLE pomerium.records(kind bigint NOT NULL, id bytea NOT NULL, owner bytea NOT NULL,"
	" version bigint NOT NULL, created bigint NOT NULL, expires bigint NOT NULL,"
	" due bigint NOT NULL, claimed_until bigint NOT NULL DEFAULT 0, body bytea NOT NULL,"
	" PRIMARY KEY(kind, id))",
	"CREATE INDEX records_owner ON pomerium.records(kind, owner, created, version)",
	"CREATE INDEX records_due ON pomerium.records(due) WHERE due > 0",
	"CREATE INDEX records_expires ON pomerium.records(expires) WHERE expires > 0",
	NULL,
};

static const char *const *const migrations[SCHEMA_VERSION] = { first_migration };

#define COLUMNS "kind, id, owner, version, created, expires, due, body"

/* Of the rows of a WITH query that have kind, id and version. */
#define TELL(version)                                                                              \
	"pg_notify('" POSTGRES_CHANNEL "', concat_ws(' ', kind, " version                          \
	", $1::text, encode(id, 'hex')))"

struct statement {
	const char *name;
	const char *signature;
	const char *sql;
};

static const struct statement statements[POSTGRES_STATEMENTS] = {
	/* Two gateways that give one user a session at once may leave him one too many, until the next. */
	[POSTGRES_INSERT] = { "pomerium_insert", "tnbbnnnbn",
			      "WITH added AS (INSERT INTO pomerium.records(" COLUMNS
			      ") VALUES($2, $3, $4,"
			      " nextval('pomerium.record_version'), $5, $6, $7, $8)"
			      " ON CONFLICT DO NOTHING RETURNING kind, id, version),"
			      " surplus AS (SELECT kind, id FROM pomerium.records WHERE kind = 1"
			      " AND $2 = 1 AND owner = $4 ORDER BY created DESC, version DESC OFFSET $9),"
			      " locked AS (SELECT kind, id FROM pomerium.records WHERE (kind, id) IN"
			      " (SELECT kind, id FROM surplus) FOR UPDATE SKIP LOCKED),"
			      " dropped AS (DELETE FROM pomerium.records WHERE (kind, id) IN"
			      " (SELECT kind, id FROM locked) AND EXISTS (SELECT FROM added)"
			      " RETURNING kind, id, 0::bigint AS version)"
			      " SELECT kind, id, version, " TELL(
				      "version") " FROM"
						 " (SELECT * FROM added UNION ALL SELECT * FROM dropped) AS changes" },
	[POSTGRES_UPDATE] = { "pomerium_update", "tnbbnnnbn",
			      "WITH changed AS (UPDATE pomerium.records SET owner = $4,"
			      " version = nextval('pomerium.record_version'), created = $5,"
			      " expires = $6, due = $7, claimed_until = 0, body = $8"
			      " WHERE kind = $2 AND id = $3 AND version = $9 RETURNING kind, id, version)"
			      " SELECT kind, id, version, " TELL("version") " FROM changed" },
	[POSTGRES_GET] = { "pomerium_get", "nb",
			   "SELECT " COLUMNS " FROM pomerium.records WHERE kind = $1 AND id = $2" },
	[POSTGRES_REMOVE] = { "pomerium_remove", "tnb",
			      "WITH gone AS (DELETE FROM pomerium.records WHERE kind = $2 AND id = $3"
			      " RETURNING " COLUMNS ")"
			      " SELECT " COLUMNS ", " TELL("0") " FROM gone" },
	[POSTGRES_LIST] = { "pomerium_list", "nbn",
			    "SELECT " COLUMNS " FROM pomerium.records WHERE kind = $1 AND id > $2"
			    " ORDER BY id LIMIT $3" },
	[POSTGRES_LIST_OWNER] = { "pomerium_list_owner", "nbnb",
				  "SELECT " COLUMNS " FROM pomerium.records WHERE kind = $1"
				  " AND id > $2 AND owner = $4 ORDER BY id LIMIT $3" },
	[POSTGRES_CLAIM] = { "pomerium_claim", "nnn",
			     "WITH found AS (SELECT kind, id FROM pomerium.records WHERE kind = 1"
			     " AND due > 0 AND due <= $1 AND claimed_until <= $1"
			     " ORDER BY due LIMIT $3 FOR UPDATE SKIP LOCKED),"
			     " claimed AS (UPDATE pomerium.records SET claimed_until = $2"
			     " WHERE (kind, id) IN (SELECT kind, id FROM found) RETURNING " COLUMNS
			     ")"
			     " SELECT " COLUMNS " FROM claimed ORDER BY due, id" },
	[POSTGRES_PURGE] = { "pomerium_purge", "tnn",
			     "WITH found AS (SELECT kind, id FROM pomerium.records WHERE expires > 0"
			     " AND expires <= $2 ORDER BY expires LIMIT $3 FOR UPDATE SKIP LOCKED),"
			     " gone AS (DELETE FROM pomerium.records WHERE (kind, id) IN"
			     " (SELECT kind, id FROM found) RETURNING kind, id)"
			     " SELECT kind, id, 0::bigint, " TELL("0") " FROM gone" },
	[POSTGRES_COMPARE] = { "pomerium_compare", "NB",
			       "SELECT coalesce(version, 0) FROM unnest($1, $2) WITH ORDINALITY"
			       " AS known(kind, id, place)"
			       " LEFT JOIN pomerium.records USING (kind, id) ORDER BY place" },
	[POSTGRES_COUNT_KIND] = { "pomerium_count_kind", "n",
				  "SELECT count(*) FROM pomerium.records WHERE kind = $1" },
	[POSTGRES_COUNT_ALL] = { "pomerium_count_all", "",
				 "SELECT count(*) FROM pomerium.records" },
	[POSTGRES_ROOM] = { "pomerium_room", "nbb",
			    "SELECT (SELECT count(*) FROM pomerium.records WHERE kind = $1 AND id = $2),"
			    " (SELECT count(*) FROM pomerium.records WHERE kind = 1 AND $1 = 1"
			    " AND owner = $3)" },
};

/*
 * Of a gateway that vanishes in a transaction, and of a query given up here, the server forgets the locks. A commit is
 * only answered when it is on disk, whatever the role's default is.
 */
#define SESSION_SETTINGS                                                                           \
	"SELECT set_config('statement_timeout', '5000', false),"                                   \
	" set_config('lock_timeout', '3000', false),"                                              \
	" set_config('idle_in_transaction_session_timeout', '10000', false),"                      \
	" set_config('synchronous_commit', CASE current_setting('synchronous_commit')"             \
	" WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, false)"

/* ---- migrations ---- */

/*
 * Asks the catalog's tables: to_regclass() and the like may still answer from a cache of before the lock was taken.
 */
static int read_version(struct postgres_link *l, int64_t *ret, struct err *e)
{
	int64_t is_there = 0;

	if (postgres_query_number(l,
				  "SELECT count(*) FROM pg_catalog.pg_tables"
				  " WHERE schemaname = 'pomerium' AND tablename = 'meta'",
				  NULL, &is_there, e) < 0)
		return -1;
	if (!is_there) {
		*ret = 0;
		return 0;
	}
	if (postgres_query_number(l, "SELECT value FROM pomerium.meta WHERE name = 'schema'", NULL,
				  ret, e) < 0)
		return -1;
	if (*ret <= SCHEMA_VERSION)
		return 0;
	err_set(e, ERR_CONFIG, "its tables are of a newer release (schema %lld, this one knows %d)",
		(long long)*ret, SCHEMA_VERSION);
	return postgres_link_wrap(l, e);
}

static int create_schema(struct postgres_link *l, struct err *e)
{
	int64_t is_there = 0;

	/* IF NOT EXISTS would ask for the right to create it even if it is there. */
	if (postgres_query_number(l,
				  "SELECT count(*) FROM pg_catalog.pg_namespace"
				  " WHERE nspname = 'pomerium'",
				  NULL, &is_there, e) < 0)
		return -1;
	return is_there ? 0 : postgres_run(l, "CREATE SCHEMA pomerium", e);
}

static int set_meta(struct postgres_link *l, struct str name, int64_t value, struct err *e)
{
	_cleanup_(postgres_result_freep) PGresult *result = NULL;
	struct postgres_params params = { 0 };

	postgres_params_bytes(&params, name);
	postgres_params_number(&params, value);
	return postgres_query(l,
			      "INSERT INTO pomerium.meta VALUES($1::text, $2::bigint)"
			      " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
			      &params, &result, e);
}

static int run_migration(struct postgres_link *l, int64_t from, struct err *e)
{
	int64_t server_version;

	for (const char *const *sql = migrations[from]; *sql; sql++)
		if (postgres_run(l, *sql, e) < 0)
			return -1;
	if (set_meta(l, STR("schema"), from + 1, e) < 0)
		return -1;
	if (from > 0)
		return 0;
	random_bytes(&server_version, sizeof(server_version));
	return set_meta(l, STR("server_version"), server_version & INT64_MAX, e);
}

static int lock_migrations(struct postgres_link *l, struct err *e)
{
	_cleanup_(postgres_result_freep) PGresult *result = NULL;
	struct postgres_params params = { 0 };

	postgres_params_number(&params, LOCK_KEY);
	return postgres_query(l, "SELECT pg_advisory_xact_lock($1::bigint)", &params, &result, e);
}

static int migrate(struct postgres_link *l, struct err *e)
{
	int64_t version = 0;

	if (read_version(l, &version, e) < 0)
		return -1;
	if (version == SCHEMA_VERSION)
		return 0;
	if (postgres_run(l, POSTGRES_BEGIN, e) < 0 || lock_migrations(l, e) < 0 ||
	    read_version(l, &version, e) < 0 || create_schema(l, e) < 0)
		return -1;
	for (; version < SCHEMA_VERSION; version++)
		if (run_migration(l, version, e) < 0)
			return -1;
	return postgres_run(l, POSTGRES_COMMIT, e);
}

/* ---- a fresh connection ---- */

static int prepare(struct postgres_link *l, struct err *e)
{
	for (size_t i = 0; i < POSTGRES_STATEMENTS; i++)
		if (postgres_prepare(l, statements[i].name, statements[i].sql,
				     statements[i].signature, e) < 0)
			return -1;
	return 0;
}

static int read_server_version(struct postgres_link *l, uint64_t *ret, struct err *e)
{
	int64_t value = 0;

	if (postgres_query_number(l,
				  "SELECT value FROM pomerium.meta WHERE name = 'server_version'",
				  NULL, &value, e) < 0)
		return -1;
	*ret = (uint64_t)value;
	return 0;
}

/* What to do about error 42501, insufficient privilege. */
static int explain(const struct postgres_link *l, struct err *e)
{
	if (strcmp(l->sqlstate, "42501") != 0 || !l->conn)
		return -1;
	err_set(e, ERR_CONFIG,
		"the role %s may not create or use the schema pomerium; an administrator can run"
		" CREATE SCHEMA pomerium AUTHORIZATION %s",
		PQuser(l->conn), PQuser(l->conn));
	return postgres_link_wrap(l, e);
}

int postgres_schema_set_up(struct postgres_link *l, uint64_t *ret_server_version, struct err *e)
{
	l->sqlstate[0] = '\0';
	/* Notifications from now on: nothing can be missed between them and what is read later. */
	if (postgres_run(l, SESSION_SETTINGS, e) < 0 || migrate(l, e) < 0 || prepare(l, e) < 0 ||
	    read_server_version(l, ret_server_version, e) < 0 ||
	    postgres_run(l, "LISTEN " POSTGRES_CHANNEL, e) < 0)
		return explain(l, e);
	return 0;
}

int postgres_schema_execute(struct postgres_link *l, enum postgres_statement which,
			    const struct postgres_params *params, PGresult **ret, struct err *e)
{
	return postgres_execute(l, statements[which].name, params, ret, e);
}
