/*
 * The schema's version is in user_version; a migration and the version it leads to are one transaction. A file without our
 * application_id that has anything in it belongs to somebody else and is left alone.
 *
 * The file is never opened by other means than SQLite's once it exists: closing any descriptor of a file drops the
 * locks that this process has on it.
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
#define APPLICATION_ID  0x706f6d73 /* "poms" */
#define BUSY_TIMEOUT_MS 4000
#define MEMORY_PATH     STR(":memory:")

/* How many rows there are is kept by triggers: count(*) would read them all. */
static const char *const migrations[SCHEMA_VERSION] = {
	"CREATE TABLE meta(name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT;"
	"CREATE TABLE counts(kind INTEGER PRIMARY KEY, rows INTEGER NOT NULL) STRICT;"
	"CREATE TABLE records(kind INTEGER NOT NULL, id TEXT NOT NULL, owner TEXT NOT NULL,"
	" version INTEGER NOT NULL, created INTEGER NOT NULL, expires INTEGER NOT NULL,"
	" due INTEGER NOT NULL, claimed_until INTEGER NOT NULL DEFAULT 0, body BLOB NOT NULL,"
	" PRIMARY KEY(kind, id)) STRICT;"
	"CREATE INDEX records_owner ON records(kind, owner, created, version);"
	"CREATE INDEX records_due ON records(due) WHERE due > 0;"
	"CREATE INDEX records_expires ON records(expires) WHERE expires > 0;"
	"CREATE TRIGGER records_inserted AFTER INSERT ON records BEGIN"
	" UPDATE counts SET rows = rows + 1 WHERE kind = new.kind; END;"
	"CREATE TRIGGER records_deleted AFTER DELETE ON records BEGIN"
	" UPDATE counts SET rows = rows - 1 WHERE kind = old.kind; END;"
	"INSERT INTO counts VALUES(1, 0), (2, 0), (3, 0);"
	"INSERT INTO meta VALUES('version', 0), ('server_version', abs(random() >> 1));",
};

#define COLUMNS "kind, id, owner, version, created, expires, due, body"
#define STAMP   "kind, id, '', 0, 0, 0, 0, x''"

static const char *const texts[STATEMENT_COUNT] = {
	[STATEMENT_BEGIN] = "BEGIN IMMEDIATE",
	[STATEMENT_COMMIT] = "COMMIT",
	[STATEMENT_ROLLBACK] = "ROLLBACK",
	[STATEMENT_DATA_VERSION] = "PRAGMA data_version",
	[STATEMENT_SERVER_VERSION] = "SELECT value FROM meta WHERE name = 'server_version'",
	[STATEMENT_NEXT_VERSION] =
		"UPDATE meta SET value = value + 1 WHERE name = 'version' RETURNING value",
	[STATEMENT_TOUCH] = "UPDATE meta SET value = value WHERE name = 'version'",
	[STATEMENT_INSERT] = "INSERT INTO records(" COLUMNS
			     ") VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
	[STATEMENT_UPDATE] =
		"UPDATE records SET owner = ?3, version = ?4, created = ?5, expires = ?6, due = ?7,"
		" body = ?8, claimed_until = 0 WHERE kind = ?1 AND id = ?2",
	[STATEMENT_VERSION] = "SELECT version FROM records WHERE kind = ?1 AND id = ?2",
	[STATEMENT_GET] = "SELECT " COLUMNS " FROM records WHERE kind = ?1 AND id = ?2",
	[STATEMENT_REMOVE] = "DELETE FROM records WHERE kind = ?1 AND id = ?2 RETURNING " COLUMNS,
	[STATEMENT_LIST] = "SELECT " COLUMNS
			   " FROM records WHERE kind = ?1 AND id > ?2 ORDER BY id LIMIT ?3",
	[STATEMENT_LIST_OWNER] = "SELECT " COLUMNS " FROM records INDEXED BY records_owner"
				 " WHERE kind = ?1 AND id > ?2 AND owner = ?4 ORDER BY id LIMIT ?3",
	[STATEMENT_CLAIM] =
		"UPDATE records SET claimed_until = ?2 WHERE (kind, id) IN (SELECT kind, id FROM records"
		" WHERE kind = 1 AND due > 0 AND due <= ?1 AND claimed_until <= ?1"
		" ORDER BY due LIMIT ?3) RETURNING " COLUMNS,
	[STATEMENT_PURGE] = "DELETE FROM records WHERE (kind, id) IN (SELECT kind, id FROM records"
			    " WHERE expires > 0 AND expires <= ?1 LIMIT ?2) RETURNING " STAMP,
	[STATEMENT_COUNT_ALL] = "SELECT sum(rows) FROM counts",
	[STATEMENT_COUNT_KIND] = "SELECT rows FROM counts WHERE kind = ?1",
	[STATEMENT_COUNT_OWNER] = "SELECT count(*) FROM records WHERE kind = ?1 AND owner = ?2",
	[STATEMENT_DROP_OLDEST] =
		"DELETE FROM records WHERE (kind, id) IN (SELECT kind, id FROM records"
		" WHERE kind = ?1 AND owner = ?2 ORDER BY created, version LIMIT 1)"
		" RETURNING " STAMP,
};

