/*
 * The schema's version is in user_version; a migration and the version it leads to are one transaction.
 */

#include "session/sqlite_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/mem.h"

#define SCHEMA_VERSION  1
#define BUSY_TIMEOUT_MS 4000
#define MEMORY_PATH     STR(":memory:")

static const char *const migrations[SCHEMA_VERSION] = {
	"CREATE TABLE meta(name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT;"
	"CREATE TABLE records(kind INTEGER NOT NULL, id TEXT NOT NULL, owner TEXT NOT NULL,"
	" version INTEGER NOT NULL, created INTEGER NOT NULL, expires INTEGER NOT NULL,"
	" due INTEGER NOT NULL, claimed_until INTEGER NOT NULL DEFAULT 0, body BLOB NOT NULL,"
	" PRIMARY KEY(kind, id)) STRICT;"
	"CREATE INDEX records_owner ON records(kind, owner, created, version);"
	"CREATE INDEX records_due ON records(due) WHERE due > 0;"
	"CREATE INDEX records_expires ON records(expires) WHERE expires > 0;"
	"INSERT INTO meta VALUES('version', 0);"
	"INSERT INTO meta VALUES('server_version', abs(random() >> 1));",
};

#define COLUMNS "kind, id, owner, version, created, expires, due, body"

static const char *const texts[STATEMENT_COUNT] = {
	[STATEMENT_BEGIN] = "BEGIN IMMEDIATE",
	[STATEMENT_COMMIT] = "COMMIT",
	[STATEMENT_ROLLBACK] = "ROLLBACK",
	[STATEMENT_SERVER_VERSION] = "SELECT value FROM meta WHERE name = 'server_version'",
	[STATEMENT_NEXT_VERSION] =
		"UPDATE meta SET value = value + 1 WHERE name = 'version' RETURNING value",
	[STATEMENT_INSERT] = "INSERT INTO records(" COLUMNS
			     ") VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"
			     " ON CONFLICT DO NOTHING",
	[STATEMENT_UPDATE] =
		"UPDATE records SET owner = ?3, version = ?4, created = ?5, expires = ?6, due = ?7,"
		" body = ?8, claimed_until = 0 WHERE kind = ?1 AND id = ?2 AND version = ?9",
	[STATEMENT_GET] = "SELECT " COLUMNS " FROM records WHERE kind = ?1 AND id = ?2",
	[STATEMENT_REMOVE] = "DELETE FROM records WHERE kind = ?1 AND id = ?2 RETURNING " COLUMNS,
	[STATEMENT_LIST] = "SELECT " COLUMNS
			   " FROM records WHERE kind = ?1 AND id > ?2 ORDER BY id LIMIT ?3",
	[STATEMENT_LIST_OWNER] =
		"SELECT " COLUMNS
		" FROM records WHERE kind = ?1 AND id > ?2 AND owner = ?4 ORDER BY id LIMIT ?3",
	[STATEMENT_CLAIM] =
		"UPDATE records SET claimed_until = ?2 WHERE (kind, id) IN (SELECT kind, id FROM records"
		" WHERE kind = 1 AND due > 0 AND due <= ?1 AND claimed_until <= ?1"
		" ORDER BY due LIMIT ?3) RETURNING " COLUMNS,
	[STATEMENT_PURGE] = "DELETE FROM records WHERE (kind, id) IN (SELECT kind, id FROM records"
			    " WHERE expires > 0 AND expires <= ?1 LIMIT ?2) RETURNING " COLUMNS,
	[STATEMENT_COUNT_ALL] = "SELECT count(*) FROM records",
	[STATEMENT_COUNT_KIND] = "SELECT count(*) FROM records WHERE kind = ?1",
	[STATEMENT_COUNT_OWNER] = "SELECT count(*) FROM records WHERE kind = ?1 AND owner = ?2",
	[STATEMENT_DROP_OLDEST] =
		"DELETE FROM records WHERE (kind, id) IN (SELECT kind, id FROM records"
		" WHERE kind = ?1 AND owner = ?2 ORDER BY created, version LIMIT 1)"
		" RETURNING " COLUMNS,
};

