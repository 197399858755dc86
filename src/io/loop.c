/*
 * The poller waits. All sockets are registered with it, edge-triggered, and so is libuv's own descriptor, behind which are
 * messages, signals, processes and helper threads. The other way round, the poller behind libuv, each turn with traffic would
 * cost two waits, and libuv's own socket handles an epoll_ctl() per change of interest and a callback layer per event. Deadlines
 * are ours (timer.c): libuv has no timers here.
 *
 * The order within loop_turn() is what the rest of the program relies on: readiness before timers, so that after a
 * pause of the process an idle limit does not win over bytes that are waiting; later-calls after both; memory last.
 */

#include "io/loop.h"

#include <assert.h>
#include <limits.h>
#include <stdatomic.h>

#include <uv.h>

#include "base/clock.h"
#include "base/mem.h"
#include "io/loop_private.h"

/* ---- birth, turn, death ---- */

struct loop *loop_new(void)
{
	struct loop *loop = mem_alloc(sizeof(*loop));
	int failure = 0;

	list_init(&loop->laters);
	/* Without descriptors at the start of a thread there is no program to run: like memory. */
	failure |= uv_loop_init(&loop->uv);
	assert(failure == 0);
	failure |= uv_async_init(&loop->uv, &loop->keeper, NULL);
	failure |= poller_open(&loop->poller, uv_backend_fd(&loop->uv), NULL);
	assert(failure == 0);
	return loop;
}

static void release_doomed(struct loop *loop)
{
	for (size_t i = 0; i < loop->doomed_count; i++)
		mem_free(loop->doomed[i]);
	loop->doomed_count = 0;
}

static void check_closing(uv_handle_t *handle, void *arg)
{
	assert(uv_is_closing(handle));
}

void loop_free(struct loop *loop)
{
	int failure = 0;

	if (!loop)
		return;
	assert(loop->watch_count == 0);
	assert(loop->timers.count == 0);
	assert(list_is_empty(&loop->laters));

	uv_close((uv_handle_t *)&loop->keeper, NULL);
	uv_walk(&loop->uv, check_closing, NULL);
	/* Also waits for helper threads whose work was cancelled while it ran. */
	uv_run(&loop->uv, UV_RUN_DEFAULT);
	failure = uv_loop_close(&loop->uv);
	assert(failure == 0);

	poller_close(&loop->poller);
	release_doomed(loop);
	mem_free(loop->doomed);
	mem_free(loop->timers.items);
	for (size_t i = 0; i < loop->block_count; i++)
		free(loop->blocks[i]);
	mem_free(loop);
}

/* Handles that are new or closing, and what has been put off: libuv wants to be run, readable or not. */
static bool is_uv_due(const struct loop *loop)
{
	return uv_backend_timeout(&loop->uv) == 0;
}

/* -1: for ever */
static int longest_wait_ms(const struct loop *loop)
{
	uint64_t due_ms = 0;
	uint64_t now_ms = 0;

	if (!list_is_empty(&loop->laters) || loop->doomed_count > 0 || is_uv_due(loop))
		return 0;
	if (!timer_heap_next(&loop->timers, &due_ms))
		return -1;
	now_ms = clock_now_ms();
	if (due_ms <= now_ms)
		return 0;
	return due_ms - now_ms < INT_MAX ? (int)(due_ms - now_ms) : INT_MAX;
}

static void run_laters(struct loop *loop)
{
	struct list due;

	if (list_is_empty(&loop->laters))
		return;
	/* Taken over as a whole: what is asked for while these run belongs to the next turn. */
	due = loop->laters;
	due.head.next->prev = &due.head;
	due.head.prev->next = &due.head;
	list_init(&loop->laters);

	while (!list_is_empty(&due)) {
		struct later *later = container_of(list_first(&due), struct later, node);

		list_remove(&later->node);
		later->run(later);
	}
}

