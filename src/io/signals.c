/*
 * One libuv handle per signal. The memory goes when libuv has let go of the last of them.
 */

#include "io/signals.h"

#include <assert.h>
#include <signal.h>

#include <uv.h>

#include "base/mem.h"
#include "io/loop.h"

struct signals {
	void (*on_signal)(void *arg, int number);
	void *arg;
	bool is_closed;
	size_t count;
	size_t open_count;
	uv_signal_t handles[];
};

static void on_uv_signal(uv_signal_t *handle, int number)
{
	struct signals *s = handle->data;

	if (!s->is_closed)
		s->on_signal(s->arg, number);
}

struct signals *signals_open(struct loop *loop, const int *numbers,
			     void (*on_signal)(void *arg, int number), void *arg)
{
	struct signals *s = NULL;
	size_t count = 0;
	int failure = 0;

	while (numbers[count] != 0)
		count++;
	s = mem_alloc(sizeof(*s) + count * sizeof(s->handles[0]));
	s->on_signal = on_signal;
	s->arg = arg;
	s->count = count;
	for (size_t i = 0; i < count; i++) {
		failure |= uv_signal_init(loop_uv(loop), &s->handles[i]);
		s->handles[i].data = s;
		failure |= uv_signal_start(&s->handles[i], on_uv_signal, numbers[i]);
		assert(failure == 0);
	}
	(void)signal(SIGPIPE, SIG_IGN);
	return s;
}

static void on_closed(uv_handle_t *handle)
{
	struct signals *s = handle->data;

	if (--s->open_count == 0)
		mem_free(s);
}

void signals_close(struct signals *s)
{
	if (!s || s->is_closed)
		return;
	s->is_closed = true;
	s->open_count = s->count;
	if (s->count == 0)
		mem_free(s);
	else
		for (size_t i = s->count; i-- > 0;)
			uv_close((uv_handle_t *)&s->handles[i], on_closed);
}
