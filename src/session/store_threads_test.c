/*
 * What happens when much is asked at once. A gate holds the store's thread in an answer, so that the test decides what
 * comes together in one batch.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>

#include "base/mem.h"
#include "tests/support/store_support.h"

struct gate {
	struct store_call call;
	sem_t is_held;
	sem_t may_go;
};

static void hold(struct store_call *call)
{
	struct gate *gate = container_of(call, struct gate, call);

	sem_post(&gate->is_held);
	sem_wait(&gate->may_go);
}

/* From now on nothing is answered. */
static void close_gate(struct gate *gate, struct store *store)
{
	*gate = (struct gate){ .call = { .verb = STORE_GET, .kind = RECORD_SESSION } };
	gate->call.on_done = hold;
	sem_init(&gate->is_held, 0, 0);
	sem_init(&gate->may_go, 0, 0);
	store_start(store, &gate->call);
	sem_wait(&gate->is_held);
}

static void open_gate(struct gate *gate)
{
	sem_post(&gate->may_go);
}

/* A call that can be waited for. */
struct asked {
	struct store_call call;
	sem_t is_done;
	unsigned answers;
};

static void on_answer(struct store_call *call)
{
	struct asked *asked = container_of(call, struct asked, call);

	asked->answers++;
	sem_post(&asked->is_done);
}

static void ask(struct store *store, struct asked *asked, enum store_verb verb,
		struct session *session)
{
	*asked = (struct asked){ .call = { .verb = verb, .kind = RECORD_SESSION } };
	sem_init(&asked->is_done, 0, 0);
	asked->call.on_done = on_answer;
	if (verb == STORE_PUT)
		asked->call.item.session = session_ref(session);
	else
		memcpy(asked->call.key, session->id, sizeof(session->id));
	store_start(store, &asked->call);
}

static enum store_result await(struct asked *asked)
{
	sem_wait(&asked->is_done);
	store_call_done(&asked->call);
	return asked->call.result;
}

static bool knows(struct store *store, const struct session *s)
{
	struct session *known = store_find(store, str_from(s->id));

	session_unref(known);
	return known;
}

/* ---- one batch ---- */

static void test_together(void **state)
{
	struct store *store = store_support_open_memory();
	struct session *s = store_support_session("u1", 2000);
	struct session *removed = store_support_session("u1", 2000);
	struct asked asked[6];
	struct gate gate;

	store_support_put(store, removed, NULL);
	close_gate(&gate, store);
	ask(store, &asked[0], STORE_PUT, s);
	ask(store, &asked[1], STORE_PUT, s);
	ask(store, &asked[2], STORE_GET, removed);
	ask(store, &asked[3], STORE_REMOVE, removed);
	ask(store, &asked[4], STORE_REMOVE, removed);
	ask(store, &asked[5], STORE_GET, removed);
	assert_false(knows(store, s));
	open_gate(&gate);
	assert_int_equal(await(&asked[0]), STORE_DONE);
	assert_int_equal(await(&asked[1]), STORE_CONFLICT); /* and the first is not undone */
	assert_int_equal(await(&asked[2]), STORE_DONE);     /* reads come first */
	assert_int_equal(await(&asked[3]), STORE_DONE);
	assert_int_equal(await(&asked[4]), STORE_ABSENT);
	assert_int_equal(await(&asked[5]), STORE_DONE);
	assert_true(knows(store, s));
	assert_false(knows(store, removed));
	session_unref(s);
	session_unref(removed);
	store_free(store);
}

/* Who was read a moment before he is pushed out must not stay in the index. */
static void test_read_and_pushed_out(void **state)
{
	struct store *store = store_support_open_memory();
	struct session *first = store_support_session("u1", 2000);
	struct session *last = store_support_session("u1", 2000);
	struct asked asked[3];
	struct gate gate;

	store_support_put(store, first, NULL);
	for (int i = 1; i < STORE_SESSIONS_PER_USER_MAX; i++) {
		struct session *s = store_support_session("u1", 2000);

		store_support_put(store, s, NULL);
		session_unref(s);
	}
	close_gate(&gate, store);
	ask(store, &asked[0], STORE_GET, first);
	ask(store, &asked[1], STORE_PUT, last);
	ask(store, &asked[2], STORE_GET, first);
	open_gate(&gate);
	assert_int_equal(await(&asked[1]), STORE_DONE);
	assert_int_equal(await(&asked[0]), STORE_DONE);
	assert_int_equal(await(&asked[2]), STORE_DONE);
	assert_false(knows(store, first));
	assert_true(knows(store, last));
	session_unref(first);
	session_unref(last);
	store_free(store);
}

