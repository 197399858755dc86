/*
 * One row at a time, and what is written together.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "base/mem.h"
#include "tests/support/store_backend_scene.h"

/* ---- one row ---- */

static void test_put_get_remove(void **state)
{
	struct scene *s = *state;
	struct record record = scene_record("one");
	struct record got;
	uint64_t first;

	record.due_unix = 1700;
	assert_int_equal(scene_get(s, s->a, "one", &got), STORE_ABSENT);
	assert_int_equal(scene_remove(s, s->a, "one"), STORE_ABSENT);
	scene_add(s->a, &record);
	first = record.version;
	assert_int_equal(scene_get(s, s->a, "one", &got), STORE_DONE);
	scene_expect_record(&got, &record);

	record.owner = STR("u2");
	record.created_unix = 1;
	record.expires_unix = INT64_MAX;
	record.due_unix = 0;
	record.body = STR("{\"b\":1}");
	assert_int_equal(scene_put(s->a, &record, first), STORE_DONE);
	assert_true(record.version > first);
	assert_int_equal(scene_get(s, s->a, "one", &got), STORE_DONE);
	scene_expect_record(&got, &record);

	assert_int_equal(scene_remove(s, s->a, "one"), STORE_DONE);
	assert_false(scene_has(s, s->a, "one"));
	assert_int_equal(scene_remove(s, s->a, "one"), STORE_ABSENT);
	scene_add(s->a, &record);
	assert_true(record.version > first + 1);
}

static void test_conflicts(void **state)
{
	struct scene *s = *state;
	struct record record = scene_record("one");
	struct record other = scene_record("one");
	struct record got;

	other.body = STR("{\"other\":true}");
	assert_int_equal(scene_put(s->a, &other, 7), STORE_ABSENT);
	scene_add(s->a, &record);
	assert_int_equal(scene_put(s->a, &other, 0), STORE_CONFLICT);
	assert_int_equal(scene_put(s->a, &other, record.version + 1), STORE_CONFLICT);
	assert_int_equal(other.version, 0);
	assert_int_equal(scene_get(s, s->a, "one", &got), STORE_DONE);
	scene_expect_record(&got, &record);
}

static void test_remove_gives_what_was(void **state)
{
	struct scene *s = *state;
	struct record record = scene_record("one");
	enum store_result result;
	struct record got;
	struct err e;

	scene_add(s->a, &record);
	scene_begin(s->a);
	assert_int_equal(
		s->a->ops->remove(s->a,
				  &(struct record_stamp){ .kind = RECORD_SESSION, .id = record.id },
				  &s->arena, &got, &result, &e),
		0);
	assert_int_equal(result, STORE_DONE);
	scene_expect_record(&got, &record);
	scene_commit(s->a);
}

static void test_kinds_are_apart(void **state)
{
	struct scene *s = *state;
	struct record session = scene_record("one");
	struct record account = scene_record("one");
	struct record device = scene_record("one");

	account.kind = RECORD_SERVICE_ACCOUNT;
	device.kind = RECORD_DEVICE_LOGIN;
	scene_add(s->a, &account);
	assert_false(scene_has(s, s->a, "one"));
	scene_add(s->a, &session);
	scene_add(s->a, &device);
	assert_int_equal(scene_remove(s, s->a, "one"), STORE_DONE);
	assert_int_equal(scene_count(s->a, RECORD_SESSION), 0);
	assert_int_equal(scene_count(s->a, RECORD_SERVICE_ACCOUNT), 1);
	assert_int_equal(scene_count(s->a, RECORD_DEVICE_LOGIN), 1);
}

