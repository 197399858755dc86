/*
 * recheck_test.c - which open tunnels end with a new configuration or in time; all others go on (extensions.md 4)
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "io/loop.h"
#include "tests/support/clock_fake.h"
#include "tests/support/stream_mem.h"
#include "tests/support/tunnel_scene.h"

/* ---- users and routes ---- */

struct change_row {
	const char *name;
	const char *settings;
	const char *reason; /* NULL: it goes on */
};

#define USERS(entry) "idp_provider: local\nlocal_users:\n- {" entry "}\n"
#define ALICE        "email: alice@example.com, id: user-1, password_hash: "
#define KEPT         FIXTURE_USERS FIXTURE_LOGIN MEMORY
#define OTHER_HASH   "$2b$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6f"

static const struct change_row change_rows[] = {
	{ "nothing", FIXTURE_SETTINGS, NULL },
	{ "another rule for the same", KEPT ROUTE(ANYBODY), NULL },
	{ "a route more",
	  FIXTURE_SETTINGS
	  "- from: tcp+https://ssh.example.com:22\n  to: tcp://10.0.0.6:22\n" ANYBODY,
	  NULL },
	{ "log level", "log_level: warn\n" FIXTURE_SETTINGS, NULL },
	{ "a target more",
	  KEPT "routes:\n- from: tcp+https://" FIXTURE_ROUTE
	       "\n  to: [tcp://10.0.0.6:6379, tcp://10.0.0.5:6379]\n" ANYBODY,
	  NULL },
	{ "nobody may", KEPT ROUTE("  allowed_users: [bob@example.com]\n"), "policy-denied" },
	{ "allowed and denied",
	  KEPT ROUTE(ANYBODY "  policy:\n  - deny:\n      and:\n"
			     "      - email: {is: alice@example.com}\n"),
	  "policy-denied" },
	{ "another target",
	  KEPT "routes:\n- from: tcp+https://" FIXTURE_ROUTE
	       "\n  to: tcp://10.0.0.6:6379\n" ANYBODY,
	  "route-removed" },
	{ "no route", KEPT, "route-removed" },
	{ "user disabled",
	  FIXTURE_LOGIN MEMORY USERS(ALICE FIXTURE_HASH ", disabled: true") ROUTE(ANYBODY),
	  "session-revoked" },
	{ "user removed",
	  FIXTURE_LOGIN MEMORY USERS("email: b@example.com, password_hash: " FIXTURE_HASH)
		  ROUTE(ANYBODY),
	  "session-revoked" },
	{ "another password", FIXTURE_LOGIN MEMORY USERS(ALICE OTHER_HASH) ROUTE(ANYBODY),
	  "session-revoked" },
	{ "another id",
	  FIXTURE_LOGIN MEMORY USERS(
		  "email: alice@example.com, id: user-9, password_hash: " FIXTURE_HASH)
		  ROUTE(ANYBODY),
	  "session-revoked" },
	{ "another name", FIXTURE_LOGIN MEMORY USERS(ALICE FIXTURE_HASH ", name: A") ROUTE(ANYBODY),
	  NULL },
	{ "group kept", KEPT ROUTE("  allowed_groups: [eng]\n"), NULL },
	{ "group taken away",
	  FIXTURE_LOGIN MEMORY USERS(ALICE FIXTURE_HASH ", groups: [x]")
		  ROUTE("  allowed_groups: [eng]\n"),
	  "policy-denied" },
	{ "off", KEPT ROUTE("  allowed_users: [bob@example.com]\n  tunnel_reauthorization: off\n"),
	  NULL },
	{ "off, and the user is disabled",
	  "tunnel_reauthorization: off\n" FIXTURE_LOGIN MEMORY USERS(
		  ALICE FIXTURE_HASH ", disabled: true") ROUTE(ANYBODY),
	  NULL },
};

static void test_changes(void **state)
{
	struct exchange_fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(change_rows); i++) {
		const struct change_row *row = &change_rows[i];
		struct open_one t = scene_open_as(f, "alice@example.com");

		(void)exchange_fixture_log(f);
		scene_reload(f, row->settings);
		if (stream_mem_peer_was_reset(t.client) != (row->reason != NULL))
			fail_msg("%s: %s", row->name, exchange_fixture_log(f));
		if (row->reason) {
			scene_expect_end(f, &t, row->reason);
		} else {
			assert_ptr_equal(t.x->snapshot, f->worker.snapshot);
			scene_expect_alive(f, &t);
		}
		scene_reload(f, FIXTURE_SETTINGS);
	}
}

/* ---- time ---- */

static void test_policy_runs_out(void **state)
{
	struct exchange_fixture *f = *state;
	struct open_one t;

	exchange_fixture_reload(f, KEPT ROUTE("  policy:\n  - allow:\n      and:\n"
					      "      - date: {before: '2026-01-01T00:10:00Z'}\n"
					      "      - email: {is: alice@example.com}\n"));
	t = scene_open_as(f, "alice@example.com");
	clock_fake_advance_ms(599 * 1000);
	exchange_fixture_settle(f);
	assert_null(strstr(exchange_fixture_log(f), "end-reason"));
	clock_fake_advance_ms(2000);
	exchange_fixture_settle(f);
	scene_expect_end(f, &t, "policy-denied");
}

