#include "base/log_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"

struct scene {
	char directory[64];
	char path[128];
	atomic_uint problems;
	atomic_uint recoveries;
	struct log_file *file;
};

static void on_problem(void *arg, const struct err *e)
{
	struct scene *s = arg;

	atomic_fetch_add(e ? &s->problems : &s->recoveries, 1);
}

static void scene_init(struct scene *s)
{
	*s = (struct scene){ .directory = "/tmp/log-file-XXXXXX" };
	assert_non_null(mkdtemp(s->directory));
	(void)snprintf(s->path, sizeof(s->path), "%s/audit.log", s->directory);
	s->file = log_file_new(on_problem, s, NULL);
	assert_non_null(s->file);
}

static void remove_file(const struct scene *s, const char *name)
{
	char path[256];

	(void)snprintf(path, sizeof(path), "%s/%s", s->directory, name);
	(void)unlink(path);
}

static void scene_done(struct scene *s)
{
	remove_file(s, "audit.log");
	remove_file(s, "old.log");
	assert_int_equal(rmdir(s->directory), 0);
}

static void assert_text(const char *path, const char *text)
{
	struct buf read = BUF_INIT(1u << 20);

	assert_int_equal(file_read(path, &read, NULL), 0);
	assert_int_equal(read.len, strlen(text));
	assert_memory_equal(read.data, text, read.len);
	buf_done(&read);
}

static void wait_for(atomic_uint *count)
{
	while (atomic_load(count) == 0)
		(void)usleep(1000);
}

static void use(struct log_file *file, const char *path)
{
	int fd = log_file_open(path, NULL);

	assert_true(fd >= 0);
	log_file_use(file, fd);
}

static void test_lines_are_appended(void **state)
{
	struct scene s;
	struct stat st;

	scene_init(&s);
	log_file_append(s.file, STR("nowhere\n")); /* there is no file yet */
	assert_false(log_file_has_file(s.file));
	use(s.file, s.path);
	assert_true(log_file_has_file(s.file));
	log_file_append(s.file, STR("one\n"));
	log_file_append(s.file, STR("two\n"));
	log_file_free(s.file);
	assert_text(s.path, "one\ntwo\n");
	assert_int_equal(stat(s.path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	scene_done(&s);
}

/* Until the writer has changed files a line goes to the old one: together they have all, in order. */
static void assert_both(const char *old, const char *new, const char *text)
{
	struct buf read = BUF_INIT(1u << 20);

	assert_int_equal(file_read(old, &read, NULL), 0);
	assert_int_equal(file_read(new, &read, NULL), 0);
	assert_int_equal(read.len, strlen(text));
	assert_memory_equal(read.data, text, read.len);
	buf_done(&read);
}

static void test_rotation_loses_nothing(void **state)
{
	struct scene s;
	struct stat st;
	char old[256];

	scene_init(&s);
	(void)snprintf(old, sizeof(old), "%s/old.log", s.directory);
	use(s.file, s.path);
	log_file_append(s.file, STR("before\n"));
	while (stat(s.path, &st) < 0 || st.st_size == 0)
		(void)usleep(1000);
	assert_int_equal(rename(s.path, old), 0);
	log_file_append(s.file, STR("between\n"));
	while (stat(old, &st) < 0 || st.st_size == strlen("before\n"))
		(void)usleep(1000);
	use(s.file, s.path);
	log_file_append(s.file, STR("after\n"));
	log_file_free(s.file);
	assert_both(old, s.path, "before\nbetween\nafter\n");
	scene_done(&s);
}

static void test_a_bad_path_changes_nothing(void **state)
{
	struct scene s;
	struct err e = { 0 };
	char pipe[sizeof(s.path)];

	scene_init(&s);
	(void)snprintf(pipe, sizeof(pipe), "%s/pipe", s.directory);
	use(s.file, s.path);
	assert_int_equal(log_file_open("/nonexistent/audit.log", &e), -1);
	assert_non_null(strstr(e.text, "/nonexistent/audit.log"));
	assert_int_equal(mkfifo(pipe, 0600), 0);
	assert_int_equal(log_file_open(pipe, &e), -1); /* nobody reads there, and nobody waits */
	assert_int_equal(unlink(pipe), 0);
	log_file_append(s.file, STR("one\n"));
	log_file_free(s.file);
	assert_text(s.path, "one\n");
	scene_done(&s);
}

static void test_what_a_full_disk_refuses_is_kept(void **state)
{
	struct scene s;

	scene_init(&s);
	use(s.file, "/dev/full");
	log_file_append(s.file, STR("one\n"));
	wait_for(&s.problems);
	log_file_append(s.file, STR("two\n"));
	use(s.file, s.path);
	wait_for(&s.recoveries);
	log_file_free(s.file);
	assert_text(s.path, "one\ntwo\n");
	assert_int_equal(atomic_load(&s.problems), 1);
	scene_done(&s);
}

static void test_too_much_is_known_and_counted(void **state)
{
	struct scene s;
	size_t size = 64 * 1024;
	char *line = mem_alloc(size + 1);

	scene_init(&s);
	memset(line, 'x', size - 1);
	line[size - 1] = '\n';
	use(s.file, "/dev/full");
	assert_false(log_file_is_full(s.file));
	for (size_t i = 0; i < LOG_FILE_MARK / size; i++)
		log_file_append(s.file, str_of(line, size));
	assert_true(log_file_is_full(s.file));
	assert_int_equal(log_file_dropped(s.file), 0);
	for (size_t i = 0; i < 2 * (LOG_FILE_QUEUE_MAX / size); i++)
		log_file_append(s.file, str_of(line, size));
	assert_true(log_file_dropped(s.file) > 0);
	log_file_free(s.file);
	mem_free(line);
	assert_int_equal(rmdir(s.directory), 0);
}

/* Appends what is in the pipe. */
static void drain(int reader, struct buf *out)
{
	ssize_t got = read(reader, buf_reserve(out, 65536), 65536);

	buf_commit(out, got > 0 ? (size_t)got : 0);
}

/* Neither does the end wait for him, nor is a line torn or left out if he goes on. */
static void test_a_reader_that_stops(void **state)
{
	static const char line[] = "one line of thirty-two bytes...\n";
	const size_t len = strlen(line);
	const size_t count = 8192; /* more than a pipe takes */
	struct buf read_back = BUF_INIT(1u << 20);
	struct scene s;
	int reader;

	scene_init(&s);
	assert_int_equal(mkfifo(s.path, 0600), 0);
	reader = open(s.path, O_RDONLY | O_NONBLOCK);
	assert_true(reader >= 0);
	use(s.file, s.path);
	for (size_t i = 0; i < count; i++)
		log_file_append(s.file, str_from(line));
	wait_for(&s.problems);
	while (read_back.len < count * len)
		drain(reader, &read_back);
	for (size_t i = 0; i < count; i++)
		assert_memory_equal(read_back.data + i * len, line, len);
	wait_for(&s.recoveries);
	for (size_t i = 0; i < count; i++)
		log_file_append(s.file, str_from(line));
	log_file_free(s.file);
	buf_done(&read_back);
	(void)close(reader);
	scene_done(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines_are_appended),
		cmocka_unit_test(test_rotation_loses_nothing),
		cmocka_unit_test(test_a_bad_path_changes_nothing),
		cmocka_unit_test(test_what_a_full_disk_refuses_is_kept),
		cmocka_unit_test(test_too_much_is_known_and_counted),
		cmocka_unit_test(test_a_reader_that_stops),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
