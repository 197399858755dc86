#include "io/file_watch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "io/loop.h"
#include "io/work.h"
#include "tests/support/clock_fake.h"

#define NEVER INT64_MAX

struct bed {
	struct loop *loop;
	struct file_watch *watch;
	char path[64];
	unsigned told;
	bool closes;
};

static void on_change(void *arg)
{
	struct bed *bed = arg;

	bed->told++;
	if (bed->closes)
		file_watch_close(TAKE(bed->watch));
}

static void put(struct bed *bed, const char *text)
{
	assert_int_equal(file_replace(bed->path, str_from(text), 0600, NULL), 0);
}

static struct file_set *read_file(struct bed *bed)
{
	char *const paths[] = { bed->path };

	return file_set_new(paths, 1, NULL, NEVER);
}

static void prepare(struct bed *bed)
{
	*bed = (struct bed){ .path = "/tmp/file_watch_test.XXXXXX" };
	assert_true(close(mkstemp(bed->path)) == 0);
	put(bed, "one");
	bed->loop = loop_new();
	bed->watch = file_watch_new(bed->loop, on_change, bed);
	file_watch_set(bed->watch, read_file(bed));
}

static void finish(struct bed *bed)
{
	file_watch_close(bed->watch);
	loop_turn(bed->loop, false);
	loop_free(bed->loop);
	(void)unlink(bed->path); /* may be gone */
}

static void run_nothing(void *arg)
{
}

static void note_done(void *arg)
{
	*(bool *)arg = true;
}

/* The next look, to its end: there is one helper, so what is begun afterwards is done afterwards. */
static void look(struct bed *bed)
{
	bool is_done = false;

	clock_fake_advance_ms(FILE_WATCH_INTERVAL_MS);
	loop_turn(bed->loop, false);
	(void)work_start(bed->loop, run_nothing, note_done, NULL, &is_done);
	while (!is_done)
		loop_turn(bed->loop, true);
}

static void test_nothing_changes(void **state)
{
	struct bed bed;

	prepare(&bed);
	for (int i = 0; i < 4; i++)
		look(&bed);
	assert_int_equal(bed.told, 0);
	finish(&bed);
}

static void test_told_once_when_two_looks_agree(void **state)
{
	struct bed bed;

	prepare(&bed);
	put(&bed, "other");
	look(&bed);
	assert_int_equal(bed.told, 0);
	look(&bed);
	assert_int_equal(bed.told, 1);
	look(&bed);
	look(&bed);
	assert_int_equal(bed.told, 1);
	finish(&bed);
}

static void test_not_told_while_it_is_being_written(void **state)
{
	static const char *const texts[] = { "a", "ab", "abc", "abcd", "abcde" };
	struct bed bed;

	prepare(&bed);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		put(&bed, texts[i]);
		look(&bed);
		assert_int_equal(bed.told, 0);
	}
	look(&bed);
	assert_int_equal(bed.told, 1);
	finish(&bed);
}

static void test_goes_and_comes(void **state)
{
	struct bed bed;

	prepare(&bed);
	assert_int_equal(unlink(bed.path), 0);
	look(&bed);
	look(&bed);
	assert_int_equal(bed.told, 1);
	put(&bed, "one");
	look(&bed);
	look(&bed);
	assert_int_equal(bed.told, 2);
	finish(&bed);
}

/* What was in progress is about the list before. */
static void test_another_set(void **state)
{
	struct bed bed;

	prepare(&bed);
	put(&bed, "other");
	look(&bed);
	file_watch_set(bed.watch, read_file(&bed));
	look(&bed);
	look(&bed);
	assert_int_equal(bed.told, 0);
	put(&bed, "third one");
	clock_fake_advance_ms(FILE_WATCH_INTERVAL_MS);
	loop_turn(bed.loop, false);
	file_watch_set(bed.watch, NULL); /* a look is in progress */
	look(&bed);
	look(&bed);
	assert_int_equal(bed.told, 0);
	finish(&bed);
}

static void test_closed_from_inside(void **state)
{
	struct bed bed;

	prepare(&bed);
	bed.closes = true;
	put(&bed, "other");
	look(&bed);
	look(&bed);
	assert_int_equal(bed.told, 1);
	finish(&bed);
}

static void test_closed_while_it_looks(void **state)
{
	struct bed bed;

	prepare(&bed);
	clock_fake_advance_ms(FILE_WATCH_INTERVAL_MS);
	loop_turn(bed.loop, false);
	finish(&bed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_changes),
		cmocka_unit_test(test_told_once_when_two_looks_agree),
		cmocka_unit_test(test_not_told_while_it_is_being_written),
		cmocka_unit_test(test_goes_and_comes),
		cmocka_unit_test(test_another_set),
		cmocka_unit_test(test_closed_from_inside),
		cmocka_unit_test(test_closed_while_it_looks),
	};

	(void)setenv("UV_THREADPOOL_SIZE", "1", 1); /* fails for want of memory alone */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
