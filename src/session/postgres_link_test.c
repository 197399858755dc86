#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "session/postgres_query.h"
#include "tests/support/postgres_scene.h"

/* ---- connection strings ---- */

static void test_no_connection_string(void **state)
{
	static const char *const strings[] = {
		"",
		"geheim",
		"host=db.example password=geheim heim",
		"host=db.example passwort=geheim",
		"host=db.example password='geheim",
		"postgresql://gateway:geheim@geheim@db.example/pomerium",
		"postgresql://gateway:geheim/geheim@db.example/pomerium",
		"postgresql://gateway:geheim%zz@db.example/pomerium",
		"postgresql://gateway@db.example/pomerium?geheim=1",
		"postgresql://gateway:geheim@db.example:port/pomerium",
	};

	for (size_t i = 0; i < ARRAY_LEN(strings); i++) {
		struct store_backend *b = NULL;
		struct err e = { 0 };

		if (backend_postgres_open(str_from(strings[i]), &b, &e) == 0)
			fail_msg("accepted: %s", strings[i]);
		assert_null(b);
		assert_int_equal(e.kind, ERR_CONFIG);
		assert_null(strstr(e.text, "geheim"));
		assert_non_null(strstr(e.text, "connection string"));
	}
}

static void test_connection_string(void **state)
{
	static const char *const strings[] = {
		"host=db.example",
		"host=/run/postgresql dbname=pomerium",
		"postgresql://gateway:ge%40heim%2F@db.example/pomerium",
		"postgresql://gateway:ge?heim#1@db.example/pomerium",
		"postgres://gateway@a.example:5432,b.example:5433/pomerium?sslmode=verify-full",
		"postgresql:///pomerium?host=/run/postgresql",
		"host=db.example password='ge@heim/'",
	};

	for (size_t i = 0; i < ARRAY_LEN(strings); i++) {
		struct store_backend *b = NULL;
		struct err e = { 0 };

		if (backend_postgres_open(str_from(strings[i]), &b, &e) < 0)
			fail_msg("%s: %s", strings[i], e.text);
		assert_int_equal(b->server_version, 0);
		assert_int_equal(b->ops->begin(b, &e), -1);
		assert_string_equal(e.text, "PostgreSQL: not connected yet");
		b->ops->rollback(b);
		b->ops->close(b);
	}
}

/* ---- servers that are not there, or say no ---- */

static void test_wrong_password(void **state)
{
	struct postgres_scene a;
	struct err e = { 0 };
	char connection[400];

	(void)snprintf(connection, sizeof(connection),
		       "host=%s user=locked password=geheim dbname=postgres",
		       postgres_server_directory(*state));
	postgres_scene_open(&a, *state, connection);
	postgres_scene_wait_away(&a, &e);
	assert_non_null(strstr(e.text, "password authentication failed for user \"locked\""));
	assert_non_null(strstr(e.text, postgres_server_directory(*state)));
	assert_non_null(strstr(e.text, "database postgres"));
	assert_null(strstr(e.text, "geheim"));
	assert_null(strchr(e.text, '\n'));
	postgres_scene_close(&a);
}

static void test_no_server(void **state)
{
	struct postgres_scene a;
	struct err e = { 0 };

	postgres_scene_open(&a, *state, "host=/nonexistent user=postgres dbname=pomerium");
	postgres_scene_wait_away(&a, &e);
	assert_string_equal(e.text, "PostgreSQL at /nonexistent, database pomerium:"
				    " No such file or directory");
	/* A pause, then the next attempt; and the next. */
	for (int i = 0; i < 3; i++)
		postgres_scene_wait_away(&a, &e);
	postgres_scene_close(&a);
}

static void test_no_database(void **state)
{
	struct postgres_scene a;
	struct err e = { 0 };
	char connection[400];

	(void)snprintf(connection, sizeof(connection), "host=%s user=postgres dbname=missing",
		       postgres_server_directory(*state));
	postgres_scene_open(&a, *state, connection);
	postgres_scene_wait_away(&a, &e);
	assert_non_null(strstr(e.text, "database \"missing\" does not exist"));
	postgres_scene_close(&a);
}

/* A port where connections wait for ever. */
static int listen_silently(char *connection, size_t size)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
	assert_int_equal(listen(fd, 16), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
	(void)snprintf(connection, size, "host=127.0.0.1 port=%u user=x dbname=pomerium",
		       ntohs(address.sin_port));
	return fd;
}

static enum postgres_link_state state_of(const struct postgres_scene *scene)
{
	return container_of(scene->backend, struct postgres_backend, backend)->link.state;
}

