/*
 * A store in a file: kept over restarts, shared with another process, without room for a while. Waiting is for what the
 * store tells, never for time.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/mem.h"
#include "tests/support/store_support.h"

#define KEY_A STR("0123456789abcdef0123456789abcdef")
#define KEY_B STR("fedcba9876543210fedcba9876543210")

struct fixture {
	char folder[64];
	char file[80];
};

/* What a store has told; read by the test after it has waited for it. */
struct told {
	sem_t has_changed;
	sem_t is_away;
	sem_t is_back;
	char id[STORE_KEY_MAX + 1];
	struct err away;
};

static void on_change(void *arg, const char *id)
{
	struct told *t = arg;

	(void)snprintf(t->id, sizeof(t->id), "%s", id);
	sem_post(&t->has_changed);
}

static void on_state(void *arg, const struct err *away)
{
	struct told *t = arg;

	if (away)
		t->away = *away;
	sem_post(away ? &t->is_away : &t->is_back);
}

static struct store *open_store(struct fixture *f, struct str key, struct told *told)
{
	const struct store_options options = {
		.type = STORE_FILE,
		.where = str_from(f->file),
		.shared_key = key,
		.on_change = told ? on_change : NULL,
		.on_state = told ? on_state : NULL,
		.arg = told,
	};
	struct store *store = NULL;
	struct err e = { 0 };

	if (told) {
		sem_init(&told->has_changed, 0, 0);
		sem_init(&told->is_away, 0, 0);
		sem_init(&told->is_back, 0, 0);
	}
	if (store_open(&options, &store, &e) < 0)
		fail_msg("%s", e.text);
	return store;
}

static int setup(void **state)
{
	struct fixture *f = mem_alloc(sizeof(*f));

	(void)snprintf(f->folder, sizeof(f->folder), "/tmp/store-outage-XXXXXX");
	assert_non_null(mkdtemp(f->folder));
	(void)snprintf(f->file, sizeof(f->file), "%s/s.db", f->folder);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	static const char *const endings[] = { "", "-wal", "-shm" };
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(endings); i++) {
		char path[96];

		(void)snprintf(path, sizeof(path), "%s%s", f->file, endings[i]);
		(void)unlink(path);
	}
	(void)rmdir(f->folder);
	mem_free(f);
	return 0;
}

static const struct session_secrets secrets = {
	.access_token = { "access", 6 },
	.refresh_token = { "refresh", 7 },
	.access_expires_unix = 1500,
};

static void test_kept_over_a_restart(void **state)
{
	struct store *store = open_store(*state, KEY_A, NULL);
	uint64_t server_version = store_server_version(store);
	struct session *s = store_support_session("u1", 2000);
	struct store_call call = { .verb = STORE_GET, .kind = RECORD_SESSION };

	store_support_put(store, s, &secrets);
	store_free(store);
	store = open_store(*state, KEY_A, NULL);
	assert_int_equal(store_server_version(store), server_version);
	assert_int_equal(store_index_size(store), 0);
	memcpy(call.key, s->id, sizeof(s->id));
	store_run(store, &call);
	assert_int_equal(call.result, STORE_DONE);
	assert_int_equal(call.item.session->record_version, s->record_version);
	assert_true(str_equal(call.item.secrets->refresh_token, STR("refresh")));
	store_call_done(&call);
	assert_int_equal(store_index_size(store), 1);
	session_unref(s);
	store_free(store);
}

/* Never admitted, left out of lists, and it can be removed. */
static void test_sealed_under_another_secret(void **state)
{
	struct store *store = open_store(*state, KEY_A, NULL);
	struct session *s = store_support_session("u1", 2000);
	struct store_call call = { .verb = STORE_GET, .kind = RECORD_SESSION };

	store_support_put(store, s, &secrets);
	store_free(store);
	store = open_store(*state, KEY_B, NULL);
	memcpy(call.key, s->id, sizeof(s->id));
	store_run(store, &call);
	assert_int_equal(call.result, STORE_UNAVAILABLE);
	assert_non_null(strstr(call.error.text, s->id));
	assert_null(call.item.session);
	assert_int_equal(store_index_size(store), 0);
	assert_true(store_is_available(store, NULL));
	assert_int_equal(store_support_count(store, RECORD_SESSION), 0);
	call = (struct store_call){ .verb = STORE_CLAIM, .now_unix = 5000 };
	store_run(store, &call);
	assert_int_equal(call.found_count, 0);
	store_call_done(&call);
	assert_true(store_support_remove(store, s->id));
	assert_null(store_support_get(store, s->id));
	session_unref(s);
	store_free(store);
}

