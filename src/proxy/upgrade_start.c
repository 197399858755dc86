#include "proxy/upgrade_start.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "proxy/given_sockets.h"
#include "proxy/predecessor.h"

#define LIST_MAX (16u * 1024)

/* The rest of those it has told us have been removed when we read them. */
static bool is_for_this_process(const char *variable)
{
	return str_starts_with(str_from(variable), STR("WATCHDOG_PID="));
}

static const char **make_environment(struct arena *arena, const struct given_sockets *sockets)
{
	struct buf list = BUF_INIT(LIST_MAX);
	const char **env;
	size_t count = 0;

	while (environ[count])
		count++;
	env = arena_alloc_array(arena, count + 2, sizeof(*env));
	count = 0;
	for (size_t i = 0; environ[i]; i++)
		if (!is_for_this_process(environ[i]))
			env[count++] = environ[i];
	given_sockets_write(sockets, UPGRADE_FIRST_SOCKET, &list);
	env[count++] = arena_printf(arena, "%s=%ld %d %.*s", PREDECESSOR_VARIABLE, (long)getpid(),
				    UPGRADE_TELL_FD, STR_FMT(buf_view(&list)))
			       .at;
	env[count] = NULL;
	buf_done(&list);
	return env;
}

struct child *upgrade_start(struct loop *loop, const struct child_options *options,
			    const struct given_sockets *sockets, int *ret_hear_fd, struct err *e)
{
	struct child_options child = *options;
	int fds[1 + GIVEN_SOCKETS_MAX];
	struct arena arena = { 0 };
	struct child *started;
	int ends[2];

	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0) {
		(void)err_errno(e, errno, "making a pipe");
		return NULL;
	}
	fds[0] = ends[1];
	for (size_t i = 0; i < sockets->count; i++)
		fds[1 + i] = sockets->items[i].fd;
	child.fds = fds;
	child.fd_count = 1 + sockets->count;
	child.env = make_environment(&arena, sockets);
	started = child_start(loop, &child, e);
	arena_done(&arena);
	(void)close(ends[1]); /* the new process has it */
	if (started)
		*ret_hear_fd = ends[0];
	else
		(void)close(ends[0]); /* nothing was written */
	return started;
}
