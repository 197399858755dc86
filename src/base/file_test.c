/*
 * file_test.c - limits, replacement, modes; in a directory of its own
 */

#include "base/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_LEN_MAX 256

struct fixture {
	char dir[PATH_LEN_MAX];
	char path[PATH_LEN_MAX];
};

static const char *in_dir(struct fixture *f, const char *name)
{
	int len = snprintf(f->path, sizeof(f->path), "%.200s/%s", f->dir, name);

	assert_true(len > 0 && (size_t)len < sizeof(f->path));
	return f->path;
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	(void)snprintf(f->dir, sizeof(f->dir), "/tmp/file_test.XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	*state = f;
	return 0;
}

/* Removes the entries of a directory, two levels deep, and the directory. */
static void remove_tree(const char *path, int levels)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	char name[PATH_LEN_MAX * 2];

	while (dir && levels && (entry = readdir(dir))) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		(void)snprintf(name, sizeof(name), "%.220s/%.200s", path, entry->d_name);
		if (unlink(name) < 0)
			remove_tree(name, levels - 1);
	}
	if (dir)
		(void)closedir(dir);
	assert_int_equal(rmdir(path), 0);
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	remove_tree(f->dir, 4);
	free(f);
	return 0;
}

static size_t count_entries(struct fixture *f)
{
	DIR *dir = opendir(f->dir);
	size_t count = 0;

	assert_non_null(dir);
	while (readdir(dir))
		count++;
	(void)closedir(dir);
	return count - 2;
}

static mode_t mode_of(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return st.st_mode & 07777;
}

static void assert_contents(const char *path, struct str expected)
{
	struct buf contents = BUF_INIT(100000);
	struct err e = { 0 };

	assert_int_equal(file_read(path, &contents, &e), 0);
	assert_true(str_equal(buf_view(&contents), expected));
	buf_done(&contents);
}

static void test_read_appends(void **state)
{
	const char *path = in_dir(*state, "a");
	struct buf out = BUF_INIT(100);
	struct err e = { 0 };

	assert_int_equal(file_create(path, STR("x\0y"), 0600, &e), 0);
	buf_append_str(&out, STR("before "));
	assert_int_equal(file_read(path, &out, &e), 0);
	assert_true(str_equal(buf_view(&out), STR("before x\0y")));
	buf_done(&out);
}

static void test_read_limit_is_exact(void **state)
{
	const char *path = in_dir(*state, "a");
	struct buf out = BUF_INIT(6);
	struct err e = { 0 };

	assert_int_equal(file_create(path, STR("12345"), 0600, &e), 0);
	buf_append_char(&out, '0');
	assert_int_equal(file_read(path, &out, &e), 0);
	assert_true(str_equal(buf_view(&out), STR("012345")));
	assert_int_equal(file_read(path, &out, &e), -1);
	assert_int_equal(e.kind, ERR_LIMIT);
	buf_truncate(&out, 2);
	assert_int_equal(file_read(path, &out, &e), -1);
	assert_non_null(strstr(e.text, "larger than 4 bytes"));
	assert_non_null(strstr(e.text, path));
	assert_true(str_equal(buf_view(&out), STR("01")));
	buf_done(&out);
}

static void test_read_without_a_known_size(void **state)
{
	struct buf out = BUF_INIT(1000000);
	struct buf small = BUF_INIT(10);
	struct err e = { 0 };

	assert_int_equal(file_read("/proc/self/status", &out, &e), 0);
	assert_true(str_starts_with(buf_view(&out), STR("Name:")));
	assert_int_equal(file_read("/proc/self/status", &small, &e), -1);
	assert_int_equal(e.kind, ERR_LIMIT);
	assert_int_equal(small.len, 0);
	assert_int_equal(file_read("/dev/zero", &out, &e), -1);
	assert_int_equal(file_read("/dev/null", &small, &e), 0);
	buf_done(&out);
	buf_done(&small);
}

static void *write_to_pipe(void *path)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	assert_int_equal(write(fd, "hel", 3), 3);
	assert_int_equal(write(fd, "lo", 2), 2);
	(void)close(fd);
	return NULL;
}

/* What nobody writes to keeps nobody waiting for ever. */
static void test_read_a_pipe(void **state)
{
	struct fixture *f = *state;
	struct buf out = BUF_INIT(100);
	struct err e = { 0 };
	pthread_t writer;

	assert_int_equal(mkfifo(in_dir(f, "pipe"), 0600), 0);
	assert_int_equal(file_read_within(f->path, 0, &out, &e), -1);
	assert_int_equal(e.kind, ERR_TIMEOUT);
	assert_int_equal(pthread_create(&writer, NULL, write_to_pipe, f->path), 0);
	assert_int_equal(file_read(f->path, &out, &e), 0);
	assert_int_equal(pthread_join(writer, NULL), 0);
	assert_true(str_equal(buf_view(&out), STR("hello")));
	buf_done(&out);
}

