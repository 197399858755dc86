/*
 * The expected pieces must come in their order; other bytes may come in between. What was received is kept until the last
 * piece is there, since a piece may come in pieces itself.
 */

#include "proxy/health_probe.h"

#include <string.h>

#include "base/mem.h"
#include "io/loop.h"
#include "io/stream.h"
#include "proxy/upstream_connect.h"

#define READ_SIZE 4096

struct health_probe {
	struct loop *loop;
	const struct config_health_check *check;
	struct upstream_connect *connect;
	struct stream *stream;
	struct timer timer;
	size_t sent;
	struct buf received;
	size_t matched;     /* how many pieces were there */
	size_t matched_end; /* where in received the last of them ended */
	bool is_over;
	void (*on_done)(void *arg, const struct err *e);
	void *arg;
};

static void release(struct health_probe *p)
{
	p->is_over = true;
	timer_cancel(&p->timer);
	upstream_connect_cancel(TAKE(p->connect));
	stream_close(TAKE(p->stream), STREAM_CLOSE_NORMAL);
	buf_done(&p->received);
	loop_free_later(p->loop, p);
}

static void finish(struct health_probe *p, const struct err *e)
{
	struct err copy = { 0 };

	if (e)
		copy = *e; /* it may be the stream's */
	release(p);
	p->on_done(p->arg, e ? &copy : NULL);
}

static void finish_because(struct health_probe *p, enum err_kind kind, const char *text)
{
	struct err e = { 0 };

	(void)err_set(&e, kind, "%s", text);
	finish(p, &e);
}

/* True when all is sent. Otherwise it goes on with an event, or it failed and the probe is over. */
static bool send_text(struct health_probe *p)
{
	struct str text = p->check->send;

	while (p->sent < text.len) {
		ssize_t count = stream_write(p->stream, text.at + p->sent, text.len - p->sent);

		if (count == STREAM_AGAIN)
			return false;
		if (count < 0) {
			finish(p, stream_error(p->stream));
			return false;
		}
		p->sent += (size_t)count;
	}
	return true;
}

static bool has_all(struct health_probe *p)
{
	const struct config_list *pieces = &p->check->receive;

	while (p->matched < pieces->count) {
		struct str piece = pieces->items[p->matched];
		struct str rest = str_from_pos(buf_view(&p->received), p->matched_end);
		const char *found = memmem(rest.at ? rest.at : "", rest.len, piece.at, piece.len);

		if (!found)
			return false;
		p->matched_end += (size_t)(found - rest.at) + piece.len;
		p->matched++;
	}
	return true;
}

static void receive_text(struct health_probe *p)
{
	while (!has_all(p)) {
		uint8_t *to = buf_reserve(&p->received, READ_SIZE);
		ssize_t count;

		if (!to) {
			finish_because(p, ERR_LIMIT, "what was expected is not in what it says");
			return;
		}
		count = stream_read(p->stream, to, READ_SIZE);
		if (count == STREAM_AGAIN)
			return;
		if (count == STREAM_END) {
			finish_because(p, ERR_CLOSED, "it ended before it said what was expected");
			return;
		}
		if (count < 0) {
			finish(p, stream_error(p->stream));
			return;
		}
		buf_commit(&p->received, (size_t)count);
	}
	finish(p, NULL);
}

static void on_event(void *arg, unsigned events)
{
	struct health_probe *p = arg;

	if (send_text(p))
		receive_text(p);
}

static void on_due(struct timer *timer)
{
	struct health_probe *p = container_of(timer, struct health_probe, timer);

	finish_because(p, ERR_TIMEOUT, "it did not say in time what was expected");
}

static void on_connected(void *arg, struct upstream_connected *connected, const struct err *e)
{
	struct health_probe *p = arg;

	p->connect = NULL;
	if (!connected) {
		finish(p, e);
		return;
	}
	buf_done(&connected->early);
	p->stream = connected->stream;
	stream_set_owner(p->stream, on_event, p);
	on_event(p, 0);
}

struct health_probe *health_probe_start(const struct health_probe_options *options,
					void (*on_done)(void *arg, const struct err *e), void *arg)
{
	struct health_probe *p = mem_alloc(sizeof(*p));
	struct config_target target = *options->target;

	if (target.hop != CONFIG_HOP_UNIX)
		target.hop = CONFIG_HOP_TCP;
	p->loop = options->loop;
	p->check = options->check;
	p->received = BUF_INIT(HEALTH_PROBE_RECEIVE_MAX);
	p->on_done = on_done;
	p->arg = arg;
	p->connect = upstream_connect_start(
		&(struct upstream_connect_options){
			.loop = options->loop,
			.resolver = options->resolver,
			.target = &target,
			.family = options->family,
			.timeout_ms = options->check->timeout_ms,
			.proxy_header = options->proxy_header,
		},
		on_connected, p);
	timer_start(&p->timer, options->loop,
		    loop_now_ms(options->loop) + options->check->timeout_ms, on_due);
	return p;
}

void health_probe_cancel(struct health_probe *p)
{
	/* From inside on_done there is nothing left to cancel. */
	if (p && !p->is_over)
		release(p);
}
