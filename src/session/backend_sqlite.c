/*
 * One table, prepared statements, WAL with a flush at every commit (synchronous=FULL): what commit() has confirmed
 * survives the process and the power. Also the store in memory, which is the same in ":memory:".
 *
 * Statements are prepared once; a statement is reset when its result has been taken.
 */

#include "session/store_backend.h"

#include <assert.h>
#include <poll.h>

#include "base/mem.h"
#include "session/sqlite_file.h"

struct sqlite_backend {
	struct store_backend backend;
	struct sqlite_file file;
	uint64_t count; /* of rows; other processes do not write here */
	bool is_in_transaction;
};

static struct sqlite_backend *of(struct store_backend *b)
{
	return container_of(b, struct sqlite_backend, backend);
}

/* ---- statements ---- */

static void bind_text(sqlite3_stmt *st, int index, struct str text)
{
	/* A range error cannot happen: the statements are above. Too long a text fails at the step. */
	(void)sqlite3_bind_text64(st, index, text.at ? text.at : "", text.len, SQLITE_STATIC,
				  SQLITE_UTF8);
}

static void bind_int(sqlite3_stmt *st, int index, int64_t value)
{
	(void)sqlite3_bind_int64(st, index, value); /* as above */
}

/* Ends a statement; result is what the last step said. */
static int finish(struct sqlite_backend *s, sqlite3_stmt *st, int result, struct err *e)
{
	int rc = result == SQLITE_DONE || result == SQLITE_ROW ? 0 : sqlite_file_error(&s->file, e);

	(void)sqlite3_reset(st); /* repeats the failure of the step */
	(void)sqlite3_clear_bindings(st);
	return rc;
}

static int run(struct sqlite_backend *s, enum statement which, struct err *e)
{
	sqlite3_stmt *st = s->file.statements[which];

	return finish(s, st, sqlite3_step(st), e);
}

/* The only number of the only row. */
static int run_for_number(struct sqlite_backend *s, enum statement which, uint64_t *ret,
			  struct err *e)
{
	sqlite3_stmt *st = s->file.statements[which];
	int result = sqlite3_step(st);

	if (result == SQLITE_ROW) {
		*ret = (uint64_t)sqlite3_column_int64(st, 0);
		/* A statement that changes something is not over before it is done. */
		result = sqlite3_step(st);
	}
	return finish(s, st, result, e);
}

static struct str column_text(sqlite3_stmt *st, int column, struct arena *arena)
{
	const void *at = sqlite3_column_blob(st, column);

	return arena_copy(arena, str_of(at, (size_t)sqlite3_column_bytes(st, column)));
}

static void read_row(sqlite3_stmt *st, struct arena *arena, struct record *ret)
{
	*ret = (struct record){
		.kind = (enum record_kind)sqlite3_column_int(st, 0),
		.id = column_text(st, 1, arena),
		.owner = column_text(st, 2, arena),
		.version = (uint64_t)sqlite3_column_int64(st, 3),
		.created_unix = sqlite3_column_int64(st, 4),
		.expires_unix = sqlite3_column_int64(st, 5),
		.due_unix = sqlite3_column_int64(st, 6),
		.body = column_text(st, 7, arena),
	};
}

/* All rows, at most limit. */
static int run_for_rows(struct sqlite_backend *s, sqlite3_stmt *st, size_t limit,
			struct arena *arena, struct record_list *ret, struct err *e)
{
	struct record_list list = { .items = arena_alloc_array(arena, limit, sizeof(*list.items)) };
	int result;

	while ((result = sqlite3_step(st)) == SQLITE_ROW) {
		assert(list.count < limit);
		read_row(st, arena, &list.items[list.count++]);
	}
	if (finish(s, st, result, e) < 0)
		return -1;
	*ret = list;
	return 0;
}

/* ---- transactions ---- */

static int sqlite_begin(struct store_backend *b, struct err *e)
{
	struct sqlite_backend *s = of(b);

	if (run(s, STATEMENT_BEGIN, e) < 0)
		return -1;
	s->is_in_transaction = true;
	return 0;
}

static void sqlite_rollback(struct store_backend *b)
{
	struct sqlite_backend *s = of(b);

	if (!s->is_in_transaction)
		return;
	s->is_in_transaction = false;
	if (!sqlite3_get_autocommit(s->file.db))
		(void)run(s, STATEMENT_ROLLBACK, NULL); /* some errors have done it already */
	(void)run_for_number(s, STATEMENT_COUNT_ALL, &s->count, NULL);
}

static int sqlite_commit(struct store_backend *b, struct err *e)
{
	struct sqlite_backend *s = of(b);

	if (run(s, STATEMENT_COMMIT, e) < 0) {
		sqlite_rollback(b);
		return -1;
	}
	s->is_in_transaction = false;
	return 0;
}

/* ---- rows ---- */

