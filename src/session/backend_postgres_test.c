#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>

#include "base/mem.h"
#include "session/postgres_query.h"
#include "tests/support/postgres_scene.h"
#include "tests/support/store_backend_suite.h"

/* ---- news ---- */

static void test_news_of_every_change(void **state)
{
	struct postgres_scene a, b;
	struct arena arena = { 0 };
	struct record_list gone;
	struct err e = { 0 };
	uint64_t version;

	postgres_scene_open_up(&a, *state);
	postgres_scene_open_up(&b, *state);
	version = postgres_scene_put(&a, "s \"1\"\n", "u1", 0);
	postgres_scene_wait_change(&b);
	assert_int_equal(b.last_kind, RECORD_SESSION);
	assert_string_equal(b.last_id, "s \"1\"\n");
	assert_int_equal(b.last_version, version);
	version = postgres_scene_put(&a, "s \"1\"\n", "u1", version);
	postgres_scene_wait_change(&b);
	assert_int_equal(b.last_version, version);
	postgres_scene_remove(&b, "s \"1\"\n");
	postgres_scene_wait_change(&a);
	assert_int_equal(a.last_version, 0);

	(void)postgres_scene_put(&a, "s2", "u1", 0);
	postgres_scene_wait_change(&b);
	assert_int_equal(a.backend->ops->begin(a.backend, &e), 0);
	assert_int_equal(a.backend->ops->purge(a.backend, 3000, 10, &arena, &gone, &e), 0);
	assert_int_equal(a.backend->ops->commit(a.backend, &e), 0);
	postgres_scene_wait_change(&b);
	assert_string_equal(b.last_id, "s2");
	assert_int_equal(b.last_version, 0);

	/* Each was told of the other's changes and of none of its own. */
	assert_int_equal(a.backend->ops->wait(a.backend, -1, 0, &e), 0);
	assert_int_equal(a.changes, 1);
	assert_int_equal(b.changes, 4);
	assert_int_equal(a.gaps + b.gaps, 0);
	arena_done(&arena);
	postgres_scene_close(&a);
	postgres_scene_close(&b);
}

static void test_nothing_is_told_of_a_rollback(void **state)
{
	struct postgres_scene a, b;
	struct record r = { .kind = RECORD_SESSION, .id = STR("s1"), .owner = STR("u1") };
	enum store_result result;
	struct err e = { 0 };

	postgres_scene_open_up(&a, *state);
	postgres_scene_open_up(&b, *state);
	assert_int_equal(a.backend->ops->begin(a.backend, &e), 0);
	assert_int_equal(a.backend->ops->put(a.backend, &r, 0, &result, &e), 0);
	a.backend->ops->rollback(a.backend);
	(void)postgres_scene_put(&a, "s2", "u1", 0);
	postgres_scene_wait_change(&b);
	assert_string_equal(b.last_id, "s2");
	postgres_scene_close(&a);
	postgres_scene_close(&b);
}

/* Whoever may connect to the database can notify. */
static void test_nonsense_is_passed_over(void **state)
{
	static const char *const payloads[] = {
		"",
		"1",
		"1 2",
		"1 2 x",
		"1 2 x ",
		"1 2 x zz",
		"1 2 x 6",
		"1 -2 x 61",
		"0 2 x 61",
		"4 2 x 61",
		"18446744073709551617 2 x 61",
		"1 2 x 61 61",
		" 1 2 x 61",
	};
	struct postgres_scene a;
	char sql[2000];

	postgres_scene_open_up(&a, *state);
	for (size_t i = 0; i < ARRAY_LEN(payloads); i++) {
		(void)snprintf(sql, sizeof(sql), "NOTIFY pomerium_records, '%s'", payloads[i]);
		(void)postgres_server_run(*state, sql);
	}
	/* An id of 256 bytes is one too long. */
	(void)snprintf(sql, sizeof(sql), "NOTIFY pomerium_records, '1 2 x %0512d'", 0);
	(void)postgres_server_run(*state, sql);
	(void)postgres_server_run(*state, "NOTIFY pomerium_records, '2 7 x 6162'");
	postgres_scene_wait_change(&a);
	assert_int_equal(a.changes, 1);
	assert_int_equal(a.last_kind, RECORD_SERVICE_ACCOUNT);
	assert_string_equal(a.last_id, "ab");
	assert_int_equal(a.last_version, 7);
	postgres_scene_close(&a);
}

