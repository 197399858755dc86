#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "tests/support/store_backend_suite.h"

struct folder {
	char path[64];
	char state[80]; /* is made by the backend */
	char file[96];
};

static const char *const leftovers[] = { "", "-wal", "-shm", "-journal" };

static void remove_files(void *arg)
{
	const struct folder *f = arg;

	for (size_t i = 0; i < ARRAY_LEN(leftovers); i++) {
		char path[128];

		(void)snprintf(path, sizeof(path), "%s%s", f->file, leftovers[i]);
		(void)unlink(path);
	}
	(void)rmdir(f->file);
	(void)rmdir(f->state);
}

static void make_folder(struct folder *f)
{
	(void)snprintf(f->path, sizeof(f->path), "/tmp/backend-sqlite-XXXXXX");
	assert_non_null(mkdtemp(f->path));
	(void)snprintf(f->state, sizeof(f->state), "%s/state", f->path);
	(void)snprintf(f->file, sizeof(f->file), "%s/it's.db", f->state);
}

static void remove_folder(struct folder *f)
{
	remove_files(f);
	(void)rmdir(f->path);
}

static int setup(void **state)
{
	struct folder *f = mem_alloc(sizeof(*f));

	make_folder(f);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	remove_folder(*state);
	mem_free(*state);
	return 0;
}

static struct store_backend *open_file(void *arg)
{
	const struct folder *f = arg;
	struct store_backend *b = NULL;
	struct err e = { 0 };

	if (backend_sqlite_open(str_from(f->file), &b, &e) < 0)
		fail_msg("%s", e.text);
	return b;
}

static void reset_nothing(void *arg)
{
}

static struct store_backend *open_memory(void *arg)
{
	struct store_backend *b = NULL;
	struct err e = { 0 };

	if (backend_sqlite_open(STR(":memory:"), &b, &e) < 0)
		fail_msg("%s", e.text);
	return b;
}

/* ---- opening ---- */

static unsigned mode_of(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return st.st_mode & 0777;
}

static void test_nobody_else_may_read_it(void **state)
{
	struct folder *f = *state;
	char wal[128];
	mode_t before = umask(0);
	struct store_backend *b = open_file(f);

	(void)snprintf(wal, sizeof(wal), "%s-wal", f->file);
	assert_int_equal(mode_of(f->state), 0700);
	assert_int_equal(mode_of(f->file), 0600);
	assert_int_equal(mode_of(wal), 0600);
	b->ops->close(b);
	assert_int_equal(chmod(f->file, 0644), 0);
	b = open_file(f);
	assert_int_equal(mode_of(f->file), 0600);
	assert_int_equal(mode_of(wal), 0600);
	b->ops->close(b);
	(void)umask(before);
}

static void expect_error(struct folder *f, const char *reason)
{
	struct store_backend *b = NULL;
	struct err e = { 0 };

	assert_int_equal(backend_sqlite_open(str_from(f->file), &b, &e), -1);
	assert_null(b);
	if (!strstr(e.text, reason) || !strstr(e.text, f->file))
		fail_msg("\"%s\" does not say \"%s\"", e.text, reason);
}

static void test_path_is_a_directory(void **state)
{
	struct folder *f = *state;
	struct err e;

	assert_int_equal(dir_create(f->file, 0700, &e), 0);
	expect_error(f, "it is a directory");
}

static void test_path_is_a_pipe(void **state)
{
	struct folder *f = *state;
	struct err e;

	assert_int_equal(dir_create(f->state, 0700, &e), 0);
	assert_int_equal(mkfifo(f->file, 0600), 0);
	expect_error(f, "it is no regular file");
}

static void test_folder_is_a_file(void **state)
{
	struct folder *f = *state;
	struct err e;

	assert_int_equal(file_create(f->state, STR("x"), 0600, &e), 0);
	expect_error(f, "Not a directory");
	assert_int_equal(unlink(f->state), 0);
}

static void write_garbage(struct folder *f, size_t size)
{
	char *bytes = mem_alloc(size);
	struct err e;

	memset(bytes, 'x', size);
	assert_int_equal(dir_create(f->state, 0700, &e), 0);
	assert_int_equal(file_replace(f->file, str_of(bytes, size), 0600, &e), 0);
	mem_free(bytes);
}

static void test_not_a_database(void **state)
{
	write_garbage(*state, 10);
	expect_error(*state, "damaged or is no session store");
	write_garbage(*state, 100000);
	expect_error(*state, "damaged or is no session store");
}

static void test_half_a_database(void **state)
{
	struct folder *f = *state;
	struct store_backend *b = open_file(f);

	b->ops->close(b);
	assert_int_equal(truncate(f->file, 8192), 0);
	expect_error(f, "damaged or is no session store");
}

