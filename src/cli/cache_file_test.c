/*
 * Files that somebody else may have put there.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/mem.h"
#include "cli/cache_file.h"

#define READ_MAX 16

struct fixture {
	char directory[64];
	char path[128];
	char other[128];
};

static int setup(void **state)
{
	struct fixture *f = mem_alloc(sizeof(*f));

	(void)snprintf(f->directory, sizeof(f->directory), "/tmp/cache_file.XXXXXX");
	assert_non_null(mkdtemp(f->directory));
	(void)snprintf(f->path, sizeof(f->path), "%s/file", f->directory);
	(void)snprintf(f->other, sizeof(f->other), "%s/other", f->directory);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	(void)remove(f->path);
	(void)remove(f->other);
	assert_int_equal(rmdir(f->directory), 0);
	mem_free(f);
	return 0;
}

static void make(const char *path, const char *text, mode_t mode)
{
	struct err e;

	assert_int_equal(file_replace(path, str_from(text), mode, &e), 0);
}

/* text NULL: refused with these words. */
static void check(const char *path, const char *text, const char *words)
{
	struct buf out = BUF_INIT(READ_MAX);
	bool is_there = false;
	struct err e = { 0 };
	int rc = cache_file_read(path, &out, &is_there, &e);

	assert_int_equal(rc, text ? 0 : -1);
	if (text) {
		assert_true(is_there);
		assert_true(str_equal(buf_view(&out), str_from(text)));
	} else {
		assert_non_null(strstr(e.text, words));
		assert_int_equal(out.len, 0);
	}
	buf_done(&out);
}

static void test_reads(void **state)
{
	struct fixture *f = *state;

	make(f->path, "0123456789abcdef", 0600);
	check(f->path, "0123456789abcdef", NULL);
	make(f->path, "", 0600);
	check(f->path, "", NULL);
	make(f->path, "x", 0644); /* no secret any more, perhaps, but nobody else's either */
	check(f->path, "x", NULL);
}

static void test_what_is_not_there(void **state)
{
	struct fixture *f = *state;
	struct buf out = BUF_INIT(READ_MAX);
	char below[160];
	bool is_there = true;
	struct err e;

	assert_int_equal(cache_file_read(f->path, &out, &is_there, &e), 0);
	assert_false(is_there);
	(void)snprintf(below, sizeof(below), "%s/below", f->path);
	is_there = true;
	assert_int_equal(cache_file_read(below, &out, &is_there, &e), 0);
	assert_false(is_there);
}

static void test_refuses(void **state)
{
	struct fixture *f = *state;

	make(f->path, "0123456789abcdefg", 0600);
	check(f->path, NULL, "larger than 16 bytes");
	make(f->path, "x", 0620);
	check(f->path, NULL, "others can write");
	make(f->path, "x", 0602);
	check(f->path, NULL, "others can write");
	assert_int_equal(unlink(f->path), 0);
	assert_int_equal(mkfifo(f->path, 0600), 0);
	check(f->path, NULL, "no regular file");
	assert_int_equal(unlink(f->path), 0);
	assert_int_equal(mkdir(f->path, 0700), 0);
	check(f->path, NULL, "no regular file");
}

static void test_refuses_links(void **state)
{
	struct fixture *f = *state;
	struct err e = { 0 };

	make(f->other, "x", 0600);
	assert_int_equal(symlink(f->other, f->path), 0);
	check(f->path, NULL, "is a link");
	assert_int_equal(cache_file_open(f->path, &e), -1);
	assert_non_null(strstr(e.text, "is a link"));
	assert_int_equal(unlink(f->other),
			 0); /* it leads nowhere now: nothing must be made there */
	assert_int_equal(cache_file_open(f->path, &e), -1);
	assert_int_equal(access(f->other, F_OK), -1);
}

static void test_refuses_what_is_somebody_elses(void **state)
{
	struct fixture *f = *state;
	struct err e = { 0 };

	if (geteuid() != 0) {
		print_message("only root can give files away\n");
		skip();
	}
	make(f->path, "x", 0600);
	assert_int_equal(chown(f->path, 12345, (gid_t)-1), 0);
	check(f->path, NULL, "another user");
	assert_int_equal(chown(f->directory, 12345, (gid_t)-1), 0);
	assert_int_equal(cache_file_directory(f->directory, &e), -1);
	assert_non_null(strstr(e.text, "another user"));
}

static void test_directories(void **state)
{
	struct fixture *f = *state;
	struct stat st;
	struct err e = { 0 };

	assert_int_equal(cache_file_directory(f->path, &e), 0);
	assert_int_equal(stat(f->path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(chmod(f->path, 0755), 0);
	assert_int_equal(cache_file_directory(f->path, &e), 0);
	assert_int_equal(stat(f->path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(chmod(f->path, 0777), 0);
	assert_int_equal(cache_file_directory(f->path, &e), -1);
	assert_int_equal(symlink(f->path, f->other), 0);
	assert_int_equal(chmod(f->path, 0700), 0);
	assert_int_equal(cache_file_directory(f->other, &e), -1);
	assert_non_null(strstr(e.text, "is a link"));
}

static void test_opens(void **state)
{
	struct fixture *f = *state;
	struct stat st;
	struct err e;
	int fd = cache_file_open(f->path, &e);

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	(void)close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_reads, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_is_not_there, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refuses, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refuses_links, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refuses_what_is_somebody_elses, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_directories, setup, teardown),
		cmocka_unit_test_setup_teardown(test_opens, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
