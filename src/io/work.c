/*
 * libuv's helper threads. The request stays until libuv reports its end, also after work_cancel(): only then is
 * it certain that no thread uses the argument.
 */

#include "io/work.h"

#include <assert.h>

#include <uv.h>

#include "base/mem.h"
#include "io/loop.h"

struct work {
	uv_work_t request;
	void (*run)(void *arg);
	void (*on_done)(void *arg); /* NULL: cancelled */
	void (*free_arg)(void *arg);
	void *arg;
};

static void run_on_helper(uv_work_t *request)
{
	struct work *w = request->data;

	w->run(w->arg);
}

static void on_over(uv_work_t *request, int status)
{
	struct work *w = request->data;
	void (*on_done)(void *arg) = w->on_done;

	/* A cancel from inside on_done has nothing to do, but may come. */
	w->on_done = NULL;
	if (on_done)
		on_done(w->arg);
	if (w->free_arg)
		w->free_arg(w->arg);
	mem_free(w);
}

struct work *work_start(struct loop *loop, void (*run)(void *arg), void (*on_done)(void *arg),
			void (*free_arg)(void *arg), void *arg)
{
	struct work *w = mem_alloc(sizeof(*w));
	int failure = 0;

	w->request.data = w;
	w->run = run;
	w->on_done = on_done;
	w->free_arg = free_arg;
	w->arg = arg;
	failure = uv_queue_work(loop_uv(loop), &w->request, run_on_helper, on_over);
	assert(failure == 0);
	return w;
}

void work_cancel(struct work *w)
{
	if (!w)
		return;
	w->on_done = NULL;
	/* Fails when it is running or has run; on_over() comes in every case. */
	(void)uv_cancel((uv_req_t *)&w->request);
}
