/*
 * file.c - whole files
 *
 * A replaced file is written under a temporary name beside the old one and renamed over it; both
 * the file and its directory are synced, so that after a crash there is the old or the new one,
 * whole.
 *
 * A named pipe that nobody writes to must not keep a reader for ever: it is opened without waiting, and waited for with a
 * limit.
 */

#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

#define READ_STEP ((size_t)65536)

static void close_fdp(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd); /* nothing was written through it that is not synced */
}

static bool is_regular(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

/* Before its first writer has come a pipe looks like one that has ended. */
static int wait_for_writer(int fd, int wait_ms)
{
	struct pollfd wanted = { .fd = fd, .events = POLLIN };
	int count;

	do {
		count = poll(&wanted, 1, wait_ms);
	} while (count < 0 && errno == EINTR);
	if (count == 0)
		errno = ETIMEDOUT;
	return count > 0 ? 0 : -1;
}

static ssize_t read_retrying(int fd, int wait_ms, void *to, size_t len)
{
	ssize_t got;

	do {
		if (wait_ms >= 0 && wait_for_writer(fd, wait_ms) < 0)
			return -1;
		got = read(fd, to, len);
	} while (got < 0 && (errno == EINTR || errno == EAGAIN));
	return got;
}

/* One allocation for a file of known size: no stale copies of a secret, and a quick no to a huge
 * one. */
static size_t first_step(int fd, size_t room)
{
	struct stat st;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size <= 0)
		return READ_STEP < room ? READ_STEP : room;
	return (uint64_t)st.st_size < room ? (size_t)st.st_size + 1 : room;
}

static size_t next_step(const struct buf *out)
{
	size_t room = out->max - out->len;
	size_t spare = out->cap - out->len;
	size_t step = spare ? spare : READ_STEP;

	return step < room ? step : room;
}

static int read_all(int fd, int wait_ms, const char *path, struct buf *out, struct err *e)
{
	size_t step = first_step(fd, out->max - out->len);
	size_t limit = out->max - out->len;
	uint8_t beyond;

	for (;;) {
		/* at the maximum one more byte is asked for, to tell "full" from "too large" */
		uint8_t *to = step ? buf_reserve(out, step) : &beyond;
		ssize_t got = read_retrying(fd, wait_ms, to, step ? step : 1);
		if (got < 0)
			return err_errno(e, errno, "cannot read %s", path);
		if (got == 0)
			return 0;
		if (step == 0)
			return err_set(e, ERR_LIMIT, "%s is larger than %zu bytes", path, limit);
		buf_commit(out, (size_t)got);
		step = next_step(out);
	}
}

int file_read_within(const char *path, int wait_ms, struct buf *out, struct err *e)
{
	size_t before = out->len;
	_cleanup_(close_fdp) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	if (fd < 0)
		return err_errno(e, errno, "cannot open %s", path);
	if (read_all(fd, is_regular(fd) ? -1 : wait_ms, path, out, e) < 0) {
		buf_truncate(out, before);
		return -1;
	}
	return 0;
}

int file_read(const char *path, struct buf *out, struct err *e)
{
	return file_read_within(path, FILE_WAIT_MS, out, e);
}

static int write_all(int fd, struct str contents)
{
	while (contents.len) {
		ssize_t put = write(fd, contents.at, contents.len);
		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return -1;
		contents = str_from_pos(contents, (size_t)put);
	}
	return 0;
}

static int write_and_sync(int fd, struct str contents, mode_t mode)
{
	/* the mode first: a secret is never readable by others, and the umask does not interfere */
	if (fchmod(fd, mode) < 0 || write_all(fd, contents) < 0)
		return -1;
	return fsync(fd);
}

/* Some file systems cannot sync a directory; the rename has happened all the same. */
static void sync_parent(const char *path)
{
	struct str whole = str_from(path);
	size_t slash = str_find_last(whole, '/');
	_cleanup_(mem_freep) char *parent = slash == whole.len
						    ? mem_copy_string(".")
						    : str_copy(str_first(whole, slash + 1));
	_cleanup_(close_fdp) int fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0)
		(void)fsync(fd);
}

static char *temporary_name(const char *path)
{
	struct buf name = BUF_INIT(PATH_MAX);

	if (buf_printf(&name, "%s.XXXXXX", path) < 0) {
		buf_done(&name);
		return NULL;
	}
	return buf_take_string(&name);
}

int file_replace(const char *path, struct str contents, mode_t mode, struct err *e)
{
	_cleanup_(mem_freep) char *temporary = temporary_name(path);

	if (!temporary)
		return err_errno(e, ENAMETOOLONG, "cannot write %s", path);
	_cleanup_(close_fdp) int fd = mkostemp(temporary, O_CLOEXEC);
	if (fd < 0)
		return err_errno(e, errno, "cannot create a file beside %s", path);
	if (write_and_sync(fd, contents, mode) < 0 || rename(temporary, path) < 0) {
		int errnum = errno;
		(void)unlink(temporary); /* the first error is the one to tell */
		return err_errno(e, errnum, "cannot write %s", path);
	}
	sync_parent(path);
	return 0;
}

int file_create(const char *path, struct str contents, mode_t mode, struct err *e)
{
	_cleanup_(close_fdp) int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0)
		return err_errno(e, errno, "cannot create %s", path);
	if (write_and_sync(fd, contents, mode) < 0) {
		int errnum = errno;
		(void)unlink(path); /* the first error is the one to tell */
		return err_errno(e, errnum, "cannot write %s", path);
	}
	sync_parent(path);
	return 0;
}

int file_finish_output(FILE *out, struct err *e)
{
	bool has_failed = ferror(out);

	if (fflush(out) == 0 && !has_failed)
		return 0;
	if (has_failed) /* why was not kept */
		return err_set(e, ERR_SYSTEM, "not all of the output could be written");
	return err_errno(e, errno, "cannot write the output");
}

static bool is_dir(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static int make_one(const char *path, mode_t mode, struct err *e)
{
	if (mkdir(path, mode) == 0)
		return 0;
	int errnum = errno;
	if (is_dir(path))
		return 0;
	return err_errno(e, errnum == EEXIST ? ENOTDIR : errnum, "cannot create directory %s",
			 path);
}

int dir_create(const char *path, mode_t mode, struct err *e)
{
	_cleanup_(mem_freep) char *partial = mem_copy_string(path);

	for (char *at = partial + (*partial == '/'); *at; at++) {
		if (*at != '/')
			continue;
		*at = '\0';
		int rc = make_one(partial, mode, e);
		*at = '/';
		if (rc < 0)
			return -1;
	}
	return make_one(partial, mode, e);
}

bool dir_is_hashed(const char *path)
{
	DIR *directory = path ? opendir(path) : NULL;
	const struct dirent *entry;
	bool is_hashed = false;

	while (directory && !is_hashed && (entry = readdir(directory)) != NULL)
		is_hashed = strlen(entry->d_name) == 10 &&
			    str_ends_with(str_from(entry->d_name), STR(".0"));
	if (directory)
		closedir(directory);
	return is_hashed;
}
