#include "io/file_set.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"

#define LONG_AGO 0
#define NEVER    INT64_MAX

/* The names of the tests, in a directory of their own. */
#define FILE_NAME   "file"
#define TARGET_NAME "..data"
#define LINKED_NAME "linked"

static char *const paths[] = { (char[]){ FILE_NAME }, (char[]){ LINKED_NAME } };

static void put(const char *path, const char *text)
{
	assert_int_equal(file_replace(path, str_from(text), 0600, NULL), 0);
}

/* linked -> ..data/text, ..data -> one: as Kubernetes mounts what it keeps. */
static int enter_directory(void **state)
{
	char name[] = "/tmp/file_set_test.XXXXXX";

	assert_non_null(mkdtemp(name));
	assert_int_equal(chdir(name), 0);
	assert_int_equal(mkdir("one", 0700), 0);
	assert_int_equal(mkdir("two", 0700), 0);
	put(FILE_NAME, "abc");
	put("one/text", "first");
	put("two/text", "other");
	assert_int_equal(symlink("one", TARGET_NAME), 0);
	assert_int_equal(symlink(TARGET_NAME "/text", LINKED_NAME), 0);
	return 0;
}

static int leave_directory(void **state)
{
	static const char *const files[] = { FILE_NAME,  LINKED_NAME, TARGET_NAME, "one/text",
					     "two/text", "next",      "one",       "two" };
	char name[64];

	assert_non_null(getcwd(name, sizeof(name)));
	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		(void)remove(files[i]); /* some are not there any more */
	assert_int_equal(rmdir(name), 0);
	return 0;
}

static void grow(void)
{
	put(FILE_NAME, "abcd");
}

static void replace_by_like(void)
{
	put(FILE_NAME, "abc");
}

static void take_away(void)
{
	assert_int_equal(unlink(FILE_NAME), 0);
}

static void forbid(void)
{
	assert_int_equal(chmod(FILE_NAME, 0), 0);
}

static void put_directory(void)
{
	take_away();
	assert_int_equal(mkdir(FILE_NAME, 0700), 0);
}

static void swap_link(void)
{
	assert_int_equal(symlink("two", "next"), 0);
	assert_int_equal(rename("next", TARGET_NAME), 0);
}

static void break_link(void)
{
	assert_int_equal(unlink("one/text"), 0);
}

static void do_nothing(void)
{
}

static void test_changes(void **state)
{
	static const struct {
		void (*change)(void);
		bool is_noticed;
	} cases[] = {
		{ do_nothing, false }, { grow, true },       { replace_by_like, true },
		{ take_away, true },   { forbid, true },     { put_directory, true },
		{ swap_link, true },   { break_link, true },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct file_set *before;
		struct file_set *after;

		enter_directory(state);
		before = file_set_new(paths, ARRAY_LEN(paths), NULL, NEVER);
		cases[i].change();
		after = file_set_look(before);
		if (file_set_is_equal(before, after) == cases[i].is_noticed)
			fail_msg("case %zu", i);
		file_set_free(before);
		file_set_free(after);
		leave_directory(state);
	}
}

static void test_comes(void **state)
{
	struct file_set *before;
	struct file_set *after;

	take_away();
	before = file_set_new(paths, ARRAY_LEN(paths), NULL, NEVER);
	after = file_set_look(before);
	assert_true(file_set_is_equal(before, after));
	file_set_free(after);
	put(FILE_NAME, "abc");
	after = file_set_look(before);
	assert_false(file_set_is_equal(before, after));
	file_set_free(before);
	file_set_free(after);
}

/* It may have been read before it was changed: then nothing later is like what was read. */
static void test_changed_while_it_was_read(void **state)
{
	struct file_set *read = file_set_new(paths, ARRAY_LEN(paths), NULL, LONG_AGO);
	struct file_set *look = file_set_look(read);
	struct file_set *again = file_set_look(look);

	assert_false(file_set_is_equal(read, look));
	assert_true(file_set_is_equal(look, again));
	file_set_free(read);
	file_set_free(look);
	file_set_free(again);
}

/* A path that was looked at before anything was read is as it was then. */
static void test_known_from_earlier(void **state)
{
	struct file_set *earlier = file_set_new(paths, 1, NULL, NEVER);
	struct file_set *read;
	struct file_set *look;

	grow();
	read = file_set_new(paths, ARRAY_LEN(paths), earlier, NEVER);
	assert_int_equal(file_set_count(read), 2);
	look = file_set_look(read);
	assert_false(file_set_is_equal(read, look));
	file_set_free(earlier);
	file_set_free(read);
	file_set_free(look);
}

static void test_moment(void **state)
{
	int64_t moment = file_set_moment();
	struct file_set *read;
	struct file_set *look;

	assert_true(moment > 0 && moment <= file_set_moment());
	put(FILE_NAME, "later");
	read = file_set_new(paths, 1, NULL, moment);
	look = file_set_look(read);
	assert_false(file_set_is_equal(read, look));
	file_set_free(read);
	file_set_free(look);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_changes),
		cmocka_unit_test_setup_teardown(test_comes, enter_directory, leave_directory),
		cmocka_unit_test_setup_teardown(test_changed_while_it_was_read, enter_directory,
						leave_directory),
		cmocka_unit_test_setup_teardown(test_known_from_earlier, enter_directory,
						leave_directory),
		cmocka_unit_test_setup_teardown(test_moment, enter_directory, leave_directory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
