/*
 * A look is a new file_set with the same paths, made on a helper thread. Two are remembered: `known`, how it was when it was read
 * or told of, and `last`, how it was at the latest look if that was another one. Told is what the next look finds again like
 * `last`; then it is the known one.
 */

#include "io/file_watch.h"

#include <stdbool.h>

#include "base/mem.h"
#include "io/loop.h"
#include "io/work.h"

struct file_watch {
	struct loop *loop;
	struct timer timer;
	struct work *work; /* NULL: nobody is looking */
	struct file_set *known;
	struct file_set *last;
	void (*on_change)(void *arg);
	void *arg;
};

/* What a helper thread works on; its own, since the watch may close or get another set meanwhile. */
struct look {
	struct file_watch *watch;
	struct file_set *paths;
	struct file_set *found;
};

static void look_in_time(struct file_watch *w);

static void run_look(void *arg)
{
	struct look *look = arg;

	look->found = file_set_look(look->paths);
}

static void free_look(void *arg)
{
	struct look *look = arg;

	file_set_free(look->paths);
	file_set_free(look->found);
	mem_free(look);
}

static void on_looked(void *arg)
{
	struct look *look = arg;
	struct file_watch *w = look->watch;
	bool is_new = !file_set_is_equal(look->found, w->known);
	bool is_settled = is_new && w->last && file_set_is_equal(look->found, w->last);

	w->work = NULL;
	file_set_free(TAKE(w->last));
	if (is_settled) {
		file_set_free(w->known);
		w->known = TAKE(look->found);
	} else if (is_new) {
		w->last = TAKE(look->found);
	}
	look_in_time(w);
	if (is_settled)
		w->on_change(w->arg);
}

static void on_due(struct timer *timer)
{
	struct file_watch *w = container_of(timer, struct file_watch, timer);
	struct look *look = mem_alloc(sizeof(*look));

	look->watch = w;
	look->paths = file_set_copy(w->known);
	w->work = work_start(w->loop, run_look, on_looked, free_look, look);
}

static void look_in_time(struct file_watch *w)
{
	uint64_t pause_ms = file_set_count(w->known) * 1000 / FILE_WATCH_FILES_PER_S;

	if (pause_ms < FILE_WATCH_INTERVAL_MS)
		pause_ms = FILE_WATCH_INTERVAL_MS;
	timer_start(&w->timer, w->loop, loop_now_ms(w->loop) + pause_ms, on_due);
}

struct file_watch *file_watch_new(struct loop *loop, void (*on_change)(void *arg), void *arg)
{
	struct file_watch *w = mem_alloc(sizeof(*w));

	w->loop = loop;
	w->on_change = on_change;
	w->arg = arg;
	return w;
}

void file_watch_set(struct file_watch *w, struct file_set *set)
{
	work_cancel(TAKE(w->work));
	timer_cancel(&w->timer);
	file_set_free(TAKE(w->last));
	file_set_free(w->known);
	w->known = set;
	if (set)
		look_in_time(w);
}

void file_watch_close(struct file_watch *w)
{
	if (!w)
		return;
	file_watch_set(w, NULL);
	loop_free_later(w->loop, w);
}
