/*
 * utf8_test.c - what is a character and what is not
 */

#include "base/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void test_decode(void **state)
{
	static const struct {
		struct str text;
		size_t len;
		uint32_t code_point;
	} cases[] = {
		{ { "a", 1 }, 1, 'a' },
		{ { "\0", 1 }, 1, 0 },
		{ { "\x7f", 1 }, 1, 0x7f },
		{ { "\xc2\x80", 2 }, 2, 0x80 },
		{ { "\xdf\xbf", 2 }, 2, 0x7ff },
		{ { "\xe0\xa0\x80", 3 }, 3, 0x800 },
		{ { "\xed\x9f\xbf", 3 }, 3, 0xd7ff },
		{ { "\xee\x80\x80", 3 }, 3, 0xe000 },
		{ { "\xef\xbf\xbf", 3 }, 3, 0xffff },
		{ { "\xf0\x90\x80\x80", 4 }, 4, 0x10000 },
		{ { "\xf4\x8f\xbf\xbf", 4 }, 4, 0x10ffff },
		{ { "\xc3\xa9z", 3 }, 2, 0xe9 },
		{ { NULL, 0 }, 0, 0 },
		{ { "\x80", 1 }, 0, 0 },                 /* continuation without start */
		{ { "\xc0\x80", 2 }, 0, 0 },             /* overlong NUL */
		{ { "\xc1\xbf", 2 }, 0, 0 },             /* overlong */
		{ { "\xe0\x9f\xbf", 3 }, 0, 0 },         /* overlong */
		{ { "\xf0\x8f\xbf\xbf", 4 }, 0, 0 },     /* overlong */
		{ { "\xed\xa0\x80", 3 }, 0, 0 },         /* surrogate */
		{ { "\xed\xbf\xbf", 3 }, 0, 0 },         /* surrogate */
		{ { "\xf4\x90\x80\x80", 4 }, 0, 0 },     /* beyond the end */
		{ { "\xf8\x88\x80\x80\x80", 5 }, 0, 0 }, /* five bytes */
		{ { "\xff", 1 }, 0, 0 },
		{ { "\xc3", 1 }, 0, 0 }, /* cut */
		{ { "\xe2\x82", 2 }, 0, 0 },
		{ { "\xe2\x28\xa1", 3 }, 0, 0 },
		{ { "\xe2\x82\x28", 3 }, 0, 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint32_t code_point = 12345;
		size_t len = utf8_decode(cases[i].text, &code_point);
		assert_int_equal(len, cases[i].len);
		assert_int_equal(code_point, len ? cases[i].code_point : 12345);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_decode),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
