/*
 * A list under a mutex, and one wake-up of the loop however many messages are waiting. What the loop took over is kept in
 * the mailbox, not on the stack, so that closing from inside a delivery finds it.
 */

#include "io/mailbox.h"

#include <assert.h>
#include <pthread.h>

#include <uv.h>

#include "base/mem.h"
#include "io/loop.h"

struct mailbox {
	struct loop *loop;
	uv_async_t wake;
	pthread_mutex_t lock; /* guards posted */
	struct list posted;
	struct list taken;
	bool is_closed;
};

static void take_posted(struct mailbox *m)
{
	struct list_node *node = NULL;

	pthread_mutex_lock(&m->lock);
	while ((node = list_first(&m->posted))) {
		list_remove(node);
		list_append(&m->taken, node);
	}
	pthread_mutex_unlock(&m->lock);
}

static struct mailbox_message *next_taken(struct mailbox *m)
{
	struct list_node *node = list_first(&m->taken);

	if (!node)
		return NULL;
	list_remove(node);
	return container_of(node, struct mailbox_message, node);
}

static void on_wake(uv_async_t *handle)
{
	struct mailbox *m = handle->data;
	struct mailbox_message *message = NULL;

	if (m->is_closed)
		return;
	take_posted(m);
	while (!m->is_closed && (message = next_taken(m)))
		message->deliver(message);
}

struct mailbox *mailbox_open(struct loop *loop)
{
	struct mailbox *m = mem_alloc(sizeof(*m));
	int failure = 0;

	m->loop = loop;
	list_init(&m->posted);
	list_init(&m->taken);
	failure |= pthread_mutex_init(&m->lock, NULL);
	failure |= uv_async_init(loop_uv(loop), &m->wake, on_wake);
	/* Like loop_new(): a thread that cannot be talked to is of no use. */
	assert(failure == 0);
	m->wake.data = m;
	return m;
}

void mailbox_post(struct mailbox *m, struct mailbox_message *message)
{
	message->node = (struct list_node){ 0 };
	pthread_mutex_lock(&m->lock);
	list_append(&m->posted, &message->node);
	/* Under the lock, so that a mailbox closed right after the delivery is not touched any more. */
	uv_async_send(&m->wake);
	pthread_mutex_unlock(&m->lock);
}

static void on_closed(uv_handle_t *handle)
{
	struct mailbox *m = handle->data;

	pthread_mutex_destroy(&m->lock);
	mem_free(m);
}

void mailbox_close(struct mailbox *m)
{
	struct mailbox_message *message = NULL;

	if (!m || m->is_closed)
		return;
	m->is_closed = true;
	take_posted(m);
	while ((message = next_taken(m)))
		if (message->discard)
			message->discard(message);
	uv_close((uv_handle_t *)&m->wake, on_closed);
}
