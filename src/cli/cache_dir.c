/*
 * cache_dir.c - clearing walks by descriptors, never by path names
 *
 * Each directory is opened below its parent without following links, so that a link put in place while the walk
 * is under way leads nowhere. The depth is bounded: the cache itself has two levels.
 */

#include "cli/cache_dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"

#define DEPTH_MAX 16

int cache_dir_locate(const char *xdg_cache_home, const char *home, char **ret_root, struct err *e)
{
	struct buf path = BUF_INIT(PATH_MAX);
	const char *base = xdg_cache_home && *xdg_cache_home ? xdg_cache_home : home;
	const char *below = base == home ? "/.cache" : "";

	if (!base || !*base)
		return err_set(e, ERR_CONFIG,
			       "there is no place for the cache: neither "
			       "XDG_CACHE_HOME nor HOME is set");
	if (base != home && base[0] != '/')
		return err_set(e, ERR_CONFIG, "XDG_CACHE_HOME must be an absolute path");
	buf_printf(&path, "%s%s/pomerium-cli", base, below);
	if (path.is_overflown) {
		buf_done(&path);
		return err_set(e, ERR_CONFIG, "the path of the cache is too long");
	}
	*ret_root = buf_take_string(&path);
	return 0;
}

static void close_dirp(DIR **dir)
{
	if (*dir)
		(void)closedir(*dir); /* read only: nothing can be lost */
}

static DIR *open_dir_at(int parent, const char *name)
{
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (fd >= 0 && !dir)
		(void)close(fd); /* read only: nothing can be lost */
	return dir;
}

static bool is_dot(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static int remove_contents(DIR *dir, unsigned depth, struct err *e);

static int remove_entry(int parent, const char *name, unsigned depth, struct err *e)
{
	struct stat st;

	if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : err_errno(e, errno, "cannot look at %s", name);
	if (S_ISDIR(st.st_mode)) {
		_cleanup_(close_dirp) DIR *dir = open_dir_at(parent, name);
		if (!dir)
			return err_errno(e, errno, "cannot open the directory %s", name);
		if (remove_contents(dir, depth + 1, e) < 0)
			return -1;
	}
	if (unlinkat(parent, name, S_ISDIR(st.st_mode) ? AT_REMOVEDIR : 0) < 0 && errno != ENOENT)
		return err_errno(e, errno, "cannot remove %s", name);
	return 0;
}

static int remove_contents(DIR *dir, unsigned depth, struct err *e)
{
	const struct dirent *entry;

	if (depth > DEPTH_MAX)
		return err_set(e, ERR_LIMIT, "the directories are nested too deeply");
	while ((entry = readdir(dir))) {
		if (is_dot(entry->d_name))
			continue;
		if (remove_entry(dirfd(dir), entry->d_name, depth, e) < 0)
			return -1;
	}
	return 0;
}

int cache_dir_clear(const char *root, struct err *e)
{
	_cleanup_(close_dirp) DIR *dir = open_dir_at(AT_FDCWD, root);

	if (!dir && errno == ENOENT)
		return 0;
	if (!dir)
		return err_errno(e, errno, "cannot open %s", root);
	if (remove_contents(dir, 0, e) < 0)
		return err_wrap(e, "cannot clear %s", root);
	return 0;
}

static bool is_content(const char *path, struct str text)
{
	_cleanup_(buf_done) struct buf content = BUF_INIT(text.len);
	struct err ignored;

	return file_read(path, &content, &ignored) == 0 && str_equal(buf_view(&content), text);
}

void cache_dir_remember_url(const char *root, struct str url)
{
	struct buf path = BUF_INIT(PATH_MAX);
	_cleanup_(mem_freep) char *name = NULL;
	struct err ignored;

	buf_printf(&path, "%s/last-url", root);
	name = buf_take_string(&path);
	/* Every command says so, and writing waits for the disk. */
	if (access(root, W_OK) == 0 && !is_content(name, url))
		(void)file_replace(name, url, 0600, &ignored); /* a convenience, not worth a word */
}
