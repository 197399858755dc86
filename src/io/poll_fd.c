/*
 * libuv's own poll handle, not the poller: it is level-triggered. An error on the descriptor stops the handle, so it is
 * started anew after each one for as long as the owner still wants something. The memory goes when libuv has let go
 * of the handle.
 */

#include "io/poll_fd.h"

#include <assert.h>
#include <stdbool.h>

#include <uv.h>

#include "base/mem.h"
#include "io/loop.h"

struct poll_fd {
	uv_poll_t handle;
	void (*on_ready)(void *arg, unsigned events);
	void *arg;
	unsigned wanted;
	bool is_closed;
};

static void on_uv_poll(uv_poll_t *handle, int status, int events);

static void apply_wanted(struct poll_fd *p)
{
	int events = (p->wanted & WATCH_READ ? UV_READABLE : 0) |
		     (p->wanted & WATCH_WRITE ? UV_WRITABLE : 0);
	int failure = events ? uv_poll_start(&p->handle, events, on_uv_poll)
			     : uv_poll_stop(&p->handle);

	assert(failure == 0);
}

static void on_uv_poll(uv_poll_t *handle, int status, int events)
{
	struct poll_fd *p = handle->data;
	unsigned ready = (events & UV_READABLE ? WATCH_READ : 0) |
			 (events & UV_WRITABLE ? WATCH_WRITE : 0);

	p->on_ready(p->arg, status < 0 ? WATCH_READ | WATCH_WRITE : ready);
	if (status < 0 && !p->is_closed)
		apply_wanted(p);
}

struct poll_fd *poll_fd_open(struct loop *loop, int fd,
			     void (*on_ready)(void *arg, unsigned events), void *arg, struct err *e)
{
	struct poll_fd *p = mem_alloc(sizeof(*p));
	int failure = uv_poll_init(loop_uv(loop), &p->handle, fd);

	if (failure) {
		mem_free(p);
		(void)err_errno(e, -failure, "cannot watch descriptor %d", fd);
		return NULL;
	}
	p->handle.data = p;
	p->on_ready = on_ready;
	p->arg = arg;
	return p;
}

void poll_fd_want(struct poll_fd *p, unsigned events)
{
	assert(!p->is_closed);
	if (p->wanted == events)
		return;
	p->wanted = events;
	apply_wanted(p);
}

static void on_closed(uv_handle_t *handle)
{
	mem_free(handle->data);
}

void poll_fd_close(struct poll_fd *p)
{
	if (!p || p->is_closed)
		return;
	p->is_closed = true;
	uv_close((uv_handle_t *)&p->handle, on_closed);
}
