#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "base/mem.h"
#include "tests/support/store_support.h"

#define SHARED_KEY STR("0123456789abcdef0123456789abcdef")

/* What on_change was told; it runs on the store's thread, and only while store_run() waits for it. */
struct changes {
	struct store *store;
	char last[STORE_KEY_MAX + 1];
	size_t count;
	bool was_known; /* in the index when it was told */
};

static void on_change(void *arg, const char *id)
{
	struct changes *c = arg;
	struct session *known = store_find(c->store, str_from(id));

	c->was_known = known;
	session_unref(known);
	(void)snprintf(c->last, sizeof(c->last), "%s", id);
	c->count++;
}

static struct store *open_watched(struct changes *c, size_t index_max)
{
	const struct store_options options = {
		.type = STORE_MEMORY,
		.shared_key = SHARED_KEY,
		.index_max = index_max,
		.records_max = 2000,
		.on_change = on_change,
		.arg = c,
	};
	struct err e;

	*c = (struct changes){ 0 };
	assert_int_equal(store_open(&options, &c->store, &e), 0);
	return c->store;
}

static bool knows(struct store *store, const char *id)
{
	struct session *s = store_find(store, str_from(id));
	bool is_known = s;

	if (s)
		assert_string_equal(s->id, id);
	session_unref(s);
	return is_known;
}

static void test_life_of_a_session(void **state)
{
	struct changes c;
	struct store *store = open_watched(&c, 0);
	struct session *s = store_support_session("u1", 2000);
	struct session *got;
	char id[UUID_TEXT_LEN + 1];

	memcpy(id, s->id, sizeof(id));
	assert_null(store_find(store, str_from(id)));
	assert_null(store_support_get(store, id));
	store_support_put(store, s, NULL);
	assert_int_not_equal(s->record_version, 0);
	assert_int_equal(c.count, 0); /* nobody can have known it before */
	got = store_find(store, str_from(id));
	assert_ptr_equal(got, s);
	session_unref(got);
	got = store_support_get(store, id);
	assert_true(str_equal(got->who->user_id, STR("u1")));
	assert_int_equal(got->record_version, s->record_version);
	session_unref(got);
	assert_int_equal(store_index_size(store), 1);

	assert_true(store_support_remove(store, id));
	assert_int_equal(c.count, 1);
	assert_string_equal(c.last, id);
	assert_false(c.was_known);
	assert_null(store_find(store, str_from(id)));
	assert_false(store_support_remove(store, id));
	assert_int_equal(c.count, 1);
	assert_int_equal(store_index_size(store), 0);
	assert_string_equal(s->id, id); /* this reference outlives the record */
	session_unref(s);
	store_free(store);
	store_free(NULL);
}

static struct session *again(struct session *s, int64_t expires_unix)
{
	return session_new(&(struct session_facts){
		.id = str_from(s->id), .who = s->who, .expires_unix = expires_unix });
}

static enum store_result replace(struct store *store, struct session *s, uint64_t expected)
{
	struct store_call call = { .verb = STORE_PUT, .expected_version = expected };

	call.kind = RECORD_SESSION;
	call.item.session = session_ref(s);
	store_run(store, &call);
	store_call_done(&call);
	return call.result;
}

static void test_replacing(void **state)
{
	struct changes c;
	struct store *store = open_watched(&c, 0);
	struct session *first = store_support_session("u1", 2000);
	struct session *second = again(first, 3000);
	struct session *third = again(first, 4000);
	struct session *got;

	assert_int_equal(replace(store, first, 5), STORE_ABSENT);
	store_support_put(store, first, NULL);
	assert_int_equal(replace(store, second, 0), STORE_CONFLICT);
	assert_int_equal(replace(store, second, first->record_version), STORE_DONE);
	assert_int_equal(c.count, 1);
	assert_string_equal(c.last, first->id);
	assert_true(c.was_known);
	assert_int_equal(replace(store, third, first->record_version), STORE_CONFLICT);
	assert_int_equal(third->record_version, 0);
	assert_int_equal(c.count, 1);
	got = store_find(store, str_from(first->id));
	assert_ptr_equal(got, second);
	assert_true(got->record_version > first->record_version);
	session_unref(got);
	assert_int_equal(store_index_size(store), 1);
	session_unref(first);
	session_unref(second);
	session_unref(third);
	store_free(store);
}

