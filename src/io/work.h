#pragma once

/*
 * work.h - run a slow function on a helper thread
 *
 * For password hashing and other computation that must not hold up a loop.
 *
 * Ownership  The work belongs to the caller until on_done has run or work_cancel() was called. After
 *            cancel the function may still be running, so what it touches must be owned by the argument,
 *            which free_arg releases once nobody uses it any more - in every case, after on_done.
 * Threads    run is called on a helper thread, on_done and free_arg on the loop.
 */

#include <stdbool.h>

struct loop;
struct work;

struct work *work_start(struct loop *loop, void (*run)(void *arg), void (*on_done)(void *arg),
			void (*free_arg)(void *arg), void *arg);

/* on_done will not run. NULL is ignored. */
void work_cancel(struct work *work);
