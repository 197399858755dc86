/*
 * recheck_test.c - which open tunnels end, when and why; all others go on (extensions.md 4)
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "io/loop.h"
#include "proxy/change_feed.h"
#include "proxy/recheck.h"
#include "session/store.h"
#include "tests/support/clock_fake.h"
#include "tests/support/exchange_fixture.h"
#include "tests/support/stream_mem.h"

#define ROUTE(settings)                                                                            \
	"routes:\n- from: tcp+https://" FIXTURE_ROUTE "\n  to: tcp://10.0.0.5:6379\n" settings
#define ANYBODY "  allow_any_authenticated_user: true\n"
#define MEMORY  "databroker_storage_type: memory\n"

/* One open tunnel, with its far ends. */
struct open_one {
	struct exchange *x;
	struct stream *client;
	struct stream *upstream;
	char session_id[UUID_TEXT_LEN + 1];
};

static void reload(struct exchange_fixture *f, const char *settings)
{
	exchange_fixture_reload(f, settings);
	recheck_all(&f->worker);
	exchange_fixture_settle(f);
}

static struct exchange *last_exchange(struct exchange_fixture *f)
{
	return container_of(f->worker.exchanges.head.prev, struct exchange, in_worker);
}

static void begin(struct exchange_fixture *f, const struct session *session)
{
	char *token = exchange_fixture_token(f, session);

	exchange_fixture_sendf(f,
			       "CONNECT " FIXTURE_ROUTE " HTTP/1.1\r\nHost: " FIXTURE_ROUTE
			       "\r\nAuthorization: Pomerium %s\r\n\r\n",
			       token);
	mem_free_secret(token);
}

static struct open_one connected(struct exchange_fixture *f)
{
	exchange_fixture_dial_connects(f);
	assert_int_equal(f->status, 200);
	return (struct open_one){
		.x = last_exchange(f),
		.client = TAKE(f->client),
		.upstream = TAKE(f->upstream),
	};
}

static struct open_one open_with(struct exchange_fixture *f, const struct session *session)
{
	struct open_one t;

	begin(f, session);
	t = connected(f);
	memcpy(t.session_id, session->id, sizeof(t.session_id));
	return t;
}

static struct open_one open_as(struct exchange_fixture *f, const char *email)
{
	struct session *session = exchange_fixture_session(f, email, 3600);
	struct open_one t = open_with(f, session);

	session_unref(session);
	return t;
}

static void close_one(struct exchange_fixture *f, struct open_one *t)
{
	stream_close(TAKE(t->client), STREAM_CLOSE_RESET);
	stream_close(TAKE(t->upstream), STREAM_CLOSE_RESET);
	exchange_fixture_settle(f);
}

/* Bytes go through, and nothing was said about an end. Ends it then. */
static void expect_alive(struct exchange_fixture *f, struct open_one *t)
{
	char piece[64];
	ssize_t count;

	assert_int_equal(stream_write(t->client, "question", 8), 8);
	exchange_fixture_settle(f);
	count = stream_read(t->upstream, piece, sizeof(piece));
	assert_int_equal(count, 8);
	assert_memory_equal(piece, "question", 8);
	assert_null(strstr(exchange_fixture_log(f), "end-reason"));
	close_one(f, t);
}

static void expect_end(struct exchange_fixture *f, struct open_one *t, const char *reason)
{
	char wanted[64];
	const char *log = exchange_fixture_log(f);

	(void)snprintf(wanted, sizeof(wanted), "\"end-reason\":\"%s\"", reason);
	if (!strstr(log, wanted))
		fail_msg("no %s in: %s", wanted, log);
	assert_true(stream_mem_peer_was_reset(t->client));
	assert_true(stream_mem_peer_was_reset(t->upstream));
	close_one(f, t);
}

/* ---- sessions ---- */

static void test_revoked(void **state)
{
	struct exchange_fixture *f = *state;
	struct open_one ending = open_as(f, "alice@example.com");
	struct open_one same;
	struct open_one other = open_as(f, "alice@example.com");
	struct session *session = session_ref(ending.x->session);

	same = open_with(f, session);
	session_unref(session);
	assert_true(exchange_fixture_forget(f, ending.session_id));
	exchange_fixture_settle(f);
	assert_true(stream_mem_peer_was_reset(same.client));
	close_one(f, &same);
	expect_end(f, &ending, "session-revoked");
	expect_alive(f, &other);
}