static void test_shared_with_another(void **state)
{
	struct told told;
	struct store *store = open_store(*state, KEY_A, &told);
	struct store *other = open_store(*state, KEY_A, NULL);
	struct session *s = store_support_session("u1", 2000);
	struct store_call call = { .verb = STORE_PUT, .kind = RECORD_SESSION };
	struct session *known;

	store_support_put(other, s, NULL);
	session_unref(store_support_get(store, s->id));
	assert_int_equal(store_index_size(store), 1);

	/* It is refreshed elsewhere: known with what is new. */
	call.expected_version = s->record_version;
	call.item.session = session_new(&(struct session_facts){
		.id = str_from(s->id), .who = s->who, .expires_unix = 7000 });
	store_run(other, &call);
	assert_int_equal(call.result, STORE_DONE);
	sem_wait(&told.has_changed);
	assert_string_equal(told.id, s->id);
	known = store_find(store, str_from(s->id));
	assert_non_null(known);
	assert_int_equal(known->expires_unix, 7000);
	assert_int_equal(known->record_version, call.item.session->record_version);
	session_unref(known);
	store_call_done(&call);

	/* It is ended elsewhere. */
	assert_true(store_support_remove(other, s->id));
	sem_wait(&told.has_changed);
	assert_string_equal(told.id, s->id);
	assert_null(store_find(store, str_from(s->id)));
	session_unref(s);
	store_free(other);
	store_free(store);
}

/* No file of this process may grow beyond size. */
static void limit_files(rlim_t size)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = size;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static struct session *long_session(void)
{
	char *text = mem_alloc(100000);
	struct identity *who = identity_new(&(struct identity){ .user_id = STR("u2") });
	struct session *s;

	memset(text, 'x', 100000);
	s = session_new(&(struct session_facts){ .who = who, .description = str_of(text, 100000) });
	identity_unref(who);
	mem_free(text);
	return s;
}

static enum store_result put(struct store *store, struct session *s, struct err *e)
{
	struct store_call call = { .verb = STORE_PUT, .kind = RECORD_SESSION };

	call.item.session = session_ref(s);
	store_run(store, &call);
	*e = call.error;
	store_call_done(&call);
	return call.result;
}

static void test_no_room_for_a_while(void **state)
{
	void (*before)(int) = signal(SIGXFSZ, SIG_IGN);
	struct told told;
	struct store *store = open_store(*state, KEY_A, &told);
	struct session *known = store_support_session("u1", 2000);
	struct session *s = long_session();
	struct session *found;
	struct err e = { 0 };

	store_support_put(store, known, NULL);
	limit_files(100000);
	assert_int_equal(put(store, s, &e), STORE_UNAVAILABLE);
	assert_non_null(strstr(e.text, "s.db"));
	sem_wait(&told.is_away);
	assert_string_equal(told.away.text, e.text);
	assert_null(store_find(store, str_from(s->id)));
	found = store_find(store, str_from(known->id));
	assert_ptr_equal(found, known);
	session_unref(found);
	found = store_support_get(store, known->id); /* reading goes on */
	assert_non_null(found);
	session_unref(found);

	limit_files(RLIM_INFINITY);
	sem_wait(&told.is_back);
	assert_true(store_is_available(store, &e));
	assert_int_equal(put(store, s, &e), STORE_DONE);
	found = store_find(store, str_from(known->id));
	assert_non_null(found);
	session_unref(found);
	session_unref(known);
	session_unref(s);
	store_free(store);
	(void)signal(SIGXFSZ, before);
}

static void test_cannot_be_opened(void **state)
{
	struct fixture *f = *state;
	const struct store_options options = { .type = STORE_FILE, .where = str_from(f->folder) };
	struct store *store = NULL;
	struct err e;

	assert_int_equal(store_open(&options, &store, &e), -1);
	assert_null(store);
	assert_non_null(strstr(e.text, "it is a directory"));
}

#define CASE(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_kept_over_a_restart), CASE(test_sealed_under_another_secret),
		CASE(test_shared_with_another), CASE(test_no_room_for_a_while),
		CASE(test_cannot_be_opened),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
