/*
 * What is full, and what belongs to no row.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <unistd.h>

#include "tests/support/store_backend_scene.h"

/* ---- limits ---- */

/* Sessions of owner in one transaction, the first one the youngest. */
static void add_many(struct scene *s, const char *owner, size_t count)
{
	scene_begin(s->a);
	for (size_t i = 0; i < count; i++) {
		enum store_result result;
		struct record record;
		char id[32];
		struct err e;

		(void)snprintf(id, sizeof(id), "%s-%zu", owner, i);
		record = scene_record(id);
		record.owner = str_from(owner);
		record.created_unix = 10000 - (int64_t)i;
		assert_int_equal(s->a->ops->put(s->a, &record, 0, &result, &e), 0);
		assert_int_equal(result, STORE_DONE);
	}
	scene_commit(s->a);
}

static void test_oldest_of_a_user_goes(void **state)
{
	struct scene *s = *state;
	struct record other = scene_record("other");
	struct record account = scene_record("account");
	struct record record = scene_record("new");
	char oldest[32];

	other.owner = STR("u2");
	account.kind = RECORD_SERVICE_ACCOUNT;
	(void)snprintf(oldest, sizeof(oldest), "u1-%d", STORE_SESSIONS_PER_USER_MAX - 1);
	scene_add(s->a, &other);
	scene_add(s->a, &account);
	add_many(s, "u1", STORE_SESSIONS_PER_USER_MAX);
	assert_int_equal(s->news_a.stamp_count, 0);
	record.created_unix = 20000;
	scene_add(s->a, &record);
	assert_false(scene_has(s, s->a, oldest));
	assert_int_equal(s->news_a.stamp_count, 1);
	assert_int_equal(s->news_a.stamps[0].kind, RECORD_SESSION);
	assert_true(str_equal(s->news_a.stamps[0].id, str_from(oldest)));
	assert_int_equal(s->news_a.stamps[0].version, 0);

	/* What is no new session of his replaces nothing. */
	assert_int_equal(scene_put(s->a, &record, record.version), STORE_DONE);
	assert_int_equal(scene_put(s->a, &record, 0), STORE_CONFLICT);
	account.id = STR("account-2");
	scene_add(s->a, &account);
	other.id = STR("other-2");
	scene_add(s->a, &other);
	assert_int_equal(s->news_a.stamp_count, 1);
	assert_int_equal(scene_count(s->a, RECORD_SESSION), STORE_SESSIONS_PER_USER_MAX + 2);
	assert_int_equal(scene_count(s->a, RECORD_SERVICE_ACCOUNT), 2);
}

static void test_full(void **state)
{
	struct scene *s = *state;
	struct record first = scene_record("first");
	struct record account = scene_record("account");
	struct record third = scene_record("third");

	s->a->records_max = 2;
	account.kind = RECORD_SERVICE_ACCOUNT;
	scene_add(s->a, &first);
	scene_add(s->a, &account);
	assert_int_equal(scene_put(s->a, &third, 0), STORE_FULL);
	assert_int_equal(third.version, 0);
	assert_false(scene_has(s, s->a, "third"));
	assert_int_equal(scene_put(s->a, &first, first.version), STORE_DONE);
	assert_int_equal(scene_put(s->a, &first, 0), STORE_CONFLICT);
	assert_int_equal(scene_remove(s, s->a, "first"), STORE_DONE);
	scene_add(s->a, &third);
}

/* A full store still lets somebody in who makes room by it; nobody else. */
static void test_full_of_one_user(void **state)
{
	struct scene *s = *state;
	struct record record = scene_record("new");
	struct record other = scene_record("other");

	other.owner = STR("u2");
	add_many(s, "u1", STORE_SESSIONS_PER_USER_MAX);
	s->a->records_max = STORE_SESSIONS_PER_USER_MAX;
	scene_add(s->a, &record);
	assert_int_equal(scene_put(s->a, &other, 0), STORE_FULL);
	assert_int_equal(scene_count(s->a, RECORD_SESSION), STORE_SESSIONS_PER_USER_MAX);

	s->a->records_max = 1;
	record.id = STR("newer");
	assert_int_equal(scene_put(s->a, &record, 0), STORE_FULL);
	assert_int_equal(scene_count(s->a, RECORD_SESSION), STORE_SESSIONS_PER_USER_MAX);
}

/* ---- the backend itself ---- */

static void test_server_version(void **state)
{
	struct scene *s = *state;
	uint64_t before = s->a->server_version;

	assert_in_range(before, 1, INT64_MAX);
	s->a->ops->close(s->a);
	s->a = NULL;
	s->suite->reset(s->suite->arg);
	scene_reopen(s);
	assert_int_not_equal(s->a->server_version, before);
	assert_int_equal(s->a->records_max, STORE_RECORDS_MAX);
}

static void test_wait(void **state)
{
	struct scene *s = *state;
	struct err e;
	uint64_t count = 0;

	assert_int_equal(s->a->ops->wait(s->a, s->wake_fd, 0, &e), 0);
	assert_int_equal(s->a->ops->wait(s->a, s->wake_fd, 5, &e), 0);
	scene_wake(s);
	assert_int_equal(s->a->ops->wait(s->a, s->wake_fd, -1, &e), 0);
	/* It is not read, so it wakes again. */
	assert_int_equal(s->a->ops->wait(s->a, s->wake_fd, -1, &e), 0);
	assert_int_equal(read(s->wake_fd, &count, sizeof(count)), sizeof(count));
	assert_int_equal(count, 1);
}

static void test_nobody_listens(void **state)
{
	struct scene *s = *state;
	struct record record = scene_record("new");

	s->a->events = NULL;
	add_many(s, "u1", STORE_SESSIONS_PER_USER_MAX);
	scene_add(s->a, &record);
	assert_int_equal(scene_count(s->a, RECORD_SESSION), STORE_SESSIONS_PER_USER_MAX);
}

static const struct CMUnitTest cases[] = {
	SCENE_CASE(test_oldest_of_a_user_goes),
	SCENE_CASE(test_full),
	SCENE_CASE(test_full_of_one_user),
	SCENE_CASE(test_server_version),
	SCENE_CASE(test_wait),
	SCENE_CASE(test_nobody_listens),
};

const struct CMUnitTest *scene_limit_cases(size_t *ret_count)
{
	*ret_count = ARRAY_LEN(cases);
	return cases;
}
