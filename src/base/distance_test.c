/*
 * distance_test.c - known distances, and texts that are too long
 */

#include "base/distance.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void test_distances(void **state)
{
	const struct {
		const char *a;
		const char *b;
		size_t distance;
	} cases[] = {
		{ "", "", 0 },          { "email", "email", 0 },    { "emial", "email", 2 },
		{ "mail", "email", 1 }, { "emails", "email", 1 },   { "email", "Email", 1 },
		{ "", "abc", 3 },       { "kitten", "sitting", 3 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(str_distance(str_from(cases[i].a), str_from(cases[i].b)),
				 cases[i].distance);
		assert_int_equal(str_distance(str_from(cases[i].b), str_from(cases[i].a)),
				 cases[i].distance);
	}
}

static void test_too_long(void **state)
{
	char text[DISTANCE_TEXT_MAX + 1] = { 0 };

	assert_int_equal(str_distance(str_of(text, DISTANCE_TEXT_MAX), STR("")), DISTANCE_TEXT_MAX);
	assert_true(str_distance(str_of(text, sizeof(text)), STR("")) == SIZE_MAX);
	assert_true(str_distance(STR(""), str_of(text, sizeof(text))) == SIZE_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_distances),
		cmocka_unit_test(test_too_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
