/*
 * Two stores over one file, as two processes have it while one takes over from the other. The news come when the store
 * that was not asked looks around; the tests wait for the news, not for a time.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "tests/support/store_support.h"

#define PATIENCE_S 30

struct side {
	struct store *store;
	char last[STORE_KEY_MAX + 1];
	sem_t told;
};

struct pair {
	char directory[64];
	char path[96];
	struct side a;
	struct side b;
};

static void on_change(void *arg, const char *id)
{
	struct side *side = arg;

	(void)snprintf(side->last, sizeof(side->last), "%s", id);
	(void)sem_post(&side->told);
}

static void wait_for_news(struct side *side)
{
	struct timespec until;

	(void)clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += PATIENCE_S;
	assert_int_equal(sem_timedwait(&side->told, &until), 0);
}

static void open_side(struct pair *p, struct side *side)
{
	const struct store_options options = {
		.type = STORE_FILE,
		.where = str_from(p->path),
		.shared_key = STR("0123456789abcdef0123456789abcdef"),
		.on_change = on_change,
		.arg = side,
	};
	struct err e;

	assert_int_equal(sem_init(&side->told, 0, 0), 0);
	assert_int_equal(store_open(&options, &side->store, &e), 0);
}

static int open_pair(void **state)
{
	struct pair *p = mem_alloc(sizeof(*p));

	(void)snprintf(p->directory, sizeof(p->directory), "/tmp/store_two_test.XXXXXX");
	if (!mkdtemp(p->directory))
		return -1;
	(void)snprintf(p->path, sizeof(p->path), "%s/sessions.db", p->directory);
	open_side(p, &p->a);
	open_side(p, &p->b);
	*state = p;
	return 0;
}

static int close_pair(void **state)
{
	struct pair *p = *state;

	store_free(p->a.store);
	store_free(p->b.store);
	(void)sem_destroy(&p->a.told);
	(void)sem_destroy(&p->b.told);
	(void)unlink(p->path);
	(void)rmdir(p->directory);
	mem_free(p);
	return 0;
}

static void test_what_one_writes_the_other_reads(void **state)
{
	struct pair *p = *state;
	struct session *s = store_support_session("u1", 9000);
	struct session *got;

	assert_int_equal(store_server_version(p->a.store), store_server_version(p->b.store));
	store_support_put(p->a.store, s, NULL);
	got = store_support_get(p->b.store, s->id);
	assert_non_null(got);
	assert_int_equal(got->record_version, s->record_version);
	session_unref(got);
	session_unref(s);
}

/* Known to the other one, who has a tunnel in its name: it is told, and does not know it any more. */
static void test_revoked_by_the_other(void **state)
{
	struct pair *p = *state;
	struct session *victim = store_support_session("u1", 9000);
	struct session *other = store_support_session("u1", 9000);

	store_support_put(p->a.store, victim, NULL);
	store_support_put(p->a.store, other, NULL);
	assert_true(store_support_remove(p->b.store, victim->id));
	wait_for_news(&p->a);
	assert_string_equal(p->a.last, victim->id);
	assert_null(store_find(p->a.store, str_from(victim->id)));
	assert_null(store_support_get(p->a.store, victim->id));

	struct session *known = store_find(p->a.store, str_from(other->id));

	assert_non_null(known);
	session_unref(known);
	assert_int_equal(sem_trywait(&p->a.told), -1); /* and of nothing else */
	session_unref(victim);
	session_unref(other);
}

static void test_replaced_by_the_other(void **state)
{
	struct pair *p = *state;
	struct session *s = store_support_session("u1", 9000);
	struct session *next = session_new(&(struct session_facts){
		.id = str_from(s->id), .who = s->who, .expires_unix = 5000 });
	struct store_call call = { .verb = STORE_PUT, .kind = RECORD_SESSION };
	struct session *known;

	store_support_put(p->a.store, s, NULL);
	call.expected_version = s->record_version;
	call.item.session = session_ref(next);
	store_run(p->b.store, &call);
	assert_int_equal(call.result, STORE_DONE);
	store_call_done(&call);
	wait_for_news(&p->a);
	assert_string_equal(p->a.last, s->id);
	known = store_find(p->a.store, str_from(s->id));
	assert_non_null(known);
	assert_int_equal(known->expires_unix, 5000);
	session_unref(known);
	session_unref(next);
	session_unref(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_what_one_writes_the_other_reads, open_pair,
						close_pair),
		cmocka_unit_test_setup_teardown(test_revoked_by_the_other, open_pair, close_pair),
		cmocka_unit_test_setup_teardown(test_replaced_by_the_other, open_pair, close_pair),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