static void bind_record(sqlite3_stmt *st, const struct record *r)
{
	bind_int(st, 1, r->kind);
	bind_text(st, 2, r->id);
	bind_text(st, 3, r->owner);
	bind_int(st, 4, (int64_t)r->version);
	bind_int(st, 5, r->created_unix);
	bind_int(st, 6, r->expires_unix);
	bind_int(st, 7, r->due_unix);
	(void)sqlite3_bind_blob64(st, 8, r->body.at ? r->body.at : "", r->body.len, SQLITE_STATIC);
}

static int exists(struct sqlite_backend *s, const struct record *r, bool *ret, struct err *e)
{
	sqlite3_stmt *st = s->file.statements[STATEMENT_GET];
	int result;

	bind_int(st, 1, r->kind);
	bind_text(st, 2, r->id);
	result = sqlite3_step(st);
	*ret = result == SQLITE_ROW;
	return finish(s, st, result, e);
}

/* Makes room for a new session of somebody who has many. */
static int drop_oldest(struct sqlite_backend *s, const struct record *r, struct err *e)
{
	const struct store_backend_events *events = s->backend.events;
	sqlite3_stmt *count = s->file.statements[STATEMENT_COUNT_OWNER];
	sqlite3_stmt *drop = s->file.statements[STATEMENT_DROP_OLDEST];
	struct record_list list = { 0 };
	struct arena arena = { 0 };
	uint64_t have = 0;
	int result = 0;

	bind_int(count, 1, r->kind);
	bind_text(count, 2, r->owner);
	if (run_for_number(s, STATEMENT_COUNT_OWNER, &have, e) < 0)
		return -1;
	if (have < STORE_SESSIONS_PER_USER_MAX)
		return 0;
	bind_int(drop, 1, r->kind);
	bind_text(drop, 2, r->owner);
	result = run_for_rows(s, drop, 1, &arena, &list, e);
	s->count -= list.count;
	if (result == 0 && list.count && events)
		events->on_change(s->backend.arg, &(struct record_stamp){ .kind = r->kind,
									  .id = list.items[0].id });
	arena_done(&arena);
	return result;
}

static int insert(struct sqlite_backend *s, struct record *r, enum store_result *ret, struct err *e)
{
	sqlite3_stmt *st = s->file.statements[STATEMENT_INSERT];
	bool is_there;

	if (exists(s, r, &is_there, e) < 0)
		return -1;
	if (is_there) {
		*ret = STORE_CONFLICT;
		return 0;
	}
	if (s->count >= s->backend.records_max) {
		*ret = STORE_FULL;
		return 0;
	}
	if (r->kind == RECORD_SESSION && drop_oldest(s, r, e) < 0)
		return -1;
	bind_record(st, r);
	if (run(s, STATEMENT_INSERT, e) < 0)
		return -1;
	s->count++;
	*ret = STORE_DONE;
	return 0;
}

static int update(struct sqlite_backend *s, struct record *r, uint64_t expected_version,
		  enum store_result *ret, struct err *e)
{
	sqlite3_stmt *st = s->file.statements[STATEMENT_UPDATE];
	bool is_there;

	bind_record(st, r);
	bind_int(st, 9, (int64_t)expected_version);
	if (run(s, STATEMENT_UPDATE, e) < 0)
		return -1;
	if (sqlite3_changes(s->file.db) == 1) {
		*ret = STORE_DONE;
		return 0;
	}
	if (exists(s, r, &is_there, e) < 0)
		return -1;
	*ret = is_there ? STORE_CONFLICT : STORE_ABSENT;
	return 0;
}

static int sqlite_put(struct store_backend *b, struct record *r, uint64_t expected_version,
		      enum store_result *ret, struct err *e)
{
	struct sqlite_backend *s = of(b);
	struct record row = *r;

	if (run_for_number(s, STATEMENT_NEXT_VERSION, &row.version, e) < 0)
		return -1;
	if (expected_version ? update(s, &row, expected_version, ret, e) < 0
			     : insert(s, &row, ret, e) < 0)
		return -1;
	if (*ret == STORE_DONE)
		r->version = row.version;
	return 0;
}

static int one_row(struct sqlite_backend *s, enum statement which, const struct record_stamp *key,
		   struct arena *arena, struct record_list *ret, struct err *e)
{
	sqlite3_stmt *st = s->file.statements[which];

	bind_int(st, 1, key->kind);
	bind_text(st, 2, key->id);
	return run_for_rows(s, st, 1, arena, ret, e);
}

static void give_one(const struct record_list *list, struct record *ret_record,
		     enum store_result *ret)
{
	*ret = list->count ? STORE_DONE : STORE_ABSENT;
	if (list->count)
		*ret_record = list->items[0];
}

static int sqlite_get(struct store_backend *b, enum record_kind kind, struct str id,
		      struct arena *arena, struct record *ret_record, enum store_result *ret,
		      struct err *e)
{
	const struct record_stamp key = { .kind = kind, .id = id };
	struct record_list list = { 0 };

	if (one_row(of(b), STATEMENT_GET, &key, arena, &list, e) < 0)
		return -1;
	give_one(&list, ret_record, ret);
	return 0;
}

