#include "session/store_run.h"

#include <stdio.h>

#include "base/mem.h"
#include "session/store_record.h"

#define PURGE_MAX   1000
#define COMPARE_MAX 500

struct run {
	struct store_work *work;
	struct arena arena;  /* dies with the batch */
	struct arena purged; /* likewise */
	struct record_list gone;
};

/* ---- news of the backend ---- */

static void tell(struct store_work *w, struct str id)
{
	char text[STORE_KEY_MAX + 1];

	if (!w->on_change || id.len > STORE_KEY_MAX)
		return;
	(void)snprintf(text, sizeof(text), "%.*s", STR_FMT(id)); /* fits */
	w->on_change(w->arg, text);
}

static void on_change(void *arg, const struct record_stamp *stamp)
{
	struct store_work *w = arg;
	struct session *known = store_index_find(w->index, stamp->id);
	bool is_news = !known || known->record_version != stamp->version;

	session_unref(known);
	if (stamp->kind == RECORD_DEVICE_LOGIN || !is_news)
		return;
	(void)store_index_drop(w->index, stamp->id); /* it may not have been there */
	tell(w, stamp->id);
}

static void on_gap(void *arg)
{
	struct store_work *w = arg;

	w->has_gap = true;
}

static const struct store_backend_events backend_events = {
	.on_change = on_change,
	.on_gap = on_gap,
};

static int compare(struct store_work *w, struct record_stamp *stamps, size_t count)
{
	uint64_t known[COMPARE_MAX];

	for (size_t i = 0; i < count; i++)
		known[i] = stamps[i].version;
	if (w->backend->ops->compare(w->backend, stamps, count, NULL) < 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		if (stamps[i].version != known[i])
			on_change(w, &stamps[i]);
	return 0;
}

void store_work_catch_up(struct store_work *w)
{
	struct arena arena = { 0 };
	struct record_stamp *stamps;
	size_t count;

	if (!w->has_gap)
		return;
	stamps = store_index_stamps(w->index, &arena, &count);
	w->has_gap = false;
	for (size_t i = 0; i < count && !w->has_gap; i += COMPARE_MAX) {
		size_t left = count - i;

		/* If it fails the backend is away again, and comes back with another gap. */
		if (compare(w, stamps + i, left < COMPARE_MAX ? left : COMPARE_MAX) < 0)
			w->has_gap = true;
	}
	arena_done(&arena);
}

/* ---- one call ---- */

/* -1: the backend is away. What is wrong with the call itself is in its result. */
static int run_put(struct run *r, struct store_call *call, struct err *e)
{
	struct store_backend *b = r->work->backend;
	struct record record;

	if (record_encode(r->work->key, call->kind, &call->item, &r->arena, &record, &call->error) <
	    0) {
		call->result = STORE_FULL;
		return 0;
	}
	if (b->ops->put(b, &record, call->expected_version, &call->result, e) < 0)
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

	if (b->ops->get(b, call->kind, str_from(call->key), &r->arena, &record, &call->result, e) <
	    0)
		return -1;
	decode(r, call, &record);
	return 0;
}

static int run_remove(struct run *r, struct store_call *call, struct err *e)
{
	struct store_backend *b = r->work->backend;
	struct record record;

	if (b->ops->remove(b, call->kind, str_from(call->key), &r->arena, &record, &call->result,
			   e) < 0)
		return -1;
	/* Gone is gone, whether what it was can be read or not. */
	if (call->result == STORE_DONE)
		(void)record_decode(r->work->key, &record, &call->item, NULL);
	return 0;
}

/* What cannot be read is left out. */
static void take_found(struct run *r, struct store_call *call, const struct record_list *list)
{
	call->found = mem_alloc_array(list->count, sizeof(*call->found));
	for (size_t i = 0; i < list->count; i++)
		if (record_decode(r->work->key, &list->items[i], &call->found[call->found_count],
				  NULL) == 0)
			call->found_count++;
}

static int run_list(struct run *r, struct store_call *call, struct err *e)
{
	struct store_backend *b = r->work->backend;
	const struct record_filter filter = {
		.kind = call->kind,
		.owner = str_from(call->owner),
		.after = str_from(call->key),
		.limit = STORE_LIST_MAX,
	};
	struct record_list list = { 0 };

	if (b->ops->list(b, &filter, &r->arena, &list, e) < 0)
		return -1;
	take_found(r, call, &list);
	call->has_more = list.count == STORE_LIST_MAX;
	if (list.count)
		(void)snprintf(call->key, sizeof(call->key), "%.*s",
			       STR_FMT(list.items[list.count - 1].id)); /* fits */
	return 0;
}

static int run_claim(struct run *r, struct store_call *call, struct err *e)
{
	struct store_backend *b = r->work->backend;
	struct record_list list = { 0 };

	if (b->ops->claim(b, call->now_unix, call->now_unix + STORE_CLAIM_S, STORE_CLAIM_MAX,
			  &r->arena, &list, e) < 0)
		return -1;
	take_found(r, call, &list);
	return 0;
}

static int run_purge(struct run *r, struct store_call *call, struct err *e)
{
	struct store_backend *b = r->work->backend;

	if (b->ops->purge(b, call->now_unix, PURGE_MAX, &r->purged, &r->gone, e) < 0)
		return -1;
	call->has_more = r->gone.count == PURGE_MAX;
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
			tell(w, str_from(call->item.session->id));
		return;
	case STORE_GET:
		store_index_put(w->index, call->item.session);
		return;
	case STORE_REMOVE:
		(void)store_index_drop(w->index, str_from(call->key)); /* may be unknown here */
		tell(w, str_from(call->key));
		return;
	case STORE_LIST:
	case STORE_CLAIM:
	case STORE_PURGE:
		return;
	}
}

static void fail_all(struct store_call **calls, size_t count, const struct err *e)
{
	for (size_t i = 0; i < count; i++) {
		struct store_call *call = calls[i];

		if (call->verb != STORE_PUT)
			store_call_done(call);
		call->result = STORE_UNAVAILABLE;
		call->error = *e;
	}
}

static int run_all(struct run *r, struct store_call **calls, size_t count, struct err *e)
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

int store_work_run(struct store_work *w, struct store_call **calls, size_t count, struct err *e)
{
	struct run r = { .work = w };
	int result = run_all(&r, calls, count, e);

	if (result < 0) {
		fail_all(calls, count, e);
	} else {
		for (size_t i = 0; i < count; i++)
			publish(w, calls[i]);
		for (size_t i = 0; i < r.gone.count; i++)
			on_change(w, &(struct record_stamp){ .kind = r.gone.items[i].kind,
							     .id = r.gone.items[i].id });
	}
	arena_done(&r.arena);
	arena_done(&r.purged);
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
	backend->events = &backend_events;
	backend->arg = w;
	record_key_derive(options->shared_key, w->key);
}

void store_work_done(struct store_work *w)
{
	w->backend->ops->close(w->backend);
	store_index_free(w->index);
	mem_wipe(w->key, sizeof(w->key));
}
