/*
 * A binary heap ordered by deadline. Each timer knows its place, so that restarting and cancelling
 * cost a few swaps and nothing else; the kernel hears only of the earliest deadline (loop.c).
 */

#include "io/loop.h"

#include <assert.h>

#include "base/mem.h"
#include "io/loop_private.h"

static void place(struct timer_heap *heap, size_t index, struct timer *timer)
{
	heap->items[index - 1] = timer;
	timer->heap_index = index;
}

static void sift_up(struct timer_heap *heap, size_t index, struct timer *timer)
{
	while (index > 1) {
		struct timer *parent = heap->items[index / 2 - 1];

		if (parent->due_ms <= timer->due_ms)
			break;
		place(heap, index, parent);
		index /= 2;
	}
	place(heap, index, timer);
}

static void sift_down(struct timer_heap *heap, size_t index, struct timer *timer)
{
	while (index * 2 <= heap->count) {
		size_t child = index * 2;

		if (child < heap->count &&
		    heap->items[child]->due_ms < heap->items[child - 1]->due_ms)
			child++;
		if (timer->due_ms <= heap->items[child - 1]->due_ms)
			break;
		place(heap, index, heap->items[child - 1]);
		index = child;
	}
	place(heap, index, timer);
}

static void restore_order(struct timer_heap *heap, size_t index, struct timer *timer)
{
	sift_up(heap, index, timer);
	sift_down(heap, timer->heap_index, timer);
}

static void heap_remove(struct timer_heap *heap, struct timer *timer)
{
	size_t index = timer->heap_index;
	struct timer *last = heap->items[heap->count - 1];

	assert(heap->items[index - 1] == timer);
	heap->count--;
	timer->heap_index = 0;
	if (last != timer)
		restore_order(heap, index, last);
}

void timer_start(struct timer *timer, struct loop *loop, uint64_t due_ms,
		 void (*on_due)(struct timer *timer))
{
	struct timer_heap *heap = &loop->timers;

	assert(!timer_is_started(timer) || timer->loop == loop);
	timer->loop = loop;
	timer->due_ms = due_ms;
	timer->on_due = on_due;
	if (timer_is_started(timer)) {
		restore_order(heap, timer->heap_index, timer);
		return;
	}
	if (heap->count == heap->capacity) {
		heap->capacity = heap->capacity ? heap->capacity * 2 : 64;
		heap->items = mem_resize(heap->items, heap->capacity, sizeof(*heap->items));
	}
	heap->count++;
	sift_up(heap, heap->count, timer);
}

void timer_cancel(struct timer *timer)
{
	if (timer_is_started(timer))
		heap_remove(&timer->loop->timers, timer);
}

void timer_heap_run(struct timer_heap *heap, uint64_t now_ms)
{
	/* A timer that starts itself anew for "now" must wait for the next turn. */
	for (size_t runs = heap->count; runs > 0 && heap->count > 0; runs--) {
		struct timer *timer = heap->items[0];

		if (timer->due_ms > now_ms)
			return;
		heap_remove(heap, timer);
		timer->on_due(timer);
	}
}

bool timer_heap_next(const struct timer_heap *heap, uint64_t *ret_due_ms)
{
	if (heap->count == 0)
		return false;
	*ret_due_ms = heap->items[0]->due_ms;
	return true;
}