/* What the index has forgotten is in the store, and in the index again once it was read. */
static void test_forgotten_is_not_lost(void **state)
{
	struct changes c;
	struct store *store = open_watched(&c, 16);
	char ids[200][UUID_TEXT_LEN + 1];
	size_t known = 0;

	for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
		struct session *s = store_support_session("u1", 2000);

		store_support_put(store, s, NULL);
		memcpy(ids[i], s->id, sizeof(s->id));
		session_unref(s);
	}
	assert_in_range(store_index_size(store), 1, 16);
	for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
		struct session *s = store_support_get(store, ids[i]);

		assert_string_equal(s->id, ids[i]);
		session_unref(s);
		assert_true(knows(store, ids[i]));
	}
	for (size_t i = 0; i < ARRAY_LEN(ids); i++)
		known += knows(store, ids[i]);
	assert_int_equal(known, store_index_size(store));
	assert_in_range(known, 1, 16);
	assert_int_equal(c.count, 0);
	store_free(store);
}

static void test_oldest_of_a_user_goes(void **state)
{
	struct changes c;
	struct store *store = open_watched(&c, 0);
	char first[UUID_TEXT_LEN + 1] = "";

	for (size_t i = 0; i <= STORE_SESSIONS_PER_USER_MAX; i++) {
		struct session *s = store_support_session("u1", 2000);

		assert_int_equal(c.count, 0);
		if (i == 0)
			memcpy(first, s->id, sizeof(first));
		store_support_put(store, s, NULL);
		session_unref(s);
	}
	assert_int_equal(c.count, 1);
	assert_string_equal(c.last, first);
	assert_false(c.was_known);
	assert_false(knows(store, first));
	assert_null(store_support_get(store, first));
	assert_int_equal(store_support_count(store, RECORD_SESSION), STORE_SESSIONS_PER_USER_MAX);
	assert_int_equal(store_index_size(store), STORE_SESSIONS_PER_USER_MAX);
	store_free(store);
}

static void test_full(void **state)
{
	const struct store_options options = { .type = STORE_MEMORY, .records_max = 1 };
	struct session *first = store_support_session("u1", 2000);
	struct store_call call = { .verb = STORE_PUT, .kind = RECORD_SESSION };
	struct store *store;
	struct err e;

	assert_int_equal(store_open(&options, &store, &e), 0);
	store_support_put(store, first, NULL);
	call.item.session = store_support_session("u2", 2000);
	store_run(store, &call);
	assert_int_equal(call.result, STORE_FULL);
	assert_string_equal(call.error.text, "the session store is full");
	assert_false(knows(store, call.item.session->id));
	assert_true(store_support_remove(store, first->id));
	store_run(store, &call); /* the item is still the caller's */
	assert_int_equal(call.result, STORE_DONE);
	assert_true(knows(store, call.item.session->id));
	store_call_done(&call);
	session_unref(first);
	store_free(store);
}

static void test_what_cannot_be_kept(void **state)
{
	struct store *store = store_support_open_memory();
	char user[STORE_KEY_MAX + 2];
	struct session *s;

	memset(user, 'u', sizeof(user) - 1);
	user[sizeof(user) - 1] = '\0';
	s = store_support_session(user, 2000);
	assert_int_equal(replace(store, s, 0), STORE_FULL);
	session_unref(s);
	s = store_support_session("\xff", 2000);
	assert_int_equal(replace(store, s, 0), STORE_FULL);
	session_unref(s);
	assert_null(store_support_get(store, "\xff\xfe"));
	assert_false(store_support_remove(store, "\xc3"));
	assert_null(store_support_get(store, ""));
	store_free(store);
}

