/*
 * session_files.c - a session is taken by renaming its file, so that of two processes one gets it
 */

#include "cli/session_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "cli/cache_file.h"

#define PATH_MAX_LEN 4096
#define DIRECTORY    "/tls"

static char *join(const char *directory, const char *name, const char *end)
{
	struct buf path = BUF_INIT(PATH_MAX_LEN);

	if (buf_printf(&path, "%s/%s%s", directory, name, end) == 0)
		return buf_take_string(&path);
	buf_done(&path);
	return NULL;
}

void session_files_init(struct session_files *files, const char *cache_root)
{
	struct buf path = BUF_INIT(PATH_MAX_LEN);

	*files = (struct session_files){ 0 };
	if (cache_root && buf_printf(&path, "%s%s", cache_root, DIRECTORY) == 0)
		files->directory = buf_take_string(&path);
	buf_done(&path);
}

void session_files_done(struct session_files *files)
{
	mem_free(TAKE(files->directory));
}

/* ---- order ---- */

struct survey {
	int directory;
	int64_t now;
	size_t count;
	int64_t oldest_time;
	char oldest[NAME_MAX + 1];
};

static void look_at(struct survey *survey, const char *name)
{
	struct stat st;

	if (name[0] == '.' || fstatat(survey->directory, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return;
	if (st.st_mtime < survey->now - SESSION_FILES_AGE_S) {
		(void)unlinkat(survey->directory, name, 0); /* somebody else was quicker */
		return;
	}
	if (survey->count++ > 0 && st.st_mtime >= survey->oldest_time)
		return;
	survey->oldest_time = st.st_mtime;
	(void)snprintf(survey->oldest, sizeof(survey->oldest), "%s", name); /* it has that size */
}

static void make_room(const char *path)
{
	DIR *directory = opendir(path);
	struct survey survey = { .now = clock_now_unix() };
	const struct dirent *entry;

	if (!directory)
		return;
	survey.directory = dirfd(directory);
	while ((entry = readdir(directory)) != NULL)
		look_at(&survey, entry->d_name);
	if (survey.count >= SESSION_FILES_MAX)
		(void)unlinkat(survey.directory, survey.oldest, 0);
	(void)closedir(directory); /* read only */
}

/* ---- one session ---- */

/* Not synced: what a crash of the machine spoils is a full handshake. */
static bool write_file(const char *path, struct str bytes)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	bool is_whole = fd >= 0 && write(fd, bytes.at, bytes.len) == (ssize_t)bytes.len;

	if (fd >= 0 && close(fd) < 0)
		is_whole = false;
	if (fd >= 0 && !is_whole)
		(void)unlink(path); /* nothing more can be done */
	return is_whole;
}

static void put(void *arg, const char *key, struct str session)
{
	const struct session_files *files = arg;
	_cleanup_(mem_freep) char *path = join(files->directory, key, "");
	char end[32];
	_cleanup_(mem_freep) char *temporary = NULL;
	struct err ignored;

	(void)snprintf(end, sizeof(end), ".%ld", (long)getpid()); /* fits */
	temporary = join(files->directory, key, end);
	if (!path || !temporary || cache_file_directory(files->directory, &ignored) < 0)
		return;
	make_room(files->directory);
	if (write_file(temporary, session) && rename(temporary, path) < 0)
		(void)unlink(temporary); /* nothing more can be done */
}

static bool take(void *arg, const char *key, struct buf *ret_session)
{
	const struct session_files *files = arg;
	_cleanup_(mem_freep) char *path = join(files->directory, key, "");
	char end[32];
	_cleanup_(mem_freep) char *taken = NULL;
	bool is_there = false;
	struct err ignored;

	(void)snprintf(end, sizeof(end), ".%ld", (long)getpid()); /* fits */
	taken = join(files->directory, key, end);
	if (!path || !taken || rename(path, taken) < 0)
		return false;
	if (cache_file_read(taken, ret_session, &is_there, &ignored) < 0)
		is_there = false;
	(void)unlink(taken); /* if it stays, make_room() finds it */
	return is_there;
}

/* ---- all of them ---- */

struct tls_session_store session_files_store(struct session_files *files)
{
	if (!files->directory)
		return (struct tls_session_store){ 0 };
	return (struct tls_session_store){ .arg = files, .put = put, .take = take };
}

void session_files_clear(struct session_files *files)
{
	DIR *directory = files->directory ? opendir(files->directory) : NULL;
	const struct dirent *entry;

	if (!directory)
		return;
	while ((entry = readdir(directory)) != NULL)
		if (entry->d_name[0] != '.')
			(void)unlinkat(dirfd(directory), entry->d_name, 0); /* goes with its age */
	(void)closedir(directory);                                          /* read only */
}
