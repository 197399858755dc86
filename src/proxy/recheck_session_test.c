/*
 * recheck_session_test.c - open tunnels end with their sessions, and are renewed with them (extensions.md 4)
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <pthread.h>

#include <cmocka.h>

#include "base/mem.h"
#include "io/loop.h"
#include "proxy/change_feed.h"
#include "session/store.h"
#include "tests/support/clock_fake.h"
#include "tests/support/stream_mem.h"
#include "tests/support/tunnel_scene.h"

/* ---- sessions ---- */

static void test_revoked(void **state)
{
	struct exchange_fixture *f = *state;
	struct open_one ending = scene_open_as(f, "alice@example.com");
	struct open_one same;
	struct open_one other = scene_open_as(f, "alice@example.com");
	struct session *session = session_ref(ending.x->session);

	same = scene_open_with(f, session);
	session_unref(session);
	assert_true(exchange_fixture_forget(f, ending.session_id));
	exchange_fixture_settle(f);
	assert_true(stream_mem_peer_was_reset(same.client));
	scene_close(f, &same);
	scene_expect_end(f, &ending, "session-revoked");
	scene_expect_alive(f, &other);
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
	struct open_one t = scene_open_as(f, "alice@example.com");
	uint64_t version = t.x->session->record_version;

	renew(f, t.x, "alice@example.com", 7200);
	assert_true(t.x->session->record_version > version);
	assert_int_equal(t.x->session->expires_unix, FIXTURE_NOW + 7200);
	clock_fake_advance_ms(3700 * 1000);
	exchange_fixture_settle(f);
	scene_expect_alive(f, &t);
}

/* What the provider says of somebody now counts, and not what it said at the login. */
static void test_renewed_as_somebody_who_may_not(void **state)
{
	struct exchange_fixture *f = *state;
	struct open_one t = scene_open_as(f, "alice@example.com");

	(void)exchange_fixture_log(f);
	f->worker.snapshot->idps.global->client.provider = NULL; /* no local user has two names */
	renew(f, t.x, "mallory@example.com", 3600);
	assert_non_null(
		strstr(exchange_fixture_log(f),
		       "\"email\":\"mallory@example.com\",\"route-id\":\"ec666713d5920b8c\","
		       "\"allow\":false"));
	assert_true(stream_mem_peer_was_reset(t.client));
	scene_close(f, &t);
}

static void test_expired(void **state)
{
	struct exchange_fixture *f = *state;
	struct open_one t = scene_open_as(f, "alice@example.com");

	clock_fake_advance_ms(3599 * 1000);
	exchange_fixture_settle(f);
	assert_null(strstr(exchange_fixture_log(f), "end-reason"));
	clock_fake_advance_ms(1000);
	exchange_fixture_settle(f);
	scene_expect_end(f, &t, "session-expired");
}

/* Steps of the wall clock are noticed, though timers run on another one. */
static void test_expired_by_a_step_of_the_clock(void **state)
{
	struct exchange_fixture *f = *state;
	struct open_one t = scene_open_as(f, "alice@example.com");

	clock_fake_set_unix(FIXTURE_NOW + 3600);
	clock_fake_advance_ms(RECHECK_INTERVAL_MS);
	exchange_fixture_settle(f);
	scene_expect_end(f, &t, "session-expired");
}

/* ---- sessions that are not in the index ---- */

/* Where the store's thread can be held. */
struct gate {
	pthread_mutex_t lock;
	struct change_feed *feed;
};

static void tell(void *arg, const char *id)
{
	struct gate *gate = arg;

	assert_int_equal(pthread_mutex_lock(&gate->lock), 0);
	change_feed_tell(gate->feed, id);
	assert_int_equal(pthread_mutex_unlock(&gate->lock), 0);
}

static void use_small_store(struct exchange_fixture *f, struct gate *gate)
{
	*gate = (struct gate){ .lock = PTHREAD_MUTEX_INITIALIZER, .feed = f->control.changes };
	store_free(f->control.store);
	assert_int_equal(store_open(
				 &(struct store_options){
					 .type = STORE_MEMORY,
					 .shared_key = f->worker.snapshot->shared_key,
					 .index_max = 1,
					 .on_change = tell,
					 .arg = gate,
				 },
				 &f->control.store, NULL),
			 0);
	f->worker.shared.store = f->control.store;
}

