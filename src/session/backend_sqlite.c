/*
 * backend_sqlite.c - records in a SQLite file; also in memory, which is the same with the path ":memory:"
 *
 * One table, prepared statements, WAL with a flush at every commit (synchronous=FULL): what commit() has confirmed
 * survives the process and the power. A statement is reset when its result has been taken.
 *
 * The file stays open whatever happens; what can fail is a call, because the disk is full or broken or another process
 * keeps its lock. From then on the backend is away, until a write that changes nothing succeeds; reads are served all
 * the while. That another process has written is seen in data_version, which costs no disk access; what it wrote is not.
 */

#include "session/store_backend.h"

#include <assert.h>
#include <poll.h>

#include "base/clock.h"
#include "base/mem.h"
#include "session/sqlite_file.h"

#define LOOK_MS      1000 /* how often to look for changes of other processes */
#define PAUSE_MIN_MS 50
#define PAUSE_MAX_MS 1000

struct sqlite_backend {
	struct store_backend backend;
	struct sqlite_file file;
	uint64_t data_version; /* changes when another process has written */
	bool is_away;
	struct err away; /* why */
	int pause_ms;    /* before the next attempt to come back */
	uint64_t retry_ms;
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

static void go_away(struct sqlite_backend *s)
{
	(void)sqlite_file_error(&s->file, &s->away);
	if (!s->is_away)
		s->pause_ms = PAUSE_MIN_MS;
	s->is_away = true;
	s->retry_ms = clock_now_ms() + (uint64_t)s->pause_ms;
}

/* Ends a statement; result is what the last step said. A failure ends the transaction as well. */
static int finish(struct sqlite_backend *s, sqlite3_stmt *st, int result, struct err *e)
{
	bool has_failed = result != SQLITE_DONE && result != SQLITE_ROW;

	if (has_failed)
		go_away(s);
	(void)sqlite3_reset(st); /* repeats the failure of the step */
	(void)sqlite3_clear_bindings(st);
	if (!has_failed)
		return 0;
	if (e)
		*e = s->away;
	s->backend.ops->rollback(&s->backend);
	return -1;
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
	return run(of(b), STATEMENT_BEGIN, e);
}

static int sqlite_commit(struct store_backend *b, struct err *e)
{
	return run(of(b), STATEMENT_COMMIT, e);
}

static void sqlite_rollback(struct store_backend *b)
{
	struct sqlite_backend *s = of(b);
	sqlite3_stmt *st = s->file.statements[STATEMENT_ROLLBACK];

	/* Some errors have done it already. If it fails itself, whatever comes next fails as well, and tries again. */
	if (sqlite3_get_autocommit(s->file.db))
		return;
	(void)sqlite3_step(st);
	(void)sqlite3_reset(st);
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

/* 0 if there is none. */
static int find_version(struct sqlite_backend *s, enum record_kind kind, struct str id,
			uint64_t *ret, struct err *e)
{
	sqlite3_stmt *st = s->file.statements[STATEMENT_VERSION];

	*ret = 0;
	bind_int(st, 1, kind);
	bind_text(st, 2, id);
	return run_for_number(s, STATEMENT_VERSION, ret, e);
}

/* A new session of somebody who has too many replaces one. */
static int has_to_replace(struct sqlite_backend *s, const struct record *r, bool *ret,
			  struct err *e)
{
	sqlite3_stmt *st = s->file.statements[STATEMENT_COUNT_OWNER];
	uint64_t count = 0;

	*ret = false;
	if (r->kind != RECORD_SESSION)
		return 0;
	bind_int(st, 1, r->kind);
	bind_text(st, 2, r->owner);
	if (run_for_number(s, STATEMENT_COUNT_OWNER, &count, e) < 0)
		return -1;
	*ret = count >= STORE_SESSIONS_PER_USER_MAX;
	return 0;
}

static int drop_oldest(struct sqlite_backend *s, const struct record *r, struct err *e)
{
	const struct store_backend_events *events = s->backend.events;
	sqlite3_stmt *st = s->file.statements[STATEMENT_DROP_OLDEST];
	struct record_list list = { 0 };
	struct arena arena = { 0 };
	int result;

	bind_int(st, 1, r->kind);
	bind_text(st, 2, r->owner);
	result = run_for_rows(s, st, 1, &arena, &list, e);
	if (result == 0 && list.count && events)
		events->on_change(s->backend.arg, &(struct record_stamp){ .kind = r->kind,
									  .id = list.items[0].id });
	arena_done(&arena);
	return result;
}

/* What is there is bound and written with a version of its own. */
static int write_row(struct sqlite_backend *s, enum statement which, struct record *r,
		     struct err *e)
{
	if (run_for_number(s, STATEMENT_NEXT_VERSION, &r->version, e) < 0)
		return -1;
	bind_record(s->file.statements[which], r);
	return run(s, which, e);
}

static int insert(struct sqlite_backend *s, struct record *r, enum store_result *ret, struct err *e)
{
	uint64_t count = 0;
	bool is_replacing;

	if (has_to_replace(s, r, &is_replacing, e) < 0 ||
	    run_for_number(s, STATEMENT_COUNT_ALL, &count, e) < 0)
		return -1;
	if (count - is_replacing >= s->backend.records_max) {
		*ret = STORE_FULL;
		return 0;
	}
	if (is_replacing && drop_oldest(s, r, e) < 0)
		return -1;
	*ret = STORE_DONE;
	return write_row(s, STATEMENT_INSERT, r, e);
}

static int sqlite_put(struct store_backend *b, struct record *r, uint64_t expected_version,
		      enum store_result *ret, struct err *e)
{
	struct sqlite_backend *s = of(b);
	uint64_t version;

	if (find_version(s, r->kind, r->id, &version, e) < 0)
		return -1;
	if (version != expected_version) {
		*ret = version ? STORE_CONFLICT : STORE_ABSENT;
		return 0;
	}
	if (!expected_version)
		return insert(s, r, ret, e);
	*ret = STORE_DONE;
	return write_row(s, STATEMENT_UPDATE, r, e);
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

static int sqlite_get(struct store_backend *b, const struct record_stamp *key, struct arena *arena,
		      struct record *ret_record, enum store_result *ret, struct err *e)
{
	struct record_list list = { 0 };

	if (one_row(of(b), STATEMENT_GET, key, arena, &list, e) < 0)
		return -1;
	give_one(&list, ret_record, ret);
	return 0;
}

static int sqlite_remove(struct store_backend *b, const struct record_stamp *key,
			 struct arena *arena, struct record *ret_record, enum store_result *ret,
			 struct err *e)
{
	struct record_list list = { 0 };

	if (one_row(of(b), STATEMENT_REMOVE, key, arena, &list, e) < 0)
		return -1;
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

static int sqlite_claim(struct store_backend *b, const struct record_claim *claim,
			struct arena *arena, struct record_list *ret, struct err *e)
{
	struct sqlite_backend *s = of(b);
	sqlite3_stmt *st = s->file.statements[STATEMENT_CLAIM];

	bind_int(st, 1, claim->now_unix);
	bind_int(st, 2, claim->until_unix);
	bind_int(st, 3, (int64_t)claim->limit);
	return run_for_rows(s, st, claim->limit, arena, ret, e);
}

static int sqlite_purge(struct store_backend *b, int64_t now_unix, size_t limit,
			struct arena *arena, struct record_list *ret, struct err *e)
{
	struct sqlite_backend *s = of(b);
	sqlite3_stmt *st = s->file.statements[STATEMENT_PURGE];

	bind_int(st, 1, now_unix);
	bind_int(st, 2, (int64_t)limit);
	return run_for_rows(s, st, limit, arena, ret, e);
}

static int sqlite_compare(struct store_backend *b, struct record_stamp *stamps, size_t count,
			  struct err *e)
{
	for (size_t i = 0; i < count; i++)
		if (find_version(of(b), stamps[i].kind, stamps[i].id, &stamps[i].version, e) < 0)
			return -1;
	return 0;
}

static int sqlite_count(struct store_backend *b, enum record_kind kind, uint64_t *ret,
			struct err *e)
{
	struct sqlite_backend *s = of(b);

	bind_int(s->file.statements[STATEMENT_COUNT_KIND], 1, kind);
	return run_for_number(s, STATEMENT_COUNT_KIND, ret, e);
}

/* ---- waiting ---- */

static void tell_gap(struct sqlite_backend *s)
{
	if (s->backend.events)
		s->backend.events->on_gap(s->backend.arg);
}

/* Whether a write works again. */
static bool can_come_back(struct sqlite_backend *s)
{
	if (clock_now_ms() < s->retry_ms)
		return false;
	s->pause_ms = s->pause_ms * 2 < PAUSE_MAX_MS ? s->pause_ms * 2 : PAUSE_MAX_MS;
	if (run(s, STATEMENT_BEGIN, NULL) < 0 || run(s, STATEMENT_TOUCH, NULL) < 0 ||
	    run(s, STATEMENT_COMMIT, NULL) < 0)
		return false;
	s->is_away = false;
	return true;
}

static bool was_changed_by_others(struct sqlite_backend *s)
{
	uint64_t before = s->data_version;

	return run_for_number(s, STATEMENT_DATA_VERSION, &s->data_version, NULL) == 0 &&
	       s->data_version != before;
}

/* True if there was something to tell. */
static bool look_around(struct sqlite_backend *s)
{
	bool was_away = s->is_away;

	if (s->file.is_memory && !was_away)
		return false;
	if (was_away ? !can_come_back(s) : !was_changed_by_others(s))
		return was_away != s->is_away;
	tell_gap(s);
	return true;
}

static int next_look_ms(const struct sqlite_backend *s)
{
	if (s->is_away)
		return s->pause_ms;
	return s->file.is_memory ? -1 : LOOK_MS;
}

static int sqlite_wait(struct store_backend *b, int wake_fd, int timeout_ms, struct err *e)
{
	struct sqlite_backend *s = of(b);
	struct pollfd fd = { .fd = wake_fd, .events = POLLIN };

	for (;;) {
		int look_ms = next_look_ms(s);
		bool is_last = timeout_ms >= 0 && (look_ms < 0 || timeout_ms <= look_ms);
		/* A signal may end it early: then it is looked around early. */
		int ready = poll(&fd, 1, is_last ? timeout_ms : look_ms);

		if (look_around(s) || ready > 0 || is_last)
			break;
		if (timeout_ms >= 0)
			timeout_ms -= look_ms;
	}
	if (s->is_away && e)
		*e = s->away;
	return s->is_away ? -1 : 0;
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
	return run_for_number(s, STATEMENT_DATA_VERSION, &s->data_version, e);
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