static void test_two_purges_together(void **state)
{
	struct store *store = store_support_open_memory();
	struct session *early = store_support_session("u1", 1500);
	struct session *late = store_support_session("u1", 2500);
	struct asked asked[2];
	struct gate gate;

	store_support_put(store, early, NULL);
	store_support_put(store, late, NULL);
	close_gate(&gate, store);
	for (int i = 0; i < 2; i++) {
		asked[i] = (struct asked){ .call = { .verb = STORE_PURGE } };
		sem_init(&asked[i].is_done, 0, 0);
		asked[i].call.on_done = on_answer;
		asked[i].call.now_unix = 2000 + i * 1000;
		store_start(store, &asked[i].call);
	}
	open_gate(&gate);
	assert_int_equal(await(&asked[0]), STORE_DONE);
	assert_int_equal(await(&asked[1]), STORE_DONE);
	assert_false(knows(store, early));
	assert_false(knows(store, late));
	session_unref(early);
	session_unref(late);
	store_free(store);
}

/* ---- too much ---- */

static void test_too_many_calls(void **state)
{
	struct store *store = store_support_open_memory();
	struct session *s = store_support_session("u1", 2000);
	struct asked *asked = mem_alloc_array(STORE_CALLS_MAX + 10, sizeof(*asked));
	struct gate gate;

	close_gate(&gate, store);
	for (size_t i = 0; i < STORE_CALLS_MAX + 10; i++) {
		ask(store, &asked[i], STORE_GET, s);
		assert_int_equal(asked[i].answers, 0); /* never from inside store_start() */
	}
	open_gate(&gate);
	for (size_t i = 0; i < STORE_CALLS_MAX + 10; i++) {
		bool is_refused = i >= STORE_CALLS_MAX;

		assert_int_equal(await(&asked[i]), is_refused ? STORE_UNAVAILABLE : STORE_ABSENT);
		assert_int_equal(asked[i].answers, 1);
		if (is_refused)
			assert_non_null(strstr(asked[i].call.error.text, "too many calls"));
	}
	session_unref(s);
	store_free(store);
	mem_free(asked);
}

/* Anybody may begin a device login: others still find room. */
static void test_too_many_device_logins(void **state)
{
	struct store *store = store_support_open_memory();
	struct asked *asked = mem_alloc_array(STORE_DEVICE_LOGINS_MAX + 1, sizeof(*asked));
	struct session *s = store_support_session("u1", 2000);
	size_t full = 0;

	for (size_t i = 0; i <= STORE_DEVICE_LOGINS_MAX; i++) {
		struct device_login facts = { .user_code = "BCDFGHJK", .expires_unix = 2000 };
		char code[16];

		(void)snprintf(code, sizeof(code), "%zu", i);
		device_code_hash(str_from(code), facts.hash);
		asked[i].call = (struct store_call){ .verb = STORE_PUT,
						     .kind = RECORD_DEVICE_LOGIN };
		sem_init(&asked[i].is_done, 0, 0);
		asked[i].call.on_done = on_answer;
		asked[i].call.item.device = device_login_new(&facts);
		store_start(store, &asked[i].call);
		if (i >= STORE_CALLS_MAX / 2)
			full += await(&asked[i - STORE_CALLS_MAX / 2]) == STORE_FULL;
	}
	for (size_t i = STORE_DEVICE_LOGINS_MAX + 1 - STORE_CALLS_MAX / 2;
	     i <= STORE_DEVICE_LOGINS_MAX; i++)
		full += await(&asked[i]) == STORE_FULL;
	assert_int_equal(full, 1);
	store_support_put(store, s, NULL);
	session_unref(s);
	store_free(store);
	mem_free(asked);
}

/* ---- closing ---- */

