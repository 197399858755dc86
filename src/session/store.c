/*
 * One thread owns the backend. It takes what is waiting, up to BATCH_MAX calls, runs them in one transaction, commits, brings the
 * index up to date and only then answers: so whoever is answered knows that it is durable, and a hundred logins at once
 * cost one flush of the disk. Whatever changes the index runs on this thread, so the index can never keep what the
 * backend has lost.
 */

#include "session/store.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/mem.h"
#include "session/store_backend.h"
#include "session/store_index.h"
#include "session/store_run.h"

#define BATCH_MAX 256

struct store {
	struct store_work work; /* the thread's */
	pthread_t thread;
	int wake_fd;
	void (*on_state)(void *arg, const struct err *away);
	void *arg;
	atomic_ullong server_version; /* changes once: when a database that was away is reached */

	pthread_mutex_t lock; /* guards what follows */
	struct list waiting;
	size_t waiting_count;
	bool is_stopping;
	bool is_away;
	struct err away;
};

static void lock(struct store *s)
{
	int rc = pthread_mutex_lock(&s->lock);

	assert(rc == 0);
}

static void unlock(struct store *s)
{
	int rc = pthread_mutex_unlock(&s->lock);

	assert(rc == 0);
}

static void wake(struct store *s)
{
	const uint64_t one = 1;

	(void)!write(s->wake_fd, &one, sizeof(one)); /* full means that it is awake already */
}

static void clear_wake(struct store *s)
{
	uint64_t count;

	(void)!read(s->wake_fd, &count, sizeof(count)); /* nothing there is fine */
}

/* ---- the thread ---- */

static size_t take_batch(struct store *s, struct store_call **batch, bool *ret_is_stopping)
{
	struct list_node *node;
	size_t count = 0;

	lock(s);
	while (count < BATCH_MAX && (node = list_first(&s->waiting))) {
		list_remove(node);
		s->waiting_count--;
		batch[count++] = container_of(node, struct store_call, node);
	}
	*ret_is_stopping = s->is_stopping;
	unlock(s);
	return count;
}

static void answer(struct store_call **batch, size_t count)
{
	for (size_t i = 0; i < count; i++)
		batch[i]->on_done(batch[i]);
}

static void set_state(struct store *s, const struct err *away)
{
	bool has_changed;

	lock(s);
	has_changed = s->is_away != (away != NULL);
	s->is_away = away;
	if (away)
		s->away = *away;
	unlock(s);
	if (!away)
		atomic_store(&s->server_version, s->work.backend->server_version);
	if (has_changed && s->on_state)
		s->on_state(s->arg, away);
}

static void run_batches(struct store *s, bool *ret_is_stopping)
{
	struct store_call *batch[BATCH_MAX];
	size_t count;

	while ((count = take_batch(s, batch, ret_is_stopping)) > 0) {
		struct err e = { 0 };

		if (store_work_run(&s->work, batch, count, &e) < 0)
			set_state(s, &e);
		answer(batch, count);
	}
}

static void *run_thread(void *arg)
{
	struct store *s = arg;
	struct store_backend *b = s->work.backend;
	bool is_stopping = false;

	while (!is_stopping) {
		struct err e = { 0 };

		if (b->ops->wait(b, s->wake_fd, -1, &e) < 0)
			set_state(s, &e);
		else
			set_state(s, NULL);
		clear_wake(s);
		store_work_catch_up(&s->work);
		run_batches(s, &is_stopping);
	}
	return NULL;
}

/* ---- birth and death ---- */

static int open_backend(const struct store_options *o, struct store_backend **ret, struct err *e)
{
	switch (o->type) {
	case STORE_MEMORY:
		return backend_sqlite_open(STR(":memory:"), ret, e);
	case STORE_FILE:
		return backend_sqlite_open(o->where, ret, e);
	case STORE_POSTGRES:
		return backend_postgres_open(o->where, ret, e);
	}
	return -1;
}