static void test_read_large(void **state)
{
	const char *path = in_dir(*state, "a");
	struct buf big = BUF_INIT(300000);
	struct buf out = BUF_INIT(300000);
	struct err e = { 0 };

	while (big.len < big.max)
		buf_append_char(&big, (char)('a' + big.len % 23));
	assert_int_equal(file_replace(path, buf_view(&big), 0600, &e), 0);
	assert_int_equal(file_read(path, &out, &e), 0);
	assert_true(str_equal(buf_view(&out), buf_view(&big)));
	buf_done(&big);
	buf_done(&out);
}

static void test_read_failures(void **state)
{
	struct fixture *f = *state;
	struct buf out = BUF_INIT(100);
	struct err e = { 0 };

	assert_int_equal(file_read(in_dir(f, "missing"), &out, &e), -1);
	assert_int_equal(e.kind, ERR_SYSTEM);
	assert_non_null(strstr(e.text, "missing: No such file or directory"));
	assert_int_equal(file_read(f->dir, &out, &e), -1);
	assert_non_null(strstr(e.text, "Is a directory"));
	assert_int_equal(out.len, 0);
	buf_done(&out);
}

static void test_replace(void **state)
{
	struct fixture *f = *state;
	const char *path = in_dir(f, "a");
	mode_t mask = umask(0077);
	struct err e = { 0 };

	assert_int_equal(file_replace(path, STR("one"), 0644, &e), 0);
	assert_int_equal(mode_of(path), 0644);
	assert_contents(path, STR("one"));
	FILE *old = fopen(path, "r");
	assert_non_null(old);
	assert_int_equal(file_replace(path, STR("two"), 0600, &e), 0);
	assert_int_equal(mode_of(path), 0600);
	assert_contents(path, STR("two"));
	/* who had it open still sees the old file, whole */
	char text[10] = "";
	assert_non_null(fgets(text, sizeof(text), old));
	assert_string_equal(text, "one");
	(void)fclose(old);
	assert_int_equal(count_entries(f), 1);
	(void)umask(mask);
}

static void test_failed_replace_leaves_nothing(void **state)
{
	struct fixture *f = *state;
	struct err e = { 0 };

	assert_int_equal(mkdir(in_dir(f, "d"), 0700), 0);
	assert_int_equal(file_replace(f->path, STR("x"), 0600, &e), -1);
	assert_int_equal(count_entries(f), 1);
	assert_int_equal(file_replace(in_dir(f, "missing/a"), STR("x"), 0600, &e), -1);
	assert_int_equal(e.kind, ERR_SYSTEM);
}

static void test_create_refuses_what_exists(void **state)
{
	struct fixture *f = *state;
	const char *path = in_dir(f, "a");
	struct err e = { 0 };

	assert_int_equal(file_create(path, STR("one"), 0640, &e), 0);
	assert_int_equal(mode_of(path), 0640);
	assert_int_equal(file_create(path, STR("two"), 0600, &e), -1);
	assert_non_null(strstr(e.text, "File exists"));
	assert_contents(path, STR("one"));
	assert_int_equal(unlink(path), 0);
	/* not through a dangling link either */
	assert_int_equal(symlink("/nonexistent/target", path), 0);
	assert_int_equal(file_create(path, STR("two"), 0600, &e), -1);
}

static void test_output_that_does_not_arrive(void **state)
{
	FILE *full = fopen("/dev/full", "w");
	FILE *fine = fopen("/dev/null", "w");
	struct err e = { 0 };

	assert_non_null(full);
	assert_int_equal(file_finish_output(full, &e), 0);
	fputs("token", full);
	assert_int_equal(file_finish_output(full, &e), -1);
	assert_non_null(strstr(e.text, "cannot write the output: No space left"));
	assert_int_equal(file_finish_output(full, &e), -1); /* it is not forgotten */
	assert_int_equal(fclose(full), 0);
	assert_non_null(fine);
	fputs("token", fine);
	assert_int_equal(file_finish_output(fine, &e), 0);
	assert_int_equal(fclose(fine), 0);
}

static void test_dir_create(void **state)
{
	struct fixture *f = *state;
	struct err e = { 0 };

	assert_int_equal(dir_create(in_dir(f, "a/b//c/"), 0700, &e), 0);
	assert_int_equal(mode_of(in_dir(f, "a/b/c")), 0700);
	assert_int_equal(dir_create(in_dir(f, "a/b/c"), 0755, &e), 0);
	assert_int_equal(mode_of(f->path), 0700);
	assert_int_equal(dir_create("/", 0700, &e), 0);
	assert_int_equal(file_create(in_dir(f, "file"), STR(""), 0600, &e), 0);
	assert_int_equal(dir_create(f->path, 0700, &e), -1);
	assert_non_null(strstr(e.text, "Not a directory"));
	assert_int_equal(dir_create(in_dir(f, "file/x"), 0700, &e), -1);
	assert_int_equal(dir_create("", 0700, &e), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_read_appends, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_read_limit_is_exact, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_read_without_a_known_size, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_read_large, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_read_a_pipe, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_read_failures, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_replace, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_failed_replace_leaves_nothing, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_create_refuses_what_exists, set_up, tear_down),
		cmocka_unit_test(test_output_that_does_not_arrive),
		cmocka_unit_test_setup_teardown(test_dir_create, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
