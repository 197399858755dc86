/*
 * store.c - one thread owns the backend, and everything that changes goes through it
 *
 * It takes what is waiting, up to BATCH_MAX calls. Those that only read are run and answered first; then all changes in
 * one transaction, which is committed and shown in the index before any of them is answered. So whoever is answered knows
 * that it is durable, and a hundred logins at once cost one flush of the disk. Whatever changes the index runs on this
 * thread, so the index can never keep what the backend has lost.
 *
 * Between two batches the backend gets a turn, however much is waiting: changes made elsewhere are never late.
 */

#include "session/store.h"

#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/mem.h"
#include "session/store_backend.h"
#include "session/store_index.h"
#include "session/store_record.h"
#include "session/store_run.h"

#define BATCH_MAX 256

enum store_state {
	STATE_UNKNOWN, /* not reached yet */
	STATE_AVAILABLE,
	STATE_AWAY,
};

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
	struct list refused; /* to be told so: not from inside store_start() */
	bool is_stopping;
	enum store_state state;
	struct err away;
	uint8_t next_key[SEAL_KEY_SIZE]; /* for the thread, if has_next_key */
	bool has_next_key;
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

/* Takes up to BATCH_MAX. Returns how many. */
static size_t take_calls(struct store *s, struct list *list, struct store_call **calls)
{
	struct list_node *node;
	size_t count = 0;

	lock(s);
	while (count < BATCH_MAX && (node = list_first(list))) {
		list_remove(node);
		calls[count++] = container_of(node, struct store_call, node);
	}
	if (list == &s->waiting)
		s->waiting_count -= count;
	unlock(s);
	return count;
}

static void answer(struct store_call **calls, size_t count)
{
	for (size_t i = 0; i < count; i++)
		calls[i]->on_done(calls[i]);
}

static void refuse(struct store *s, struct list *list, const char *reason)
{
	struct store_call *calls[BATCH_MAX];
	size_t count;

	while ((count = take_calls(s, list, calls)) > 0) {
		for (size_t i = 0; i < count; i++) {
			calls[i]->result = STORE_UNAVAILABLE;
			(void)err_set(&calls[i]->error, ERR_LIMIT, "%s", reason);
		}
		answer(calls, count);
	}
}

/* away: NULL if it is not. */
static void set_state(struct store *s, const struct err *away)
{
	enum store_state state = away ? STATE_AWAY : STATE_AVAILABLE;
	bool has_changed;

	if (!away)
		atomic_store(&s->server_version, s->work.backend->server_version);
	lock(s);
	has_changed = s->state != state;
	s->state = state;
	if (away)
		s->away = *away;
	unlock(s);
	if (has_changed && s->on_state)
		s->on_state(s->arg, away);
}

static void take_next_key(struct store *s)
{
	lock(s);
	if (s->has_next_key)
		memcpy(s->work.key, s->next_key, sizeof(s->work.key));
	s->has_next_key = false;
	mem_wipe(s->next_key, sizeof(s->next_key));
	unlock(s);
}

static void run_batch(struct store *s)
{
	struct store_call *batch[BATCH_MAX];
	struct store_call *reads[BATCH_MAX];
	struct store_call *changes[BATCH_MAX];
	size_t count = take_calls(s, &s->waiting, batch);
	size_t read_count = 0;
	size_t change_count = 0;
	struct err e = { 0 };

	for (size_t i = 0; i < count; i++) {
		if (store_verb_is_change(batch[i]->verb))
			changes[change_count++] = batch[i];
		else
			reads[read_count++] = batch[i];
	}
	if (store_work_read(&s->work, reads, read_count, &e) < 0)
		set_state(s, &e);
	answer(reads, read_count);
	if (change_count && store_work_change(&s->work, changes, change_count, &e) < 0)
		set_state(s, &e);
	answer(changes, change_count);
}

static bool is_stopping(struct store *s, bool *ret_is_waiting)
{
	bool answer;

	lock(s);
	*ret_is_waiting = !list_is_empty(&s->waiting);
	answer = s->is_stopping;
	unlock(s);
	return answer;
}

static void *run_thread(void *arg)
{
	struct store *s = arg;
	struct store_backend *b = s->work.backend;
	bool is_waiting;

	while (!is_stopping(s, &is_waiting)) {
		struct err e = { 0 };
		int rc = b->ops->wait(b, s->wake_fd, is_waiting ? 0 : -1, &e);

		clear_wake(s);
		set_state(s, rc < 0 ? &e : NULL);
		take_next_key(s);
		store_work_catch_up(&s->work);
		refuse(s, &s->refused, "too many calls wait for the session store");
		run_batch(s);
	}
	refuse(s, &s->refused, "the session store is closing");
	refuse(s, &s->waiting, "the session store is closing");
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

/* Signals are for the threads that wait for them. */
static void start_thread(struct store *s)
{
	sigset_t all;
	sigset_t before;
	int rc;

	(void)sigfillset(&all); /* cannot fail, like the two below */
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&s->thread, NULL, run_thread, s);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	/* As for a worker's loop: a program without its threads is of no use. */
	assert(rc == 0);
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
	s->state = backend->server_version ? STATE_AVAILABLE : STATE_UNKNOWN;
	(void)err_set(&s->away, ERR_SYSTEM, "the session store was not reached yet");
	s->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	list_init(&s->waiting);
	list_init(&s->refused);
	backend->records_max = o->records_max ? o->records_max : STORE_RECORDS_MAX;
	store_work_init(&s->work, backend, o);
	atomic_init(&s->server_version, backend->server_version);
	rc = pthread_mutex_init(&s->lock, NULL);
	assert(rc == 0 && s->wake_fd >= 0);
	start_thread(s);
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

void store_start(struct store *s, struct store_call *call)
{
	call->node = (struct list_node){ 0 };
	lock(s);
	if (s->waiting_count < STORE_CALLS_MAX) {
		list_append(&s->waiting, &call->node);
		s->waiting_count++;
	} else {
		list_append(&s->refused, &call->node);
	}
	unlock(s);
	wake(s);
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
	w.call.on_done = call->on_done;
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

void store_set_shared_key(struct store *s, struct str shared_key)
{
	uint8_t key[SEAL_KEY_SIZE];

	record_key_derive(shared_key, key);
	lock(s);
	memcpy(s->next_key, key, sizeof(key));
	s->has_next_key = true;
	wake(s);
	unlock(s);
	mem_wipe(key, sizeof(key));
}

bool store_is_available(struct store *s, struct err *e)
{
	bool is_available;

	lock(s);
	is_available = s->state == STATE_AVAILABLE;
	if (!is_available && e)
		*e = s->away;
	unlock(s);
	return is_available;
}
