/*
 * cache_file.c - the descriptor is looked at, never the name: what was checked is what is read
 */

#include "cli/cache_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/compiler.h"
#include "base/file.h"

#define DIRECTORY_MODE 0700
#define OTHERS_WRITE   (S_IWGRP | S_IWOTH)

/* Without O_NONBLOCK, opening a FIFO would wait for somebody at its other end. */
#define OPEN_FLAGS (O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)

static void close_fdp(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd); /* read only, or there is nothing that could be lost */
}

static int check_owner(const struct stat *st, const char *path, struct err *e)
{
	if (st->st_uid != geteuid())
		return err_set(e, ERR_SYSTEM, "%s belongs to another user and is not used", path);
	if (st->st_mode & OTHERS_WRITE)
		return err_set(e, ERR_SYSTEM, "others can write to %s, so it is not used", path);
	return 0;
}

static int check_file(int fd, const char *path, struct stat *ret, struct err *e)
{
	if (fstat(fd, ret) < 0)
		return err_errno(e, errno, "cannot look at %s", path);
	if (!S_ISREG(ret->st_mode))
		return err_set(e, ERR_SYSTEM, "%s is no regular file and is not used", path);
	return check_owner(ret, path, e);
}

static int fail_to_open(int errnum, const char *path, struct err *e)
{
	if (errnum == ELOOP)
		return err_set(e, ERR_SYSTEM, "%s is a link and is not used", path);
	return err_errno(e, errnum, "cannot open %s", path);
}

static int read_all(int fd, const char *path, struct buf *out, size_t size, struct err *e)
{
	while (size > 0) {
		ssize_t got = read(fd, buf_reserve(out, size), size);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_errno(e, errno, "cannot read %s", path);
		if (got == 0)
			return 0; /* somebody has made it shorter; whoever reads it will see what is left */
		buf_commit(out, (size_t)got);
		size -= (size_t)got;
	}
	return 0;
}

int cache_file_read(const char *path, struct buf *out, bool *ret_is_there, struct err *e)
{
	_cleanup_(close_fdp) int fd = open(path, O_RDONLY | OPEN_FLAGS);
	size_t before = out->len;
	struct stat st;

	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR)) {
		*ret_is_there = false;
		return 0;
	}
	if (fd < 0)
		return fail_to_open(errno, path, e);
	if (check_file(fd, path, &st, e) < 0)
		return -1;
	if ((uintmax_t)st.st_size > out->max - out->len)
		return err_set(e, ERR_LIMIT, "%s is larger than %zu bytes and is not used", path,
			       out->max - out->len);
	if (read_all(fd, path, out, (size_t)st.st_size, e) < 0) {
		buf_truncate(out, before);
		return -1;
	}
	*ret_is_there = true;
	return 0;
}

/* The reference client makes directories that everybody can read; the names in them are nobody's business. */
int cache_file_directory(const char *path, struct err *e)
{
	_cleanup_(close_fdp) int fd = -1;
	struct stat st;

	if (dir_create(path, DIRECTORY_MODE, e) < 0)
		return -1;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == ENOTDIR) /* so says the kernel of a link to a directory */
		return err_set(e, ERR_SYSTEM, "%s is a link and is not used", path);
	if (fd < 0)
		return fail_to_open(errno, path, e);
	if (fstat(fd, &st) < 0)
		return err_errno(e, errno, "cannot look at %s", path);
	if (check_owner(&st, path, e) < 0)
		return -1;
	if ((st.st_mode & 0777) != DIRECTORY_MODE)
		(void)fchmod(
			fd,
			DIRECTORY_MODE); /* where it cannot be, the files are 0600 all the same */
	return 0;
}

int cache_file_open(const char *path, struct err *e)
{
	int fd = open(path, O_RDWR | O_CREAT | OPEN_FLAGS, 0600);
	struct stat st;

	if (fd < 0)
		return fail_to_open(errno, path, e);
	if (check_file(fd, path, &st, e) < 0) {
		(void)close(fd); /* nothing was written */
		return -1;
	}
	return fd;
}
