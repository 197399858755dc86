/*
 * The names of the files, and which token is there after what.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/mem.h"
#include "cli/cache_dir.h"
#include "cli/credentials.h"
#include "tests/vectors/vectors.h"

struct fixture {
	char root[64];
	struct credentials credentials;
};

static int setup(void **state)
{
	struct fixture *f = mem_alloc(sizeof(*f));

	memcpy(f->root, "/tmp/cli-credentials-XXXXXX", sizeof("/tmp/cli-credentials-XXXXXX"));
	assert_non_null(mkdtemp(f->root));
	credentials_init(&f->credentials, f->root, STR("redis.example.com:443"), true);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	struct err e;

	credentials_done(&f->credentials);
	assert_int_equal(cache_dir_clear(f->root, &e), 0);
	assert_int_equal(rmdir(f->root), 0);
	mem_free(f);
	return 0;
}

/* text NULL: there must be none. */
static void check_loaded(struct credentials *c, const char *text)
{
	struct buf token = BUF_INIT(TOKEN_MAX);

	assert_int_equal(credentials_load(c, &token), text != NULL);
	assert_true(str_equal(buf_view(&token), str_from(text)));
	buf_done(&token);
}

static void write_file(const char *path, struct str contents)
{
	struct err e;

	assert_int_equal(file_replace(path, contents, 0600, &e), 0);
}

static void test_file_names(void **state)
{
	json_t *vectors = vectors_load("cli_cache.json");
	const json_t *rows = vectors_get(vectors, "jwt");
	size_t count = json_array_size(rows);

	assert_true(count >= 7);
	for (size_t i = 0; i < count; i++) {
		const json_t *row = json_array_get(rows, i);
		struct str file = vectors_str(row, "file");
		char name[CREDENTIALS_NAME_MAX];

		credentials_file_name(vectors_str(row, "cache_key"), name);
		assert_true(str_equal(str_from(name), str_from_pos(file, strlen("jwts/"))));
	}
	json_decref(vectors);
}

static void test_path_is_that_of_the_vector(void **state)
{
	const struct fixture *f = *state;
	struct str path = str_from(f->credentials.path);

	assert_true(str_ends_with(
		path, STR("/jwts/30H5NYQWVFEH10T2UIF1IHNFFR38XN9C2FEQITGPX8N5ZJNPY9.jwt")));
}

static void test_store_and_load(void **state)
{
	struct fixture *f = *state;
	struct stat st;
	struct err e;

	check_loaded(&f->credentials, NULL);
	assert_int_equal(credentials_store(&f->credentials, STR("a.b-c_d"), &e), 0);
	check_loaded(&f->credentials, "a.b-c_d");
	assert_int_equal(stat(f->credentials.path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(st.st_size, 7);
	assert_int_equal(stat(f->credentials.directory, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
}

static void test_forget_only_the_refused_one(void **state)
{
	struct fixture *f = *state;
	struct err e;

	assert_int_equal(credentials_store(&f->credentials, STR("new"), &e), 0);
	credentials_forget(&f->credentials, STR("old"));
	credentials_forget(&f->credentials, STR(""));
	credentials_forget(&f->credentials, STR("ne"));
	check_loaded(&f->credentials, "new");
	credentials_forget(&f->credentials, STR("new"));
	check_loaded(&f->credentials, NULL);
	assert_int_equal(access(f->credentials.path, F_OK), -1);
}

static void test_damaged_files_are_no_login(void **state)
{
	struct fixture *f = *state;
	struct err e;
	char *long_text = mem_alloc(TOKEN_MAX + 1);

	assert_int_equal(credentials_store(&f->credentials, STR("good"), &e), 0);
	write_file(f->credentials.path, STR(""));
	check_loaded(&f->credentials, NULL);
	write_file(f->credentials.path, STR("a\r\nX-Evil: 1"));
	check_loaded(&f->credentials, NULL);
	write_file(f->credentials.path, STR("a b"));
	check_loaded(&f->credentials, NULL);
	memset(long_text, 'a', TOKEN_MAX + 1);
	write_file(f->credentials.path, str_of(long_text, TOKEN_MAX + 1));
	check_loaded(&f->credentials, NULL);
	write_file(f->credentials.path, STR("again"));
	check_loaded(&f->credentials, "again");
	mem_free(long_text);
}

static void test_memory_when_it_cannot_be_stored(void **state)
{
	struct fixture *f = *state;
	struct err e;

	/* a file where the directory should be */
	write_file(f->credentials.directory, STR("in the way"));
	assert_int_equal(credentials_store(&f->credentials, STR("token"), &e), -1);
	check_loaded(&f->credentials, "token");
	credentials_forget(&f->credentials, STR("token"));
	check_loaded(&f->credentials, NULL);
}

static void test_memory_only(void **state)
{
	struct credentials c;
	struct err e;

	credentials_init(&c, NULL, STR("gw:443"), true);
	check_loaded(&c, NULL);
	assert_int_equal(credentials_store(&c, STR("one"), &e), 0);
	assert_int_equal(credentials_store(&c, STR("two"), &e), 0);
	check_loaded(&c, "two");
	credentials_forget(&c, STR("one"));
	check_loaded(&c, "two");
	credentials_forget(&c, STR("two"));
	check_loaded(&c, NULL);
	credentials_done(&c);
}

static void test_tokens(void **state)
{
	static const char *const bad[] = {
		"", " ", "a b", "a\n", "a\"b", "a%20", "\xc3\xa9", "a,b"
	};
	char *text = mem_alloc(TOKEN_MAX + 1);

	memset(text, 'x', TOKEN_MAX + 1);
	assert_true(token_is_valid(STR("eyJhbGciOiJIUzI1NiJ9.e30.a-_~+/=")));
	assert_true(token_is_valid(str_of(text, TOKEN_MAX)));
	assert_false(token_is_valid(str_of(text, TOKEN_MAX + 1)));
	assert_false(token_is_valid(STR("a\0b")));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(token_is_valid(str_from(bad[i])));
	mem_free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_file_names),
		cmocka_unit_test_setup_teardown(test_path_is_that_of_the_vector, setup, teardown),
		cmocka_unit_test_setup_teardown(test_store_and_load, setup, teardown),
		cmocka_unit_test_setup_teardown(test_forget_only_the_refused_one, setup, teardown),
		cmocka_unit_test_setup_teardown(test_damaged_files_are_no_login, setup, teardown),
		cmocka_unit_test_setup_teardown(test_memory_when_it_cannot_be_stored, setup,
						teardown),
		cmocka_unit_test(test_memory_only),
		cmocka_unit_test(test_tokens),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
