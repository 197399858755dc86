/*
 * store_run.c - each verb, and what its success means for the index
 */

#include "session/store_run.h"

#include <assert.h>
#include <stdio.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "session/store_record.h"

#define PURGE_MAX 1000

struct run {
	struct store_work *work;
	struct arena arena; /* dies with the batch */
};

/* ---- one call ---- */

/* Another text could be no key of any record; some databases would take it for an error of ours. */
static bool can_be_key(struct str text)
{
	uint32_t code_point;
	size_t len;

	for (; text.len; text = str_from_pos(text, len)) {
		len = utf8_decode(text, &code_point);
		if (!len || !code_point)
			return false;
	}
	return true;
}

static bool is_of_kind(const struct store_item *item, enum record_kind kind)
{
	if (kind == RECORD_DEVICE_LOGIN)
		return item->device && !item->session;
	return item->session && !item->device &&
	       item->session->kind ==
		       (kind == RECORD_SESSION ? SESSION_LOGIN : SESSION_SERVICE_ACCOUNT);
}

/* Anybody may begin a device login, so they must not fill the store. */
static int put(struct run *r, struct store_call *call, struct record *record, struct err *e)
{
	struct store_backend *b = r->work->backend;
	uint64_t count = 0;

	if (call->kind == RECORD_DEVICE_LOGIN && !call->expected_version &&
	    b->ops->count(b, RECORD_DEVICE_LOGIN, &count, e) < 0)
		return -1;
	call->result = STORE_FULL;
	if (count < STORE_DEVICE_LOGINS_MAX &&
	    b->ops->put(b, record, call->expected_version, &call->result, e) < 0)
		return -1;
	if (call->result == STORE_FULL)
		(void)err_set(&call->error, ERR_LIMIT, "the session store is full");
	return 0;
}

/* -1: the backend is away. What is wrong with the call itself is in its result. */
static int run_put(struct run *r, struct store_call *call, struct err *e)
{
	struct record record;

	assert(is_of_kind(&call->item, call->kind));
	call->result = STORE_FULL;
	if (record_encode(r->work->key, call->kind, &call->item, &r->arena, &record, &call->error) <
	    0)
		return 0;
	if (!can_be_key(record.id) || !can_be_key(record.owner)) {
		(void)err_set(&call->error, ERR_PROTOCOL, "the user id is no text");
		return 0;
	}
	if (put(r, call, &record, e) < 0)
		return -1;
	if (call->result != STORE_DONE)
		return 0;
	/* The last change before other threads can see it. */
	if (call->item.session)
		call->item.session->record_version = record.version;
	if (call->item.device)
		call->item.device->record_version = record.version;
	return 0;
}

static void decode(struct run *r, struct store_call *call, const struct record *record)
{
	if (call->result == STORE_DONE &&
	    record_decode(r->work->key, record, &call->item, &call->error) < 0)
		call->result = STORE_UNAVAILABLE;
}

static int run_get(struct run *r, struct store_call *call, struct err *e)
{
	struct store_backend *b = r->work->backend;
	struct record record;

	call->result = STORE_ABSENT;
	if (!can_be_key(str_from(call->key)))
		return 0;
	if (b->ops->get(b, &(struct record_stamp){ .kind = call->kind, .id = str_from(call->key) },
			&r->arena, &record, &call->result, e) < 0)
		return -1;
	decode(r, call, &record);
	return 0;
}

static int run_remove(struct run *r, struct store_call *call, struct err *e)
{
	struct store_backend *b = r->work->backend;
	struct record record;

	call->result = STORE_ABSENT;
	if (!can_be_key(str_from(call->key)))
		return 0;
	if (b->ops->remove(b,
			   &(struct record_stamp){ .kind = call->kind, .id = str_from(call->key) },
			   &r->arena, &record, &call->result, e) < 0)
		return -1;
	/* Gone is gone, whether what it was can be read or not. */
	if (call->result == STORE_DONE)
		(void)record_decode(r->work->key, &record, &call->item, NULL);
	return 0;
}

/* What cannot be read is left out. */
static void take_found(struct run *r, struct store_call *call, const struct record_list *list,
		       size_t max)
{
	size_t count = list->count < max ? list->count : max;

	call->found = mem_alloc_array(count, sizeof(*call->found));
	for (size_t i = 0; i < count; i++)
		if (record_decode(r->work->key, &list->items[i], &call->found[call->found_count],
				  NULL) == 0)
			call->found_count++;
	if (count)
		(void)snprintf(call->key, sizeof(call->key), "%.*s",
			       STR_FMT(list->items[count - 1].id)); /* fits */
}

static int run_list(struct run *r, struct store_call *call, struct err *e)
{
	struct store_backend *b = r->work->backend;
	const struct record_filter filter = {
		.kind = call->kind,
		.owner = str_from(call->owner),
		.after = str_from(call->key),
		.limit = STORE_LIST_MAX + 1, /* one tells that there are more */
	};
	struct record_list list = { 0 };

	if (!can_be_key(filter.owner) || !can_be_key(filter.after))
		return 0;
	if (b->ops->list(b, &filter, &r->arena, &list, e) < 0)
		return -1;
	take_found(r, call, &list, STORE_LIST_MAX);
	call->has_more = list.count > STORE_LIST_MAX;
	return 0;
}

