/*
 * Where the cache is, and that clearing it touches nothing outside.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "base/file.h"
#include "base/mem.h"
#include "cli/cache_dir.h"

struct place {
	const char *xdg;
	const char *home;
	const char *root; /* NULL: refused */
};

static void test_locate(void **state)
{
	static const struct place places[] = {
		{ "/var/cache/me", "/home/me", "/var/cache/me/pomerium-cli" },
		{ NULL, "/home/me", "/home/me/.cache/pomerium-cli" },
		{ "", "/home/me", "/home/me/.cache/pomerium-cli" },
		{ "relative", "/home/me", NULL },
		{ NULL, NULL, NULL },
		{ "", "", NULL },
	};

	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		char *root = NULL;
		struct err e;
		int result = cache_dir_locate(places[i].xdg, places[i].home, &root, &e);

		assert_int_equal(result, places[i].root ? 0 : -1);
		if (places[i].root)
			assert_string_equal(root, places[i].root);
		mem_free(root);
	}
}

struct fixture {
	char base[64];
	char root[128];
	char outside[128];
	char outside_file[192];
};

static int setup(void **state)
{
	struct fixture *f = mem_alloc(sizeof(*f));
	struct err e;

	memcpy(f->base, "/tmp/cli-cache-XXXXXX", sizeof("/tmp/cli-cache-XXXXXX"));
	assert_non_null(mkdtemp(f->base));
	snprintf(f->root, sizeof(f->root), "%s/root", f->base);
	snprintf(f->outside, sizeof(f->outside), "%s/outside", f->base);
	snprintf(f->outside_file, sizeof(f->outside_file), "%s/file", f->outside);
	assert_int_equal(dir_create(f->root, 0755, &e), 0);
	assert_int_equal(dir_create(f->outside, 0755, &e), 0);
	assert_int_equal(file_replace(f->outside_file, STR("precious"), 0600, &e), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	unlink(f->outside_file);
	rmdir(f->outside);
	unlink(f->root);
	rmdir(f->root);
	assert_int_equal(rmdir(f->base), 0);
	mem_free(f);
	return 0;
}

static void test_clear(void **state)
{
	const struct fixture *f = *state;
	char path[256];
	struct err e;

	snprintf(path, sizeof(path), "%s/jwts/deeper", f->root);
	assert_int_equal(dir_create(path, 0700, &e), 0);
	snprintf(path, sizeof(path), "%s/jwts/deeper/a.jwt", f->root);
	assert_int_equal(file_replace(path, STR("x"), 0600, &e), 0);
	snprintf(path, sizeof(path), "%s/last-url", f->root);
	assert_int_equal(file_replace(path, STR("x"), 0600, &e), 0);
	snprintf(path, sizeof(path), "%s/jwts/link", f->root);
	assert_int_equal(symlink(f->outside, path), 0);
	assert_int_equal(cache_dir_clear(f->root, &e), 0);
	assert_int_equal(access(f->outside_file, F_OK), 0);
	assert_int_equal(rmdir(f->root), 0); /* it is there, and empty */
}

static void test_clear_nothing(void **state)
{
	const struct fixture *f = *state;
	struct err e;

	assert_int_equal(rmdir(f->root), 0);
	assert_int_equal(cache_dir_clear(f->root, &e), 0);
}

static void test_clear_does_not_follow_a_linked_root(void **state)
{
	const struct fixture *f = *state;
	struct err e;

	assert_int_equal(rmdir(f->root), 0);
	assert_int_equal(symlink(f->outside, f->root), 0);
	assert_int_equal(cache_dir_clear(f->root, &e), -1);
	assert_int_equal(access(f->outside_file, F_OK), 0);
}

static void test_last_url(void **state)
{
	const struct fixture *f = *state;
	struct buf contents = BUF_INIT(100);
	char path[192];
	struct err e;

	snprintf(path, sizeof(path), "%s/last-url", f->root);
	cache_dir_remember_url(f->root, STR("https://gw:443"));
	assert_int_equal(file_read(path, &contents, &e), 0);
	assert_true(str_equal(buf_view(&contents), STR("https://gw:443")));
	buf_done(&contents);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(f->root), 0);
	cache_dir_remember_url(f->root, STR("https://gw:443"));
	assert_int_equal(access(f->root, F_OK), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_locate),
		cmocka_unit_test_setup_teardown(test_clear, setup, teardown),
		cmocka_unit_test_setup_teardown(test_clear_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_clear_does_not_follow_a_linked_root, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_last_url, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
