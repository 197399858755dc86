#pragma once

/*
 * file_set.h - paths, and what was there when somebody looked
 *
 * What counts is what a path leads to in the end: device, inode, size and times. So files that are replaced, symbolic links along
 * the way that are swapped, files that go away or come are all noticed.
 *
 * Ownership  The maker's; immutable.
 * Threads    Any. Looking blocks.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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
struct file_set *file_set_copy(const struct file_set *set);
void file_set_free(struct file_set *set); /* NULL is ignored */

size_t file_set_count(const struct file_set *set);

/* Of two with the same paths: nothing has changed in between. */
bool file_set_is_equal(const struct file_set *a, const struct file_set *b);
