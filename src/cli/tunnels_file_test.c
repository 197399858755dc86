#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "base/mem.h"
#include "cli/tunnels_file.h"

#define CACHE "- name: cache\n  destination: redis.example.com:6379\n"

static void test_good(void **state)
{
	static const char *const texts[] = {
		CACHE "- {name: db, destination: 'db.example.com:5432', listen: ':15432'}\n",
		"tunnels:\n" CACHE
		"- {NAME: db, destination: 'db.example.com:5432', listen: ':15432'}\n",
	};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct tunnels_file file = { 0 };
		struct err e = { 0 };

		if (tunnels_file_parse(str_from(texts[i]), "t.yaml", &file, &e) < 0)
			fail_msg("%s", e.text);
		assert_int_equal(file.count, 2);
		assert_string_equal(file.entries[0].destination, "redis.example.com:6379");
		assert_null(file.entries[0].listen);
		assert_string_equal(tunnels_file_find(&file, "db")->listen, ":15432");
		assert_null(tunnels_file_find(&file, "d"));
		tunnels_file_done(&file);
	}
}

static void test_empty(void **state)
{
	static const char *const texts[] = { "", "# nothing\n", "tunnels:\n", "[]" };

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct tunnels_file file = { 0 };
		struct err e = { 0 };

		assert_int_equal(tunnels_file_parse(str_from(texts[i]), "t.yaml", &file, &e), 0);
		assert_int_equal(file.count, 0);
		tunnels_file_done(&file);
	}
}

static void test_mistakes(void **state)
{
	static const char *const rows[][2] = {
		{ "a: b\n", "t.yaml:1:1: this must be a list" },
		{ "- 5\n", "t.yaml:1:3: a tunnel must be a mapping" },
		{ CACHE "- {name: db}\n", "t.yaml:3:3: a tunnel needs" },
		{ CACHE CACHE, "t.yaml:3:3: there is another" },
		{ "- name: a\n  destination: b:1\n  port: 5\n", "t.yaml:3:3: a tunnel has" },
		{ "- name: [a]\n", "t.yaml:1:9: this must be a text" },
		{ "- name: ''\n", "t.yaml:1:9: this must be a text" },
		{ "- name: \"a\\u001bb\"\n", "t.yaml:1:9: " },
		{ "- name: a\n  name: b\n  destination: c:1\n", "t.yaml:2:3: " },
		{ "- name: 'a\n", "t.yaml:" },
		{ "\xff", "t.yaml:1:1: " },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct tunnels_file file = { 0 };
		struct err e = { 0 };

		assert_int_equal(tunnels_file_parse(str_from(rows[i][0]), "t.yaml", &file, &e), -1);
		if (!str_starts_with(str_from(e.text), str_from(rows[i][1])))
			fail_msg("\"%s\" instead of \"%s\"", e.text, rows[i][1]);
		assert_int_equal(file.count, 0);
	}
}

static void test_path(void **state)
{
	static const struct {
		const char *xdg;
		const char *home;
		const char *path;
	} rows[] = {
		{ "/x", "/home/a", "/x/pomerium-cli/tunnels.yaml" },
		{ NULL, "/home/a", "/home/a/.config/pomerium-cli/tunnels.yaml" },
		{ "relative", "/home/a", "/home/a/.config/pomerium-cli/tunnels.yaml" },
		{ "", "", NULL },
		{ NULL, NULL, NULL },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char *path = tunnels_file_path(rows[i].xdg, rows[i].home);

		if (rows[i].path)
			assert_string_equal(path, rows[i].path);
		else
			assert_null(path);
		mem_free(path);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_mistakes),
		cmocka_unit_test(test_path),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
