/*
 * store_news.c - what has changed without us is noted when it is told, and dealt with afterwards
 *
 * The backend tells from inside its own calls, where it cannot be asked. And what a transaction of ours has pushed out may
 * come back, if it fails: such news are dropped again; what may have been lost with them is compared after the recovery.
 */

#include "session/store_run.h"

#include <stdio.h>

#include "base/mem.h"
#include "session/store_record.h"

#define NEWS_FIRST  64
#define COMPARE_MAX 500

void store_work_tell(struct store_work *w, struct str id)
{
	char text[STORE_KEY_MAX + 1];

	if (!w->on_change || id.len > STORE_KEY_MAX)
		return;
	(void)snprintf(text, sizeof(text), "%.*s", STR_FMT(id)); /* fits */
	w->on_change(w->arg, text);
}

/* ---- noting ---- */

static void on_change(void *arg, const struct record_stamp *stamp)
{
	struct store_work *w = arg;
	struct store_news *news = &w->news;

	if (stamp->kind == RECORD_DEVICE_LOGIN)
		return;
	if (news->count == news->max) {
		news->max = news->max ? news->max * 2 : NEWS_FIRST;
		news->items = mem_resize(news->items, news->max, sizeof(*news->items));
	}
	news->items[news->count] = *stamp;
	news->items[news->count++].id = arena_copy(&news->arena, stamp->id);
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

void store_news_listen(struct store_work *w)
{
	w->backend->events = &backend_events;
	w->backend->arg = w;
}

void store_news_done(struct store_news *news)
{
	arena_done(&news->arena);
	mem_free(news->items);
	*news = (struct store_news){ 0 };
}

/* ---- dealing with them ---- */

/* What was known stays known: a gateway that loses its database can go on with it. */
static int reload(struct store_work *w, const struct record_stamp *stamp)
{
	struct store_item item = { 0 };
	struct arena arena = { 0 };
	enum store_result result;
	struct record record;
	int rc = -1;

	if (w->backend->ops->get(w->backend,
				 &(struct record_stamp){ .kind = stamp->kind, .id = stamp->id },
				 &arena, &record, &result, NULL) == 0 &&
	    result == STORE_DONE && record_decode(w->key, &record, &item, NULL) == 0) {
		store_index_put(w->index, item.session);
		rc = 0;
	}
	store_item_done(&item);
	arena_done(&arena);
	return rc;
}

static void take_in(struct store_work *w, const struct record_stamp *stamp)
{
	struct session *known = store_index_find(w->index, stamp->id);
	bool is_known = known;
	bool is_news = !known || known->record_version != stamp->version;

	session_unref(known);
	if (!is_news)
		return;
	if (is_known && (!stamp->version || reload(w, stamp) < 0))
		(void)store_index_drop(w->index, stamp->id); /* it is there */
	store_work_tell(w, stamp->id);
}

static int compare(struct store_work *w, struct record_stamp *stamps, size_t count)
{
	uint64_t known[COMPARE_MAX];

	for (size_t i = 0; i < count; i++)
		known[i] = stamps[i].version;
	if (w->backend->ops->compare(w->backend, stamps, count, NULL) < 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		if (stamps[i].version != known[i])
			take_in(w, &stamps[i]);
	return 0;
}

static void compare_all(struct store_work *w)
{
	struct arena arena = { 0 };
	size_t count;
	struct record_stamp *stamps = store_index_stamps(w->index, &arena, &count);

	w->has_gap = false;
	for (size_t i = 0; i < count && !w->has_gap; i += COMPARE_MAX) {
		size_t left = count - i;

		/* If it fails the backend is away again, and comes back with another gap. */
		if (compare(w, stamps + i, left < COMPARE_MAX ? left : COMPARE_MAX) < 0)
			w->has_gap = true;
	}
	arena_done(&arena);
}

void store_work_catch_up(struct store_work *w)
{
	struct store_news news = w->news;

	w->news = (struct store_news){ 0 };
	for (size_t i = 0; i < news.count; i++)
		take_in(w, &news.items[i]);
	store_news_done(&news);
	if (w->has_gap)
		compare_all(w);
}