static void expect_kept(struct scene *s, struct str id, struct str owner, struct str body)
{
	struct record record = { .kind = RECORD_SESSION, .id = id, .owner = owner, .body = body };
	enum store_result result;
	struct record got;
	struct err e;

	scene_add(s->a, &record);
	if (s->a->ops->get(s->a, &(struct record_stamp){ .kind = RECORD_SESSION, .id = id },
			   &s->arena, &got, &result, &e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(result, STORE_DONE);
	scene_expect_record(&got, &record);
}

static void test_odd_texts(void **state)
{
	static const char *const texts[] = {
		"'",        "\"",        "''); DROP TABLE records; --",
		"a\\b",     "\\x41",     "%s%n",
		"$1",       "{a,\"b\"}", "a b\tc\nd",
		"\x01\x7f", "\xc3\xa9",  "\xf0\x9f\x94\x91",
		"NULL",     "e\xcc\x81",
	};
	struct scene *s = *state;
	char longest[STORE_KEY_MAX + 1];
	char bytes[256];

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		expect_kept(s, str_from(texts[i]), str_from(texts[i]), str_from(texts[i]));
	assert_int_equal(scene_count(s->a, RECORD_SESSION), ARRAY_LEN(texts));
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		assert_int_equal(scene_remove(s, s->a, texts[i]), STORE_DONE);

	memset(longest, 'x', STORE_KEY_MAX);
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)i;
	expect_kept(s, str_of(longest, STORE_KEY_MAX), str_of(longest, STORE_KEY_MAX),
		    str_of(bytes, sizeof(bytes)));
}

static void test_long_bodies(void **state)
{
	static const size_t sizes[] = { 0, 1, 4096, 65536, STORE_BODY_MAX };
	struct scene *s = *state;
	char *bytes = mem_alloc(STORE_BODY_MAX);

	for (size_t i = 0; i < STORE_BODY_MAX; i++)
		bytes[i] = (char)(i * 7 + i / 251);
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		char id[16];

		(void)snprintf(id, sizeof(id), "%zu", i);
		expect_kept(s, str_from(id), STR("u1"), str_of(bytes, sizes[i]));
	}
	mem_free(bytes);
}

/* ---- transactions ---- */

static void test_rollback(void **state)
{
	struct scene *s = *state;
	struct record kept = scene_record("kept");
	struct record record = scene_record("one");
	enum store_result result;
	struct record got;
	struct err e;

	s->a->ops->rollback(s->a); /* of nothing */
	scene_add(s->a, &kept);
	scene_begin(s->a);
	assert_int_equal(s->a->ops->put(s->a, &record, 0, &result, &e), 0);
	assert_int_equal(result, STORE_DONE);
	assert_int_equal(
		s->a->ops->remove(s->a,
				  &(struct record_stamp){ .kind = RECORD_SESSION, .id = kept.id },
				  &s->arena, &got, &result, &e),
		0);
	assert_true(scene_has(s, s->a, "one"));
	assert_false(scene_has(s, s->a, "kept"));
	assert_int_equal(scene_count(s->a, RECORD_SESSION), 1);
	s->a->ops->rollback(s->a);
	assert_false(scene_has(s, s->a, "one"));
	assert_true(scene_has(s, s->a, "kept"));
	scene_add(s->a, &record);
	assert_int_equal(scene_count(s->a, RECORD_SESSION), 2);
}

static void test_many_in_one(void **state)
{
	struct scene *s = *state;
	uint64_t version = 0;

	scene_begin(s->a);
	for (int i = 0; i < 100; i++) {
		enum store_result result;
		struct record record;
		char id[16];
		struct err e;

		(void)snprintf(id, sizeof(id), "%d", i);
		record = scene_record(id);
		assert_int_equal(s->a->ops->put(s->a, &record, 0, &result, &e), 0);
		assert_int_equal(result, STORE_DONE);
		assert_true(record.version > version);
		version = record.version;
		/* A refusal inside does not disturb the others. */
		assert_int_equal(s->a->ops->put(s->a, &record, 0, &result, &e), 0);
		assert_int_equal(result, STORE_CONFLICT);
	}
	scene_commit(s->a);
	assert_int_equal(scene_count(s->a, RECORD_SESSION), 100);
}

static const struct CMUnitTest cases[] = {
	SCENE_CASE(test_put_get_remove),
	SCENE_CASE(test_conflicts),
	SCENE_CASE(test_remove_gives_what_was),
	SCENE_CASE(test_kinds_are_apart),
	SCENE_CASE(test_odd_texts),
	SCENE_CASE(test_long_bodies),
	SCENE_CASE(test_rollback),
	SCENE_CASE(test_many_in_one),
};

const struct CMUnitTest *scene_row_cases(size_t *ret_count)
{
	*ret_count = ARRAY_LEN(cases);
	return cases;
}
