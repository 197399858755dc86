#pragma once

/*
 * store_backend_scene.h - one or two backends on a fresh database, and steps with them that must succeed
 *
 * For the cases of store_backend_suite.h.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/support/store_backend_suite.h"

#define SCENE_NEWS_MAX 16

struct scene_news {
	struct store_backend *backend;
	struct record_stamp stamps[SCENE_NEWS_MAX]; /* ids are in the scene's arena */
	size_t stamp_count;
	size_t gap_count;
	struct arena *arena;
};

struct scene {
	const struct store_backend_suite *suite;
	struct store_backend *a;
	struct store_backend *b; /* NULL until scene_open_second() */
	struct scene_news news_a;
	struct scene_news news_b;
	struct arena arena;
	int wake_fd; /* readable after scene_wake() */
};

/* For cmocka: *state is the suite, and then the scene. */
int scene_setup(void **state);
int scene_teardown(void **state);

void scene_open_second(struct scene *s);
void scene_reopen(struct scene *s);
void scene_wake(struct scene *s);

/* Waits for something to arrive at b, or fails the test. */
void scene_expect_news(struct scene *s);

void scene_begin(struct store_backend *b);
void scene_commit(struct store_backend *b);

/* A session of u1 with that id, and nothing else that matters. */
struct record scene_record(const char *id);

/* Each is a transaction of its own. */
enum store_result scene_put(struct store_backend *b, struct record *record, uint64_t expected);
void scene_add(struct store_backend *b, struct record *record);
enum store_result scene_get(struct scene *s, struct store_backend *b, const char *id,
			    struct record *ret);
bool scene_has(struct scene *s, struct store_backend *b, const char *id);
enum store_result scene_remove(struct scene *s, struct store_backend *b, const char *id);
struct record_list scene_claim(struct scene *s, struct store_backend *b, int64_t now_unix,
			       size_t limit);
uint64_t scene_count(struct store_backend *b, enum record_kind kind);

/* All fields alike. */
void scene_expect_record(const struct record *got, const struct record *wanted);

/* ---- the cases, by file ---- */

#define SCENE_CASE(function)                                                                       \
	{                                                                                          \
		.name = #function, .test_func = (function), .setup_func = scene_setup,             \
		.teardown_func = scene_teardown                                                    \
	}

const struct CMUnitTest *scene_row_cases(size_t *ret_count);    /* store_backend_rows.c */
const struct CMUnitTest *scene_limit_cases(size_t *ret_count);  /* store_backend_limits.c */
const struct CMUnitTest *scene_many_cases(size_t *ret_count);   /* store_backend_many.c */
const struct CMUnitTest *scene_shared_cases(size_t *ret_count); /* store_backend_shared.c */
const struct CMUnitTest *scene_news_cases(size_t *ret_count);   /* likewise */