/* ---- what went wrong ---- */

static int system_error(const struct sqlite_file *f, struct err *e)
{
	int errnum = sqlite3_system_errno(f->db);

	if (errnum == ENOSPC || errnum == EDQUOT)
		return err_set(e, ERR_SYSTEM, "%s: the disk is full", f->path);
	if (errnum)
		return err_errno(e, errnum, "%s: %s", f->path, sqlite3_errmsg(f->db));
	return err_set(e, ERR_SYSTEM, "%s: %s", f->path, sqlite3_errmsg(f->db));
}

int sqlite_file_error(const struct sqlite_file *f, struct err *e)
{
	switch (sqlite3_errcode(f->db)) {
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
		return system_error(f, e);
	}
}

/* ---- the file ---- */

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
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 && errno != EEXIST) /* another process may be starting, too */
		return err_errno(e, errno, "cannot create the session store %s", path);
	if (fd >= 0)
		(void)close(fd); /* nothing was written */
	return 0;
}

static int prepare_file(const char *path, struct err *e)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return errno == ENOENT
			       ? create_file(path, e)
			       : err_errno(e, errno, "cannot open the session store %s", path);
	if (!S_ISREG(st.st_mode))
		return err_set(e, ERR_CONFIG, "cannot open the session store %s: it is %s", path,
			       S_ISDIR(st.st_mode) ? "a directory" : "no regular file");
	if ((st.st_mode & 077) && chmod(path, 0600) < 0)
		return err_errno(e, errno,
				 "the session store %s can be read by others, which cannot be "
				 "changed",
				 path);
	return 0;
}

/* ---- the schema ---- */

static int execute(struct sqlite_file *f, const char *sql, struct err *e)
{
	return sqlite3_exec(f->db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0
								       : sqlite_file_error(f, e);
}

static int read_number(struct sqlite_file *f, const char *sql, int *ret, struct err *e)
{
	sqlite3_stmt *st = NULL;
	int rc = 0;

	if (sqlite3_prepare_v2(f->db, sql, -1, &st, NULL) == SQLITE_OK &&
	    sqlite3_step(st) == SQLITE_ROW)
		*ret = sqlite3_column_int(st, 0);
	else
		rc = sqlite_file_error(f, e);
	(void)sqlite3_finalize(st); /* repeats the failure */
	return rc;
}

static int check_owner(struct sqlite_file *f, struct err *e)
{
	int application_id;
	int tables;

	if (read_number(f, "PRAGMA application_id", &application_id, e) < 0 ||
	    read_number(f, "SELECT count(*) FROM sqlite_schema", &tables, e) < 0)
		return -1;
	if (application_id != APPLICATION_ID && (application_id || tables))
		return err_set(e, ERR_CONFIG, "%s is the database of another program", f->path);
	return 0;
}

static int run_migrations(struct sqlite_file *f, struct err *e)
{
	int version;

	if (check_owner(f, e) < 0 || read_number(f, "PRAGMA user_version", &version, e) < 0)
		return -1;
	if (version < 0 || version > SCHEMA_VERSION)
		return err_set(e, ERR_CONFIG,
			       "%s is of a newer release (schema %d, this one knows %d)", f->path,
			       version, SCHEMA_VERSION);
	for (; version < SCHEMA_VERSION; version++) {
		struct arena arena = { 0 };
		const char *sql = arena_printf(&arena,
					       "%s PRAGMA user_version = %d;"
					       " PRAGMA application_id = %d;",
					       migrations[version], version + 1, APPLICATION_ID)
					  .at;
		int result = execute(f, sql, e);

		arena_done(&arena);
		if (result < 0)
			return -1;
	}
	return 0;
}

static int set_up(struct sqlite_file *f, struct err *e)
{
	/* First of all whose it is: going over to WAL writes into it. */
	if (check_owner(f, e) < 0 ||
	    execute(f,
		    "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
		    " PRAGMA secure_delete = ON; BEGIN IMMEDIATE",
		    e) < 0 ||
	    run_migrations(f, e) < 0)
		return -1;
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
	f->is_memory = str_equal(path, MEMORY_PATH);
	if (!f->is_memory && prepare_file(f->path, e) < 0)
		return -1;
	if (sqlite3_open_v2(f->path, &f->db, flags, NULL) != SQLITE_OK)
		return sqlite_file_error(f, e);
	(void)sqlite3_busy_timeout(f->db, BUSY_TIMEOUT_MS); /* cannot fail */
	if (set_up(f, e) < 0)
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