static int run_claim(struct run *r, struct store_call *call, struct err *e)
{
	struct store_backend *b = r->work->backend;
	struct record_list list = { 0 };

	if (b->ops->claim(b,
			  &(struct record_claim){ .now_unix = call->now_unix,
						  .until_unix = call->now_unix + STORE_CLAIM_S,
						  .limit = STORE_CLAIM_MAX },
			  &r->arena, &list, e) < 0)
		return -1;
	take_found(r, call, &list, STORE_CLAIM_MAX);
	call->has_more = list.count == STORE_CLAIM_MAX;
	return 0;
}

static int run_purge(struct run *r, struct store_call *call, struct err *e)
{
	struct store_backend *b = r->work->backend;
	struct record_list list = { 0 };

	if (b->ops->purge(b, call->now_unix, PURGE_MAX, &r->arena, &list, e) < 0)
		return -1;
	for (size_t i = 0; i < list.count; i++)
		b->events->on_change(b->arg, &(struct record_stamp){ .kind = list.items[i].kind,
								     .id = list.items[i].id });
	call->has_more = list.count == PURGE_MAX;
	return 0;
}

static int run_call(struct run *r, struct store_call *call, struct err *e)
{
	call->result = STORE_DONE;
	switch (call->verb) {
	case STORE_PUT:
		return run_put(r, call, e);
	case STORE_GET:
		return run_get(r, call, e);
	case STORE_REMOVE:
		return run_remove(r, call, e);
	case STORE_LIST:
		return run_list(r, call, e);
	case STORE_CLAIM:
		return run_claim(r, call, e);
	case STORE_PURGE:
		return run_purge(r, call, e);
	}
	return -1;
}

/* ---- a batch ---- */

/* What is durable now becomes visible. */
static void publish(struct store_work *w, const struct store_call *call)
{
	bool is_indexed = call->kind != RECORD_DEVICE_LOGIN;

	if (call->result != STORE_DONE || !is_indexed)
		return;
	switch (call->verb) {
	case STORE_PUT:
		store_index_put(w->index, call->item.session);
		if (call->expected_version)
			store_work_tell(w, str_from(call->item.session->id));
		return;
	case STORE_GET:
		store_index_put(w->index, call->item.session);
		return;
	case STORE_REMOVE:
		(void)store_index_drop(w->index, str_from(call->key)); /* may be unknown here */
		store_work_tell(w, str_from(call->key));
		return;
	case STORE_LIST:
	case STORE_CLAIM:
	case STORE_PURGE:
		return;
	}
}

static void fail(struct store_call **calls, size_t count, const struct err *e)
{
	for (size_t i = 0; i < count; i++) {
		struct store_call *call = calls[i];

		if (call->verb != STORE_PUT)
			store_call_done(call);
		call->result = STORE_UNAVAILABLE;
		call->error = *e;
	}
}

static int change_all(struct run *r, struct store_call **calls, size_t count, struct err *e)
{
	struct store_backend *b = r->work->backend;

	if (b->ops->begin(b, e) < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		if (run_call(r, calls[i], e) < 0) {
			b->ops->rollback(b);
			return -1;
		}
	}
	return b->ops->commit(b, e);
}

bool store_verb_is_change(enum store_verb verb)
{
	return verb != STORE_GET && verb != STORE_LIST;
}

int store_work_read(struct store_work *w, struct store_call **calls, size_t count, struct err *e)
{
	struct run r = { .work = w };
	int result = 0;

	for (size_t i = 0; i < count && result == 0; i++) {
		result = run_call(&r, calls[i], e);
		if (result < 0)
			fail(calls + i, count - i, e);
		else
			publish(w, calls[i]);
		arena_done(&r.arena);
	}
	return result;
}

int store_work_change(struct store_work *w, struct store_call **calls, size_t count, struct err *e)
{
	struct run r = { .work = w };
	size_t news_before = w->news.count;
	int result = change_all(&r, calls, count, e);

	if (result < 0) {
		fail(calls, count, e);
		w->news.count = news_before; /* of what has not happened */
	} else {
		for (size_t i = 0; i < count; i++)
			publish(w, calls[i]);
		store_work_catch_up(w);
	}
	arena_done(&r.arena);
	return result;
}

/* ---- birth and death ---- */

void store_work_init(struct store_work *w, struct store_backend *backend,
		     const struct store_options *options)
{
	*w = (struct store_work){
		.backend = backend,
		.index = store_index_new(options->index_max ? options->index_max : STORE_INDEX_MAX),
		.on_change = options->on_change,
		.arg = options->arg,
	};
	store_news_listen(w);
	record_key_derive(options->shared_key, w->key);
}

void store_work_done(struct store_work *w)
{
	w->backend->ops->close(w->backend);
	store_index_free(w->index);
	store_news_done(&w->news);
	mem_wipe(w->key, sizeof(w->key));
}