static void run_sql(struct folder *f, const char *sql)
{
	sqlite3 *db = NULL;
	struct err e;

	assert_int_equal(dir_create(f->state, 0700, &e), 0);
	assert_int_equal(sqlite3_open(f->file, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void test_database_of_another_program(void **state)
{
	struct folder *f = *state;
	struct buf before = BUF_INIT(100000);
	struct buf after = BUF_INIT(100000);
	struct err e;

	run_sql(f, "CREATE TABLE records(name TEXT)");
	assert_int_equal(file_read(f->file, &before, &e), 0);
	expect_error(f, "is the database of another program");
	assert_int_equal(file_read(f->file, &after, &e), 0);
	assert_true(str_equal(buf_view(&before), buf_view(&after)));
	run_sql(f, "DROP TABLE records; PRAGMA application_id = 77");
	expect_error(f, "is the database of another program");
	buf_done(&before);
	buf_done(&after);
}

static void test_newer_schema(void **state)
{
	struct folder *f = *state;
	struct store_backend *b = open_file(f);

	b->ops->close(b);
	run_sql(f, "PRAGMA user_version = 99");
	expect_error(f, "newer release (schema 99");
}

/* ---- running ---- */

static int put(struct store_backend *b, const char *id, struct str body, struct err *e)
{
	enum store_result result = STORE_UNAVAILABLE;
	struct record record = {
		.kind = RECORD_SESSION, .id = str_from(id), .owner = STR("u1"), .body = body
	};

	if (b->ops->begin(b, e) < 0 || b->ops->put(b, &record, 0, &result, e) < 0 ||
	    b->ops->commit(b, e) < 0)
		return -1;
	assert_int_equal(result, STORE_DONE);
	return 0;
}

static bool has(struct store_backend *b, const char *id)
{
	enum store_result result = STORE_UNAVAILABLE;
	struct arena arena = { 0 };
	struct record record;
	struct err e;

	assert_int_equal(
		b->ops->get(b, &(struct record_stamp){ .kind = RECORD_SESSION, .id = str_from(id) },
			    &arena, &record, &result, &e),
		0);
	arena_done(&arena);
	return result == STORE_DONE;
}

static void count_gap(void *arg)
{
	size_t *gaps = arg;

	(*gaps)++;
}

static const struct store_backend_events gap_events = { .on_gap = count_gap };

/* No file of this process may grow beyond size. */
static void limit_files(rlim_t size)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = size;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void test_no_room_for_a_while(void **state)
{
	struct store_backend *b = open_file(*state);
	void (*before)(int) = signal(SIGXFSZ, SIG_IGN);
	char *body = mem_alloc(STORE_BODY_MAX);
	int wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	size_t gaps = 0;
	struct err e = { 0 };

	b->events = &gap_events;
	b->arg = &gaps;
	assert_int_equal(put(b, "before", STR("{}"), &e), 0);
	limit_files(100000);
	assert_int_equal(put(b, "lost", str_of(body, STORE_BODY_MAX), &e), -1);
	assert_non_null(strstr(e.text, "it's.db"));
	/* Reading goes on. Small writes may fit, so that wait() may find it well again. */
	assert_true(has(b, "before"));
	assert_false(has(b, "lost"));
	/* The transaction is over without anybody's help. */
	assert_int_equal(b->ops->begin(b, &e), 0);
	b->ops->rollback(b);
	limit_files(RLIM_INFINITY);
	while (b->ops->wait(b, wake_fd, 1000, &e) < 0)
		assert_non_null(strstr(e.text, "it's.db"));
	assert_int_equal(gaps, 1);
	assert_int_equal(put(b, "after", str_of(body, STORE_BODY_MAX), &e), 0);
	assert_true(has(b, "before") && has(b, "after") && !has(b, "lost"));
	b->ops->close(b);
	b = open_file(*state);
	assert_true(has(b, "before") && has(b, "after") && !has(b, "lost"));
	b->ops->close(b);
	close(wake_fd);
	mem_free(body);
	(void)signal(SIGXFSZ, before);
}

static void test_damage_while_running(void **state)
{
	struct folder *f = *state;
	struct store_backend *b = open_file(f);
	struct arena arena = { 0 };
	enum store_result result;
	struct record record;
	struct err e = { 0 };
	int fd;

	for (int i = 0; i < 50; i++) {
		char id[16];
		char body[2000] = "";

		(void)snprintf(id, sizeof(id), "%d", i);
		assert_int_equal(put(b, id, str_of(body, sizeof(body)), &e), 0);
	}
	b->ops->close(b);
	b = open_file(f);
	fd = open(f->file, O_WRONLY);
	assert_true(fd >= 0);
	for (off_t at = 4096; at < 200000; at += 4096)
		assert_int_equal(pwrite(fd, "\xff\xff\xff\xff\xff\xff\xff\xff", 8, at), 8);
	close(fd);
	assert_int_equal(
		b->ops->get(b, &(struct record_stamp){ .kind = RECORD_SESSION, .id = STR("7") },
			    &arena, &record, &result, &e),
		-1);
	assert_non_null(strstr(e.text, "damaged"));
	assert_int_equal(put(b, "new", STR("{}"), &e), -1);
	b->ops->close(b);
	arena_done(&arena);
}

#define CASE(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

static int run_suites(void)
{
	struct folder folder;
	const struct store_backend_suite memory = {
		.name = "memory",
		.reset = reset_nothing,
		.open = open_memory,
	};
	const struct store_backend_suite file = {
		.name = "file",
		.reset = remove_files,
		.open = open_file,
		.arg = &folder,
		.is_durable = true,
		.news = STORE_BACKEND_GAPS,
	};
	int failed;

	make_folder(&folder);
	failed = store_backend_suite_run(&memory) + store_backend_suite_run(&file);
	remove_folder(&folder);
	return failed;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_nobody_else_may_read_it),
		CASE(test_path_is_a_directory),
		CASE(test_path_is_a_pipe),
		CASE(test_folder_is_a_file),
		CASE(test_not_a_database),
		CASE(test_half_a_database),
		CASE(test_database_of_another_program),
		CASE(test_newer_schema),
		CASE(test_no_room_for_a_while),
		CASE(test_damage_while_running),
	};

	return run_suites() + cmocka_run_group_tests(tests, NULL, NULL);
}