/* As upkeep.c does it: a new object with the same id. */
static void renew(struct exchange_fixture *f, const struct exchange *x, const char *email,
		  int64_t life_s)
{
	struct session *old = x->session;
	struct identity who = *old->who;
	struct session_facts facts = {
		.kind = old->kind,
		.id = str_from(old->id),
		.idp_id = old->idp_id,
		.issued_unix = old->issued_unix,
		.expires_unix = old->issued_unix + life_s,
		.valid_until_unix = old->issued_unix + life_s,
	};
	struct store_call call = {
		.verb = STORE_PUT,
		.kind = RECORD_SESSION,
		.expected_version = old->record_version,
	};

	who.email = str_from(email);
	facts.who = identity_new(&who);
	memcpy(facts.credential_tag, old->credential_tag, sizeof(facts.credential_tag));
	call.item.session = session_new(&facts);
	identity_unref(facts.who);
	store_run(f->control.store, &call);
	assert_int_equal(call.result, STORE_DONE);
	store_call_done(&call);
	exchange_fixture_settle(f);
}

static void test_renewed(void **state)
{
	struct exchange_fixture *f = *state;
	struct open_one t = open_as(f, "alice@example.com");
	uint64_t version = t.x->session->record_version;

	renew(f, t.x, "alice@example.com", 7200);
	assert_true(t.x->session->record_version > version);
	assert_int_equal(t.x->session->expires_unix, FIXTURE_NOW + 7200);
	clock_fake_advance_ms(3700 * 1000);
	exchange_fixture_settle(f);
	expect_alive(f, &t);
}

/* What the provider says of somebody now counts, and not what it said at the login. */
static void test_renewed_as_somebody_who_may_not(void **state)
{
	struct exchange_fixture *f = *state;
	struct open_one t = open_as(f, "alice@example.com");

	(void)exchange_fixture_log(f);
	f->worker.snapshot->idps.global->client.provider = NULL; /* no local user has two names */
	renew(f, t.x, "mallory@example.com", 3600);
	assert_non_null(
		strstr(exchange_fixture_log(f),
		       "\"email\":\"mallory@example.com\",\"route-id\":\"ec666713d5920b8c\","
		       "\"allow\":false"));
	assert_true(stream_mem_peer_was_reset(t.client));
	close_one(f, &t);
}

static void test_expired(void **state)
{
	struct exchange_fixture *f = *state;
	struct open_one t = open_as(f, "alice@example.com");

	clock_fake_advance_ms(3599 * 1000);
	exchange_fixture_settle(f);
	assert_null(strstr(exchange_fixture_log(f), "end-reason"));
	clock_fake_advance_ms(1000);
	exchange_fixture_settle(f);
	expect_end(f, &t, "session-expired");
}

/* Steps of the wall clock are noticed, though timers run on another one. */
static void test_expired_by_a_step_of_the_clock(void **state)
{
	struct exchange_fixture *f = *state;
	struct open_one t = open_as(f, "alice@example.com");

	clock_fake_set_unix(FIXTURE_NOW + 3600);
	clock_fake_advance_ms(RECHECK_INTERVAL_MS);
	exchange_fixture_settle(f);
	expect_end(f, &t, "session-expired");
}

/* ---- sessions that are not in the index ---- */

static void tell(void *arg, const char *id)
{
	change_feed_tell(arg, id);
}

static void use_small_store(struct exchange_fixture *f)
{
	store_free(f->control.store);
	assert_int_equal(store_open(
				 &(struct store_options){
					 .type = STORE_MEMORY,
					 .shared_key = f->worker.snapshot->shared_key,
					 .index_max = 1,
					 .on_change = tell,
					 .arg = f->control.changes,
				 },
				 &f->control.store, NULL),
			 0);
	f->worker.shared.store = f->control.store;
}

static void push_out_of_index(struct exchange_fixture *f, const struct open_one *t)
{
	struct session *known;

	for (int i = 0; i < 64; i++)
		session_unref(exchange_fixture_session(f, "bob@example.com", 3600));
	known = store_find(f->control.store, str_from(t->session_id));
	assert_null(known);
}

static void test_asked_of_the_store(void **state)
{
	struct exchange_fixture *f = *state;
	struct open_one t;

	use_small_store(f);
	t = open_as(f, "alice@example.com");
	push_out_of_index(f, &t);
	reload(f, FIXTURE_SETTINGS);
	push_out_of_index(f, &t);
	clock_fake_advance_ms(RECHECK_INTERVAL_MS);
	expect_alive(f, &t);
}