static void check_duration(struct exchange_fixture *f, const char *settings)
{
	struct open_one t;

	exchange_fixture_reload(f, settings);
	t = scene_open_as(f, "alice@example.com");
	clock_fake_advance_ms(299 * 1000);
	exchange_fixture_settle(f);
	assert_null(strstr(exchange_fixture_log(f), "end-reason"));
	clock_fake_advance_ms(1000);
	exchange_fixture_settle(f);
	scene_expect_end(f, &t, "duration-limit");
}

static void test_duration_limit(void **state)
{
	check_duration(*state, KEPT ROUTE(ANYBODY "  timeout: 5m\n"));
	check_duration(*state,
		       KEPT ROUTE(ANYBODY "  timeout: 5m\n  tunnel_reauthorization: off\n"));
}

/* ---- while it is being connected ---- */

static void test_revoked_while_dialing(void **state)
{
	struct exchange_fixture *f = *state;
	struct session *session = exchange_fixture_session(f, "alice@example.com", 3600);

	scene_begin(f, session);
	assert_true(exchange_fixture_forget(f, session->id));
	exchange_fixture_dial_connects(f);
	assert_int_equal(f->status, 401);
	assert_true(
		str_equal(exchange_fixture_header(f, "x-pomerium-reason"), STR("session-unknown")));
	assert_true(list_is_empty(&f->worker.exchanges));
	session_unref(session);
}

static void test_expired_while_dialing(void **state)
{
	struct exchange_fixture *f = *state;
	struct session *session = exchange_fixture_session(f, "alice@example.com", 5);

	scene_begin(f, session);
	clock_fake_advance_ms(5000);
	exchange_fixture_dial_connects(f);
	assert_int_equal(f->status, 401);
	assert_true(
		str_equal(exchange_fixture_header(f, "x-pomerium-reason"), STR("session-expired")));
	session_unref(session);
}

static void test_denied_while_dialing(void **state)
{
	struct exchange_fixture *f = *state;
	struct session *session = exchange_fixture_session(f, "alice@example.com", 3600);

	scene_begin(f, session);
	exchange_fixture_reload(f, KEPT ROUTE("  allowed_users: [bob@example.com]\n"));
	exchange_fixture_dial_connects(f);
	assert_int_equal(f->status, 403);
	session_unref(session);
}

/* ---- many ---- */

enum { MANY = 600 };

static size_t alive(const struct exchange_fixture *f)
{
	size_t count = 0;

	LIST_FOREACH (&f->worker.exchanges, node) {
		count++;
	}
	return count;
}

/* They are asked in slices; in between some go, some come, and there is another configuration. */
static void test_two_reloads_in_a_row(void **state)
{
	struct exchange_fixture *f = *state;
	struct open_one *all = mem_alloc_array(MANY, sizeof(*all));
	struct session *session = exchange_fixture_session(f, "alice@example.com", 3600);

	for (size_t i = 0; i < MANY; i++)
		all[i] = scene_open_with(f, session);
	assert_int_equal(recheck_waiting(f->worker.recheck), 0);
	exchange_fixture_reload(f, KEPT ROUTE(ANYBODY));
	recheck_all(&f->worker);
	assert_int_equal(recheck_waiting(f->worker.recheck), MANY);
	loop_turn(f->worker.loop, false);
	assert_in_range(recheck_waiting(f->worker.recheck), 1, MANY - 1);

	exchange_abort(all[0].x, "closed-by-operator");        /* asked already */
	exchange_abort(all[MANY - 1].x, "closed-by-operator"); /* not yet */
	exchange_fixture_reload(f, KEPT ROUTE("  allowed_users: [bob@example.com]\n"));
	recheck_all(&f->worker);
	assert_int_equal(recheck_waiting(f->worker.recheck), MANY - 2);
	exchange_fixture_reload(f, FIXTURE_SETTINGS);
	recheck_all(&f->worker);
	exchange_fixture_settle(f);
	assert_int_equal(recheck_waiting(f->worker.recheck), 0);
	assert_int_equal(alive(f), MANY - 2);
	for (size_t i = 1; i < MANY - 1; i++)
		assert_ptr_equal(all[i].x->snapshot, f->worker.snapshot);

	scene_reload(f, KEPT);
	assert_int_equal(alive(f), 0);
	for (size_t i = 0; i < MANY; i++)
		scene_close(f, &all[i]);
	mem_free(all);
	session_unref(session);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_changes, exchange_fixture_set_up,
						exchange_fixture_tear_down),
		cmocka_unit_test_setup_teardown(test_policy_runs_out, exchange_fixture_set_up,
						exchange_fixture_tear_down),
		cmocka_unit_test_setup_teardown(test_duration_limit, exchange_fixture_set_up,
						exchange_fixture_tear_down),
		cmocka_unit_test_setup_teardown(test_revoked_while_dialing, exchange_fixture_set_up,
						exchange_fixture_tear_down),
		cmocka_unit_test_setup_teardown(test_expired_while_dialing, exchange_fixture_set_up,
						exchange_fixture_tear_down),
		cmocka_unit_test_setup_teardown(test_denied_while_dialing, exchange_fixture_set_up,
						exchange_fixture_tear_down),
		cmocka_unit_test_setup_teardown(test_two_reloads_in_a_row, exchange_fixture_set_up,
						exchange_fixture_tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
