/*
 * How many rows there are is counted now and then; between two counts it is reckoned from our own changes. So several
 * gateways may exceed the maximum by what they add in RECOUNT_MS.
 */

#include "session/postgres_rows.h"

#include <libpq-fe.h>

#include "base/clock.h"
#include "base/mem.h"
#include "session/postgres_query.h"
#include "session/postgres_schema.h"

#define RECOUNT_MS      10000
#define RECOUNT_FULL_MS 1000

static struct postgres_backend *of(struct store_backend *b)
{
	return container_of(b, struct postgres_backend, backend);
}

static int execute(struct postgres_backend *p, enum postgres_statement which,
		   const struct postgres_params *params, PGresult **ret, struct err *e)
{
	if (postgres_schema_execute(&p->link, which, params, ret, e) == 0)
		return 0;
	p->has_failed = true;
	return -1;
}

/* The only number of the only row. */
static int execute_for_number(struct postgres_backend *p, enum postgres_statement which,
			      const struct postgres_params *params, int64_t *ret, struct err *e)
{
	_cleanup_(postgres_result_freep) PGresult *result = NULL;

	if (execute(p, which, params, &result, e) < 0)
		return -1;
	*ret = postgres_number(result, 0, 0);
	return 0;
}

static void read_record(const PGresult *result, int row, struct arena *arena, struct record *ret)
{
	*ret = (struct record){
		.kind = (enum record_kind)postgres_number(result, row, 0),
		.id = postgres_bytes(result, row, 1, arena),
		.owner = postgres_bytes(result, row, 2, arena),
		.version = (uint64_t)postgres_number(result, row, 3),
		.created_unix = postgres_number(result, row, 4),
		.expires_unix = postgres_number(result, row, 5),
		.due_unix = postgres_number(result, row, 6),
		.body = postgres_bytes(result, row, 7, arena),
	};
}

static int execute_for_records(struct postgres_backend *p, enum postgres_statement which,
			       const struct postgres_params *params, struct arena *arena,
			       struct record_list *ret, struct err *e)
{
	_cleanup_(postgres_result_freep) PGresult *result = NULL;
	struct record_list list = { 0 };

	if (execute(p, which, params, &result, e) < 0)
		return -1;
	list.count = (size_t)PQntuples(result);
	list.items = arena_alloc_array(arena, list.count, sizeof(*list.items));
	for (size_t i = 0; i < list.count; i++)
		read_record(result, (int)i, arena, &list.items[i]);
	*ret = list;
	return 0;
}

/* ---- put ---- */

static void add_origin(const struct postgres_backend *p, struct postgres_params *params)
{
	postgres_params_bytes(params, str_of(p->origin, UUID_TEXT_LEN));
}

static void add_key(struct postgres_params *params, enum record_kind kind, struct str id)
{
	postgres_params_number(params, kind);
	postgres_params_bytes(params, id);
}

void postgres_rows_tell(struct postgres_backend *p, const struct record_stamp *stamp)
{
	if (p->backend.events)
		p->backend.events->on_change(p->backend.arg, stamp);
}

int postgres_rows_count(struct postgres_backend *p, struct err *e)
{
	const struct postgres_params params = { 0 };
	int64_t rows;

	if (execute_for_number(p, POSTGRES_COUNT_ALL, &params, &rows, e) < 0)
		return -1;
	p->rows = rows - p->rows_added;
	p->counted_ms = clock_now_ms();
	return 0;
}

/* dropped: rows that would make room. */
static bool is_full(const struct postgres_backend *p, int64_t dropped)
{
	return p->rows + p->rows_added - dropped >= (int64_t)p->backend.records_max;
}

/* A full store has room for who makes room. *ret: DONE, CONFLICT or FULL. */
static int look_for_room(struct postgres_backend *p, const struct record *r, enum store_result *ret,
			 struct err *e)
{
	_cleanup_(postgres_result_freep) PGresult *result = NULL;
	struct postgres_params params = { 0 };
	int64_t surplus;

	add_key(&params, r->kind, r->id);
	postgres_params_bytes(&params, r->owner);
	if (execute(p, POSTGRES_ROOM, &params, &result, e) < 0)
		return -1;
	surplus = postgres_number(result, 0, 1) - (STORE_SESSIONS_PER_USER_MAX - 1);
	if (postgres_number(result, 0, 0))
		*ret = STORE_CONFLICT;
	else
		*ret = is_full(p, surplus > 0 ? surplus : 0) ? STORE_FULL : STORE_DONE;
	return 0;
}

