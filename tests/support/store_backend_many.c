/*
 * What looks at many rows.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/support/store_backend_scene.h"

static void expect_list(struct scene *s, const struct record_filter *filter,
			const char *const *wanted)
{
	struct record_list list = { 0 };
	struct err e;
	size_t i;

	assert_int_equal(s->a->ops->list(s->a, filter, &s->arena, &list, &e), 0);
	for (i = 0; wanted[i]; i++) {
		assert_true(i < list.count);
		assert_true(str_equal(list.items[i].id, str_from(wanted[i])));
	}
	assert_int_equal(list.count, i);
}

static void test_list(void **state)
{
	/* Bytewise: no language has this order. */
	static const char *const ids[] = { "10", "9", "B", "Z", "_", "a", "a b", "ab", "\xc3\xa4" };
	struct scene *s = *state;
	struct record account = scene_record("a");
	struct record_filter filter = { .kind = RECORD_SESSION, .limit = 100 };

	account.kind = RECORD_SERVICE_ACCOUNT;
	scene_add(s->a, &account);
	expect_list(s, &filter, (const char *const[]){ NULL });
	for (size_t i = ARRAY_LEN(ids); i-- > 0;) {
		struct record record = scene_record(ids[i]);

		record.owner = i % 2 ? STR("odd") : STR("even");
		record.created_unix = (int64_t)(i * 7 % 5);
		scene_add(s->a, &record);
	}
	expect_list(s, &filter,
		    (const char *const[]){ "10", "9", "B", "Z", "_", "a", "a b", "ab", "\xc3\xa4",
					   NULL });
	filter.limit = 3;
	expect_list(s, &filter, (const char *const[]){ "10", "9", "B", NULL });
	filter.after = STR("B");
	expect_list(s, &filter, (const char *const[]){ "Z", "_", "a", NULL });
	filter.after = STR("aa"); /* need not be there */
	expect_list(s, &filter, (const char *const[]){ "ab", "\xc3\xa4", NULL });
	filter.after = STR("\xc3\xa4");
	expect_list(s, &filter, (const char *const[]){ NULL });
	filter = (struct record_filter){ .kind = RECORD_SESSION, .owner = STR("odd"), .limit = 2 };
	expect_list(s, &filter, (const char *const[]){ "9", "Z", NULL });
	filter.after = STR("Z");
	expect_list(s, &filter, (const char *const[]){ "a", "ab", NULL });
	filter.owner = STR("od");
	expect_list(s, &filter, (const char *const[]){ NULL });
}

static bool list_has(const struct record_list *list, const char *id)
{
	for (size_t i = 0; i < list->count; i++)
		if (str_equal(list->items[i].id, str_from(id)))
			return true;
	return false;
}

static void test_claim(void **state)
{
	static const int64_t due[] = { 0, 300, 100, 200, 400 };
	static const char *const ids[] = { "never", "third", "first", "second", "later" };
	struct scene *s = *state;
	struct record account = scene_record("account");
	struct record first;
	struct record_list list;

	account.kind = RECORD_SERVICE_ACCOUNT;
	account.due_unix = 100;
	scene_add(s->a, &account);
	for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
		struct record record = scene_record(ids[i]);

		record.due_unix = due[i];
		scene_add(s->a, &record);
	}
	assert_int_equal(scene_claim(s, s->a, 99, 10).count, 0);
	list = scene_claim(s, s->a, 300, 2);
	assert_int_equal(list.count, 2);
	assert_true(list_has(&list, "first") && list_has(&list, "second"));
	assert_int_equal(scene_get(s, s->a, "first", &first), STORE_DONE);
	assert_true(str_equal(first.body, list.items[0].body));

	list = scene_claim(s, s->a, 300, 10);
	assert_int_equal(list.count, 1);
	scene_get(s, s->a, "third", &first);
	scene_expect_record(&list.items[0], &first); /* and the version is as before */
	assert_int_equal(scene_claim(s, s->a, 300 + STORE_CLAIM_S - 1, 10).count, 0);
	/* The claims have ended. */
	assert_int_equal(scene_claim(s, s->a, 300 + STORE_CLAIM_S, 10).count, 3);
}

