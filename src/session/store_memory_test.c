#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>

#include "base/mem.h"
#include "session/store.h"

static struct session *make_session(const char *user_id, int64_t expires_unix)
{
	struct identity *who = identity_new(&(struct identity){ .user_id = str_from(user_id) });
	struct session *s = session_new(
		&(struct session_facts){ .who = who, .expires_unix = expires_unix });

	identity_unref(who);
	return s;
}

/* Puts a new session; its id goes to id. */
static void put(struct store *store, const char *user_id, int64_t expires_unix,
		char id[UUID_TEXT_LEN + 1])
{
	struct session *s = make_session(user_id, expires_unix);
	struct err e;

	assert_int_equal(store_put_session(store, s, &e), 0);
	memcpy(id, s->id, sizeof(s->id));
	session_unref(s);
}

static bool has(struct store *store, const char *id, int64_t now_unix)
{
	struct session *s = store_get_session(store, str_from(id));
	bool is_there = s && !session_is_expired(s, now_unix);

	if (s)
		assert_string_equal(s->id, id);
	session_unref(s);
	return is_there;
}

static void test_put_get_delete(void **state)
{
	struct store *store = store_new_memory();
	char id[UUID_TEXT_LEN + 1];
	struct session *s;

	put(store, "u1", 2000, id);
	assert_int_equal(store_session_count(store), 1);
	s = store_get_session(store, str_from(id));
	assert_non_null(s);
	assert_true(str_equal(s->who->user_id, STR("u1")));
	assert_null(store_get_session(store, STR("3b241101-e2bb-4255-8caf-4136c566a962")));
	assert_null(store_get_session(store, STR("")));
	assert_null(store_get_session(store, (struct str){ 0 }));

	assert_true(store_delete_session(store, str_from(id)));
	assert_false(store_delete_session(store, str_from(id)));
	assert_false(has(store, id, 1000));
	assert_int_equal(store_session_count(store), 0);
	assert_string_equal(s->id, id); /* this reference outlives the record */
	session_unref(s);
	store_free(store);
	store_free(NULL);
}

static void test_versions(void **state)
{
	struct store *store = store_new_memory();
	struct store *other = store_new_memory();
	struct session *first = make_session("u1", 2000);
	struct session *second = make_session("u2", 2000);
	struct err e;

	assert_int_equal(store_put_session(store, first, &e), 0);
	assert_int_equal(store_put_session(store, second, &e), 0);
	assert_true(first->record_version > 0);
	assert_true(second->record_version > first->record_version);
	assert_true(store_server_version(store) <= INT64_MAX);
	assert_int_not_equal(store_server_version(store), store_server_version(other));
	session_unref(first);
	session_unref(second);
	store_free(store);
	store_free(other);
}

static void test_expiry_and_purge(void **state)
{
	struct store *store = store_new_memory();
	char early[100][UUID_TEXT_LEN + 1];
	char late[UUID_TEXT_LEN + 1];

	for (size_t i = 0; i < ARRAY_LEN(early); i++)
		put(store, i % 2 ? "u1" : "u2", 2000, early[i]);
	put(store, "u1", 3000, late);
	assert_true(has(store, early[0], 1999));
	assert_false(has(store, early[0], 2000));
	assert_int_equal(store_purge(store, 1999), 0);
	assert_int_equal(store_session_count(store), 101);
	assert_int_equal(store_purge(store, 2000), 100);
	assert_int_equal(store_session_count(store), 1);
	assert_false(has(store, early[0], 1000));
	assert_true(has(store, late, 2000));
	assert_int_equal(store_purge(store, 2000), 0);
	store_free(store);
}

static void test_oldest_of_a_user_goes(void **state)
{
	struct store *store = store_new_memory();
	char other[UUID_TEXT_LEN + 1];
	char ids[STORE_SESSIONS_PER_USER_MAX + 2][UUID_TEXT_LEN + 1];

	put(store, "u2", 2000, other);
	for (size_t i = 0; i < STORE_SESSIONS_PER_USER_MAX; i++)
		put(store, "u1", 2000, ids[i]);
	assert_true(has(store, ids[0], 1000));
	assert_true(store_delete_session(store, str_from(ids[1])));
	put(store, "u1", 2000, ids[STORE_SESSIONS_PER_USER_MAX]);
	assert_true(has(store, ids[0], 1000));
	put(store, "u1", 2000, ids[STORE_SESSIONS_PER_USER_MAX + 1]);
	assert_false(has(store, ids[0], 1000));
	for (size_t i = 2; i < ARRAY_LEN(ids); i++)
		assert_true(has(store, ids[i], 1000));
	assert_true(has(store, other, 1000));
	assert_int_equal(store_session_count(store), STORE_SESSIONS_PER_USER_MAX + 1);
	store_free(store);
}

