/*
 * The cases with a database that outlives a backend, and with two backends on it.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>

#include "tests/support/store_backend_scene.h"

#define RACE_ROWS          60
#define RACE_BATCH         7
#define NEWS_OF_ONESELF_MS 50 /* what comes late comes in the next case */

static void test_everything_is_kept(void **state)
{
	struct scene *s = *state;
	struct record first = scene_record("first");
	struct record second = scene_record("second");
	struct record got;
	uint64_t server_version = s->a->server_version;

	first.due_unix = 1500;
	first.body = STR("{\"a\":\"'\"}");
	scene_add(s->a, &first);
	scene_add(s->a, &second);
	assert_int_equal(scene_claim(s, s->a, 1500, 10).count, 1);
	assert_int_equal(scene_remove(s, s->a, "second"), STORE_DONE);

	scene_reopen(s);
	assert_int_equal(s->a->server_version, server_version);
	assert_int_equal(scene_get(s, s->a, "first", &got), STORE_DONE);
	scene_expect_record(&got, &first);
	assert_false(scene_has(s, s->a, "second"));
	assert_int_equal(scene_count(s->a, RECORD_SESSION), 1);
	/* Claims as well, and no version is given twice. */
	assert_int_equal(scene_claim(s, s->a, 1500, 10).count, 0);
	scene_add(s->a, &second);
	assert_true(second.version > first.version + 1);
}

static void test_both_see_one_database(void **state)
{
	struct scene *s = *state;
	struct record record = scene_record("one");
	struct record got;

	scene_open_second(s);
	assert_int_equal(s->a->server_version, s->b->server_version);
	scene_add(s->a, &record);
	assert_int_equal(scene_get(s, s->b, "one", &got), STORE_DONE);
	scene_expect_record(&got, &record);
	assert_int_equal(scene_count(s->b, RECORD_SESSION), 1);
	assert_int_equal(scene_remove(s, s->b, "one"), STORE_DONE);
	assert_false(scene_has(s, s->a, "one"));
	assert_int_equal(scene_count(s->a, RECORD_SESSION), 0);
}

static void test_conflicts_between_two(void **state)
{
	struct scene *s = *state;
	struct record mine = scene_record("one");
	struct record other;
	uint64_t before;

	scene_open_second(s);
	scene_add(s->a, &mine);
	before = mine.version;
	other = mine;
	assert_int_equal(scene_put(s->b, &other, before), STORE_DONE);
	assert_true(other.version > before);
	assert_int_equal(scene_put(s->a, &mine, before), STORE_CONFLICT);
	assert_int_equal(mine.version, before);
	assert_int_equal(scene_put(s->a, &mine, 0), STORE_CONFLICT);
	assert_int_equal(scene_remove(s, s->b, "one"), STORE_DONE);
	assert_int_equal(scene_put(s->a, &mine, other.version), STORE_ABSENT);
}

/* ---- races: threads do not assert, they note ---- */

struct racer {
	pthread_t thread;
	struct store_backend *backend;
	const char *prefix;
	unsigned seen[RACE_ROWS];
	uint64_t versions[RACE_ROWS];
	struct err e;
	bool has_failed;
};

static int claim_some(struct racer *r, struct arena *arena, size_t *ret_count)
{
	struct store_backend *b = r->backend;
	struct record_list list = { 0 };

	if (b->ops->begin(b, &r->e) < 0 ||
	    b->ops->claim(b,
			  &(struct record_claim){
				  .now_unix = 5000, .until_unix = 5060, .limit = RACE_BATCH },
			  arena, &list, &r->e) < 0 ||
	    b->ops->commit(b, &r->e) < 0)
		return -1;
	for (size_t i = 0; i < list.count; i++)
		r->seen[list.items[i].created_unix]++;
	*ret_count = list.count;
	return 0;
}

static void *claim_all(void *arg)
{
	struct racer *r = arg;
	struct arena arena = { 0 };
	size_t count = 1;
	unsigned empty = 0;

	/* Somebody else's uncommitted claims may leave nothing to see for a moment. */
	while (empty < 3 && !r->has_failed) {
		r->has_failed = claim_some(r, &arena, &count) < 0;
		empty = count ? 0 : empty + 1;
	}
	arena_done(&arena);
	return NULL;
}

static void run_racers(struct scene *s, struct racer racers[2], void *(*run)(void *))
{
	racers[0].backend = s->a;
	racers[1].backend = s->b;
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&racers[i].thread, NULL, run, &racers[i]), 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_join(racers[i].thread, NULL), 0);
	for (int i = 0; i < 2; i++)
		if (racers[i].has_failed)
			fail_msg("%s", racers[i].e.text);
}