/* Only this thread writes: no other can come in between. */
static void note_turn(struct loop *loop)
{
	uint64_t length_us = clock_now_us() - loop->woken_us;

	if (length_us > loop_longest_turn_us(loop))
		atomic_store_explicit(&loop->longest_us, length_us, memory_order_relaxed);
}

uint64_t loop_longest_turn_us(const struct loop *loop)
{
	return atomic_load_explicit(&loop->longest_us, memory_order_relaxed);
}

void loop_forget_longest_turn(struct loop *loop)
{
	atomic_store_explicit(&loop->longest_us, 0, memory_order_relaxed);
}

static void on_awake(void *arg)
{
	struct loop *loop = arg;

	loop->woken_us = clock_now_us();
	loop->now_ms = clock_now_ms();
}

void loop_turn(struct loop *loop, bool may_wait)
{
	bool uv_has_work = is_uv_due(loop);

	loop->now_ms = 0;
	if (poller_dispatch(&loop->poller, may_wait ? longest_wait_ms(loop) : 0, on_awake, loop))
		uv_has_work = true;
	if (uv_has_work)
		uv_run(&loop->uv, UV_RUN_NOWAIT);
	loop->now_ms = clock_now_ms();
	timer_heap_run(&loop->timers, loop->now_ms);
	run_laters(loop);
	release_doomed(loop);
	note_turn(loop);
	loop->now_ms = 0;
}

void loop_run(struct loop *loop)
{
	while (!loop->is_stopped)
		loop_turn(loop, true);
	loop->is_stopped = false;
}

void loop_stop(struct loop *loop)
{
	loop->is_stopped = true;
}

uint64_t loop_now_ms(const struct loop *loop)
{
	return loop->now_ms ? loop->now_ms : clock_now_ms();
}

struct uv_loop_s *loop_uv(struct loop *loop)
{
	return &loop->uv;
}

/* ---- later ---- */

void later_start(struct later *later, struct loop *loop, void (*run)(struct later *later))
{
	if (list_node_is_linked(&later->node))
		return;
	later->run = run;
	list_append(&loop->laters, &later->node);
}

void later_cancel(struct later *later)
{
	list_remove(&later->node);
}

void loop_free_later(struct loop *loop, void *p)
{
	if (!p)
		return;
	if (loop->doomed_count == loop->doomed_capacity) {
		loop->doomed_capacity = loop->doomed_capacity ? loop->doomed_capacity * 2 : 64;
		loop->doomed = mem_resize(loop->doomed, loop->doomed_capacity,
					  sizeof(*loop->doomed));
	}
	loop->doomed[loop->doomed_count++] = p;
}

/* ---- watch ---- */

int watch_open(struct watch *watch, struct loop *loop, int fd,
	       void (*on_ready)(struct watch *watch, unsigned events), struct err *e)
{
	*watch = (struct watch){
		.loop = loop,
		.fd = fd,
		.ready = WATCH_READ | WATCH_WRITE,
		.on_ready = on_ready,
	};
	if (poller_add(&loop->poller, watch, e) < 0) {
		watch->fd = -1;
		return -1;
	}
	loop->watch_count++;
	return 0;
}

void watch_want(struct watch *watch, unsigned events)
{
	assert(watch->fd >= 0);
	watch->wanted |= events;
}

void watch_close(struct watch *watch)
{
	/* A zeroed watch was never opened. */
	if (!watch->loop || watch->fd < 0)
		return;
	poller_remove(&watch->loop->poller, watch);
	watch->loop->watch_count--;
	watch->fd = -1;
	watch->wanted = 0;
}

/* ---- blocks ---- */

void *loop_block_get(struct loop *loop)
{
	void *block = NULL;

	if (loop->block_count > 0)
		return loop->blocks[--loop->block_count];
	block = malloc(LOOP_BLOCK_ROOM);
	if (!block)
		abort();
	return block;
}

void loop_block_put(struct loop *loop, void *block)
{
	if (loop->block_count == LOOP_BLOCKS_KEPT) {
		free(block);
		return;
	}
	loop->blocks[loop->block_count++] = block;
}
