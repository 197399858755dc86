#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <semaphore.h>
#include <time.h>

#include "base/mem.h"
#include "tests/support/postgres_scene.h"
#include "tests/support/store_support.h"

#define SHARED_KEY STR("0123456789abcdef0123456789abcdef")
#define LONG_S     20 /* nothing takes that long */

/* A gateway's store. What it is told of comes from its thread. */
struct gateway {
	struct store *store;
	sem_t is_changed;
	sem_t is_away;
	sem_t is_back;
	char changed[STORE_KEY_MAX + 1];
};

static void on_change(void *arg, const char *id)
{
	struct gateway *g = arg;

	(void)snprintf(g->changed, sizeof(g->changed), "%s", id);
	(void)sem_post(&g->is_changed); /* far from overflowing */
}

static void on_state(void *arg, const struct err *away)
{
	struct gateway *g = arg;

	(void)sem_post(away ? &g->is_away : &g->is_back); /* as above */
}

static void wait_for(sem_t *sem, const char *what)
{
	struct timespec until;

	assert_int_equal(clock_gettime(CLOCK_REALTIME, &until), 0);
	until.tv_sec += LONG_S;
	if (sem_timedwait(sem, &until) < 0)
		fail_msg("it is not told %s", what);
}

static void open_gateway(struct gateway *g, struct postgres_server *server)
{
	const struct store_options options = {
		.type = STORE_POSTGRES,
		.where = str_from(postgres_server_connection(server)),
		.shared_key = SHARED_KEY,
		.on_change = on_change,
		.on_state = on_state,
		.arg = g,
	};
	struct err e = { 0 };

	assert_int_equal(sem_init(&g->is_changed, 0, 0), 0);
	assert_int_equal(sem_init(&g->is_away, 0, 0), 0);
	assert_int_equal(sem_init(&g->is_back, 0, 0), 0);
	if (store_open(&options, &g->store, &e) < 0)
		fail_msg("%s", e.text);
}

static void close_gateway(struct gateway *g)
{
	store_free(g->store);
	(void)sem_destroy(&g->is_changed); /* nobody waits */
	(void)sem_destroy(&g->is_away);
	(void)sem_destroy(&g->is_back);
}

static bool knows(struct gateway *g, const char *id)
{
	struct session *s = store_find(g->store, str_from(id));

	session_unref(s);
	return s;
}

/* Nobody has to wait for a store before asking it. */
static void test_asked_at_once(void **state)
{
	for (int i = 0; i < 10; i++) {
		struct gateway g;
		struct session *s = store_support_session("u1", 2000);

		open_gateway(&g, *state);
		store_support_put(g.store, s, NULL);
		assert_true(store_is_available(g.store, NULL));
		assert_true(store_server_version(g.store) > 0);
		session_unref(s);
		close_gateway(&g);
	}
}

static void test_sign_out_at_another_gateway(void **state)
{
	struct gateway a, b;
	struct session *s = store_support_session("u1", 2000);
	struct session *got;

	open_gateway(&a, *state);
	open_gateway(&b, *state);
	store_support_put(a.store, s, NULL);
	got = store_support_get(b.store, s->id);
	assert_non_null(got);
	assert_int_equal(got->record_version, s->record_version);
	session_unref(got);
	assert_true(knows(&b, s->id));
	assert_int_equal(store_server_version(a.store), store_server_version(b.store));
	/* Of the new session it was told before; that concerned nobody there. */
	while (sem_trywait(&b.is_changed) == 0)
		;
	assert_true(store_support_remove(a.store, s->id));
	wait_for(&b.is_changed, "of the end of the session");
	while (knows(&b, s->id))
		wait_for(&b.is_changed, "of the end of the session");
	assert_string_equal(b.changed, s->id);
	assert_null(store_support_get(b.store, s->id));
	session_unref(s);
	close_gateway(&a);
	close_gateway(&b);
}

/* What is known stays known, what is not is not admitted. */
static void test_database_away(void **state)
{
	struct gateway g;
	struct session *s = store_support_session("u1", 2000);
	struct session *got;
	struct store_call call = { .verb = STORE_GET, .kind = RECORD_SESSION, .key = "unknown" };
	struct err e = { 0 };

	open_gateway(&g, *state);
	store_support_put(g.store, s, NULL);
	wait_for(&g.is_back, "that it is there");
	postgres_server_crash(*state);
	wait_for(&g.is_away, "that it is away");
	assert_false(store_is_available(g.store, &e));
	assert_non_null(strstr(e.text, "database postgres"));
	assert_true(knows(&g, s->id));
	store_run(g.store, &call);
	assert_int_equal(call.result, STORE_UNAVAILABLE);
	assert_non_null(strstr(call.error.text, "database postgres"));
	store_call_done(&call);

	postgres_server_start(*state);
	wait_for(&g.is_back, "that it is back");
	assert_true(store_is_available(g.store, &e));
	assert_true(knows(&g, s->id));
	got = store_support_get(g.store, s->id);
	assert_non_null(got);
	session_unref(got);
	session_unref(s);
	close_gateway(&g);
}

/* Whatever happened while nobody could be told is found out afterwards. */
static void test_change_that_was_missed(void **state)
{
	struct gateway g;
	struct session *gone = store_support_session("u1", 2000);
	struct session *kept = store_support_session("u1", 2000);
	char sql[200];

	open_gateway(&g, *state);
	store_support_put(g.store, gone, NULL);
	store_support_put(g.store, kept, NULL);
	(void)snprintf(sql, sizeof(sql), "DELETE FROM pomerium.records WHERE id = '%s'", gone->id);
	(void)postgres_server_run(*state, sql);
	assert_true(knows(&g, gone->id));
	(void)postgres_server_run(*state,
				  "SELECT count(pg_terminate_backend(pid))"
				  " FROM pg_stat_activity WHERE application_name = 'pomerium'");
	wait_for(&g.is_changed, "of the missed change");
	assert_string_equal(g.changed, gone->id);
	assert_false(knows(&g, gone->id));
	assert_true(knows(&g, kept->id));
	session_unref(gone);
	session_unref(kept);
	close_gateway(&g);
}

#define CASE(test) cmocka_unit_test_setup(test, postgres_scene_reset)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_asked_at_once),
		CASE(test_sign_out_at_another_gateway),
		CASE(test_database_away),
		CASE(test_change_that_was_missed),
	};

	if (!postgres_server_is_installed()) {
		print_message("skipped: PostgreSQL is not installed\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, postgres_scene_set_up, postgres_scene_tear_down);
}
