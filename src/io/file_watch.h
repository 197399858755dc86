#pragma once

/*
 * file_watch.h - tell when one of a list of files is another one than before
 *
 * All of them are looked at every FILE_WATCH_INTERVAL_MS, on a helper thread, so that a file system that hangs holds up nobody.
 * Told is only what two looks in a row agree about: whoever writes a file piece by piece is given the time.
 *
 * Ownership  A set is the watch's once it is given.
 * Threads    That of the loop.
 * Limits     The caller's list. Looking at very many files takes place less often: FILE_WATCH_FILES_PER_S at most.
 */

#include "io/file_set.h"

#define FILE_WATCH_INTERVAL_MS 500
#define FILE_WATCH_FILES_PER_S 5000

struct file_watch;
struct loop;

/* on_change runs on the loop: something is not as in the set any more. Watches nothing yet. */
struct file_watch *file_watch_new(struct loop *loop, void (*on_change)(void *arg), void *arg);

/* Tells of what is not as it was in the set. NULL: watches nothing. */
void file_watch_set(struct file_watch *watch, struct file_set *set);

void file_watch_close(struct file_watch *watch); /* NULL is ignored */