int store_open(const struct store_options *o, struct store **ret, struct err *e)
{
	struct store_backend *backend;
	struct store *s;
	int rc;

	if (open_backend(o, &backend, e) < 0)
		return -1;
	s = mem_alloc(sizeof(*s));
	s->on_state = o->on_state;
	s->arg = o->arg;
	s->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	assert(s->wake_fd >= 0);
	list_init(&s->waiting);
	backend->records_max = o->records_max ? o->records_max : STORE_RECORDS_MAX;
	store_work_init(&s->work, backend, o);
	atomic_init(&s->server_version, backend->server_version);
	rc = pthread_mutex_init(&s->lock, NULL);
	rc |= pthread_create(&s->thread, NULL, run_thread, s);
	/* As for a worker's loop: a program without its threads is of no use. */
	assert(rc == 0);
	*ret = s;
	return 0;
}

void store_free(struct store *s)
{
	if (!s)
		return;
	lock(s);
	s->is_stopping = true;
	unlock(s);
	wake(s);
	(void)pthread_join(s->thread, NULL); /* cannot fail for a thread of ours */
	store_work_done(&s->work);
	(void)pthread_mutex_destroy(&s->lock); /* nobody holds it */
	(void)close(s->wake_fd);               /* nothing to lose */
	mem_free(s);
}

/* ---- asking ---- */

static bool enqueue(struct store *s, struct store_call *call)
{
	bool is_accepted;

	call->node = (struct list_node){ 0 };
	lock(s);
	is_accepted = !s->is_stopping && s->waiting_count < STORE_CALLS_MAX;
	if (is_accepted) {
		list_append(&s->waiting, &call->node);
		s->waiting_count++;
	}
	unlock(s);
	if (is_accepted)
		wake(s);
	return is_accepted;
}

void store_start(struct store *s, struct store_call *call)
{
	if (enqueue(s, call))
		return;
	call->result = STORE_UNAVAILABLE;
	(void)err_set(&call->error, ERR_LIMIT, "too many calls wait for the session store");
	call->on_done(call);
}

struct waiter {
	struct store_call call;
	pthread_mutex_t lock;
	pthread_cond_t is_done_changed;
	bool is_done;
};

static void wake_waiter(struct store_call *call)
{
	struct waiter *w = container_of(call, struct waiter, call);

	(void)pthread_mutex_lock(&w->lock); /* a mutex of our own: cannot fail */
	w->is_done = true;
	(void)pthread_cond_signal(&w->is_done_changed);
	(void)pthread_mutex_unlock(&w->lock);
}

void store_run(struct store *s, struct store_call *call)
{
	struct waiter w = { .call = *call,
			    .lock = PTHREAD_MUTEX_INITIALIZER,
			    .is_done_changed = PTHREAD_COND_INITIALIZER };

	w.call.on_done = wake_waiter;
	store_start(s, &w.call);
	(void)pthread_mutex_lock(&w.lock); /* as above */
	while (!w.is_done)
		(void)pthread_cond_wait(&w.is_done_changed, &w.lock);
	(void)pthread_mutex_unlock(&w.lock);
	*call = w.call;
}

void store_item_done(struct store_item *item)
{
	session_unref(TAKE(item->session));
	session_secrets_free(TAKE(item->secrets));
	device_login_unref(TAKE(item->device));
}

void store_call_done(struct store_call *call)
{
	store_item_done(&call->item);
	for (size_t i = 0; i < call->found_count; i++)
		store_item_done(&call->found[i]);
	mem_free(TAKE(call->found));
	call->found_count = 0;
}

struct session *store_find(struct store *s, struct str id)
{
	return store_index_find(s->work.index, id);
}

size_t store_index_size(struct store *s)
{
	return store_index_count(s->work.index);
}

uint64_t store_server_version(const struct store *s)
{
	return atomic_load(&s->server_version);
}

bool store_is_available(struct store *s, struct err *e)
{
	bool is_available;

	lock(s);
	is_available = !s->is_away;
	if (!is_available && e)
		*e = s->away;
	unlock(s);
	return is_available;
}
