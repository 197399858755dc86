/*
 * platform_posix.c - processes and limits on POSIX systems
 */

#include "cli/platform.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/compiler.h"
#include "base/mem.h"

#define PROGRAM_PATH_MAX   4096
#define STATUS_NOT_STARTED 127 /* POSIX: of a child that could not become the program */

void platform_raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == limit.rlim_max)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit); /* the old limit serves as well, only fewer */
}

int platform_program_path(char **ret_path, struct err *e)
{
	char path[PROGRAM_PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", path, sizeof(path));

	if (len < 0)
		return err_errno(e, errno, "cannot find out where this program is");
	if ((size_t)len == sizeof(path))
		return err_set(e, ERR_LIMIT, "the path of this program is too long");
	*ret_path = mem_copy(path, (size_t)len);
	return 0;
}

void platform_keep_standard_descriptors(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR);
	} while (fd >= STDIN_FILENO && fd <= STDERR_FILENO);
	if (fd > STDERR_FILENO)
		(void)close(fd); /* nothing was written to it */
}

/* The loop ignores or watches these; the browser must not inherit that. */
static void set_default_signals(posix_spawnattr_t *attributes)
{
	sigset_t defaults;
	sigset_t none;

	sigemptyset(&none);
	sigemptyset(&defaults);
	sigaddset(&defaults, SIGPIPE);
	sigaddset(&defaults, SIGHUP);
	sigaddset(&defaults, SIGINT);
	sigaddset(&defaults, SIGTERM);
	posix_spawnattr_setsigmask(attributes, &none);
	posix_spawnattr_setsigdefault(attributes, &defaults);
	posix_spawnattr_setpgroup(attributes, 0);
	posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
						     POSIX_SPAWN_SETPGROUP);
}

int platform_spawn(const char *const *argv, pid_t *ret_pid, struct err *e)
{
	/* posix_spawn does not write to the strings; its type is older than const */
	char *const *strings = (char *const *)(uintptr_t)argv;
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	int errnum;

	posix_spawnattr_init(&attributes);
	posix_spawn_file_actions_init(&actions);
	set_default_signals(&attributes);
	posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	errnum = posix_spawnp(ret_pid, argv[0], &actions, &attributes, strings, environ);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
	return errnum ? err_errno(e, errnum, "cannot start %s", argv[0]) : 0;
}

bool platform_spawn_has_ended(pid_t pid, int *ret_status)
{
	pid_t ended = waitpid(pid, ret_status, WNOHANG);

	if (ended < 0 && errno != EINTR) {
		*ret_status = 0; /* somebody else has waited for it: nothing is known to be wrong */
		return true;
	}
	return ended == pid;
}

int platform_spawn_check(const char *program, int status, struct err *e)
{
	if (WIFSIGNALED(status))
		return err_set(e, ERR_SYSTEM, "%s was ended by signal %d", program,
			       WTERMSIG(status));
	/* posix_spawn() may find out too late to return it. */
	if (WEXITSTATUS(status) == STATUS_NOT_STARTED)
		return err_set(e, ERR_SYSTEM, "cannot start %s", program);
	if (WEXITSTATUS(status) != 0)
		return err_set(e, ERR_SYSTEM, "%s ended with status %d", program,
			       WEXITSTATUS(status));
	return 0;
}