static void test_gone_and_not_in_the_index(void **state)
{
	struct exchange_fixture *f = *state;
	struct open_one t;
	struct open_one other;

	use_small_store(f);
	t = open_as(f, "alice@example.com");
	other = open_as(f, "alice@example.com");
	push_out_of_index(f, &t);
	assert_true(exchange_fixture_forget(f, t.session_id));
	exchange_fixture_settle(f);
	expect_end(f, &t, "session-revoked");
	expect_alive(f, &other);
}

/* Nobody has told us: that is the case after the database was away. */
static void test_everything_may_have_changed(void **state)
{
	struct exchange_fixture *f = *state;
	struct open_one t = open_as(f, "alice@example.com");
	struct open_one other = open_as(f, "alice@example.com");

	change_feed_tell(f->control.changes, NULL);
	exchange_fixture_settle(f);
	assert_null(strstr(exchange_fixture_log(f), "end-reason"));
	use_small_store(f); /* which has none of them */
	change_feed_tell(f->control.changes, NULL);
	exchange_fixture_settle(f);
	close_one(f, &other);
	expect_end(f, &t, "session-revoked");
}

/* ---- users and routes ---- */

struct change_row {
	const char *name;
	const char *settings;
	const char *reason; /* NULL: it goes on */
};

#define USERS(entry) "local_users:\n- {" entry "}\n"
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
		struct open_one t = open_as(f, "alice@example.com");

		(void)exchange_fixture_log(f);
		reload(f, row->settings);
		if (stream_mem_peer_was_reset(t.client) != (row->reason != NULL))
			fail_msg("%s: %s", row->name, exchange_fixture_log(f));
		if (row->reason) {
			expect_end(f, &t, row->reason);
		} else {
			assert_ptr_equal(t.x->snapshot, f->worker.snapshot);
			expect_alive(f, &t);
		}
		reload(f, FIXTURE_SETTINGS);
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
	t = open_as(f, "alice@example.com");
	clock_fake_advance_ms(599 * 1000);
	exchange_fixture_settle(f);
	assert_null(strstr(exchange_fixture_log(f), "end-reason"));
	clock_fake_advance_ms(2000);
	exchange_fixture_settle(f);
	expect_end(f, &t, "policy-denied");
}

static void check_duration(struct exchange_fixture *f, const char *settings)
{
	struct open_one t;

	exchange_fixture_reload(f, settings);
	t = open_as(f, "alice@example.com");
	clock_fake_advance_ms(299 * 1000);
	exchange_fixture_settle(f);
	assert_null(strstr(exchange_fixture_log(f), "end-reason"));
	clock_fake_advance_ms(1000);
	exchange_fixture_settle(f);
	expect_end(f, &t, "duration-limit");
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

	begin(f, session);
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

	begin(f, session);
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

	begin(f, session);
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
		all[i] = open_with(f, session);
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

	reload(f, KEPT);
	assert_int_equal(alive(f), 0);
	for (size_t i = 0; i < MANY; i++)
		close_one(f, &all[i]);
	mem_free(all);
	session_unref(session);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_revoked, exchange_fixture_set_up,
						exchange_fixture_tear_down),
		cmocka_unit_test_setup_teardown(test_renewed, exchange_fixture_set_up,
						exchange_fixture_tear_down),
		cmocka_unit_test_setup_teardown(test_renewed_as_somebody_who_may_not,
						exchange_fixture_set_up,
						exchange_fixture_tear_down),
		cmocka_unit_test_setup_teardown(test_expired, exchange_fixture_set_up,
						exchange_fixture_tear_down),
		cmocka_unit_test_setup_teardown(test_expired_by_a_step_of_the_clock,
						exchange_fixture_set_up,
						exchange_fixture_tear_down),
		cmocka_unit_test_setup_teardown(test_asked_of_the_store, exchange_fixture_set_up,
						exchange_fixture_tear_down),
		cmocka_unit_test_setup_teardown(test_gone_and_not_in_the_index,
						exchange_fixture_set_up,
						exchange_fixture_tear_down),
		cmocka_unit_test_setup_teardown(test_everything_may_have_changed,
						exchange_fixture_set_up,
						exchange_fixture_tear_down),
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