static void test_full(void **state)
{
	struct store *store = store_new_memory_limited(2);
	struct session *s = make_session("u3", 2000);
	char first[UUID_TEXT_LEN + 1];
	char second[UUID_TEXT_LEN + 1];
	struct err e;

	put(store, "u1", 2000, first);
	put(store, "u2", 2000, second);
	assert_int_equal(store_put_session(store, s, &e), -1);
	assert_int_equal(e.kind, ERR_LIMIT);
	assert_int_equal(store_session_count(store), 2);
	assert_false(has(store, s->id, 1000));
	assert_true(store_delete_session(store, str_from(first)));
	assert_int_equal(store_put_session(store, s, &e), 0);
	assert_true(has(store, s->id, 1000));
	session_unref(s);
	store_free(store);
}

/* A full store still lets somebody in who makes room by it. */
static void test_full_of_one_user(void **state)
{
	struct store *store = store_new_memory_limited(STORE_SESSIONS_PER_USER_MAX);
	char id[UUID_TEXT_LEN + 1];

	for (size_t i = 0; i < STORE_SESSIONS_PER_USER_MAX + 10; i++)
		put(store, "u1", 2000, id);
	assert_true(has(store, id, 1000));
	assert_int_equal(store_session_count(store), STORE_SESSIONS_PER_USER_MAX);
	store_free(store);
}

#define THREADS        4
#define SHARED_IDS     64
#define STEPS          4000
#define THREAD_EXPIRES 1000000

struct worker {
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

static void swap_id(struct worker *w, size_t slot, char id[UUID_TEXT_LEN + 1], bool is_new)
{
	pthread_mutex_lock(w->lock);
	if (is_new)
		memcpy(w->ids[slot], id, UUID_TEXT_LEN + 1);
	else
		memcpy(id, w->ids[slot], UUID_TEXT_LEN + 1);
	pthread_mutex_unlock(w->lock);
}

static void do_something(struct worker *w)
{
	static const char *const users[] = { "u1", "u2", "u3" };
	size_t slot = next_random(w) % SHARED_IDS;
	char id[UUID_TEXT_LEN + 1] = "";
	struct session *s;
	struct err e;

	switch (next_random(w) % 4) {
	case 0:
		s = make_session(users[next_random(w) % ARRAY_LEN(users)], next_random(w));
		if (store_put_session(w->store, s, &e) == 0)
			swap_id(w, slot, s->id, true);
		session_unref(s);
		break;
	case 1:
		swap_id(w, slot, id, false);
		s = store_get_session(w->store, str_from(id));
		if (s && (strcmp(s->id, id) != 0 || !s->record_version))
			abort();
		session_unref(s);
		break;
	case 2:
		swap_id(w, slot, id, false);
		(void)store_delete_session(w->store,
					   str_from(id)); /* another may have been faster */
		break;
	default:
		if (next_random(w) % 64 == 0)
			(void)store_purge(w->store, next_random(w) % 2000);
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
	struct store *store = store_new_memory_limited(100);
	char ids[SHARED_IDS][UUID_TEXT_LEN + 1] = { "" };
	pthread_mutex_t ids_lock = PTHREAD_MUTEX_INITIALIZER;
	pthread_t threads[THREADS];
	struct worker workers[THREADS];
	char id[UUID_TEXT_LEN + 1];

	for (unsigned i = 0; i < THREADS; i++) {
		workers[i] =
			(struct worker){ .store = store, .seed = i, .lock = &ids_lock, .ids = ids };
		assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
	}
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_true(store_session_count(store) <= 100);
	/* Whatever is left can be found and counted. */
	size_t count = store_session_count(store);
	assert_int_equal(store_purge(store, THREAD_EXPIRES), count);
	assert_int_equal(store_session_count(store), 0);
	put(store, "u1", 2000, id);
	assert_true(has(store, id, 1000));
	store_free(store);
}

/* Many threads log in as one user: the limit holds, and every survivor is found. */
static void *log_in(void *arg)
{
	for (int i = 0; i < 300; i++) {
		struct session *s = make_session("u1", THREAD_EXPIRES);
		struct err e;

		if (store_put_session(arg, s, &e))
			abort();
		session_unref(s);
	}
	return NULL;
}

static void test_threads_of_one_user(void **state)
{
	struct store *store = store_new_memory();
	pthread_t threads[THREADS];

	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, log_in, store), 0);
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(store_session_count(store), STORE_SESSIONS_PER_USER_MAX);
	assert_int_equal(store_purge(store, THREAD_EXPIRES), STORE_SESSIONS_PER_USER_MAX);
	store_free(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_put_get_delete),
		cmocka_unit_test(test_versions),
		cmocka_unit_test(test_expiry_and_purge),
		cmocka_unit_test(test_oldest_of_a_user_goes),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_full_of_one_user),
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_threads_of_one_user),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
