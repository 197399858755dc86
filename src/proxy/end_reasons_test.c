/*
 * end_reasons_test.c - the last END_REASONS_MAX are remembered
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/random.h"
#include "proxy/end_reasons.h"

static struct str id_of(unsigned number, char text[UUID_TEXT_LEN + 1])
{
	(void)snprintf(text, UUID_TEXT_LEN + 1, "%08x-0000-4000-8000-000000000000", number);
	return str_from(text);
}

static void test_found_and_forgotten(void **state)
{
	struct end_reasons *r = end_reasons_new();
	char text[UUID_TEXT_LEN + 1];

	assert_null(end_reasons_find(r, id_of(0, text)));
	assert_null(end_reasons_find(r, STR("")));
	for (unsigned i = 0; i < END_REASONS_MAX; i++)
		end_reasons_put(r, id_of(i, text), i % 2 ? "odd" : "even");
	for (unsigned i = 0; i < END_REASONS_MAX; i++)
		assert_string_equal(end_reasons_find(r, id_of(i, text)), i % 2 ? "odd" : "even");
	end_reasons_put(r, id_of(END_REASONS_MAX, text), "new");
	assert_string_equal(end_reasons_find(r, id_of(END_REASONS_MAX, text)), "new");
	assert_null(end_reasons_find(r, id_of(0, text)));
	assert_non_null(end_reasons_find(r, id_of(1, text)));
	end_reasons_free(r);
}

/* Once more is no second entry. */
static void test_put_twice(void **state)
{
	struct end_reasons *r = end_reasons_new();
	char text[UUID_TEXT_LEN + 1];

	for (unsigned i = 0; i < 2 * END_REASONS_MAX; i++)
		end_reasons_put(r, id_of(1, text), "again");
	for (unsigned i = 2; i < END_REASONS_MAX + 1; i++)
		end_reasons_put(r, id_of(i, text), "other");
	assert_string_equal(end_reasons_find(r, id_of(1, text)), "again");
	end_reasons_put(r, id_of(0, text), "one too many");
	assert_null(end_reasons_find(r, id_of(1, text)));
	end_reasons_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_found_and_forgotten),
		cmocka_unit_test(test_put_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