static int sqlite_remove(struct store_backend *b, enum record_kind kind, struct str id,
			 struct arena *arena, struct record *ret_record, enum store_result *ret,
			 struct err *e)
{
	const struct record_stamp key = { .kind = kind, .id = id };
	struct record_list list = { 0 };

	if (one_row(of(b), STATEMENT_REMOVE, &key, arena, &list, e) < 0)
		return -1;
	of(b)->count -= list.count;
	give_one(&list, ret_record, ret);
	return 0;
}

static int sqlite_list(struct store_backend *b, const struct record_filter *filter,
		       struct arena *arena, struct record_list *ret, struct err *e)
{
	struct sqlite_backend *s = of(b);
	bool has_owner = !str_is_empty(filter->owner);
	sqlite3_stmt *st = s->file.statements[has_owner ? STATEMENT_LIST_OWNER : STATEMENT_LIST];

	bind_int(st, 1, filter->kind);
	bind_text(st, 2, filter->after);
	bind_int(st, 3, (int64_t)filter->limit);
	if (has_owner)
		bind_text(st, 4, filter->owner);
	return run_for_rows(s, st, filter->limit, arena, ret, e);
}

static int sqlite_claim(struct store_backend *b, int64_t now_unix, int64_t until_unix, size_t limit,
			struct arena *arena, struct record_list *ret, struct err *e)
{
	struct sqlite_backend *s = of(b);
	sqlite3_stmt *st = s->file.statements[STATEMENT_CLAIM];

	bind_int(st, 1, now_unix);
	bind_int(st, 2, until_unix);
	bind_int(st, 3, (int64_t)limit);
	return run_for_rows(s, st, limit, arena, ret, e);
}

static int sqlite_purge(struct store_backend *b, int64_t now_unix, size_t limit,
			struct arena *arena, struct record_list *ret, struct err *e)
{
	struct sqlite_backend *s = of(b);
	sqlite3_stmt *st = s->file.statements[STATEMENT_PURGE];

	bind_int(st, 1, now_unix);
	bind_int(st, 2, (int64_t)limit);
	if (run_for_rows(s, st, limit, arena, ret, e) < 0)
		return -1;
	s->count -= ret->count;
	for (size_t i = 0; i < ret->count; i++)
		ret->items[i].version = 0;
	return 0;
}

static int sqlite_compare(struct store_backend *b, struct record_stamp *stamps, size_t count,
			  struct err *e)
{
	struct sqlite_backend *s = of(b);

	for (size_t i = 0; i < count; i++) {
		struct record_list list = { 0 };
		struct arena arena = { 0 };
		int result = one_row(s, STATEMENT_GET, &stamps[i], &arena, &list, e);

		stamps[i].version = list.count ? list.items[0].version : 0;
		arena_done(&arena);
		if (result < 0)
			return -1;
	}
	return 0;
}

static int sqlite_count(struct store_backend *b, enum record_kind kind, uint64_t *ret,
			struct err *e)
{
	struct sqlite_backend *s = of(b);

	bind_int(s->file.statements[STATEMENT_COUNT_KIND], 1, kind);
	return run_for_number(s, STATEMENT_COUNT_KIND, ret, e);
}

/* The file is always there: what fails is a call, not the backend. */
static int sqlite_wait(struct store_backend *b, int wake_fd, int timeout_ms, struct err *e)
{
	struct pollfd fd = { .fd = wake_fd, .events = POLLIN };

	(void)poll(&fd, 1, timeout_ms); /* woken too early: there is just nothing to do */
	return 0;
}

static void sqlite_close(struct store_backend *b)
{
	struct sqlite_backend *s = of(b);

	sqlite_file_close(&s->file);
	mem_free(s);
}

static const struct store_backend_ops sqlite_ops = {
	.begin = sqlite_begin,
	.commit = sqlite_commit,
	.rollback = sqlite_rollback,
	.put = sqlite_put,
	.get = sqlite_get,
	.remove = sqlite_remove,
	.list = sqlite_list,
	.claim = sqlite_claim,
	.purge = sqlite_purge,
	.compare = sqlite_compare,
	.count = sqlite_count,
	.wait = sqlite_wait,
	.close = sqlite_close,
};

static int read_numbers(struct sqlite_backend *s, struct err *e)
{
	if (run_for_number(s, STATEMENT_SERVER_VERSION, &s->backend.server_version, e) < 0)
		return -1;
	return run_for_number(s, STATEMENT_COUNT_ALL, &s->count, e);
}

int backend_sqlite_open(struct str path, struct store_backend **ret, struct err *e)
{
	struct sqlite_backend *s = mem_alloc(sizeof(*s));

	s->backend.ops = &sqlite_ops;
	s->backend.records_max = STORE_RECORDS_MAX;
	if (sqlite_file_open(&s->file, path, e) < 0 || read_numbers(s, e) < 0) {
		sqlite_close(&s->backend);
		return -1;
	}
	*ret = &s->backend;
	return 0;
}