static void test_put_ends_a_claim(void **state)
{
	struct scene *s = *state;
	struct record record = scene_record("one");

	record.due_unix = 100;
	scene_add(s->a, &record);
	assert_int_equal(scene_claim(s, s->a, 100, 10).count, 1);
	/* A claim changes no version: this is no conflict. */
	assert_int_equal(scene_put(s->a, &record, record.version), STORE_DONE);
	assert_int_equal(scene_claim(s, s->a, 100, 10).count, 1);
}

static void test_claim_can_be_rolled_back(void **state)
{
	struct scene *s = *state;
	struct record record = scene_record("one");
	struct record_list list;
	struct err e;

	record.due_unix = 100;
	scene_add(s->a, &record);
	scene_begin(s->a);
	assert_int_equal(s->a->ops->claim(s->a,
					  &(struct record_claim){
						  .now_unix = 100, .until_unix = 160, .limit = 10 },
					  &s->arena, &list, &e),
			 0);
	assert_int_equal(list.count, 1);
	s->a->ops->rollback(s->a);
	assert_int_equal(scene_claim(s, s->a, 100, 10).count, 1);
}

static struct record_list purge(struct scene *s, int64_t now_unix, size_t limit)
{
	struct record_list list = { 0 };
	struct err e = { 0 };

	scene_begin(s->a);
	if (s->a->ops->purge(s->a, now_unix, limit, &s->arena, &list, &e) < 0)
		fail_msg("%s", e.text);
	scene_commit(s->a);
	return list;
}

static void test_purge(void **state)
{
	static const int64_t expires[] = { 0, 100, 200, 200, 300 };
	static const char *const ids[] = { "never", "early", "mid-1", "mid-2", "late" };
	struct scene *s = *state;
	struct record_list list;

	for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
		struct record record = scene_record(ids[i]);

		record.kind = i % 2 ? RECORD_SESSION : RECORD_DEVICE_LOGIN;
		record.expires_unix = expires[i];
		scene_add(s->a, &record);
	}
	assert_int_equal(purge(s, 99, 10).count, 0);
	list = purge(s, 100, 10);
	assert_int_equal(list.count, 1);
	assert_int_equal(list.items[0].kind, RECORD_SESSION);
	assert_true(str_equal(list.items[0].id, STR("early")));
	assert_int_equal(list.items[0].version, 0);
	assert_int_equal(purge(s, INT64_MAX, 2).count, 2);
	assert_int_equal(purge(s, INT64_MAX, 2).count, 1);
	assert_int_equal(purge(s, INT64_MAX, 2).count, 0);
	assert_int_equal(scene_count(s->a, RECORD_SESSION), 0);
	assert_int_equal(scene_count(s->a, RECORD_DEVICE_LOGIN), 1);
}

static void test_compare(void **state)
{
	struct scene *s = *state;
	struct record one = scene_record("one");
	struct record two = scene_record("it's two");
	struct record_stamp stamps[] = {
		{ .kind = RECORD_SESSION, .id = STR("it's two"), .version = 1 },
		{ .kind = RECORD_SERVICE_ACCOUNT, .id = STR("one"), .version = 77 },
		{ .kind = RECORD_SESSION, .id = STR("one") },
		{ .kind = RECORD_SESSION, .id = STR("three"), .version = 5 },
	};
	struct err e;

	scene_add(s->a, &one);
	scene_add(s->a, &two);
	assert_int_equal(s->a->ops->compare(s->a, stamps, 0, &e), 0);
	assert_int_equal(s->a->ops->compare(s->a, stamps, ARRAY_LEN(stamps), &e), 0);
	assert_int_equal(stamps[0].version, two.version);
	assert_int_equal(stamps[1].version, 0);
	assert_int_equal(stamps[2].version, one.version);
	assert_int_equal(stamps[3].version, 0);
	assert_true(str_equal(stamps[0].id, STR("it's two")));
}

static const struct CMUnitTest cases[] = {
	SCENE_CASE(test_list),
	SCENE_CASE(test_claim),
	SCENE_CASE(test_put_ends_a_claim),
	SCENE_CASE(test_claim_can_be_rolled_back),
	SCENE_CASE(test_purge),
	SCENE_CASE(test_compare),
};

const struct CMUnitTest *scene_many_cases(size_t *ret_count)
{
	*ret_count = ARRAY_LEN(cases);
	return cases;
}