static int check_room(struct postgres_backend *p, const struct record *r, enum store_result *ret,
		      struct err *e)
{
	uint64_t fresh_ms = is_full(p, 0) ? RECOUNT_FULL_MS : RECOUNT_MS;

	if (clock_now_ms() - p->counted_ms >= fresh_ms && postgres_rows_count(p, e) < 0)
		return -1;
	if (is_full(p, 0))
		return look_for_room(p, r, ret, e);
	*ret = STORE_DONE;
	return 0;
}

/* Tells of the rows that made room, and gives the version of the record: 0 if it was not written. */
static uint64_t take_changes(struct postgres_backend *p, const PGresult *result)
{
	struct arena arena = { 0 };
	uint64_t version = 0;

	for (int i = 0; i < PQntuples(result); i++) {
		const struct record_stamp stamp = {
			.kind = (enum record_kind)postgres_number(result, i, 0),
			.id = postgres_bytes(result, i, 1, &arena),
			.version = (uint64_t)postgres_number(result, i, 2),
		};

		p->rows_added += stamp.version ? 0 : -1;
		if (stamp.version)
			version = stamp.version;
		else
			postgres_rows_tell(p, &stamp);
	}
	arena_done(&arena);
	return version;
}

/* ret_version: 0 if it was not written. */
static int write_record(struct postgres_backend *p, enum postgres_statement which,
			const struct record *r, int64_t last_param, uint64_t *ret_version,
			struct err *e)
{
	_cleanup_(postgres_result_freep) PGresult *result = NULL;
	struct postgres_params params = { 0 };

	add_origin(p, &params);
	add_key(&params, r->kind, r->id);
	postgres_params_bytes(&params, r->owner);
	postgres_params_number(&params, r->created_unix);
	postgres_params_number(&params, r->expires_unix);
	postgres_params_number(&params, r->due_unix);
	postgres_params_bytes(&params, r->body);
	postgres_params_number(&params, last_param);
	if (execute(p, which, &params, &result, e) < 0)
		return -1;
	*ret_version = take_changes(p, result);
	return 0;
}

static int insert(struct postgres_backend *p, struct record *r, enum store_result *ret,
		  struct err *e)
{
	uint64_t version = 0;

	if (check_room(p, r, ret, e) < 0)
		return -1;
	if (*ret != STORE_DONE)
		return 0;
	if (write_record(p, POSTGRES_INSERT, r, STORE_SESSIONS_PER_USER_MAX - 1, &version, e) < 0)
		return -1;
	if (!version) {
		*ret = STORE_CONFLICT;
		return 0;
	}
	p->rows_added++;
	r->version = version;
	return 0;
}

static int update(struct postgres_backend *p, struct record *r, uint64_t expected_version,
		  enum store_result *ret, struct err *e)
{
	_cleanup_(postgres_result_freep) PGresult *result = NULL;
	struct postgres_params params = { 0 };
	uint64_t version = 0;

	if (write_record(p, POSTGRES_UPDATE, r, (int64_t)expected_version, &version, e) < 0)
		return -1;
	if (version) {
		r->version = version;
		*ret = STORE_DONE;
		return 0;
	}
	add_key(&params, r->kind, r->id);
	if (execute(p, POSTGRES_GET, &params, &result, e) < 0)
		return -1;
	*ret = PQntuples(result) ? STORE_CONFLICT : STORE_ABSENT;
	return 0;
}

int postgres_put(struct store_backend *b, struct record *r, uint64_t expected_version,
		 enum store_result *ret, struct err *e)
{
	if (expected_version)
		return update(of(b), r, expected_version, ret, e);
	return insert(of(b), r, ret, e);
}

/* ---- the others ---- */

static void give_one(const struct record_list *list, struct record *ret_record,
		     enum store_result *ret)
{
	*ret = list->count ? STORE_DONE : STORE_ABSENT;
	if (list->count)
		*ret_record = list->items[0];
}

int postgres_get(struct store_backend *b, const struct record_stamp *key, struct arena *arena,
		 struct record *ret_record, enum store_result *ret, struct err *e)
{
	struct postgres_params params = { 0 };
	struct record_list list = { 0 };

	add_key(&params, key->kind, key->id);
	if (execute_for_records(of(b), POSTGRES_GET, &params, arena, &list, e) < 0)
		return -1;
	give_one(&list, ret_record, ret);
	return 0;
}

