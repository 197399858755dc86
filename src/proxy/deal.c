#include "proxy/deal.h"

#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "io/stream_tcp.h"
#include "proxy/connection.h"
#include "proxy/control.h"
#include "proxy/worker.h"

struct dealt {
	struct mailbox_message message;
	struct worker *worker;
	int fd;
	struct addr peer;
};

static void deliver(struct mailbox_message *message)
{
	struct dealt *d = container_of(message, struct dealt, message);
	struct worker *w = d->worker;
	struct err e = { 0 };
	struct stream *stream = stream_tcp_open(w->loop, d->fd, &e);

	if (stream)
		connection_open(w, stream, &d->peer);
	else
		log_error(w->shared.log, LOG_ERROR, "proxy", "a connection is lost", &e);
	mem_free(d);
}

static void discard(struct mailbox_message *message)
{
	struct dealt *d = container_of(message, struct dealt, message);

	(void)close(d->fd); /* nothing was written */
	mem_free(d);
}

void deal_out(struct control *control, size_t turn, int fd, const struct addr *peer)
{
	struct dealt *d = mem_alloc(sizeof(*d));

	d->worker = control->workers[turn % control->worker_count];
	d->fd = fd;
	d->peer = *peer;
	d->message.deliver = deliver;
	d->message.discard = discard;
	mailbox_post(d->worker->mailbox, &d->message);
}
