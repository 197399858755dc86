#pragma once

/*
 * loop_private.h - the inside of a loop, for loop.c, timer.c and the poller only
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

#include "base/list.h"
#include "io/loop.h"
#include "io/poller.h"

#define LOOP_BLOCKS_KEPT 8

/* A binary heap, the earliest deadline first. */
struct timer_heap {
	struct timer **items; /* items[0] has index 1 */
	size_t count;
	size_t capacity;
};

struct loop {
	uv_loop_t uv;
	uv_async_t keeper; /* does nothing: without any handle libuv would not be asked to wait */
	struct poller poller;
	size_t watch_count;
	struct timer_heap timers;
	struct list laters;
	void **doomed; /* freed at the end of the turn */
	size_t doomed_count;
	size_t doomed_capacity;
	void *blocks[LOOP_BLOCKS_KEPT];
	size_t block_count;
	uint64_t now_ms;   /* 0: not read in this turn yet, or between turns */
	uint64_t woken_us; /* when the work of this turn began */
	atomic_uint_fast64_t longest_us;
	bool is_stopped;
};

/* Runs the timers that are due at that moment, each at most once. */
void timer_heap_run(struct timer_heap *heap, uint64_t now_ms);

/* The earliest deadline; false if no timer is started. */
bool timer_heap_next(const struct timer_heap *heap, uint64_t *ret_due_ms);