/* Each row is claimed once, whoever gets it. created_unix tells which it is. */
static void test_claims_race(void **state)
{
	struct scene *s = *state;
	struct racer racers[2] = { 0 };

	scene_open_second(s);
	for (int i = 0; i < RACE_ROWS; i++) {
		char id[32];
		struct record record;

		(void)snprintf(id, sizeof(id), "row-%d", i);
		record = scene_record(id);
		record.created_unix = i;
		record.due_unix = 4000 + i;
		scene_add(s->a, &record);
	}
	run_racers(s, racers, claim_all);
	for (int i = 0; i < RACE_ROWS; i++)
		assert_int_equal(racers[0].seen[i] + racers[1].seen[i], 1);
}

static void *put_all(void *arg)
{
	struct racer *r = arg;
	struct store_backend *b = r->backend;

	for (int i = 0; i < RACE_ROWS && !r->has_failed; i++) {
		enum store_result result = STORE_UNAVAILABLE;
		struct record record;
		char id[32];

		(void)snprintf(id, sizeof(id), "%s-%d", r->prefix, i);
		record = scene_record(id);
		if (b->ops->begin(b, &r->e) < 0 || b->ops->put(b, &record, 0, &result, &r->e) < 0 ||
		    b->ops->commit(b, &r->e) < 0 || result != STORE_DONE)
			r->has_failed = true;
		r->versions[i] = record.version;
	}
	return NULL;
}

/* No change is lost, and no version is given twice. */
static void test_puts_race(void **state)
{
	struct scene *s = *state;
	struct racer racers[2] = { { .prefix = "left" }, { .prefix = "right" } };

	scene_open_second(s);
	run_racers(s, racers, put_all);
	assert_int_equal(scene_count(s->a, RECORD_SESSION), 2 * RACE_ROWS);
	for (int i = 0; i < RACE_ROWS; i++) {
		if (i)
			assert_true(racers[0].versions[i] > racers[0].versions[i - 1]);
		for (int j = 0; j < RACE_ROWS; j++)
			assert_int_not_equal(racers[0].versions[i], racers[1].versions[j]);
	}
}

/* ---- news ---- */

static void expect_stamp(struct scene *s, const char *id, uint64_t version)
{
	scene_expect_news(s);
	if (s->suite->news == STORE_BACKEND_STAMPS) {
		assert_int_equal(s->news_b.gap_count, 0);
		assert_int_equal(s->news_b.stamp_count, 1);
		assert_int_equal(s->news_b.stamps[0].kind, RECORD_SESSION);
		assert_true(str_equal(s->news_b.stamps[0].id, str_from(id)));
		assert_int_equal(s->news_b.stamps[0].version, version);
	}
	s->news_b.stamp_count = 0;
	s->news_b.gap_count = 0;
}

static void test_news_of_the_other(void **state)
{
	struct scene *s = *state;
	struct record record = scene_record("it's \\ \xc3\xa9 1");
	struct record_list list;
	struct err e = { 0 };

	scene_open_second(s);
	scene_add(s->a, &record);
	expect_stamp(s, record.id.at, record.version);
	assert_int_equal(scene_put(s->a, &record, record.version), STORE_DONE);
	expect_stamp(s, record.id.at, record.version);
	assert_int_equal(scene_remove(s, s->a, record.id.at), STORE_DONE);
	expect_stamp(s, record.id.at, 0);

	scene_add(s->a, &record);
	expect_stamp(s, record.id.at, record.version);
	scene_begin(s->a);
	if (s->a->ops->purge(s->a, 2000, 10, &s->arena, &list, &e) < 0)
		fail_msg("%s", e.text);
	scene_commit(s->a);
	expect_stamp(s, record.id.at, 0);
	assert_int_equal(s->news_a.stamp_count, 0);
}

static void test_no_news_of_oneself(void **state)
{
	struct scene *s = *state;
	struct record record = scene_record("one");
	struct err e;

	scene_open_second(s);
	scene_add(s->b, &record);
	assert_int_equal(scene_put(s->b, &record, record.version), STORE_DONE);
	assert_int_equal(scene_remove(s, s->b, "one"), STORE_DONE);
	assert_int_equal(s->b->ops->wait(s->b, s->wake_fd, NEWS_OF_ONESELF_MS, &e), 0);
	assert_int_equal(s->news_b.stamp_count, 0);
	assert_int_equal(s->news_b.gap_count, 0);
}

static const struct CMUnitTest cases[] = {
	SCENE_CASE(test_everything_is_kept),
	SCENE_CASE(test_both_see_one_database),
	SCENE_CASE(test_conflicts_between_two),
	SCENE_CASE(test_claims_race),
	SCENE_CASE(test_puts_race),
};

const struct CMUnitTest *scene_shared_cases(size_t *ret_count)
{
	*ret_count = ARRAY_LEN(cases);
	return cases;
}

static const struct CMUnitTest news_cases[] = {
	SCENE_CASE(test_news_of_the_other),
	SCENE_CASE(test_no_news_of_oneself),
};

const struct CMUnitTest *scene_news_cases(size_t *ret_count)
{
	*ret_count = ARRAY_LEN(news_cases);
	return news_cases;
}