static void test_list(void **state)
{
	struct store *store = store_support_open_memory();
	struct store_call call = { .verb = STORE_LIST, .kind = RECORD_SESSION };
	char before[STORE_KEY_MAX + 1] = "";
	size_t count = 0;

	for (int i = 0; i < 2 * STORE_LIST_MAX; i++) {
		char user[16];
		struct session *s;

		(void)snprintf(user, sizeof(user), "u%d", i % 3);
		s = store_support_session(user, 2000);
		store_support_put(store, s, NULL);
		session_unref(s);
	}
	for (int page = 0; page < 2; page++) {
		store_run(store, &call);
		assert_int_equal(call.found_count, STORE_LIST_MAX);
		assert_int_equal(call.has_more, page == 0);
		for (size_t i = 0; i < call.found_count; i++) {
			assert_true(strcmp(before, call.found[i].session->id) < 0);
			(void)snprintf(before, sizeof(before), "%s", call.found[i].session->id);
		}
		assert_string_equal(call.key, before);
		store_call_done(&call);
	}
	call = (struct store_call){ .verb = STORE_LIST, .kind = RECORD_SESSION, .owner = "u2" };
	store_run(store, &call);
	count = call.found_count;
	assert_false(call.has_more);
	for (size_t i = 0; i < count; i++)
		assert_true(str_equal(call.found[i].session->who->user_id, STR("u2")));
	assert_int_equal(count, 2 * STORE_LIST_MAX / 3);
	store_call_done(&call);
	store_free(store);
}

static void test_service_account(void **state)
{
	struct store *store = store_support_open_memory();
	struct identity *who = identity_new(&(struct identity){ .user_id = STR("robot") });
	struct session *s = session_new(&(struct session_facts){
		.kind = SESSION_SERVICE_ACCOUNT, .who = who, .description = STR("for \"CI\"") });
	struct session *got;

	store_support_put(store, s, NULL);
	assert_true(knows(store, s->id));
	got = store_support_get(store, s->id);
	assert_int_equal(got->kind, SESSION_SERVICE_ACCOUNT);
	assert_true(str_equal(got->description, STR("for \"CI\"")));
	assert_false(session_is_expired(got, INT64_MAX));
	assert_int_equal(store_support_count(store, RECORD_SESSION), 0);
	assert_int_equal(store_support_count(store, RECORD_SERVICE_ACCOUNT), 1);
	store_support_purge(store, INT64_MAX);
	assert_true(store_support_remove(store, s->id));
	session_unref(got);
	session_unref(s);
	identity_unref(who);
	store_free(store);
}

static void test_claim(void **state)
{
	const struct session_secrets secrets = {
		.access_token = STR("access"),
		.refresh_token = STR("refresh"),
		.access_expires_unix = 1500,
		.refreshed_unix = 1000,
	};
	struct store *store = store_support_open_memory();
	struct session *due = store_support_session("u1", 9000);
	struct session *local = store_support_session("u1", 9000);
	struct store_call call = { .verb = STORE_CLAIM, .now_unix = 1439 };

	store_support_put(store, due, &secrets);
	store_support_put(store, local, NULL);
	store_run(store, &call);
	assert_int_equal(call.found_count, 0);
	store_call_done(&call);
	call.now_unix = 1440;
	store_run(store, &call);
	assert_int_equal(call.found_count, 1);
	assert_string_equal(call.found[0].session->id, due->id);
	assert_int_equal(call.found[0].session->record_version, due->record_version);
	assert_true(str_equal(call.found[0].secrets->refresh_token, STR("refresh")));
	store_call_done(&call);
	store_run(store, &call);
	assert_int_equal(call.found_count, 0);
	store_call_done(&call);
	call.now_unix = 1440 + STORE_CLAIM_S; /* whoever had it is gone */
	store_run(store, &call);
	assert_int_equal(call.found_count, 1);
	store_call_done(&call);
	session_unref(due);
	session_unref(local);
	store_free(store);
}

static void test_purge(void **state)
{
	struct changes c;
	struct store *store = open_watched(&c, 0);
	struct store_call call = { .verb = STORE_PURGE, .now_unix = 2000 };
	struct session *late = store_support_session("late", 2001);

	for (int i = 0; i < 1100; i++) {
		char user[16];
		struct session *s;

		(void)snprintf(user, sizeof(user), "u%d", i % 7);
		s = store_support_session(user, 2000);
		store_support_put(store, s, NULL);
		session_unref(s);
	}
	store_support_put(store, late, NULL);
	call.now_unix = 1999;
	store_run(store, &call);
	assert_false(call.has_more);
	assert_int_equal(c.count, 0);
	call.now_unix = 2000;
	store_run(store, &call);
	assert_true(call.has_more);
	assert_int_equal(c.count, 1000);
	store_run(store, &call);
	assert_false(call.has_more);
	assert_int_equal(c.count, 1100);
	assert_int_equal(store_index_size(store), 1);
	assert_true(knows(store, late->id));
	session_unref(late);
	store_free(store);
}