/* ---- schema ---- */

#define GATEWAYS 4

static void *open_at_once(void *arg)
{
	struct postgres_scene *scene = arg;
	struct err e = { 0 };

	return scene->backend->ops->wait(scene->backend, -1, 20000, &e) == 0 ? NULL : scene;
}

static void migrate_at_once(void **state)
{
	struct postgres_scene scenes[GATEWAYS];
	pthread_t threads[GATEWAYS];
	uint64_t first;
	void *failed;

	for (size_t i = 0; i < GATEWAYS; i++)
		postgres_scene_open(&scenes[i], *state, NULL);
	for (size_t i = 0; i < GATEWAYS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, open_at_once, &scenes[i]), 0);
	for (size_t i = 0; i < GATEWAYS; i++) {
		assert_int_equal(pthread_join(threads[i], &failed), 0);
		assert_null(failed);
	}
	first = scenes[0].backend->server_version;
	assert_true(first > 0 && first <= INT64_MAX);
	for (size_t i = 0; i < GATEWAYS; i++) {
		assert_int_equal(scenes[i].backend->server_version, first);
		postgres_scene_close(&scenes[i]);
	}
	assert_int_equal(postgres_server_run(
				 *state, "SELECT value FROM pomerium.meta WHERE name = 'schema'"),
			 1);
}

/* Often, as it is a matter of luck who comes when. */
static void test_several_migrate_at_once(void **state)
{
	for (int i = 0; i < 20; i++) {
		(void)postgres_scene_reset(state);
		migrate_at_once(state);
	}
}

static void test_newer_schema(void **state)
{
	struct postgres_scene a;
	struct err e = { 0 };

	postgres_scene_open_up(&a, *state);
	postgres_scene_close(&a);
	(void)postgres_server_run(*state,
				  "UPDATE pomerium.meta SET value = 99 WHERE name = 'schema'");
	postgres_scene_open(&a, *state, NULL);
	postgres_scene_wait_away(&a, &e);
	assert_int_equal(e.kind, ERR_CONFIG);
	assert_non_null(strstr(e.text, "database postgres: its tables are of a newer release"
				       " (schema 99, this one knows 1)"));
	(void)postgres_server_run(*state,
				  "UPDATE pomerium.meta SET value = 1 WHERE name = 'schema'");
	postgres_scene_wait_up(&a);
	assert_int_equal(a.gaps, 0); /* it was not there before */
	postgres_scene_close(&a);
}

static void test_rights(void **state)
{
	struct postgres_server *server = *state;
	struct postgres_scene a;
	struct err e = { 0 };
	char connection[400];

	(void)snprintf(connection, sizeof(connection), "host=%s user=modest dbname=postgres",
		       postgres_server_directory(server));
	(void)postgres_server_run(server, "CREATE ROLE modest LOGIN");
	postgres_scene_open(&a, server, connection);
	postgres_scene_wait_away(&a, &e);
	assert_non_null(strstr(e.text, "CREATE SCHEMA pomerium AUTHORIZATION modest"));

	(void)postgres_server_run(server, "CREATE SCHEMA pomerium AUTHORIZATION modest");
	postgres_scene_wait_up(&a);
	(void)postgres_scene_put(&a, "s1", "u1", 0);
	postgres_scene_close(&a);

	/* Of tables that somebody else made only these rights are needed. */
	(void)postgres_server_run(server, "REASSIGN OWNED BY modest TO postgres;"
					  "GRANT USAGE ON SCHEMA pomerium TO modest;"
					  "GRANT SELECT ON pomerium.meta TO modest;"
					  "GRANT USAGE ON pomerium.record_version TO modest");
	postgres_scene_open(&a, server, connection);
	postgres_scene_wait_away(&a, &e);
	assert_non_null(strstr(e.text, "permission denied for table records"));
	(void)postgres_server_run(server, "GRANT SELECT, INSERT, UPDATE, DELETE"
					  " ON pomerium.records TO modest");
	postgres_scene_wait_up(&a);
	(void)postgres_scene_put(&a, "s1", "u1", postgres_scene_get(&a, "s1"));
	postgres_scene_remove(&a, "s1");
	postgres_scene_close(&a);
	(void)postgres_server_run(server, "DROP SCHEMA pomerium CASCADE; DROP ROLE modest");
}