/* Everybody is answered once, before store_free() returns. */
static void test_closing_with_calls_waiting(void **state)
{
	struct store *store = store_support_open_memory();
	struct session *s = store_support_session("u1", 2000);
	struct asked asked[2000];

	for (size_t i = 0; i < ARRAY_LEN(asked); i++)
		ask(store, &asked[i], i % 2 ? STORE_PUT : STORE_GET, s);
	store_free(store);
	for (size_t i = 0; i < ARRAY_LEN(asked); i++) {
		assert_int_equal(asked[i].answers, 1);
		if (await(&asked[i]) == STORE_UNAVAILABLE)
			assert_string_equal(asked[i].call.error.text,
					    "the session store is closing");
	}
	session_unref(s);
}

/* ---- many threads ---- */

#define THREADS    4
#define STEPS      1500
#define SHARED_IDS 32

struct worker {
	pthread_t thread;
	struct store *store;
	unsigned seed;
	pthread_mutex_t *lock;          /* of ids */
	char (*ids)[UUID_TEXT_LEN + 1]; /* put by any thread */
};

static unsigned next_random(struct worker *w)
{
	w->seed = w->seed * 1664525 + 1013904223;
	return w->seed >> 16;
}

static void swap_id(struct worker *w, char id[UUID_TEXT_LEN + 1], bool is_new)
{
	size_t slot = next_random(w) % SHARED_IDS;

	pthread_mutex_lock(w->lock);
	if (is_new)
		memcpy(w->ids[slot], id, UUID_TEXT_LEN + 1);
	else
		memcpy(id, w->ids[slot], UUID_TEXT_LEN + 1);
	pthread_mutex_unlock(w->lock);
}

static void run(struct worker *w, enum store_verb verb, struct session *session)
{
	struct store_call call = { .verb = verb, .kind = RECORD_SESSION };
	char id[UUID_TEXT_LEN + 1];

	if (verb == STORE_PUT) {
		call.item.session = session;
	} else {
		swap_id(w, id, false);
		memcpy(call.key, id, sizeof(id));
	}
	store_run(w->store, &call);
	if (call.result == STORE_DONE && verb == STORE_PUT)
		swap_id(w, session->id, true);
	else if (call.result == STORE_UNAVAILABLE)
		abort();
	store_call_done(&call);
}

static void do_something(struct worker *w)
{
	static const char *const users[] = { "u1", "u2", "u3" };
	char id[UUID_TEXT_LEN + 1];
	struct session *s;

	switch (next_random(w) % 4) {
	case 0:
		run(w, STORE_PUT,
		    store_support_session(users[next_random(w) % ARRAY_LEN(users)], 2000));
		break;
	case 1:
		run(w, STORE_GET, NULL);
		break;
	case 2:
		run(w, STORE_REMOVE, NULL);
		break;
	default:
		swap_id(w, id, false);
		s = store_find(w->store, str_from(id));
		if (s && (strcmp(s->id, id) != 0 || !s->record_version))
			abort();
		session_unref(s);
	}
}

static void *work(void *arg)
{
	for (int i = 0; i < STEPS; i++)
		do_something(arg);
	return NULL;
}

static void test_threads(void **state)
{
	struct store *store = store_support_open_memory();
	char ids[SHARED_IDS][UUID_TEXT_LEN + 1] = { "" };
	pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	struct worker workers[THREADS];

	for (unsigned i = 0; i < THREADS; i++) {
		workers[i] =
			(struct worker){ .store = store, .seed = i, .lock = &lock, .ids = ids };
		assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
	}
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
	/* The index has what the store has, and nothing else: all of it fits. */
	assert_int_equal(store_index_size(store), store_support_count(store, RECORD_SESSION));
	for (size_t i = 0; i < SHARED_IDS; i++) {
		struct session *known = store_find(store, str_from(ids[i]));
		struct session *kept = store_support_get(store, ids[i]);

		assert_int_equal(known != NULL, kept != NULL);
		session_unref(known);
		session_unref(kept);
	}
	store_free(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_together),
		cmocka_unit_test(test_read_and_pushed_out),
		cmocka_unit_test(test_two_purges_together),
		cmocka_unit_test(test_too_many_calls),
		cmocka_unit_test(test_too_many_device_logins),
		cmocka_unit_test(test_closing_with_calls_waiting),
		cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