static void test_device_login(void **state)
{
	struct changes c;
	struct store *store = open_watched(&c, 0);
	struct device_login facts = { .created_unix = 1000, .expires_unix = 1600 };
	struct store_call call = { .verb = STORE_PUT, .kind = RECORD_DEVICE_LOGIN };

	device_code_hash(STR("code"), facts.hash);
	device_user_code_new(facts.user_code);
	call.item.device = device_login_new(&facts);
	store_run(store, &call);
	assert_int_equal(call.result, STORE_DONE);
	assert_int_not_equal(call.item.device->record_version, 0);
	store_call_done(&call);
	assert_int_equal(store_index_size(store), 0);

	call = (struct store_call){ .verb = STORE_LIST, .kind = RECORD_DEVICE_LOGIN };
	memcpy(call.owner, facts.user_code, sizeof(facts.user_code));
	store_run(store, &call);
	assert_int_equal(call.found_count, 1);
	assert_string_equal(call.found[0].device->hash, facts.hash);
	store_call_done(&call);

	call = (struct store_call){ .verb = STORE_REMOVE, .kind = RECORD_DEVICE_LOGIN };
	memcpy(call.key, facts.hash, sizeof(facts.hash));
	store_run(store, &call);
	assert_int_equal(call.result, STORE_DONE);
	assert_string_equal(call.item.device->user_code, facts.user_code);
	store_call_done(&call);
	store_run(store, &call);
	assert_int_equal(call.result, STORE_ABSENT); /* a code is good once */
	assert_int_equal(c.count, 0);
	store_free(store);
}

/* What was sealed under the key before is closed for good; what has no secrets is as it was. */
static void test_another_shared_key(void **state)
{
	const struct session_secrets secrets = { .access_token = STR("access"),
						 .refresh_token = STR("refresh"),
						 .access_expires_unix = 1500 };
	struct store *store = store_support_open_memory();
	struct session *before = store_support_session("u1", 9000);
	struct session *local = store_support_session("u1", 9000);
	struct session *after = store_support_session("u1", 9000);
	struct store_call call = { .verb = STORE_CLAIM, .now_unix = 1440 };

	store_support_put(store, before, &secrets);
	store_support_put(store, local, NULL);
	store_set_shared_key(store, STR("another key of thirty-two bytes."));
	store_support_put(store, after, &secrets);
	store_run(store, &call);
	assert_int_equal(call.found_count, 1);
	assert_string_equal(call.found[0].session->id, after->id);
	store_call_done(&call);
	call = (struct store_call){ .verb = STORE_GET, .kind = RECORD_SESSION };
	(void)snprintf(call.key, sizeof(call.key), "%s", local->id);
	store_run(store, &call);
	assert_int_equal(call.result, STORE_DONE);
	store_call_done(&call);
	session_unref(before);
	session_unref(local);
	session_unref(after);
	store_free(store);
}

static void test_server_version(void **state)
{
	struct store *store = store_support_open_memory();
	struct store *other = store_support_open_memory();
	struct err e;

	assert_in_range(store_server_version(store), 1, INT64_MAX);
	assert_int_not_equal(store_server_version(store), store_server_version(other));
	assert_true(store_is_available(store, &e));
	store_free(store);
	store_free(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_life_of_a_session),
		cmocka_unit_test(test_replacing),
		cmocka_unit_test(test_forgotten_is_not_lost),
		cmocka_unit_test(test_oldest_of_a_user_goes),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_what_cannot_be_kept),
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_service_account),
		cmocka_unit_test(test_claim),
		cmocka_unit_test(test_purge),
		cmocka_unit_test(test_device_login),
		cmocka_unit_test(test_another_shared_key),
		cmocka_unit_test(test_server_version),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
