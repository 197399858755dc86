#pragma once

/*
 * sqlite_file.h - the SQLite file of a store: schema, migrations, prepared statements
 *
 * Private to session/.
 */

#include <stdbool.h>

#include <sqlite3.h>

#include "base/err.h"
#include "base/str.h"

enum statement {
	STATEMENT_BEGIN,
	STATEMENT_COMMIT,
	STATEMENT_ROLLBACK,
	STATEMENT_DATA_VERSION,
	STATEMENT_SERVER_VERSION,
	STATEMENT_NEXT_VERSION,
	STATEMENT_TOUCH,
	STATEMENT_INSERT,
	STATEMENT_UPDATE,
	STATEMENT_VERSION,
	STATEMENT_GET,
	STATEMENT_REMOVE,
	STATEMENT_LIST,
	STATEMENT_LIST_OWNER,
	STATEMENT_CLAIM,
	STATEMENT_PURGE,
	STATEMENT_COUNT_ALL,
	STATEMENT_COUNT_KIND,
	STATEMENT_COUNT_OWNER,
	STATEMENT_DROP_OLDEST,
	STATEMENT_COUNT,
};

struct sqlite_file {
	sqlite3 *db;
	char *path;
	bool is_memory;
	sqlite3_stmt *statements[STATEMENT_COUNT];
};

/* Creates what is missing: directory 0700, file 0600. On failure *f is to be closed all the same. */
int sqlite_file_open(struct sqlite_file *f, struct str path, struct err *e);
void sqlite_file_close(struct sqlite_file *f);

/* What the last call of the library failed with, as a sentence. Returns -1. */
int sqlite_file_error(const struct sqlite_file *f, struct err *e);
