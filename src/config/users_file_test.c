/*
 * users_file_test.c - reading, changing, writing and reading again
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "config/users_file.h"

struct fixture {
	char folder[64];
	char path[80];
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	(void)snprintf(f->folder, sizeof(f->folder), "/tmp/users_file_test.XXXXXX");
	assert_non_null(mkdtemp(f->folder));
	(void)snprintf(f->path, sizeof(f->path), "%s/users.yaml", f->folder);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	(void)unlink(f->path); /* not every test makes it */
	assert_int_equal(rmdir(f->folder), 0);
	free(f);
	return 0;
}

static void assert_str(struct str s, const char *expected)
{
	assert_int_equal(s.len, strlen(expected));
	if (s.len)
		assert_memory_equal(s.at, expected, s.len);
}

static void test_missing(void **state)
{
	const struct fixture *f = *state;
	struct users_file file = { 0 };
	struct err e = { 0 };

	assert_int_equal(users_file_read(f->path, true, &file, &e), 0);
	assert_int_equal(file.count, 0);
	assert_int_equal(users_file_read(f->path, false, &file, &e), -1);
	assert_non_null(strstr(e.text, "No such file"));
	users_file_done(&file);
}

static void test_round_trip(void **state)
{
	const struct fixture *f = *state;
	const struct str groups[] = { STR("eng: *x"), STR("ops\"'\\") };
	struct users_file file = { 0 };
	struct stat st;
	struct err e = { 0 };

	struct config_user *user = users_file_add(&file);
	user->email = STR("alice@a.test");
	user->name = STR("Al\xc3\xa9\n- email: evil@a.test");
	user->groups = (struct config_list){ groups, 2 };
	user->password_hash = STR("$y$j9T$salt$hash");
	user = users_file_add(&file);
	user->email = STR("bob@a.test");
	user->id = STR("17");
	user->password_hash = STR("$6$salt$hash");
	user->disabled = true;
	assert_int_equal(users_file_write(f->path, &file, &e), 0);
	users_file_done(&file);
	assert_int_equal(stat(f->path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);

	if (users_file_read(f->path, false, &file, &e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(file.count, 2);
	user = users_file_find(&file, STR("ALICE@a.test"));
	assert_ptr_equal(user, &file.users[0]);
	assert_str(user->name, "Al\xc3\xa9\n- email: evil@a.test");
	assert_int_equal(user->groups.count, 2);
	assert_str(user->groups.items[0], "eng: *x");
	assert_str(user->groups.items[1], "ops\"'\\");
	assert_str(user->password_hash, "$y$j9T$salt$hash");
	assert_false(user->disabled);
	assert_str(file.users[1].id, "17");
	assert_true(file.users[1].disabled);
	assert_null(users_file_find(&file, STR("carol@a.test")));
	users_file_done(&file);
}

static void test_remove(void **state)
{
	const struct fixture *f = *state;
	static const char *const emails[] = { "a@a.test", "b@a.test", "c@a.test" };
	struct users_file file = { 0 };
	struct err e = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(emails); i++)
		users_file_add(&file)->email = str_from(emails[i]);
	users_file_remove(&file, users_file_find(&file, STR("b@a.test")));
	assert_int_equal(file.count, 2);
	assert_str(file.users[1].email, "c@a.test");
	users_file_remove(&file, &file.users[1]);
	users_file_remove(&file, &file.users[0]);
	assert_int_equal(users_file_write(f->path, &file, &e), 0);
	users_file_done(&file);
	assert_int_equal(users_file_read(f->path, false, &file, &e), 0);
	assert_int_equal(file.count, 0);
	users_file_done(&file);
}

static void test_bad(void **state)
{
	const struct fixture *f = *state;
	static const struct {
		const char *text;
		const char *error;
	} cases[] = {
		{ "email: a@b.test\n", ":1:1: must be a list" },
		{ "- email: nobody\n  password_hash: $6$salt$hash\n",
		  ":1:10: [0].email: \"nobody\" is not an e-mail address" },
		{ "- [", ":2:1: " },
		{ "- email: a@b.test\n- email: a@B.test\n", ":2:10: [1].email: a@B.test is there" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct users_file file = { 0 };
		struct err e = { 0 };

		assert_int_equal(file_replace(f->path, str_from(cases[i].text), 0600, &e), 0);
		assert_int_equal(users_file_read(f->path, false, &file, &e), -1);
		assert_memory_equal(e.text, f->path, strlen(f->path));
		assert_memory_equal(e.text + strlen(f->path), cases[i].error,
				    strlen(cases[i].error));
		assert_int_equal(file.count, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_missing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_round_trip, setup, teardown),
		cmocka_unit_test_setup_teardown(test_remove, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
