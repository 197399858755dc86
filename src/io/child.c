#include "io/child.h"

#include <assert.h>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>

#include <uv.h>

#include "base/mem.h"
#include "base/str.h"
#include "io/loop.h"

#define STANDARD_STREAMS 3

struct child {
	uv_process_t process;
	void (*on_exit)(void *arg, int64_t status,
			int signal); /* NULL: it has been, or is closed */
	void *arg;
};

static void on_uv_exit(uv_process_t *process, int64_t status, int signal)
{
	struct child *c = process->data;
	void (*on_exit)(void *arg, int64_t status, int signal) = c->on_exit;

	c->on_exit = NULL;
	if (on_exit)
		on_exit(c->arg, status, signal);
}

static void on_closed(uv_handle_t *handle)
{
	mem_free(handle->data);
}

void child_close(struct child *c)
{
	if (!c)
		return;
	c->on_exit = NULL;
	uv_close((uv_handle_t *)&c->process, on_closed);
}

/* Libraries open some that say nothing of children. */
static void keep_descriptors(void)
{
	DIR *all = opendir("/proc/self/fd");
	struct dirent *one;
	uint64_t fd;

	while (all && (one = readdir(all)))
		if (str_to_uint64(str_from(one->d_name), &fd) && fd >= STANDARD_STREAMS &&
		    fd <= INT_MAX)
			(void)fcntl((int)fd, F_SETFD, FD_CLOEXEC); /* it may be closed by now */
	if (all)
		(void)closedir(all); /* nothing was written */
}

struct child *child_start(struct loop *loop, const struct child_options *o, struct err *e)
{
	uv_stdio_container_t stdio[STANDARD_STREAMS + CHILD_FDS_MAX];
	struct child *c = mem_alloc(sizeof(*c));
	int rc;

	assert(o->fd_count <= CHILD_FDS_MAX);
	for (size_t i = 0; i < STANDARD_STREAMS + o->fd_count; i++) {
		stdio[i].flags = UV_INHERIT_FD;
		stdio[i].data.fd = i < STANDARD_STREAMS ? (int)i : o->fds[i - STANDARD_STREAMS];
	}
	c->on_exit = o->on_exit;
	c->arg = o->arg;
	c->process.data = c;
	keep_descriptors();
	rc = uv_spawn(loop_uv(loop), &c->process,
		      &(uv_process_options_t){
			      .exit_cb = on_uv_exit,
			      .file = o->argv[0],
			      /* like execvp(), it takes them without const and writes nothing */
			      .args = (char **)(uintptr_t)o->argv,
			      .env = (char **)(uintptr_t)o->env,
			      .stdio_count = (int)(STANDARD_STREAMS + o->fd_count),
			      .stdio = stdio,
		      });
	if (rc == 0)
		return c;
	child_close(c); /* libuv has begun with the handle all the same */
	(void)err_set(e, ERR_SYSTEM, "cannot start %s: %s", o->argv[0], uv_strerror(rc));
	return NULL;
}

pid_t child_pid(const struct child *c)
{
	return c->process.pid;
}

void child_kill(struct child *c)
{
	if (c->on_exit)
		(void)uv_process_kill(&c->process, SIGKILL); /* it may have ended just now */
}
