#include "tests/support/store_backend_scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/mem.h"

#define NEWS_STEP_MS 100
#define NEWS_STEPS   100 /* far more than promised: a busy machine is no bug */

static void on_change(void *arg, const struct record_stamp *stamp)
{
	struct scene_news *news = arg;

	assert_in_range(news->stamp_count, 0, SCENE_NEWS_MAX - 1);
	news->stamps[news->stamp_count] = *stamp;
	news->stamps[news->stamp_count++].id = arena_copy(news->arena, stamp->id);
}

static void on_gap(void *arg)
{
	struct scene_news *news = arg;

	news->gap_count++;
}

static const struct store_backend_events scene_events = {
	.on_change = on_change,
	.on_gap = on_gap,
};

static struct store_backend *open_one(struct scene *s, struct scene_news *news)
{
	struct store_backend *b = s->suite->open(s->suite->arg);

	*news = (struct scene_news){ .backend = b, .arena = &s->arena };
	b->events = &scene_events;
	b->arg = news;
	return b;
}

static void close_one(struct store_backend **b)
{
	if (*b)
		(*b)->ops->close(*b);
	*b = NULL;
}

int scene_setup(void **state)
{
	const struct store_backend_suite *suite = *state;
	struct scene *s = mem_alloc(sizeof(*s));

	suite->reset(suite->arg);
	s->suite = suite;
	s->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	s->a = open_one(s, &s->news_a);
	*state = s;
	return s->wake_fd < 0;
}

int scene_teardown(void **state)
{
	struct scene *s = *state;

	close_one(&s->a);
	close_one(&s->b);
	arena_done(&s->arena);
	close(s->wake_fd);
	mem_free(s);
	return 0;
}

void scene_open_second(struct scene *s)
{
	s->b = open_one(s, &s->news_b);
}

void scene_reopen(struct scene *s)
{
	close_one(&s->a);
	s->a = open_one(s, &s->news_a);
}

void scene_wake(struct scene *s)
{
	const uint64_t one = 1;

	assert_int_equal(write(s->wake_fd, &one, sizeof(one)), sizeof(one));
}

void scene_expect_news(struct scene *s)
{
	struct err e = { 0 };

	for (int i = 0; i < NEWS_STEPS; i++) {
		if (s->news_b.stamp_count || s->news_b.gap_count)
			return;
		assert_int_equal(s->b->ops->wait(s->b, s->wake_fd, NEWS_STEP_MS, &e), 0);
	}
	fail_msg("nothing was told");
}

void scene_begin(struct store_backend *b)
{
	struct err e = { 0 };

	if (b->ops->begin(b, &e) < 0)
		fail_msg("%s", e.text);
}

void scene_commit(struct store_backend *b)
{
	struct err e = { 0 };

	if (b->ops->commit(b, &e) < 0)
		fail_msg("%s", e.text);
}

struct record scene_record(const char *id)
{
	return (struct record){
		.kind = RECORD_SESSION,
		.id = str_from(id),
		.owner = STR("u1"),
		.created_unix = 1000,
		.expires_unix = 2000,
		.body = STR("{}"),
	};
}

enum store_result scene_put(struct store_backend *b, struct record *record, uint64_t expected)
{
	enum store_result result = STORE_UNAVAILABLE;
	struct err e = { 0 };

	scene_begin(b);
	if (b->ops->put(b, record, expected, &result, &e) < 0)
		fail_msg("%s", e.text);
	scene_commit(b);
	return result;
}

void scene_add(struct store_backend *b, struct record *record)
{
	assert_int_equal(scene_put(b, record, 0), STORE_DONE);
	assert_int_not_equal(record->version, 0);
}

enum store_result scene_get(struct scene *s, struct store_backend *b, const char *id,
			    struct record *ret)
{
	enum store_result result = STORE_UNAVAILABLE;
	struct err e = { 0 };

	if (b->ops->get(b, &(struct record_stamp){ .kind = RECORD_SESSION, .id = str_from(id) },
			&s->arena, ret, &result, &e) < 0)
		fail_msg("%s", e.text);
	return result;
}

bool scene_has(struct scene *s, struct store_backend *b, const char *id)
{
	struct record record = { 0 };

	return scene_get(s, b, id, &record) == STORE_DONE;
}

enum store_result scene_remove(struct scene *s, struct store_backend *b, const char *id)
{
	enum store_result result = STORE_UNAVAILABLE;
	struct record record = { 0 };
	struct err e = { 0 };

	scene_begin(b);
	if (b->ops->remove(b, &(struct record_stamp){ .kind = RECORD_SESSION, .id = str_from(id) },
			   &s->arena, &record, &result, &e) < 0)
		fail_msg("%s", e.text);
	scene_commit(b);
	if (result == STORE_DONE)
		assert_true(str_equal(record.id, str_from(id)));
	return result;
}

struct record_list scene_claim(struct scene *s, struct store_backend *b, int64_t now_unix,
			       size_t limit)
{
	struct record_list list = { 0 };
	struct err e = { 0 };

	scene_begin(b);
	if (b->ops->claim(b,
			  &(struct record_claim){ .now_unix = now_unix,
						  .until_unix = now_unix + STORE_CLAIM_S,
						  .limit = limit },
			  &s->arena, &list, &e) < 0)
		fail_msg("%s", e.text);
	scene_commit(b);
	return list;
}

uint64_t scene_count(struct store_backend *b, enum record_kind kind)
{
	uint64_t count = UINT64_MAX;
	struct err e = { 0 };

	if (b->ops->count(b, kind, &count, &e) < 0)
		fail_msg("%s", e.text);
	return count;
}

void scene_expect_record(const struct record *got, const struct record *wanted)
{
	assert_int_equal(got->kind, wanted->kind);
	assert_true(str_equal(got->id, wanted->id));
	assert_true(str_equal(got->owner, wanted->owner));
	assert_int_equal(got->version, wanted->version);
	assert_int_equal(got->created_unix, wanted->created_unix);
	assert_int_equal(got->expires_unix, wanted->expires_unix);
	assert_int_equal(got->due_unix, wanted->due_unix);
	assert_true(str_equal(got->body, wanted->body));
}