/* What is answered is on disk, also for a role that is not so careful by itself. */
static void test_careless_role(void **state)
{
	struct postgres_scene a;
	struct postgres_backend *p;
	int64_t is_on = 0;
	struct err e = { 0 };

	(void)postgres_server_run(*state, "ALTER ROLE postgres SET synchronous_commit = off");
	postgres_scene_open_up(&a, *state);
	p = container_of(a.backend, struct postgres_backend, backend);
	assert_int_equal(postgres_query_number(&p->link,
					       "SELECT (current_setting('synchronous_commit')"
					       " = 'on')::int::bigint",
					       NULL, &is_on, &e),
			 0);
	assert_int_equal(is_on, 1);
	(void)postgres_server_run(*state, "ALTER ROLE postgres RESET synchronous_commit");
	postgres_scene_close(&a);
}

/* ---- limits ---- */

static void *log_in(void *arg)
{
	struct postgres_scene *scene = arg;
	struct store_backend *b = scene->backend;
	enum store_result result = STORE_DONE;
	char id[32];

	for (int i = 0; i < STORE_SESSIONS_PER_USER_MAX; i++) {
		struct record r = { .kind = RECORD_SESSION, .owner = STR("u1"), .body = STR("{}") };

		(void)snprintf(id, sizeof(id), "%p-%d", arg, i);
		r.id = str_from(id);
		if (b->ops->begin(b, NULL) < 0 || b->ops->put(b, &r, 0, &result, NULL) < 0 ||
		    b->ops->commit(b, NULL) < 0 || result != STORE_DONE)
			return scene;
	}
	return NULL;
}

/* Gateways do not wait for each other for the sake of the limit: it may be exceeded by one each, until the next login. */
static void test_one_user_at_several_gateways(void **state)
{
	struct postgres_scene scenes[GATEWAYS];
	pthread_t threads[GATEWAYS];
	uint64_t count;
	void *failed;
	struct err e = { 0 };

	for (size_t i = 0; i < GATEWAYS; i++)
		postgres_scene_open_up(&scenes[i], *state);
	for (size_t i = 0; i < GATEWAYS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, log_in, &scenes[i]), 0);
	for (size_t i = 0; i < GATEWAYS; i++) {
		assert_int_equal(pthread_join(threads[i], &failed), 0);
		assert_null(failed);
	}
	(void)postgres_scene_put(&scenes[0], "the last", "u1", 0);
	assert_int_equal(
		scenes[0].backend->ops->count(scenes[0].backend, RECORD_SESSION, &count, &e), 0);
	assert_int_equal(count, STORE_SESSIONS_PER_USER_MAX);
	for (size_t i = 0; i < GATEWAYS; i++)
		postgres_scene_close(&scenes[i]);
}

/* ---- the suite ---- */

static void reset(void *arg)
{
	(void)postgres_scene_reset(&arg);
}

static struct store_backend *open_one(void *arg)
{
	struct store_backend *b = NULL;
	struct err e = { 0 };

	if (backend_postgres_open(str_from(postgres_server_connection(arg)), &b, &e) < 0 ||
	    b->ops->wait(b, -1, 20000, &e) < 0)
		fail_msg("%s", e.text);
	return b;
}

static int run_suite(void)
{
	struct postgres_server *server = postgres_server_new();
	const struct store_backend_suite suite = {
		.name = "postgres",
		.reset = reset,
		.open = open_one,
		.arg = server,
		.is_durable = true,
		.news = STORE_BACKEND_STAMPS,
	};
	int failed = store_backend_suite_run(&suite);

	postgres_server_free(server);
	return failed;
}

#define CASE(test) cmocka_unit_test_setup(test, postgres_scene_reset)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_news_of_every_change),
		CASE(test_nothing_is_told_of_a_rollback),
		CASE(test_nonsense_is_passed_over),
		CASE(test_several_migrate_at_once),
		CASE(test_newer_schema),
		CASE(test_rights),
		CASE(test_careless_role),
		CASE(test_one_user_at_several_gateways),
	};

	if (!postgres_server_is_installed()) {
		print_message("skipped: PostgreSQL is not installed\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, postgres_scene_set_up, postgres_scene_tear_down) +
	       run_suite();
}
