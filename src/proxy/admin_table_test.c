#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proxy/admin_table.h"

static void write_rows(struct admin_table *t)
{
	const struct str groups[] = { STR("a"), STR("b") };

	admin_row_begin(t);
	admin_row_text(t, "id", STR("x\t\"\n\033\302\233"));
	admin_row_list(t, "groups", groups, 2);
	admin_row_uint(t, "age", 7);
	admin_row_time(t, "expires", 0);
	admin_row_end(t);
}

static void assert_table(enum admin_form form, const char *next, const char *wanted)
{
	struct admin_table part;
	struct admin_table t;

	admin_table_init(&part, form);
	write_rows(&part);
	admin_table_init(&t, form);
	admin_table_begin(&t, "things", "ID\tGROUPS");
	admin_table_add_rows(&t, STR(""));
	admin_table_add_rows(&t, buf_view(&part.out));
	admin_table_add_rows(&t, buf_view(&part.out));
	admin_table_end(&t, str_from(next));
	assert_int_equal(t.out.len, strlen(wanted));
	assert_memory_equal(t.out.data, wanted, t.out.len);
	admin_table_done(&part);
	admin_table_done(&t);
}

static void test_json(void **state)
{
	const char *wanted =
		"{\"things\":["
		"{\"id\":\"x\\t\\\"\\n\\u001b\302\233\",\"groups\":[\"a\",\"b\"],\"age\":7,\"expires\":0},"
		"{\"id\":\"x\\t\\\"\\n\\u001b\302\233\",\"groups\":[\"a\",\"b\"],\"age\":7,\"expires\":0}]"
		",\"next\":\"n\"}\n";

	assert_table(ADMIN_JSON, "n", wanted);
}

static void test_lines_keep_their_columns(void **state)
{
	assert_table(ADMIN_LINES, "",
		     "ID\tGROUPS\nx?\"???\ta,b\t7\tnever\nx?\"???\ta,b\t7\tnever\n");
	assert_table(ADMIN_LINES, "n",
		     "ID\tGROUPS\nx?\"???\ta,b\t7\tnever\nx?\"???\ta,b\t7\tnever\n#next\tn\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_lines_keep_their_columns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