/* The gate is gone when the test ends. */
static void leave_small_store(struct exchange_fixture *f)
{
	exchange_fixture_limit_store(f, 0);
}

static bool is_in_index(struct exchange_fixture *f, const char *id)
{
	struct session *known = store_find(f->control.store, str_from(id));

	session_unref(known);
	return known;
}

/* The index is split by id: it takes one that comes into the same part. */
static void push_out_of_index(struct exchange_fixture *f, const struct open_one *t)
{
	for (int i = 0; i < STORE_SESSIONS_PER_USER_MAX && is_in_index(f, t->session_id); i++)
		session_unref(exchange_fixture_session(f, "bob@example.com", 3600));
	assert_false(is_in_index(f, t->session_id));
}

static void test_asked_of_the_store(void **state)
{
	struct exchange_fixture *f = *state;
	struct gate gate;
	struct open_one t;

	use_small_store(f, &gate);
	t = scene_open_as(f, "alice@example.com");
	push_out_of_index(f, &t);
	scene_reload(f, FIXTURE_SETTINGS);
	push_out_of_index(f, &t);
	clock_fake_advance_ms(RECHECK_INTERVAL_MS);
	scene_expect_alive(f, &t);
	leave_small_store(f);
}

static void test_gone_and_not_in_the_index(void **state)
{
	struct exchange_fixture *f = *state;
	struct gate gate;
	struct open_one t;
	struct open_one other;

	use_small_store(f, &gate);
	t = scene_open_as(f, "alice@example.com");
	other = scene_open_as(f, "alice@example.com");
	push_out_of_index(f, &t);
	assert_true(exchange_fixture_forget(f, t.session_id));
	exchange_fixture_settle(f);
	scene_expect_end(f, &t, "session-revoked");
	scene_expect_alive(f, &other);
	leave_small_store(f);
}

static void remove_done(struct store_call *call)
{
}

static void begin_removal(struct exchange_fixture *f, struct store_call *call,
			  const struct session *session)
{
	*call = (struct store_call){
		.verb = STORE_REMOVE,
		.kind = RECORD_SESSION,
		.on_done = remove_done,
	};
	memcpy(call->key, session->id, sizeof(session->id));
	store_start(f->control.store, call);
}

/*
 * News join a message that was posted before the answer of the store, which says what was true when it was asked: the message comes
 * first, and the answer must not count.
 */
static void test_news_overtake_an_answer(void **state)
{
	struct exchange_fixture *f = *state;
	struct store_call removal;
	struct session *other;
	struct open_one t;
	struct gate gate;

	use_small_store(f, &gate);
	t = scene_open_as(f, "alice@example.com");
	other = exchange_fixture_session(f, "bob@example.com", 3600);
	push_out_of_index(f, &t);

	assert_int_equal(pthread_mutex_lock(&gate.lock), 0);
	begin_removal(f, &removal,
		      other); /* its news wait at the gate, and all that is asked behind them */
	recheck_session_changed(&f->worker, str_from(t.session_id));
	while (f->worker.asks == 0)
		loop_turn(f->worker.loop, false);
	change_feed_tell(f->control.changes, "somebody");
	assert_int_equal(pthread_mutex_unlock(&gate.lock), 0);
	assert_true(exchange_fixture_forget(f, t.session_id));

	exchange_fixture_settle(f);
	scene_expect_end(f, &t, "session-revoked");
	store_call_done(&removal);
	session_unref(other);
	leave_small_store(f);
}

/* Nobody has told us: that is the case after the database was away. */
static void test_everything_may_have_changed(void **state)
{
	struct exchange_fixture *f = *state;
	struct open_one t = scene_open_as(f, "alice@example.com");
	struct open_one other = scene_open_as(f, "alice@example.com");

	change_feed_tell(f->control.changes, NULL);
	exchange_fixture_settle(f);
	assert_null(strstr(exchange_fixture_log(f), "end-reason"));
	exchange_fixture_limit_store(f, 0); /* another one, which has none of them */
	change_feed_tell(f->control.changes, NULL);
	exchange_fixture_settle(f);
	scene_close(f, &other);
	scene_expect_end(f, &t, "session-revoked");
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
		cmocka_unit_test_setup_teardown(test_news_overtake_an_answer,
						exchange_fixture_set_up,
						exchange_fixture_tear_down),
		cmocka_unit_test_setup_teardown(test_everything_may_have_changed,
						exchange_fixture_set_up,
						exchange_fixture_tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