int sqlite_file_error(const struct sqlite_file *f, struct err *e)
{
	int code = sqlite3_errcode(f->db);

	switch (code) {
	case SQLITE_FULL:
		return err_set(e, ERR_SYSTEM, "%s: the disk is full", f->path);
	case SQLITE_NOTADB:
	case SQLITE_CORRUPT:
		return err_set(e, ERR_SYSTEM,
			       "%s is damaged or is no session store: move it away to begin anew",
			       f->path);
	case SQLITE_BUSY:
		return err_set(e, ERR_SYSTEM, "%s is in use by another program", f->path);
	case SQLITE_READONLY:
		return err_set(e, ERR_SYSTEM, "%s cannot be written to", f->path);
	default:
		return err_set(e, ERR_SYSTEM, "%s: %s", f->path, sqlite3_errmsg(f->db));
	}
}

static int execute(struct sqlite_file *f, const char *sql, struct err *e)
{
	return sqlite3_exec(f->db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0
								       : sqlite_file_error(f, e);
}

/* SQLite would make it readable for everybody that the umask lets. */
static int create_file(const char *path, struct err *e)
{
	struct str text = str_from(path);
	size_t slash = str_find_last(text, '/');
	int fd;

	if (slash < text.len && slash > 0) {
		_cleanup_(mem_freep) char *dir = str_copy(str_first(text, slash));

		if (dir_create(dir, 0700, e) < 0)
			return -1;
	}
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_errno(e, errno, "opening the session store %s", path);
	(void)close(fd); /* nothing was written */
	return 0;
}

static int read_schema_version(struct sqlite_file *f, int *ret, struct err *e)
{
	sqlite3_stmt *st = NULL;
	int result = SQLITE_ERROR;

	if (sqlite3_prepare_v2(f->db, "PRAGMA user_version", -1, &st, NULL) == SQLITE_OK)
		result = sqlite3_step(st);
	if (result == SQLITE_ROW)
		*ret = sqlite3_column_int(st, 0);
	(void)sqlite3_finalize(st); /* repeats the failure */
	return result == SQLITE_ROW ? 0 : sqlite_file_error(f, e);
}

static int migrate(struct sqlite_file *f, struct err *e)
{
	int version;

	if (execute(f, "BEGIN IMMEDIATE", e) < 0 || read_schema_version(f, &version, e) < 0)
		return -1;
	if (version > SCHEMA_VERSION)
		return err_set(e, ERR_CONFIG,
			       "%s is of a newer release (schema %d, this one knows %d)", f->path,
			       version, SCHEMA_VERSION);
	for (; version < SCHEMA_VERSION; version++) {
		struct arena arena = { 0 };
		struct str sql = arena_printf(&arena, "%s PRAGMA user_version = %d;",
					      migrations[version], version + 1);
		int result = execute(f, sql.at, e);

		arena_done(&arena);
		if (result < 0)
			return -1;
	}
	return execute(f, "COMMIT", e);
}

static int prepare(struct sqlite_file *f, struct err *e)
{
	for (size_t i = 0; i < STATEMENT_COUNT; i++)
		if (sqlite3_prepare_v3(f->db, texts[i], -1, SQLITE_PREPARE_PERSISTENT,
				       &f->statements[i], NULL) != SQLITE_OK)
			return sqlite_file_error(f, e);
	return 0;
}

int sqlite_file_open(struct sqlite_file *f, struct str path, struct err *e)
{
	const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;

	f->path = str_copy(path);
	if (!str_equal(path, MEMORY_PATH) && create_file(f->path, e) < 0)
		return -1;
	if (sqlite3_open_v2(f->path, &f->db, flags, NULL) != SQLITE_OK)
		return sqlite_file_error(f, e);
	(void)sqlite3_busy_timeout(f->db, BUSY_TIMEOUT_MS); /* cannot fail */
	if (execute(f,
		    "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA secure_delete = ON;",
		    e) < 0 ||
	    migrate(f, e) < 0)
		return -1;
	return prepare(f, e);
}

void sqlite_file_close(struct sqlite_file *f)
{
	for (size_t i = 0; i < STATEMENT_COUNT; i++)
		(void)sqlite3_finalize(f->statements[i]); /* repeats old failures */
	(void)sqlite3_close(f->db);                       /* nothing is left open on it */
	mem_free(f->path);
}