/* The first attempt may take its time; later ones are not waited for when there is something to do. */
static void test_silent_server(void **state)
{
	struct postgres_scene a;
	const uint64_t one = 1;
	struct err e = { 0 };
	char connection[400];
	int fd = listen_silently(connection, sizeof(connection));
	int wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	postgres_scene_open(&a, *state, connection);
	assert_int_equal(a.backend->ops->wait(a.backend, wake_fd, 0, &e), -1);
	assert_int_equal(e.kind, ERR_TIMEOUT);
	assert_string_equal(e.text,
			    "PostgreSQL at 127.0.0.1, database pomerium: no answer within 5 s");

	while (state_of(&a) != POSTGRES_CONNECTING)
		assert_int_equal(a.backend->ops->wait(a.backend, wake_fd, 10, &e), -1);
	assert_int_equal(write(wake_fd, &one, sizeof(one)), sizeof(one));
	e = (struct err){ 0 };
	assert_int_equal(a.backend->ops->wait(a.backend, wake_fd, -1, &e), -1);
	assert_int_equal(e.kind, ERR_TIMEOUT); /* of the first */
	assert_int_equal(state_of(&a), POSTGRES_CONNECTING);
	assert_int_equal(a.backend->ops->begin(a.backend, &e), -1);
	postgres_scene_close(&a);
	(void)close(wake_fd);
	(void)close(fd);
}

/* ---- servers that go away ---- */

/* Also for who does not want to wait. */
static void test_first_attempt_is_waited_for(void **state)
{
	struct postgres_scene a;
	struct err e = { 0 };

	postgres_scene_open(&a, *state, NULL);
	assert_int_equal(a.backend->ops->wait(a.backend, -1, 0, &e), 0);
	assert_true(a.backend->server_version > 0);
	postgres_scene_close(&a);
}

static void test_restart(void **state)
{
	struct postgres_scene a, b;
	struct err e = { 0 };
	uint64_t version;

	postgres_scene_open_up(&a, *state);
	postgres_scene_open_up(&b, *state);
	version = postgres_scene_put(&a, "s1", "u1", 0);
	postgres_scene_wait_change(&b);
	postgres_server_crash(*state);
	postgres_scene_wait_away(&a, &e);
	assert_non_null(strstr(e.text, "database postgres: "));
	e = (struct err){ 0 };
	assert_int_equal(a.backend->ops->begin(a.backend, &e), -1);
	assert_non_null(strstr(e.text, "database postgres: "));
	a.backend->ops->rollback(a.backend);
	postgres_scene_wait_away(&b, &e);

	postgres_server_start(*state);
	postgres_scene_wait_up(&a);
	postgres_scene_wait_up(&b);
	assert_int_equal(a.gaps, 1);
	assert_int_equal(b.gaps, 1);
	assert_int_equal(postgres_scene_get(&a, "s1"), version);
	version = postgres_scene_put(&a, "s1", "u1", version);
	postgres_scene_wait_change(&b);
	assert_int_equal(b.last_version, version);
	postgres_scene_close(&a);
	postgres_scene_close(&b);
}

/* Noticed by a call, not by waiting: what it was about is not done, and all is compared afterwards. */
static void test_lost_in_a_transaction(void **state)
{
	struct postgres_scene a;
	struct record r = { .kind = RECORD_SESSION, .id = STR("s1"), .owner = STR("u1") };
	enum store_result result;
	struct err e = { 0 };

	postgres_scene_open_up(&a, *state);
	assert_int_equal(a.backend->ops->begin(a.backend, &e), 0);
	assert_int_equal(a.backend->ops->put(a.backend, &r, 0, &result, &e), 0);
	(void)postgres_server_run(*state,
				  "SELECT count(pg_terminate_backend(pid, 10000))"
				  " FROM pg_stat_activity WHERE application_name = 'pomerium'");
	assert_int_equal(a.backend->ops->commit(a.backend, &e), -1);
	assert_non_null(strstr(e.text, "terminating connection due to administrator command"));
	assert_int_equal(a.backend->ops->begin(a.backend, &e), -1);
	a.backend->ops->rollback(a.backend);
	postgres_scene_wait_up(&a);
	assert_int_equal(a.gaps, 1);
	assert_int_equal(postgres_scene_get(&a, "s1"), 0);
	(void)postgres_scene_put(&a, "s1", "u1", 0);
	postgres_scene_close(&a);
}

