/*
 * Sessions in files: found once, by nobody else, and never too many.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "base/mem.h"
#include "cli/cache_dir.h"
#include "cli/session_files.h"

#define PATH_MAX_LEN 256

struct scene {
	char root[64];
	struct session_files files;
	struct tls_session_store store;
};

/* What the files are asked for is seen through the same operations as a TLS configuration has. */
static void open_scene(struct scene *s)
{
	(void)snprintf(s->root, sizeof(s->root), "/tmp/session_files_test.XXXXXX");
	assert_non_null(mkdtemp(s->root));
	session_files_init(&s->files, s->root);
	s->store = session_files_store(&s->files);
}

static void close_scene(struct scene *s)
{
	struct err e;

	session_files_done(&s->files);
	assert_int_equal(cache_dir_clear(s->root, &e), 0);
	assert_int_equal(rmdir(s->root), 0);
}

static void path_of(const struct scene *s, const char *key, char out[PATH_MAX_LEN])
{
	(void)snprintf(out, PATH_MAX_LEN, "%s/tls/%s", s->root, key);
}

static bool has(struct scene *s, const char *key, const char *expected)
{
	struct buf session = BUF_INIT(TLS_SESSION_SIZE_MAX);
	bool is_there = s->store.take(s->store.arg, key, &session);

	if (is_there && !str_equal(buf_view(&session), str_from(expected)))
		fail_msg("%s: another session", key);
	buf_done(&session);
	return is_there;
}

static void test_found_once(void **state)
{
	char path[PATH_MAX_LEN];
	struct scene s;
	struct stat st;

	open_scene(&s);
	assert_false(has(&s, "a1", NULL));
	s.store.put(s.store.arg, "a1", STR("ticket"));
	path_of(&s, "a1", path);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	path_of(&s, ".", path);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_false(has(&s, "b2", NULL));
	assert_true(has(&s, "a1", "ticket"));
	assert_false(has(&s, "a1", NULL));
	s.store.put(s.store.arg, "a1", STR("one"));
	s.store.put(s.store.arg, "a1", STR("two"));
	assert_true(has(&s, "a1", "two"));
	close_scene(&s);
}

static unsigned count_kept(struct scene *s, unsigned max)
{
	unsigned count = 0;
	char key[16];

	for (unsigned i = 0; i < max; i++) {
		(void)snprintf(key, sizeof(key), "%u", i);
		count += has(s, key, "x") ? 1 : 0;
	}
	return count;
}

static void test_bounded(void **state)
{
	struct scene s;
	char key[16];

	open_scene(&s);
	for (unsigned i = 0; i < 3 * SESSION_FILES_MAX; i++) {
		(void)snprintf(key, sizeof(key), "%u", i);
		s.store.put(s.store.arg, key, STR("x"));
	}
	assert_int_equal(count_kept(&s, 3 * SESSION_FILES_MAX), SESSION_FILES_MAX);
	close_scene(&s);
}

static void test_old_ones_go(void **state)
{
	const struct timespec old[2] = { { .tv_sec = 1000 }, { .tv_sec = 1000 } };
	char path[PATH_MAX_LEN];
	struct scene s;

	open_scene(&s);
	s.store.put(s.store.arg, "a1", STR("x"));
	path_of(&s, "a1", path);
	assert_int_equal(utimensat(-1, path, old, 0), 0);
	s.store.put(s.store.arg, "b2", STR("x"));
	assert_int_equal(access(path, F_OK), -1);
	assert_true(has(&s, "b2", "x"));
	close_scene(&s);
}

static void test_links_are_not_followed(void **state)
{
	char path[PATH_MAX_LEN];
	char target[PATH_MAX_LEN];
	struct scene s;

	open_scene(&s);
	s.store.put(s.store.arg, "a1", STR("x"));
	path_of(&s, "a1", target);
	path_of(&s, "b2", path);
	assert_int_equal(symlink(target, path), 0);
	assert_false(has(&s, "b2", NULL));
	close_scene(&s);
}

static void test_clear(void **state)
{
	struct scene s;

	open_scene(&s);
	session_files_clear(&s.files);
	s.store.put(s.store.arg, "a1", STR("x"));
	s.store.put(s.store.arg, "b2", STR("x"));
	session_files_clear(&s.files);
	assert_false(has(&s, "a1", NULL));
	assert_false(has(&s, "b2", NULL));
	close_scene(&s);
}

/* No place, or one that cannot be written to: no sessions, and no trouble. */
static void test_without_a_place(void **state)
{
	static const char *const roots[] = { "/proc/self/nowhere", "/dev/null" };

	for (size_t i = 0; i < ARRAY_LEN(roots); i++) {
		struct scene s;

		session_files_init(&s.files, roots[i]);
		s.store = session_files_store(&s.files);
		s.store.put(s.store.arg, "a1", STR("x"));
		assert_false(has(&s, "a1", NULL));
		session_files_clear(&s.files);
		session_files_done(&s.files);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_found_once),  cmocka_unit_test(test_bounded),
		cmocka_unit_test(test_old_ones_go), cmocka_unit_test(test_links_are_not_followed),
		cmocka_unit_test(test_clear),       cmocka_unit_test(test_without_a_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