int postgres_remove(struct store_backend *b, const struct record_stamp *key, struct arena *arena,
		    struct record *ret_record, enum store_result *ret, struct err *e)
{
	struct postgres_backend *p = of(b);
	struct postgres_params params = { 0 };
	struct record_list list = { 0 };

	add_origin(p, &params);
	add_key(&params, key->kind, key->id);
	if (execute_for_records(p, POSTGRES_REMOVE, &params, arena, &list, e) < 0)
		return -1;
	p->rows_added -= (int64_t)list.count;
	give_one(&list, ret_record, ret);
	return 0;
}

int postgres_list(struct store_backend *b, const struct record_filter *filter, struct arena *arena,
		  struct record_list *ret, struct err *e)
{
	struct postgres_params params = { 0 };
	enum postgres_statement which = POSTGRES_LIST;

	add_key(&params, filter->kind, filter->after);
	postgres_params_number(&params, (int64_t)filter->limit);
	if (!str_is_empty(filter->owner)) {
		which = POSTGRES_LIST_OWNER;
		postgres_params_bytes(&params, filter->owner);
	}
	return execute_for_records(of(b), which, &params, arena, ret, e);
}

int postgres_claim(struct store_backend *b, const struct record_claim *claim, struct arena *arena,
		   struct record_list *ret, struct err *e)
{
	struct postgres_params params = { 0 };

	postgres_params_number(&params, claim->now_unix);
	postgres_params_number(&params, claim->until_unix);
	postgres_params_number(&params, (int64_t)claim->limit);
	return execute_for_records(of(b), POSTGRES_CLAIM, &params, arena, ret, e);
}

int postgres_purge(struct store_backend *b, int64_t now_unix, size_t limit, struct arena *arena,
		   struct record_list *ret, struct err *e)
{
	struct postgres_backend *p = of(b);
	_cleanup_(postgres_result_freep) PGresult *result = NULL;
	struct postgres_params params = { 0 };
	struct record_list list = { 0 };

	add_origin(p, &params);
	postgres_params_number(&params, now_unix);
	postgres_params_number(&params, (int64_t)limit);
	if (execute(p, POSTGRES_PURGE, &params, &result, e) < 0)
		return -1;
	list.count = (size_t)PQntuples(result);
	list.items = arena_alloc_array(arena, list.count, sizeof(*list.items));
	for (size_t i = 0; i < list.count; i++)
		list.items[i] = (struct record){
			.kind = (enum record_kind)postgres_number(result, (int)i, 0),
			.id = postgres_bytes(result, (int)i, 1, arena),
		};
	p->rows_added -= (int64_t)list.count;
	*ret = list;
	return 0;
}

static void write_arrays(const struct record_stamp *stamps, size_t count, struct buf *kinds,
			 struct buf *ids)
{
	postgres_array_head(kinds, 'n', count);
	postgres_array_head(ids, 'b', count);
	for (size_t i = 0; i < count; i++) {
		postgres_array_number(kinds, stamps[i].kind);
		postgres_array_bytes(ids, stamps[i].id);
	}
}

int postgres_compare(struct store_backend *b, struct record_stamp *stamps, size_t count,
		     struct err *e)
{
	_cleanup_(postgres_result_freep) PGresult *result = NULL;
	_cleanup_(buf_done) struct buf kinds = BUF_INIT(SIZE_MAX); /* count is the caller's */
	_cleanup_(buf_done) struct buf ids = BUF_INIT(SIZE_MAX);
	struct postgres_params params = { 0 };

	if (!count)
		return 0;
	write_arrays(stamps, count, &kinds, &ids);
	postgres_params_bytes(&params, buf_view(&kinds));
	postgres_params_bytes(&params, buf_view(&ids));
	if (execute(of(b), POSTGRES_COMPARE, &params, &result, e) < 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		stamps[i].version = (uint64_t)postgres_number(result, (int)i, 0);
	return 0;
}

int postgres_count(struct store_backend *b, enum record_kind kind, uint64_t *ret, struct err *e)
{
	struct postgres_params params = { 0 };
	int64_t count;

	postgres_params_number(&params, kind);
	if (execute_for_number(of(b), POSTGRES_COUNT_KIND, &params, &count, e) < 0)
		return -1;
	*ret = (uint64_t)count;
	return 0;
}