static void *wait_until_away(void *arg)
{
	struct postgres_scene *scene = arg;
	struct err e = { 0 };

	while (scene->backend->ops->wait(scene->backend, -1, -1, &e) == 0)
		;
	return e.kind == ERR_TIMEOUT ? NULL : scene;
}

#define PIDS "SELECT %s(pid) FROM pg_stat_activity WHERE application_name = 'pomerium'"

/* The server's processes behind two backends. */
static void signal_both(struct postgres_server *server, int signal)
{
	const char *const picks[] = { "min", "max" };
	char sql[200];

	for (size_t i = 0; i < ARRAY_LEN(picks); i++) {
		(void)snprintf(sql, sizeof(sql), PIDS, picks[i]);
		assert_int_equal(kill((pid_t)postgres_server_run(server, sql), signal), 0);
	}
}

/* The server's processes stand still: neither an answer nor an end. One is asked something, the other is not. */
static void test_frozen_server(void **state)
{
	struct postgres_scene a, b;
	pthread_t thread;
	uint64_t count;
	void *failed;
	struct err e = { 0 };

	postgres_scene_open_up(&a, *state);
	postgres_scene_open_up(&b, *state);
	signal_both(*state, SIGSTOP);
	assert_int_equal(pthread_create(&thread, NULL, wait_until_away, &b), 0);
	assert_int_equal(a.backend->ops->count(a.backend, RECORD_SESSION, &count, &e), -1);
	assert_int_equal(e.kind, ERR_TIMEOUT);
	assert_non_null(strstr(e.text, "no answer within 5 s"));
	assert_int_equal(pthread_join(thread, &failed), 0);
	assert_null(failed);
	signal_both(*state, SIGCONT);
	postgres_scene_wait_up(&a);
	assert_int_equal(a.gaps, 1);
	assert_int_equal(a.backend->ops->count(a.backend, RECORD_SESSION, &count, &e), 0);
	postgres_scene_wait_up(&b);
	assert_int_equal(b.gaps, 1);
	postgres_scene_close(&a);
	postgres_scene_close(&b);
}

/* ---- a server that refuses a statement ---- */

/* The connection stays: the transaction is gone, nothing was missed, and wait() says that all is well. */
static void test_refused_statement(void **state)
{
	struct postgres_scene a;
	struct record r = { .kind = RECORD_SESSION, .id = STR("s1"), .owner = STR("u1") };
	enum store_result result;
	struct err e = { 0 };

	postgres_scene_open_up(&a, *state);
	(void)postgres_server_run(*state,
				  "ALTER TABLE pomerium.records ADD CHECK (owner <> 'u1'::bytea)");
	assert_int_equal(a.backend->ops->begin(a.backend, &e), 0);
	assert_int_equal(a.backend->ops->put(a.backend, &r, 0, &result, &e), -1);
	assert_non_null(strstr(e.text, "violates check constraint"));
	assert_non_null(strstr(e.text, "(23514)"));
	assert_int_equal(a.backend->ops->commit(a.backend, &e), -1);
	assert_int_equal(a.backend->ops->wait(a.backend, -1, -1, &e), 0);
	(void)postgres_scene_put(&a, "s1", "u2", 0);

	assert_int_equal(a.backend->ops->begin(a.backend, &e), 0);
	assert_int_equal(a.backend->ops->put(a.backend, &r, 1, &result, &e), 0);
	assert_int_equal(result, STORE_CONFLICT);
	r.version = 0;
	assert_int_equal(
		a.backend->ops->put(a.backend, &r, postgres_scene_get(&a, "s1"), &result, &e), -1);
	a.backend->ops->rollback(a.backend);
	assert_int_equal(a.backend->ops->wait(a.backend, -1, -1, &e), 0);
	assert_int_equal(r.version, 0);
	(void)postgres_scene_put(&a, "s2", "u2", 0);
	assert_int_equal(a.gaps, 0);
	postgres_scene_close(&a);
}

#define CASE(test) cmocka_unit_test_setup(test, postgres_scene_reset)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_no_connection_string),
		CASE(test_connection_string),
		CASE(test_wrong_password),
		CASE(test_no_server),
		CASE(test_no_database),
		CASE(test_silent_server),
		CASE(test_first_attempt_is_waited_for),
		CASE(test_restart),
		CASE(test_lost_in_a_transaction),
		CASE(test_frozen_server),
		CASE(test_refused_statement),
	};

	if (!postgres_server_is_installed()) {
		print_message("skipped: PostgreSQL is not installed\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, postgres_scene_set_up, postgres_scene_tear_down);
}
