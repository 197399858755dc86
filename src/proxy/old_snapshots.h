#pragma once

/*
 * old_snapshots.h - let go of configurations without holding up who uses them last
 *
 * Taking a large snapshot apart takes milliseconds. So nobody else's reference is the last: ours is kept until it is the only
 * one, and then given up on a helper thread.
 *
 * Threads    That of the loop.
 */

struct loop;
struct old_snapshots;
struct snapshot;

struct old_snapshots *old_snapshots_new(struct loop *loop);

/* Takes the reference. */
void old_snapshots_add(struct old_snapshots *o, struct snapshot *snapshot);

/* Gives up all of them at once. NULL is ignored. */
void old_snapshots_free(struct old_snapshots *o);
