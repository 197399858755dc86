#pragma once

/*
 * file_watch.h - tell when one of a list of files is another one than before
 *
 * All of them are looked at every FILE_WATCH_INTERVAL_MS, on a helper thread, so that a file system that hangs holds up nobody.
 * What counts is what a path leads to in the end (device, inode, size, times): files that are replaced, symbolic links
 * along the way that are swapped, files that go away or come. Told is only what two looks in a row agree about: whoever writes a
 * file piece by piece is given the time.
 *
 * Ownership  A file_set belongs to its maker until it is given to file_watch_set().
 * Threads    file_watch_*: that of the loop. file_set_*: any, and they block.
 * Limits     The caller's list. Looking at very many files takes place less often: FILE_WATCH_FILES_PER_S at most.
 */

#include <stddef.h>
#include <stdint.h>

#define FILE_WATCH_INTERVAL_MS 500
#define FILE_WATCH_FILES_PER_S 5000

/* ---- file_set: paths, and what was there when somebody looked ---- */

struct file_set;

/* A moment on the clock of the file systems, to be asked for before the files are read. */
int64_t file_set_moment(void);

/*
 * What is there now. Of paths that are in earlier (or NULL), it takes what was there then. Others were read since moment: what
 * has changed since then may be unlike what was read, and is noted as unlike anything.
 */
struct file_set *file_set_new(char *const *paths, size_t count, const struct file_set *earlier,
			      int64_t moment);

/* The same paths, looked at now. */
struct file_set *file_set_look(const struct file_set *set);
void file_set_free(struct file_set *set); /* NULL is ignored */

/* ---- file_watch ---- */

struct file_watch;
struct loop;

/* on_change runs on the loop: something is not as in the set any more. Watches nothing yet. */
struct file_watch *file_watch_new(struct loop *loop, void (*on_change)(void *arg), void *arg);

/* Takes the set, which was just read: tells of what is not as it was then. NULL: watches nothing. */
void file_watch_set(struct file_watch *watch, struct file_set *set);

/* What is being watched, as it was when it was last read or told of; borrowed. NULL: nothing. */
const struct file_set *file_watch_known(const struct file_watch *watch);

void file_watch_close(struct file_watch *watch); /* NULL is ignored */
