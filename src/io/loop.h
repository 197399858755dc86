#pragma once

/*
 * loop.h - one thread's event loop
 *
 * Built on libuv for timing, waking, signals, processes and helper threads. Readiness of sockets is
 * edge-triggered: a socket is registered once and costs no system call afterwards.
 *
 * A turn: readiness callbacks and messages, due timers, then the later-calls that were asked for, then the
 * memory given to loop_free_later(). So an object that was closed in this turn may still be looked at by the
 * callback that is on the stack, and never by a later one.
 *
 * Threads    Everything is called from the thread that runs the loop, except where said otherwise.
 * Ownership  watch, later and timer are embedded in their users, who cancel or close them before they go. The
 *            memory around a watch is released through loop_free_later(), never at once: its event may be next.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/list.h"

struct loop;
struct uv_loop_s;

struct loop *loop_new(void) MUST_CHECK;

/* Nothing may be left open on it. NULL is ignored. */
void loop_free(struct loop *loop);

/* Runs until loop_stop(). */
void loop_run(struct loop *loop);
void loop_stop(struct loop *loop);

/* One turn, for tests and for draining: waits for an event only if may_wait is set. */
void loop_turn(struct loop *loop, bool may_wait);

/* clock_now_ms() as of the moment this turn woke up; between turns the clock itself. */
uint64_t loop_now_ms(const struct loop *loop);

/*
 * The longest turn so far, waiting not included: how long one who is ready may have been kept waiting. From any
 * thread; loop_forget_longest_turn() begins anew.
 */
uint64_t loop_longest_turn_us(const struct loop *loop);
void loop_forget_longest_turn(struct loop *loop);

/* For the other files of io/ only. */
struct uv_loop_s *loop_uv(struct loop *loop);

/* ---- later: a call at the end of this turn ---- */

struct later {
	struct list_node node;
	void (*run)(struct later *later);
};

/* Does nothing if it is already pending. */
void later_start(struct later *later, struct loop *loop, void (*run)(struct later *later));
void later_cancel(struct later *later);

/* mem_free(p) at the end of this turn. */
void loop_free_later(struct loop *loop, void *p);

/* ---- timer: a call at a deadline ---- */

struct timer {
	struct loop *loop;
	uint64_t due_ms;
	void (*on_due)(struct timer *timer);
	size_t heap_index; /* 1-based; 0: not started */
};

/* (Re)starts; fires once, not before due_ms on clock_now_ms(). Cheap: no system call. */
void timer_start(struct timer *timer, struct loop *loop, uint64_t due_ms,
		 void (*on_due)(struct timer *timer));
void timer_cancel(struct timer *timer);
static inline bool timer_is_started(const struct timer *timer)
{
	return timer->heap_index != 0;
}

/* ---- watch: readiness of a descriptor ---- */

enum { WATCH_READ = 1, WATCH_WRITE = 2 };

struct watch {
	struct loop *loop;
	int fd; /* borrowed; -1 when closed */
	unsigned wanted;
	unsigned
		ready; /* every event since the owner cleared its bit, wanted or not; all set at first */
	bool has_hangup; /* FIN, error or urgent mark was seen: a short read does not mean "empty" */
	void (*on_ready)(struct watch *watch, unsigned events);
};

/* Registers a non-blocking descriptor. Fails for what cannot be polled (regular files: EPERM). */
int watch_open(struct watch *watch, struct loop *loop, int fd,
	       void (*on_ready)(struct watch *watch, unsigned events), struct err *e);

/* After a system call said EAGAIN: on_ready tells once, from the loop, when to try again. */
void watch_want(struct watch *watch, unsigned events);

/* Idempotent; does not close the descriptor. No on_ready afterwards. */
void watch_close(struct watch *watch);

/* ---- blocks: the pool of large buffers ---- */

#define LOOP_BLOCK_SIZE (256u * 1024) /* what is read at once */
/* What a block has room for: whatever filled one still fits when it has been encrypted, headers and tags included. */
#define LOOP_BLOCK_ROOM (LOOP_BLOCK_SIZE + 8u * 1024)

/* Borrowed for the time bytes are in it; nested borrowing gives different blocks. Not zeroed. */
void *loop_block_get(struct loop *loop) MUST_CHECK;
void loop_block_put(struct loop *loop, void *block);
